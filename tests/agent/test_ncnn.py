"""ncnn as a runtime: it computes what onnxruntime does, on as many threads as asked, and says what it cannot."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy
import onnx
import pytest
from onnx import numpy_helper

from edgebench.agent.runtimes import ncnn, onnxruntime
from edgebench.export.formats.ncnn import pack
from tests.agent.test_openvino import network, scores
from tests.conftest import CPU

lengthy = pytest.mark.lengthy
needs_ncnn = pytest.mark.skipif(not find_spec("ncnn"), reason="ncnn is not installed: edgebench[ncnn]")
SHAPE = (1, 3, 8, 8)
# Two convolutions and a mean over all pixels; the second output is the first convolution's features.
DESCRIPTION = """7767517
5 6
Input in0 0 1 in0
Convolution first 1 1 in0 0 0=4 1=3 4=1 5=0 6=108
Split features 1 2 0 out1 1
Convolution second 1 1 1 2 0=8 1=3 4=1 5=0 6=288
Pooling mean 1 1 2 out0 0=1 4=1
"""


def written(folder: Path, description: str = DESCRIPTION) -> str:
    """The network of `network`, as an artifact for ncnn."""
    graph = onnx.load(network(folder / "net.onnx")).graph
    held = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    (folder / "weights").write_bytes(b"".join(bytes(4) + held[name].tobytes() for name in "wv"))  # 0 means fp32
    pack(description, folder / "weights", folder / "net.ncnn", SHAPE)
    return str(folder / "net.ncnn")


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> str:
    return written(tmp_path_factory.mktemp("ncnn"))


@lengthy
@needs_ncnn
@pytest.mark.parametrize(("options", "tolerance"), [((), 1e-5), (("fp16",), 1e-2)])
@pytest.mark.parametrize("batch", [1, 2, 7])
def test_it_computes_what_onnxruntime_does(batch: int, options: tuple[str, ...], tolerance: float, path: str) -> None:
    images = numpy.random.default_rng(1).uniform(-1, 1, (5, *SHAPE[1:])).astype("<f4")
    wanted = scores(onnxruntime, str(Path(path).with_name("net.onnx")), images, batch=batch, options=CPU)
    found = scores(ncnn, path, images, batch=batch, options=options)
    worst = abs(found - wanted).max() / abs(wanted).max()
    assert 0 < worst <= tolerance or options == ()
    assert worst <= tolerance


@lengthy
@needs_ncnn
@pytest.mark.parametrize("batch", [1, 3])
def test_outputs_come_in_their_order_with_channels_before_pixels(batch: int, path: str) -> None:
    session = ncnn.open(path, threads=1, batch=batch, options=())
    session.run()
    made = session.outputs()
    assert {name: values.shape for name, values in made.items()} == {"out0": (batch, 8), "out1": (batch, 4, 8, 8)}
    images = session._images
    joined = numpy.frombuffer(session.infer(images.tobytes(), images.shape, 8 + 4 * 64), "<f4").reshape(batch, -1)
    wanted = numpy.concatenate([values.reshape(batch, -1) for values in made.values()], 1)
    numpy.testing.assert_array_equal(joined, wanted)


FACTS = """import sys
from edgebench.agent.runtimes import ncnn
session = ncnn.open(sys.argv[1], threads=int(sys.argv[2]), batch=1, options=())
session.run()
print(session.facts())"""


@lengthy
@needs_ncnn
@pytest.mark.parametrize(
    ("threads", "limit", "answer"),
    [(1, "", "{'inference_threads': '1'}"), (2, "", "{'inference_threads': '2'}"),
     (2, "1", "RuntimeError: wanted 2 threads, found 1 in ncnn; use --threads 1")],
)  # fmt: skip
def test_it_computes_on_as_many_threads_as_asked(threads: int, limit: str, answer: str, path: str) -> None:
    settings = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)} | ({"OMP_THREAD_LIMIT": limit} if limit else {})
    command = [sys.executable, "-c", FACTS, path, str(threads)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=settings)
    assert (done.stdout + done.stderr).strip().splitlines()[-1] == answer


@lengthy
@needs_ncnn
def test_sixteen_bits_are_set_only_if_they_are_asked_for() -> None:
    import ncnn as library

    for halves in (True, False):
        net = library.Net()
        ncnn._set_up(net.opt, 3, halves=halves)
        assert net.opt.num_threads == 3
        assert [getattr(net.opt, name) for name in ncnn.HALVES] == [halves] * 3
        assert [getattr(net.opt, name) for name in ncnn.BRAIN_FLOATS] == [False] * 2


@lengthy
@needs_ncnn
def test_a_processor_without_sixteen_bits_is_refused_in_one_line(monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    import ncnn as library

    for name in ("cpu_support_arm_asimdhp", "cpu_support_x86_avx2"):
        monkeypatch.setattr(library, name, lambda: False)
    ncnn.open(path, threads=1, batch=1, options=()).run()
    with pytest.raises(RuntimeError, match=r"^wanted fp16, found a processor .* leave \+fp16 out$"):
        ncnn.open(path, threads=1, batch=1, options=("fp16",))


@lengthy
@needs_ncnn
def test_a_layer_that_ncnn_lacks_is_named(tmp_path: Path) -> None:
    unknown = written(tmp_path, DESCRIPTION.replace("Pooling mean", "aten::mean mean"))
    with pytest.raises(RuntimeError, match=r"^ncnn [\d.]+ cannot load this file: it has no layer aten::mean$"):
        ncnn.open(unknown, threads=1, batch=1, options=())


@lengthy
@needs_ncnn
def test_a_version_without_batches_takes_one_image_at_a_time(monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    import ncnn as library

    monkeypatch.delattr(library.Mat, "batch")
    ncnn.open(path, threads=1, batch=1, options=()).run()
    session, images = ncnn.open(path, threads=1, batch=4, options=()), numpy.ones((4, *SHAPE[1:]), "<f4")
    assert len(session.infer(images.tobytes(), images.shape, 8)) == images.shape[0] * 8 * 4
    with pytest.raises(RuntimeError, match=r"^ncnn [\d.]+ takes one image at a time, found 4: use --batch 1$"):
        session.run()


@lengthy
@needs_ncnn
def test_a_batch_whose_outputs_are_not_those_of_its_images_is_refused(path: str) -> None:
    session = ncnn.open(path, threads=1, batch=3, options=())
    session.run()
    assert session.facts() == {"inference_threads": "1"}
    session._images[1] *= 2  # as if the batch had computed something else
    with pytest.raises(RuntimeError, match=r"^ncnn computes other outputs for a batch than for its images alone: use"):
        session.facts()


def test_an_artifact_holds_both_files_and_the_shape_of_an_image(tmp_path: Path) -> None:
    path = written(tmp_path)
    assert ncnn.image_shape(ncnn.param(path)) == SHAPE[1:]
    assert ncnn.kinds(ncnn.param(path)) == ["Input", "Convolution", "Split", "Convolution", "Pooling"]
    content, size = Path(path).read_bytes(), ncnn.weights_bytes(path)
    assert content[:size] == (tmp_path / "weights").read_bytes()
    assert Path(written(tmp_path)).read_bytes() == content

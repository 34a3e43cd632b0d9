"""LiteRT's options: its CompiledModel computes what its interpreter does, and says what its weight cache did."""

from ctypes import CDLL
from importlib.util import find_spec
from pathlib import Path
from shutil import copy
from typing import Any

import numpy
import pytest

from edgebench.agent.runtimes import litert
from edgebench.deploy.trial import FILES
from edgebench.schema.runtime import RuntimeRequest
from tests.conftest import variant

pytestmark = pytest.mark.skipif(not find_spec("ai_edge_litert"), reason="needs ai-edge-litert: edgebench[tflite]")
lengthy = pytest.mark.lengthy
OPTIONS = [("compiled",), ("compiled", "weight_cache")]


def copied(name: str, folder: Path) -> str:
    return str(copy(FILES / name, folder))


def scores(path: str, images: Any, *, batch: int, options: tuple[str, ...], threads: int = 1) -> Any:
    session = litert.open(path, threads=threads, batch=batch, options=options)
    session.run()
    answers = session.infer(images.tobytes(), images.shape, 8)  # type: ignore[union-attr]
    return numpy.frombuffer(answers, "<f4").reshape(len(images), 8)


@lengthy
@pytest.mark.parametrize("name", ["fp32.tflite", "int8.tflite"])
@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("options", OPTIONS, ids=["plain", "cached"])
def test_the_compiled_model_computes_what_the_interpreter_does(
    name: str, batch: int, options: tuple[str, ...], tmp_path: Path
) -> None:
    path, images = copied(name, tmp_path), numpy.random.default_rng(1).uniform(-1, 1, (5, 3, 32, 32)).astype("<f4")
    wanted = scores(path, images, batch=batch, options=())
    assert abs(wanted).max() > 0
    for _ in range(2):  # the second time, a weight cache is read
        assert (scores(path, images, batch=batch, options=options) == wanted).all()


@lengthy
def test_the_first_process_writes_the_weight_cache_and_later_ones_read_it(tmp_path: Path) -> None:
    path, options = copied("fp32.tflite", tmp_path), ("compiled", "weight_cache")
    facts = [litert.open(path, threads=1, batch=1, options=options).facts() for _ in range(3)]
    assert [known["weight_cache"] for known in facts] == ["written", "read", "read"]
    assert all(int(known["weight_cache_bytes"]) > 0 and known["fully_accelerated"] == "yes" for known in facts)
    assert all(float(known["empty_cache_s"]) < 1 for known in facts)
    Path(path).write_bytes((FILES / "int8.tflite").read_bytes())
    assert litert.open(path, threads=1, batch=1, options=options).facts()["weight_cache"] == "written"
    plain = litert.open(path, threads=1, batch=1, options=("compiled",)).facts()
    assert plain == {"fully_accelerated": "yes"}


def count() -> int:
    """The number of threads of this process."""
    return len(list(Path("/proc/self/task").iterdir()))


@lengthy
@pytest.mark.parametrize("options", OPTIONS, ids=["plain", "cached"])
def test_the_compiled_model_uses_exactly_the_requested_threads(options: tuple[str, ...], tmp_path: Path) -> None:
    path = copied("fp32.tflite", tmp_path)
    litert.open(path, threads=1, batch=1, options=options)  # what LiteRT starts once per process
    before, kept = count(), list[tuple[Any, int]]()
    for threads in (1, 2, 4):
        session = litert.open(path, threads=threads, batch=1, options=options)
        session.run()
        kept.append((session, count() - before))
        before = count()
    assert [started for _, started in kept] == [0, 1, 3]


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        ("litert", ""),
        ("litert+reference", ""),
        ("litert+compiled+weight_cache", ""),
        ("litert+weight_cache", "use --runtime litert+compiled+weight_cache"),
        ("litert+gpu", "use --runtime litert+compiled+gpu"),
        ("litert+reference+gpu", "use --runtime litert+compiled+gpu"),
        ("litert+compiled+weight_cache+gpu", "leave it or gpu out"),
    ],
)
def test_options_that_need_each_other_are_refused_alone(request_: str, reason: str) -> None:
    options = RuntimeRequest.parse(request_).resolve(litert.OPTIONS)
    refused = litert.refuses(variant(), options)
    assert refused.endswith(reason)
    assert bool(refused) == bool(reason)


def test_without_options_a_row_is_named_as_before() -> None:
    assert RuntimeRequest.parse("litert").resolve(litert.OPTIONS) == ()


@lengthy
def test_without_a_gpu_the_reason_is_said(tmp_path: Path) -> None:
    try:
        CDLL(litert.VULKAN)
    except OSError:
        with pytest.raises(RuntimeError, match=r"wanted a GPU .* found no libvulkan.so.1 .* leave \+gpu out"):
            litert.open(copied("fp32.tflite", tmp_path), threads=1, batch=1, options=("compiled", "gpu"))
    else:
        pytest.skip("this machine has Vulkan")


@lengthy
def test_the_reference_kernels_differ_from_xnnpack_by_a_few_steps_at_most(tmp_path: Path) -> None:
    path, images = copied("int8.tflite", tmp_path), numpy.random.default_rng(1).uniform(-1, 1, (5, 3, 32, 32))
    found, wanted = (scores(path, images.astype("<f4"), batch=1, options=options) for options in ((), ("reference",)))
    step = numpy.diff(numpy.unique(wanted)).min()
    assert abs(found - wanted).max() <= 3 * step
    delegates = [litert.open(path, threads=1, batch=1, options=options).facts() for options in ((), ("reference",))]
    assert delegates == [{"delegate": "XNNPACK"}, {"delegate": "none"}]

"""TFLite files and the two runtimes that read them: what they compute, in what, and what is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from itertools import islice
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

import numpy
import pandas
import pytest

from edgebench import export, train
from edgebench.export import formats, write
from edgebench.export.formats import Written, onnx, tflite
from edgebench.export.formats.tflite import large
from edgebench.export.formats.tflite.convert import convert, folded_network, outputs_of
from edgebench.export.formats.tflite.enlarge import enlarge_by_convolutions
from edgebench.export.formats.tflite.flatbuffer import File
from edgebench.export.formats.tflite.tidy import tidy
from edgebench.foundation import cache, files
from edgebench.foundation.errors import CaseError, RequestError
from edgebench.foundation.shelf import load, names
from edgebench.foundation.units import MIB
from edgebench.measure.plan import cases
from edgebench.measure.plan.check import check
from edgebench.networks import build
from edgebench.schema.names import CLASSIFICATION, task
from edgebench.schema.quantization import Quantization, parse
from edgebench.schema.runtime import Runtime
from edgebench.schema.sweep import Model, Sweep
from edgebench.schema.variant import Precision, Variant, WeightSource
from tests import ROOT
from tests.conftest import CPU, environment, needs_tflite_runtime, variant
from tests.export.test_layer_noise import spread_network
from tests.export.test_prepare import sqnr_db
from tests.support.images import split
from tests.support.networks import awake

if TYPE_CHECKING:
    from torch import nn

RUNTIMES = ("litert", "tflite_runtime")
INSTALLED = ("litert", pytest.param("tflite_runtime", marks=needs_tflite_runtime))
SMALL = variant("mobilenet_v1", 0.25, 16)  # what is asked of the data set and the converter
Pixels = Any
WriteOnce = Any  # (name, how to build the network, scheme and variant of `written`) -> file and network


@pytest.mark.slow
@pytest.mark.parametrize("axis", [0, 3, None])
@pytest.mark.parametrize("shape", [(1024, 3, 3, 8), (7, 3, 3, 1024), (1, 3, 3, 64)])
def test_weights_larger_than_the_quantizer_takes_are_computed_as_smaller_ones(
    axis: int | None, shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    from ai_edge_quantizer import qtyping
    from ai_edge_quantizer.algorithms.uniform_quantize import uniform_quantize_tensor as library

    data = numpy.random.default_rng(0).normal(size=shape).astype("f4")
    others = tuple(one for one in range(4) if one != axis)
    scale = numpy.abs(data).max(others, keepdims=True) / 127
    scales = qtyping.UniformQuantParams(
        num_bits=8, quantized_dimension=axis, scale=scale, zero_point=numpy.zeros(scale.shape, int)
    )
    expected = library.uniform_quantize(data, scales)
    monkeypatch.setattr(large, "MOST_BYTES", data.nbytes // 5)
    with large.in_slices():
        assert (library.uniform_quantize(data, scales) == expected).all()
        assert (numpy.abs(expected * scale - data) <= scale / 2 + 1e-6).all()


def int8(of: Variant, words: str = "per_channel") -> Variant:
    return replace(of, precision=Precision.INT8, quantization=parse(words, tflite.SCHEME))


def calibration(of: Variant = SMALL) -> Iterator[Pixels]:
    return split(of, "calibration").batches(1)


def written(path: Path, network: nn.Module, quantization: Quantization | None = None, of: Variant = SMALL) -> Written:
    """Write a network's file, in float or as the scheme has it."""
    if quantization is None:
        tflite.write(path, of, build.channels(of), lambda: network)
        return Written()
    tflite.write(parent := path.with_name("float.tflite"), of, build.channels(of), lambda: network)
    return tflite.write_int8(parent, path, quantization, partial(calibration, of))


def opened(path: Path, runtime: str, *, threads: int = 1, batch: int = 1) -> Any:
    options = CPU if runtime == "onnxruntime" else ()
    return load("runtimes", runtime).open(str(path), threads=threads, batch=batch, options=options)


def outputs(path: Path, images: Pixels, runtime: str, **how: int) -> Pixels:
    session = opened(path, runtime, **how)
    return numpy.frombuffer(session.infer(images.tobytes(), images.shape), "<f4").reshape(len(images), -1)


def of_torch(network: nn.Module, images: Pixels) -> Pixels:
    import torch

    with torch.inference_mode():
        return network(torch.from_numpy(images)).numpy()


def operators(path: Path) -> list[str]:
    return [one.name for one in File(path).operators()]


@pytest.fixture(scope="module")
def network() -> nn.Module:
    """A convolution and a linear layer, fitted to the digits."""
    return spread_network()


@pytest.fixture(scope="module")
def images() -> Pixels:
    return split(SMALL, "test").read(range(200))


@pytest.fixture(scope="module")
def float_file(network: nn.Module, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tflite") / "float.tflite"
    written(path, network)
    return path


@pytest.fixture(scope="module")
def int8_file(network: nn.Module, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tflite") / "int8.tflite"
    assert written(path, network, tflite.SCHEME) == Written(float_nodes=(), integer_share=1.0)
    return path


@pytest.fixture(scope="module")
def once_written(tmp_path_factory: pytest.TempPathFactory) -> WriteOnce:
    """Write a file for the tests of both runtimes; the name tells one network from another."""
    known: dict[str, tuple[Path, nn.Module]] = {}

    def write_once(name: str, build: Callable[[], nn.Module], *how: Any) -> tuple[Path, nn.Module]:
        if name not in known:
            known[name] = tmp_path_factory.mktemp("once") / "net.tflite", build()
            written(*known[name], *how)
        return known[name]

    return write_once


@pytest.mark.slow
@pytest.mark.parametrize("runtime", INSTALLED)
def test_a_float_file_computes_what_torch_computes(
    float_file: Path, network: nn.Module, images: Pixels, runtime: str
) -> None:
    wanted, found = of_torch(network, images), outputs(float_file, images, runtime)
    assert numpy.allclose(found, wanted, atol=1e-3)
    assert (found.argmax(1) == wanted.argmax(1)).all()


@pytest.mark.slow
@pytest.mark.parametrize("runtime", INSTALLED)
def test_an_int8_file_agrees_with_its_float_parent(
    float_file: Path, int8_file: Path, images: Pixels, runtime: str
) -> None:
    wanted, found = outputs(float_file, images, runtime), outputs(int8_file, images, runtime)
    assert (found.argmax(1) == wanted.argmax(1)).mean() > 0.97


@pytest.mark.slow
def test_int8_is_as_true_to_its_parent_as_onnxs_from_the_same_images(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """At most 2 points less."""
    monkeypatch.setenv(files.HOME_VARIABLE, str(tmp_path / "own-cache"))
    monkeypatch.setattr(train, "BASE_EPOCHS", 4)  # a third of them: enough to tell digits apart
    of = variant("mobilenet_v1", 0.25, 32, weights=WeightSource.TRAINED)
    images = split(of, "test").read(range(600))
    agreement = dict[str, float]()
    for format, runtime, scheme in (("tflite", "litert", tflite.SCHEME), ("onnx", "onnxruntime", Quantization())):
        int8_variant = replace(of, precision=Precision.INT8, quantization=scheme)
        paths = [cache.path_of(export.export(one, format, print)) for one in (of, int8_variant)]
        answers = [outputs(path, images, runtime) for path in paths]
        agreement[format] = float((answers[0].argmax(1) == answers[1].argmax(1)).mean())
    assert agreement["tflite"] >= agreement["onnx"] - 0.02


@pytest.mark.slow
def test_images_and_features_lie_in_nhwc_throughout(float_file: Path, int8_file: Path) -> None:
    assert File(float_file).graph.tensors[0].shape[1:] == [16, 16, 3]
    assert operators(float_file) == operators(int8_file) == ["PAD", "CONV_2D", "RESHAPE", "FULLY_CONNECTED"]


@pytest.mark.slow
def test_an_int8_file_is_integer_from_its_input_to_its_output(int8_file: Path) -> None:
    file = File(int8_file)
    types = {file.type(tensor) for one in file.operators() for tensor in (*one.inputs, one.output)}
    assert types == {"INT8", "INT32"}  # biases and a shape are of 32 bits


@pytest.mark.slow
@pytest.mark.parametrize("runtime", INSTALLED)
@pytest.mark.parametrize("kind", ["float", "int8"])
def test_any_number_of_images_goes_through_at_once(
    float_file: Path, int8_file: Path, images: Pixels, runtime: str, kind: str
) -> None:
    path = float_file if kind == "float" else int8_file
    session = opened(path, runtime, batch=2, threads=2)
    session.run()
    one_by_one = [session.infer(image.tobytes(), (1, *image.shape)) for image in images[:5]]
    together = numpy.frombuffer(session.infer(images[:5].tobytes(), images[:5].shape), "<f4")
    assert numpy.allclose(numpy.frombuffer(b"".join(one_by_one), "<f4"), together, atol=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("runtime", INSTALLED)
def test_a_file_that_holds_the_size_of_its_batch_inside_answers_any_number_of_images(
    once_written: WriteOnce, runtime: str
) -> None:
    """The paper's LeNet-5 does: it picks channels by a table."""
    of = variant("lenet5_1998", 1.0, 32)
    path, network = once_written("lenet", lambda: build.build(of), None, of)
    images = split(of, "test").read(range(8))
    assert numpy.allclose(outputs(path, images, runtime), of_torch(network, images), rtol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("runtime", "kind", "delegate"),
    [
        ("litert", "float", "XNNPACK"),
        ("litert", "int8", "XNNPACK"),
        pytest.param("tflite_runtime", "float", "XNNPACK", marks=needs_tflite_runtime),
        pytest.param("tflite_runtime", "int8", "none", marks=needs_tflite_runtime),  # 2.14.0 on x86
    ],
)
def test_a_session_says_whether_a_delegate_took_over(
    float_file: Path, int8_file: Path, runtime: str, kind: str, delegate: str
) -> None:
    assert opened(float_file if kind == "float" else int8_file, runtime).facts() == {"delegate": delegate}


@pytest.mark.slow
@pytest.mark.parametrize("runtime", INSTALLED)
@pytest.mark.parametrize("beta", [0.75, 0.5])
def test_local_response_norm_becomes_what_every_runtime_has(once_written: WriteOnce, runtime: str, beta: float) -> None:
    from torch import nn

    def network() -> nn.Module:
        import torch

        torch.manual_seed(0)
        norm = nn.LocalResponseNorm(4, alpha=0.5, beta=beta, k=2.0)
        return nn.Sequential(nn.Conv2d(3, 9, 3), norm, nn.Flatten()).eval()

    images = numpy.random.default_rng(0).uniform(-2, 2, (3, 3, 16, 16)).astype(numpy.float32)
    wanted = of_torch(network(), images)  # of torch's own norm: writing a file replaces it
    path, _ = once_written(f"norm {beta}", network)
    found = outputs(path, images, runtime)
    assert "CONV_2D" in operators(path)
    assert numpy.allclose(found, wanted.reshape(3, -1), atol=1e-4)


@pytest.mark.slow
def test_local_response_norm_stays_float_in_an_int8_file_with_a_word(place: Path) -> None:
    from torch import nn

    network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.LocalResponseNorm(5), nn.Conv2d(8, 8, 3), nn.Flatten()).eval()
    told = written(place / "norm.tflite", network, tflite.SCHEME)
    assert {"RSQRT", "SQRT", "MUL"} <= {node.split()[0] for node in told.float_nodes}
    assert told.integer_share is not None and 0.5 < told.integer_share < 1.0
    opened(place / "norm.tflite", "litert").run()


@pytest.mark.slow
@pytest.mark.parametrize("runtime", INSTALLED)
def test_a_signal_that_fades_to_nothing_still_makes_a_file_that_loads(once_written: WriteOnce, runtime: str) -> None:
    """As in deep networks that were never trained."""
    from torch import nn

    def faded() -> nn.Module:
        first = nn.Conv2d(3, 8, 3, bias=False)
        nn.init.constant_(first.weight, 1e-12)
        return nn.Sequential(first, nn.ReLU6(), nn.Flatten(), nn.Linear(8 * 196, 10)).eval()

    path, network = once_written("faded", faded, tflite.SCHEME)
    found = outputs(path, split(SMALL, "test").read(range(2)), runtime)
    assert numpy.allclose(found[0], network[3].bias.detach().numpy(), atol=0.01)


@pytest.mark.slow
@pytest.mark.parametrize("runtime", INSTALLED)
def test_what_a_pool_is_padded_with_is_no_part_of_a_range(once_written: WriteOnce, runtime: str) -> None:
    """It is -infinity, as before the first stage of every ResNet."""
    from torch import nn

    def pooling() -> nn.Module:
        return nn.Sequential(nn.Conv2d(3, 8, 3), nn.MaxPool2d(3, 2, padding=1), nn.Flatten()).eval()

    path, network = once_written("pool", pooling, tflite.SCHEME)
    images = split(SMALL, "test").read(range(4))
    assert "PADV2" in operators(path)
    assert sqnr_db(of_torch(network, images), outputs(path, images, runtime)) > 30


@pytest.mark.slow
@pytest.mark.parametrize("granularity", ["per_channel", "per_tensor"])
def test_a_dead_channel_keeps_its_bias(place: Path, granularity: str) -> None:
    """Its weights are so small that, in steps of them, its bias needs more than 32 bits."""
    import torch
    from torch import nn

    network: Any = nn.Sequential(nn.Conv2d(3, 2, 3), nn.Flatten()).eval()
    with torch.no_grad():
        network[0].weight[: 1 if granularity == "per_channel" else 2] = 1e-12
        network[0].bias.copy_(torch.tensor([0.5, 0.0]))
    images = split(SMALL, "test").read(range(2))
    written(place / "dead.tflite", network, parse(granularity, tflite.SCHEME))
    found = outputs(place / "dead.tflite", images, "litert").reshape(2, 2, 14, 14)
    assert numpy.allclose(found[:, 0], 0.5, atol=0.02)


@pytest.mark.slow
def test_what_tflite_has_no_operator_for_is_a_failed_case_that_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from torch import Tensor, nn

    class Odd(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return images.flatten(1).cholesky_inverse()

    monkeypatch.setattr(write, "_network", lambda *_: Odd())
    with pytest.raises(CaseError, match="tflite: .*cholesky_inverse"):
        export.export(variant(resolution=64), "tflite", print)


@pytest.mark.slow
def test_no_calibration_images_are_a_failed_case(place: Path, float_file: Path) -> None:
    with pytest.raises(CaseError, match="no calibration images"):
        tflite.write_int8(float_file, place / "net.tflite", tflite.SCHEME, lambda: iter(()))


@pytest.mark.parametrize("words", ["per_channel", "per_tensor", "s8s8", "per_tensor+equalized+bias_corrected", "qat"])
def test_schemes_within_tflites_specification_are_taken(words: str) -> None:
    assert tflite.refuses(int8(SMALL, f"{words}+images=50+seed=3+calibration=image_folder:val")) == ""


@pytest.mark.parametrize("words", ["u8s8", "u8u8", "percentile", "entropy", "mse", "reduce_range", "symmetric"])
def test_schemes_outside_tflites_specification_are_refused(words: str) -> None:
    said = tflite.refuses(int8(SMALL, words))
    assert said.startswith("TFLite's int8 is s8s8 with min-max ranges, found ")


@pytest.mark.usefixtures("no_version_is_remembered")
def test_writing_without_its_tools_is_refused_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def version(package: str) -> str:
        if package == "litert-torch":
            raise PackageNotFoundError(package)
        return "1"

    monkeypatch.setattr(formats, "version", version)
    with pytest.raises(RequestError) as caught:
        check(Sweep(models=(Model(name="mobilenet_v1"),), runtimes=("litert",)))
    assert str(caught.value) == (
        "runtime litert reads tflite files, and litert-torch, which is needed to write them, is not installed here;"
        " run pip install 'edgebench[tflite]'"
    )


def test_a_runtime_that_is_not_there_names_its_package_and_what_reads_the_same_files() -> None:
    there = {name: Runtime(name=name, version="") for name in ("null", *RUNTIMES)}
    cell = next(Sweep(models=(Model(name="mobilenet_v1"),), runtimes=("tflite_runtime",)).cells())
    with pytest.raises(RequestError) as caught:
        cases.cases([cell], replace(environment(), runtimes=there))
    assert str(caught.value) == (
        "runtime tflite_runtime is not installed on target cpu; install tflite-runtime there with pip,"
        " or use --runtime litert, which is ai-edge-litert"
    )


@needs_tflite_runtime
def test_an_interpreter_that_cannot_be_made_beside_numpy_2_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    import tflite_runtime.interpreter

    def fail(*_: object, **__: object) -> None:
        raise SystemError("returned a result with an exception set")

    monkeypatch.setattr(tflite_runtime.interpreter, "Interpreter", fail)
    monkeypatch.setattr(numpy, "__version__", "2.4.6")
    with pytest.raises(RuntimeError, match=r"tflite-runtime .* cannot open files with numpy 2.4.6; install 'numpy<2'"):
        opened(Path("net.tflite"), "tflite_runtime")


UNQUANTIZED = {
    "senet154": pytest.mark.xfail(
        raises=ValueError,
        strict=True,
        reason="ai-edge-quantizer 0.10.0 fails on a CONV_2D of its blocks",
    )
}
EVIDENCE = ROOT / "results" / "tflite_shelf.csv"


def keep(row: dict[str, object]) -> None:
    """Put a network's row among those that are kept with the project, in place of its older one."""
    kept = pandas.read_csv(EVIDENCE) if EVIDENCE.exists() else pandas.DataFrame(columns=list(row))
    rows = [*kept[kept.network != row["network"]].to_dict("records"), row]
    pandas.DataFrame(rows).sort_values("network").to_csv(EVIDENCE, index=False)


def few(of: Variant) -> Iterator[Pixels]:
    return islice(calibration(of), 4)


CLASSIFIERS = [name for name in names("architectures") if task(name) == CLASSIFICATION]


def by_onnxruntime(network: nn.Module, of: Variant, images: Pixels, place: Path) -> Pixels:
    """Answer with the network's ONNX file in the same int8, from the same calibration images."""
    onnx.write(place / "float.onnx", of, build.channels(of), lambda: network)
    onnx.write_int8(place / "float.onnx", place / "int8.onnx", tflite.SCHEME, partial(few, of))
    return outputs(place / "int8.onnx", images, "onnxruntime")


@pytest.mark.slow
@pytest.mark.heavy
@needs_tflite_runtime
@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=UNQUANTIZED.get(name, ())) for name in CLASSIFIERS if name != "null"],
)
def test_every_network_of_the_shelf_is_computed_in_float_and_int8(name: str, place: Path) -> None:
    from torch import nn

    family = load("architectures", name)
    of = replace(variant(name, family.WIDTHS[0], family.RESOLUTIONS[name][0]), classes=10)
    images = split(of, "test").read(range(4))
    network = awake(build.build(of), images)
    has_norms = any(isinstance(part, nn.LocalResponseNorm) for part in network.modules())
    wanted = of_torch(network, images)
    beside = sqnr_db(wanted, by_onnxruntime(network, of, images, place))
    started = monotonic()
    written(float_file := place / "float.tflite", network, of=of)
    converted = monotonic()
    int8_file = place / "int8.tflite"
    told = tflite.write_int8(float_file, int8_file, tflite.SCHEME, partial(few, of))
    quantized = monotonic()
    found = {runtime: outputs(float_file, images, runtime) for runtime in RUNTIMES}
    rounded = {runtime: outputs(int8_file, images, runtime) for runtime in RUNTIMES}
    keep(
        {
            "network": name,
            "width": of.width,
            "resolution": of.resolution,
            "float_mib": round(float_file.stat().st_size / MIB, 2),
            "int8_mib": round(int8_file.stat().st_size / MIB, 2),
            "convert_s": round(converted - started, 1),
            "quantize_s": round(quantized - converted, 1),
            "operators": len(operators(float_file)),
            "float_operators_in_int8": len(told.float_nodes),
            "integer_share": round(told.integer_share or 0.0, 4),
            "largest_output": f"{abs(wanted).max():.1e}",
            **{f"{runtime}_differs": f"{abs(found[runtime] - wanted).max():.1e}" for runtime in RUNTIMES},
            "onnxruntime_int8_sqnr_db": round(beside, 1),
            **{f"{runtime}_int8_sqnr_db": round(sqnr_db(wanted, rounded[runtime]), 1) for runtime in RUNTIMES},
            **{tool: version(tool) for tool in (*tflite.TOOLS, "tflite-runtime")},
        }
    )
    for runtime in RUNTIMES:
        assert numpy.allclose(found[runtime], wanted, rtol=0, atol=1e-3 * abs(wanted).max()), runtime
        assert sqnr_db(wanted, rounded[runtime]) > min(beside - 3, 40), runtime
    # The paper's LeNet-5 picks channels by a table, for which TFLite turns them round.
    assert "TRANSPOSE" not in operators(float_file) or name == "lenet5_1998"
    assert bool(told.float_nodes) == has_norms, told.float_nodes


def enlarging() -> nn.Module:
    """Convolutions that enlarge maps: of strides 2, 3 and 4, with and without padding, and one with another kernel."""
    import torch
    from torch import nn

    torch.manual_seed(2)
    return nn.Sequential(
        nn.Conv2d(3, 6, 3, 4, 1),
        nn.ReLU6(),
        nn.ConvTranspose2d(6, 5, 4, 2, 1),
        nn.ConvTranspose2d(5, 7, 6, 3, bias=False),
        nn.ConvTranspose2d(7, 4, 8, 4, 2),
        nn.ConvTranspose2d(4, 3, 3, 2),
    ).eval()


@pytest.mark.slow
def test_transposed_convolutions_are_convolutions_with_the_same_outputs(images: Pixels, tmp_path: Path) -> None:
    convert(enlarging(), build.channels(SMALL), SMALL.resolution, path := tmp_path / "float.tflite")
    tidy(path)
    wanted, before = outputs(path, images[:6], "litert"), operators(path)
    enlarge_by_convolutions(path)
    assert (before.count("TRANSPOSE_CONV"), operators(path).count("TRANSPOSE_CONV")) == (4, 1)
    assert numpy.abs(outputs(path, images[:6], "litert") - wanted).max() <= 1e-5


@pytest.mark.slow
@pytest.mark.parametrize("words", ["per_channel", "per_tensor"])
def test_the_convolutions_of_enlarged_maps_are_computed_in_integers(words: str, images: Pixels, tmp_path: Path) -> None:
    told = written(path := tmp_path / "int8.tflite", enlarging(), parse(words, tflite.SCHEME))
    assert (told.float_nodes, told.integer_share) == ((), 1.0)
    wanted, found = (outputs(file, images[:6], "litert") for file in (path.with_name("float.tflite"), path))
    assert sqnr_db(wanted, found) > 20


@pytest.mark.slow
@pytest.mark.parametrize("runtime", INSTALLED)
@pytest.mark.parametrize("scheme", [None, tflite.SCHEME], ids=["float", "int8"])
def test_a_segmenter_computes_several_images_as_it_computes_each(
    runtime: str, scheme: Quantization | None, once_written: WriteOnce
) -> None:
    """A transposed convolution in a file has a constant number of images, and so has a slice that the converter writes.

    With this resolution, enlarged maps are larger than features, so the network cuts them.
    """
    of = replace(variant("mobilenet_v1_seg", 0.25, 40), dataset="scenes")
    pictures = split(of, "test").read(range(4))
    path, _ = once_written(f"segmenter {scheme}", lambda: awake(build.build(of), pictures), scheme, of)
    assert not {"TRANSPOSE_CONV", "SLICE"} & set(operators(path))
    each, together = (outputs(path, pictures, runtime, batch=batch) for batch in (1, 4))
    assert numpy.abs(each - together).max() <= 1e-5 * numpy.ptp(each)
    assert (each[0] != each[1]).any()


def folding(kind: str) -> nn.Module:
    """A network with a convolution, and a batch norm that knows figures of its own."""
    import torch
    from torch import nn

    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.convolution, self.norm = nn.Conv2d(3, 3, 3, padding=1), nn.BatchNorm2d(3)
            self.other, self.alias = nn.BatchNorm2d(3), self.norm
            if kind == "of each batch":
                self.norm = self.alias = nn.BatchNorm2d(3, track_running_stats=False)
            for norm in (self.norm, self.other):
                nn.init.normal_(norm.weight)
                if norm.running_mean is not None and norm.running_var is not None:
                    norm.running_mean.normal_()
                    norm.running_var.uniform_(0.5, 2.0)

        def forward(self, images: Any) -> Any:
            once = self.convolution(images)
            if kind == "read twice":
                return self.norm(once) + once
            if kind == "convolved twice":
                return self.norm(once) + self.other(self.convolution(2 * images))
            if kind == "normed twice":
                return self.norm(self.convolution(self.norm(once)))
            if kind == "two names":
                return self.alias(once)
            if kind == "not traced" and images.max() > 2:
                return once
            return self.norm(once)

    torch.manual_seed(1)
    return Network().eval()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "is_folded"),
    [
        ("once", True),
        ("read twice", False),
        ("convolved twice", False),
        ("normed twice", False),
        ("two names", False),
        ("of each batch", False),
        ("not traced", False),
    ],
)
def test_a_norm_is_folded_only_where_no_output_changes(kind: str, is_folded: bool) -> None:
    import torch

    network, images = folding(kind), torch.rand(1, 3, 8, 8)
    outputs = outputs_of(network, images)
    folded = folded_network(network, images, outputs)
    norms = [module for module in folded.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    assert (len(norms) < 2) == is_folded
    assert torch.allclose(outputs_of(folded, images)[0], outputs[0], atol=1e-5)

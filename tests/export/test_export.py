"""Real exports of a small network: what the file computes, what it is made of, when it is made again."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from time import monotonic

import numpy
import pytest
from numpy.typing import NDArray

from edgebench import export
from edgebench.export import order
from edgebench.export.formats import onnx
from edgebench.export.formats.onnx import inspect
from edgebench.foundation import cache, files, provenance
from edgebench.foundation.errors import CaseError
from edgebench.foundation.progress import Notice, Step
from edgebench.foundation.shelf import load
from edgebench.networks import build
from edgebench.networks.cost import cost
from edgebench.schema.artifact import Artifact
from edgebench.schema.quantization import Quantization, parse
from edgebench.schema.variant import Precision, Variant, WeightSource
from tests.conftest import CPU, variant
from tests.support.images import calibration_images, split
from tests.support.networks import awake

pytestmark = pytest.mark.slow

FLOAT = {"Conv", "FusedConv", "Gemm", "MatMul", "Clip", "Add", "GlobalAveragePool", "ReduceMean"}
Told = list[Step | Notice]


def int8(of: Variant, **how: object) -> Variant:
    return replace(of, precision=Precision.INT8, quantization=Quantization(**how))  # type: ignore[arg-type]


def made_by(of: Variant, format: str) -> dict[str, str]:
    return order.made_by(of, format, load("formats", format), None)


def outputs(file: Path, images: NDArray[numpy.float32]) -> NDArray[numpy.float32]:
    session = load("runtimes", "onnxruntime").open(str(file), threads=1, batch=1, options=CPU)
    return numpy.frombuffer(session.infer(images.tobytes(), images.shape), "<f4").reshape(len(images), -1)


@pytest.mark.parametrize("name", ["mobilenet_v1", "mobilenet_v2"])
def test_a_float_file_computes_what_torch_computes(name: str, place: Path) -> None:
    import torch

    of = variant(name, 0.25, 64)
    images = split(of, "test").read(range(8))
    network = awake(build.build(of), images)
    with torch.inference_mode():
        wanted = network(torch.from_numpy(images)).numpy()
    onnx.write(place / "net.onnx", of, build.channels(of), lambda: network)
    assert numpy.allclose(outputs(place / "net.onnx", images), wanted, rtol=0, atol=1e-3 * abs(wanted).max())


@pytest.mark.parametrize("name", ["mobilenet_v1", "mobilenet_v2"])
@pytest.mark.parametrize("reduce_range", [False, True])
def test_an_int8_file_runs_whole_integer(name: str, reduce_range: bool) -> None:
    artifact = export.export(int8(variant(name, 0.25, 64), reduce_range=reduce_range), "onnx", print)
    operators = [operator for operator, _ in inspect.optimised_operators(cache.path_of(artifact))]
    assert artifact.float_nodes == ()
    assert "QLinearConv" in operators and "QGemm" in operators
    assert not set(operators) & FLOAT


def test_a_float_file_in_disguise_is_seen_through(place: Path) -> None:
    onnx.write(place / "net.onnx", variant(), build.channels(variant()), lambda: build.build(variant()))
    assert any(node.startswith(("Conv", "FusedConv")) for node in inspect.float_nodes(place / "net.onnx"))


def test_no_calibration_images_are_a_failed_case(place: Path) -> None:
    onnx.write(place / "float.onnx", variant(), build.channels(variant()), lambda: build.build(variant()))
    with pytest.raises(CaseError, match="no calibration images"):
        onnx.write_int8(place / "float.onnx", place / "net.onnx", Quantization(), lambda: iter(()))


def test_an_artifact_is_made_once_and_again_when_it_was_damaged(capsys: pytest.CaptureFixture[str]) -> None:
    of, told = variant(width=0.3), Told()
    assert export.find(of, "onnx") is None
    first = export.export(of, "onnx", told.append)
    assert len(told) == 1
    assert export.find(of, "onnx") == first
    assert export.export(of, "onnx", told.append) == first
    assert len(told) == 1
    cache.path_of(first).write_bytes(b"damaged")
    again = export.export(of, "onnx", told.append)
    assert again.sha256 == first.sha256 == files.sha256(cache.path_of(first))
    assert "was damaged; edgebench makes it again" in capsys.readouterr().err


@pytest.mark.parametrize("format", ["onnx", "tflite"])
def test_int8_is_made_of_the_float_artifact_which_is_made_on_the_way(format: str, place: Path) -> None:
    of, told = variant("mobilenet_v1", 0.26, 32), Told()
    scheme = parse("images=4", load("formats", format).SCHEME)
    asked = replace(of, precision=Precision.INT8, quantization=scheme)
    made = export.export(asked, format, told.append)
    float_card = export.find(of, format)
    assert [event.subject for event in told if isinstance(event, Step)] == [str(of), made.variant]
    assert export.export(of, format, told.append) == float_card
    assert len(told) == 2  # the network was written once
    assert float_card is not None
    assert (float_card.parent, made.parent) == ("", float_card.file)
    assert sorted(float_card.took_s) == ["build", "export"]
    assert made.took_s == float_card.took_s | {"quantize": made.took_s["quantize"]}
    assert all(seconds > 0 for seconds in made.took_s.values())
    assert export.export(asked, format, told.append).took_s == made.took_s
    images = partial(calibration_images, asked)
    load("formats", format).write_int8(cache.path_of(float_card), place / "again", scheme, images)
    assert files.sha256(place / "again") == made.sha256
    assert cache.is_intact(float_card)


def test_int8_of_other_weights_is_made_of_a_float_file_of_their_own() -> None:
    of, told = variant("mobilenet_v1", 0.27, 32), Told()
    started = monotonic()
    card = export.export(int8(of, equalized=True, images=4), "onnx", told.append)
    assert export.find(of, "onnx") is None
    assert len(told) == 1
    assert card.parent == ""
    assert sorted(card.took_s) == ["build", "export", "quantize"]
    assert sum(card.took_s.values()) <= monotonic() - started  # no second is counted twice


def test_everything_that_shapes_a_file_is_in_its_key(monkeypatch: pytest.MonkeyPatch) -> None:
    of = int8(variant())
    base = made_by(of, "onnx")
    others = [
        made_by(replace(of, classes=11), "onnx"),
        made_by(replace(of, width=0.3499999), "onnx"),
        made_by(int8(variant(), images=50), "onnx"),
        made_by(int8(variant(), reduce_range=True), "onnx"),
        made_by(of, "null"),
    ]
    monkeypatch.setattr(order, "tool_version", lambda package: "another")
    others.append(made_by(of, "onnx"))
    monkeypatch.setattr(provenance, "source", lambda *modules: "another")
    others.append(made_by(of, "onnx"))
    assert len({provenance.key(parts) for parts in (base, *others)}) == len(others) + 1


@pytest.mark.parametrize("format", ["onnx", "tflite"])
def test_an_order_has_all_that_its_export_needs(format: str) -> None:
    scheme = load("formats", format).SCHEME
    of = replace(variant("lenet5", 1.0, 32), precision=Precision.INT8, quantization=scheme)
    resolved = order.resolve(of, format, lambda: None)
    paper = cost(of)
    assert (resolved.variant, resolved.format, resolved.plugin) == (of, format, load("formats", format))
    assert (resolved.weights, resolved.model, resolved.original) == (None, None, None)
    assert (resolved.params, resolved.macs, resolved.channels) == (paper.params, paper.macs, 1)
    assert resolved.made_by == made_by(of, format)
    assert resolved.parent == order.resolve(variant("lenet5", 1.0, 32), format, lambda: None)
    assert resolved.parent.stem != resolved.stem
    own_weights = replace(of, quantization=replace(scheme, equalized=True))
    assert order.resolve(own_weights, format, lambda: None).parent is None


def test_weights_are_not_looked_for_where_the_format_refuses_the_network() -> None:
    def weights() -> None:
        raise AssertionError("hours of training")

    with pytest.raises(CaseError, match="the null format stores no network, so it cannot store mobilenet_v2"):
        order.resolve(variant(), "null", weights)


def test_a_variant_that_was_read_back_has_the_key_of_the_one_that_was_written() -> None:
    """Its weights are a plain string then."""
    card = export.export(variant(), "onnx", print)
    read = cache.find(cache.path_of(card).stem, Artifact)
    assert read is not None and read.of is not None
    assert type(read.of.weights) is str
    assert export.find(read.of, "onnx") == card


def test_a_network_with_parameters_cannot_go_without_weights() -> None:
    with pytest.raises(CaseError, match="has .* parameters; use --weights trained or random"):
        export.export(variant(weights=WeightSource.NONE), "onnx", print)


def test_a_network_without_parameters_has_nothing_to_train() -> None:
    with pytest.raises(CaseError, match="null has no parameters to train; use --weights none"):
        export.export(variant("null", 1.0, 32, weights=WeightSource.TRAINED), "onnx", print)


def test_a_data_set_smaller_than_a_batch_is_a_failed_case() -> None:
    of = replace(variant("mobilenet_v1", 0.25, 32, weights=WeightSource.TRAINED), dataset="null")
    with pytest.raises(CaseError, match="null has 10 images to train on, fewer than a batch of 32"):
        export.export(of, "onnx", print)


def test_local_response_norm_is_one_operator_and_stays_float_with_a_word() -> None:
    artifact = export.export(int8(variant("googlenet_paper", 1.0, 64), images=2), "onnx", print)
    assert {node.split()[0] for node in artifact.float_nodes} == {"LRN"}


def test_the_null_format_holds_no_network() -> None:
    with pytest.raises(CaseError, match="the null format stores no network, so it cannot store mobilenet_v2"):
        export.export(variant(), "null", print)


def test_the_null_network_runs_on_a_real_runtime_too() -> None:
    null = replace(variant("null", 1.0, 32, weights=WeightSource.NONE), dataset="null")
    images = split(null, "test").read(range(10))
    assert outputs(cache.path_of(export.export(null, "onnx", print)), images).argmax(1).tolist() == [0] * 10

"""What int8 costs, layer by layer, on real files: a network that collapses, and why it does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy
import pytest
from numpy.typing import NDArray

from edgebench import export
from edgebench.deploy import Deployed, connect
from edgebench.deploy.targets import catalogue
from edgebench.export.formats import Written, onnx
from edgebench.export.formats.onnx import count, inspect, noise
from edgebench.foundation import cache, files
from edgebench.foundation.shelf import load
from edgebench.measure.evaluate import FloatAnswers, evaluate
from edgebench.networks import build
from edgebench.results.measurement import summarize
from edgebench.results.measurement.verdict import Verdict
from edgebench.schema.quantization import Quantization
from edgebench.schema.record import Accuracy
from edgebench.schema.variant import Precision, Variant, WeightSource
from tests.conftest import CPU, artifact, case, variant
from tests.results.test_measurement import evidence, steady
from tests.support.images import calibration_images, split

if TYPE_CHECKING:
    from torch import Tensor, nn

pytestmark = pytest.mark.slow

CHANNELS, SPREAD = 32, 1000.0
SMALL = variant(
    "mobilenet_v1", 0.25, 16, weights=WeightSource.TRAINED
)  # what is asked of the data set and the exporter


def int8(of: Variant, **how: object) -> Variant:
    return replace(of, precision=Precision.INT8, quantization=Quantization(**how))  # type: ignore[arg-type]


def spread_network() -> nn.Module:
    """Random features of which one channel's weights are 1,000 times the others', and a fitted linear layer.

    What folding the batch norm of a nearly dead channel does to MobileNetV1. ReLU6 gives every channel the same range:
    a scale for all weights loses all channels but one, a scale a channel loses nothing.
    """
    import torch
    from torch import nn

    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.features = nn.Conv2d(3, CHANNELS, 3, stride=2, padding=1)
            self.clip = nn.ReLU6()
            self.classifier = nn.Linear(CHANNELS * 64, 10)

        def forward(self, images: Tensor) -> Tensor:
            logits: Tensor = self.classifier(self.clip(self.features(images)).flatten(1))
            return logits

    torch.manual_seed(0)
    network = Network().eval()
    with torch.no_grad():
        network.features.weight.normal_(0, 0.3)
        network.features.weight[0] *= SPREAD
        images = split(SMALL, "train")
        pixels = torch.from_numpy(images.read(range(len(images))))
        seen = network.clip(network.features(pixels)).flatten(1)
        wanted = torch.nn.functional.one_hot(torch.from_numpy(images.labels), 10).float()
        gram = seen.T @ seen + 10.0 * torch.eye(seen.shape[1])
        network.classifier.weight.copy_(torch.linalg.solve(gram, seen.T @ wanted).T)
        network.classifier.bias.zero_()
    return network


def calibration() -> Iterator[NDArray[numpy.float32]]:
    return split(SMALL, "calibration").batches(1)


@dataclass(frozen=True)
class Outcome:
    """A network's two files, and what was answered with the int8 one."""

    parent: Path
    path: Path
    written: Written
    accuracy: Accuracy


@pytest.fixture(scope="module")
def network() -> nn.Module:
    return spread_network()


def quantized(network: nn.Module, place: Path, granularity: str) -> Outcome:
    parent, path, of = place / "float.onnx", place / "int8.onnx", int8(SMALL, granularity=granularity)
    assert of.quantization
    onnx.write(parent, SMALL, build.channels(SMALL), lambda: network)
    written = onnx.write_int8(parent, path, of.quantization, calibration)
    float_file = Deployed(variant=SMALL, path=str(parent), sha256=files.sha256(parent))
    int8_file = Deployed(variant=of, path=str(path), sha256=files.sha256(path))
    with connect(catalogue.target("cpu")) as (connection, _):
        answered, _ = evaluate(case(of), split(of, "test"), int8_file, float_file, connection, FloatAnswers())
    return Outcome(parent=parent, path=path, written=written, accuracy=answered)


def judged(outcome: Outcome, granularity: str) -> tuple[Verdict, str]:
    card = artifact(quantization=Quantization(granularity=granularity), layers=outcome.written.layers)
    measured = summarize(evidence(*steady(), artifact=card, accuracy=outcome.accuracy))
    return measured.verdict, "; ".join(reason.text for reason in measured.reasons)


def test_channel_ranges_that_differ_1000_fold_collapse_per_tensor_weights_and_the_layer_is_named(
    network: nn.Module, place: Path
) -> None:
    outcome = quantized(network, place, "per_tensor")
    verdict, text = judged(outcome, "per_tensor")
    assert outcome.accuracy.parent_correct is not None
    assert outcome.accuracy.parent_correct > 0.9 * outcome.accuracy.images > 4 * outcome.accuracy.correct
    assert verdict == Verdict.INVALID
    assert text.startswith("int8 collapsed: ")
    assert "the layer that loses most is features, a Conv: try per_channel or per_tensor+equalized; " in text
    assert "no better than chance" in text and "learned anything" not in text  # its parent has


def test_the_scheme_that_the_verdict_names_helps(network: nn.Module, place: Path) -> None:
    outcome = quantized(network, place, "per_channel")
    assert judged(outcome, "per_channel") == (Verdict.VALID, "")
    assert outcome.accuracy.agreement is not None and outcome.accuracy.agreement > 0.95


def test_looking_into_a_graph_does_not_change_what_it_computes() -> None:
    """Every tensor that is looked at becomes an output; the integer operators must be fused all the same."""
    import onnx as library
    import onnxruntime

    of = int8(variant("mobilenet_v2", 0.35, 64))
    path = cache.path_of(export.export(of, "onnx", print))
    model = library.load(path)
    names = [node.output[0] for node in model.graph.node if node.op_type == "DequantizeLinear"]
    image = next(calibration_images(of))
    alone = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"]).run(None, {"images": image})
    assert (noise.opened(model, names)(image)["logits"] == alone[0]).all()


def test_the_last_layers_noise_is_that_of_the_outputs() -> None:
    of = variant("mobilenet_v2", 0.35, 64)
    parent, card = export.export(of, "onnx", print), export.export(int8(of), "onnx", print)
    images = numpy.concatenate(list(islice(calibration_images(int8(of)), onnx.NOISE_BATCHES)))
    wanted, found = (
        load("runtimes", "onnxruntime")
        .open(str(cache.path_of(one)), threads=1, batch=1, options=CPU)
        .infer(images.tobytes(), images.shape)
        for one in (parent, card)
    )
    signal, other = numpy.frombuffer(wanted, "<f4"), numpy.frombuffer(found, "<f4")
    ratio = (signal**2).sum() / ((signal - other) ** 2).sum()
    assert card.layers[-1].name == "classifier.1"
    assert card.layers[-1].sqnr_db == pytest.approx(10 * numpy.log10(ratio), abs=0.01)


@pytest.mark.parametrize(("name", "size"), [("mobilenet_v2", 64), ("se_resnet50", 32), ("googlenet", 64)])
def test_every_convolution_and_linear_layer_is_compared_under_the_name_that_describe_has(name: str, size: int) -> None:
    from edgebench.networks.describe import describe

    width = 0.35 if name == "mobilenet_v2" else 1.0
    card = export.export(int8(variant(name, width, size), images=2), "onnx", print)
    wanted = [layer.name for layer in describe(name, width, size, 10).layers if layer.macs]
    assert sorted(layer.name for layer in card.layers if layer.operator in ("Conv", "Gemm")) == sorted(wanted)
    assert all(layer.sqnr_db is None or layer.sqnr_db > 0 for layer in card.layers)


def test_what_stays_float_counts_by_its_multiply_adds(place: Path) -> None:
    from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    of = variant("mobilenet_v2", 0.35, 64)
    parent = cache.path_of(export.export(of, "onnx", print))
    macs = {one.name: one.macs for one in count.multiply_adds(parent)}
    left = [next(iter(macs)), "/classifier/classifier.1/Gemm"]

    class Images(CalibrationDataReader):  # type: ignore[misc]
        images = calibration_images(int8(of, images=2))

        def get_next(self) -> dict[str, NDArray[numpy.float32]] | None:
            batch = next(self.images, None)
            return None if batch is None else {"images": batch}

    quant_pre_process(str(parent), str(place / "prepared.onnx"), skip_symbolic_shape=True)
    quantize_static(
        str(place / "prepared.onnx"),
        str(place / "int8.onnx"),
        Images(),
        activation_type=QuantType.QUInt8,
        nodes_to_exclude=left,
    )
    share = inspect.integer_share(parent, place / "int8.onnx")
    assert share == pytest.approx(1 - sum(macs[name] for name in left) / sum(macs.values()))
    assert any(node.startswith("Gemm classifier.1") for node in inspect.float_nodes(place / "int8.onnx"))


@pytest.mark.parametrize("name", ["mobilenet_v1", "mobilenet_v2", "resnet18"])
def test_the_multiply_adds_of_a_file_are_those_of_the_network_on_paper(name: str) -> None:
    card = export.export(variant(name, 1.0, 64), "onnx", print)
    assert sum(one.macs for one in count.multiply_adds(cache.path_of(card))) == card.macs


def test_a_float_file_has_no_share_and_no_layers_and_an_int8_one_is_whole_integer() -> None:
    of = variant("mobilenet_v2", 0.35, 64)
    parent, card = export.export(of, "onnx", print), export.export(int8(of), "onnx", print)
    assert (parent.integer_share, parent.layers, parent.noisiest) == (None, (), None)
    assert card.integer_share == 1.0


@pytest.mark.parametrize(
    ("node", "layer"),
    [
        ("/features/features.17/conv/conv.0/conv.0.0/Conv_token_155", "features.17.conv.0.0"),
        ("/layer1/layer1.0/downsample/downsample.0/Conv", "layer1.0.downsample.0"),
        ("/features/features.3/Add", "features.3"),
        ("/Flatten", "Flatten"),
        ("Transpose_token_176", "Transpose"),
    ],
)
def test_a_node_has_the_name_of_the_networks_layer(node: str, layer: str) -> None:
    assert inspect.layer_name(node) == layer


def test_an_image_that_8_bits_hold_exactly_counts_as_what_8_bits_hold_at_best() -> None:
    exact, one = noise.Power(signal=1.0), noise.Power(signal=1.0, noise=1e-3)
    pair, out = ("images", "images"), ("a", "b")
    layer = noise.QuantizedOperator(name="stem", operator="Conv", output=out, inputs=(pair,))
    lost = noise._noise(layer, {pair: exact, out: one})
    assert lost.sqnr_db == pytest.approx(30.0)
    assert lost.lost_db == pytest.approx(noise.MOST_DB - 30.0)


def test_of_a_product_the_relative_noises_add_and_of_a_sum_the_powers() -> None:
    large, small = noise.Power(signal=100.0, noise=0.1), noise.Power(signal=1.0, noise=0.1)
    assert noise._together("Mul", [large, small]).sqnr_db == pytest.approx(10 * numpy.log10(1 / 0.101))
    assert noise._together("Add", [large, small]).sqnr_db == pytest.approx(10 * numpy.log10(101 / 0.2))

"""Networks made ready for int8: what they compute stays, what int8 loses shrinks."""

import functools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy
import pytest
from numpy.typing import NDArray

from edgebench import train
from edgebench.agent import machine
from edgebench.export.formats import onnx
from edgebench.export.prepare import prepare
from edgebench.export.prepare.equalize import equalize, pairs
from edgebench.export.prepare.fake import release, simulate
from edgebench.export.prepare.fold import fold
from edgebench.foundation import cache, files
from edgebench.foundation.errors import CaseError
from edgebench.foundation.progress import Notice, Step
from edgebench.foundation.shelf import load
from edgebench.networks import build
from edgebench.schema.cards import Weights
from edgebench.schema.quantization import Quantization, overflows, parse
from edgebench.schema.variant import Precision, Variant, WeightSource
from edgebench.tasks import classification
from edgebench.train import Options, checkpoint
from edgebench.train.course import score
from tests.conftest import CPU, variant
from tests.support.images import split
from tests.support.keras_files import arrays, legacy
from tests.support.networks import awake

pytestmark = pytest.mark.slow

Array = NDArray[numpy.float32]
NETWORKS = ["mobilenet_v1", "mobilenet_v2"]
SHORT = Options(epochs=4)
SPREAD = 30.0  # how far channels are pulled apart, each way


def small(name: str) -> Variant:
    return variant(name, 0.25 if name == "mobilenet_v1" else 0.35, 32, weights=WeightSource.TRAINED)


def learnt(of: Variant) -> Weights:
    """Weights that tell digits apart: what int8 loses of others says nothing."""
    return train.find(of, SHORT) or train.train(of, lambda _: None, SHORT)


def trained(of: Variant) -> Any:
    """A network with such weights."""
    return build.build(of, str(cache.path_of(learnt(of))))


@functools.cache
def images(resolution: int = 32) -> Array:
    return split(variant(resolution=resolution), "calibration").read(range(50))


def digits() -> Iterator[Array]:
    return iter(images()[:, None])


def answers(network: Any, resolution: int = 32) -> Array:
    import torch

    with torch.inference_mode():
        return network(torch.from_numpy(images(resolution))).numpy()  # type: ignore[no-any-return]


def int8_answers(folder: Path, of: Variant, network: Any, scheme: Quantization, start: Weights | None = None) -> Array:
    asked = replace(of, precision=Precision.INT8, quantization=scheme)
    onnx.write(folder / "float.onnx", of, build.channels(of), lambda: prepare(network, asked, start, digits, print))
    onnx.write_int8(folder / "float.onnx", folder / "int8.onnx", scheme, digits)
    session = load("runtimes", "onnxruntime").open(str(folder / "int8.onnx"), threads=1, batch=1, options=CPU)
    outputs = session.infer(images().tobytes(), images().shape)
    return numpy.frombuffer(outputs, "<f4").reshape(len(images()), -1)


def sqnr_db(reference: Array, outputs: Array) -> float:
    return float(10 * numpy.log10((reference**2).sum() / ((reference - outputs) ** 2).sum()))


def pulled_apart(network: Any, spread: float = SPREAD) -> Any:
    """The same function up to ReLU6, with channels whose weights differ by the spread squared."""
    import torch

    graph, draw = fold(network), torch.Generator().manual_seed(0)
    equalize(graph)
    with torch.no_grad():
        for first, _, second in pairs(graph):
            scale = spread ** (2 * torch.rand(len(first.weight), generator=draw) - 1)
            first.weight *= scale.view(-1, *[1] * (first.weight.dim() - 1))
            first.bias *= scale
            axis = 0 if getattr(second, "groups", 1) > 1 else 1
            second.weight /= scale.view([-1 if place == axis else 1 for place in range(second.weight.dim())])
    return graph


@pytest.mark.parametrize("name", [*NETWORKS, "resnet18", "googlenet", "se_resnet50"])
def test_folding_leaves_no_batch_norm_and_the_same_answers(name: str) -> None:
    import torch

    network = awake(build.build(variant(name, 1.0, 64)), images(64))
    folded = fold(network)
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in folded.modules())
    assert any(isinstance(module, torch.nn.BatchNorm2d) for module in network.modules()), "the network itself stays"
    assert sqnr_db(answers(network, 64), answers(folded, 64)) > 80


@pytest.mark.parametrize("name", ["resnet18", "se_resnet50"])
def test_equalizing_across_relu_changes_no_answer(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(load("architectures", "se_resnet50").BLOCKS, "se_resnet50", (2, 1, 1, 1))  # each kind once
    network = awake(build.build(variant(name, 1.0, 64)), images(64))
    graph = fold(network)
    assert list(pairs(graph))
    equalize(graph)
    assert sqnr_db(answers(network, 64), answers(graph, 64)) > 80


@pytest.mark.parametrize("name", NETWORKS)
def test_equalizing_rescues_per_tensor_weights_from_channels_far_apart(name: str, tmp_path: Path) -> None:
    of = small(name)
    network = pulled_apart(trained(of))
    reference = answers(network)
    lost = sqnr_db(reference, int8_answers(tmp_path, of, network, parse("per_tensor")))
    rescued = sqnr_db(reference, int8_answers(tmp_path, of, network, parse("per_tensor+equalized")))
    assert lost < 5 < 12 < rescued


@pytest.mark.parametrize("name", NETWORKS)
def test_bias_correction_takes_back_what_rounding_adds_on_average(name: str, tmp_path: Path) -> None:
    of = small(name)
    network = trained(of)
    reference = answers(network)
    plain = int8_answers(tmp_path, of, network, parse("per_tensor"))
    corrected = int8_answers(tmp_path, of, network, parse("per_tensor+bias_corrected"))
    shift = [float(numpy.abs((outputs - reference).mean(0)).mean()) for outputs in (plain, corrected)]
    assert shift[1] < shift[0]


@pytest.mark.parametrize("scheme", ["per_channel", "per_tensor", "per_channel+s8s8", "per_tensor+reduce_range"])
def test_a_simulated_network_loses_what_its_int8_file_loses(scheme: str, tmp_path: Path) -> None:
    of, quantization = small("mobilenet_v1"), parse(scheme)
    if overflows(quantization, "onnx", machine.identity()):  # what overflows is not simulated
        quantization = replace(quantization, reduce_range=True)
    network = trained(of)
    simulated = fold(network)
    simulate(simulated, quantization)
    simulated.train()
    answers(simulated)
    simulated.eval()
    real, reference = int8_answers(tmp_path, of, network, quantization), answers(network)
    assert sqnr_db(reference, answers(simulated)) == pytest.approx(sqnr_db(reference, real), abs=2)


def test_what_rounds_is_taken_out_again() -> None:
    network = fold(trained(small("mobilenet_v2")))
    before, wanted = answers(network), [node.target for node in network.graph.nodes]
    simulate(network, parse("per_tensor"))
    network.train()
    assert sqnr_db(before, answers(network)) < 60
    release(network)
    assert [node.target for node in network.eval().graph.nodes] == wanted
    assert numpy.array_equal(before, answers(network))


def test_fine_tuning_under_rounding_mends_what_rounding_breaks() -> None:
    of = replace(small("mobilenet_v1"), precision=Precision.INT8, quantization=parse("per_tensor+qat"))
    start = learnt(small("mobilenet_v1"))
    test = split(of, "test")

    def right(network: Any) -> float:
        """The share of test images that are answered right with the rounding of an int8 file."""
        graph = fold(network)
        simulate(graph, parse("per_tensor"))
        answers(graph.train())
        return score(graph, test, 32, classification, 10)

    network = pulled_apart(trained(small("mobilenet_v1")), 5.0)
    told = list[Step | Notice]()
    before, after = right(network), right(prepare(network, of, start, digits, told.append))
    assert before < 0.8
    assert after > before + 0.1
    assert {event.activity for event in told if isinstance(event, Step)} == {"train"}


def test_weights_of_keras_are_calibrated_and_fine_tuned_as_keras_pads(place: Path) -> None:
    name = "mobilenet_v1"
    pytest.importorskip("h5py", reason="h5py reads Keras' files: pip install 'edgebench[keras]'")
    path = legacy(place / "net.h5", arrays(name, trained(small(name))))
    start, sha256 = checkpoint.adopt(str(path), name, small(name).width, 32)
    of = replace(small(name), weights=start.recipe, weights_sha256=sha256, padding=start.padding)
    labels = split(of, "calibration").labels[: len(images())]

    def network() -> Any:
        return build.build(of, str(cache.path_of(start)))

    def right(outputs: Array) -> float:
        return float((outputs.argmax(1) == labels).mean())

    before = answers(network())
    assert sqnr_db(before, answers(trained(small(name)))) < 30, "its padding differs from torch's"
    assert sqnr_db(before, int8_answers(place, of, network(), Quantization())) > 15
    tuned = int8_answers(place, of, network(), parse("qat"), start)
    assert right(tuned) > right(before) + 0.3, "weights that were trained with torch's padding learn Keras'"


def test_a_kill_undoes_at_most_an_epoch_of_fine_tuning(monkeypatch: pytest.MonkeyPatch) -> None:
    of = replace(small("mobilenet_v1"), precision=Precision.INT8, quantization=parse("qat+seed=7"))
    start = learnt(small("mobilenet_v1"))

    def interrupt(event: Step | Notice) -> None:
        if isinstance(event, Step) and event.done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare(trained(small("mobilenet_v1")), of, start, digits, interrupt)
    told = list[Step | Notice]()
    prepare(trained(small("mobilenet_v1")), of, start, digits, told.append)
    assert min(event.done for event in told if isinstance(event, Step)) == 2
    assert not list(files.folder("training").glob("*qat*"))


@pytest.mark.parametrize("name", NETWORKS)
def test_a_prepared_network_keeps_the_names_of_its_layers(name: str) -> None:
    network = trained(small(name))
    of = replace(small(name), precision=Precision.INT8, quantization=parse("equalized"))
    ready = dict(prepare(network, of, None, digits, print).named_modules())
    assert ready.keys() == dict(network.named_modules()).keys()


def test_a_nearly_dead_channel_does_not_blow_up_the_activations() -> None:
    import torch

    first = torch.nn.Conv2d(3, 8, 1)
    network = torch.nn.Sequential(first, torch.nn.ReLU6(), torch.nn.Conv2d(8, 8, 1)).eval()
    with torch.no_grad():
        first.weight[0] = 1e-8
        first.bias[0] = 1.0  # type: ignore[index]
    graph = fold(network)
    equalize(graph)
    seen = torch.relu(graph.get_submodule("0")(torch.from_numpy(images())))
    assert float(seen.detach().max()) < 10


def test_fine_tuned_weights_are_made_once() -> None:
    of = replace(small("mobilenet_v1"), precision=Precision.INT8, quantization=parse("qat"))
    start = learnt(small("mobilenet_v1"))
    told = list[Step | Notice]()
    first = answers(prepare(trained(small("mobilenet_v1")), of, start, digits, told.append))
    steps = len(told)
    again = answers(prepare(trained(small("mobilenet_v1")), of, start, digits, told.append))
    assert numpy.allclose(first, again, atol=1e-4)
    assert len(told) == steps > 0


def test_fine_tuning_does_not_depend_on_the_images_that_calibrate() -> None:
    of = replace(small("mobilenet_v1"), precision=Precision.INT8, quantization=parse("qat"))
    other = replace(of, quantization=replace(parse("qat+calibration=unlabelled:photos"), calibration_sha256="f00d"))
    start = learnt(small("mobilenet_v1"))
    first, told = prepare(trained(small("mobilenet_v1")), of, start, digits, lambda _: None), list[Step | Notice]()
    again = prepare(trained(small("mobilenet_v1")), other, start, digits, told.append)
    assert told == []
    assert numpy.array_equal(answers(first), answers(again))


def test_random_weights_cannot_be_fine_tuned() -> None:
    of = replace(
        small("mobilenet_v1"), precision=Precision.INT8, quantization=parse("qat"), weights=WeightSource.RANDOM
    )
    with pytest.raises(CaseError, match="qat fine-tunes weights, found random ones; use --weights trained, or a file"):
        prepare(build.build(of), of, None, digits, print)

"""Weights of Keras: every layer's arrays in their place, padding and epsilon TensorFlow's, nothing else accepted."""

from __future__ import annotations

import pickle
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from edgebench.foundation import cache
from edgebench.foundation.errors import RequestError
from edgebench.images import catalogue
from edgebench.images.splits import why_no_accuracy
from edgebench.measure.plan.cases import variant_of
from edgebench.schema.quantization import Quantization
from edgebench.schema.sweep import Model, Sweep
from edgebench.schema.variant import Precision, Variant, identity
from edgebench.train import checkpoint, keras, published_files
from tests.support import keras_models
from tests.support.keras_files import arrays, counted, legacy, network

if TYPE_CHECKING:
    from torch import nn

h5py = pytest.importorskip("h5py", reason="h5py reads Keras' files: pip install 'edgebench[keras]'")
needs_keras = pytest.mark.skipif(not find_spec("keras"), reason="keras is not installed: pip install '.[test]'")
SMALL = (("mobilenet_v1", 0.25, 96), ("mobilenet_v2", 0.35, 96))
LARGE = tuple((name, 1.0, side) for name, side in (("resnet50_v1", 64), ("inception_v3", 75), ("xception", 75)))


def variant(name: str, width: float, resolution: int, path: Path) -> Variant:
    card, sha256 = checkpoint.adopt(str(path), name, width, resolution)
    return Variant(
        architecture=name,
        width=width,
        resolution=resolution,
        precision=Precision.FP32,
        classes=card.classes,
        weights=card.recipe,
        weights_sha256=sha256,
        dataset="digits",
        padding=card.padding,
    )


def rebuilt(of: Variant) -> nn.Module:
    from edgebench.networks.build import build

    card = checkpoint.find(of)
    assert card
    return build(of, str(cache.path_of(card)))


def difference(one: nn.Module, other: nn.Module, resolution: int) -> float:
    import torch

    images = torch.rand(2, 3, resolution, resolution, generator=torch.Generator().manual_seed(2)) * 2 - 1
    with torch.no_grad():
        return float((one(images) - other(images)).abs().max())


@pytest.mark.slow
@pytest.mark.parametrize(("name", "width", "resolution"), [*SMALL, *LARGE])
def test_a_file_of_early_keras_3_without_names_gives_the_same_network(
    place: Path, name: str, width: float, resolution: int
) -> None:
    made = network(name, width, resolution)
    path = counted(place / "early.weights.h5", name, arrays(name, made))
    if name == "inception_v3":  # Keras gives its norms no scale
        import torch

        for norm in made.modules():
            if isinstance(norm, torch.nn.BatchNorm2d):
                torch.nn.init.ones_(norm.weight)
    assert difference(made, rebuilt(variant(name, width, resolution, path)), resolution) < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("side", [7, 8])
def test_padding_of_a_convolution_is_tensorflows_same(side: int) -> None:
    import numpy
    import torch

    from edgebench.networks.architectures._tf import _pad

    layer = torch.nn.Conv2d(2, 3, 3, 2, 1, bias=False)
    _pad(layer, side)
    image = torch.rand(1, 2, side, side)
    count = -(-side // 2)
    lacking = (count - 1) * 2 + 3 - side
    padded = numpy.pad(image[0].numpy(), ((0, 0), *[(lacking // 2, lacking - lacking // 2)] * 2))
    kernel = layer.weight.detach().numpy()
    rows = [[padded[:, y : y + 3, x : x + 3] for x in range(0, 2 * count, 2)] for y in range(0, 2 * count, 2)]
    wanted = numpy.einsum("yxcij,ocij->oyx", numpy.array(rows), kernel)
    assert wanted.shape == (3, count, count)
    assert numpy.allclose(layer(image).detach().numpy()[0], wanted, atol=1e-6)


@pytest.mark.slow
def test_padding_counts_the_sides_that_layers_really_read() -> None:
    import torch

    for name, resolution in (("mobilenet_v1", 160), ("mobilenet_v2", 97), ("xception", 299)):
        sides, made = dict[Any, int](), network(name, 1.0, resolution)
        for layer in made.modules():
            if hasattr(layer, "pads"):
                layer.register_forward_pre_hook(partial(record, sides))
        with torch.no_grad():
            made(torch.zeros(1, 3, resolution, resolution))
        assert {layer: layer.pads for layer in sides} == {
            layer: (0, 1, 0, 1) if side % 2 == 0 else (1, 1, 1, 1) for layer, side in sides.items()
        }


def record(sides: dict[Any, int], layer: Any, inputs: tuple[Any, ...]) -> None:
    sides[layer] = inputs[0].shape[-1]


@needs_keras
@pytest.mark.slow
@pytest.mark.parametrize(("name", "width", "resolution"), SMALL)
def test_keras_itself_answers_the_same(place: Path, name: str, width: float, resolution: int) -> None:
    shares = keras_models.differences(name, width, resolution, place)
    assert max(shares.values()) < 1e-4, shares


@needs_keras
@pytest.mark.slow
@pytest.mark.parametrize(("cell", "form"), [(SMALL[0], "legacy.h5"), (SMALL[1], "net.weights.h5")])
def test_a_file_without_classifier_gives_keras_own_features(
    place: Path, cell: tuple[str, float, int], form: str
) -> None:
    assert keras_models.differences(*cell, place, top=False, forms=(form,))[form] < 1e-4


@pytest.mark.slow
def test_a_file_without_classifier_gets_a_random_one_and_no_accuracy(place: Path) -> None:
    import torch

    path = legacy(place / "net_no_top.h5", arrays("mobilenet_v1", network("mobilenet_v1", 0.25, 96), top=False))
    sweep = Sweep(models=(Model(name="mobilenet_v1", widths=(0.25,)),), resolutions=(96,), weights=str(path))
    cell = next(sweep.cells())
    made = variant_of(cell, catalogue.adopt("digits"), None)
    assert (made.classes, made.classifier) == (10, "random")
    assert why_no_accuracy(made) == "no accuracy: net_no_top.h5 has no classifier, so the network has a random one"
    assert rebuilt(made)(torch.zeros(1, 3, 96, 96)).shape == (1, 10)
    with pytest.raises(RequestError, match="found no classifier in net_no_top.h5; use a file that has one"):
        variant_of(cell, catalogue.adopt("digits"), Quantization(aware=True))


def test_padding_is_part_of_a_variants_identity_only_where_there_is_one() -> None:
    plain = Variant(
        architecture="mobilenet_v1", width=1.0, resolution=96, precision=Precision.FP32, classes=3, weights="a.pth",
        dataset="digits",
    )  # fmt: skip
    assert "padding" not in identity(plain)
    assert identity(
        Variant(**{name: getattr(plain, name) for name in plain.__slots__} | {"padding": "tf"})
    ) != identity(plain)


def spoilt(place: Path, kind: str) -> Path:
    """Write a file that is no sound file of MobileNetV1 0.25's weights."""
    made = network("mobilenet_v1", 0.25, 96)
    layers, path = arrays("mobilenet_v1", made), place / f"{kind.replace(' ', '_')}.h5"
    match kind:
        case "another width":
            return legacy(path, arrays("mobilenet_v1", network("mobilenet_v1", 0.5, 96)))
        case "another network":
            return legacy(path, arrays("mobilenet_v2", network("mobilenet_v2", 0.35, 96)))
        case "a layer more":
            return legacy(path, layers | {"extra": layers["conv1"]})
        case "an array less":
            return legacy(path, layers | {"conv1_bn": layers["conv1_bn"][:3]})
        case "truncated":
            path.write_bytes(legacy(place / "whole.h5", layers).read_bytes()[:200_000])
            return path
        case "a pickle":
            path.write_bytes(pickle.dumps({"weights": [1, 2]}))
            return path
        case "not finite":
            layers["conv1"][0] = layers["conv1"][0] * float("inf")
            return legacy(path, layers)
    legacy(path, layers)
    with h5py.File(path, "a") as file:
        group = file["conv1"]
        del group["conv1/value_0:0"]
        match kind:
            case "an external link":
                group["conv1/value_0:0"] = h5py.ExternalLink("/etc/passwd", "/")
            case "a soft link":
                group["conv1/value_0:0"] = h5py.SoftLink("/conv1_bn")
            case "external data":
                raw = [(str(place / "raw"), 0, h5py.h5f.UNLIMITED)]
                group.create_dataset("conv1/value_0:0", (3, 3, 3, 8), "f4", external=raw)
            case "a huge array":
                group.create_dataset("conv1/value_0:0", (2**20, 2**20), "f4", chunks=(64, 64), compression="gzip")
            case "texts":
                group["conv1/value_0:0"] = [b"text"]
    return path


BAD = {
    "another width": "it fits --model mobilenet_v1 --width 0.5",
    "another network": "missing conv1, unexpected .*it fits --model mobilenet_v2",
    "a layer more": "unexpected extra",
    "an array less": "conv1_bn has .* wanted a batch norm",
    "truncated": "not a complete weights file",
    "a pickle": "wanted an HDF5 file",
    "not finite": "contains NaN or infinite values",
    "an external link": "is a link .ExternalLink.; wanted weights in the file itself",
    "a soft link": "is a link .SoftLink.; wanted weights in the file itself",
    "external data": "is in another file",
    "a huge array": "wanted at most .* when unpacked, found more",
    "texts": "wanted an array of floats",
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", BAD)
def test_a_bad_file_is_refused_in_one_line(place: Path, kind: str) -> None:
    with pytest.raises(RequestError, match=BAD[kind]) as caught:
        checkpoint.adopt(str(spoilt(place, kind)), "mobilenet_v1", 0.25, 96)
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_a_file_adopted_for_its_own_width_is_refused_for_another(place: Path) -> None:
    path = legacy(place / "net.h5", arrays("mobilenet_v1", network("mobilenet_v1", 0.25, 96)))
    checkpoint.adopt(str(path), "mobilenet_v1", 0.25, 96)
    with pytest.raises(RequestError, match="it fits --model mobilenet_v1 --width 0.25"):
        checkpoint.adopt(str(path), "mobilenet_v1", 0.5, 96)


@pytest.mark.parametrize(
    ("name", "resolution", "refusal"),
    [
        ("resnet50", 224, "use --model resnet50_v1"),
        ("alexnet", 224, "found --model alexnet"),
        ("mobilenet_v1", 100, "use --resolution 96"),
    ],
)
def test_a_network_that_keras_pads_otherwise_or_lacks_is_refused(name: str, resolution: int, refusal: str) -> None:
    with pytest.raises(RequestError, match=refusal):
        keras.require("net.h5", name, resolution)


def test_every_network_of_the_published_grid_has_a_file_name_of_its_own(place: Path) -> None:
    grid = [("mobilenet_v1", width, side) for width in (0.25, 0.5, 0.75, 1.0) for side in (128, 160, 192, 224)]
    grid += [("mobilenet_v2", width, side) for width in (0.35, 0.5, 0.75, 1.0) for side in (96, 128, 160, 192, 224)]
    grid += [("mobilenet_v2", width, 224) for width in (1.3, 1.4)]
    names = {published_files.stem(*cell) for cell in grid}
    assert len(names) == 38
    assert {"mobilenet_7_5_192_tf", "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224"} <= names
    topless = place / "mobilenet_1_0_224_tf_no_top.h5"
    topless.touch()
    assert published_files.find(place, "mobilenet_v1", 1.0, 224) == topless

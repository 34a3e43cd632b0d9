"""Files as Keras saves weights, written from the arrays of a network of this package with random weights."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgebench.foundation.shelf import load
from edgebench.networks import build
from edgebench.train import keras

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import nn

Arrays = dict[str, list["NDArray[Any]"]]


def network(name: str, width: float, resolution: int, classes: int = 5) -> nn.Module:
    """Build a network with random weights and statistics, padded as TensorFlow does."""
    import torch

    torch.manual_seed(1)
    made: nn.Module = load("architectures", name).build(name, width, classes=classes, resolution=resolution)
    with torch.no_grad():
        for module in made.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                for values, low, high in (
                    (module.weight, 0.5, 1.5),
                    (module.bias, -0.3, 0.3),
                    (module.running_mean, -0.3, 0.3),
                    (module.running_var, 0.3, 2.0),
                ):
                    assert values is not None
                    values.uniform_(low, high)
    return build.padded(made.eval(), name, resolution, keras.PADDING)


def arrays(name: str, made: nn.Module, *, top: bool = True) -> Arrays:
    """Return a network's weights as Keras has them: by layer, axes in its order."""
    state = {key: value.numpy() for key, value in made.state_dict().items()}
    layers = Arrays()
    counts = dict.fromkeys((keras.CONVOLUTION, keras.NORM), 0)
    for part in keras._parts(name):
        layer = part.layer
        if layer in counts:
            counts[layer] += 1
            layer = f"{layer}_{counts[layer] + 8}"  # Keras counts on from one model to the next
        if top or part.layer not in (keras.TOP, "fc1", "fc2"):
            layers[layer] = _of_keras(part, state)
    return layers


def _of_keras(part: keras.Part, state: dict[str, Any]) -> list[NDArray[Any]]:
    import numpy

    own, word = part.modules[0], part.kind.partition(" ")[0]
    weight = state[f"{own}.weight"]
    bias = state.get(f"{own}.bias", numpy.zeros(len(weight), numpy.float32))
    match word:
        case "batch":
            values = [weight, bias, state[f"{own}.running_mean"], state[f"{own}.running_var"]]
            return values[1:] if "without" in part.kind else values
        case "depthwise":
            return [weight.transpose(2, 3, 0, 1)]
        case "separable":
            return [weight.transpose(2, 3, 0, 1), state[f"{part.modules[1]}.weight"].transpose(2, 3, 1, 0)]
        case "dense" if "maps" in part.kind:
            return [
                weight.reshape(len(weight), -1, keras.SIDE, keras.SIDE).transpose(2, 3, 1, 0).reshape(-1, len(weight)),
                bias,
            ]
        case "dense":
            return [weight.T, bias]
    kernel = weight.transpose(2, 3, 1, 0)
    return [kernel, bias] if "bias" in part.kind else [kernel]


def legacy(path: Path, layers: Arrays) -> Path:
    """Write the legacy form."""
    import h5py

    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [name.encode() for name in ("input_1", *layers)]
        file.create_group("input_1").attrs["weight_names"] = []
        for name, values in layers.items():
            group = file.create_group(name)
            names = [f"{name}/value_{number}:0" for number in range(len(values))]
            group.attrs["weight_names"] = [text.encode() for text in names]
            for text, value in zip(names, values, strict=True):
                group[text] = value
    return path


def counted(path: Path, name: str, layers: Arrays) -> Path:
    """Write the form of early versions of Keras 3, which gave layers no names."""
    import h5py

    with h5py.File(path, "w") as file:
        for group, values in zip(keras._by_class(keras._parts(name)), layers.values(), strict=True):
            place = file.create_group(f"layers/{group.lstrip('#')}/vars")
            for number, value in enumerate(values):
                place[str(number)] = value
    return path

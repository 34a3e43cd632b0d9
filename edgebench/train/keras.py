"""A weights file of keras.applications -> tensors under the names that they have in this package's network.

Every layer of the file must have the expected name. This package builds a network's modules in the order in which Keras
builds its layers. This module therefore lists the names of Keras' layers once per network, and the n-th name belongs to
the n-th module. Besides names, two things differ; Keras orders axes differently, and it has convolutions with biases
before a batch norm.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Literal

from edgebench.foundation.errors import RequestError
from edgebench.foundation.shelf import load
from edgebench.images.preprocessing import PRESETS
from edgebench.networks.build import outline
from edgebench.train import hdf5

if TYPE_CHECKING:
    from torch import Tensor, nn

    from edgebench.schema.variant import Preprocessing

State = dict[str, "Tensor"]

PADDING: Literal["tf"] = "tf"
RESNETS = {"resnet50_v1": (3, 4, 6, 3), "resnet101_v1": (3, 4, 23, 3), "resnet152_v1": (3, 8, 36, 3)}
_VGGS = {"vgg16": (2, 2, 3, 3, 3), "vgg19": (2, 2, 4, 4, 4)}
_CAFFE = (*_VGGS, *RESNETS)  # networks whose weights and preprocessing Keras took from Caffe
_EVEN = {"mobilenet_v1": 32}  # Keras pads odd maps in another way than TF-Slim, so all maps must be even
_OTHERS = {name.removesuffix("_v1"): name for name in RESNETS}  # Keras' ResNets are the `_v1` networks here
CONVOLUTION, NORM = "conv2d", "batch_normalization"  # names that Keras makes for layers without a name
TOP = "predictions"  # name of the last layer; MobileNetV1 and files of older Keras versions name this layer differently
_CLASSIFIER = ("fc1", "fc2", TOP)
_TOPS = (TOP, "conv_preds", "Logits")
SIDE = 7  # side of the maps that VGG's first dense layer reads


def _mobilenet_v1() -> Iterator[str]:
    yield from ("conv1", "conv1_bn")
    for block in range(1, 14):
        yield from (f"conv_{part}_{block}{norm}" for part in ("dw", "pw") for norm in ("", "_bn"))


def _mobilenet_v2() -> Iterator[str]:
    yield from ("Conv1", "bn_Conv1")
    for block in range(17):
        parts = ("expand", "depthwise", "project") if block else ("depthwise", "project")
        prefix = f"block_{block}" if block else "expanded_conv"
        yield from (f"{prefix}_{part}{norm}" for part in parts for norm in ("", "_BN"))
    yield from ("Conv_1", "Conv_1_bn")


def _vgg(convolutions: tuple[int, ...]) -> Iterator[str]:
    for block, count in enumerate(convolutions, 1):
        yield from (f"block{block}_conv{number}" for number in range(1, count + 1))
    yield from ("fc1", "fc2")


def _resnet(blocks: tuple[int, ...]) -> Iterator[str]:
    yield from ("conv1_conv", "conv1_bn")
    for stage, count in enumerate(blocks, 2):
        for block in range(1, count + 1):
            steps = range(0 if block == 1 else 1, 4)  # step 0 of a block is the projection of its shortcut
            yield from (f"conv{stage}_block{block}_{step}_{part}" for step in steps for part in ("conv", "bn"))


def _inception_v3() -> Iterator[str]:
    for _ in range(94):
        yield from (CONVOLUTION, NORM)


def _xception() -> Iterator[str]:
    for number in (1, 2):
        yield from (f"block1_conv{number}", f"block1_conv{number}_bn")
    for block in range(2, 14):
        steps = 2 if block in (2, 3, 4, 13) else 3
        yield from (f"block{block}_sepconv{step}{norm}" for step in range(1, steps + 1) for norm in ("", "_bn"))
        yield from (CONVOLUTION, NORM) if steps == 2 else ()
    yield from (f"block14_sepconv{step}{norm}" for step in (1, 2) for norm in ("", "_bn"))


_LAYERS = {
    "mobilenet_v1": tuple(_mobilenet_v1()),
    "mobilenet_v2": tuple(_mobilenet_v2()),
    **{name: tuple(_vgg(counts)) for name, counts in _VGGS.items()},
    **{name: tuple(_resnet(counts)) for name, counts in RESNETS.items()},
    "inception_v3": tuple(_inception_v3()),
    "xception": tuple(_xception()),
}


def inputs(name: str) -> Preprocessing:
    """Return the preprocessing that Keras' weights of a network need."""
    return PRESETS["caffe" if name in _CAFFE else "tf_1000"]


def require(path: str, name: str, resolution: int) -> None:
    """Refuse a network that keras.applications does not have, or a resolution at which Keras pads in another way.

    Raises:
        RequestError: the network or the resolution is refused; the message says what to use instead.
    """
    if name in _OTHERS:
        raise RequestError(
            f"{path}: Keras' {name} has the stride in the first convolution of a block; use --model {_OTHERS[name]}"
        )
    if name not in _LAYERS:
        raise RequestError(f"{path} is a file of Keras: wanted --model {', '.join(_LAYERS)}; found --model {name}")
    step = _EVEN.get(name, 1)
    if resolution % step:
        nearest = max(step, round(resolution / step) * step)
        raise RequestError(
            f"wanted a multiple of {step} pixels for {name} with Keras' weights, found {resolution}; use --resolution"
            f" {nearest}"
        )


def read(path: str, name: str) -> State:
    """Return the file's weights under the names of this package's network; a file without the classifier is accepted.

    Raises:
        RequestError: the file cannot be read, or has other layers than the network.
    """
    from safetensors.torch import load_file

    with TemporaryDirectory() as scratch:
        layers = hdf5.read(Path(path), place := Path(scratch) / "arrays.safetensors")
        arrays = load_file(place)
    parts = _parts(name)
    state: State = {}
    biases: list[Tensor] = []
    for part, layer in _found(path, name, parts, set(layers)):
        values = [arrays[key] for key in layers[layer]]
        try:
            state |= _converted(part, values, biases)
        except (RuntimeError, ValueError):
            shapes = " and ".join(str(list(value.shape)) for value in values)
            raise RequestError(
                f"{path} does not fit {name}: {layer.lstrip('#')} has {shapes}, wanted a {part.kind}"
            ) from None
    return state


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A layer of Keras, and the modules of this package's network that take its arrays.

    Attributes:
        layer: name of the layer; for a layer that was given no name, the name that Keras makes from its class.
        modules: names of the modules.
        kind: what the layer is, in words.
        depth: number of operations from the layer to the output.
    """

    layer: str
    modules: tuple[str, ...]
    kind: str
    depth: int


def _parts(name: str) -> list[Part]:
    """List the layers of a network in the order in which Keras makes them."""
    from torch import nn

    network = outline(name, 1.0, classes=1, resolution=load("architectures", name).RESOLUTIONS[name][0])
    depths = _depths(network)
    kinds = (nn.Conv2d, nn.BatchNorm2d, nn.Linear)
    modules = ((key, module) for key, module in network.named_modules() if isinstance(module, kinds))
    parts = []
    for layer in (*_LAYERS[name], TOP):
        key, module = next(modules)
        is_separable = "sepconv" in layer and not layer.endswith("_bn")
        keys = (key, next(modules)[0]) if is_separable else (key,)
        kind = "separable convolution" if is_separable else _kind(name, layer, module)
        parts.append(Part(layer=layer, modules=keys, kind=kind, depth=depths[key]))
    return parts


def _kind(name: str, layer: str, module: Any) -> str:
    """Return in words what a layer is; `_converted` needs these words to interpret the layer's arrays."""
    from torch import nn

    if isinstance(module, nn.BatchNorm2d):
        return "batch norm without scale" if name == "inception_v3" else "batch norm"
    if isinstance(module, nn.Linear):
        return "dense layer after maps" if layer == "fc1" else "dense layer"
    if module.groups > 1:
        return "depthwise convolution"
    if name in RESNETS:
        return "convolution with bias before batch norm"
    return "convolution" if module.bias is None else "convolution with bias"


def _converted(part: Part, values: list[Tensor], biases: list[Tensor]) -> State:
    """Return a layer's tensors in the form that torch needs.

    In torch, a convolution before a batch norm has no bias. If Keras' convolution has a bias, the bias is kept in
    `biases` until it is subtracted from the mean of the batch norm.

    Raises:
        ValueError, RuntimeError: the arrays do not belong to such a layer.
    """
    import torch

    own = part.modules[0]
    match part.kind:
        case "batch norm" | "batch norm without scale":
            scale, shift, mean, variance = (
                values if part.kind == "batch norm" else [torch.ones_like(values[0]), *values]
            )
            mean = mean - biases.pop() if biases else mean
            texts = ("weight", "bias", "running_mean", "running_var")
            return {f"{own}.{text}": value for text, value in zip(texts, (scale, shift, mean, variance), strict=True)}
        case "separable convolution":
            depthwise, pointwise = values
            return {f"{own}.weight": _depthwise(depthwise), f"{part.modules[1]}.weight": _kernel(pointwise)}
        case "depthwise convolution":
            (kernel,) = values
            return {f"{own}.weight": _depthwise(kernel)}
        case "convolution":
            (kernel,) = values
            return {f"{own}.weight": _kernel(kernel)}
    kernel, bias = values
    if part.kind == "convolution with bias before batch norm":
        biases.append(bias)
        return {f"{own}.weight": _kernel(kernel)}
    weight = _kernel(kernel) if part.kind == "convolution with bias" else _dense(kernel, maps="maps" in part.kind)
    return {f"{own}.weight": weight, f"{own}.bias": bias}


def _kernel(kernel: Tensor) -> Tensor:
    return kernel.permute(3, 2, 0, 1).contiguous()


def _depthwise(kernel: Tensor) -> Tensor:
    return kernel.permute(2, 3, 0, 1).contiguous()


def _dense(kernel: Tensor, *, maps: bool) -> Tensor:
    """Return a dense layer's weights, (outputs, inputs).

    If `maps` is true, the layer reads flattened maps; its inputs are reordered, because Keras flattens channels last.
    """
    if maps:
        return kernel.reshape(SIDE, SIDE, -1, kernel.shape[1]).permute(3, 2, 0, 1).flatten(1).contiguous()
    return kernel.flatten(0, -2).T.contiguous()  # MobileNetV1's classifier is a 1x1 convolution


def _depths(network: nn.Module) -> dict[str, int]:
    """Return the number of operations from each module to the output; Keras numbers its layers in this order."""
    from torch import fx

    depths = dict[Any, int]()
    for node in reversed(fx.symbolic_trace(network).graph.nodes):
        depths[node] = max((depths[user] + 1 for user in node.users), default=0)
    return {str(node.target): depth for node, depth in depths.items() if node.op == "call_module"}


def classifier(name: str) -> set[str]:
    """Return the names of the modules of a network's classifier, which a `no_top` file lacks."""
    return {module for part in _parts(name) if part.layer in _CLASSIFIER for module in part.modules}


def _found(path: str, name: str, parts: Sequence[Part], found: set[str]) -> list[tuple[Part, str]]:
    """Return the network's layers that are in the file, each with its name there; only a classifier can be missing.

    Raises:
        RequestError: the file has other layers.
    """
    wanted = _by_class(parts) if found and all(layer.startswith("#") for layer in found) else _by_name(parts, found)
    missing = [layer for layer in wanted if layer not in found]
    unexpected = sorted(found - set(wanted))
    named = list(zip(parts, wanted, strict=True))
    if not unexpected and missing == [layer for part, layer in named if part.layer in _CLASSIFIER]:
        return [(part, layer) for part, layer in named if layer in found]
    if missing or unexpected:
        reasons = [f"missing {missing[0].lstrip('#')}"] if missing else []
        reasons += [f"unexpected {unexpected[0].lstrip('#')}"] if unexpected else []
        raise RequestError(f"{path} does not fit {name}: {', '.join(reasons)}{_hint(name, found)}")
    return named


def _by_name(parts: Sequence[Part], found: set[str]) -> list[str]:
    """Return each layer's name in the file; layers with names made by Keras are taken in the order of their numbers."""
    counted = {kind: iter(sorted(_counted(kind, found), key=_number)) for kind in (CONVOLUTION, NORM)}
    top = next((layer for layer in _TOPS if layer in found), TOP)
    return [
        next(counted[part.layer], part.layer) if part.layer in counted else top if part.layer == TOP else part.layer
        for part in parts
    ]


def _counted(kind: str, found: set[str]) -> list[str]:
    return [layer for layer in found if re.fullmatch(rf"{kind}(_\d{{1,6}})?", layer)]


def _number(layer: str) -> int:
    number = layer.rpartition("_")[2]
    return int(number) if number.isdecimal() else 0


def _by_class(parts: Sequence[Part]) -> list[str]:
    """Map each layer to its name in a file without names: the layer's class and its number, counted from the input."""
    names, counts = dict[int, str](), Counter[str]()
    for place, part in sorted(enumerate(parts), key=lambda pair: -pair[1].depth):
        kind = _class(part)
        names[place] = f"#{kind}_{counts[kind]}" if counts[kind] else f"#{kind}"
        counts[kind] += 1
    return [names[place] for place in range(len(parts))]


def _class(part: Part) -> str:
    """Return a layer's class as Keras spells it in a file."""
    word = part.kind.partition(" ")[0]
    if part.layer == TOP and part.modules == ("classifier",):
        return CONVOLUTION  # MobileNetV1's classifier is a convolution
    classes = {"depthwise": f"depthwise_{CONVOLUTION}", "separable": f"separable_{CONVOLUTION}", "batch": NORM}
    return classes.get(word, word if word == "dense" else CONVOLUTION)


def _hint(name: str, found: set[str]) -> str:
    """Return the end of a message that names a network with the file's layers; an empty text if no network has them."""
    own = {CONVOLUTION, NORM}
    fitting = [
        other for other, layers in _LAYERS.items() if other != name and set(layers) - own and set(layers) - own <= found
    ]
    return f"; it fits --model {max(fitting, key=lambda other: len(_LAYERS[other]))}" if fitting else ""

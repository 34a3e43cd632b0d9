"""A `.weights` file of Darknet -> tensors under the names that they have in this package's network.

Darknet's files contain no names and no shapes. A `.weights` file begins with a header of three integers; then comes the
number of images seen in training; then come the floats of every convolution, in the order of the network's cfg file.
This package builds the networks in the same order, so the networks' modules say how many floats belong to each
convolution.
"""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgebench.foundation.errors import RequestError
from edgebench.foundation.shelf import load
from edgebench.networks.build import outline

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy import float32
    from numpy.typing import NDArray
    from torch import Tensor, nn

State = dict[str, "Tensor"]

NETWORKS = ("tiny_yolo_v2_voc", "tiny_yolo_v3")
_HEADER = 3  # number of integers of 4 bytes in the header: major version, minor version and revision
_LONG = 2  # from this version on, the number of images takes 8 bytes instead of 4
_FLOAT_BYTES = 4
_NORM = ("bias", "weight", "running_mean", "running_var")  # tensors of a batch norm, in the order of a file
_COORDINATES = 4  # in a file, a box has four coordinates, which come before the box's scores


def read(path: str, name: str, resolution: int) -> State:
    """Return the file's weights under the names of this package's network.

    The number of classes is derived from the number of floats in the file.

    Raises:
        RequestError: the file cannot be read, or the network does not have the file's number of floats for any number
            of classes.
    """
    if name not in NETWORKS:
        known = ", ".join(NETWORKS)
        raise RequestError(f"{path} is a file of Darknet: wanted --model {known}; found --model {name}")
    values = _floats(path)
    if not (classes := _classes(name, resolution, len(values))):
        raise _misfit(path, name, resolution, len(values))
    network = outline(name, 1.0, classes=classes, resolution=resolution)
    return dict(_tensors(network, values))


def _floats(path: str) -> NDArray[float32]:
    import numpy

    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise RequestError(f"cannot read the weights {path}: {error.strerror}") from error
    if len(content) < 4 * _HEADER:
        raise RequestError(f"{path}: wanted a file of Darknet, found {len(content)} bytes")
    major, minor, _ = numpy.frombuffer(content, "<i4", _HEADER).tolist()
    start = 4 * _HEADER + (8 if major * 10 + minor >= _LONG and major < 1000 and minor < 1000 else 4)
    if (len(content) - start) % _FLOAT_BYTES:
        raise RequestError(f"{path}: not a complete file of Darknet: {len(content)} bytes end within a float")
    return numpy.frombuffer(content[start:], "<f4")


def _units(network: nn.Module) -> list[tuple[str, nn.Module]]:
    """Return, in order and with their names, the network's modules that correspond to convolutions of Darknet."""
    from edgebench.networks.architectures._darknet import Output, Unit

    return [(name, module) for name, module in network.named_modules() if isinstance(module, (Unit, Output))]


def _size(name: str, resolution: int, classes: int) -> int:
    """Return the number of floats that a file has for a network: its parameters and running statistics."""
    network = outline(name, 1.0, classes=classes, resolution=resolution)
    return sum(value.numel() for value in network.state_dict().values() if value.is_floating_point())


def _classes(name: str, resolution: int, floats: int) -> int:
    """Return the number of classes for which the network has this number of floats; 0 if there is no such number."""
    few, more = (_size(name, resolution, classes) for classes in (1, 2))
    further, rest = divmod(floats - few, more - few)
    return 0 if rest or further < 0 else further + 1


def _misfit(path: str, name: str, resolution: int, floats: int) -> RequestError:
    published = _size(name, resolution, load("architectures", name).CLASSES)
    fitting = [other for other in NETWORKS if _classes(other, resolution, floats)]
    hint = f"it fits --model {fitting[0]}" if fitting else "it fits no network of this package"
    return RequestError(f"{path} does not fit {name}: {floats} floats, wanted {published}; {hint}")


def _tensors(network: nn.Module, values: NDArray[float32]) -> Iterator[tuple[str, Tensor]]:
    """Yield names and tensors of all convolutions in order; each convolution takes the next floats of the file."""
    from edgebench.networks.architectures._darknet import Unit

    taken = 0

    def take(*shape: int) -> Any:
        nonlocal taken
        import torch

        count = prod(shape)
        part = torch.from_numpy(values[taken : taken + count].copy()).reshape(shape)
        taken += count
        return part

    for name, module in _units(network):
        if isinstance(module, Unit):
            convolution: Any = module[0]
            for field in _NORM:
                yield f"{name}.1.{field}", take(convolution.out_channels)
            yield f"{name}.0.weight", take(*convolution.weight.shape)
        else:
            yield from _output(name, module, take)


def _output(name: str, module: Any, take: Any) -> Iterator[tuple[str, Tensor]]:
    """Yield names and tensors of the convolutions for boxes and for scores, which a file stores as one convolution."""
    boxes, inputs = module.per_cell, module.boxes.in_channels
    columns = (module.boxes.out_channels + module.scores.out_channels) // boxes
    for field, shape in (("bias", ()), ("weight", (inputs, 1, 1))):
        whole = take(boxes, columns, *shape)
        yield f"{name}.boxes.{field}", whole[:, :_COORDINATES].flatten(0, 1)
        yield f"{name}.scores.{field}", whole[:, _COORDINATES:].flatten(0, 1)

"""A variant -> its torch network in evaluation mode, with weights from a file or random weights of a fixed seed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgebench.foundation.errors import CaseError, RequestError
from edgebench.foundation.shelf import literal, load
from edgebench.schema.variant import MAX_RESOLUTION, Variant

if TYPE_CHECKING:
    from torch import nn

SEED = 0


def check(name: str, width: float, resolution: int) -> None:
    """Refuse a width or a resolution that the network does not support.

    Raises:
        RequestError: the width or the resolution is not supported; the message names the smallest and the nearest
            resolution that the network supports.
    """
    if width != 1.0 and load("architectures", name).WIDTHS == (1.0,):
        raise RequestError(f"{name} has no width multiplier, found --width {width:g}; leave it out")
    if accepts(name, resolution):
        return
    sides = [side for side in range(1, MAX_RESOLUTION + 1) if accepts(name, side)]
    nearest = min(sides, key=lambda side: abs(side - resolution))
    raise RequestError(
        f"{name} does not support inputs of {resolution} pixels; the smallest it supports is {sides[0]},"
        f" the nearest --resolution {nearest}"
    )


def accepts(name: str, resolution: int) -> bool:
    """Return whether the network supports a resolution."""
    is_accepted: bool = load("architectures", name).accepts(name, resolution)
    return is_accepted


def channels(variant: Variant) -> int:
    """Return the number of channels of the network's input: 3, or 1 for grey."""
    count: int = literal("architectures", variant.architecture, "CHANNELS")  # read without importing torch
    return count


def outline(name: str, width: float, *, classes: int, resolution: int) -> nn.Module:
    """Build a network in evaluation mode on the meta device, which has shapes but no memory for weights."""
    import torch

    with torch.device("meta"):
        network: nn.Module = load("architectures", name).build(name, width, classes=classes, resolution=resolution)
    return network.eval()


def padded(network: nn.Module, name: str, resolution: int, padding: str) -> nn.Module:
    """Return the network with padding and batch norm as in the framework that trained its weights."""
    if not padding:
        return network
    from edgebench.networks.architectures import _tf

    return _tf.as_tf(network, name, resolution)


def build(variant: Variant, weights_path: str = "") -> nn.Module:
    """Build the variant's network with weights from a file, or with random weights of a fixed seed if there is no file.

    Returns:
        A module that maps (N, C, R, R) float32 images to (N, classes) float32 logits, or to the outputs of the
        network's task.

    Raises:
        CaseError: the file's tensors do not fit the network.
    """
    import torch

    torch.manual_seed(SEED)
    family = load("architectures", variant.architecture)
    network: nn.Module = family.build(
        variant.architecture, variant.width, classes=variant.classes, resolution=variant.resolution
    )
    if weights_path:
        state = torch.load(weights_path, map_location="cpu", weights_only=True)
        state = network.state_dict() | state if variant.classifier else state
        try:
            network.load_state_dict(state)
        except RuntimeError as error:
            raise CaseError(f"{weights_path} does not fit {variant}: {error}") from error
    return padded(network.eval(), variant.architecture, variant.resolution, variant.padding)

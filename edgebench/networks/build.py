"""Variant -> torch network in evaluation mode, seeded, with its weights where there are any."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgebench.foundation.errors import CaseError, RequestError
from edgebench.foundation.shelf import literal, load
from edgebench.schema.variant import MAX_RESOLUTION, Variant

if TYPE_CHECKING:
    from torch import nn

SEED = 0


def check(name: str, width: float, resolution: int) -> None:
    """Refuse a width or an input that the network cannot have.

    Raises:
        RequestError: it cannot; the message has the smallest and the nearest side that it can take.
    """
    if width != 1.0 and load("architectures", name).WIDTHS == (1.0,):
        raise RequestError(f"{name} has no width multiplier, found --width {width:g}; leave it out")
    if accepts(name, resolution):
        return
    sides = [side for side in range(1, MAX_RESOLUTION + 1) if accepts(name, side)]
    nearest = min(sides, key=lambda side: abs(side - resolution))
    raise RequestError(
        f"{name} takes no input of {resolution} pixels; the smallest it takes is {sides[0]},"
        f" the nearest --resolution {nearest}"
    )


def accepts(name: str, resolution: int) -> bool:
    """Tell whether the network has an output at a resolution."""
    answer: bool = load("architectures", name).accepts(name, resolution)
    return answer


def channels(variant: Variant) -> int:
    """Return how many channels the network's input has: 3, or 1 for grey."""
    count: int = literal("architectures", variant.architecture, "CHANNELS")  # who only reads images needs no torch
    return count


def outline(name: str, width: float, *, classes: int, resolution: int) -> nn.Module:
    """Build a network on the meta device: every shape, no memory for weights, evaluation mode."""
    import torch

    with torch.device("meta"):
        network: nn.Module = load("architectures", name).build(name, width, classes=classes, resolution=resolution)
    return network.eval()


def build(variant: Variant, weights_path: str = "") -> nn.Module:
    """Build the variant's network; without a weights file it is seeded random.

    Returns:
        A module from (N, 3, R, R) float32 images to (N, classes) float32 logits.

    Raises:
        CaseError: the file's tensors are not the network's.
    """
    import torch

    torch.manual_seed(SEED)
    family = load("architectures", variant.architecture)
    network: nn.Module = family.build(
        variant.architecture, variant.width, classes=variant.classes, resolution=variant.resolution
    )
    if weights_path:
        state = torch.load(weights_path, map_location="cpu", weights_only=True)
        try:
            network.load_state_dict(state)
        except RuntimeError as error:
            raise CaseError(f"{weights_path} does not fit {variant}: {error}") from error
    return network.eval()

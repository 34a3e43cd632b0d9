"""Variant -> torch network in evaluation mode, seeded, with its weights where there are any."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgebench.errors import CaseError, RequestError
from edgebench.shelf import load
from edgebench.spec import Variant

if TYPE_CHECKING:
    from torch import nn

SEED = 0


def check(variant: Variant) -> None:
    """Refuse a network whose input is smaller than it can take.

    Raises:
        RequestError: the resolution is too low; the message has the smallest.
    """
    smallest = load("architectures", variant.architecture).SMALLEST_RESOLUTION
    if variant.resolution < smallest:
        raise RequestError(
            f"{variant.architecture} takes inputs of {smallest} pixels and more, found {variant.resolution}; "
            f"use --resolution {smallest}"
        )


def build(variant: Variant, weights_path: str = "") -> nn.Module:
    """Build the variant's network; without a weights file it is seeded random.

    Returns:
        A module from (N, 3, R, R) float32 images to (N, classes) float32 logits.

    Raises:
        CaseError: the file's tensors are not the network's.
    """
    import torch

    torch.manual_seed(SEED)
    network: nn.Module = load("architectures", variant.architecture).build(variant.width, classes=variant.classes)
    if weights_path:
        state = torch.load(weights_path, map_location="cpu", weights_only=True)
        try:
            network.load_state_dict(state)
        except RuntimeError as error:
            raise CaseError(f"{weights_path} does not fit {variant}: {error}") from error
    return network.eval()

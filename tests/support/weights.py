"""Weights that are the same everywhere, so that outputs can be compared with those noted from another library."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def formed(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return tensors of the same names and shapes whose values follow from their places, and keep a signal's size."""
    return {name: _formed(place, name, value) for place, (name, value) in enumerate(state.items())}


def _formed(place: int, name: str, value: Tensor) -> Tensor:
    import torch

    if not value.is_floating_point():
        return torch.zeros_like(value)
    wave = torch.sin(torch.arange(value.numel(), dtype=torch.float64) * 0.618 + place).reshape(value.shape)
    if value.ndim > 1:
        wave = wave * (4 / value[0].numel()) ** 0.5
    elif name.endswith("running_var"):
        wave = wave.abs() + 0.5
    elif name.endswith("scale_weight"):
        wave = wave + 20
    else:
        wave = wave * 0.1 + (1 if name.endswith("weight") else 0)
    return wave.float()


def wave_images(count: int, side: int) -> Tensor:
    """Return images (count, 3, side, side) between -1 and 1 whose values follow from their places."""
    import torch

    numbers = torch.arange(count * 3 * side * side, dtype=torch.float64)
    return torch.sin(numbers * 0.05).reshape(count, 3, side, side).float()

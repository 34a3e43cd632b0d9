"""A task whose outputs are not evaluated; it has no metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy import float32
    from numpy.typing import NDArray
    from torch import Tensor

    from edgebench.tasks import Truth

OUTPUTS: tuple[str, ...] = ()
METRIC = ""
HEADING = ""
COLUMNS: dict[str, bool] = {}
AUGMENTATION: tuple[str, ...] = ()
PART = 0
THRESHOLDS: dict[str, float] = {}


def values(classes: int, resolution: int) -> int:
    """Return 0: there are no outputs."""
    return 0


def targets(truths: Sequence[Truth], resolution: int) -> tuple[NDArray[Any], ...]:
    """Return an empty tuple of targets, because nothing is trained."""
    return ()


def loss(outputs: Sequence[Tensor], targets: Sequence[Tensor]) -> Tensor:
    """Return a loss of 0, which does not depend on the weights."""
    import torch

    return torch.zeros(())


def decode(values: NDArray[float32], classes: int, resolution: int) -> list[None]:
    """Return None as the prediction for each image."""
    return [None] * len(values)


def seen(answer: None, truth: Truth) -> None:
    """Return None as the result of an image."""


def figures(images: Sequence[None]) -> dict[str, float]:
    """Return an empty mapping of metrics."""
    return {}


def intervals(images: Sequence[None]) -> dict[str, tuple[float, float]]:
    """Return an empty mapping of intervals."""
    return {}


def tally(
    outputs: Iterable[NDArray[float32]],
    reference: Iterable[NDArray[float32]] | None,
    truth: Callable[[int], Truth],
    classes: int,
    resolution: int,
) -> dict[str, Any]:
    """Return the fields of an accuracy record, with no metric in them."""
    return {"correct": 0}

"""A float network -> the same network prepared for int8 by its quantization scheme."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy import float32
    from numpy.typing import NDArray
    from torch import nn

    from edgebench.foundation.progress import Show
    from edgebench.schema.cards import Weights
    from edgebench.schema.variant import Variant


def prepare(
    network: nn.Module,
    variant: Variant,
    start: Weights | None,
    images: Callable[[], Iterator[NDArray[float32]]],
    show: Show,
) -> nn.Module:
    """Apply the scheme's preparations in this order: equalize, fine-tune under fake quantization, correct biases.

    `start` is the card of the network's weights, None for random weights; `images()` yields the calibration images.

    Raises:
        CaseError: the network has no learned weights to fine-tune, or its data set has no training images.
    """
    from edgebench.export.prepare.aware import finetune
    from edgebench.export.prepare.bias import correct
    from edgebench.export.prepare.equalize import equalize
    from edgebench.export.prepare.fold import fold, unfold

    asked = variant.quantization
    if asked is None or not asked.changes_weights:
        return network
    folded = fold(network)
    if asked.equalized:
        equalize(folded)
    if asked.aware:
        finetune(folded, variant, start, show)
    if asked.bias_corrected:
        correct(folded, asked, images())
    return unfold(network, folded)

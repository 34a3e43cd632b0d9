"""A float network -> the same network made ready for int8, as its quantization asks."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy import float32
    from numpy.typing import NDArray
    from torch import nn

    from edgebench.quantization import Quantization


def prepare(
    network: nn.Module, quantization: Quantization, images: Callable[[], Iterator[NDArray[float32]]]
) -> nn.Module:
    """Equalize the network and correct its biases where asked; `images` are those that calibrate."""
    from edgebench.prepare.bias import correct
    from edgebench.prepare.equalize import equalize
    from edgebench.prepare.fold import fold

    if not quantization.equalized and not quantization.bias_corrected:
        return network
    folded = fold(network)
    if quantization.equalized:
        equalize(folded)
    if quantization.bias_corrected:
        correct(folded, quantization, images())
    return folded

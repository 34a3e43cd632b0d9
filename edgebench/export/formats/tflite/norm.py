"""Replace local response norms by convolutions and roots; tflite-runtime and int8 do not support TFLite's operator."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor, nn

NAME = "BandedNorm"  # the names of all tensors of a rewritten norm contain this text


def write_norms_as_convolutions(network: nn.Module) -> None:
    """Replace a network's local response norms by equal norms made of operators that every TFLite runtime has."""
    from torch import nn

    for parent in network.modules():
        for name, module in parent.named_children():
            if isinstance(module, nn.LocalResponseNorm):
                setattr(parent, name, banded(module))


def banded(norm: nn.LocalResponseNorm) -> nn.Module:
    """Return an equal norm whose sum over neighbouring channels is a 1x1 convolution with a band matrix."""
    import torch
    from torch import nn

    class BandedNorm(nn.Module):
        def forward(self, features: Tensor) -> Tensor:
            return features * _power(norm.k + _sum(features * features))

    def _sum(squares: Tensor) -> Tensor:
        place = torch.arange(squares.shape[1])
        offset = place - place[:, None]  # distance from output channel to input channel
        band = (offset >= -(norm.size // 2)) & (offset <= (norm.size - 1) // 2)
        return nn.functional.conv2d(squares, band.float()[:, :, None, None] * (norm.alpha / norm.size))

    def _power(sums: Tensor) -> Tensor:
        if norm.beta != 0.75:  # all known networks have the exponent 0.75
            return sums.pow(-norm.beta)
        root = sums.rsqrt()
        return root * root.sqrt()

    assert BandedNorm.__name__ == NAME
    return BandedNorm()

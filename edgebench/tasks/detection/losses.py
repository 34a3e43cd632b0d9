"""Raw heads of edgebench's own detectors and their targets -> the training loss."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

FOCUS, BALANCE = 2.0, 0.75  # the focal loss's exponent, and its weight for cells that have an object
BOX_WEIGHT, BETA = 1.0, 0.2  # the smooth L1 loss's weight, and the error above which this loss is linear


def loss(scores: Tensor, raw: Tensor, classes: Tensor, boxes: Tensor) -> Tensor:
    """Return the loss of a batch, divided by the number of cells that have an object.

    The loss is a sum of three terms. The first is the focal loss of "there is an object" over all cells (Lin et al.,
    arXiv:1708.02002). The other two cover only cells that have an object: the cross-entropy of the class, and the
    smooth L1 loss of the box. Cells without an object are masked instead of removed, so that a GPU need not send their
    number to the host.

    Args:
        scores: the logits of an object and of each class, (N, 1 + classes, S, S).
        raw: the raw boxes of the heads, (N, 4, S, S).
        classes: the true class of each cell, -1 without an object, (N, S * S).
        boxes: the true boxes in the heads' raw form, (N, 4, S * S).
    """
    import torch
    from torch.nn import functional

    scores, raw = scores.flatten(2), raw.flatten(2)
    held = (classes >= 0).to(scores.dtype)
    count = held.sum().clamp(min=1)
    logit = scores[:, 0]
    probability = torch.sigmoid(logit)
    miss = (held - probability).abs() ** FOCUS
    balance = BALANCE * held + (1 - BALANCE) * (1 - held)
    focal = (functional.binary_cross_entropy_with_logits(logit, held, reduction="none") * miss * balance).sum()
    entropy = functional.cross_entropy(scores[:, 1:], classes, ignore_index=-1, reduction="sum")
    smooth = functional.smooth_l1_loss(raw, boxes, beta=BETA, reduction="none").sum(1)
    return (focal + entropy + BOX_WEIGHT * (smooth * held).sum()) / count

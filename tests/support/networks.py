"""Networks for tests that compare answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import nn


def awake(network: nn.Module, images: NDArray[Any]) -> nn.Module:
    """Let an untrained network's batch norms know what comes to them: else its signal fades and only biases answer."""
    import torch

    for part in network.modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            part.momentum = None
    with torch.no_grad():
        network.train()(torch.from_numpy(images))
    network.eval()
    with torch.no_grad():
        answers = network(torch.from_numpy(images))
    assert answers.std(0).mean() > 1e-4 * answers.abs().max(), "every image has the same answer"
    return network

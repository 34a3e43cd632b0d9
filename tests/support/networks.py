"""Networks for tests that compare answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import nn


def awake(network: nn.Module, images: NDArray[Any]) -> nn.Module:
    """Let an untrained network's batch norms know what comes to them: else its signal fades and only biases answer.

    Of a network without any, each layer's weights are scaled to outputs of a deviation of 1 (Mishkin and Matas, All you
    need is a good init, 2016).
    """
    import torch

    norms = [part for part in network.modules() if isinstance(part, torch.nn.BatchNorm2d)]
    for part in norms:
        part.momentum = None
    layers = (
        [] if norms else [part for part in network.modules() if isinstance(part, (torch.nn.Conv2d, torch.nn.Linear))]
    )
    hooks = [layer.register_forward_hook(_even) for layer in layers]
    with torch.no_grad():
        network.train(bool(norms))(torch.from_numpy(images))
    for hook in hooks:
        hook.remove()
    network.eval()
    with torch.no_grad():
        answers = network(torch.from_numpy(images))
    assert answers.std(0).mean() > 1e-4 * answers.abs().max(), "every image has the same answer"
    return network


def _even(layer: Any, _: Any, output: Any) -> Any:
    """Scale a layer to outputs of a deviation of 1; return those."""
    scale = output.std()
    layer.weight /= scale
    if layer.bias is not None:
        layer.bias /= scale
    return output / scale

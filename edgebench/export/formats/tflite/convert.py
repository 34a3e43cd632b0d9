"""A torch network -> a float TFLite file, written by litert-torch; the input is NHWC, as TFLite's kernels require."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgebench.export.formats.tflite.norm import write_norms_as_convolutions
from edgebench.export.formats.tflite.passes import in_place
from edgebench.export.formats.tflite.silence import silent
from edgebench.export.prepare.fold import fold, unfold

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor, nn

TOLERANCE = 1e-3  # a share of an output's largest value; folding changes outputs by rounding alone


def convert(network: nn.Module, channels: int, resolution: int, path: Path) -> None:
    """Convert a network that takes images (N, C, R, R) to a file that takes one image, (1, R, R, C).

    Outputs that are maps, (N, C, S, S), become (1, S, S, C) in the file, which avoids a transpose.
    """
    with silent():
        import litert_torch
        import torch

        write_norms_as_convolutions(network)
        sample = torch.rand(1, channels, resolution, resolution, generator=torch.Generator().manual_seed(0))
        outputs = outputs_of(network, sample)
        maps = [place for place, output in enumerate(outputs) if output.ndim == 4]
        folded = folded_network(network, sample, outputs)
        outer = litert_torch.to_channel_last_io(folded, args=[0], outputs=maps or None).eval()
        image = torch.zeros(1, resolution, resolution, channels)
        with in_place():
            litert_torch.convert(outer, (image,)).export(str(path))


def outputs_of(network: nn.Module, sample: Tensor) -> tuple[Tensor, ...]:
    """Return a network's outputs for a sample, which may be one tensor or several."""
    import torch

    with torch.inference_mode():
        outputs = network(sample)
    return outputs if isinstance(outputs, tuple) else (outputs,)


def folded_network(network: nn.Module, sample: Tensor, outputs: tuple[Tensor, ...]) -> nn.Module:
    """Return the network with folded batch norms, which converts in about half of the time.

    Return the network itself if it cannot be traced, or if the folded network gives other outputs than `outputs`: a
    user's network can contain anything.
    """
    try:
        folded = unfold(network, fold(network))
        is_same = all(map(_is_close, outputs, outputs_of(folded, sample)))
    except Exception:  # tracing runs the user's code, which can raise anything
        return network
    return folded if is_same else network


def _is_close(wanted: Tensor, found: Tensor) -> bool:
    return bool((wanted - found).abs().max() <= TOLERANCE * wanted.abs().max())

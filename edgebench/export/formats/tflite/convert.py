"""A torch network -> a float TFLite file, by litert-torch: its input is NHWC, as TFLite's kernels require."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgebench.export.formats.tflite.norm import write_norms_as_convolutions
from edgebench.export.formats.tflite.silence import silent

if TYPE_CHECKING:
    from pathlib import Path

    from torch import nn


def convert(network: nn.Module, channels: int, resolution: int, path: Path, maps: int = 0) -> None:
    """Write the network, from (N, C, R, R) images to (N, classes) logits, to a file that takes (1, R, R, C).

    The number `maps` of outputs, if not 0, are feature maps (N, C, S, S); the file returns (1, S, S, C), which avoids
    a transpose.
    """
    with silent():
        import litert_torch
        import torch

        write_norms_as_convolutions(network)
        outer = litert_torch.to_channel_last_io(network, args=[0], outputs=list(range(maps)) or None).eval()
        image = torch.zeros(1, resolution, resolution, channels)
        litert_torch.convert(outer, (image,)).export(str(path))

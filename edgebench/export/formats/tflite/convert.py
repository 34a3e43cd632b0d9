"""A torch network -> a float TFLite file, written by litert-torch; the input is NHWC, as TFLite's kernels require."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgebench.export.formats.tflite.norm import write_norms_as_convolutions
from edgebench.export.formats.tflite.silence import silent

if TYPE_CHECKING:
    from pathlib import Path

    from torch import nn


def convert(network: nn.Module, channels: int, resolution: int, path: Path) -> None:
    """Convert a network that takes images (N, C, R, R) to a file that takes one image, (1, R, R, C).

    Outputs that are maps, (N, C, S, S), become (1, S, S, C) in the file, which avoids a transpose.
    """
    with silent():
        import litert_torch
        import torch

        write_norms_as_convolutions(network)
        with torch.inference_mode():
            outputs = network(torch.zeros(1, channels, resolution, resolution))
        several = outputs if isinstance(outputs, tuple) else (outputs,)
        maps = [place for place, output in enumerate(several) if output.ndim == 4]
        outer = litert_torch.to_channel_last_io(network, args=[0], outputs=maps or None).eval()
        image = torch.zeros(1, resolution, resolution, channels)
        litert_torch.convert(outer, (image,)).export(str(path))

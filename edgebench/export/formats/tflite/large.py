"""Large weights in ai-edge-quantizer, which cannot quantize a tensor of more than 32 MiB with more than two axes.

Version 0.10.0 computes such a tensor in parts, and flattens all of its axes but the last. It does not flatten the axes
of the scales, so scales per channel do not fit. Fully convolutional VGG and tiny YOLOv2 have such weights.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_BYTES = 32 * 2**20  # a larger tensor is computed in parts by the quantizer


@contextmanager
def in_slices() -> Iterator[None]:
    """Make the quantizer compute large weights in slices along their first axis within the block."""
    from ai_edge_quantizer.algorithms.uniform_quantize import uniform_quantize_tensor as library

    original = library.uniform_quantize

    def sliced(data: Any, scales: Any, is_blockwise: bool = False) -> Any:
        import numpy

        if data.nbytes <= MOST_BYTES or data.ndim <= 2 or is_blockwise:
            return original(data, scales, is_blockwise)
        scales = library.fix_quantization_params_rank(data, scales)
        count = max(1, MOST_BYTES // data[:1].nbytes)
        rows = [slice(start, start + count) for start in range(0, len(data), count)]
        return numpy.concatenate([original(data[part], _part(scales, part, len(data))) for part in rows])

    library.uniform_quantize = sliced
    try:
        yield
    finally:
        library.uniform_quantize = original


def _part(scales: Any, part: slice, count: int) -> Any:
    """Return the quantization parameters of a slice; if the channels lie along another axis, return all parameters."""
    fields = {"scale": scales.scale, "zero_point": scales.zero_point}
    return replace(
        scales, **{name: values[part] if len(values) == count else values for name, values in fields.items()}
    )

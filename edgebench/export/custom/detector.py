"""Fields of a detector's card, found from its inputs, its outputs and the decoder that `--decode` names."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from edgebench.export.custom import shape
from edgebench.export.custom.inputs import IMAGES
from edgebench.foundation.errors import RequestError
from edgebench.schema.decoding import parse
from edgebench.tasks.detection import decoders

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edgebench.export.custom.inputs import Declared
    from edgebench.export.custom.shape import Dimensions


def described(
    name: str,
    declared: Sequence[Declared],
    shapes: Sequence[Dimensions],
    outputs: Mapping[str, Dimensions],
    decode: str,
) -> dict[str, Any]:
    """Return the fields of a detector's card; `outputs` maps each output's name to its sizes, including the batch.

    Raises:
        RequestError: the input is not one square image, or the outputs do not fit the decoder.
    """
    image = shape.image(shapes[0]) if len(shapes) == 1 and declared[0].dtype in IMAGES else None
    if image is None:
        found = ", ".join(f"{entry.name} {entry.dtype} of {shape.said(entry.sizes)}" for entry in declared) or "none"
        raise RequestError(
            f"{name}: wanted one input of square images with --decode, found {found}; export it with such an input"
        )
    for label, sizes in outputs.items():
        _require_fixed(name, label, sizes)
    decoding = replace(parse(decode), shapes=tuple(tuple(sizes[1:]) for sizes in outputs.values()))
    classes = decoders.require_fit(name, decoding.name, decoding.shapes)
    return {**asdict(image), "dtype": declared[0].dtype, "classes": classes, "decoding": decoding}


def _require_fixed(name: str, label: str, sizes: Dimensions) -> None:
    """Refuse an output if it has no row for each image, or if its size depends on the content of the images."""
    if len(sizes) > 1 and sizes[0] < 2 and 0 not in sizes[1:]:
        return
    raise RequestError(
        f"{name}: wanted outputs of a fixed size with --decode, one row for each image, found {label} of"
        f" {shape.said(sizes)}; export it without non-maximum suppression, which edgebench does itself"
    )

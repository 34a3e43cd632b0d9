"""How the outputs of a user-supplied detector become boxes: by a named decoder with thresholds and output shapes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import prod
from typing import ClassVar

from edgebench.foundation.errors import RequestError
from edgebench.schema import STRICT

# Boxes with a score below SCORE are dropped.
# If the IoU of two boxes of one class is above OVERLAP, the box with the lower score is dropped, too.
SCORE, OVERLAP = 0.02, 0.5
EXAMPLE = "yolov8 or yolov8+score=0.001+iou=0.7"
_FORM = re.compile(r"(?P<name>\w+)(?P<options>(\+(score|iou)=\d*\.?\d+(e-\d+)?)*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoding:
    """A decoder with its thresholds and the shapes of the outputs that it decodes; as text `yolov8`, or
    `yolov8+score=0.001+iou=0.7`.

    Attributes:
        name: name of the decoder.
        shapes: shape of each model output for one image, without the batch axis, in the file's order.
        score: lowest score of a box that is kept.
        iou: overlap (intersection over union) above which the box with the lower score is dropped.
    """

    __pydantic_config__: ClassVar = STRICT
    TASK: ClassVar = "detection"

    name: str
    shapes: tuple[tuple[int, ...], ...] = ()
    score: float = SCORE
    iou: float = OVERLAP

    @property
    def values(self) -> int:
        """The total number of values in all outputs for one image."""
        return sum(map(prod, self.shapes))

    @property
    def thresholds(self) -> dict[str, float]:
        """The thresholds, as a mapping from the names `score` and `iou` to the values."""
        return {"score": self.score, "iou": self.iou}

    def __str__(self) -> str:
        score = f"+score={self.score:g}" if self.score != SCORE else ""
        return f"{self.name}{score}" + (f"+iou={self.iou:g}" if self.iou != OVERLAP else "")


def parse(text: str) -> Decoding:
    """Parse the value of the option `--decode`.

    Raises:
        RequestError: the value has another form, names a threshold twice, or has a threshold outside the range from 0
            to 1.
    """
    match = _FORM.fullmatch(text)
    if not match:
        raise RequestError(f"wanted --decode such as {EXAMPLE}, found {text[:60]!r}")
    parts = [option.split("=") for option in match["options"].split("+")[1:]]
    options = {name: float(value) for name, value in parts}
    if len(options) < len(parts) or not all(0 <= value <= 1 for value in options.values()):
        raise RequestError(f"wanted --decode with each threshold once and from 0 to 1, found {text[:60]!r}")
    return Decoding(name=match["name"], score=options.get("score", SCORE), iou=options.get("iou", OVERLAP))

"""How the outputs of a user-supplied detector become boxes: the decoder, its thresholds and the shapes it reads."""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import prod
from typing import ClassVar

from edgebench.foundation.errors import RequestError
from edgebench.schema import STRICT

# Boxes with a lower score are dropped; of two boxes of a class that overlap more, the one with the lower score is
# dropped, too.
SCORE, OVERLAP = 0.02, 0.5
EXAMPLE = "yolov8 or yolov8+score=0.001+iou=0.7"
_FORM = re.compile(r"(?P<name>\w+)(?P<options>(\+(score|iou)=\d*\.?\d+(e-\d+)?)*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoding:
    """A decoder and what it is given: `yolov8`, or `yolov8+score=0.001+iou=0.7`.

    Attributes:
        name: of the decoder.
        shapes: of each output for one image, without the batch, in the file's order.
        score, iou: thresholds of the boxes that are kept.
    """

    __pydantic_config__: ClassVar = STRICT
    TASK: ClassVar = "detection"

    name: str
    shapes: tuple[tuple[int, ...], ...] = ()
    score: float = SCORE
    iou: float = OVERLAP

    @property
    def values(self) -> int:
        """The number of values of all outputs for one image."""
        return sum(map(prod, self.shapes))

    @property
    def thresholds(self) -> dict[str, float]:
        """The thresholds by name."""
        return {"score": self.score, "iou": self.iou}

    def __str__(self) -> str:
        score = f"+score={self.score:g}" if self.score != SCORE else ""
        return f"{self.name}{score}" + (f"+iou={self.iou:g}" if self.iou != OVERLAP else "")


def parse(text: str) -> Decoding:
    """Read the value of `--decode`.

    Raises:
        RequestError: it has another form, or a threshold is not between 0 and 1.
    """
    match = _FORM.fullmatch(text)
    if not match:
        raise RequestError(f"wanted --decode such as {EXAMPLE}, found {text[:60]!r}")
    parts = [option.split("=") for option in match["options"].split("+")[1:]]
    options = {name: float(value) for name, value in parts}
    if len(options) < len(parts) or not all(0 <= value <= 1 for value in options.values()):
        raise RequestError(f"wanted --decode with each threshold once and from 0 to 1, found {text[:60]!r}")
    return Decoding(name=match["name"], score=options.get("score", SCORE), iou=options.get("iou", OVERLAP))

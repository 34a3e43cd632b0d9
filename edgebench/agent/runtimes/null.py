"""A runtime that computes nothing; without a delay, its time is the overhead of the harness itself."""

from __future__ import annotations

import json
from array import array
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgebench.schema.variant import Variant

FORMAT = "null"
NEEDS: tuple[str, ...] = ()
OPTIONS: tuple[tuple[str, ...], ...] = ()
DEVICES: dict[str, str] = {}
SCHEMES: dict[str, str] = {}
NO_PROFILE = "the null runtime has no operators"
WARMS_UP = False


class InferenceSession:
    """A session that waits for a fixed time and returns class 0."""

    def __init__(self, *, delay_s: float, classes: int) -> None:
        self._delay_s = delay_s
        self._answer = [1.0] + [0.0] * (classes - 1)

    def run(self) -> None:
        """Spin for the delay, because sleeping would give up the core."""
        if self._delay_s:
            end = perf_counter() + self._delay_s
            while perf_counter() < end:
                pass

    def infer(self, data: bytes | memoryview, shape: tuple[int, ...], classes: int = 0) -> bytes:
        """Return class 0 for each of the N inputs: (N, classes) float32."""
        return array("f", self._answer * shape[0]).tobytes()

    def facts(self) -> dict[str, str]:
        """Return no facts, because this session computes nothing."""
        return {}


def version() -> str:
    """Return the version of the artifacts that this runtime reads."""
    return "1"


def prepare() -> None:
    """Do nothing, because this runtime has no engine to import."""


def refuses(variant: Variant, options: Sequence[str]) -> str:
    """Return an empty text, which means that no variant is refused, because nothing is computed."""
    return ""


def open(path: str, *, threads: int, batch: int, options: Sequence[str]) -> InferenceSession:
    """Open a null artifact: `{"delay_s": 0.0, "classes": 10}`."""
    return InferenceSession(**json.loads(Path(path).read_text(encoding="utf-8")))

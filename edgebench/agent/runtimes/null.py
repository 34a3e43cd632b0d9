"""An engine that computes nothing: at zero delay it is the harness's measurement of itself."""

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
NO_PROFILE = "it has no operators"
WARMS_UP = False


class InferenceSession:
    """Waits for a fixed time and answers class 0."""

    def __init__(self, *, delay_s: float, classes: int) -> None:
        self._delay_s = delay_s
        self._answer = [1.0] + [0.0] * (classes - 1)

    def run(self) -> None:
        """Spin for the delay: sleeping would hand the core over."""
        if self._delay_s:
            end = perf_counter() + self._delay_s
            while perf_counter() < end:
                pass

    def infer(self, data: bytes | memoryview, shape: tuple[int, ...]) -> bytes:
        """Answer class 0 for every one of the N inputs: N x classes float32."""
        return array("f", self._answer * shape[0]).tobytes()

    def facts(self) -> dict[str, str]:
        """Add nothing."""
        return {}


def version() -> str:
    """Return the version of the artifact it reads."""
    return "1"


def prepare() -> None:
    """Nothing to import."""


def refuses(variant: Variant, options: Sequence[str]) -> str:
    """Refuse nothing: there is nothing to compute."""
    return ""


def open(path: str, *, threads: int, batch: int, options: Sequence[str]) -> InferenceSession:
    """Open a null artifact: `{"delay_s": 0.0, "classes": 10}`."""
    return InferenceSession(**json.loads(Path(path).read_text()))

"""An engine that computes nothing: at zero delay it is the harness's measurement of itself."""

import json
from array import array
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter

FORMAT, PACKAGE = "null", ""
OPTIONS: tuple[tuple[str, ...], ...] = ()
WARMS_UP = False


class Session:
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


def version() -> str:
    """Return the version of the artifact it reads."""
    return "1"


def prepare() -> None:
    """Nothing to import."""


def open(path: str, *, threads: int, batch: int, options: Sequence[str]) -> Session:
    """Open a null artifact: `{"delay_s": 0.0, "classes": 10}`."""
    return Session(**json.loads(Path(path).read_text()))

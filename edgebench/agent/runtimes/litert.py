"""LiteRT, TensorFlow Lite's successor, with the XNNPACK delegate that it tries by default."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import metadata
from typing import TYPE_CHECKING, Any

from edgebench.agent.runtimes._tflite import FedSession, InferenceSession, session

if TYPE_CHECKING:
    from edgebench.schema.variant import Variant

FORMAT = "tflite"
NEEDS = ("ai-edge-litert",)
OPTIONS: tuple[tuple[str, ...], ...] = ()
DEVICES: dict[str, str] = {}
SCHEMES: dict[str, str] = {}
NO_PROFILE = "LiteRT reports no operator times to Python; its C++ tool benchmark_model --enable_op_profiling does"
WARMS_UP = True


def version() -> str:
    """Return the installed package's version without importing it."""
    return metadata.version(NEEDS[0])


def prepare() -> None:
    """Import the engine and its dependencies."""
    import ai_edge_litert.interpreter  # noqa: F401
    import numpy  # noqa: F401


def refuses(variant: Variant, options: Sequence[str]) -> str:
    """Return an empty text (no refusal), because LiteRT computes everything that the format can contain."""
    return ""


def open(
    path: str, *, threads: int, batch: int, options: Sequence[str], feed: Mapping[str, Any] | None = None
) -> InferenceSession | FedSession:
    """Load a file with exactly `threads` threads."""
    from ai_edge_litert.interpreter import Interpreter

    return session(Interpreter(path, num_threads=threads), batch, feed)

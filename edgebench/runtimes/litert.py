"""LiteRT, TensorFlow Lite's successor, with the XNNPACK delegate that it tries by itself."""

from collections.abc import Sequence
from importlib import metadata

from edgebench.runtimes._tflite import Session

FORMAT, PACKAGE = "tflite", "ai-edge-litert"
OPTIONS: tuple[tuple[str, ...], ...] = ()
WARMS_UP = True


def version() -> str:
    """Return the installed package's version without importing it."""
    return metadata.version(PACKAGE)


def prepare() -> None:
    """Import the engine and what it needs."""
    import ai_edge_litert.interpreter  # noqa: F401
    import numpy  # noqa: F401


def open(path: str, *, threads: int, batch: int, options: Sequence[str]) -> Session:
    """Load a file with exactly `threads` threads."""
    from ai_edge_litert.interpreter import Interpreter

    return Session(Interpreter(path, num_threads=threads), batch)

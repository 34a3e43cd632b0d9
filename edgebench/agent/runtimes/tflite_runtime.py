"""tflite-runtime, TensorFlow Lite's last release of its own, 2.14.0: for Linux and Python up to 3.11.

Its XNNPACK delegate takes float files; on x86 it takes no int8 ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import metadata
from typing import TYPE_CHECKING

from edgebench.agent.runtimes._tflite import InferenceSession

if TYPE_CHECKING:
    from edgebench.schema.variant import Variant

FORMAT = "tflite"
NEEDS = ("tflite-runtime",)
OPTIONS: tuple[tuple[str, ...], ...] = ()
DEVICES: dict[str, str] = {}
SCHEMES: dict[str, str] = {}
NO_PROFILE = (
    "tflite-runtime gives Python no time of an operator; TensorFlow's benchmark_model --enable_op_profiling does"
)
WARMS_UP = True


def version() -> str:
    """Return the installed package's version without importing it."""
    return metadata.version(NEEDS[0])


def prepare() -> None:
    """Import the engine and what it needs."""
    import numpy  # noqa: F401
    import tflite_runtime.interpreter  # noqa: F401


def refuses(variant: Variant, options: Sequence[str]) -> str:
    """Refuse nothing: what the format writes, it computes."""
    return ""


def open(path: str, *, threads: int, batch: int, options: Sequence[str]) -> InferenceSession:
    """Load a file with exactly `threads` threads.

    Raises:
        RuntimeError: beside numpy 2 it can be imported, and opens nothing.
    """
    import numpy
    from tflite_runtime.interpreter import Interpreter

    try:
        interpreter = Interpreter(path, num_threads=threads)
    except SystemError as error:
        raise RuntimeError(
            f"{NEEDS[0]} {version()} opens no file beside numpy {numpy.__version__}; install 'numpy<2', or use litert"
        ) from error
    return InferenceSession(interpreter, batch)

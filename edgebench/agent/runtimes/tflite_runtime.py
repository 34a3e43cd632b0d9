"""tflite-runtime 2.14.0, the last release of TensorFlow Lite's own package, for Linux and Python up to 3.11.

The XNNPACK delegate of this runtime accepts float files; on x86 it does not accept int8 files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import metadata
from typing import TYPE_CHECKING, Any

from edgebench.agent.runtimes._tflite import FedSession, InferenceSession, session

if TYPE_CHECKING:
    from edgebench.schema.variant import Variant

FORMAT = "tflite"
NEEDS = ("tflite-runtime",)
OPTIONS: tuple[tuple[str, ...], ...] = ()
DEVICES: dict[str, str] = {}
SCHEMES: dict[str, str] = {}
NO_PROFILE = (
    "tflite-runtime reports no operator times to Python; TensorFlow's tool benchmark_model --enable_op_profiling does"
)
WARMS_UP = True


def version() -> str:
    """Return the installed package's version without importing it."""
    return metadata.version(NEEDS[0])


def prepare() -> None:
    """Import the engine and its dependencies."""
    import numpy  # noqa: F401
    import tflite_runtime.interpreter  # noqa: F401


def refuses(variant: Variant, options: Sequence[str]) -> str:
    """Return an empty text (no refusal), because tflite-runtime computes everything that the format can contain."""
    return ""


def open(
    path: str, *, threads: int, batch: int, options: Sequence[str], feed: Mapping[str, Any] | None = None
) -> InferenceSession | FedSession:
    """Load a file with exactly `threads` threads.

    Raises:
        RuntimeError: numpy 2 is installed; with numpy 2, this runtime can be imported, but it cannot open a file.
    """
    import numpy
    from tflite_runtime.interpreter import Interpreter

    try:
        interpreter = Interpreter(path, num_threads=threads)
    except SystemError as error:
        raise RuntimeError(
            f"{NEEDS[0]} {version()} cannot open files with numpy {numpy.__version__}; install 'numpy<2', or use litert"
        ) from error
    return session(interpreter, batch, feed)

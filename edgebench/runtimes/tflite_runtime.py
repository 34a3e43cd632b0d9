"""tflite-runtime, TensorFlow Lite's last release of its own, 2.14.0: for Linux and Python up to 3.11.

Its XNNPACK delegate takes float files; on x86 it takes no int8 ones.
"""

from collections.abc import Sequence
from importlib import metadata

from edgebench.runtimes._tflite import Session

FORMAT, PACKAGE = "tflite", "tflite-runtime"
OPTIONS: tuple[tuple[str, ...], ...] = ()
WARMS_UP = True


def version() -> str:
    """Return the installed package's version without importing it."""
    return metadata.version(PACKAGE)


def prepare() -> None:
    """Import the engine and what it needs."""
    import numpy  # noqa: F401
    import tflite_runtime.interpreter  # noqa: F401


def open(path: str, *, threads: int, batch: int, options: Sequence[str]) -> Session:
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
            f"{PACKAGE} {version()} opens no file beside numpy {numpy.__version__}; install 'numpy<2', or use litert"
        ) from error
    return Session(interpreter, batch)

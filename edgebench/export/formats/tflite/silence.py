"""Suppression of what the converter and the quantizer print."""

from __future__ import annotations

import logging
import os
import warnings
from contextlib import contextmanager, redirect_stderr
from io import StringIO
from tempfile import TemporaryFile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def silent() -> Iterator[None]:
    """Suppress output from Python and C++ within the block; exceptions are still raised."""
    os.environ["LITERT_TORCH_SHOW_PROGRESS"] = "n"  # the progress bar writes to standard output
    screen, level = os.dup(2), logging.root.manager.disable
    logging.disable()  # torch's handler writes to the stream that was standard error when torch was imported
    # The command line gives `sys.stderr` a descriptor of its own, so both that stream and descriptor 2 are redirected.
    with TemporaryFile() as said, warnings.catch_warnings(), redirect_stderr(StringIO()):
        warnings.simplefilter("ignore", FutureWarning)  # torch's warnings about functions that the converter calls
        warnings.filterwarnings("ignore", "Warning: Enabling `experimental_preserve_all_tensors`", UserWarning)
        os.dup2(said.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(screen, 2)
            os.close(screen)
            logging.disable(level)

"""Within `silent`, nothing is printed: not through the stream, its descriptor, or a handler with the old stream."""

import logging
import os
import sys
import warnings

import pytest

from edgebench.export.formats.tflite.silence import silent


@pytest.mark.parametrize("way", ["stream", "descriptor", "handler", "warning"])
def test_nothing_is_printed_within_the_block(way: str, capfd: pytest.CaptureFixture[str]) -> None:
    logger, handler = logging.getLogger("library"), logging.StreamHandler(sys.stderr)
    logger.addHandler(handler)
    try:
        with silent():
            if way == "stream":
                print("said", file=sys.stderr)
            elif way == "descriptor":
                os.write(2, b"said\n")
            elif way == "handler":
                logger.warning("said")
            else:
                warnings.warn("said", FutureWarning, stacklevel=1)
        assert capfd.readouterr().err == ""
        logger.warning("after")
        assert "after" in capfd.readouterr().err
    finally:
        logger.removeHandler(handler)

"""An error that nobody foresaw -> a sentence that calls it a bug of ours, and a file to attach to an issue."""

from __future__ import annotations

import platform
import sys
import traceback
from datetime import UTC, datetime
from importlib.metadata import distributions, version
from pathlib import Path

from edgebench.foundation import files
from edgebench.foundation.errors import CaseError, EdgebenchError

FOLDER = "bugs"
_PACKAGE = Path(__file__).parents[1]


def reason(error: Exception) -> str:
    """Return why a case failed: in the error's own words, or that it is a bug.

    Raises:
        EdgebenchError: the error itself, if it is no case's but ends the sweep.
    """
    if isinstance(error, EdgebenchError) and not isinstance(error, CaseError):
        raise error
    return str(error) if isinstance(error, CaseError) else sentence(error)


def sentence(error: Exception) -> str:
    """Write the file, and say in one line what it is about and where it lies."""
    return f"a bug of edgebench, not of what it was given ({_where(error)}): attach {_kept(error)} to an issue"


def _where(error: Exception) -> str:
    """Name the error and our line that it came through last."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if Path(frame.filename).is_relative_to(_PACKAGE)]
    place = f" in {Path(ours[-1].filename).relative_to(_PACKAGE)}:{ours[-1].lineno}" if ours else ""
    return f"{type(error).__name__}{place}"


def _kept(error: Exception) -> Path | str:
    """Write the report and return its path; where it cannot be written, what else to attach."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
    try:
        path = files.folder(FOLDER) / f"{stamp}.txt"
        files.write(path, report(error).encode(errors="backslashreplace"))
    except EdgebenchError as refused:
        return f"the command and its output (no report: {refused})"
    return path


def report(error: Exception) -> str:
    """Return what a developer needs: the command, versions and the traceback."""
    packages = sorted({f"{one.name}=={one.version}" for one in distributions()})
    lines = (
        f"edgebench {version('edgebench')}, Python {platform.python_version()}, {platform.platform()}",
        f"command: {sys.argv!r}",
        "".join(traceback.format_exception(error)),
        *packages,
    )
    return "\n".join(lines) + "\n"

"""An unexpected exception -> a sentence that calls it a bug in edgebench, and a bug report to attach to an issue."""

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
    """Return why a case failed: the message of a CaseError, or for other errors a sentence that calls them a bug.

    Raises:
        EdgebenchError: the given error; it is raised again if it must end the whole sweep, not only this case.
    """
    if isinstance(error, EdgebenchError) and not isinstance(error, CaseError):
        raise error
    return str(error) if isinstance(error, CaseError) else sentence(error)


def sentence(error: Exception) -> str:
    """Write a bug report; return one line that names the error and the path of the report."""
    return f"a bug in edgebench, not in your input ({_where(error)}): attach {_kept(error)} to an issue"


def _where(error: Exception) -> str:
    """Return an error's type, and the file and line in edgebench's own code at which the error came up."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if Path(frame.filename).is_relative_to(_PACKAGE)]
    place = f" in {Path(ours[-1].filename).relative_to(_PACKAGE)}:{ours[-1].lineno}" if ours else ""
    return f"{type(error).__name__}{place}"


def _kept(error: Exception) -> Path | str:
    """Write the report and return its path; if it cannot be written, return words for what the user should attach."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
    try:
        path = files.folder(FOLDER) / f"{stamp}.txt"
        files.write(path, report(error).encode(errors="backslashreplace"))
    except EdgebenchError as refused:
        return f"the command and its output (no report: {refused})"
    return path


def report(error: Exception) -> str:
    """Return the text of a bug report: the command, the versions of all packages and the traceback."""
    packages = sorted({f"{one.name}=={one.version}" for one in distributions()})
    lines = (
        f"edgebench {version('edgebench')}, Python {platform.python_version()}, {platform.platform()}",
        f"command: {sys.argv!r}",
        "".join(traceback.format_exception(error)),
        *packages,
    )
    return "\n".join(lines) + "\n"

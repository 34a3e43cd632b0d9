"""A revision of a repository and the working tree -> one night each; the second is judged against the first.

The revision is checked out into a temporary folder and measured there by a process of its own, so that the models, the
Python code and the sweep are those of the revision. Then the working tree is measured, and every changed
configuration is compared with the revision in pairs, as on any night. Both nights use the same installed edgebench and
the same cache.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edgebench.foundation import escape
from edgebench.foundation.comment import comment as written
from edgebench.foundation.errors import RequestError
from edgebench.foundation.progress import Notice
from edgebench.nightly import history
from edgebench.nightly.git import checked_out, commit_of, git
from edgebench.nightly.night import Outcome
from edgebench.nightly.rule.figures import described
from edgebench.nightly.tonight import LEFT_OUT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgebench.foundation.progress import Show
    from edgebench.nightly.summary import Bulletin, SummaryLine

HEAD = "head"
NO_NIGHT = "nothing was measured"
REVISION_DIGITS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What to compare the working tree with.

    Attributes:
        sweep: the path or the name of the sweep, which is read at the revision, too.
        revision: the git revision to compare with.
        folder: folder of the measurements.
        wait: how long to wait for a target that another process uses, as the user wrote it; may be empty.
        limit_s: limit of the expected time, seconds; 0 for no limit.
    """

    sweep: str
    revision: str
    folder: Path
    address: str = ""
    wait: str = ""
    limit_s: float = 0.0


def measure_base(request: Request, place: Path, show: Show, left_out: Sequence[str] = ()) -> None:
    """Measure a revision and write the history with this night to `place`, unless it is there already.

    Raises:
        RequestError: the revision could not be measured.
    """
    if not _unusable(place):
        return
    with checked_out(commit_of(request.revision)) as tree:
        last = _show_all(_command(request, place, left_out), tree / _below_top(), show)
    if why := _unusable(place):
        reason = last.removeprefix("edgebench: ") if why == NO_NIGHT else why
        raise RequestError(f"revision {request.revision} could not be measured: {reason}")


def _command(request: Request, place: Path, left_out: Sequence[str]) -> list[str]:
    options = {"--history": str(place.resolve()), "--address": request.address, "--wait": request.wait}
    given = [word for option, value in options.items() if value for word in (option, value)]
    without = [word for name in left_out for word in ("--leave-out", name)]
    return [sys.executable, "-m", "edgebench", "nightly", "run", request.sweep, *given, *without]


def place_of(request: Request) -> Path:
    """Return the folder with the revision's measurement of the whole sweep, or of the part that fits the time limit.

    Raises:
        RequestError: this is no git repository, or it has no such revision.
    """
    whole = request.folder / commit_of(request.revision)[:REVISION_DIGITS]
    is_part = request.limit_s and _unusable(whole)
    return whole.with_name(f"{whole.name}-{request.limit_s:.0f}s") if is_part else whole


def measured(place: Path) -> tuple[str, ...]:
    """Return the names of the configurations of the baseline at `place`; an empty result if it has no baseline."""
    return () if _unusable(place) else tuple(entry.name for entry in history.read(place).nights[-1].entries)


def _unusable(place: Path) -> str:
    """Return why the history at `place` has no baseline; an empty text if it has one."""
    nights = history.read(place).nights
    if not nights:
        return NO_NIGHT
    unusable = [entry.why for entry in nights[-1].entries if entry.verdict == Outcome.INVALID]
    return unusable[0] if len(unusable) == len(nights[-1].entries) else ""


def _show_all(command: Sequence[str], folder: Path, show: Show) -> str:
    """Run a command, show each line that it writes to standard error, and return the last of them."""
    last = "no reason was given"
    with subprocess.Popen(
        command,
        cwd=folder,
        env=os.environ | {"PYTHONIOENCODING": "utf-8"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
    ) as process:
        for line in process.stderr or ():
            last = escape.plain(line.rstrip("\n"))
            show(Notice(text=f"base: {last}"))
    return last


def begin_head(base: Path) -> Path:
    """Copy the history at `base` to a new folder beside it, replacing that of an earlier gate; return the folder."""
    head = base.parent / HEAD
    shutil.rmtree(head, ignore_errors=True)
    try:
        shutil.copytree(base, head)
    except OSError as error:
        raise RequestError(f"cannot write {head}: {error.strerror}; choose a folder you may write") from error
    return head


def comment(bulletin: Bulletin, revision: str) -> str:
    """Return a comment for a pull request, in Markdown: the headline, and the first configurations that changed."""
    changed = [(str(line.entry.verdict), _described(line)) for line in bulletin.needs_attention]
    against = f"Compared with `{revision}` in pairs of processes, run in turns on one machine."
    notes = [note for note in bulletin.notes if note.startswith(LEFT_OUT)]
    return written(bulletin.headline, against, changed, "`summary.md`", notes)


def _described(line: SummaryLine) -> str:
    """Return a configuration with its changes, or with the reason for its verdict if nothing changed."""
    why = "; ".join(map(described, line.findings)) or line.entry.why or str(Outcome.OK)
    return f"{line.entry.name}: {why}"


def _below_top() -> Path:
    """Return the working folder, relative to the top folder of its repository."""
    return Path.cwd().resolve().relative_to(git("rev-parse", "--show-toplevel", refused="no git repository"))

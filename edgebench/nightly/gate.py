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
from pathlib import Path
from typing import TYPE_CHECKING

from edgebench.foundation import escape
from edgebench.foundation.errors import RequestError
from edgebench.foundation.progress import Notice
from edgebench.nightly import history
from edgebench.nightly.git import checked_out, commit_of, git
from edgebench.nightly.night import Outcome
from edgebench.nightly.rule.figures import described

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgebench.foundation.progress import Show
    from edgebench.nightly.summary import Bulletin, SummaryLine

NAMED = 3  # number of configurations that the comment describes; the others are in summary.md and index.html
HEAD = "head"
NO_NIGHT = "nothing was measured"
REVISION_DIGITS = 12


def measure_base(sweep: str, revision: str, folder: Path, show: Show, address: str = "", wait: str = "") -> Path:
    """Measure a revision once, and return the history with this night below `folder`.

    Raises:
        RequestError: this is no git repository, it has no such revision, or the revision could not be measured.
    """
    commit = commit_of(revision)
    place = folder / commit[:REVISION_DIGITS]
    if not _unusable(place):
        return place
    with checked_out(commit) as tree:
        command = [sys.executable, "-m", "edgebench", "nightly", "run", sweep, "--history", str(place.resolve())]
        options = [*(["--address", address] if address else []), *(["--wait", wait] if wait else [])]
        last = _show_all([*command, *options], tree / _below_top(), show)
    if why := _unusable(place):
        reason = last.removeprefix("edgebench: ") if why == NO_NIGHT else why
        raise RequestError(f"revision {revision} could not be measured: {reason}")
    return place


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
    lines = bulletin.needs_attention
    told = "".join(f"- **{line.entry.verdict}** {_described(line)}\n" for line in lines[:NAMED])
    rest = f"- and {len(lines) - NAMED} more, see `summary.md`\n" if len(lines) > NAMED else ""
    against = f"Compared with `{revision}` in pairs of processes, run in turns on one machine."
    return f"**edgebench: {escape.markdown_line(bulletin.headline)}.** {against}\n\n{told}{rest}".rstrip() + "\n"


def _described(line: SummaryLine) -> str:
    """Return a configuration with its changes, or with the reason for its verdict if nothing changed."""
    why = "; ".join(map(described, line.findings)) or line.entry.why or str(Outcome.OK)
    return escape.markdown_line(f"{line.entry.name}: {why}")


def _below_top() -> Path:
    """Return the working folder, relative to the top folder of its repository."""
    return Path.cwd().resolve().relative_to(git("rev-parse", "--show-toplevel", refused="no git repository"))

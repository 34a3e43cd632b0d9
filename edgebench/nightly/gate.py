"""A revision of a repository and the working tree -> one night each; the second is judged against the first.

The revision is checked out into a temporary folder and measured there by a process of its own, so that the models, the
Python code and the sweep are those of the revision. Then the working tree is measured, and every changed
configuration is compared with the revision in pairs, as on any night. Both nights use the same installed edgebench and
the same cache.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from edgebench.foundation import escape
from edgebench.foundation.comment import comment as written
from edgebench.foundation.errors import RequestError
from edgebench.foundation.progress import Notice, Step
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


@dataclass(kw_only=True)
class BothNights:
    """Passes on the steps of the revision's night and of the working tree's, each with the time left for both nights.

    The second night is expected to take as long as the first, until it begins and says itself how long it takes.
    """

    show: Show
    clock: Callable[[], float] = monotonic
    is_last: bool = False

    def __post_init__(self) -> None:
        self._started = self.clock()

    def __call__(self, event: Step | Notice) -> None:
        """Show a notice as it is, and a step with the time left for both nights and the share that is done."""
        if isinstance(event, Step) and event.left_s is not None and event.share is not None:
            spent_s = self.clock() - self._started
            left_s = event.left_s + (0.0 if self.is_last else spent_s + event.left_s)
            event = replace(event, left_s=left_s, share=spent_s / ((spent_s + left_s) or 1.0))
        self.show(event)


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
    return [sys.executable, "-m", "edgebench", "nightly", "run", request.sweep, "--steps", *given, *without]


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
    """Run a command, show each step and each other line that it prints, and return the last of these other lines."""
    last = "no reason was given"
    with subprocess.Popen(
        command,
        cwd=folder,
        env=os.environ | {"PYTHONIOENCODING": "utf-8"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    ) as process:
        for line in process.stdout or ():
            if step := _step(line):
                show(step)
            else:
                last = escape.plain(line.rstrip("\n"))
                show(Notice(text=f"base: {last}"))
    return last


def as_line(event: Step | Notice) -> str:
    """Return an event as a line that `measure_base` reads: a step as JSON, a notice as its text."""
    return event.text if isinstance(event, Notice) else json.dumps({name: getattr(event, name) for name in _OF_STEP})


_OF_STEP = ("activity", "subject", "done", "total", "left_s", "share")


def _step(line: str) -> Step | None:
    """Return the step of a line; None for a line that is no step."""
    try:
        fields = json.loads(line)
        return Step(**(fields | {"subject": f"base: {fields['subject']}"}))
    except (ValueError, TypeError, KeyError):
        return None


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

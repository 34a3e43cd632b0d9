"""A results folder -> its path, its table, and the data behind the table."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgebench.foundation.errors import InvalidFile, RequestError
from edgebench.foundation.files import make
from edgebench.foundation.progress import warn
from edgebench.foundation.units import counted
from edgebench.results import pictures
from edgebench.results.journal import Journal, existing
from edgebench.results.measurement.evidence import Evidence, gather
from edgebench.results.table import rows
from edgebench.results.table.columns import COLUMNS, cells
from edgebench.results.table.notes import method, notes_of
from edgebench.results.table.ranking import compared
from edgebench.results.table.row import Background, Line, Machine, Table
from edgebench.results.table.selection import ALL, Selection
from edgebench.schema.names import require_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import pandas

    from edgebench.schema.record import Record


def load(results: str | Path) -> pandas.DataFrame:
    """Return the table of a results folder as a data frame: one row per case, with the columns of `comparison.csv`.

    Raises:
        InvalidFile: the folder has no journal, or the journal cannot be read.
    """
    import pandas

    frame = pandas.DataFrame(map(cells, read(Path(results)).rows), columns=list(COLUMNS))
    empty = [column for column in frame if frame[column].isna().all()]
    return frame.astype(dict.fromkeys(empty, "float64"))  # the type that pandas.read_csv gives to such columns


def read(folder: Path) -> Table:
    """Compute the table from the folder's journal; say on standard error if lines of the journal are invalid.

    Raises:
        InvalidFile: the folder has no journal, or the journal cannot be read.
    """
    table, background = study(folder)
    _warn_of(background.lines[0].evidence.unread, folder)
    return table


def records(folder: Path) -> tuple[Record, ...]:
    """Return the records of the folder's journal; say on standard error if lines of the journal are invalid.

    Raises:
        InvalidFile: the folder has no journal, or the journal cannot be read.
    """
    journal = existing(folder)
    found = tuple(journal)
    _warn_of(journal.aside, folder)
    return found


def _warn_of(unread: int, folder: Path) -> None:
    """Say how many lines are invalid: the latest rows may be among them, so an earlier row may take their place."""
    if unread:
        warn(f"{folder}: {_unread(unread)}")


def _unread(count: int) -> str:
    return f"{counted(count, 'invalid line')} of the journal left out; `edgebench report` says what is wrong."


def latest(folder: Path) -> tuple[Table, tuple[str, ...]]:
    """Return the table of each case's latest environment, and notes on the lines and rows that are left out.

    Raises:
        InvalidFile: the folder has no journal, or the journal cannot be read.
    """
    table, _, left_out = latest_lines(folder)
    return table, left_out


def latest_lines(folder: Path) -> tuple[Table, tuple[Line, ...], tuple[str, ...]]:
    """Return the table of each case's latest environment, the data behind its rows, and notes on what is left out.

    Raises:
        InvalidFile: the folder has no journal, or the journal cannot be read.
    """
    table, background = study(folder)
    lines = tuple(line for line in background.lines if line.evidence.is_latest)
    notes = tuple(f"{table.title}: {note}" for note in _left_out(background.lines))
    return replace(table, rows=tuple(line.row for line in lines)), lines, notes


def _left_out(lines: Sequence[Line]) -> Iterator[str]:
    """Yield notes on the journal's invalid lines, which may be the latest ones, and on rows of earlier environments."""
    if unread := lines[0].evidence.unread:
        yield _unread(unread)
    earlier = [line.row for line in lines if not line.evidence.is_latest]
    if earlier:
        epochs = ", ".join(sorted({row.setup.epoch for row in earlier}))
        yield f"{counted(len(earlier), 'row')} of earlier environments left out, epoch {epochs}."


def study(folder: Path, selection: Selection = ALL) -> tuple[Table, Background]:
    """Compute the table of the selected rows, and the data behind that table, from the folder's journal.

    A selected row keeps its rank among all rows, and keeps its speed-up over its float twin even if the twin is not
    selected.

    Raises:
        InvalidFile: the folder has no journal, or the journal cannot be read.
        UnknownName, RequestError: no row matches the selection.
    """
    journal = existing(folder)
    records = tuple(journal)
    evidence = gather(records, journal.aside)
    if not evidence:
        raise InvalidFile(f"wanted a measured case in {folder}, found {_found(journal, len(records))}")
    every = compared(rows.lines(evidence))
    lines = tuple(selection.select(every, lambda line: line.row.setup, str(folder)))
    notes, of_method = notes_of(records, evidence, journal)
    table = Table(title=folder.resolve().name, rows=tuple(line.row for line in lines), notes=notes, method=of_method)
    return table, replace(_background(lines), albums=_albums(folder, lines))


def _found(journal: Journal, records: int) -> str:
    """Say what a journal without a case has instead, and what to do."""
    if journal.reasons:
        whose = f"; {records} records belong to sessions in such lines" if records else ""
        return f"only invalid lines, the first is {journal.reasons[0]}{whose}; correct that line, or restore the file"
    if records:
        return f"only {records} records whose session is not in the journal; measure a sweep into this folder"
    what = "only an incomplete line" if journal.torn else "none"
    return f"{what}; measure a sweep into this folder"


def _albums(folder: Path, lines: Iterable[Line]) -> dict[str, dict[str, Any]]:
    """Map each artifact's hash to the folder's test pictures on which the artifact errs most."""
    hashes = dict.fromkeys(line.evidence.artifact.sha256 for line in lines if line.evidence.artifact)
    return {sha256: album for sha256 in hashes if (album := pictures.read(folder, sha256))}


def _background(lines: tuple[Line, ...]) -> Background:
    return Background(
        lines=lines,
        machines=tuple(_machines(line.evidence for line in lines)),
        methods=tuple(method(name) for name in dict.fromkeys(line.row.setup.preset for line in lines)),
    )


def _machines(evidence: Iterable[Evidence]) -> Iterator[Machine]:
    """Describe each target in each epoch (state of the machine), using the facts from the epoch's last session."""
    sessions = {
        (one.case.target, one.session.environment.epoch): one.session
        for one in evidence
        if one.session.environment.is_reached
    }
    for (target, epoch), session in sessions.items():
        here = session.environment
        yield Machine(
            title=f"{target}, epoch {epoch}",
            asked=session.started_at,
            facts=_words(here.facts) | {"agent": here.agent_sha256[:12], "edgebench": session.edgebench},
            packages=here.packages,
        )


def _words(facts: Mapping[str, str]) -> dict[str, str]:
    """Format a target's facts for people: memory sizes become GiB."""
    memory = {"memory_bytes": f"{int(facts['memory_bytes']) / 1024**3:.1f} GiB"} if "memory_bytes" in facts else {}
    return {name.removesuffix("_bytes"): fact for name, fact in (dict(facts) | memory).items()}


RESULTS = Path("results")


def results_folder(name: str) -> Path:
    """Make `results/<name>/`.

    Raises:
        RequestError: the name is not a valid folder name, or the folder cannot be made or written.
    """
    require_name(name)
    folder = RESULTS / name
    try:
        make(folder)
    except OSError as error:
        raise RequestError(f"cannot make {folder}: {error.strerror}; run in a folder that you may write to") from error
    if not os.access(folder, os.W_OK):
        raise RequestError(f"cannot write {folder}: Permission denied; run in a folder that you may write to")
    return folder

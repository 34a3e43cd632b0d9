"""A results folder -> where it lies, its table, and what lies behind it."""

from __future__ import annotations

import os
import re
from dataclasses import asdict, fields, replace
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING

from edgebench.foundation.errors import RequestError
from edgebench.results.journal import existing
from edgebench.results.measurement import summarize
from edgebench.results.measurement.evidence import Evidence, gather
from edgebench.results.table.notes import method, notes_of
from edgebench.results.table.ranking import ranked, sped
from edgebench.results.table.row import QUANTILES, Background, Machine, Row, Table
from edgebench.results.table.rows import row
from edgebench.schema.record import Run

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import pandas


def load(results: str | Path) -> pandas.DataFrame:
    """Return the table of a results folder, one row a case: the columns of `comparison.csv`.

    Raises:
        InvalidFile: the folder has no journal, or one that cannot be read.
    """
    import pandas

    rows = [asdict(row) for row in read(Path(results)).rows]
    return pandas.DataFrame(rows, columns=[field.name for field in fields(Row)])


def read(folder: Path) -> Table:
    """Compute the table from the folder's journal.

    Raises:
        InvalidFile: there is no journal, or one that cannot be read.
    """
    return study(folder)[0]


def study(folder: Path) -> tuple[Table, Background]:
    """Compute the table from the folder's journal, and what lies behind it.

    Raises:
        InvalidFile: there is no journal, or one that cannot be read.
    """
    journal = existing(folder)
    records = tuple(journal)
    evidence = gather(records)
    rows = [row(one, summarize(one)) for one in evidence]
    table = Table(
        title=folder.resolve().name,
        rows=tuple(sped(ranked(rows))),
        notes=tuple(notes_of(records, evidence, journal)),
    )
    return table, _background(table.rows, dict(zip(rows, evidence, strict=True)))


def _background(rows: Sequence[Row], laid_out: Mapping[Row, Evidence]) -> Background:
    """Gather what lies behind rows in their order; `laid_out` has them as they were before they were compared."""
    behind = [laid_out[_bare(row)] for row in rows]
    return Background(
        processes=tuple(tuple(_quantiles(run) for run in one.timed) for one in behind),
        machines=tuple(_machines(behind)),
        methods=tuple(method(name) for name in dict.fromkeys(row.preset for row in rows)),
    )


def _bare(row: Row) -> Row:
    return replace(row, rank=None, tied=False, speedup=None, speedup_low=None, speedup_high=None)


def _quantiles(run: Run) -> tuple[float, ...]:
    """Return a process's samples at `QUANTILES`, ms, four digits: the nearest, none in between; none of no numbers."""
    if not run.samples_s or not all(map(isfinite, run.samples_s)):
        return ()
    ordered = sorted(run.samples_s)
    return tuple(float(f"{ordered[round(share * (len(ordered) - 1))] * 1e3:.4g}") for share in QUANTILES)


def _machines(evidence: Iterable[Evidence]) -> Iterator[Machine]:
    """Lay out each target in each epoch, as the last session found it."""
    sessions = {(one.case.target, one.session.environment.epoch): one.session for one in evidence}
    for (target, epoch), session in sessions.items():
        here = session.environment
        yield Machine(
            title=f"{target}, epoch {epoch}",
            asked=session.started_at,
            facts=_words(here.facts) | {"agent": here.agent_sha256[:12], "edgebench": session.edgebench},
            packages=here.packages,
        )


def _words(facts: Mapping[str, str]) -> dict[str, str]:
    """Write facts as people read them: memory in GiB."""
    memory = {"memory_bytes": f"{int(facts['memory_bytes']) / 1024**3:.1f} GiB"} if "memory_bytes" in facts else {}
    return {name.removesuffix("_bytes"): fact for name, fact in (dict(facts) | memory).items()}


RESULTS = Path("results")


def results_folder(name: str) -> Path:
    """Make `results/<name>/`.

    Raises:
        RequestError: the name is no folder's name, or the folder cannot be made or written.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        raise RequestError(f"wanted a name of letters, digits, '.', '_' and '-' for the results, found {name!r}")
    folder = RESULTS / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RequestError(f"cannot make {folder}: {error.strerror}; run in a folder you may write") from error
    if not os.access(folder, os.W_OK):
        raise RequestError(f"cannot write {folder}: Permission denied; run in a folder you may write")
    return folder

"""A results folder, or a CSV of another tool -> the rows to check -> a table of findings."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import compress
from pathlib import Path
from typing import TYPE_CHECKING

from edgebench.analysis.lint.reading import MOST_FINDINGS, csv_rows, duplicates, read, unknown_precisions
from edgebench.analysis.lint.rules import CheckedRow, Finding, lint
from edgebench.foundation.escape import plain
from edgebench.foundation.sheet import IDENTITY, OBJECTIVE, Column, Sheet
from edgebench.foundation.units import counted
from edgebench.results import folders
from edgebench.results.table.columns import flat

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

UNTIMED = "No row has a latency in ms, so times were not checked: `--columns p50_ms=heading` names a column in ms."
FRACTIONS = "No metric is above 1 %, so these are probably fractions: multiply them by 100."
SHOWN_LINES = 8  # most rows that are listed per finding; further rows are only counted


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """The findings in a table, and the parts of the table that were not checked.

    Attributes:
        setups: for each line number, the properties in which its row differs from other rows, such as target and
            threads.
        left_out: number of rows that were not checked because they are INVALID or FAILED.
        predicted: number of rows that were not checked because they are predictions.
        fed: number of rows that were not compared because their models have no width.
        naming: a note on the columns that name the networks; an empty text if these columns are clear.
        says_precision: whether the table states the precision of at least one row.
        has_times: whether at least one row has a latency.
        has_fractions: whether no metric, in per cent, is above 1, so that these are probably fractions.
    """

    table: str
    rows: int
    findings: tuple[Finding, ...]
    setups: Mapping[int, str]
    left_out: int = 0
    predicted: int = 0
    fed: int = 0
    naming: str = ""
    says_precision: bool = True
    has_times: bool = True
    has_fractions: bool = False


def review(path: Path, columns: str = "") -> Review:
    """Check a results folder or a CSV.

    `columns` maps edgebench's column names to another tool's headings: `p50_ms=latency,width=alpha`. `columns` can also
    give the pattern that splits a column of full names: `model=timm`, or `model={architecture}_{width}_{resolution}`.

    Raises:
        InvalidFile: the table cannot be read, the folder has no journal, or the CSV has no heading.
        UnknownName, RequestError: `columns` does not fit the table, or there are too many configurations.
    """
    if path.is_dir():
        rows = folders.read(path).rows
        # The means of edgebench's own rows are not checked: a row's verdict already says if something disturbed it.
        worth = [flat(row) | {"mean_ms": None} for row in rows if not row.is_worthless]
        reading, left_out, note = read(enumerate(worth, 1)), len(rows) - len(worth), ""
    else:
        with csv_rows(path, columns) as (foreign_rows, headings):
            reading, left_out, note = read(foreign_rows), 0, headings.note
    entries = tuple(reading.entries.values())
    findings = (*reading.odd, *unknown_precisions(reading), *duplicates(reading), *lint(entries))
    return Review(
        table=plain(path.name),
        rows=reading.rows,
        findings=findings,
        setups=_setups(entries),
        left_out=left_out,
        predicted=reading.predicted,
        fed=reading.fed,
        naming=note,
        says_precision=not entries or any(row.precision for row in entries) or bool(reading.precisions),
        has_times=not entries or any(row.latency_ms is not None for row in entries),
        has_fractions=max((row.metric[1] for row in entries if row.metric), default=100) <= 1,
    )


def _setups(entries: Sequence[CheckedRow]) -> dict[int, str]:
    """Describe each line's setup by the properties in which the table's rows differ."""
    varies = [len(set(column)) > 1 for column in zip(*(row.setup for row in entries), strict=True)]
    return {row.line: " · ".join(compress(filter(None, row.setup), _told(row.setup, varies))) for row in entries}


def _told(setup: Iterable[str], varies: Iterable[bool]) -> Iterator[bool]:
    """For each non-empty word of the rows' setups, yield whether the rows differ in this word."""
    return (tells for word, tells in zip(setup, varies, strict=True) if word)


def _lines(finding: Finding) -> str:
    shown, more = finding.lines[:SHOWN_LINES], len(finding.lines) - SHOWN_LINES
    return ", ".join(map(str, shown)) + (f" and {more} more" if more > 0 else "")


def sheet(review: Review) -> Sheet:
    """Lay out the findings: the rule, the line numbers of the rows, what is wrong, and the setup of the first row."""
    columns: tuple[Column[Finding], ...] = (
        Column.text("rule", lambda finding: finding.rule, IDENTITY),
        Column.text("rows", _lines, IDENTITY, lines=lambda finding: finding.lines),
        Column.text("finding", lambda finding: finding.text, OBJECTIVE),
        Column.text("setup", lambda finding: review.setups.get(finding.lines[0], "")),
    )
    left_out = f"{counted(review.left_out, 'row', 'is')} INVALID or FAILED, so not checked." if review.left_out else ""
    unmeasured = f"{counted(review.predicted, 'row', 'is')} predicted, so not checked." if review.predicted else ""
    fed = f"{counted(review.fed, 'row', 'is')} of a model without a width, so not compared." if review.fed else ""
    count = len(review.findings)
    rest = f"{counted(count - MOST_FINDINGS, 'more finding', 'is')} not shown." if count > MOST_FINDINGS else ""
    silent = "" if review.says_precision else "No column has the precision, so int8 rows were not compared with float."
    untimed = "" if review.has_times else UNTIMED
    fractions = FRACTIONS if review.has_fractions else ""
    title = f"{review.table}: {counted(review.rows, 'row')}, {counted(count, 'finding')}"
    notes = filter(None, (left_out, unmeasured, fed, rest, silent, untimed, fractions, review.naming))
    return Sheet.of(title, columns, review.findings[:MOST_FINDINGS], notes)

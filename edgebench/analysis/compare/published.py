"""A results folder -> each of its rows, compared with the most similar published row."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from math import log
from typing import TYPE_CHECKING

from edgebench.analysis.compare.folders import bounds
from edgebench.foundation import stats
from edgebench.foundation.sheet import IDENTITY, OBJECTIVE, Column, Sheet, Value
from edgebench.foundation.stats import Ratio
from edgebench.foundation.units import counted, millions, milliseconds, number
from edgebench.networks import published
from edgebench.networks.published import runtime
from edgebench.results import folders
from edgebench.results.table.selection import ALL, Selection

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from edgebench.networks.published import PublishedLatency
    from edgebench.results.table.row import Row

NO_LATENCY = "without a usable latency of batch 1; an emulator and a compiler give none"
ALIKE = 1.5  # two measurements of the same network, board and runtime rarely differ by more than this factor


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """A row and the most similar published row.

    Attributes:
        figure: the compared statistic: `p50`, `p90`, or `p50 / mean` if only a mean was published.
        ratio: the measured latency divided by the published latency. Its interval comes from the measured median alone;
            a ratio of p90 has no interval.
        theirs: the published row that is compared.
        differs: the differences between the two rows other than latency, in words.
    """

    name: str
    figure: str
    ours_ms: float
    theirs_ms: float
    ratio: Ratio
    theirs: PublishedLatency
    is_this_board: bool
    differs: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Citations:
    """A folder's rows, each with its published counterpart, and the names of the rows that have no counterpart.

    `left_out` is the number of rows that have no latency to compare.
    """

    folder: str
    rows: tuple[Beside, ...]
    unmatched: tuple[str, ...]
    left_out: int


def beside_published(folder: Path, selection: Selection = ALL) -> Citations:
    """Compare each row of a results folder with the nearest published row of the same network and precision.

    Raises:
        InvalidFile: the folder has no readable journal.
        UnknownName, RequestError: no row matches the selection.
    """
    table = folders.read(folder)
    selected = selection.select(table.rows, lambda row: row.setup, str(folder))
    rows = [row for row in selected if not row.is_worthless and row.latency.p50_ms and row.setup.batch == 1]
    nearest = [(row, _nearest(row)) for row in rows]
    with_place = len({row.setup.place for row in rows}) > 1
    return Citations(
        folder=table.title,
        rows=tuple(_beside(row, theirs, with_place=with_place) for row, theirs in nearest if theirs),
        unmatched=tuple(f"{row.setup.network} {row.setup.precision}" for row, theirs in nearest if not theirs),
        left_out=len(selected) - len(rows),
    )


def _nearest(row: Row) -> PublishedLatency | None:
    """Return the published row of the same network and precision that is most similar to a row; None if there is none.

    Prefer a row that times a full inference, then a row of the same board, then of the same runtime, then of the same
    number of threads. Among equally similar rows, prefer the latest.
    """
    setup = row.setup
    variant = (setup.architecture, setup.width, setup.resolution, setup.precision)
    same = [cited for cited in published.latencies() if _variant(cited) == variant]
    return min(reversed(same), key=lambda cited: _distance(row, cited), default=None)


def _variant(cited: PublishedLatency) -> tuple[str, float, int, str]:
    return cited.architecture, cited.width, cited.resolution, cited.precision


def _distance(row: Row, cited: PublishedLatency) -> tuple[bool, ...]:
    setup = row.setup
    return (
        bool(cited.reservation),
        cited.target != setup.target,
        cited.runtime != setup.runtime,
        cited.threads != setup.threads,
        cited.mean_ms is None,
    )


def _beside(row: Row, theirs: PublishedLatency, *, with_place: bool = False) -> Beside:
    figure, ours, other, bounds = _figures(row, theirs)
    where = f" on {row.setup.place}" if with_place else ""
    return Beside(
        name=f"{row.setup.title}, {row.setup.runtime}{where}",
        figure=figure,
        ours_ms=ours,
        theirs_ms=other,
        ratio=Ratio(value=ours / other, low=bounds and bounds[0] / other, high=bounds and bounds[2] / other),
        theirs=theirs,
        is_this_board=theirs.target == row.setup.place,
        differs=", ".join(_differs(row, theirs)),
    )


def _figures(row: Row, theirs: PublishedLatency) -> tuple[str, float, float, stats.Spread | None]:
    """Return the statistic to compare, the measured value, the published value, and the interval of the measured value.

    If both rows have p50, compare p50; if both have MLPerf's p90, compare p90; otherwise compare our p50 with the
    published mean.
    """
    assert row.latency.p50_ms
    if theirs.p50_ms:
        return "p50", row.latency.p50_ms, theirs.p50_ms, row.spread
    if theirs.p90_ms and row.latency.p90_ms:
        return "p90", row.latency.p90_ms, theirs.p90_ms, None
    mean_ms = theirs.mean_ms or theirs.p90_ms
    assert mean_ms
    return "p50 / mean" if theirs.mean_ms else "p50 / p90", row.latency.p50_ms, mean_ms, row.spread


def _differs(row: Row, theirs: PublishedLatency) -> Iterator[str]:
    setup = row.setup
    if theirs.reservation:
        yield f"theirs: {theirs.reservation}"
    if theirs.target != setup.place:
        yield f"board {setup.place} / {theirs.target}"
    yield f"runtime {setup.runtime} {setup.runtime_version} / {runtime(theirs)}"
    if theirs.threads != setup.threads:
        yield f"threads {setup.threads} / {theirs.threads or 'not stated'}"
    known = published.reference(*_variant(theirs))
    if known and known.macs and row.cost.macs and known.macs != row.cost.macs:
        yield f"MACs {millions(row.cost.macs, 1)} M / {millions(known.macs, 1)} M"
    yield f"their clock {theirs.clock_mhz} MHz" if theirs.clock_mhz else "their clock not stated"


def far(beside: Beside) -> str:
    """Return a phrase that compares a row with its published row: `2.9x slower than tflite 2.7.1 on this board`."""
    times, word = (beside.ratio.value, "slower") if beside.ratio.value >= 1 else (1 / beside.ratio.value, "faster")
    board = "this board" if beside.is_this_board else beside.theirs.target
    return f"{times:.1f}x {word} than {runtime(beside.theirs)} on {board}"


def citation_sheet(citations: Citations) -> Sheet:
    """Lay out the rows that have a published counterpart, with the ratio and the other differences between the two."""
    some = ", ".join(dict.fromkeys(citations.unmatched))
    notes = (
        "Ratio: our latency divided by the published latency, with the interval of our median alone. p90 is MLPerf's.",
        *([f"Nothing was published for {some}."] if some else []),
        *([f"Left out: {counted(citations.left_out, 'row')} {NO_LATENCY}."] if citations.left_out else []),
    )
    title = f"{citations.folder} beside the nearest published rows"
    return Sheet.of(title, COLUMNS, citations.rows, notes, name="cases").closed(_conclusion(citations))


def _conclusion(citations: Citations) -> Iterator[str]:
    """Say whether the rows agree with what was published, on this board first, and what to look at."""
    rows = citations.rows
    if not rows and not citations.unmatched:
        yield "No row has a usable latency, so nothing can be compared."
        return
    if not rows:
        yield "Nothing was published for any of these rows, so they cannot be checked in this way."
        return
    here = [row for row in rows if row.is_this_board]
    judged, where = (here, "on the same board") if here else (rows, "on other boards")
    ratios = sorted(row.ratio.value for row in judged)
    farthest = max(judged, key=lambda row: abs(log(row.ratio.value)))
    span = f"{ratios[0]:.2f} to {ratios[-1]:.2f} times" if len(ratios) > 1 else f"{ratios[0]:.2f} times"
    yield f"{counted(len(judged), 'row', 'takes')} {span} as long as published {where}."
    if here:
        near = sum(1 / ALIKE <= ratio <= ALIKE for ratio in ratios)
        yield f"{near} of {len(here)} within a factor of {ALIKE:g}; the farthest is {farthest.name}: {far(farthest)}."
    else:
        yield "Different boards say nothing about this measurement: only compare ratios between networks."


def citation_fields(citations: Citations) -> dict[str, Value]:
    """Lay out for JSON the facts that the table states in its notes: the folder, and the rows without a published
    counterpart.
    """
    return {"folder": citations.folder, "unmatched": citations.unmatched}


COLUMNS: tuple[Column[Beside], ...] = (
    Column.text("case", lambda row: row.name, IDENTITY),
    Column.number("figure", lambda row: row.figure, IDENTITY, figure=lambda row: row.figure),
    Column.figure("ours ms", lambda row: row.ours_ms, milliseconds, OBJECTIVE),
    Column.figure("theirs ms", lambda row: row.theirs_ms, milliseconds, OBJECTIVE),
    Column.figure("ratio", lambda row: row.ratio.value, partial(number, digits=3), OBJECTIVE),
    Column.number(
        "[95 %]",
        lambda row: bounds(row.ratio),
        OBJECTIVE,
        ratio_low=lambda row: row.ratio.low,
        ratio_high=lambda row: row.ratio.high,
    ),
    Column.text(
        "published",
        far,
        is_this_board=lambda row: row.is_this_board,
        their_target=lambda row: row.theirs.target,
        their_runtime=lambda row: runtime(row.theirs),
        their_source=lambda row: row.theirs.source,
    ),
    Column.text("differs", lambda row: row.differs),
)

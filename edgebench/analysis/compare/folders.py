"""Two results folders, called A and B -> tables of the ratios of their latencies and of the differences between their
environments.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from functools import partial
from math import exp, expm1, hypot, log
from statistics import median
from typing import TYPE_CHECKING

from edgebench.analysis.compare.pairing import T_9875, Pair, paired, scatter, spread
from edgebench.foundation import stats
from edgebench.foundation.sheet import IDENTITY, OBJECTIVE, Column, Sheet, Value
from edgebench.foundation.stats import Ratio
from edgebench.foundation.units import counted, milliseconds, number
from edgebench.results import folders
from edgebench.results.journal import Journal
from edgebench.results.measurement import beats
from edgebench.results.measurement.evidence import BEAT, reference_medians
from edgebench.results.table.ranking import ratio
from edgebench.results.table.selection import ALL, Selection
from edgebench.schema.environment import Difference, differences, words
from edgebench.schema.record import Reference, Run

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence
    from pathlib import Path

    from edgebench.results.table.row import Line, Row, Table
    from edgebench.schema.record import Record

_ANYWHERE = (
    *("architecture", "width", "resolution", "precision", "quantization", "weights", "data", "preprocessing"),
    "inputs",
)
_VERSIONS = ("runtime_version", "runtime_options", "runtime_packages")
_CASE = (*_ANYWHERE, "runtime", "threads", "batch", "preset")
_ALL = (*_CASE, *_VERSIONS, "target")
Place = tuple[str, str]  # a target, and an epoch (a state of its machine)
Places = tuple[Place, Place]  # where a case was measured for the first folder, and where for the second
SHOWN = 12  # number of hexadecimal digits of a hash that a table shows
# Keys by which rows of the same case are paired, the strictest first.
# The keys are: all properties; all but the contents of weights and data set; also without the target; also without the
# runtime's version, but with the target; without target and version.
KEYS = ((*_ALL, "weights_sha256", "dataset_sha256"), _ALL, _CASE + _VERSIONS, (*_CASE, "target"), _CASE)
APART = (
    "B / A is the ratio of the medians, with a 95 % interval from the intervals of both medians (MOVER, Zou and Donner"
    " 2008). The interval covers the scatter of processes within each session, but not the differences between"
    " sessions. For the ratio in beats, each latency is first divided by the time of a fixed workload that runs between"
    " the samples. This ratio is the shift from A's processes to B's (Hodges and Lehmann 1963), with the interval of"
    " Mann and Whitney's test."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contrast:
    """The comparison of two folders: their cases, environments and reference workloads.

    Attributes:
        pairs: the cases that both folders have.
        missing: the names of the cases that only the first folder has.
        new: the names of the cases that only the second folder has.
        references: for each reference workload (a fixed workload that uses no runtime), the ratio of its times. If the
            cases ran on several machines, there is a ratio for each machine.
        left_out: for each folder, a sentence on the folder's rows from earlier environments, which are not compared.
        shared: the settings that all cases of both folders have.
    """

    before: str
    after: str
    pairs: tuple[Pair, ...]
    missing: tuple[str, ...]
    new: tuple[str, ...]
    differences: tuple[Difference, ...]
    references: tuple[tuple[str, Ratio], ...]
    left_out: tuple[str, ...] = ()
    shared: tuple[str, ...] = ()


def contrast(before: Path, after: Path, selection: Selection = ALL) -> Contrast:
    """Compare two results folders, case by case.

    Raises:
        InvalidFile: a folder has no readable journal.
        UnknownName, RequestError: a folder has no row that the selection accepts.
    """
    first_table, first_lines, first_left = _latest(before, selection)
    second_table, second_lines, second_left = _latest(after, selection)
    journals = [tuple(Journal(folder)) for folder in (before, after)]
    pairs, missing, new = paired(first_lines, second_lines, [_key(names) for names in KEYS])
    in_beats = [_in_beats(*pair) for pair in pairs]
    places = [(_place(early), _place(late)) for early, late in pairs]
    runs = {place: [_of(*one) for one in zip(journals, place, strict=True)] for place in dict.fromkeys(places)}
    references = {place: tuple(_references(*both)) for place, both in runs.items()}
    units = [(place, _beat(late, change)) for place, (_, late), change in zip(places, pairs, in_beats, strict=True)]
    changes = defaultdict[tuple[Places, str], list[float]](list)
    for unit, change in zip(units, in_beats, strict=True):
        changes[unit] += [log(change.value)] if change else []
    varies = {
        (place, beat): sessions(tuple(_fixed(references[place], runs[place], beat)), changes[place, beat])
        for place, beat in dict.fromkeys(units)
    }
    shared = _shared([late.row for _, late in pairs])
    return Contrast(
        before=first_table.title,
        after=second_table.title,
        pairs=tuple(
            replace(
                _pair(early.row, late.row, change, varies[unit]),
                short_name=", ".join(name for name in _phrases(late.row) if name not in shared),
            )
            for (early, late), change, unit in zip(pairs, in_beats, units, strict=True)
        ),
        missing=tuple(map(_name, missing)),
        new=tuple(map(_name, new)),
        differences=(*dict.fromkeys(_contents(pairs)), *_between(dict(zip(places, pairs, strict=True)))),
        references=tuple(_titled(references)),
        left_out=first_left + second_left,
        shared=shared,
    )


def _latest(folder: Path, selection: Selection) -> tuple[Table, list[Line], tuple[str, ...]]:
    table, lines, left = folders.latest_lines(folder)
    return table, selection.select(lines, lambda line: line.row.setup, str(folder)), left


def _key(names: Sequence[str]) -> Callable[[Line], Hashable]:
    return lambda line: tuple(getattr(line.row.setup, name) for name in names)


def _name(line: Line) -> str:
    return _named(line.row)


def _named(row: Row) -> str:
    return ", ".join(_phrases(row))


def _phrases(row: Row) -> tuple[str, ...]:
    """Return the phrases of a case's name: network and precision, then the settings."""
    setup = row.setup
    threads = counted(setup.threads, "thread")
    return setup.title, setup.runtime, threads, f"batch {setup.batch}"


def _beat(line: Line, change: Ratio | None) -> str:
    return line.row.latency.beat if change else ""


def _shared(rows: Sequence[Row]) -> tuple[str, ...]:
    """Return the settings that all rows have; the title states them once."""
    first = _phrases(rows[0])[1:] if rows else ()
    return tuple(setting for setting in first if all(setting in _phrases(row) for row in rows))


def _place(line: Line) -> Place:
    return line.row.setup.target, line.row.setup.epoch


def _of(records: Sequence[Record], place: Place) -> list[Run]:
    """Return the recorded runs of one target in one epoch; those of different machines are never compared."""
    runs = (record for record in records if isinstance(record, Run))
    return [run for run in runs if (run.case.target, run.epoch) == place]


def _titles(places: Collection[Places]) -> dict[Places, str]:
    """Return the beginning of what is said of each machine: its name in the second folder, if there are several."""
    targets = Counter(target for _, (target, _) in places)
    if len(places) == 1:
        return dict.fromkeys(places, "")
    return {
        (one, (target, epoch)): f"{target}{f' in epoch {epoch}' * (targets[target] > 1)}: "
        for one, (target, epoch) in places
    }


def _titled(references: Mapping[Places, Sequence[tuple[str, Ratio]]]) -> Iterator[tuple[str, Ratio]]:
    """Yield the ratios of all machines under their names."""
    titles = _titles(references)
    for place, ratios in references.items():
        for name, one in ratios:
            yield f"{titles[place]}{name}", one


def _in_beats(before: Line, after: Line) -> Ratio | None:
    """Compare the latencies in reference beats, which are runs of a fixed workload between the samples.

    Return None if the two rows had different beat workloads, or if the verdict of a row says not to use the row.
    """
    rows = before.row, after.row
    if before.row.latency.beat != after.row.latency.beat or any(row.is_worthless for row in rows):
        return None
    change = stats.shift(beats.levels(before.evidence.timed), beats.levels(after.evidence.timed))
    return Ratio(**dict(zip(("low", "value", "high"), map(exp, change), strict=True))) if change else None


def _pair(before: Row, after: Row, in_beats: Ratio | None, varies: float) -> Pair:
    """Compare the p50 of two rows. The ratio has no interval if one of the two p50 has no interval.

    There is no ratio if the verdict of a row says not to use the row.
    """
    whys = [f"{which} {row.verdict}" for which, row in (("A", before), ("B", after)) if row.is_worthless]
    p50_ratio = ratio(after, before)
    if not whys and not p50_ratio and before.latency.p50_ms and after.latency.p50_ms:
        p50_ratio = Ratio(value=after.latency.p50_ms / before.latency.p50_ms, low=None, high=None)
    return Pair(
        name=_named(after),
        before_ms=before.latency.p50_ms,
        after_ms=after.latency.p50_ms,
        ratio=None if whys else p50_ratio,
        why=", ".join(whys) or _why(before, after, p50_ratio),
        in_beats=in_beats,
        sessions=varies,
    )


def _why(before: Row, after: Row, p50_ratio: Ratio | None) -> str:
    """Return why a ratio has no interval; an empty text if it has an interval."""
    if p50_ratio and p50_ratio.low:
        return ""
    untimed = [f"{which} {row.verdict}" for which, row in (("A", before), ("B", after)) if not row.latency.p50_ms]
    return f"no time: {', '.join(untimed)}" if untimed else "too few processes for an interval"


def sessions(fixed: Sequence[float], changes: Sequence[float] = ()) -> float:
    """Return how far two sessions of the same code can differ, as the logarithm of a ratio.

    `fixed` are the ratios of the reference workloads, which are fixed and use no runtime; `changes` are the logarithms
    of the cases' ratios in beats. If there are many cases, the result combines their scatter with the change of the
    steadiest workload, which could affect all cases. Many cases are better evidence than two workloads, because the
    time of a memory workload can change by 20 % between sessions in which no case changes by 1 %. If the workloads
    alone give a smaller result, the smaller one is returned, because half of the cases may really have changed, which
    makes their scatter too large.
    """
    scattered = scatter(changes)
    if scattered is None:
        return spread(fixed)
    both = hypot(scattered, min((abs(log(value)) for value in fixed), default=0.0))
    return min(spread(fixed, T_9875), both) if fixed else both


def _fixed(ratios: Sequence[tuple[str, Ratio]], runs: Sequence[Sequence[Run]], beat: str) -> Iterator[float]:
    """Yield the ratio of each reference workload's times, in beats of this name; of the times, if there is no name.

    The processes of older workloads have no beats of their own; for these, the beats of the cases are used.
    """
    of_cases = next((times.value for name, times in ratios if name == f"{BEAT}{beat}"), 1.0)
    for name, times in ratios:
        own = [[run for run in one if _runs_workload(run, name)] for one in runs]
        if not beat:
            yield times.value
        elif all(one and beats.beat(one) == beat for one in own):
            earlier, later = (median(beats.levels(one)) for one in own)
            yield exp(later - earlier)
        elif not name.startswith(BEAT):
            yield times.value / of_cases


def _runs_workload(run: Run, name: str) -> bool:
    return isinstance(run.case, Reference) and run.case.workload == name


def _between(measured: Mapping[Places, tuple[Line, Line]]) -> Iterator[Difference]:
    """Compare the environments in which the cases of both folders were measured.

    An environment of a target that did not answer is unknown, and is not compared.
    """
    titles = _titles(measured)
    for place, lines in measured.items():
        before, after = (line.evidence.session.environment for line in lines)
        if before.is_reached and after.is_reached:
            for found in differences(words(before), words(after)):
                yield replace(found, what=f"{titles[place]}{found.what}")


def _contents(pairs: Sequence[tuple[Line, Line]]) -> Iterator[Difference]:
    """Yield the weights, user-supplied models and data sets that have the same name but different contents."""
    for early, late in pairs:
        before, after = early.row.setup, late.row.setup
        for what, old, new in (
            (f"weights of {after.network}", before.weights_sha256, after.weights_sha256),
            (f"data set {after.data}", before.dataset_sha256, after.dataset_sha256),
        ):
            if old != new:
                yield Difference(what=what, before=old[:SHOWN], after=new[:SHOWN])


def _references(before: Sequence[Record], after: Sequence[Record]) -> Iterator[tuple[str, Ratio]]:
    """Compare the reference workloads. They use no runtime, so they show changes of the machine alone."""
    first, second = _workloads(before), _workloads(after)
    for name in sorted(first.keys() & second.keys()):
        yield name, stats.ratio_of_medians(second[name], first[name])


def _workloads(records: Sequence[Record]) -> dict[str, stats.Spread]:
    medians = reference_medians(records)
    intervals = {name: stats.median_interval(values) for name, values in medians.items()}
    return {name: (span[0], median(medians[name]), span[1]) for name, span in intervals.items() if span}


def folder_sheets(contrast: Contrast) -> tuple[Sheet, ...]:
    """Lay out two tables: the cases, and the differences between the environments."""
    references = ", ".join(f"{name} {_said(one)}" for name, one in contrast.references)
    notes = [
        *contrast.left_out,
        *([f"Times of the reference workloads (no runtime), B over A: {references}."] if references else []),
        *([f"Only in A, {len(contrast.missing)}: {'; '.join(contrast.missing)}."] if contrast.missing else []),
        *([f"Only in B, {len(contrast.new)}: {'; '.join(contrast.new)}."] if contrast.new else []),
    ]
    title = f"A {contrast.before} · B {contrast.after} · {_cases(len(contrast.pairs))} in both"
    title = " · ".join((title, *contrast.shared))
    has_beats = any(pair.in_beats for pair in contrast.pairs)
    columns = tuple(column for column in _CASES if has_beats or column not in _IN_BEATS)
    same = "The recorded environments do not differ." if contrast.pairs else "No case is in both folders."
    none = () if contrast.differences else (same,)
    return (
        Sheet.of(title, columns, contrast.pairs, notes, name="cases").closed(
            _conclusion(contrast.pairs), (APART, *_judged(contrast.pairs))
        ),
        Sheet.of("differences of the environments", _DIFFERENCES, contrast.differences, none, name="differences"),
    )


def _cases(count: int) -> str:
    return f"{count} case{'s' * (count != 1)}"


def _conclusion(pairs: Sequence[Pair]) -> Iterator[str]:
    """Say how many cases became faster or slower by more than the noise, and by how much the latency of the most
    changed case changed.
    """
    judged = [pair for pair in pairs if pair.verdict != "-"]
    if not judged:
        yield "No case was measured well enough in both folders to be compared."
        return
    changed = [_change(judged, verdict) for verdict in ("slower", "faster")]
    if not any(changed):
        yield f"Nothing became faster or slower beyond the noise: {_cases(len(judged))} compared."
    yield from filter(None, changed)
    if len(judged) < len(pairs):
        yield f"{_cases(len(pairs) - len(judged))} could not be judged; see the column verdict."


def _change(judged: Sequence[Pair], verdict: str) -> str:
    """Count the cases with a verdict, and name the case that changed most; an empty text if no case has the verdict."""
    changes = {pair: pair.in_beats or pair.ratio for pair in judged if pair.verdict == verdict}
    known = {pair: change for pair, change in changes.items() if change}
    if not known:
        return ""
    most = max(known, key=lambda pair: abs(log(known[pair].value)))
    per_cent = 100 * (known[most].value - 1)
    name = most.short_name or most.name
    return (
        f"B is {verdict} than A in {len(known)} of {_cases(len(judged))}; most in {name}: its latency changed by"
        f" {per_cent:+.1f} % ({known[most].value:.3f} {bounds(known[most])} times A's)."
    )


def _judged(pairs: Sequence[Pair]) -> Iterator[str]:
    """Explain in which case the verdict is slower or faster, in one sentence per compared figure."""
    by_figure = defaultdict[bool, set[float]](set)
    for pair in pairs:
        if pair.verdict != "-":
            by_figure[pair.in_beats is not None].add(pair.sessions)
    for in_beats, several in sorted(by_figure.items()):
        limits = dict.fromkeys(f"{expm1(one):.1%}" for one in sorted(several))
        by_machine = ", by machine" if len(limits) > 1 else ""
        what = "in beats" if in_beats else "of the medians"
        source = "the reference workloads and the scatter of the cases" if in_beats else "the reference workloads"
        yield (
            f"A case is called slower or faster only if its ratio {what} differs from 1 by more than two things"
            f" together: its interval, and the variation between sessions ({' or '.join(limits)}{by_machine}, a 95 %"
            f" prediction from {source})."
            " `edgebench nightly` finds smaller changes."
        )


def folder_fields(contrast: Contrast) -> dict[str, Value]:
    """Lay out for JSON the facts that the tables state in notes: the folders, cases in only one folder, reference
    workloads.
    """
    references = [
        {"workload": name, "ratio": one.value, "ratio_low": one.low, "ratio_high": one.high}
        for name, one in contrast.references
    ]
    return {
        "before": contrast.before,
        "after": contrast.after,
        "missing": contrast.missing,
        "new": contrast.new,
        "references": references,
    }


def bounds(ratio: Ratio | None) -> str:
    """Format the interval of a ratio; return a dash if there is no ratio or no interval."""
    return "-" if ratio is None or ratio.low is None or ratio.high is None else f"[{ratio.low:.3f}, {ratio.high:.3f}]"


def _said(ratio: Ratio) -> str:
    return f"{ratio.value:.3f} {bounds(ratio)}"


_IN_BEATS: tuple[Column[Pair], ...] = (
    Column.figure(
        "in beats",
        lambda pair: pair.in_beats.value if pair.in_beats else None,
        partial(number, digits=3),
        OBJECTIVE,
        key="ratio_in_beats",
    ),
    Column.number(
        "beats [95 %]",
        lambda pair: bounds(pair.in_beats),
        OBJECTIVE,
        ratio_in_beats_low=lambda pair: pair.in_beats.low if pair.in_beats else None,
        ratio_in_beats_high=lambda pair: pair.in_beats.high if pair.in_beats else None,
    ),
)
_VERDICTS = {"slower": "slower", "faster": "faster", "=": "same", "-": None}  # words in the table -> words in JSON
_CASES: tuple[Column[Pair], ...] = (
    Column.text("case", lambda pair: pair.short_name or pair.name, IDENTITY, case=lambda pair: pair.name),
    Column.figure("A p50 ms", lambda pair: pair.before_ms, milliseconds, key="before_p50_ms"),
    Column.figure("B p50 ms", lambda pair: pair.after_ms, milliseconds, key="after_p50_ms"),
    Column.figure(
        "B / A",
        lambda pair: pair.ratio.value if pair.ratio else None,
        partial(number, digits=3),
        OBJECTIVE,
        key="ratio",
    ),
    Column.number(
        "[95 %]",
        lambda pair: bounds(pair.ratio),
        OBJECTIVE,
        ratio_low=lambda pair: pair.ratio.low if pair.ratio else None,
        ratio_high=lambda pair: pair.ratio.high if pair.ratio else None,
    ),
    *_IN_BEATS,
    Column.text(
        "verdict",
        lambda pair: pair.why or pair.verdict,
        OBJECTIVE,
        verdict=lambda pair: _VERDICTS[pair.verdict],
        why=lambda pair: pair.why or None,
    ),
)
_DIFFERENCES: tuple[Column[Difference], ...] = (
    Column.text("what", lambda difference: difference.what, IDENTITY),
    Column.text(
        "A",
        lambda difference: difference.before or None,
        OBJECTIVE,
        before=lambda difference: difference.before or None,
    ),
    Column.text(
        "B", lambda difference: difference.after or None, OBJECTIVE, after=lambda difference: difference.after or None
    ),
)

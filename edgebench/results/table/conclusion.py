"""Rows of a table -> a few sentences: the fastest row, the most accurate row, and what int8 gains and costs."""

from __future__ import annotations

from collections import Counter, defaultdict
from math import inf
from typing import TYPE_CHECKING

from edgebench.foundation.shelf import literal
from edgebench.foundation.units import counted, milliseconds
from edgebench.results.table.across import across, runtime
from edgebench.results.table.ranking import fastest, most_accurate, speedup, together
from edgebench.schema.variant import Precision

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from edgebench.foundation.stats import Ratio
    from edgebench.results.table.across import Across
    from edgebench.results.table.parts import Setup
    from edgebench.results.table.row import Row

TO_DO = {
    "IMPRECISE": "measure longer, or on a machine that does nothing else",
    "SUSPECT": "see their reasons",
    "INVALID": "do not use them, see their reasons",
    "FAILED": "see their reasons",
    "MISSING": "run the same command again when their target is back",
}
SETTINGS = ("task", "dataset", "batch", "weights", "runtime_version", "runtime_options", "preset", "epoch")
TIMES_ONLY = "do not use their times, see their reasons; their accuracies are VALID"
QUICK = "measure without --preset quick, which takes too few processes for an interval"


def conclude(rows: Iterable[Row]) -> tuple[str, ...]:
    """Return sentences on each group of comparable rows; several groups are told apart by target and runtime."""
    every = tuple(rows)
    groups = together(every)
    sentences = [
        f"{where}: {sentence}" if len(groups) > 1 else sentence
        for where, group in zip(_wheres([group[0].setup for group in groups]), groups, strict=True)
        for sentence in filter(
            None,
            (_elsewhere(group), _fastest(group), _fewer(group), _most_accurate(group), _int8(group), _unsettled(group)),
        )
    ]
    return (*sentences, *(sentence for several in across(every) for sentence in _runtimes(several)))


def _runtimes(several: Sequence[Across]) -> Iterator[str]:
    """Say, for each precision, which runtime is the fastest, and by how much it is faster than the next runtime."""
    leads: dict[tuple[str, str], list[tuple[str, Ratio]]] = defaultdict(list)
    counts = Counter[str]()
    for variant in several:
        timed = sorted((row for row in variant.rows.values() if row.spread), key=lambda row: row.latency.p50_ms or 0.0)
        if len(timed) > 1 and (lead := speedup(timed[1], timed[0])):
            precision = timed[0].setup.precision
            leads[precision, runtime(timed[0])].append((runtime(timed[1]), lead))
            counts[precision] += 1
    for (precision, fastest_one), found in leads.items():
        yield f"{precision}: {_led(fastest_one, found, counts[precision])}."


def _led(runtime: str, leads: Sequence[tuple[str, Ratio]], count: int) -> str:
    nexts = {name for name, _ in leads}
    after = f"{nexts.pop()}, the next runtime" if len(nexts) == 1 else "the next runtime"
    ratios = [lead for _, lead in leads]
    if count == 1:
        return f"{runtime} is the fastest runtime, {_ends(ratios[0])} times as fast as {after}"
    least, most = (end(ratios, key=lambda ratio: ratio.value).value for end in (min, max))
    sure = sum((ratio.low or 0) > 1 for ratio in ratios)
    return (
        f"{runtime} is the fastest runtime of {len(leads)} of {count} networks, {least:.2f} to {most:.2f} times as fast"
        f" as {after}; significantly of {sure}"
    )


def _ends(ratio: Ratio) -> str:
    return f"{ratio.value:.2f}" + (
        "" if ratio.low is None or ratio.high is None else f" [{ratio.low:.2f}, {ratio.high:.2f}]"
    )


def _wheres(setups: Sequence[Setup]) -> list[str]:
    """Return a name for each group, from its setup; it has as many settings as are needed to tell the groups apart."""
    names = [f"{setup.place}, {setup.runtime}, {counted(setup.threads, 'thread')}" for setup in setups]
    for setting in SETTINGS:
        values = [str(getattr(setup, setting)) for setup in setups]
        word, found = setting.replace("_", " "), defaultdict[str, set[str]](set)
        for name, value in zip(names, values, strict=True):
            found[name].add(value)
        names = [
            f"{name}, {f'{word} {value}' if value else f'no {word}'}" if len(found[name]) > 1 else name
            for name, value in zip(names, values, strict=True)
        ]
    return names


def _elsewhere(rows: Sequence[Row]) -> str:
    """Say that the machine is not the board that the target's file names."""
    setup = rows[0].setup
    return f"Not measured on {setup.target}: the machine is {setup.machine}." if setup.machine else ""


def _fastest(rows: Sequence[Row]) -> str:
    ties = fastest(rows)
    best = min(ties, key=lambda row: row.spread or (), default=None)
    if best is None or best.spread is None or len(rows) == 1:
        return ""
    low, middle, high = map(milliseconds, best.spread)
    return f"Fastest: {best.setup.title}, p50 {middle} [{low}, {high}] ms{_tied(ties)}."


def _most_accurate(rows: Sequence[Row]) -> str:
    """Name the most accurate row; if the intervals of several rows overlap, name the fastest of these rows.

    If none of them has a usable time, the row with the highest metric is named.
    """
    ties = most_accurate(rows)
    known = [row for row in ties if row.spread]
    highest = max(ties, key=lambda row: row.share or (), default=None)
    best = min(known, key=lambda row: row.latency.p50_ms or 0.0, default=highest)
    if best is None or best.metric is None or len(rows) == 1:
        return ""
    figure = best.metric
    heading = literal("tasks", best.setup.task, "HEADING")
    share = f"{heading} {figure.value:.1f} [{figure.low:.1f}, {figure.high:.1f}] %"
    slower = " and are slower" if len(known) == len(ties) else ""
    return f"Most accurate: {best.setup.title}, {share}{_tied(ties, slower)}."


def _tied(rows: frozenset[Row], more: str = "") -> str:
    """Say how many other rows tie with this one, because their intervals overlap."""
    others = len(rows) - 1
    if others > 1:
        return f"; {others} other rows tie with it{more}"
    return f"; 1 other row ties with it{more.replace('are', 'is')}" if others else ""


def _int8(rows: Sequence[Row]) -> str:
    """Say by which factor int8 is faster than float, and in how many pairs int8 is significantly less accurate."""
    speedups = [row.standing.speedup for row in rows if row.standing.speedup and not row.is_worthless]
    answering = [row for row in rows if row.setup.precision == Precision.INT8 and not row.has_unusable_answers]
    cost = _cost(answering, "it" if speedups else "int8", "its" if speedups else "int8's")
    parts = [*([_times(speedups)] if speedups else []), *([cost] if cost else [])]
    return f"{', and '.join(parts)}." if parts else ""


def _cost(rows: Sequence[Row], it: str, its: str) -> str:
    """Say in how many of these int8 rows the accuracy is significantly lower than in float; empty if none has one."""
    judged = [(row.change, row.quality.images or 0) for row in rows if row.change]
    worse = [-points for (points, is_significant), _ in judged if is_significant and points < 0]
    if not judged:
        return ""
    if not worse:
        return f"{its} accuracy is not significantly lower on {max(count for _, count in judged)} images"
    points = f"by up to {max(worse):.1f} points"
    return f"{it} is significantly less accurate in {len(worse)} of {counted(len(judged), 'pair')}, {points}"


def _times(speedups: Sequence[Ratio]) -> str:
    if len(speedups) == 1:
        return f"int8 is {_ends(speedups[0])} times as fast as float"
    least, most = (end(speedups, key=lambda ratio: ratio.value).value for end in (min, max))
    faster = sum((ratio.low or 0) > 1 for ratio in speedups)
    slower = sum((ratio.high or inf) < 1 for ratio in speedups)
    beyond = f"; it is significantly faster in {faster} and slower in {slower} of {counted(len(speedups), 'pair')}"
    return f"int8 is {least:.2f} to {most:.2f} times as fast as float{beyond}"


def _fewer(rows: Sequence[Row]) -> str:
    """Say how many more instructions float executes than int8, for rows that an emulator ran."""
    ratios = sorted(ratio for row in rows if (ratio := row.standing.instruction_ratio) and not row.spread)
    if not ratios:
        return ""
    span = f"{ratios[0]:.2f}" if len(ratios) == 1 else f"{ratios[0]:.2f} to {ratios[-1]:.2f}"
    return f"Float executes {span} times as many instructions as int8; an emulator gives no times."


def _unsettled(rows: Sequence[Row]) -> str:
    """Say how many rows are not VALID, and what to do about them."""
    counts = Counter(row.verdict for row in rows if row.verdict in TO_DO)
    if not counts:
        return ""
    to_do = TO_DO | ({"IMPRECISE": QUICK} if all(row.setup.preset == "quick" for row in rows) else {})
    if all(row.accuracy_verdict == "VALID" for row in rows if row.verdict == "INVALID"):
        to_do["INVALID"] = TIMES_ONLY
    listed = "; ".join(f"{counts[verdict]} {verdict}: {todo}" for verdict, todo in to_do.items() if counts[verdict])
    return (
        f"{counts.total()} of {counted(len(rows), 'row')} {'is' if counts.total() == 1 else 'are'} not VALID. {listed}."
    )

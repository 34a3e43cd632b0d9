"""Tonight's figures, the history and pairs -> verdicts, each with its evidence.

This module does no I/O. `examine` finds suspected configurations, the caller runs their pairs, and `judge` decides.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import expm1, log
from typing import TYPE_CHECKING

from edgebench.nightly.night import Change, Entry, Night, Outcome, PairedTimes
from edgebench.nightly.rule.confirm import Effect, compare, compare_pairs
from edgebench.nightly.rule.figures import EXACT_FIGURES, LATENCY, PAIRED_FIGURES
from edgebench.nightly.rule.limits import NO_LIMITS, Limits
from edgebench.nightly.rule.past import Past, pasts
from edgebench.nightly.rule.screen import Screening, in_force, is_enough, is_shifted, is_suspect, noise, screen
from edgebench.nightly.rule.thresholds import RULE, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import numpy
    from numpy.typing import NDArray

    from edgebench.nightly.night import History
    from edgebench.nightly.rule.figures import PairedFigure

    Floats = NDArray[numpy.float64]

TOO_FEW, NEW_COMPONENTS, WAS_SLOWER, NEW_HOST, DRIFTED = (
    "too few nights to screen",
    "components changed",
    "the night before was slower",
    "the host changed",
    "slow drift",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Screened:
    """A configuration that the screen has compared with its history, and whose pairs have not been run yet.

    Attributes:
        why: reasons to suspect a change; empty if there are none.
        is_shifted: whether tonight's latency is clearly outside the history, whatever the cause.
        is_noisy: whether the host is too noisy for the usual number of pairs.
        detectable: minimum detectable effect of this night, as a share.
    """

    past: Past
    why: tuple[str, ...] = ()
    is_shifted: bool = False
    is_noisy: bool = False
    detectable: float | None = None

    @property
    def entry(self) -> Entry:
        """Tonight's entry of this configuration, which contains the figures."""
        return self.past.tonight.entry

    @property
    def calls_for_pairs(self) -> bool:
        """Whether to run pairs: a change is suspected, and pairs have not compared the changed components yet."""
        return bool(self.why) and not self.past.is_compared

    @property
    def may_stop_early(self) -> bool:
        """Whether an interim analysis may stop the pairs early.

        All pairs must be run if their result is also needed to compare nights before the change with nights after it.
        """
        return not {NEW_HOST, NEW_COMPONENTS, WAS_SLOWER} & set(self.why)

    @property
    def changes(self) -> tuple[str, ...]:
        """The components that differ from the accepted night, and the host's facts that differ from the last night."""
        return (*self.component_changes, *self.host_changes)

    @property
    def host_changes(self) -> tuple[str, ...]:
        """The facts of the host that differ from the last night that measured this configuration."""
        return changes(self.past.nights[-1].facts if self.past.nights else {}, self.past.tonight.facts)

    @property
    def component_changes(self) -> tuple[str, ...]:
        """The components that differ from the accepted night."""
        return changes(self.past.baseline.entry.components, self.entry.components) if self.past.baseline else ()


def changes(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[str, ...]:
    """Describe each difference, such as `runtime: onnxruntime 1.23.2 -> onnxruntime 1.31.1`."""
    names = [name for name in dict.fromkeys((*before, *after)) if before.get(name, "") != after.get(name, "")]
    return tuple(f"{name}: {before.get(name) or 'none'} -> {after.get(name) or 'none'}" for name in names)


def examine(tonight: Night, history: History, rule: Rule = RULE) -> tuple[Screened, ...]:
    """Screen every configuration that was measured both tonight and on an earlier night."""
    known = [past for past in pasts(history, tonight) if past.baseline]
    timed = [past for past in known if past.is_timed]
    others = (Screened(past=past) for past in known if not past.is_timed)
    return (*(_screened(timed, rule) if timed else ()), *others)


def _screened(timed: Sequence[Past], rule: Rule) -> tuple[Screened, ...]:
    """Compare each configuration that has latencies with its past nights."""
    import numpy

    levels = [past.level for past in timed]
    screening = screen(
        _rows([[level for _, level in past.levels[-rule.nights :]] for past in timed]),
        numpy.array([numpy.nan if level is None else level for level in levels]),
    )
    spread = noise(_rows([_deviations(past, rule) for past in timed]))
    is_noisy, smallest = in_force(screening, spread, rule)
    suspects, shifts = is_suspect(screening, is_noisy, rule), is_shifted(screening, rule)
    columns = zip(timed, suspects, shifts, is_noisy, smallest, _cold_reasons(timed), strict=True)
    return tuple(
        Screened(
            past=past,
            why=(*_reasons(past, screening, place, bool(suspect), rule), *cold),
            is_shifted=bool(shifted),
            is_noisy=bool(noisy),
            detectable=float(least) if least == least else None,
        )
        for place, (past, suspect, shifted, noisy, least, cold) in enumerate(columns)
    )


def _rows(lists: Sequence[Sequence[float]]) -> Floats:
    """Return lists of different lengths as the rows of one array, padded with NaN."""
    import numpy

    rows = numpy.full((len(lists), max(1, *map(len, lists), 1)), numpy.nan)
    for row, values in zip(rows, lists, strict=True):
        row[: len(values)] = values
    return rows


def _deviations(past: Past, rule: Rule) -> list[float]:
    """Return the deviations of processes from the median of their night, for recent nights and tonight."""
    from statistics import median

    deviations = list[float]()
    for _, entry in (*past.paced[-rule.nights :], past.tonight):
        values = past.compared(entry)
        if len(values) > 1:
            wider = (len(values) / (len(values) - 1)) ** 0.5
            deviations += [(value - median(values)) * wider for value in values]
    return deviations


def _reasons(past: Past, screening: Screening, place: int, suspect: bool, rule: Rule) -> Iterator[str]:
    has_pairs = not past.is_compared
    if has_pairs and past.was_slower:
        yield WAS_SLOWER
    if past.is_new_host:
        yield NEW_HOST
    elif has_pairs and past.offset is None:
        yield NEW_COMPONENTS
    elif not is_enough(screening, rule)[place]:
        if has_pairs:
            yield TOO_FEW
    elif suspect:
        yield f"{expm1(screening.change[place]):+.1%} against {screening.nights[place]:.0f} nights"
    elif _has_drifted(past, rule):
        yield DRIFTED


def _has_drifted(past: Past, rule: Rule) -> bool:
    """Return, on every seventh night, whether this week differs from the first week; return False on other nights.

    Such a drift is too slow for the screen of a single night.
    """
    import numpy

    level, week = past.level, rule.drift_nights
    levels = [*past.week_levels, *([] if level is None else [level])]
    if len(levels) < 2 * week or len(levels) % week:
        return False
    effect = compare(numpy.array([levels[:week]]), numpy.array([levels[-week:]]))
    return bool(effect.is_slower(rule.p, rule.effect)[0] or effect.is_faster(rule.p, rule.effect)[0])


def _cold_reasons(timed: Sequence[Past]) -> list[tuple[str, ...]]:
    """Of the figures that have a rule of their own, return those that differ from their history, per configuration."""
    import numpy

    reasons: list[tuple[str, ...]] = [()] * len(timed)
    for figure in PAIRED_FIGURES:
        if (rule := figure.rule) is None:
            continue
        values = [figure.value(past.tonight.entry.figures) for past in timed]
        tonight = numpy.array([log(value) if value else numpy.nan for value in values])
        screening = screen(_rows([past.cold_levels(figure)[-rule.nights :] for past in timed]), tonight)
        suspects = is_suspect(screening, numpy.zeros(len(timed), bool), rule) & is_enough(screening, rule)
        reasons = [
            (*earlier, f"{figure.name} {expm1(change):+.0%}") if suspect else earlier
            for earlier, suspect, change in zip(reasons, suspects, screening.change, strict=True)
        ]
    return reasons


def judge(
    tonight: Night,
    screened: Sequence[Screened],
    times: Mapping[str, PairedTimes],
    rule: Rule = RULE,
    limits: Limits = NO_LIMITS,
) -> Night:
    """Return the night with a verdict on each configuration; `times` has the times of pairs by configuration name."""
    by_name = {candidate.entry.name: candidate for candidate in screened}
    now = limits.on(tonight.started_at)
    judged = (_judged(entry, by_name.get(entry.name), times.get(entry.name), rule, now) for entry in tonight.entries)
    entries = tuple(replace(entry, over_budget=now.exceeded(entry)) for entry in judged)
    return replace(tonight, entries=entries, notes=(*tonight.notes, *limits.remarks(tonight)))


def _judged(entry: Entry, screened: Screened | None, times: PairedTimes | None, rule: Rule, limits: Limits) -> Entry:
    if not entry.is_measured:
        return replace(entry, changed=screened.changes) if screened else entry
    if screened is None or screened.past.baseline is None:
        return replace(entry, verdict=Outcome.NEW, why="first measurement, which is the baseline of later nights")
    effects = _effects(times) if times and not times.why_not else {}
    confirmed = tuple(_confirmed_changes(effects, times, screened, rule))
    figures = {change.figure for change in confirmed}
    standing = (change for change in screened.past.standing if change.figure not in figures)
    changed = (*_exact_changes(screened), *confirmed, *standing)
    findings = limits.limited(entry.name, changed)
    verdict, why = _verdict(screened, times, changed, findings, rule)
    return replace(
        entry,
        verdict=verdict,
        why=why,
        findings=findings,
        changed=screened.changes,
        detectable=screened.detectable,
        offset=_offset(effects, times, screened, confirmed, rule),
        since=screened.past.baseline.night.id,
    )


def _verdict(
    screened: Screened, times: PairedTimes | None, changed: Sequence[Change], findings: Sequence[Change], rule: Rule
) -> tuple[Outcome, str]:
    """Return the most severe verdict and its reason; `findings` are those of `changed` that the user's limits keep."""
    reason, verdicts = "; ".join(screened.why), {change.verdict for change in findings}
    is_explained = any(change.figure == LATENCY.name and not change.confirmed_at for change in changed)
    if screened.calls_for_pairs and (times is None or times.why_not):
        why_not = times.why_not if times else "no pairs were taken"
        verdicts, reason = verdicts | {Outcome.INVALID}, f"{reason}: not confirmed: {why_not}"
    elif NEW_HOST in screened.why:
        verdicts, reason = (
            verdicts | {Outcome.HOST_CHANGE},
            f"{', '.join(screened.host_changes)}: {_not_a_component(screened)}",
        )
    elif (screened.is_shifted or DRIFTED in screened.why) and not is_explained:
        verdicts, reason = verdicts | {Outcome.HOST_CHANGE}, f"{reason}: {_not_a_component(screened)}"
    elif not verdicts and screened.detectable and screened.detectable > rule.noisy:
        verdicts, reason = {Outcome.UNDERPOWERED}, f"only changes above {screened.detectable:.1%} are detectable here"
    elif not verdicts and reason:
        reason = f"{reason}: {_not_a_component(screened)}"
    return max(verdicts, key=lambda outcome: outcome.severity, default=Outcome.OK), reason


def _not_a_component(screened: Screened) -> str:
    """Return why the changed components cannot be the cause of the difference that the screen found."""
    if screened.past.is_accepted:
        return "no component changed"
    return "earlier pairs compared these components" if screened.past.is_compared else "pairs found no change"


def _offset(
    effects: Mapping[PairedFigure, Effect],
    times: PairedTimes | None,
    screened: Screened,
    confirmed: Sequence[Change],
    rule: Rule,
) -> float | None:
    """Return the log ratio of tonight's latency to the accepted latency; None if pairs did not measure it well enough.

    Pairs do not measure the ratio well enough if they were stopped early, or if a noisy host could have hidden a
    change. Later nights screen such a configuration again, and run pairs again if it is suspected.
    """
    all_pairs, _ = rule.confirmation(is_noisy=screened.is_noisy)
    is_whole = times is not None and times.pairs >= all_pairs
    is_precise = not screened.is_noisy or any(change.figure == LATENCY.name for change in confirmed)
    return float(effects[LATENCY].change[0]) if LATENCY in effects and is_whole and is_precise else None


def _effects(times: PairedTimes) -> dict[PairedFigure, Effect]:
    """Compare the accepted and tonight's environment by every figure that was measured in both."""
    import numpy

    arms = ((figure, *figure.logs(times)) for figure in PAIRED_FIGURES)
    return {
        figure: compare_pairs(numpy.array([accepted]), numpy.array([tonight]))
        for figure, accepted, tonight in arms
        if accepted and tonight
    }


def is_open(times: PairedTimes, rule: Rule = RULE) -> bool:
    """Return whether the pairs go on after an interim analysis, because they can still confirm some change."""
    effects = _effects(times).items()
    return any(bool(effect.is_open(figure.rule or rule)[0]) for figure, effect in effects)


def _confirmed_changes(
    effects: Mapping[PairedFigure, Effect], times: PairedTimes | None, screened: Screened, rule: Rule
) -> Iterator[Change]:
    """Yield the changes that the pairs confirm."""
    for figure, effect in effects.items():
        figure_rule = figure.rule or rule
        p = figure_rule.confirmation(is_noisy=screened.is_noisy)[1]
        slower = bool(effect.is_slower(p, figure_rule.effect)[0])
        if slower or effect.is_faster(p, figure_rule.effect)[0]:
            yield _confirmed_change(figure, effect, times or PairedTimes(), slower=slower)


def _confirmed_change(figure: PairedFigure, effect: Effect, times: PairedTimes, *, slower: bool) -> Change:
    from statistics import median

    return Change(
        figure=figure.name,
        verdict=figure.outcome(is_above=slower),
        before=median(figure.seconds(times.accepted)),
        after=median(figure.seconds(times.tonight)),
        change=expm1(effect.change[0]),
        low=expm1(effect.low[0]),
        high=expm1(effect.high[0]),
        p=float((effect.slower_p if slower else effect.faster_p)[0]),
        pairs=times.pairs,
    )


def _exact_changes(screened: Screened) -> Iterator[Change]:
    """Yield the changes of figures that are compared without statistics."""
    past = screened.past
    assert past.baseline
    for figure in EXACT_FIGURES:
        accepted = past.host_baseline if figure.is_per_host else past.baseline.entry.figures
        if accepted and (change := figure.change(accepted, screened.entry.figures)):
            yield change

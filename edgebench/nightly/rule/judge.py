"""A night's measurements, its history and pairs -> verdicts, each with its evidence.

Pure: nothing is read, measured or printed here. First `examine` says what is suspect; whoever measures takes the pairs;
then `judge` decides.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import expm1, log
from typing import TYPE_CHECKING

from edgebench.nightly.night import Change, Entry, Night, Outcome, PairedTimes
from edgebench.nightly.rule.confirm import Effect, compare, compare_pairs
from edgebench.nightly.rule.figures import EXACT_FIGURES, LATENCY, PAIRED_FIGURES
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

TOO_FEW, NEW_STACK, WAS_SLOWER, NEW_HOST, DRIFTED = (
    "too few nights to screen",
    "the stack changed",
    "the night before was slower",
    "the host changed",
    "it drifted",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Screened:
    """What the history says of one configuration, before any pair.

    Attributes:
        why: what is out of the ordinary; nothing where nothing is.
        is_shifted: whether the level left the history beyond doubt, whoever is to blame.
        detectable: the least change, a share, that this night finds.
    """

    past: Past
    why: tuple[str, ...] = ()
    is_shifted: bool = False
    is_noisy: bool = False
    detectable: float | None = None

    @property
    def entry(self) -> Entry:
        """What was seen tonight."""
        return self.past.tonight[1]

    @property
    def calls_for_pairs(self) -> bool:
        """Tell whether pairs could say what it comes of: not where both arms were the same, or are compared already."""
        return bool(self.why) and not self.past.is_compared

    @property
    def may_stop_early(self) -> bool:
        """Tell whether pairs that show nothing early are enough: not where they carry older nights over."""
        return not {NEW_HOST, NEW_STACK, WAS_SLOWER} & set(self.why)

    @property
    def changes(self) -> tuple[str, ...]:
        """All that differs from the accepted night, or of the host from the last one."""
        return (*self.stack_changes, *self.host_changes)

    @property
    def host_changes(self) -> tuple[str, ...]:
        """Facts of the host that are not those of the last night that measured this."""
        night, entry = self.past.tonight
        before = self.past.seen[-1][0].hosts.get(entry.target, {}) if self.past.seen else {}
        return changes(before, night.hosts.get(entry.target, {}))

    @property
    def stack_changes(self) -> tuple[str, ...]:
        """Components that are not the accepted ones."""
        return changes(self.past.baseline[1].components, self.entry.components) if self.past.baseline else ()


def changes(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[str, ...]:
    """Say what differs: `runtime: onnxruntime 1.23.2 -> onnxruntime 1.31.1`."""
    names = [name for name in dict.fromkeys((*before, *after)) if before.get(name, "") != after.get(name, "")]
    return tuple(f"{name}: {before.get(name) or 'none'} -> {after.get(name) or 'none'}" for name in names)


def examine(tonight: Night, history: History, rule: Rule = RULE) -> tuple[Screened, ...]:
    """Say of every configuration that was measured tonight and before what is out of the ordinary."""
    every = [one for one in pasts(history, tonight) if one.baseline]
    timed = [one for one in every if one.is_timed]
    others = (Screened(past=one) for one in every if not one.is_timed)
    return (*(_screened(timed, rule) if timed else ()), *others)


def _screened(known: Sequence[Past], rule: Rule) -> tuple[Screened, ...]:
    """Screen what has times against its past."""
    import numpy

    levels = [one.level for one in known]
    screening = screen(
        _rows([[level for _, level in one.levels[-rule.nights :]] for one in known]),
        numpy.array([numpy.nan if level is None else level for level in levels]),
    )
    spread = noise(_rows([_deviations(one, rule) for one in known]))
    is_noisy, smallest = in_force(screening, spread, rule)
    suspects, shifts = is_suspect(screening, is_noisy, rule), is_shifted(screening, rule)
    found = zip(known, suspects, shifts, is_noisy, smallest, _cold(known), strict=True)
    return tuple(
        Screened(
            past=one,
            why=(*_reasons(one, screening, place, bool(suspect), rule), *cold),
            is_shifted=bool(shifted),
            is_noisy=bool(noisy),
            detectable=float(least) if least == least else None,
        )
        for place, (one, suspect, shifted, noisy, least, cold) in enumerate(found)
    )


def _rows(lists: Sequence[Sequence[float]]) -> Floats:
    """Lay lists out as rows, each filled up with NaN."""
    import numpy

    rows = numpy.full((len(lists), max(1, *map(len, lists), 1)), numpy.nan)
    for row, values in zip(rows, lists, strict=True):
        row[: len(values)] = values
    return rows


def _deviations(one: Past, rule: Rule) -> list[float]:
    """Return processes' deviations from their night's median, of the last nights and tonight."""
    from statistics import median

    found = list[float]()
    for _, entry in (*one.paced[-rule.nights :], one.tonight):
        values = one.compared(entry)
        if len(values) > 1:
            wider = (len(values) / (len(values) - 1)) ** 0.5
            found += [(value - median(values)) * wider for value in values]
    return found


def _reasons(one: Past, screening: Screening, place: int, suspect: bool, rule: Rule) -> Iterator[str]:
    has_pairs = not one.is_compared
    if has_pairs and one.was_slower:
        yield WAS_SLOWER
    if one.is_new_host:
        yield NEW_HOST
    elif has_pairs and one.offset is None:
        yield NEW_STACK
    elif not is_enough(screening, rule)[place]:
        if has_pairs:
            yield TOO_FEW
    elif suspect:
        yield f"{expm1(screening.change[place]):+.1%} against {screening.nights[place]:.0f} nights"
    elif _drifted(one, rule):
        yield DRIFTED


def _drifted(one: Past, rule: Rule) -> bool:
    """Tell, once a week, whether this week left the first one: a creep that no night's screen sees."""
    import numpy

    level, week = one.level, rule.drift_nights
    levels = [*one.week_levels, *([] if level is None else [level])]
    if len(levels) < 2 * week or len(levels) % week:
        return False
    effect = compare(numpy.array([levels[:week]]), numpy.array([levels[-week:]]))
    return bool(effect.is_slower(rule.p, rule.effect)[0] or effect.is_faster(rule.p, rule.effect)[0])


def _cold(known: Sequence[Past]) -> list[tuple[str, ...]]:
    """Say which cold figures left their history, a tuple a configuration."""
    import numpy

    reasons: list[tuple[str, ...]] = [()] * len(known)
    for figure in PAIRED_FIGURES:
        if (rule := figure.rule) is None:
            continue
        values = [figure.value(past.tonight[1].figures) for past in known]
        tonight = numpy.array([log(value) if value else numpy.nan for value in values])
        screening = screen(_rows([past.cold_levels(figure)[-rule.nights :] for past in known]), tonight)
        suspects = is_suspect(screening, numpy.zeros(len(known), bool), rule) & is_enough(screening, rule)
        reasons = [
            (*earlier, f"{figure.name} {expm1(change):+.0%}") if suspect else earlier
            for earlier, suspect, change in zip(reasons, suspects, screening.change, strict=True)
        ]
    return reasons


def judge(
    tonight: Night, suspicions: Sequence[Screened], contests: Mapping[str, PairedTimes], rule: Rule = RULE
) -> Night:
    """Decide every configuration of the night."""
    by_name = {one.entry.name: one for one in suspicions}
    judged = tuple(_judged(entry, by_name.get(entry.name), contests.get(entry.name), rule) for entry in tonight.entries)
    return replace(tonight, entries=judged)


def _judged(entry: Entry, suspicion: Screened | None, contest: PairedTimes | None, rule: Rule) -> Entry:
    if not entry.is_measured:
        return replace(entry, changed=suspicion.changes) if suspicion else entry
    if suspicion is None or suspicion.past.baseline is None:
        return replace(entry, verdict=Outcome.NEW, why="the first night that measured it: later ones compare with it")
    effects = _effects(contest) if contest and not contest.why_not else {}
    found = tuple(_found(effects, contest, suspicion, rule))
    anew = {one.figure for one in found}
    standing = (one for one in suspicion.past.standing if one.figure not in anew)
    findings = (*_exact(suspicion), *found, *standing)
    verdict, why = _verdict(suspicion, contest, findings, rule)
    return replace(
        entry,
        verdict=verdict,
        why=why,
        findings=findings,
        changed=suspicion.changes,
        detectable=suspicion.detectable,
        offset=_offset(effects, contest, suspicion, found, rule),
        since=suspicion.past.baseline[0].id,
    )


def _verdict(
    suspicion: Screened, contest: PairedTimes | None, findings: Sequence[Change], rule: Rule
) -> tuple[Outcome, str]:
    """Return the worst that is known, and in words what it rests on."""
    noticed, known = "; ".join(suspicion.why), {one.verdict for one in findings}
    is_explained = any(one.figure == LATENCY.name and not one.confirmed_at for one in findings)
    if suspicion.calls_for_pairs and (contest is None or contest.why_not):
        reason = contest.why_not if contest else "no pairs were taken"
        known, noticed = known | {Outcome.INVALID}, f"{noticed}: not confirmed: {reason}"
    elif NEW_HOST in suspicion.why:
        known, noticed = known | {Outcome.HOST_CHANGE}, f"{', '.join(suspicion.host_changes)}: {_not_ours(suspicion)}"
    elif (suspicion.is_shifted or DRIFTED in suspicion.why) and not is_explained:
        known, noticed = known | {Outcome.HOST_CHANGE}, f"{noticed}: {_not_ours(suspicion)}"
    elif not known and suspicion.detectable and suspicion.detectable > rule.noisy:
        known, noticed = {Outcome.UNDERPOWERED}, f"a change below {suspicion.detectable:.1%} would not show here"
    elif not known and noticed:
        noticed = f"{noticed}: {_not_ours(suspicion)}"
    return max(known, key=lambda one: one.severity, default=Outcome.OK), noticed


def _not_ours(suspicion: Screened) -> str:
    """Say why what is out of the ordinary comes of no component."""
    if suspicion.past.is_accepted:
        return "the components are the accepted ones"
    return "pairs compared these components before" if suspicion.past.is_compared else "pairs found nothing"


def _offset(
    effects: Mapping[PairedFigure, Effect],
    contest: PairedTimes | None,
    suspicion: Screened,
    found: Sequence[Change],
    rule: Rule,
) -> float | None:
    """Return how much slower the pairs say it is, if they say enough to be asked no more.

    Not what was given up early, nor what a noisy host could have hidden: that is screened again, and paired again where
    it is suspect.
    """
    wanted, _ = rule.confirmation(is_noisy=suspicion.is_noisy)
    is_whole = contest is not None and contest.pairs >= wanted
    says_enough = not suspicion.is_noisy or any(one.figure == LATENCY.name for one in found)
    return float(effects[LATENCY].change[0]) if LATENCY in effects and is_whole and says_enough else None


def _effects(contest: PairedTimes) -> dict[PairedFigure, Effect]:
    """Compare both arms by every figure that their processes have."""
    import numpy

    arms = ((figure, *figure.logs(contest)) for figure in PAIRED_FIGURES)
    return {
        figure: compare_pairs(numpy.array([accepted]), numpy.array([tonight]))
        for figure, accepted, tonight in arms
        if accepted and tonight
    }


def is_open(contest: PairedTimes, rule: Rule = RULE) -> bool:
    """Tell, before all pairs are taken, whether they could still confirm something."""
    effects = _effects(contest).items()
    return any(bool(effect.is_open(figure.rule or rule)[0]) for figure, effect in effects)


def _found(
    effects: Mapping[PairedFigure, Effect], contest: PairedTimes | None, suspicion: Screened, rule: Rule
) -> Iterator[Change]:
    """Yield what the pairs confirm."""
    for figure, effect in effects.items():
        own = figure.rule or rule
        p = own.confirmation(is_noisy=suspicion.is_noisy)[1]
        slower = bool(effect.is_slower(p, own.effect)[0])
        if slower or effect.is_faster(p, own.effect)[0]:
            yield _confirmed(figure, effect, contest or PairedTimes(), slower=slower)


def _confirmed(figure: PairedFigure, effect: Effect, contest: PairedTimes, *, slower: bool) -> Change:
    from statistics import median

    return Change(
        figure=figure.name,
        verdict=figure.outcome(is_above=slower),
        before=median(figure.seconds(contest.accepted)),
        after=median(figure.seconds(contest.tonight)),
        change=expm1(effect.change[0]),
        low=expm1(effect.low[0]),
        high=expm1(effect.high[0]),
        p=float((effect.slower_p if slower else effect.faster_p)[0]),
        pairs=contest.pairs,
    )


def _exact(suspicion: Screened) -> Iterator[Change]:
    """Yield what changed among the figures that need no statistics."""
    past = suspicion.past
    assert past.baseline
    for figure in EXACT_FIGURES:
        accepted = past.first_here if figure.is_per_host else past.baseline[1].figures
        if accepted and (change := figure.change(accepted, suspicion.entry.figures)):
            yield change

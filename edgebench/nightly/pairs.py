"""Suspects, their pinned environments and tonight's -> interleaved pairs of fresh processes, target by target."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from random import Random
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from edgebench.deploy import hold
from edgebench.foundation.errors import AgentError, Busy, CaseError, RequestError, Unreachable
from edgebench.foundation.progress import Notice, Show, Step
from edgebench.measure.rounds import observe
from edgebench.nightly import history
from edgebench.nightly.arms import ACCEPTED, TONIGHT, Arm, accepted_arm, tonight_arm
from edgebench.nightly.night import AAPairs, ArmTimes, PairedTimes
from edgebench.nightly.rule.confirm import compare
from edgebench.nightly.rule.figures import LATENCY
from edgebench.nightly.rule.judge import is_open
from edgebench.nightly.rule.thresholds import RULE, Rule
from edgebench.results.journal import Journal
from edgebench.results.measurement import beats
from edgebench.schema.case import Purpose
from edgebench.schema.record import Failure, Run, Session

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edgebench.deploy.connections import Connection
    from edgebench.nightly.night import Pin
    from edgebench.nightly.rule.judge import Screened
    from edgebench.nightly.tonight import NightContext, Reached

# Of a night's processes, in each of two arms that are alike: together a twentieth of its time. Fewer than four pairs
# have no interval of 95 %.
ARM_SHARE, LEAST_PAIRS = 0.03, 4


@dataclass(slots=True, kw_only=True)
class PairedRun:
    """Two arms of one configuration, to be run in pairs.

    Attributes:
        pairs: to take; `interim_every` after how many each it is given up where nothing shows, 0 for never.
        slope: how its times follow the beats.
        failure: of one of its processes: then it is run no more.
    """

    name: str
    accepted: Arm
    tonight: Arm
    pairs: int
    slope: float
    interim_every: int = 0
    failure: str = ""

    @property
    def times(self) -> PairedTimes:
        """What the processes took."""
        if self.failure:
            return PairedTimes(why_not=self.failure)
        accepted, tonight = self.accepted.runs, self.tonight.runs
        is_paced = bool(beats.beat((*accepted, *tonight)))
        levels = (beats.levels(accepted), beats.levels(tonight)) if is_paced else ((), ())
        return PairedTimes(
            accepted=_arm_times(accepted, levels[0]), tonight=_arm_times(tonight, levels[1]), slope=self.slope
        )


def _arm_times(runs: Sequence[Run], levels: tuple[float, ...]) -> ArmTimes:
    return ArmTimes(
        latencies_s=tuple(median(run.samples_s) for run in runs),
        levels=levels,
        load_s=tuple(run.load_s for run in runs),
        first_s=tuple(run.first_s for run in runs),
    )


def paired_times(screened: Sequence[Screened], context: NightContext) -> dict[str, PairedTimes]:
    """Take the pairs of every suspect; return by name what they took, or what kept them from being taken."""
    times = dict[str, PairedTimes]()
    for reached in context.reached:
        suspects = [each for each in screened if each.calls_for_pairs and each.entry.target == reached.target.name]
        if suspects and reached.session:
            times |= _times_on(reached, reached.session, suspects, context)
    return times


def _times_on(
    reached: Reached, session: Session, suspects: Sequence[Screened], context: NightContext
) -> dict[str, PairedTimes]:
    target, times = reached.target, dict[str, PairedTimes]()
    text = f"{len(suspects)} of target {target.name} are paired with their accepted environments"
    context.show(Notice(text=text))
    try:
        with hold(target) as (held,):
            paired_runs = list[PairedRun]()
            for suspect in suspects:
                try:
                    paired_runs.append(_paired_run(suspect, held.connection, session, context))
                except (CaseError, RequestError) as error:
                    times[suspect.entry.name] = PairedTimes(why_not=str(error))
            take(paired_runs, session, context.raw, context.show, context.rule)
            return times | {paired_run.name: paired_run.times for paired_run in paired_runs}
    except (AgentError, Busy, Unreachable) as error:
        return {suspect.entry.name: PairedTimes(why_not=str(error)) for suspect in suspects}


def _paired_run(suspect: Screened, connection: Connection, session: Session, context: NightContext) -> PairedRun:
    """Install both arms of a suspect.

    Raises:
        CaseError, RequestError: one of them cannot be installed.
    """
    rule, evidence = context.rule, context.evidence[suspect.entry.name]
    return PairedRun(
        name=suspect.entry.name,
        accepted=accepted_arm(context.folder, _pin(suspect, context.folder), evidence, connection, session),
        tonight=tonight_arm(evidence, connection, session),
        pairs=rule.confirmation(is_noisy=suspect.is_noisy)[0],
        slope=suspect.past.slope,
        interim_every=rule.interim_every_for(is_noisy=suspect.is_noisy) if suspect.may_stop_early else 0,
    )


def _pin(screened: Screened, folder: Path) -> Pin:
    """Return what the configuration's accepted environment is made of.

    Raises:
        InvalidFile: it or one of its files is missing or damaged.
    """
    assert screened.past.baseline
    return history.read_pin(folder, screened.past.baseline.entry.pin)


def take(paired_runs: Sequence[PairedRun], session: Session, folder: Path, show: Show, rule: Rule = RULE) -> None:
    """Run all pairs, round by round: a pair's two processes follow each other, in an order that is drawn."""
    draw, journals = Random(session.id), _journals(folder)
    rounds = max((paired_run.pairs for paired_run in paired_runs), default=0)
    for number in range(1, rounds + 1):
        _stop_early(paired_runs, number - 1, rule)
        pending = [paired_run for paired_run in paired_runs if paired_run.pairs >= number]
        draw.shuffle(pending)
        for done, paired_run in enumerate(pending):
            show(Step(activity="confirm", subject=f"pair {number} of {rounds}", done=done, total=len(pending)))
            order = draw.sample((paired_run.accepted, paired_run.tonight), 2)
            _take_pair(paired_run, order, session, number, journals, show)


def _journals(folder: Path) -> dict[str, Journal]:
    folders = folder / ACCEPTED, folder / TONIGHT
    for place in folders:
        place.mkdir(parents=True, exist_ok=True)
    return {place.name: Journal(place) for place in folders}


def _stop_early(paired_runs: Sequence[PairedRun], taken: int, rule: Rule) -> None:
    """Leave it at so many pairs where an interim analysis is due and nothing shows."""
    for paired_run in paired_runs:
        every = paired_run.interim_every
        is_due = taken and every and taken < paired_run.pairs and taken % every == 0
        if is_due and not is_open(paired_run.times, rule):
            paired_run.pairs = taken


def _take_pair(
    paired_run: PairedRun,
    order: Sequence[Arm],
    session: Session,
    number: int,
    journals: Mapping[str, Journal],
    show: Show,
) -> None:
    """Run a process of each arm; none any more once one has failed."""
    for arm in order:
        if paired_run.failure:
            return
        record = observe(arm.job, Purpose.LATENCY, arm.connection, session, number, show)
        journals[arm.name].append(record)
        if isinstance(record, Failure):
            paired_run.failure = f"the {arm.name} environment failed: {record.reason}"
        else:
            arm.runs.append(record)


def aa_pairs(screened: Sequence[Screened], turn: int, context: NightContext) -> AAPairs | None:
    """Compare two copies of one accepted environment, by turns every night another configuration's; None without."""
    timed = [each for each in screened if each.past.is_timed]
    if not timed:
        return None
    chosen = timed[turn % len(timed)]
    target = context.reached_as(chosen.entry.target).target
    processes = sum(len(each.entry.figures.latencies_s) for each in timed)
    pairs = min(context.rule.pairs // 2, max(LEAST_PAIRS, round(processes * ARM_SHARE)))
    try:
        with hold(target) as (held,):
            return _aa_pairs(chosen, pairs, held.connection, context)
    except (CaseError, RequestError) as error:
        context.show(Notice(text=f"how much two copies of one environment differ was not measured: {error}"))
        return None


def _aa_pairs(chosen: Screened, pairs: int, connection: Connection, context: NightContext) -> AAPairs:
    """Install two copies of an accepted environment, which a target that keeps files by hash has once; run them.

    Raises:
        CaseError, RequestError: they cannot be installed, or a process of theirs failed.
    """
    folder, evidence = context.folder, context.evidence[chosen.entry.name]
    session = context.reached_as(chosen.entry.target).session
    assert session
    pin = _pin(chosen, folder)
    with TemporaryDirectory(prefix="edgebench-") as scratch:
        paired_run = PairedRun(
            name=chosen.entry.name,
            accepted=accepted_arm(folder, pin, evidence, connection, session),
            tonight=accepted_arm(folder, pin, evidence, connection, session, copy=Path(scratch) / pin.file),
            pairs=pairs,
            slope=chosen.past.slope,
        )
        take([paired_run], session, context.raw / "arms", context.show)
        return _difference(paired_run)


def _difference(paired_run: PairedRun) -> AAPairs:
    """Return by how much two copies differ.

    Raises:
        CaseError: a process of theirs failed.
    """
    import numpy

    times = paired_run.times
    if times.why_not:
        raise CaseError(times.why_not)
    # As two heaps: the signs of so few pairs have no interval of 95 %.
    first, second = LATENCY.logs(times)
    effect = compare(numpy.array([first]), numpy.array([second]))
    change, low, high = (float(numpy.expm1(value[0])) for value in (effect.change, effect.low, effect.high))
    return AAPairs(name=paired_run.name, pairs=paired_run.pairs, change=change, low=low, high=high)

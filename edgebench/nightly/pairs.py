"""Suspected configurations -> times of pairs.

A pair is one process of the accepted environment and one process of tonight's environment.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from random import Random
from statistics import fmean, median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from edgebench.foundation.errors import AgentError, Busy, CaseError, RequestError, Unreachable
from edgebench.foundation.files import make
from edgebench.foundation.progress import Notice, Show, Step
from edgebench.foundation.units import counted
from edgebench.measure.plan.forecast import Task
from edgebench.measure.rounds import observe
from edgebench.nightly import history
from edgebench.nightly.arms import ACCEPTED, TONIGHT, Arm, accepted_arm, tonight_arm
from edgebench.nightly.night import AAPairs, ArmTimes, PairedTimes
from edgebench.nightly.rule.confirm import compare
from edgebench.nightly.rule.figures import LATENCY
from edgebench.nightly.rule.judge import is_open
from edgebench.nightly.rule.thresholds import RULE, Rule
from edgebench.nightly.waiting import held_when_free
from edgebench.results.journal import Journal
from edgebench.results.measurement import beats
from edgebench.schema.case import PRESETS, Purpose, Workload
from edgebench.schema.record import Failure, Run, Session

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edgebench.deploy.connections import Connection
    from edgebench.measure.plan.forecast import Forecast
    from edgebench.nightly.night import Pin
    from edgebench.nightly.rule.judge import Screened
    from edgebench.nightly.tonight import NightContext, Reached

# An A/A pair runs two copies of one environment.
# A night has `ARM_SHARE` such pairs per latency process, which takes about a twentieth of the night.
# At least `LEAST_PAIRS` are run, because fewer than four have no 95 % interval.
ARM_SHARE, LEAST_PAIRS = 0.03, 4


@dataclass(slots=True, kw_only=True)
class PairedRun:
    """One configuration with its two arms: the environments whose processes are run in pairs and compared.

    Attributes:
        pairs: number of pairs to run.
        slope: how much log latency rises if the log time of the reference beats rises by 1.
        interim_every: number of pairs between interim analyses, which may stop the pairs early; 0 if there are none.
        failure: the reason why a process failed, after which no more pairs are run; an empty text if none failed.
    """

    name: str
    accepted: Arm
    tonight: Arm
    pairs: int
    slope: float
    interim_every: int = 0
    failure: str = ""

    @property
    def left(self) -> int:
        """The number of pairs that are still to run."""
        return 0 if self.failure else max(self.pairs - min(len(self.accepted.runs), len(self.tonight.runs)), 0)

    @property
    def left_s(self) -> float:
        """The estimated time that the pairs still take, from the processes that were measured tonight."""
        took = [run.took_s for run in self.tonight.job.runs if run.purpose == Purpose.LATENCY and run.took_s]
        return 2 * self.left * fmean(took) if took else 0.0

    @property
    def times(self) -> PairedTimes:
        """The times of both environments, or the reason why there are no times."""
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
    """Run the pairs of all suspected configurations; return the times by configuration name."""
    times = dict[str, PairedTimes]()
    for reached in context.reached:
        suspects = [
            candidate
            for candidate in screened
            if candidate.calls_for_pairs and candidate.entry.target == reached.target.name
        ]
        if suspects and reached.session:
            times |= _times_on(reached, reached.session, suspects, context)
    return times


def _times_on(
    reached: Reached, session: Session, suspects: Sequence[Screened], context: NightContext
) -> dict[str, PairedTimes]:
    target, times = reached.target, dict[str, PairedTimes]()
    suspected = counted(len(suspects), "suspected configuration")
    text = f"target {target.name}: comparing {suspected} in pairs with what was accepted"
    context.show(Notice(text=text))
    try:
        with held_when_free(target, context.show, context.wait_s) as held:
            paired_runs = list[PairedRun]()
            for suspect in suspects:
                try:
                    paired_runs.append(_paired_run(suspect, held.connection, session, context))
                except (CaseError, RequestError) as error:
                    times[suspect.entry.name] = PairedTimes(why_not=str(error))
            take("confirm", paired_runs, session, context.raw, context.show, context.rule)
            return times | {paired_run.name: paired_run.times for paired_run in paired_runs}
    except (AgentError, Busy, Unreachable) as error:
        return {suspect.entry.name: PairedTimes(why_not=str(error)) for suspect in suspects}


def _paired_run(suspect: Screened, connection: Connection, session: Session, context: NightContext) -> PairedRun:
    """Install the two environments of a suspected configuration: the accepted environment and tonight's.

    Raises:
        CaseError, RequestError: an installation failed.
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
    """Read the pin of the accepted environment, which lists its files.

    Raises:
        InvalidFile: the pin or one of its files is missing or damaged.
    """
    assert screened.past.baseline
    return history.read_pin(folder, screened.past.baseline.entry.pin)


def take(
    activity: str,
    paired_runs: Sequence[PairedRun],
    session: Session,
    folder: Path,
    show: Show,
    rule: Rule = RULE,
    first: int = 1,
) -> None:
    """Run all pairs, round by round; the two processes of a pair run one after the other, in random order.

    `activity` is the name of these pairs in progress messages. `first` is the number of the first pair; it is above 1
    if earlier pairs have been run.
    """
    draw, journals = Random(session.id), _journals(folder)
    rounds = max((paired_run.pairs for paired_run in paired_runs), default=0)
    for number in range(first, rounds + 1):
        _stop_early(paired_runs, number - 1, rule)
        pending = [paired_run for paired_run in paired_runs if paired_run.pairs >= number]
        draw.shuffle(pending)
        for paired_run in pending:
            show(_step(activity, f"pair {number} of {rounds}", paired_runs))
            order = draw.sample((paired_run.accepted, paired_run.tonight), 2)
            _take_pair(paired_run, order, session, number, journals, show)


def _step(activity: str, subject: str, paired_runs: Sequence[PairedRun]) -> Step:
    """Return the progress of all pairs, with the time that they still take."""
    total, left = (sum(getattr(paired_run, name) for paired_run in paired_runs) for name in ("pairs", "left"))
    left_s = sum(paired_run.left_s for paired_run in paired_runs)
    return Step(activity=activity, subject=subject, done=total - left, total=total, left_s=left_s)


def _journals(folder: Path) -> dict[str, Journal]:
    folders = folder / ACCEPTED, folder / TONIGHT
    for place in folders:
        make(place)
    return {place.name: Journal(place) for place in folders}


def _stop_early(paired_runs: Sequence[PairedRun], taken: int, rule: Rule) -> None:
    """If an interim analysis is due after `taken` pairs, stop the paired runs in which it shows no effect."""
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
    """Run one process of each of the two environments; stop at the first failure."""
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
    """Compare two identical copies of an accepted environment in pairs.

    Every night checks a different configuration, in turn; `turn` is the number of earlier nights.
    """
    timed = [candidate for candidate in screened if candidate.past.is_timed]
    if not timed:
        return None
    chosen = timed[turn % len(timed)]
    target = context.reached_as(chosen.entry.target).target
    processes = sum(len(candidate.entry.figures.latencies_s) for candidate in timed)
    pairs = _aa_count(processes, context.rule)
    try:
        with held_when_free(target, context.show, context.wait_s) as held:
            return _aa_pairs(chosen, pairs, held.connection, context)
    except (CaseError, RequestError) as error:
        context.show(Notice(text=f"the noise between two copies of one environment was not measured: {error}"))
        return None


def _aa_count(processes: int, rule: Rule) -> int:
    """Return the number of A/A pairs of a night with this number of latency processes."""
    return min(rule.pairs // 2, max(LEAST_PAIRS, round(processes * ARM_SHARE)))


def noise_task(forecast: Forecast, preset: str, rule: Rule = RULE) -> Task:
    """Return the A/A pairs after a session as a task, with their estimated time."""
    settings, cases = PRESETS[preset], len(forecast.work)
    first = settings.interim_analyses[0]
    processes = cases * (first + settings.memory_runs) + first * len(Workload)
    expected_s = 2 * _aa_count(cases * first, rule) * forecast.measure_s / processes
    return Task(activity="noise", subject="", kind="", usual_s=expected_s, expected_s=expected_s)


def _aa_pairs(chosen: Screened, pairs: int, connection: Connection, context: NightContext) -> AAPairs:
    """Install and run two copies of an accepted environment.

    Raises:
        CaseError, RequestError: an installation or a process failed.
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
        take("noise", [paired_run], session, context.raw / "arms", context.show)
        return _difference(paired_run)


def _difference(paired_run: PairedRun) -> AAPairs:
    """Return the measured difference between two copies of one environment.

    Raises:
        CaseError: a process failed.
    """
    import numpy

    times = paired_run.times
    if times.why_not:
        raise CaseError(times.why_not)
    # The copies are compared as independent samples, because the sign test of so few pairs has no 95 % interval.
    first, second = LATENCY.logs(times)
    effect = compare(numpy.array([first]), numpy.array([second]))
    change, low, high = (float(numpy.expm1(value[0])) for value in (effect.change, effect.low, effect.high))
    return AAPairs(name=paired_run.name, pairs=paired_run.pairs, change=change, low=low, high=high)

"""The states of a session's cases -> the tasks of the session with their estimated times, for `--dry-run` and progress.

An estimate is computed from multiply-adds, layers and images, for an idle x86 server with cores of 2.5 GHz. A factor
from earlier work on this machine (`foundation/durations`) corrects it.
"""

from __future__ import annotations

import os
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from edgebench import train
from edgebench.foundation import durations
from edgebench.foundation.durations import COUNT
from edgebench.foundation.errors import FOR_TESTS, CaseError
from edgebench.foundation.shelf import load
from edgebench.foundation.units import counted, parse_duration
from edgebench.images.splits import split, why_no_accuracy
from edgebench.measure.plan.custom import model_of
from edgebench.measure.plan.state import Progress
from edgebench.measure.rounds import TIMES_FIRST
from edgebench.networks.cost import Estimate, estimate
from edgebench.results.measurement.evidence import process_medians
from edgebench.schema.case import PRESETS, Case, Purpose, Workload
from edgebench.schema.record import Run
from edgebench.schema.variant import Precision, WeightSource, as_float

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from edgebench.foundation.durations import Factors, Pair
    from edgebench.measure.plan.state import CaseState
    from edgebench.schema.record import Record, Session
    from edgebench.schema.sweep import Sweep
    from edgebench.schema.variant import Variant

# Typical seconds: of an export, plus those of each layer; of an evaluation, plus those of each image; of a process.
EXPORT_S, LAYER_S, EVALUATE_S, IMAGE_S, PROCESS_S = 0.7, 0.02, 0.8, 0.5e-3, 0.9
INFERENCES = 30  # inferences in one process of a large network
MACS = 2e10  # multiply-adds per second of a runtime on one core
CALIBRATED_ON, CALIBRATED_MACS = 100, 5e9  # images that calibrate int8, and multiply-adds per second in calibration
USUAL_MACS, USUAL_LAYERS = 1e8, 60  # assumed for a user-supplied network whose multiply-adds are not known


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A piece of a session's work: one training, export or evaluation, or all processes on the target.

    Attributes:
        activity, subject: as the progress messages name them; the subject of `measure` is empty.
        kind: the kind of work; the cache may have this machine's factor for it.
        usual_s, expected_s: estimated seconds on an idle server, and on this machine.
    """

    activity: str
    subject: str
    kind: str
    usual_s: float
    expected_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """The work of a session, and the estimated time for it.

    Attributes:
        work: each case with its next step in words.
        tasks: what is trained, exported, evaluated and measured, in this order.
        workers: number of trainings at the same time.
        jobs: number of exports, and of evaluations, at the same time.
        budget_s: limit of the total time; 0 for no limit.
    """

    target: str
    work: tuple[tuple[Case, str], ...]
    tasks: tuple[Task, ...]
    workers: int
    budget_s: float = 0.0
    jobs: int = 1

    @property
    def prepare_s(self) -> float:
        """The estimated time to train, export and evaluate."""
        trained = [task.expected_s for task in self.tasks if task.activity == "train"]
        exported = [task.expected_s for task in self.tasks if task.activity == "export"]
        evaluated = [task.expected_s for task in self.tasks if task.activity == "evaluate"]
        made_s = side_by_side(exported, self.jobs) + side_by_side(evaluated, self.jobs)
        return side_by_side(trained, self.workers) + made_s

    @property
    def measure_s(self) -> float:
        """The estimated time to measure."""
        return sum(task.expected_s for task in self.tasks if task.activity == "measure")

    @property
    def total_s(self) -> float:
        """The estimated time of the session."""
        total_s = self.prepare_s + self.measure_s
        return min(total_s, self.budget_s or total_s)


def side_by_side(seconds: Sequence[float], workers: int) -> float:
    """Return how long tasks take if `workers` of them run at a time."""
    return max(sum(seconds) / max(workers, 1), max(seconds, default=0.0))


def forecast(sweep: Sweep, session: Session, states: Sequence[CaseState], jobs: int = 1) -> Forecast:
    """Estimate the time of a session whose files are made by `jobs` processes at the same time."""
    factors = durations.read()
    refusals = _refusals(states)
    open_states = [state for state in states if state.progress == Progress.OPEN and not refusals[state.case]]
    trainings = dict.fromkeys(training for state in open_states for training in _trainings(state))
    tasks = (
        *(_training(variant, factors) for variant in trainings),
        *_exports(open_states, factors),
        *(_evaluation(state, factors) for state in open_states if state.needs_evaluation),
        *_measuring(open_states, session, 0.0 if sweep.budget else session.time_limit_s, factors),
    )
    return Forecast(
        target=session.environment.target,
        work=tuple((state.case, _needs(state, refusals[state.case])) for state in states),
        tasks=tasks,
        workers=_workers(trainings, jobs),
        budget_s=parse_duration(sweep.budget) if sweep.budget else 0.0,
        jobs=jobs,
    )


def of_trainings(variants: Iterable[Variant], options: train.Options) -> Forecast:
    """Estimate the time of trainings alone; trainings in the cache, or refused ones, take no time."""
    factors = durations.read()
    needed: dict[Variant, None] = {}
    for variant in variants:
        with suppress(CaseError):
            train.require_small(variant, options)
            needed |= dict.fromkeys(train.lacking(variant, options))
    return Forecast(
        target="",
        work=(),
        tasks=tuple(_training(variant, factors, options) for variant in needed),
        workers=_workers(needed),
    )


def _workers(trainings: Iterable[Variant], jobs: int = 1) -> int:
    """Return how many trainings run at the same time; variants of one network and width are trained in turn."""
    families = {(variant.architecture, variant.width) for variant in trainings}
    return min(len(families), jobs if jobs > 1 else len(os.sched_getaffinity(0)))


def learned(session: Session, records: Iterable[Record]) -> Iterator[Pair]:
    """Yield estimated and measured seconds of each case's processes, and the least and actual number of processes."""
    target = session.environment.target
    by_case = defaultdict[Case, list[Run]](list)
    for run in records:
        if not isinstance(run, Run) or not isinstance(run.case, Case) or not run.took_s:
            continue
        # a runtime that computes nothing says nothing about how long real work takes
        if run.purpose != Purpose.SUSTAINED and run.case.runtime.name != FOR_TESTS:
            by_case[run.case].append(run)
    for case, runs in by_case.items():
        yield f"process {target}", _process_s(case.variant) * len(runs), sum(run.took_s or 0.0 for run in runs)
        first, counted = PRESETS[session.preset].interim_analyses[0], process_medians(runs)
        if len(counted) > first and not session.time_limit_s:
            yield COUNT, float(first), float(len(counted))


def _trainings(state: CaseState) -> tuple[Variant, ...]:
    variant = state.case.variant
    return train.lacking(as_float(variant)) if variant.weights == WeightSource.TRAINED and not state.artifact else ()


def _refusals(states: Sequence[CaseState]) -> dict[Case, str]:
    """Map each case to the reason why it will fail: it cannot be measured, or its training is refused; or to "".

    A training is refused only if the networks of its family are too large or have too few images. So the family's
    largest network is checked first, and the others only if the largest is refused.
    """
    families: dict[Variant, list[CaseState]] = defaultdict(list)
    for state in states:
        if not state.refusal and state.progress == Progress.OPEN and _trainings(state):
            families[replace(as_float(state.case.variant), width=1.0, resolution=1)].append(state)
    reasons = {state.case: state.refusal for state in states}
    for family in families.values():
        variants = [as_float(state.case.variant) for state in family]
        sides = (max(variant.width for variant in variants), max(variant.resolution for variant in variants))
        if _untrainable(replace(variants[0], width=sides[0], resolution=sides[1])):
            reasons |= {state.case: _untrainable(as_float(state.case.variant)) for state in family}
    return reasons


def _untrainable(variant: Variant) -> str:
    """Return why a training is refused; an empty text if it is accepted."""
    try:
        train.require_small(variant, train.ORDINARY)
    except CaseError as error:
        return str(error)
    return ""


def _training(variant: Variant, factors: Factors, options: train.Options = train.ORDINARY) -> Task:
    usual_s = train.estimate_s(variant, options)
    return _task("train", train.name_of(variant), f"train {variant.dataset}", usual_s, factors)


def _task(activity: str, subject: str, kind: str, usual_s: float, factors: Factors) -> Task:
    expected_s = usual_s * factors.of(kind)
    return Task(activity=activity, subject=subject, kind=kind, usual_s=usual_s, expected_s=expected_s)


def _exports(states: Sequence[CaseState], factors: Factors) -> Iterator[Task]:
    """Yield the export of each artifact that is not cached, and of the float artifact from which int8 is made."""
    wanted = dict.fromkeys(
        (variant, load("runtimes", state.case.runtime.name).FORMAT)
        for state in states
        if not state.artifact
        for variant in dict.fromkeys((as_float(state.case.variant), state.case.variant))
        if variant.weights != WeightSource.CUSTOM or variant.precision == Precision.INT8
    )
    for variant, format in wanted:
        is_int8 = variant.precision == Precision.INT8
        calibration_s = 2 * CALIBRATED_ON * _macs(variant) / CALIBRATED_MACS if is_int8 else 0.0
        usual_s = EXPORT_S + LAYER_S * _layers(variant) * (1 + is_int8) + calibration_s
        yield _task("export", str(variant), f"export {format} {variant.precision}", usual_s, factors)


def _evaluation(state: CaseState, factors: Factors) -> Task:
    variant = state.case.variant
    images = len(split(variant, "test", state.channels))
    usual_s = EVALUATE_S + images * (IMAGE_S + _macs(variant) / MACS)
    return _task("evaluate", str(variant), f"evaluate {state.case.target} {variant.dataset}", usual_s, factors)


def _measuring(states: Sequence[CaseState], session: Session, limit_s: float, factors: Factors) -> Iterator[Task]:
    """Yield one task for all processes on the target, which a time limit can end; sustained runs are not limited."""
    if not states:
        return
    target = session.environment.target
    counts = [_processes(state, session, factors.known(COUNT) or TIMES_FIRST) for state in states]
    usual_s = sum(count * _process_s(state.case.variant) for count, state in zip(counts, states, strict=True))
    usual_s += len(Workload) * max(counts) * PROCESS_S if session.environment.has_times else 0
    task = _task("measure", "", f"process {target}", usual_s, factors)
    expected_s = min(task.expected_s, limit_s or task.expected_s) + session.sustained_s * len(states)
    yield Task(activity="measure", subject="", kind="", usual_s=usual_s, expected_s=expected_s)


def _processes(state: CaseState, session: Session, times_first: float) -> float:
    """Return how many processes a case still needs, if it needs `times_first` times the least number in all."""
    settings = PRESETS[session.preset]
    if session.environment.compiles_for:
        return 1
    if session.environment.emulator:
        return settings.instruction_runs
    first, last = settings.interim_analyses[0], settings.interim_analyses[-1]
    timed = max(min(first * times_first, last) - len(process_medians(state.runs)), 1.0)
    return timed + settings.memory_runs + settings.stage_runs * state.times_stages


def _process_s(variant: Variant) -> float:
    return PROCESS_S + INFERENCES * _macs(variant) / MACS


def _macs(variant: Variant) -> float:
    if variant.weights != WeightSource.CUSTOM:
        return _estimate(variant).macs
    model = model_of(variant)
    return float((model and (model.macs or model.least_macs)) or USUAL_MACS)


def _layers(variant: Variant) -> int:
    return USUAL_LAYERS if variant.weights == WeightSource.CUSTOM else _estimate(variant).layers


def _estimate(variant: Variant) -> Estimate:
    return estimate(variant.architecture, variant.width, variant.resolution, variant.classes)


def _needs(state: CaseState, refusal: str) -> str:
    if state.refusal:
        return f"nothing, because it cannot be measured: {state.refusal}"
    if refusal:
        return f"nothing, because its training is refused: {refusal}"
    if state.progress != Progress.OPEN:
        return f"nothing, because it is {state.progress}"
    work = "training" if _trainings(state) else "export"
    if state.artifact:
        work = f"measuring ({counted(len(state.runs), 'run')} so far); its artifact is cached"
    return "; ".join(filter(None, (work, why_no_accuracy(state.case.variant))))

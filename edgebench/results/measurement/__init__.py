"""The evidence on one case (a row of the table) -> median, interval, percentile, memory and verdict.

The code here reads no file, measures nothing and prints nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from math import exp, fsum, sqrt
from operator import mul
from statistics import fmean, median
from typing import Any

from edgebench.agent.chain import FACT
from edgebench.foundation import stats
from edgebench.foundation.shelf import load
from edgebench.results.measurement import beats
from edgebench.results.measurement.evidence import (
    Evidence,
    allowed_half_width,
    is_settled,
    median_condition,
    process_medians,
)
from edgebench.results.measurement.verdict import Reason, Verdict, reasons, worst
from edgebench.schema.case import PRESETS, Case, Purpose
from edgebench.schema.compilation import Compilation
from edgebench.schema.record import Run, Session, Stages
from edgebench.schema.throttle import NOTHING
from edgebench.schema.variant import Variant, task

# Two parts of a sustained run are summarized: the first `BURST_S` seconds (the burst), and the last fifth (`LATE`).
BURST_S, LATE = 15.0, 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Endurance:
    """The result of a sustained run: inference without a pause, starting on a cool board.

    Attributes:
        burst_s: median seconds of an inference during the first `BURST_S`; `sustained_s` is the median during the last
            fifth of the run.
        hottest_c, slowest_mhz: the highest temperature and the lowest clock of the whole run; None if the target does
            not report them. If the firmware reports a clock, that clock is used.
        lowered: why the firmware lowered the clock during the run.
    """

    lasted_s: float
    burst_s: float
    sustained_s: float
    hottest_c: float | None
    slowest_mhz: float | None
    lowered: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """The statistics and the verdict of one case.

    Attributes:
        p50_s: the median over processes of each process's median.
        low_s, high_s: the 95 % interval of p50 if `has_interval`, else the smallest and the largest process median.
        p50_beats: p50 in units of each process's own reference beats. A beat is a run of a fixed workload, timed
            between the samples; other load on the core slows samples and beats alike. `low_beats` and `high_beats` are
            the bounds of `p50_beats`. If a process has no beats, `p50_beats` and its bounds are None. `beat_s` is the
            median time of a beat.
        mean_s, deviation_s, least_s: mean, standard deviation and minimum of all samples; the deviation of a single
            sample is None.
        p90_s: MLPerf's early-stopping estimate of the 90th percentile of all samples; None if there are fewer than 64.
        kernel_s: the time in which the device computes a batch, by the device's own clock; None if the runtime does not
            report it. `transfer_s` is the time in which it copies the inputs to the device and the outputs back.
        parts_s: for a model of several graphs, pairs of a graph's name and its time in seconds. The time is the median
            over processes of the graph's median in each process.
        model_bytes: by how much resident memory grows while the model is loaded; `peak_bytes` is the peak of resident
            memory while loading or running.
        device_peak_bytes: the peak of the runtime's allocator on the device. `device_used_bytes` is the growth of the
            device's used memory during a process, as NVML reports it.
        instructions: the lowest number of instructions per inference on one thread.
        endurance: the result of the sustained run; None without such a run.
        stages: the median seconds of each stage around inference, for one picture; `lacks` gives the reason for each
            stage that was not timed.
        settings: the thresholds of the post-processing.
        compilation: the compiler's report, for a device that is not at hand.
    """

    processes: int
    samples: int
    has_interval: bool = False
    p50_s: float | None = None
    low_s: float | None = None
    high_s: float | None = None
    p50_beats: float | None = None
    low_beats: float | None = None
    high_beats: float | None = None
    beat: str = ""
    beat_s: float | None = None
    mean_s: float | None = None
    deviation_s: float | None = None
    least_s: float | None = None
    p90_s: float | None = None
    load_s: float | None = None
    first_s: float | None = None
    kernel_s: float | None = None
    transfer_s: float | None = None
    parts_s: tuple[tuple[str, float], ...] = ()
    model_bytes: float | None = None
    peak_bytes: float | None = None
    device_peak_bytes: float | None = None
    device_used_bytes: float | None = None
    instructions: int | None = None
    endurance: Endurance | None = None
    stages: Mapping[str, float] = field(default_factory=dict)
    lacks: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, float] = field(default_factory=dict)
    compilation: Compilation | None = None
    reasons: tuple[Reason, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """The worst verdict of the reasons; VALID if there are none."""
        return worst(self.reasons)


def times_stages(variant: Variant, session: Session) -> bool:
    """Return whether a session times the stages around inference: if requested, or if the task always needs them.

    A task always needs the times of the stages around inference if its outputs are decoded by thresholds (into boxes,
    for example) or reduced (from scores per pixel to a map of classes, for example).
    """
    if variant.feed or not session.environment.has_times:
        return False
    plugin = load("tasks", task(variant))
    return bool(plugin.THRESHOLDS or hasattr(plugin, "reduced") or (session.stages and plugin.OUTPUTS))


def needed(runs: Sequence[Run], session: Session, *, times_stages: bool = False) -> Iterator[Purpose]:
    """Yield each purpose (latency, memory and others) for which a case with these runs needs more processes."""
    settings, environment = PRESETS[session.preset], session.environment
    if environment.compiles_for:
        yield from () if _count(runs, Purpose.COMPILE) else (Purpose.COMPILE,)
        return
    if environment.emulator:
        if environment.counts_instructions and _count(runs, Purpose.INSTRUCTIONS) < settings.instruction_runs:
            yield Purpose.INSTRUCTIONS
        return
    if not is_settled(process_medians(runs), settings, allowed_half_width(session)):
        yield Purpose.LATENCY
    if _count(runs, Purpose.MEMORY) < settings.memory_runs:
        yield Purpose.MEMORY
    if times_stages and sum(map(partial(_has_stages, session), runs)) < settings.stage_runs:
        yield Purpose.STAGES
    if session.sustained_s and not any(run.windows and run.windows[-1].at_s >= session.sustained_s for run in runs):
        yield Purpose.SUSTAINED


def _has_stages(session: Session, run: Run) -> bool:
    """Return whether a process timed all stages that the session requests, or gave a reason why it could not."""
    return run.stages is not None and (not session.stages or len(run.stages.took_s) + len(run.stages.lacks) > 1)


def _count(runs: Sequence[Run], purpose: Purpose) -> int:
    return sum(run.purpose == purpose for run in runs)


def endurance(run: Run) -> Endurance:
    """Compute how a case's speed changed in its sustained run."""
    windows, lasted_s = run.windows, run.windows[-1].at_s
    late = [window.median_s for window in windows if window.at_s > (1 - LATE) * lasted_s]
    seen = [window.conditions for window in windows]
    clocks = [float(one.get("firmware_clock_mhz") or one["clock_mhz"]) for one in seen if "clock_mhz" in one]
    words = {word for one in seen for word in one.get("clock_lowered", NOTHING).split(", ")} - {NOTHING}
    return Endurance(
        lasted_s=lasted_s,
        burst_s=median(window.median_s for window in windows if window.at_s <= max(BURST_S, windows[0].at_s)),
        sustained_s=median(late),
        hottest_c=max((float(one["temperature_c"]) for one in seen if "temperature_c" in one), default=None),
        slowest_mhz=min(clocks, default=None),
        lowered=tuple(sorted(words)),
    )


def summarize(evidence: Evidence) -> Measurement:
    """Compute a case's statistics and verdict from its evidence."""
    marks = evidence.marks
    statistics = _of_stages([run.stages for run in evidence.runs if run.stages])
    statistics |= _of_latency(evidence) if evidence.timed else {"processes": 0, "samples": 0}
    return Measurement(
        model_bytes=median(mark.loaded_bytes - mark.baseline_bytes for mark in marks) if marks else None,
        peak_bytes=median(max(mark.load_peak_bytes, mark.run_peak_bytes) for mark in marks) if marks else None,
        device_peak_bytes=median_condition(evidence.weighed, "gpu_allocated_peak_bytes"),
        device_used_bytes=_device_used_bytes(evidence.weighed),
        instructions=min(evidence.counts, default=None),
        compilation=evidence.compilation,
        reasons=reasons(evidence),
        **statistics,
    )


def _of_stages(timed: Sequence[Stages]) -> dict[str, Any]:
    """Return each stage's time (the median of the processes' medians), and why some stages could not be timed."""
    if not timed:
        return {}
    names = dict.fromkeys(name for stages in timed for name in stages.took_s)
    medians = {name: [median(stages.took_s[name]) for stages in timed if name in stages.took_s] for name in names}
    return {
        "stages": {name: median(values) for name, values in medians.items()},
        "lacks": timed[-1].lacks,
        "settings": timed[-1].settings,
    }


def _device_used_bytes(runs: Sequence[Run]) -> float | None:
    """Return the growth of the device's used memory during a process; None if no process read that memory."""
    ends = [tuple(run.conditions.get(f"gpu_used_bytes_{when}") for when in ("before", "after")) for run in runs]
    growths = [float(after) - float(before) for before, after in ends if before and after]
    return median(growths) if growths else None


def _of_latency(evidence: Evidence) -> dict[str, Any]:
    """Return the statistics of the latency runs; there must be at least one."""
    timed, medians = evidence.timed, evidence.medians
    samples = [sample for run in timed for sample in run.samples_s]
    low_s, high_s = _ends(medians)
    return _in_beats(timed) | {
        "processes": len(timed),
        "samples": len(samples),
        "has_interval": stats.median_interval(medians) is not None,
        "p50_s": median(medians),
        "low_s": low_s,
        "high_s": high_s,
        "mean_s": (mean_s := fmean(samples)),
        "deviation_s": _deviation(samples, mean_s) if len(samples) > 1 else None,
        "least_s": min(samples),
        "p90_s": stats.early_stopping_percentile(samples, 0.9),
        "load_s": median(run.load_s for run in evidence.loaded(timed)),
        "first_s": median(run.first_s for run in evidence.loaded(timed)),
        "kernel_s": median_condition(timed, "kernel_s"),
        "transfer_s": median_condition(timed, "transfer_s"),
        "parts_s": _parts_s(evidence.case, timed),
        "endurance": endurance(evidence.sustained[-1]) if evidence.sustained else None,
    }


def _parts_s(case: Case, timed: Sequence[Run]) -> tuple[tuple[str, float], ...]:
    parts = case.variant.feed.parts if case.variant.feed else ()
    times_s = ((part.name, median_condition(timed, FACT.format(place))) for place, part in enumerate(parts, 1))
    return tuple((name, time_s) for name, time_s in times_s if time_s is not None)


def _ends(values: Sequence[float]) -> tuple[float, float]:
    """Return the 95 % interval of the median; for too few values, return the smallest and the largest value."""
    return stats.median_interval(values) or (min(values), max(values))


def _deviation(values: Sequence[float], mean: float) -> float:
    """Return the standard deviation of a sample, without `statistics.stdev`, which takes fifty times as long."""
    differences = [value - mean for value in values]
    return sqrt(fsum(map(mul, differences, differences)) / (len(values) - 1))


def _in_beats(timed: Sequence[Run]) -> dict[str, Any]:
    """Return the latency in reference beats; an empty dictionary unless all processes timed the same beats."""
    beat = beats.beat(timed)
    if not beat:
        return {}
    levels = beats.levels(timed)
    low, high = _ends(levels)
    return {
        "p50_beats": exp(median(levels)),
        "low_beats": exp(low),
        "high_beats": exp(high),
        "beat": beat,
        "beat_s": beats.middle_s(timed),
    }

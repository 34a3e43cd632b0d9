"""Evidence about one case -> median, interval, percentile, memory and verdict.

Pure: nothing is read, measured or printed here.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import exp
from statistics import median

from edgebench.agent.chain import FACT
from edgebench.foundation import stats
from edgebench.results.measurement import beats
from edgebench.results.measurement.evidence import (
    Evidence,
    allowed_half_width,
    half_width,
    median_condition,
    process_medians,
)
from edgebench.results.measurement.verdict import Reason, Verdict, reasons
from edgebench.schema.case import PRESETS, Case, Purpose, Settings
from edgebench.schema.record import Run, Session
from edgebench.schema.throttle import NOTHING

BURST_S, LATE = 15.0, 0.2  # of a sustained run: its first seconds, and the last share of its windows


@dataclass(frozen=True, slots=True, kw_only=True)
class Endurance:
    """A case that ran without a pause, from a cool board on.

    Attributes:
        burst_s: median inference of the first `BURST_S`; `sustained_s` of the last fifth.
        hottest_c, slowest_mhz: over all of it, by the firmware's clock where it says one; None where nothing is said.
        lowered: why the firmware lowered the clock in it.
    """

    lasted_s: float
    burst_s: float
    sustained_s: float
    hottest_c: float | None
    slowest_mhz: float | None
    lowered: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """What the runs of one case mean.

    Attributes:
        p50_s: the median over processes of each process's median.
        low_s, high_s: its 95 % interval where `has_interval`, else the least and the largest process.
        p50_beats: the same in beats of each process's own, which a neighbour on the core slows likewise, with its ends;
            None where not all have them. `beat_s` is what a beat took, the median of all.
        p90_s: MLPerf's early-stopping estimate over all samples; None below 64 samples.
        kernel_s, transfer_s: by the device's own clock, in a process: the computing of a batch, and its way there and
            back; None where the runtime does not say.
        parts_s: of a model of several graphs, the name of each and the median over processes of its median seconds.
        model_bytes: resident memory after loading less before; `peak_bytes` the most resident while loading or running.
        device_peak_bytes: the most that the runtime's allocator gave out on the device; `device_used_bytes` how much
            more of the device's memory NVML found in use after a process's work than before.
        instructions: of an inference on one thread, the least that was counted.
        endurance: what became of its speed over minutes; None where that was not asked.
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
    reasons: tuple[Reason, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """The worst of the reasons."""
        return max((reason.verdict for reason in self.reasons), default=Verdict.VALID)


def is_settled(medians: Sequence[float], settings: Settings, allowed: float) -> bool:
    """Tell whether to stop: at a look with a narrow enough interval, or at the last look."""
    if len(medians) >= settings.interim_analyses[-1]:
        return True
    width = half_width(medians)
    return len(medians) in settings.interim_analyses and width is not None and width <= allowed


def needed(runs: Sequence[Run], session: Session) -> Iterator[Purpose]:
    """Yield what a case with these runs still needs processes for."""
    settings, environment = PRESETS[session.preset], session.environment
    if environment.emulator:
        if environment.counts_instructions and _count(runs, Purpose.INSTRUCTIONS) < settings.instruction_runs:
            yield Purpose.INSTRUCTIONS
        return
    if not is_settled(process_medians(runs), settings, allowed_half_width(session)):
        yield Purpose.LATENCY
    if _count(runs, Purpose.MEMORY) < settings.memory_runs:
        yield Purpose.MEMORY
    if session.sustained_s and not any(run.windows and run.windows[-1].at_s >= session.sustained_s for run in runs):
        yield Purpose.SUSTAINED


def _count(runs: Sequence[Run], purpose: Purpose) -> int:
    return sum(run.purpose == purpose for run in runs)


def endurance(run: Run) -> Endurance:
    """Compute what became of a case's speed in a sustained run."""
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
    """Compute what the evidence means."""
    marks = evidence.marks
    untimed = Measurement(
        processes=0,
        samples=0,
        model_bytes=median(mark.loaded_bytes - mark.baseline_bytes for mark in marks) if marks else None,
        peak_bytes=median(max(mark.load_peak_bytes, mark.run_peak_bytes) for mark in marks) if marks else None,
        device_peak_bytes=median_condition(evidence.weighed, "gpu_allocated_peak_bytes"),
        device_used_bytes=_device_used_bytes(evidence.weighed),
        instructions=min(evidence.counts, default=None),
        reasons=reasons(evidence),
    )
    return _timed(untimed, evidence) if evidence.timed else untimed


def _device_used_bytes(runs: Sequence[Run]) -> float | None:
    """Return by how much the memory in use on the device grew over a process; None where nobody looked."""
    ends = [tuple(run.conditions.get(f"gpu_used_bytes_{when}") for when in ("before", "after")) for run in runs]
    growths = [float(after) - float(before) for before, after in ends if before and after]
    return median(growths) if growths else None


def _timed(untimed: Measurement, evidence: Evidence) -> Measurement:
    """Add what the latency runs mean, of which there is at least one."""
    timed, medians = evidence.timed, process_medians(evidence.timed)
    samples = [sample for run in timed for sample in run.samples_s]
    low_s, high_s = _ends(medians)
    return replace(
        _paced(untimed, timed),
        processes=len(timed),
        samples=len(samples),
        has_interval=stats.median_interval(medians) is not None,
        p50_s=median(medians),
        low_s=low_s,
        high_s=high_s,
        p90_s=stats.early_stopping_percentile(samples, 0.9),
        load_s=median(run.load_s for run in timed),
        first_s=median(run.first_s for run in timed),
        kernel_s=median_condition(timed, "kernel_s"),
        transfer_s=median_condition(timed, "transfer_s"),
        parts_s=_parts_s(evidence.case, timed),
        endurance=endurance(evidence.sustained[-1]) if evidence.sustained else None,
    )


def _parts_s(case: Case, timed: Sequence[Run]) -> tuple[tuple[str, float], ...]:
    parts = case.variant.feed.parts if case.variant.feed else ()
    times_s = ((part.name, median_condition(timed, FACT.format(place))) for place, part in enumerate(parts, 1))
    return tuple((name, time_s) for name, time_s in times_s if time_s is not None)


def _ends(values: Sequence[float]) -> tuple[float, float]:
    """Return the 95 % interval of the median, else the least and the largest."""
    return stats.median_interval(values) or (min(values), max(values))


def _paced(untimed: Measurement, timed: Sequence[Run]) -> Measurement:
    """Add how many beats an inference takes, where every process has them."""
    beat = beats.beat(timed)
    if not beat:
        return untimed
    levels = beats.levels(timed)
    low, high = _ends(levels)
    return replace(
        untimed,
        p50_beats=exp(median(levels)),
        low_beats=exp(low),
        high_beats=exp(high),
        beat=beat,
        beat_s=beats.middle_s(timed),
    )

"""The evidence on a case (a row of the table) -> reasons to doubt its numbers; the worst reason decides the verdict."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import IntEnum
from functools import lru_cache
from math import exp, inf
from statistics import median

from edgebench.foundation import stats
from edgebench.foundation.shelf import literal, load
from edgebench.foundation.units import counted
from edgebench.images.splits import why_no_accuracy
from edgebench.results.measurement import beats, unmeasured
from edgebench.results.measurement.evidence import (
    Evidence,
    half_width,
    median_condition,
    process_medians,
)
from edgebench.schema import throttle
from edgebench.schema.artifact import Artifact
from edgebench.schema.case import Purpose
from edgebench.schema.metric import Metric
from edgebench.schema.quantization import RANDOM, Quantization, overflows
from edgebench.schema.record import Accuracy, Run
from edgebench.schema.variant import Precision, task
from edgebench.tasks.classification import appraise

# Thresholds proposed by this project. Each is a share unless its name or comment gives another unit.
# Limits on CPU time divided by wall time and by the number of threads.
# If one of two threads idles, this share is 0.5: doubtful but usable, so the limit for INVALID is lower.
WAITED_SUSPECT, WAITED_INVALID = 0.9, 0.45
EXTRA_CORES = 0.3  # number of cores that a process kept busy in addition to one core for each thread
OTHERS_CORES = 0.25  # number of cores' worth of CPU time that other processes took
STEAL = 0.05  # share of all cores' time that the hypervisor took
# Largest difference of two processes' instruction counts, as a share of the lower count (smallest networks: 0.1 %).
COUNTS = 0.01
DRIFT = 0.01  # change from the first process to the last, as a share of the median
# Largest difference between two machines' outputs, as a share of the largest output.
# One int8 step is at most 0.8 % of the range, and runtimes may round to neighbouring steps.
DIFFERENCES = {Precision.FP32: 1e-3, Precision.FP16: 1e-2, Precision.BF16: 5e-2, Precision.INT8: 2e-2}
# Least agreement with the float parent, compared with the upper end of the agreement's interval.
# Below it, most predictions differ from the parent's predictions.
AGREEMENT_INVALID = 0.5
# Least number of calibration images: with fewer, the calibrated ranges miss many values.
# A classifier of colours had an SQNR of 5 dB with 4 images, and 38 dB with 40.
LEAST_CALIBRATION = 32
LEAST_METRIC = 1e-3  # a mAP below this share is no better than the mAP of random boxes
SQNR_INVALID_DB = 0.0  # below this SQNR, zeros would be closer to the float parent's outputs
# An inference must take at least this share of its kernels' time, which is measured after the samples.
# The kernels' time includes the gaps between kernels, so the share varies with the host if launching takes long.
# In 24 processes on an H200, the share was 0.85 to 1.48.
# In code that does not wait for the GPU, it would be 0.15 for ResNet-50 at batch 64.
LEAST_OF_KERNELS = 0.7
# If doubling the batch multiplies the time by less than this factor, the time is considered unchanged.
DOUBLED = 1.05
# An unchanged time is suspicious if the smaller batch has at least this many multiply-adds.
# The fastest GPU (10^15 operations a second) needs 2 ms for them, longer than to launch some hundred kernels.
DOUBLED_MACS = 1e12
CHANGING_GOVERNORS = ("powersave", "ondemand", "conservative", "schedutil")
_THROTTLE = ("gpu_throttle_before", "gpu_throttle_after")  # keys in a run's recorded conditions


class Verdict(IntEnum):
    """The verdicts on a number, from good to bad. Of several reasons to doubt the number, the worst one counts."""

    VALID = 0
    IMPRECISE = 1
    SUSPECT = 2
    EMULATED = 3
    COMPILED = 4
    INVALID = 5
    FAILED = 6
    MISSING = 7


TIME, MEMORY, ACCURACY = "time", "memory", "accuracy"  # the kinds of numbers that a reason can concern
FIGURES = (TIME, MEMORY, ACCURACY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """A reason why a number's verdict is worse than VALID; a remark if `verdict` is VALID.

    Attributes:
        figures: the `FIGURES` that the reason concerns. For example, other load on a core affects times but not
            accuracy.
    """

    verdict: Verdict
    text: str
    figures: tuple[str, ...] = FIGURES


def reasons(evidence: Evidence) -> tuple[Reason, ...]:
    """Run every check and return the reasons found; if there are none, the verdict is VALID."""
    checks = OF_COMPILATION if evidence.compiles_for else CHECKS
    return tuple(replace(reason, figures=figures) for check, figures in checks.items() for reason in check(evidence))


def worst(reasons: Iterable[Reason], figure: str = "") -> Verdict:
    """Return the worst verdict of all reasons or, if given one of `FIGURES`, of the reasons that concern it."""
    return max((reason.verdict for reason in reasons if figure in ("", *reason.figures)), default=Verdict.VALID)


def _failed(evidence: Evidence) -> Iterator[Reason]:
    for failure in evidence.failures:
        yield Reason(verdict=Verdict.FAILED, text=f"{failure.stage}: {failure.reason}")


def _few(evidence: Evidence) -> Iterator[Reason]:
    count = len(evidence.timed or evidence.counts)
    if evidence.emulator and (count or not evidence.session.environment.counts_instructions):
        return
    if not count and not evidence.failures:
        yield Reason(verdict=_of_nothing(evidence), text=f"not measured: {unmeasured.why(evidence)}")
    elif count and count < stats.LEAST_FOR_INTERVAL:
        text = f"too few processes: {count}, an interval needs {stats.LEAST_FOR_INTERVAL}: min-max shown"
        yield Reason(verdict=Verdict.IMPRECISE, text=text)


def _of_nothing(evidence: Evidence) -> Verdict:
    """Return the verdict of a case without any result: MISSING if its target was lost, otherwise FAILED."""
    return Verdict.MISSING if evidence.lost else Verdict.FAILED


def _lost(evidence: Evidence) -> Iterator[Reason]:
    """Report a target that was lost before the case was complete."""
    if evidence.timed and evidence.is_cut_off:
        text = f"incomplete after {counted(len(evidence.timed), 'process')}: {evidence.lost}"
        yield Reason(verdict=Verdict.MISSING, text=text)


def _other_machine(evidence: Evidence) -> Iterator[Reason]:
    if text := evidence.session.environment.unexpected:
        yield Reason(verdict=Verdict.SUSPECT, text=text)


def _emulated(evidence: Evidence) -> Iterator[Reason]:
    if not evidence.emulator:
        return
    yield Reason(verdict=Verdict.EMULATED, text=f"emulated by {evidence.emulator}: no times and no memory figures")
    if not evidence.session.environment.counts_instructions:
        yield Reason(verdict=Verdict.EMULATED, text="its instructions are not counted: no plugin was loaded")
    elif evidence.case.threads > 1:
        text = f"instructions are counted with 1 thread, not {evidence.case.threads}"
        yield Reason(verdict=Verdict.EMULATED, text=text)
    counts = evidence.counts
    if counts and (spread := max(counts) / min(counts) - 1) > COUNTS:
        yield Reason(verdict=Verdict.SUSPECT, text=f"instructions of processes differ by {spread:.1%}")


def _compiled(evidence: Evidence) -> Iterator[Reason]:
    """Say for which device the case is compiled, and which operators are left to the processor beside that device."""
    compiled = evidence.compilation
    if compiled is None:
        if not evidence.failures:
            yield Reason(verdict=_of_nothing(evidence), text=f"not compiled: {unmeasured.why(evidence)}")
        return
    yield Reason(verdict=Verdict.COMPILED, text=f"compiled for {compiled.configuration}, not run: no time, no accuracy")
    if left := compiled.operators - compiled.npu_operators:
        share = 1 - compiled.npu_macs / compiled.macs if compiled.macs else 0.0
        named = f": {compiled.host_operator_names}" if compiled.host_operator_names else ""
        text = f"{left} of {counted(compiled.operators, 'operator')} run on the processor beside the NPU"
        yield Reason(verdict=Verdict.COMPILED, text=f"{text}, {share:.0%} of the multiply-adds{named}")


def _wide(evidence: Evidence) -> Iterator[Reason]:
    width, allowed = half_width(evidence.medians), evidence.allowed_half_width
    if width is not None and width > allowed:
        levels = [exp(level) for level in beats.levels(evidence.timed)] if beats.beat(evidence.timed) else []
        in_beats = half_width(levels) if levels else None
        why = (
            ", but not in reference beats: the whole core was slower at times"
            if in_beats is not None and in_beats <= allowed
            else ""
        )
        yield Reason(verdict=Verdict.IMPRECISE, text=f"interval wider than ±{allowed:.0%}{why}")


def _waited(evidence: Evidence) -> Iterator[Reason]:
    if evidence.is_on_gpu:
        return  # the host's CPU is idle while it waits for the device
    shares = [run.cpu_s / run.wall_s / _threads(run) for run in evidence.timed if run.wall_s]
    share = median(shares) if shares else 1.0
    if share < WAITED_SUSPECT:
        verdict = Verdict.INVALID if share < WAITED_INVALID else Verdict.SUSPECT
        which = (
            "waited for a core" if _threads(evidence.timed[0]) == 1 else "threads waited, for a core or for each other"
        )
        yield Reason(verdict=verdict, text=f"{which}: CPU time is {share:.0%} of wall time per thread")


def _crowded(evidence: Evidence) -> Iterator[Reason]:
    cores = [run.cpu_s / run.wall_s - _threads(run) for run in evidence.timed if run.wall_s]
    if cores and (extra := median(cores)) > EXTRA_CORES:
        threads = _threads(evidence.timed[0])
        text = f"used {threads + extra:.1f} cores, more than the requested {counted(threads, 'thread')}"
        yield Reason(verdict=Verdict.SUSPECT, text=text)


def _limited(evidence: Evidence) -> Iterator[Reason]:
    """Doubt the time if a CPU quota or a cpuset left fewer cores than threads; a quota stops threads periodically."""
    facts, threads = evidence.session.environment.facts, evidence.case.threads
    if not evidence.timed:
        return
    asked = f"{counted(threads, 'thread')} requested"
    if threads > float(facts.get("cpu_quota", inf)):
        text = f"{asked}, the CPU quota is {facts['cpu_quota']} cores: a process that spends its quota is paused"
        yield Reason(verdict=Verdict.SUSPECT, text=text)
    if threads > int(facts.get("usable_cores", threads)):
        yield Reason(verdict=Verdict.SUSPECT, text=f"{asked}, usable cores: {facts['usable_cores']}")


def _delegate(evidence: Evidence) -> Iterator[Reason]:
    if any(run.conditions.get("delegate") == "none" for run in evidence.timed):
        text = "no XNNPACK delegate took over: TFLite's own kernels ran, which are slower"
        yield Reason(verdict=Verdict.SUSPECT, text=text)


def _threads(run: Run) -> int:
    return getattr(run.case, "threads", 1)


def _load(evidence: Evidence) -> Iterator[Reason]:
    if evidence.timed and (others := median(run.others_cpu for run in evidence.timed)) > OTHERS_CORES:
        yield Reason(verdict=Verdict.SUSPECT, text=f"other processes took {others:.1f} cores meanwhile")
    if evidence.timed and (steal := median(run.steal for run in evidence.timed)) > STEAL:
        yield Reason(verdict=Verdict.SUSPECT, text=f"the hypervisor took {steal:.0%} of the machine meanwhile")


def _drift(evidence: Evidence) -> Iterator[Reason]:
    medians = evidence.medians
    if stats.trend_is_significant(medians):
        drift = stats.theil_sen(medians) * (len(medians) - 1) / median(medians)
        if abs(drift) > DRIFT:
            yield Reason(verdict=Verdict.SUSPECT, text=f"drifted {drift:+.1%} over {counted(len(medians), 'process')}")


def _clock(evidence: Evidence) -> Iterator[Reason]:
    governor = evidence.session.environment.facts.get("governor", "")
    if evidence.timed and governor in CHANGING_GOVERNORS:
        yield Reason(
            verdict=Verdict.SUSPECT, text=f"governor {governor}: the clock may change, set the governor performance"
        )


def _swap(evidence: Evidence) -> Iterator[Reason]:
    used = [
        int(run.conditions.get("swap_used_bytes_after", 0)) - int(run.conditions.get("swap_used_bytes_before", 0))
        for run in evidence.runs
        if run.purpose != Purpose.INSTRUCTIONS
    ]
    if any(growth > 0 for growth in used):
        yield Reason(verdict=Verdict.SUSPECT, text="memory was swapped out meanwhile")


def _throttled(evidence: Evidence) -> Iterator[Reason]:
    """Report a GPU that lowered its clock before or after a process, or that was too hot during the process."""
    seen = [run.conditions for run in evidence.runs]
    said = {word for one in seen for key in _THROTTLE for word in throttle.harmful(one.get(key, "")).items()}
    hot = any(int(one.get("gpu_too_hot_ns_after", 0)) > int(one.get("gpu_too_hot_ns_before", 0)) for one in seen)
    for word, harm in sorted(said | ({("thermal slowdown meanwhile", throttle.Harm.SPOILT)} if hot else set())):
        verdict = Verdict.INVALID if harm == throttle.Harm.SPOILT else Verdict.SUSPECT
        yield Reason(verdict=verdict, text=f"the GPU lowered its clock: {word}")


def _clock_lowered(evidence: Evidence) -> Iterator[Reason]:
    """Report a board whose firmware lowered the clock before, during or after a process."""
    for word in sorted({word for run in evidence.runs for word in run.clock_lowered}):
        yield Reason(verdict=Verdict.INVALID, text=f"the firmware lowered the clock: {word}")


def _unwatched(evidence: Evidence) -> Iterator[Reason]:
    is_watched = any(set(run.conditions) & set(_THROTTLE) for run in evidence.timed)
    if evidence.is_on_gpu and evidence.timed and not is_watched:
        answers = any(name.startswith("gpu_") for run in evidence.timed for name in run.conditions)
        why = "its driver does not report it" if answers else "NVML gave no answer, it needs nvidia-ml-py on the target"
        text = f"the GPU's clock was not monitored: {why}"
        yield Reason(verdict=Verdict.SUSPECT, text=text)


def _other_device(evidence: Evidence) -> Iterator[Reason]:
    if operators := next((run.conditions["fallback"] for run in evidence.runs if "fallback" in run.conditions), ""):
        told = " ".join(evidence.case.runtime.options)
        yield Reason(verdict=Verdict.INVALID, text=f"requested {told}, but the CPU ran operators: {operators}")


def _unsynchronised(evidence: Evidence) -> Iterator[Reason]:
    """Doubt a time that is too short for the work: shorter than the kernels took, or unchanged at twice the batch."""
    kernel_s = median_condition(evidence.timed, "kernel_s")
    if kernel_s and (share := median(evidence.medians) / kernel_s) < LEAST_OF_KERNELS:
        text = f"inference took {share:.0%} of the time of its own kernels: is something not synchronised?"
        yield Reason(verdict=Verdict.INVALID, text=text)
    macs = ((evidence.artifact.macs if evidence.artifact else 0) or 0) * evidence.case.batch / 2
    if macs >= DOUBLED_MACS and evidence.halved and evidence.timed:
        ratio = median(evidence.medians) / median(process_medians(evidence.halved))
        if ratio < DOUBLED:
            text = "doubling the batch left the time unchanged: is something not synchronised?"
            yield Reason(verdict=Verdict.SUSPECT, text=text)


def _float_fallback(evidence: Evidence) -> Iterator[Reason]:
    """Name operators that the runtime leaves in float although they are in an int8 graph."""
    integers = None if evidence.is_on_gpu else evidence.integers
    if integers and integers.left:
        macs = "" if integers.share is None else f", {1 - integers.share:.0%} of the multiply-adds"
        run = "runs" if integers.left == 1 else "run"
        named = f": {', '.join(integers.named[:3])}" if integers.named else ""
        text = f"{counted(integers.left, 'operator')} of the int8 graph {run} in float{macs}{named}"
        yield Reason(verdict=Verdict.SUSPECT, text=text)


def _calibration(evidence: Evidence) -> Iterator[Reason]:
    """Report the number of an int8 file's calibration images if it is too small, or smaller than requested."""
    made = evidence.artifact
    if made is None or made.quantization is None or made.calibrated_on is None:
        return
    count, wanted = made.calibrated_on, made.quantization.images
    if made.quantization.calibration == RANDOM:
        text = "int8 was calibrated on random inputs: answers mean nothing, give real inputs by --calibration folder"
        yield Reason(verdict=Verdict.VALID, text=text)
        return
    inputs = f"{counted(count, 'set')} of inputs" if evidence.case.variant.feed else counted(count, "image")
    if count < LEAST_CALIBRATION:
        text = f"int8 was calibrated on {inputs}, fewer than {LEAST_CALIBRATION}: add some"
        yield Reason(verdict=Verdict.SUSPECT, text=text)
    elif count < wanted:
        yield Reason(verdict=Verdict.VALID, text=f"int8 was calibrated on {inputs}, not {wanted}")


def _outputs(evidence: Evidence) -> Iterator[Reason]:
    """Name the outputs of an int8 file that are mostly noise, are not finite, or mix ranges in one scale."""
    for output in evidence.artifact.outputs if evidence.artifact else ():
        if output.apart:
            text = (
                f"output {output.name} has one int8 scale for ranges {output.apart:.0f}x apart, {output.parts}: the"
                " smaller range is lost, add float_outputs to --quantization, or export these parts as separate outputs"
                " (split heads)"
            )
            yield Reason(verdict=Verdict.SUSPECT, text=text)
        if output.not_finite:
            text = f"{output.not_finite} values of output {output.name} are not finite in int8, but finite in float"
            yield Reason(verdict=Verdict.INVALID, text=text)
        if output.sqnr_db is not None and output.sqnr_db < SQNR_INVALID_DB:
            text = (
                f"int8 collapsed: output {output.name} has an SQNR of {output.sqnr_db:.1f} dB against its float parent"
            )
            yield Reason(verdict=Verdict.INVALID, text=text)


def _saturation(evidence: Evidence) -> Iterator[Reason]:
    made = evidence.artifact
    if made and overflows(made.quantization, made.format, evidence.session.environment.facts):
        text = "8-bit weights without reduce_range saturate on an x86 CPU without VNNI: the answers are wrong"
        yield Reason(verdict=Verdict.INVALID, text=text)


def _collapse(evidence: Evidence) -> Iterator[Reason]:
    if evidence.artifact and evidence.accuracy and (text := collapse(evidence.artifact, evidence.accuracy)):
        yield Reason(verdict=Verdict.INVALID, text=text)


def collapse(artifact: Artifact, accuracy: Accuracy) -> str:
    """Describe how far an int8 file's predictions differ from its fp32 parent's predictions, and what would help.

    The text names the layer that loses most; it is empty if the predictions are alike. No labels are needed. Without
    this check, a collapsed file would only look fast and small.
    """
    agreement, sqnr_db = appraise(accuracy).agreement, accuracy.sqnr_db
    precision = Precision.INT8 if artifact.quantization else accuracy.case.variant.precision
    if precision == Precision.FP32 or agreement is None:
        return ""
    is_noise = sqnr_db is not None and sqnr_db < SQNR_INVALID_DB
    if agreement.interval[1] >= AGREEMENT_INVALID and not is_noise:
        return ""
    noise = "" if sqnr_db is None else f", its outputs have an SQNR of {sqnr_db:.1f} dB"
    where = f", the layer that loses most is {layer.name}, a {layer.operator}" if (layer := artifact.noisiest) else ""
    advice = f": try {_remedy(artifact.quantization, artifact.format) if artifact.quantization else 'fp32'}"
    return f"{precision} collapsed: {agreement.value:.0%} of its answers equal its float parent's{noise}{where}{advice}"


def _remedy(quantization: Quantization, format: str) -> str:
    """Suggest remedies for single channels or rare large values that use up most of the 8 bits; omit those in use."""
    is_coarse = quantization.granularity == "per_tensor"
    remedies = {
        "the data set's own images": bool(quantization.calibration),
        "per_channel": is_coarse,
        "per_tensor+equalized": is_coarse and not quantization.equalized,
        "per_channel+percentile": not is_coarse and quantization.range_method == "min-max" and format == "onnx",
        "qat": not is_coarse and not quantization.aware,
    }
    return " or ".join(name for name, helps in remedies.items() if helps) or "fp32"


def _untrained(evidence: Evidence) -> Iterator[Reason]:
    if evidence.accuracy and (text := untrained(evidence.accuracy)):
        yield Reason(verdict=Verdict.SUSPECT, text=text)


@lru_cache(maxsize=64)  # a row of a table needs the answer three times
def untrained(accuracy: Accuracy) -> str:
    """Return a text if the lower end of a metric's interval is no better than chance; else return an empty text.

    A network that is no better than chance has learned nothing, so its speed and its agreement with its float parent
    mean nothing.
    """
    if accuracy.not_finite or why_no_accuracy(accuracy.case.variant):
        return ""
    if metric := _of_learning(accuracy):
        is_worthless = (metric.value if metric.low is None else metric.low) <= _least(accuracy)
        return f"no better than chance: {metric.name} is {metric.value:.1%}, nothing was learned" * is_worthless
    appraisal, chance = appraise(accuracy), _chance(accuracy)
    top1, change = appraisal.top1, appraisal.change
    if top1 is None or top1.interval[0] > chance or not chance:
        return ""
    low, high = top1.interval
    has_learned = change is not None and change.parent.interval[0] > chance  # if so, int8 is the cause
    return (
        f"no better than chance: top-1 is {top1.value:.1%} [{low:.1%}, {high:.1%}] on {top1.of} images, guessing gives"
        f" {chance:.1%}{'' if has_learned else ', so nothing shows that the network learned anything'}"
    )


def _of_learning(accuracy: Accuracy) -> Metric | None:
    """Return the metric that shows if a network has learned anything: its task's `LEARNED`, else the chief metric."""
    named = {metric.name: metric for metric in accuracy.metrics}
    wanted = literal("tasks", task(accuracy.case.variant), "LEARNED")
    return named.get(wanted) or next(iter(accuracy.metrics), None)


def _least(accuracy: Accuracy) -> float:
    """Return the highest value of the task's metric that is possible without having learned anything."""
    variant = accuracy.case.variant
    plugin = load("tasks", task(variant))
    least: float = plugin.chance(variant.classes) if hasattr(plugin, "chance") else LEAST_METRIC
    return least


def _chance(accuracy: Accuracy) -> float:
    """Return the top-1 accuracy of guessing; 0 if there is only one class, so that there is nothing to guess."""
    variant = accuracy.case.variant
    classes = min(filter(None, (variant.classes, variant.dataset_classes)), default=0)
    return 1 / classes if classes > 1 else 0.0


def is_of_chance(accuracy: Accuracy) -> bool:
    """Return whether agreement means nothing, because this network or its float parent is no better than chance."""
    if untrained(accuracy):
        return True
    change = appraise(accuracy).change
    is_at_chance = change is not None and change.parent.interval[0] <= _chance(accuracy)
    return is_at_chance and not why_no_accuracy(accuracy.case.variant)


def _not_finite(evidence: Evidence) -> Iterator[Reason]:
    accuracy = evidence.accuracy
    if accuracy and accuracy.not_finite:
        text = f"outputs for {accuracy.not_finite} of {accuracy.images} images are not finite: they contain no answer"
        yield Reason(verdict=Verdict.INVALID, text=text)


def _stand_in(evidence: Evidence) -> Iterator[Reason]:
    spot = evidence.accuracy.spot if evidence.accuracy else None
    if spot and spot.difference > DIFFERENCES[evidence.case.variant.precision]:
        text = (
            f"the host computed the answers in this board's place, but the board's outputs differ from the host's by"
            f" {spot.difference:.1%}, and {spot.images - spot.agreed} of {spot.images} images change their class"
        )
        yield Reason(verdict=Verdict.INVALID, text=text)


# Each check, and the figures that its reasons concern.
CHECKS: Mapping[Callable[[Evidence], Iterator[Reason]], tuple[str, ...]] = {
    _failed: FIGURES,
    _other_machine: FIGURES,
    _emulated: (TIME, MEMORY),
    _few: (TIME,),
    _lost: (TIME,),
    _wide: (TIME,),
    _waited: (TIME,),
    _crowded: (TIME,),
    _limited: (TIME,),
    _clock_lowered: (TIME,),
    _load: (TIME,),
    _drift: (TIME,),
    _clock: (TIME,),
    _swap: (TIME, MEMORY),
    _throttled: (TIME,),
    _unwatched: (TIME,),
    _other_device: (TIME, MEMORY),
    _unsynchronised: (TIME,),
    _float_fallback: (TIME,),
    _calibration: (ACCURACY,),
    _outputs: (ACCURACY,),
    _delegate: (TIME,),
    _saturation: (ACCURACY,),
    _not_finite: (ACCURACY,),
    _collapse: (ACCURACY,),
    _untrained: (ACCURACY,),
    _stand_in: (ACCURACY,),
}
# The checks of a case that is only compiled. The other checks concern the machine that compiles, or what only a run of
# the network could show.
OF_COMPILATION: Mapping[Callable[[Evidence], Iterator[Reason]], tuple[str, ...]] = {
    _failed: FIGURES,
    _compiled: FIGURES,
    _calibration: (ACCURACY,),
    _outputs: (ACCURACY,),
}

"""Records and evidence -> the sentences below a table, each true of it."""

from __future__ import annotations

from collections import defaultdict
from statistics import median
from typing import TYPE_CHECKING

from edgebench.foundation import stats
from edgebench.foundation.units import duration
from edgebench.images.catalogue import family
from edgebench.results.measurement.evidence import Evidence, reference_medians
from edgebench.schema.artifact import QUANTIZE, STEPS
from edgebench.schema.case import PRESETS
from edgebench.schema.record import Run, SpotCheck
from edgebench.schema.variant import WeightSource

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from edgebench.results.journal import Journal
    from edgebench.schema.artifact import Artifact
    from edgebench.schema.record import Record, Session


def method(preset: str) -> str:
    """Say how a preset measures."""
    how = PRESETS[preset]
    many = ", ".join(map(str, how.interim_analyses))
    stop = f"takes {many} processes"
    if how.interim_analyses[0] < stats.LEAST_FOR_INTERVAL:
        stop += ", too few for an interval: a look"
    elif len(how.interim_analyses) > 1:
        stop = (
            f"stops after {many} processes once half the interval is at most {how.half_width:.0%} of p50"
            f" ({how.half_width_noisy:.0%} on a virtual machine)"
        )
    return (
        f"{preset}: {stop}. Each is a fresh process with one session: load, first inference, a warm-up of at least"
        f" {how.warmup_s:g} s and {how.warmup_iterations} iterations, then {how.least_iterations} to"
        f" {how.most_iterations} timed iterations, all kept. Rounds run every case once in a new random order, beside"
        f" reference workloads that use no runtime. Memory is measured in {how.memory_runs} processes of its own."
    )


def notes_of(records: Sequence[Record], evidence: Sequence[Evidence], journal: Journal) -> Iterator[str]:
    """Yield what a reader must know: what the columns mean, the machines, where time went, what was left out."""
    yield (
        "p50: the median over fresh processes of each one's median, with its [95 % interval], or the (least, largest)"
        " below 6 processes. n: processes. p90: MLPerf's early-stopping estimate. A rank with = is a tie:"
        " the intervals overlap. int8 x: how many times as long the float twin takes, by the medians, or by those"
        " of the ratios to the beats between each process's samples, where both rows have them, with a 95 %"
        " interval from those of both. Δ top-1: points against the float parent; with = McNemar's exact test does not"
        " tell the two apart."
    )
    if any(one.counts for one in evidence):
        yield (
            "Minstr: millions of instructions of an inference on one thread, the least of several after warm-up, as the"
            " emulator counts them. On one machine they repeat to some hundred. How long they take is not said."
        )
    if any(one.is_on_gpu for one in evidence):
        yield (
            "kernel ms, transfer ms: of p50, what the device computes, with the gaps between its kernels, and what"
            " images and outputs take there and back, by its own events. device peak MiB: the most that the runtime's"
            " allocator gave out. device used MiB: what NVML found more in use after a process's work than before,"
            " CUDA's context included."
        )
    sessions = {(one.case.target, one.session.environment.epoch): one.session for one in evidence}
    for (target, epoch), session in sessions.items():
        which = target if len(sessions) == 1 else f"{target} in epoch {epoch}"
        if [name for name, _ in sessions].count(target) > 1:
            which += f", last measured {session.started_at[:10]}"
        yield f"Machine {which}: {machine(session.environment.facts)}."
        yield from _references(records, session)
    yield from _times(records, evidence)
    yield from _stand_ins(evidence)
    yield from _datasets(evidence)
    if aside := sum(one.set_aside for one in evidence):
        yield f"{aside} older runs were made of another artifact, or answered nothing, and are left out."
    if journal.older:
        yield f"{journal.older} lines of the journal are of an older edgebench and were read in today's words."
    if journal.torn:
        yield f"{journal.torn} line of the journal was torn off by an interruption and is left out."


def _times(records: Sequence[Record], evidence: Sequence[Evidence]) -> Iterator[str]:
    """Say where the time went, as far as it was kept: into the files, each counted once, and into all processes."""
    cards = [one.artifact for one in evidence if one.artifact]
    spent = {(_spent_on(card, step), step): seconds for card in cards for step, seconds in card.took_s.items()}
    if spent:
        by_step = {step: sum(seconds for (_, of), seconds in spent.items() if of == step) for step in STEPS}
        said = ", ".join(f"{step} {duration(seconds)}" for step, seconds in by_step.items())
        yield f"Making the files took {duration(sum(spent.values()))}, when and where each was made: {said}."
    if measured := [run.took_s for run in records if isinstance(run, Run) and run.took_s is not None]:
        yield f"Measuring took {duration(sum(measured))} in {len(measured)} processes, reference workloads among them."


def _spent_on(card: Artifact, step: str) -> str:
    """Name the file that a step made: an int8 one has the time of its float parent, too, which others may share."""
    return card.file if step == QUANTIZE else card.parent or card.file


def _datasets(evidence: Sequence[Evidence]) -> Iterator[str]:
    """Say what a reader of the accuracies must know of each data set, and which recipe its images went through."""
    asked = [
        one for one in evidence if one.case.variant.dataset_sha256 or one.case.variant.weights != WeightSource.CUSTOM
    ]
    for name in sorted({one.case.variant.dataset for one in asked}):
        mine = [one for one in evidence if one.case.variant.dataset == name]
        recipes = sorted({str(recipe) for one in mine if (recipe := one.case.variant.preprocessing)})
        said = f", preprocessing {' and '.join(recipes)}" if recipes else ""
        damaged = max((one.accuracy.damaged for one in mine if one.accuracy), default=0)
        left_out = f" Left out as damaged: {damaged}." if damaged else ""
        yield f"Data set {name}{said}: {family(name).NOTE}{left_out}"


def _stand_ins(evidence: Sequence[Evidence]) -> Iterator[str]:
    """Say for which targets the host answered, and how far they answer otherwise themselves."""
    spots = defaultdict[tuple[str, str], list[SpotCheck]](list)
    for one in evidence:
        if one.accuracy and (spot := one.accuracy.spot):
            spots[one.case.target, spot.host].append(spot)
    for (target, host), mine in spots.items():
        yield (
            f"Accuracies of {target} are the answers of the host in its place ({host}). It answered {mine[0].images}"
            f" images of each artifact itself: the outputs differ by at most {max(one.difference for one in mine):.1e}"
            " of the largest."
        )


def machine(facts: dict[str, str]) -> str:
    """Say in one line what a machine is."""
    gibibytes = int(facts.get("memory_bytes", 0)) / 1024**3
    parts = [
        facts.get("board") or facts.get("cpu", "unknown CPU"),
        f"{facts.get('usable_cores', '?')} cores",
        f"of {facts['cores']} (cpuset {facts['cpuset']})" if {"cpuset", "cores"} <= facts.keys() else "",
        f"CPU quota {facts['cpu_quota']} cores" if "cpu_quota" in facts else "",
        f"{gibibytes:.0f} GiB",
        _gpu(facts),
        facts.get("kernel", ""),
        "virtual" if facts.get("hypervisor") else "",
        f"emulated by {facts['emulator']}" if facts.get("emulator") else "",
        f"governor {facts.get('governor', 'unknown')}",
        facts.get("isa", ""),
        facts.get("python", ""),
    ]
    return ", ".join(part for part in parts if part)


def _gpu(facts: dict[str, str]) -> str:
    """Say which GPU computes, if one does, as far as its driver told."""
    if "gpu" not in facts:
        return "a GPU that nobody could ask its name" if facts.get("device") == "cuda" else ""
    gibibytes = int(facts.get("gpu_memory_bytes", 0)) / 1024**3
    limit = f", at most {facts['gpu_power_limit_w']} W" if "gpu_power_limit_w" in facts else ""
    return f"{facts['gpu']} ({gibibytes:.0f} GiB{limit}, driver {facts.get('gpu_driver', 'unknown')})"


def _references(records: Sequence[Record], session: Session) -> Iterator[str]:
    """Say what the reference workloads took in the session's environment, and how far they wandered."""
    here = session.environment
    mine = (
        one for one in records if isinstance(one, Run) and (one.case.target, one.epoch) == (here.target, here.epoch)
    )
    if medians := reference_medians(mine):
        said = (
            f"{name} {median(values) * 1e3:.2f} ms ({min(values) * 1e3:.2f} to {max(values) * 1e3:.2f})"
            for name, values in sorted(medians.items())
        )
        yield f"Reference workloads on {session.environment.target}, the machine's own wandering: {', '.join(said)}."

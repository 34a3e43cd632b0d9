"""A journal's records and the evidence on its cases -> the notes below a table."""

from __future__ import annotations

from collections import defaultdict
from operator import itemgetter
from statistics import median
from typing import TYPE_CHECKING

from edgebench.foundation import stats
from edgebench.foundation.errors import UnknownName
from edgebench.foundation.units import counted, duration
from edgebench.images.catalogue import family
from edgebench.results.measurement.evidence import (
    SHORT,
    Evidence,
    data_of_one_name,
    files_of_one_name,
    reference_medians,
)
from edgebench.schema.artifact import QUANTIZE, STEPS
from edgebench.schema.case import PRESETS, Case
from edgebench.schema.environment import SERIAL, name_of_machine
from edgebench.schema.record import Reference, Run, Session, SpotCheck, Stop
from edgebench.schema.target import MEASURED
from edgebench.schema.variant import WeightSource

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from edgebench.foundation.stats import Spread
    from edgebench.results.journal import Journal
    from edgebench.schema.artifact import Artifact
    from edgebench.schema.record import Record

SHOWN = 5  # largest number of invalid lines, or of sessions, that a note names


def method(preset: str) -> str:
    """Describe how processes are run and timed under a preset."""
    how = PRESETS[preset]
    many = ", ".join(map(str, how.interim_analyses))
    stop = f"takes {many} processes"
    if how.interim_analyses[0] < stats.LEAST_FOR_INTERVAL:
        stop += ", too few for an interval"
    elif len(how.interim_analyses) > 1:
        stop = (
            f"stops after {many} processes as soon as the half-width of the interval is at most {how.half_width:.0%} of"
            f" p50 ({how.half_width_noisy:.0%} on a virtual machine)"
        )
    return (
        f"{preset}: {stop}. Each process is fresh: it loads the file, runs a first inference, warms up for at least"
        f" {how.warmup_s:g} s and {how.warmup_iterations} iterations, and then times {how.least_iterations} to"
        f" {how.most_iterations} iterations, all of which are kept. Each round runs every case once, in a new random"
        " order, and also the reference workloads, which use no runtime. Memory is measured in"
        f" {how.memory_runs} separate process{'es' * (how.memory_runs > 1)}."
    )


def notes_of(
    records: Sequence[Record], evidence: Sequence[Evidence], journal: Journal
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return all notes, and those of them that say how, and on which machines and data, the rows were measured."""
    method = (*_terms(evidence), *_machines(records, evidence), *_times(records, evidence))
    datasets = tuple(_datasets(evidence))
    others = (*_files(evidence), *_boards(records, evidence), *_stand_ins(evidence))
    return (*method, *others, *datasets, *_excluded(records, evidence, journal)), (*method, *datasets)


def _excluded(records: Sequence[Record], evidence: Sequence[Evidence], journal: Journal) -> Iterator[str]:
    """Yield notes on excluded and converted data."""
    if aside := sum(case_evidence.set_aside for case_evidence in evidence):
        yield f"Excluded: {counted(aside, 'older run')}, which used a different artifact or have no usable result."
    if journal.older:
        yield f"Converted: {counted(journal.older, 'line')} of the journal, which an older edgebench wrote."
    yield from _set_aside(records, journal)
    if journal.torn:
        yield f"Excluded: {journal.torn} incomplete line of the journal, which an interruption cut off."


def _terms(evidence: Sequence[Evidence]) -> Iterator[str]:
    """Yield the meanings of the table's columns."""
    yield (
        "p50: the median over fresh processes of each process's median latency, with its [95 % interval], or the"
        " (range) of fewer than 6 processes. n: the number of processes. p90: the 90th percentile, by MLPerf's"
        " early-stopping estimate. A rank with = is a tie: the intervals overlap. int8 x: the latency of the float"
        " twin (the same network in float) divided by that of the int8 row, with its 95 % interval; computed from"
        " latencies in reference beats, a fixed workload timed between samples, if both rows have them. Δ top-1: the"
        " difference to the float parent in percentage points; = means that McNemar's exact test finds no significant"
        " difference."
    )
    yield from _terms_of_tasks(evidence)
    if any(run.stages for case_evidence in evidence for run in case_evidence.runs):
        yield (
            "post ms: the time to turn the network's outputs into an answer; for a detector, to decode boxes and"
            " suppress overlapping ones, in numpy. pre ms: the time to decode a picture's JPEG file, resize and"
            " normalize it. Both are medians on test pictures, measured in separate processes. total ms: p50 plus post"
            " ms, and plus pre ms if it is measured. runtime %: the network's part of total ms. fps: pictures per"
            " second, computed from total ms."
        )
    yield from _terms_of_machines(evidence)


def _terms_of_tasks(evidence: Sequence[Evidence]) -> Iterator[str]:
    """Yield the meanings of the columns of all evaluated tasks other than classification."""
    evaluated = {
        metric.name for case_evidence in evidence if (accuracy := case_evidence.accuracy) for metric in accuracy.metrics
    }
    if "map" in evaluated:
        yield (
            "mAP: mean average precision, computed as COCO does (101 recall points, IoU 0.5 to 0.95, at most 100 boxes"
            " per image), with its 95 % interval by a bootstrap over images. Δ mAP: the difference to the float parent"
            " in percentage points, on the same resamples; = means that its interval contains 0. agree: of the float"
            " parent's boxes with a score of at least 0.3, the share that the int8 file also finds, with the same class"
            " and an IoU of at least 0.5."
        )
    if "miou" in evaluated:
        yield (
            "mIoU: the intersection over union of each class, computed from the pixels of all images together and"
            " averaged over the classes and the background, with its 95 % interval by a bootstrap over images. Δ mIoU:"
            " the difference to the float parent in percentage points, on the same resamples; = means that its interval"
            " contains 0. agree: the share of pixels with the same class as in the float parent's map."
        )
    if "iou" in evaluated:
        yield (
            "IoU: the intersection over union of the predicted and the true box, averaged over images, with its 95 %"
            " interval by a bootstrap over images. Δ IoU: the difference to the float parent in percentage points, on"
            " the same resamples; = means that its interval contains 0. agree: the share of images with the same class"
            " as the float parent and a box that overlaps the parent's by an IoU of at least 0.5."
        )


def _terms_of_machines(evidence: Sequence[Evidence]) -> Iterator[str]:
    """Yield the meanings of the columns that only emulators, compilers and GPUs have."""
    if any(case_evidence.counts for case_evidence in evidence):
        yield (
            "Minstr: millions of instructions per inference on one thread, as counted by the emulator; the lowest count"
            " after warm-up. Repeated counts on one machine differ by a few hundred instructions. They do not predict"
            " time."
        )
    if any(case_evidence.compilation for case_evidence in evidence):
        yield (
            "NPU operators %, NPU MACs %: the shares of the file's operators and of its multiply-adds that the compiler"
            " places on the NPU; the processor beside the NPU runs the others. SRAM KiB, flash KiB, DRAM KiB: the"
            " memory that the compiler allots. Nothing was run: a COMPILED row has no time, no accuracy and no rank."
        )
    if any(case_evidence.is_on_gpu for case_evidence in evidence):
        yield (
            "kernel ms, transfer ms: two parts of p50, measured by device events: the computation, including the gaps"
            " between kernels, and the copies of inputs and outputs. device peak MiB: the most memory that the"
            " runtime's allocator handed out. device used MiB: by how much the device's used memory grows while a"
            " process works, as NVML reports it; this includes the CUDA context."
        )


def _machines(records: Sequence[Record], evidence: Sequence[Evidence]) -> Iterator[str]:
    """Yield a note on each machine in each epoch (state of the machine), and on its reference workloads."""
    sessions = {
        (case_evidence.case.target, case_evidence.session.environment.epoch): case_evidence.session
        for case_evidence in evidence
        if case_evidence.session.environment.is_reached
    }
    for (target, epoch), session in sessions.items():
        which = target if len(sessions) == 1 else f"{target} in epoch {epoch}"
        if [name for name, _ in sessions].count(target) > 1:
            which += f", last measured {session.started_at[:10]}"
        yield f"Machine {which}: {machine(session.environment.facts)}."
        yield from _references(records, session)


def _files(evidence: Sequence[Evidence]) -> Iterator[str]:
    """Yield a note on each name of several files, or of several data sets: which one the last session used."""
    for (architecture, _, weights), asked in files_of_one_name(evidence).items():
        last = max(asked.items(), key=itemgetter(1))[0]
        name = architecture if weights == WeightSource.CUSTOM else weights
        yield (
            f"{name} stands for {counted(len(asked), 'file')} with different contents; each row shows the beginning of"
            f" its file's hash. The file of the last session is {last[:SHORT]}."
        )
    for name, asked in data_of_one_name(evidence).items():
        last = max(asked.items(), key=itemgetter(1))[0]
        yield (
            f"{name} stands for {counted(len(asked), 'data set')} with different contents; the beginning of the"
            f" content's hash tells their rows apart. The data set of the last session is {last[:SHORT]}."
        )


def _boards(records: Sequence[Record], evidence: Sequence[Evidence]) -> Iterator[str]:
    """Yield a note on each target of several boards: how long each board takes for the same reference workloads."""
    epochs = defaultdict[str, dict[str, str]](dict)
    for case_evidence in evidence:
        environment = case_evidence.session.environment
        if SERIAL in environment.facts and case_evidence.is_latest:
            epochs[environment.target][environment.facts[SERIAL]] = environment.epoch
    for target, boards in epochs.items():
        (first, of_first), *others = boards.items()
        runs = {epoch: _reference_spreads(records, target, epoch) for epoch in boards.values()}
        for board, epoch in others:
            ratios = ", ".join(
                f"{name} {_ratio(spread, runs[of_first][name])}"
                for name, spread in runs[epoch].items()
                if name in runs[of_first]
            )
            yield f"Boards of {target}: rows of different boards are ranked apart. {_compared(board, first, ratios)}."


def _compared(board: str, first: str, ratios: str) -> str:
    if not ratios:
        return f"Boards {board} and {first} have too few processes for a comparison"
    return f"For the reference workloads, board {board} takes this many times as long as board {first}: {ratios}"


def _ratio(over: Spread, under: Spread) -> str:
    """Format the ratio of two medians with its 95 % interval."""
    ratio = stats.ratio_of_medians(over, under)
    return f"{ratio.value:.3f} [{ratio.low:.3f}, {ratio.high:.3f}]"


def _reference_spreads(records: Sequence[Record], target: str, epoch: str) -> dict[str, Spread]:
    """Return the median of each reference workload on a board, with its interval, if it has enough processes."""
    runs = [record for record in records if isinstance(record, Run) and isinstance(record.case, Reference)]
    medians = reference_medians(run for run in runs if (run.case.target, run.epoch) == (target, epoch))
    intervals = {name: stats.median_interval(values) for name, values in sorted(medians.items())}
    return {name: (ends[0], median(medians[name]), ends[1]) for name, ends in intervals.items() if ends}


def _set_aside(records: Sequence[Record], journal: Journal) -> Iterator[str]:
    """Yield notes on the unused parts of the journal: invalid lines, and records that no session in it requested."""
    if journal.aside:
        more = f" and {journal.aside - SHOWN} more" if journal.aside > SHOWN else ""
        reasons = "; ".join(journal.reasons[:SHOWN])
        plural = f"invalid line{'s' * (journal.aside > 1)} of the journal"
        repair = "`edgebench repair` writes a journal of the valid lines."
        yield f"Set aside: {journal.aside} {plural}: {reasons}{more}. {repair}"
    sessions = {record.id: record for record in records if isinstance(record, Session)}
    orphans = [record.session for record in records if not isinstance(record, Session)]
    if orphans := [session for session in orphans if session not in sessions]:
        yield (
            f"Excluded: {counted(len(orphans), 'record')} of {counted(len(set(orphans)), 'session')} not in the"
            f" journal: {', '.join(sorted(set(orphans))[:SHOWN])}."
        )
    requested = {case for session in sessions.values() for case in session.cases}
    cases = [record.case for record in records if not isinstance(record, (Session, Stop))]
    if strays := [case for case in cases if isinstance(case, Case) and case not in requested]:
        yield (
            f"Excluded: {counted(len(strays), 'record')} of cases that no session requested, such as"
            f" {strays[0].variant} on {strays[0].target}."
        )


def _times(records: Sequence[Record], evidence: Sequence[Evidence]) -> Iterator[str]:
    """Yield two notes: how long building the files took, with each file counted once, and how long measuring took."""
    cards = [case_evidence.artifact for case_evidence in evidence if case_evidence.artifact]
    spent = {(_spent_on(card, step), step): seconds for card in cards for step, seconds in card.took_s.items()}
    if spent:
        by_step = {step: sum(seconds for (_, of), seconds in spent.items() if of == step) for step in STEPS}
        steps = ", ".join(f"{step} {duration(seconds)}" for step, seconds in by_step.items())
        yield f"Building the files took {duration(sum(spent.values()))}, as recorded when each file was built: {steps}."
    if measured := [run.took_s for run in records if isinstance(run, Run) and run.took_s is not None]:
        processes = counted(len(measured), "process")
        yield f"Measuring took {duration(sum(measured))} in {processes}, including reference workloads."


def _spent_on(card: Artifact, step: str) -> str:
    """Return the file that a step built. For an int8 file, every step except quantization built its float parent."""
    return card.file if step == QUANTIZE else card.parent or card.file


def _datasets(evidence: Sequence[Evidence]) -> Iterator[str]:
    """Yield a note on each data set, with the preprocessing and the number of damaged images."""
    with_images = [
        case_evidence
        for case_evidence in evidence
        if case_evidence.case.variant.dataset_sha256 or case_evidence.case.variant.weights != WeightSource.CUSTOM
    ]
    for name in sorted({case_evidence.case.variant.dataset for case_evidence in with_images}):
        of_dataset = [case_evidence for case_evidence in evidence if case_evidence.case.variant.dataset == name]
        recipes = sorted(
            {str(recipe) for case_evidence in of_dataset if (recipe := case_evidence.case.variant.preprocessing)}
        )
        preprocessing = f", preprocessing {' and '.join(recipes)}" if recipes else ""
        damaged = max(
            (case_evidence.accuracy.damaged for case_evidence in of_dataset if case_evidence.accuracy), default=0
        )
        skipped = f" Damaged images that were skipped: {damaged}." if damaged else ""
        yield f"Data set {name}{preprocessing}: {_about(name)}{skipped}"


def _about(dataset: str) -> str:
    try:
        note: str = family(dataset).NOTE
    except UnknownName:
        return "this edgebench does not know it."
    return note


def _stand_ins(evidence: Sequence[Evidence]) -> Iterator[str]:
    """Yield a note on each target for which the host evaluated accuracy, and how much the outputs of both differ."""
    spots = defaultdict[tuple[str, str], list[SpotCheck]](list)
    for case_evidence in evidence:
        if case_evidence.accuracy and (spot := case_evidence.accuracy.spot):
            spots[case_evidence.case.target, spot.host].append(spot)
    for (target, host), checks in spots.items():
        yield (
            f"Accuracies of {target} were evaluated on the host ({host}). For each artifact, the target itself ran"
            f" {counted(checks[0].images, 'image')}: outputs differ by at most"
            f" {max(check.difference for check in checks):.1e} of the largest output."
        )


def machine(facts: dict[str, str]) -> str:
    """Describe a machine in one line."""
    gibibytes = int(facts.get("memory_bytes", 0)) / 1024**3
    parts = [
        name_of_machine(facts),
        f"{facts.get('usable_cores', '?')} cores",
        f"of {facts['cores']} (cpuset {facts['cpuset']})" if {"cpuset", "cores"} <= facts.keys() else "",
        f"CPU quota {facts['cpu_quota']} cores" if "cpu_quota" in facts else "",
        f"{gibibytes:.0f} GiB",
        _gpu(facts),
        facts.get("kernel", ""),
        "virtual" if facts.get("hypervisor") else "",
        f"emulated by {facts['emulator']}" if facts.get("emulator") else "",
        f"compiles for {facts['device']}, which is not at hand" if facts.get("device", "cpu") not in MEASURED else "",
        f"governor {facts.get('governor', 'unknown')}",
        facts.get("isa", ""),
        facts.get("python", ""),
    ]
    return ", ".join(part for part in parts if part)


def _gpu(facts: dict[str, str]) -> str:
    """Describe the GPU as its driver reports it; return an empty text if there is no GPU."""
    if "gpu" not in facts:
        return "a GPU of unknown name" if facts.get("device") == "cuda" else ""
    gibibytes = int(facts.get("gpu_memory_bytes", 0)) / 1024**3
    limit = f", at most {facts['gpu_power_limit_w']} W" if "gpu_power_limit_w" in facts else ""
    return f"{facts['gpu']} ({gibibytes:.0f} GiB{limit}, driver {facts.get('gpu_driver', 'unknown')})"


def _references(records: Sequence[Record], session: Session) -> Iterator[str]:
    """Yield the median time and the range of each reference workload in a session's environment."""
    environment = session.environment
    place = environment.target, environment.epoch
    runs = (record for record in records if isinstance(record, Run) and (record.case.target, record.epoch) == place)
    if medians := reference_medians(runs):
        times = (
            f"{name} {median(values) * 1e3:.2f} ms ({min(values) * 1e3:.2f} to {max(values) * 1e3:.2f})"
            for name, values in sorted(medians.items())
        )
        yield f"Reference workloads on {environment.target}, which show the machine's variation: {', '.join(times)}."

"""Records of a results folder -> its table, and the files that show it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict, fields, replace
from math import inf, isfinite
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from edgebench import cache, picture, published, stats
from edgebench.appraisal import appraise
from edgebench.catalogue import family
from edgebench.datasets import recipe, why_no_accuracy
from edgebench.evidence import Evidence, gather
from edgebench.journal import existing
from edgebench.measurement import Endurance, Measurement, measure
from edgebench.record import QUANTIZE, STEPS, Reference, Run, SpotCheck
from edgebench.reports import QUANTILES, Background, Machine, Row, Table, ratio, together
from edgebench.shelf import load as load_plugin
from edgebench.spec import PRESETS, Precision, Weighting
from edgebench.units import MIB, duration

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import pandas

    from edgebench.appraisal import Appraisal, Share
    from edgebench.journal import Journal
    from edgebench.record import Accuracy, Artifact, Record, Session

WRITTEN = ("comparison", "csv", "html", "readme")
FIGURES = ("pareto", "heat_maps", "dumbbells", "footprint")


def load(results: str | Path) -> pandas.DataFrame:
    """Return the table of a results folder, one row a case: the columns of `comparison.csv`.

    Raises:
        InvalidFile: the folder has no journal, or one that cannot be read.
    """
    import pandas

    rows = [asdict(row) for row in read(Path(results)).rows]
    return pandas.DataFrame(rows, columns=[field.name for field in fields(Row)])


def write(folder: Path) -> Table:
    """Compute the table from the journal and write its reports beside it."""
    table, background = study(folder)
    for name in WRITTEN:
        report = load_plugin("reports", name)
        content = report.render(table, background).encode()
        cache.write(folder / report.FILE, content, "free space; `edgebench report` writes it again")
    return table


def draw(folder: Path, form: str) -> list[Path]:
    """Write the page's figures into the folder as files of their own; return these.

    Raises:
        RequestError: the form cannot be made, or a file cannot be written.
        InvalidFile: the folder has no journal, or one that cannot be read.
    """
    picture.require(form)
    table, background = study(folder)
    written = []
    for name in FIGURES:
        figure = load_plugin("reports", name)
        written.append((folder / figure.FILE).with_suffix(f".{form}"))
        cache.write(written[-1], picture.convert(figure.render(table, background), form), "free space")
    return written


def read(folder: Path) -> Table:
    """Compute the table from the folder's journal.

    Raises:
        InvalidFile: there is no journal, or one that cannot be read.
    """
    return study(folder)[0]


def study(folder: Path) -> tuple[Table, Background]:
    """Compute the table from the folder's journal, and what lies behind it.

    Raises:
        InvalidFile: there is no journal, or one that cannot be read.
    """
    journal = existing(folder)
    records = tuple(journal)
    evidence = gather(records)
    rows = [row(one, measure(one)) for one in evidence]
    table = Table(
        title=folder.resolve().name,
        rows=tuple(sped(ranked(rows))),
        notes=tuple(_notes(records, evidence, journal)),
    )
    return table, _background(table.rows, dict(zip(rows, evidence, strict=True)))


def _background(rows: Sequence[Row], laid_out: Mapping[Row, Evidence]) -> Background:
    """Gather what lies behind rows in their order; `laid_out` has them as they were before they were compared."""
    behind = [laid_out[_bare(row)] for row in rows]
    return Background(
        processes=tuple(tuple(_quantiles(run) for run in one.timed) for one in behind),
        machines=tuple(_machines(behind)),
        methods=tuple(method(name) for name in dict.fromkeys(row.preset for row in rows)),
    )


def _bare(row: Row) -> Row:
    return replace(row, rank=None, tied=False, speedup=None, speedup_low=None, speedup_high=None)


def _quantiles(run: Run) -> tuple[float, ...]:
    """Return a process's samples at `QUANTILES`, ms, four digits: the nearest, none in between; none of no numbers."""
    if not run.samples_s or not all(map(isfinite, run.samples_s)):
        return ()
    ordered = sorted(run.samples_s)
    return tuple(float(f"{ordered[round(share * (len(ordered) - 1))] * 1e3:.4g}") for share in QUANTILES)


def _machines(evidence: Iterable[Evidence]) -> Iterator[Machine]:
    """Lay out each target in each epoch, as the last session found it."""
    sessions = {(one.case.target, one.session.environment.epoch): one.session for one in evidence}
    for (target, epoch), session in sessions.items():
        here = session.environment
        yield Machine(
            title=f"{target}, epoch {epoch}",
            asked=session.started_at,
            facts=_words(here.facts) | {"agent": here.agent_sha256[:12], "edgebench": session.edgebench},
            packages=here.packages,
        )


def _words(facts: Mapping[str, str]) -> dict[str, str]:
    """Write facts as people read them: memory in GiB."""
    memory = {"memory_bytes": f"{int(facts['memory_bytes']) / 1024**3:.1f} GiB"} if "memory_bytes" in facts else {}
    return {name.removesuffix("_bytes"): fact for name, fact in (dict(facts) | memory).items()}


def method(preset: str) -> str:
    """Say how a preset measures."""
    how = PRESETS[preset]
    stop = (
        f"stops after {', '.join(map(str, how.looks))} processes once half the interval is at most"
        f" {how.half_width:.0%} of p50 ({how.half_width_noisy:.0%} on a virtual machine)"
        if how.looks[0] >= stats.LEAST_FOR_INTERVAL
        else f"takes {how.looks[-1]} processes, too few for an interval: a look"
    )
    return (
        f"{preset}: {stop}. Each is a fresh process with one session: load, first inference, a warm-up of at least"
        f" {how.warmup_s:g} s and {how.warmup_iterations} iterations, then {how.least_iterations} to"
        f" {how.most_iterations} timed iterations, all kept. Rounds run every case once in a new random order, beside"
        f" reference workloads that use no runtime. Memory is measured in {how.memory_runs} processes of its own."
    )


def row(evidence: Evidence, measurement: Measurement) -> Row:
    """Lay out one case."""
    case, artifact, accuracy = evidence.case, evidence.artifact, evidence.accuracy
    variant, dataset, why = case.variant, case.variant.dataset, why_no_accuracy(case.variant)
    reasons = [reason.text for reason in measurement.reasons]
    return Row(
        target=case.target,
        architecture=variant.architecture,
        width=variant.width,
        resolution=variant.resolution,
        precision=variant.precision,
        quantization=str(variant.quantization or ""),
        weights=variant.weights,
        runtime=case.runtime.name,
        runtime_version=case.runtime.version,
        runtime_options=" ".join(case.runtime.options),
        runtime_packages=" ".join(case.runtime.packages),
        preset=evidence.session.preset,
        threads=case.threads,
        batch=case.batch,
        params=artifact.params if artifact else None,
        macs=artifact.macs if artifact else None,
        file_mib=_over(artifact.size_bytes if artifact else None, MIB),
        **_spent(evidence),
        load_ms=_over(measurement.load_s, 1e-3),
        first_ms=_over(measurement.first_s, 1e-3),
        p50_ms=_over(measurement.p50_s, 1e-3),
        p50_low_ms=_over(measurement.low_s, 1e-3),
        p50_high_ms=_over(measurement.high_s, 1e-3),
        p90_ms=_over(measurement.p90_s, 1e-3),
        kernel_ms=_over(measurement.kernel_s, 1e-3),
        transfer_ms=_over(measurement.transfer_s, 1e-3),
        speedup=None,
        speedup_low=None,
        speedup_high=None,
        processes=measurement.processes,
        samples=measurement.samples,
        model_mib=_over(measurement.model_bytes, MIB),
        peak_mib=_over(measurement.peak_bytes, MIB),
        device_peak_mib=_over(measurement.device_peak_bytes, MIB),
        device_used_mib=_over(measurement.device_used_bytes, MIB),
        instructions_m=_over(measurement.instructions, 1e6),
        **_endurance(measurement.endurance),
        **_accuracy(accuracy, why),
        **_answered(accuracy),
        **_int8(artifact if evidence.was_inspected else None),
        dataset=dataset,
        preprocessing=str(recipe(variant)),
        published_top1=published.top1(
            variant.architecture, variant.width, variant.resolution, variant.precision, dataset
        ),
        verdict=measurement.verdict.name,
        reasons="; ".join(filter(None, [*reasons, why])),
        rank=None,
        tied=False,
        epoch=evidence.session.environment.epoch,
    )


def _over(value: float | None, unit: float) -> float | None:
    return None if value is None else value / unit


def _per_cent(share: float | None) -> float | None:
    return None if share is None else share * 100


def _spent(evidence: Evidence) -> dict[str, Any]:
    """Lay out the seconds that the row's file took to make, by step, and its processes."""
    took_s = evidence.artifact.took_s if evidence.artifact else {}
    waited = [run.took_s for run in (*evidence.runs, *evidence.sustained)]
    measured = [seconds for seconds in waited if seconds is not None]
    is_known = measured and len(measured) == len(waited)
    return {f"{step}_s": took_s.get(step) for step in STEPS} | {"measure_s": sum(measured) if is_known else None}


def _endurance(found: Endurance | None) -> dict[str, Any]:
    """Lay out what became of a case's speed over minutes."""
    return {
        "lasted_s": found and found.lasted_s,
        "burst_ms": _over(found.burst_s if found else None, 1e-3),
        "sustained_ms": _over(found.sustained_s if found else None, 1e-3),
        "hottest_c": found and found.hottest_c,
        "slowest_mhz": found and found.slowest_mhz,
    }


def _accuracy(accuracy: Accuracy | None, why: str) -> dict[str, Any]:
    """Lay out what was answered right, per cent, and how like the parent; no shares of right ones where `why` says."""
    if accuracy is None:
        return dict.fromkeys((*_share("top1", None), *_share("top5", None), *_parent(None), "images", "sqnr_db"))
    found = appraise(accuracy)
    if why:
        unlike = {"agreement": _parent(found)["agreement"], "images": accuracy.images, "sqnr_db": accuracy.sqnr_db}
        return _accuracy(None, "") | unlike
    return {
        **_share("top1", found.top1),
        **_share("top5", found.top5),
        **_parent(found),
        "images": accuracy.images,
        "sqnr_db": accuracy.sqnr_db,
    }


def _answered(accuracy: Accuracy | None) -> dict[str, Any]:
    """Say who answered the images: the target, or the host in its place, of whom the target checked some answers."""
    spot = accuracy.spot if accuracy else None
    return {
        "answered_by": ("host" if spot else "target") if accuracy else "",
        "spot_images": spot.images if spot else None,
        "spot_difference": spot.difference if spot else None,
    }


def _share(name: str, share: Share | None) -> dict[str, float | None]:
    low, high = share.interval if share else (None, None)
    value = share.value if share else None
    return {name: _per_cent(value), f"{name}_low": _per_cent(low), f"{name}_high": _per_cent(high)}


def _parent(found: Appraisal | None) -> dict[str, Any]:
    """Lay out how the answers compare with the float parent's."""
    change = found.change if found else None
    agreement = found.agreement if found else None
    return {
        "parent_top1": _per_cent(change.parent.value if change else None),
        "only_parent": change and change.only_parent,
        "only_this": change and change.only_this,
        "mcnemar_p": change and change.p,
        "images_needed": change and change.images_needed,
        "agreement": _per_cent(agreement.value if agreement else None),
    }


def _int8(artifact: Artifact | None) -> dict[str, Any]:
    """Lay out what the runtime computes in integers, and which layer costs most of the signal."""
    worst = artifact.noisiest if artifact else None
    return {
        "integer_share": _per_cent(artifact.integer_share if artifact else None),
        "worst_layer": worst and worst.name,
        "worst_layer_sqnr_db": worst and worst.sqnr_db,
    }


def ranked(rows: Iterable[Row]) -> Iterator[Row]:
    """Order each group by p50, else by instructions, and number it; intervals that overlap the first's share a rank.

    A row without an interval, or whose number is worth nothing, has no rank.
    """
    for group in together(sorted(rows, key=lambda row: row.group)):
        yield from _numbered(sorted(group, key=lambda row: (_bound(row.p50_ms), _bound(row.instructions_m))))


def sped(rows: Iterable[Row]) -> Iterator[Row]:
    """Say of every int8 row how much faster it is than its float twin: the same network in the same group."""
    rows = tuple(rows)
    floats = {row.pair: row for row in rows if row.precision == Precision.FP32}
    for row in rows:
        twin = floats.get(row.pair) if row.precision == Precision.INT8 else None
        found = ratio(twin, row) if twin else None
        own = (found.value, found.low, found.high) if found else (None, None, None)
        yield replace(row, speedup=own[0], speedup_low=own[1], speedup_high=own[2])


def _has_rank(row: Row) -> bool:
    return row.processes >= stats.LEAST_FOR_INTERVAL and not row.is_worthless


def _numbered(rows: list[Row]) -> Iterator[Row]:
    ranks, leader = list[int | None](), None
    place = 0
    for row in rows:
        if not _has_rank(row):
            ranks.append(None)
            continue
        place += 1
        if leader is None or _bound(row.p50_low_ms) > _bound(leader.p50_high_ms):
            leader, rank = row, place
        ranks.append(rank)
    for row, own in zip(rows, ranks, strict=True):
        yield replace(row, rank=own, tied=own is not None and ranks.count(own) > 1)


def _bound(value: float | None) -> float:
    return inf if value is None else value


def _notes(records: Sequence[Record], evidence: Sequence[Evidence], journal: Journal) -> Iterator[str]:
    yield (
        "p50: the median over fresh processes of each one's median, with its [95 % interval], or the (least, largest)"
        " below 6 processes. n: processes. p90: MLPerf's early-stopping estimate. A rank with = is a tie:"
        " the intervals overlap. int8 x: how many times as long the float twin takes, by the medians, with a 95 %"
        " interval from those of both. Δ top-1: points against the float parent; with = McNemar's exact test does not"
        " tell the two apart."
    )
    if any(one.counts for one in evidence):
        yield (
            "Minstr: millions of instructions of an inference on one thread, the least of several after warm-up, as the"
            " emulator counts them. On one machine they repeat within 0.01 %. How long they take is not said."
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
        yield f"Machine {which}: {machine(session.environment.facts)}."
        yield from _references(records, session)
    yield from _times(records, evidence)
    yield from _stand_ins(evidence)
    yield from _datasets(evidence)
    if aside := sum(one.set_aside for one in evidence):
        yield f"{aside} older runs were made in another environment or of another artifact and are left out."
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
    asked = [one for one in evidence if one.case.variant.dataset_sha256 or one.case.variant.weights != Weighting.OWN]
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
        f"{gibibytes:.0f} GiB",
        facts.get("kernel", ""),
        "virtual" if facts.get("hypervisor") else "",
        f"emulated by {facts['emulator']}" if facts.get("emulator") else "",
        f"governor {facts.get('governor', 'unknown')}",
        facts.get("isa", ""),
        facts.get("python", ""),
    ]
    return ", ".join(part for part in parts if part)


def _references(records: Sequence[Record], session: Session) -> Iterator[str]:
    """Say what the reference workloads took in the session's environment, and how far they wandered."""
    medians = defaultdict[str, list[float]](list)
    here = session.environment
    for record in records:
        match record:
            case Run(case=Reference(workload=workload, target=here.target), epoch=here.epoch):
                medians[workload].append(median(record.samples_s))
    if medians:
        said = (
            f"{name} {median(values) * 1e3:.2f} ms ({min(values) * 1e3:.2f} to {max(values) * 1e3:.2f})"
            for name, values in sorted(medians.items())
        )
        yield f"Reference workloads on {session.environment.target}, the machine's own wandering: {', '.join(said)}."

"""The evidence on a case -> its line of the table: the measurement and the row."""

from __future__ import annotations

from dataclasses import replace
from math import inf
from typing import TYPE_CHECKING

from edgebench.agent.stages import DECODE, NORMALIZE, POSTPROCESS, RESIZE
from edgebench.foundation.errors import UnknownName
from edgebench.foundation.shelf import names
from edgebench.foundation.units import KIB, MIB, counted
from edgebench.images.catalogue import family
from edgebench.images.preprocessing import read_as
from edgebench.images.splits import recipe, why_no_accuracy
from edgebench.networks import published
from edgebench.results.measurement import summarize, times_stages
from edgebench.results.measurement.evidence import (
    SHORT,
    data_of_one_name,
    file_name,
    files_of_one_name,
    median_condition,
)
from edgebench.results.measurement.verdict import ACCURACY, MEMORY, TIME, is_of_chance, untrained, worst
from edgebench.results.table.choice import Figure
from edgebench.results.table.parts import (
    Around,
    Compiled,
    Cost,
    Fidelity,
    Int8,
    Latency,
    Memory,
    Quality,
    Setup,
    Sustained,
)
from edgebench.results.table.row import Line, Row
from edgebench.schema.artifact import BUILD, EXPORT, QUANTIZE
from edgebench.schema.environment import EXPECTED, SERIAL, name_of_machine
from edgebench.schema.feed import MOST_SHOWN
from edgebench.schema.names import dataset_plugin
from edgebench.schema.quantization import renamed
from edgebench.schema.variant import WeightSource, task
from edgebench.tasks.classification import appraise
from edgebench.tasks.detection import decoders

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator

    from edgebench.results.measurement import Endurance, Measurement
    from edgebench.results.measurement.evidence import Evidence, FileName
    from edgebench.schema.artifact import Artifact, OutputNoise
    from edgebench.schema.compilation import Compilation
    from edgebench.schema.metric import Metric
    from edgebench.schema.record import Accuracy
    from edgebench.schema.variant import Variant
    from edgebench.tasks.classification import Appraisal, Share

# Below this SQNR, a runtime computes int8 differently from what the file says; see results/README.md for the figures.
SAME_ARITHMETIC_DB = 33.0


def lines(evidence: Iterable[Evidence]) -> list[Line]:
    """Return one line per case; the rows have no ranks and speed-ups yet."""
    every = tuple(evidence)
    files, data = files_of_one_name(every), data_of_one_name(every)
    found = [_line(position, case) for position, case in enumerate(every)]
    return [_told_apart(line, files, data) for line in found] if files or data else found


def _told_apart(line: Line, files: Container[FileName], data: Container[str]) -> Line:
    """Let a row name its file, its data set and its calibration data by the beginning of their hashes.

    `files` and `data` are the names that stand for several contents; contents of other names are not told apart.
    """
    setup, variant = line.row.setup, line.evidence.case.variant
    dataset, quantization, hashes = setup.dataset, setup.quantization, list[str]()
    if file_name(variant) in files:
        hashes.append(setup.weights_sha256[:SHORT])
    if variant.dataset in data:
        dataset = f"{dataset} {variant.dataset_sha256[:SHORT]}".rstrip()
        hashes += [variant.dataset_sha256[:SHORT]] if setup.is_custom else []  # its group is not titled by the data set
    if (scheme := variant.quantization) and scheme.calibration in data:
        marked = f"{scheme.calibration}:{scheme.calibration_sha256[:SHORT]}"
        quantization = renamed(quantization, lambda _: marked)
    told = replace(setup, file=" ".join(hashes), dataset=dataset, quantization=quantization)
    return replace(line, row=replace(line.row, setup=told))


def _line(position: int, evidence: Evidence) -> Line:
    measurement = summarize(evidence)
    return Line(position=position, evidence=evidence, measurement=measurement, row=row(evidence, measurement))


def row(evidence: Evidence, measurement: Measurement) -> Row:
    """Return the row of one case, still without rank and speed-up."""
    accuracy, why = evidence.accuracy, why_no_accuracy(evidence.case.variant)
    appraisal = appraise(accuracy) if accuracy else None
    remarks = (*_remarks(evidence), *_of_reference(evidence), *_accelerated(evidence), *_untimed(evidence, measurement))
    has_memory = _memory(measurement).peak_mib is not None
    return Row(
        setup=_setup(evidence),
        cost=_cost(evidence, measurement),
        latency=_latency(measurement, evidence.case.batch),
        memory=_memory(measurement),
        sustained=_sustained(measurement.endurance),
        quality=_quality(evidence, None if why else appraisal),
        fidelity=_of_outputs(evidence) or _fidelity(appraisal, accuracy, is_counted=not why),
        int8=_int8(evidence),
        verdict=measurement.verdict.name,
        time_verdict=worst(measurement.reasons, TIME).name,
        accuracy_verdict=worst(measurement.reasons, ACCURACY).name if accuracy else "",
        memory_verdict=worst(measurement.reasons, MEMORY).name if has_memory else "",
        reasons="; ".join(filter(None, [*(reason.text for reason in measurement.reasons), *remarks, why])),
        around=_around(measurement, evidence.case.batch),
        compiled=_compiled(measurement.compilation),
    )


def _preprocessing(variant: Variant) -> str:
    """Return how the images are preprocessed; an empty text if there are none, or if the data set is unknown here."""
    if variant.feed:
        return ""
    try:
        return str(recipe(variant))
    except UnknownName:
        return ""


def _setup(evidence: Evidence) -> Setup:
    case, variant, session = evidence.case, evidence.case.variant, evidence.session
    facts = session.environment.facts
    return Setup(
        target=case.target,
        epoch=session.environment.epoch,
        architecture=variant.architecture,
        width=None if variant.feed else variant.width,
        resolution=variant.resolution or None,
        precision=variant.precision,
        quantization=str(variant.quantization or _given(evidence.artifact)),
        weights=variant.weights,
        dataset=variant.dataset,
        preprocessing=_preprocessing(variant),
        runtime=case.runtime.name,
        runtime_version=case.runtime.version,
        runtime_options=" ".join(case.runtime.options),
        runtime_packages=" ".join(case.runtime.packages),
        preset=session.preset,
        threads=case.threads,
        batch=case.batch,
        inputs=str(variant.feed or ""),
        sizes=variant.feed.sizes if variant.feed else "",
        task=task(variant),
        board=facts.get(SERIAL, ""),
        machine=name_of_machine(facts) if EXPECTED in facts else "",
        weights_sha256=variant.weights_sha256,
        dataset_sha256=variant.dataset_sha256,
        data=variant.dataset,
    )


def _remarks(evidence: Evidence) -> Iterator[str]:
    """Yield remarks on a user-supplied file: what it was fed, what could not be counted, and how it reads pixels."""
    if evidence.artifact:
        yield f"fed {feed.short}" if (feed := evidence.case.variant.feed) else ""
        yield evidence.artifact.uncounted
        yield _outputs(evidence.artifact)
    if evidence.accuracy:
        yield read_as(recipe(evidence.case.variant))
    yield _read_otherwise(evidence.case.variant)
    if evidence.accuracy and evidence.accuracy.parent_sha256 and evidence.case.variant.classes == 1:
        yield "no agreement: a network with a single output has no classes to compare"


def _read_otherwise(variant: Variant) -> str:
    """Say if a detector has more or fewer classes than its data set, and which decoder would find the right number."""
    if not variant.decoding or (variant.dataset not in names("datasets") and not variant.dataset_classes):
        return ""
    known = variant.dataset_classes or family(variant.dataset).CLASSES
    return decoders.alternatives(variant.decoding, variant.classes, known) if known else ""


def _outputs(artifact: Artifact) -> str:
    """Describe how far the int8 outputs are from the float outputs; name only a few outputs, the worst first."""
    compared = sorted(artifact.outputs, key=lambda output: inf if output.sqnr_db is None else output.sqnr_db)
    words = [_of_output(output) for output in compared[:MOST_SHOWN]]
    more = [f"{len(compared) - MOST_SHOWN} more are closer"] if len(compared) > MOST_SHOWN else []
    return f"int8 against float on the calibration inputs: {', '.join([*words, *more])}" if words else ""


def _of_output(output: OutputNoise) -> str:
    if output.uncompared:
        return f"{output.name} is not compared, {output.uncompared}"
    sqnr = "equal" if output.sqnr_db is None else f"SQNR {output.sqnr_db:.1f} dB"
    cosine = "" if output.cosine is None else f", cosine {output.cosine:.4f}"
    return f"{output.name} ({sqnr}, largest difference {output.largest_difference:.3g}{cosine})"


def _of_outputs(evidence: Evidence) -> Fidelity | None:
    """Return the comparison with the float parent for a model without an accuracy: the SQNR of its worst output."""
    artifact = evidence.artifact
    variant = evidence.case.variant
    if artifact is None or not artifact.outputs or (variant.decoding and variant.weights != WeightSource.RANDOM):
        return None
    worst = artifact.worst_output
    agreement = next((output.agreement for output in artifact.outputs if output.agreement is not None), None)
    return Fidelity(agreement=None if agreement is None else agreement * 100, sqnr_db=worst.sqnr_db if worst else None)


def _given(artifact: Artifact | None) -> str:
    """Return how a user-supplied file's weights are quantized if its activations are float; else an empty string."""
    return f"given: {artifact.given}" if artifact and artifact.given else ""


def _cost(evidence: Evidence, measurement: Measurement) -> Cost:
    artifact = evidence.artifact
    took_s = artifact.took_s if artifact else {}
    return Cost(
        params=artifact.params if artifact else None,
        macs=artifact.macs if artifact else None,
        instructions_m=_over(measurement.instructions, 1e6),
        file_mib=_over(artifact.size_bytes if artifact else None, MIB),
        build_s=took_s.get(BUILD),
        export_s=took_s.get(EXPORT),
        quantize_s=took_s.get(QUANTIZE),
        measure_s=_measured_s(evidence),
        params_at_least=artifact.least_params if artifact else None,
        macs_at_least=artifact.least_macs if artifact else None,
    )


def _measured_s(evidence: Evidence) -> float | None:
    """Return the total time of all processes in seconds; None if the time of a process is unknown."""
    waited = [run.took_s for run in (*evidence.runs, *evidence.sustained)]
    known = [seconds for seconds in waited if seconds is not None]
    return sum(known) if known and len(known) == len(waited) else None


def _latency(measurement: Measurement, batch: int) -> Latency:
    return Latency(
        processes=measurement.processes,
        samples=measurement.samples,
        load_ms=_over(measurement.load_s, 1e-3),
        first_ms=_over(measurement.first_s, 1e-3),
        p50_ms=_over(measurement.p50_s, 1e-3),
        p50_low_ms=_over(measurement.low_s, 1e-3),
        p50_high_ms=_over(measurement.high_s, 1e-3),
        p50_beats=measurement.p50_beats,
        p50_low_beats=measurement.low_beats,
        p50_high_beats=measurement.high_beats,
        beat=measurement.beat,
        p90_ms=_over(measurement.p90_s, 1e-3),
        kernel_ms=_over(measurement.kernel_s, 1e-3),
        transfer_ms=_over(measurement.transfer_s, 1e-3),
        mean_ms=_over(measurement.mean_s, 1e-3),
        stddev_ms=_over(measurement.deviation_s, 1e-3),
        min_ms=_over(measurement.least_s, 1e-3),
        images_per_second=batch / measurement.p50_s if measurement.p50_s else None,
        parts={name: time_s / 1e-3 for name, time_s in measurement.parts_s} or None,
    )


def _memory(measurement: Measurement) -> Memory:
    return Memory(
        model_mib=_over(measurement.model_bytes, MIB),
        peak_mib=_over(measurement.peak_bytes, MIB),
        device_peak_mib=_over(measurement.device_peak_bytes, MIB),
        device_used_mib=_over(measurement.device_used_bytes, MIB),
    )


def _around(measurement: Measurement, batch: int) -> Around:
    """Compute each stage's time around the inference of a batch: its time per picture, multiplied by the batch."""
    stages = {name: seconds * batch for name, seconds in measurement.stages.items()}
    before = [stages.get(name) for name in (DECODE, RESIZE, NORMALIZE)]
    pre_s = sum(seconds or 0.0 for seconds in before) if None not in before else None
    post_s, p50_s = stages.get(POSTPROCESS), measurement.p50_s
    total_s = None if post_s is None or not p50_s else p50_s + post_s + (pre_s or 0.0)
    return Around(
        decode_ms=_over(stages.get(DECODE), 1e-3),
        resize_ms=_over(stages.get(RESIZE), 1e-3),
        normalize_ms=_over(stages.get(NORMALIZE), 1e-3),
        pre_ms=_over(pre_s, 1e-3),
        post_ms=_over(post_s, 1e-3),
        total_p50_ms=_over(total_s, 1e-3),
        runtime_share=100 * p50_s / total_s if p50_s and total_s else None,
        fps=batch / total_s if total_s else None,
        score_threshold=measurement.settings.get("score"),
        iou_threshold=measurement.settings.get("iou"),
    )


def _of_reference(evidence: Evidence) -> Iterator[str]:
    """Say so if the runtime's int8 outputs differ from those of the file's own arithmetic."""
    accuracy = evidence.accuracy
    noise = accuracy.reference_sqnr_db if accuracy else None
    if accuracy and noise is not None and noise < SAME_ARITHMETIC_DB:
        agreed = accuracy.reference_agreement
        share = "" if agreed is None else f", {agreed:.0%} agree"
        yield (
            f"its int8 answers differ from the file's own arithmetic: SQNR {noise:.1f} dB on"
            f" {counted(accuracy.reference_images, 'image')}{share}"
        )


def _accelerated(evidence: Evidence) -> Iterator[str]:
    """Say whether accelerators compute all operators, and how a weight cache changes the load time."""
    runs = [run for run in evidence.runs if "fully_accelerated" in run.conditions]
    if any(run.conditions["fully_accelerated"] == "no" for run in runs):
        yield "not fully accelerated: LiteRT computes some operators with its own kernels"
    if (extra_s := median_condition(runs, "empty_cache_s")) is not None:
        mebibytes = (median_condition(runs, "weight_cache_bytes") or 0.0) / MIB
        alone = not any(run.conditions["weight_cache"] == "read" for run in runs)
        whose = "was written by the same process" if alone else "was written by an earlier process"
        yield (
            f"the weight cache ({mebibytes:.2f} MiB) {whose};"
            f" with an empty cache, loading takes {extra_s * 1e3:.2f} ms longer"
        )


def _untimed(evidence: Evidence, measurement: Measurement) -> Iterator[str]:
    """Say which of the requested steps before and after inference were not timed, and why."""
    variant, session = evidence.case.variant, evidence.session
    for why in dict.fromkeys(measurement.lacks.values()):
        yield f"{', '.join(name for name, text in measurement.lacks.items() if text == why)} not timed: {why}"
    if session.stages and not times_stages(variant, session):
        untimed = "a network that is only compiled" if evidence.compiles_for else "an emulated processor"
        is_fed = f"{variant.architecture} is fed no pictures of a data set"
        why = is_fed if evidence.has_times else f"{untimed} has no times"
        yield f"no step before or after inference is timed: {why}"
    elif session.stages and not measurement.stages:
        yield "no step before or after inference is timed: no process that times them has ended yet"


def _sustained(endurance: Endurance | None) -> Sustained:
    if endurance is None:
        return Sustained()
    return Sustained(
        lasted_s=endurance.lasted_s,
        burst_ms=_over(endurance.burst_s, 1e-3),
        sustained_ms=_over(endurance.sustained_s, 1e-3),
        hottest_c=endurance.hottest_c,
        slowest_mhz=endurance.slowest_mhz,
    )


def _quality(evidence: Evidence, appraisal: Appraisal | None) -> Quality:
    """Return the quality part of a row; if the accuracy was not appraised, this part has no metrics."""
    accuracy = evidence.accuracy
    spot = accuracy.spot if accuracy else None
    return Quality(
        metrics=_metrics(appraisal) | _of_task(accuracy) if appraisal else {},
        images=accuracy.images if accuracy else None,
        answered_by=("host" if spot else "target") if accuracy else "",
        spot_images=spot.images if spot else None,
        spot_difference=spot.difference if spot else None,
        published_top1=_published(evidence.case.variant),
        is_of_chance=bool(accuracy and untrained(accuracy)),
    )


def _metrics(appraisal: Appraisal) -> dict[str, Figure]:
    shares = {"top1": appraisal.top1, "top5": appraisal.top5}
    return {name: _metric(share) for name, share in shares.items() if share}


def _of_task(accuracy: Accuracy | None) -> dict[str, Figure]:
    """Return the metrics of tasks in which a prediction can be partly right, such as detection."""
    return {metric.name: _in_percent(metric) for metric in accuracy.metrics} if accuracy else {}


def _in_percent(metric: Metric) -> Figure:
    low, high = (100 * (metric.value if end is None else end) for end in (metric.low, metric.high))
    return Figure(value=metric.value * 100, low=low, high=high)


def _metric(share: Share) -> Figure:
    low, high = share.interval
    return Figure(value=share.value * 100, low=low * 100, high=high * 100)


def _published(variant: Variant) -> float | None:
    """Return the network's published top-1 in %; None unless the images are ImageNet's."""
    if dataset_plugin(variant.dataset) != published.IMAGENET:
        return None
    return published.top1(variant.architecture, variant.width, variant.resolution, variant.precision)


def _fidelity(appraisal: Appraisal | None, accuracy: Accuracy | None, *, is_counted: bool) -> Fidelity:
    """Return the comparison with the float parent; it contains accuracies only if `is_counted` is true."""
    change = appraisal.change if appraisal and is_counted else None
    agreement = appraisal.agreement if appraisal and accuracy and not is_of_chance(accuracy) else None
    paired = accuracy.change if accuracy and is_counted else None
    alike = Fidelity(
        agreement=agreement.value * 100 if agreement else None,
        sqnr_db=accuracy.sqnr_db if accuracy else None,
        reference_agreement=_over(accuracy.reference_agreement, 0.01) if accuracy else None,
        reference_sqnr_db=accuracy.reference_sqnr_db if accuracy else None,
        change=_in_percent(paired) if paired else None,
    )
    if change is None:
        return alike
    return replace(
        alike,
        parent_top1=change.parent.value * 100,
        only_parent=change.only_parent,
        only_this=change.only_this,
        mcnemar_p=change.p,
        images_needed=change.images_needed,
    )


def _int8(evidence: Evidence) -> Int8:
    artifact, integers = evidence.artifact, evidence.integers
    worst = artifact.noisiest if artifact and evidence.was_inspected else None
    return Int8(
        integer_share=None if integers is None or integers.share is None else integers.share * 100,
        worst_layer=worst.name if worst else None,
        worst_layer_sqnr_db=worst.sqnr_db if worst else None,
    )


def _compiled(report: Compilation | None) -> Compiled:
    if report is None:
        return Compiled()
    return Compiled(
        npu_operator_share=100 * report.npu_operators / report.operators if report.operators else None,
        npu_mac_share=100 * report.npu_macs / report.macs if report.macs else None,
        sram_kib=_over(report.sram_bytes, KIB),
        flash_kib=_over(report.flash_bytes, KIB),
        dram_kib=_over(report.dram_bytes, KIB),
        compiled_for=report.configuration,
    )


def _over(value: float | None, unit: float) -> float | None:
    return None if value is None else value / unit

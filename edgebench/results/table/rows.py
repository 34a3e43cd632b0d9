"""A case's evidence and what was measured of it -> its row of the table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgebench.foundation.units import MIB
from edgebench.images.splits import recipe, why_no_accuracy
from edgebench.networks import published
from edgebench.results.table.row import Row
from edgebench.schema.artifact import STEPS
from edgebench.tasks.classification import appraise

if TYPE_CHECKING:
    from edgebench.results.measurement import Endurance, Measurement
    from edgebench.results.measurement.evidence import Evidence
    from edgebench.schema.artifact import Artifact
    from edgebench.schema.record import Accuracy
    from edgebench.schema.variant import Variant
    from edgebench.tasks.classification import Appraisal, Share


def row(evidence: Evidence, measurement: Measurement) -> Row:
    """Lay out one case; how it compares with others is not known yet."""
    artifact, why = evidence.artifact, why_no_accuracy(evidence.case.variant)
    return Row(
        **_case(evidence),
        **_cost(artifact),
        **_spent(evidence),
        **_latency(measurement),
        **_memory(measurement),
        **_endurance(measurement.endurance),
        **_accuracy(evidence.accuracy, why),
        **_answered(evidence.accuracy),
        **_int8(artifact if evidence.was_inspected else None),
        **_published(evidence.case.variant),
        **_worth(measurement, why),
        speedup=None,
        speedup_low=None,
        speedup_high=None,
        rank=None,
        tied=False,
    )


def _case(evidence: Evidence) -> dict[str, Any]:
    """Name what ran, where and how."""
    case, variant, session = evidence.case, evidence.case.variant, evidence.session
    return {
        "target": case.target,
        "architecture": variant.architecture,
        "width": variant.width,
        "resolution": variant.resolution,
        "precision": variant.precision,
        "quantization": str(variant.quantization or ""),
        "weights": variant.weights,
        "dataset": variant.dataset,
        "preprocessing": str(recipe(variant)),
        "runtime": case.runtime.name,
        "runtime_version": case.runtime.version,
        "runtime_options": " ".join(case.runtime.options),
        "runtime_packages": " ".join(case.runtime.packages),
        "preset": session.preset,
        "threads": case.threads,
        "batch": case.batch,
        "epoch": session.environment.epoch,
    }


def _cost(artifact: Artifact | None) -> dict[str, Any]:
    return {
        "params": artifact and artifact.params,
        "macs": artifact and artifact.macs,
        "file_mib": _over(artifact.size_bytes if artifact else None, MIB),
    }


def _latency(found: Measurement) -> dict[str, Any]:
    seconds = {
        "load": found.load_s,
        "first": found.first_s,
        "p50": found.p50_s,
        "p50_low": found.low_s,
        "p50_high": found.high_s,
        "p90": found.p90_s,
        "kernel": found.kernel_s,
        "transfer": found.transfer_s,
    }
    beats = {
        "p50_beats": found.p50_beats,
        "p50_low_beats": found.low_beats,
        "p50_high_beats": found.high_beats,
        "beat": found.beat,
    }
    counted = {"instructions_m": _over(found.instructions, 1e6)}
    return {f"{name}_ms": _over(value, 1e-3) for name, value in seconds.items()} | beats | counted


def _memory(found: Measurement) -> dict[str, Any]:
    sizes = {
        "model": found.model_bytes,
        "peak": found.peak_bytes,
        "device_peak": found.device_peak_bytes,
        "device_used": found.device_used_bytes,
    }
    return {f"{name}_mib": _over(value, MIB) for name, value in sizes.items()}


def _published(variant: Variant) -> dict[str, Any]:
    place = (variant.architecture, variant.width, variant.resolution, variant.precision, variant.dataset)
    return {"published_top1": published.top1(*place)}


def _worth(found: Measurement, why: str) -> dict[str, Any]:
    """Say on how much the numbers rest, what they are worth, and why; last why there is no accuracy."""
    reasons = filter(None, [*(reason.text for reason in found.reasons), why])
    return {
        "processes": found.processes,
        "samples": found.samples,
        "verdict": found.verdict.name,
        "reasons": "; ".join(reasons),
    }


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

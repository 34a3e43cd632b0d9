"""A row -> its values in the columns of `comparison.csv`, in order. Only this module flattens the parts of a row."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any

from edgebench.foundation.shelf import literal, names

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from edgebench.foundation.stats import Ratio
    from edgebench.results.table.choice import Figure
    from edgebench.results.table.row import Row

METRICS = ("top1", "top5")  # three columns each: the value and both ends of its interval
DETECTION: dict[str, bool] = literal("tasks", "detection", "COLUMNS")  # whether a metric has an interval
OTHERS: dict[str, bool] = {  # metrics of the other tasks; last, so that the other columns keep their places
    metric: has_interval
    for task in names("tasks")
    for metric, has_interval in (literal("tasks", task, "COLUMNS") or {}).items()
    if metric not in (*METRICS, *DETECTION)
}


def _named(metrics: Mapping[str, bool]) -> tuple[str, ...]:
    """Return the columns of metrics: three for a metric with an interval, else one."""
    return tuple(f"{name}{end}" for name, wide in metrics.items() for end in ("", "_low", "_high")[: 1 + 2 * wide])


def _paths(*parts: tuple[str, str]) -> dict[str, str]:
    """Return each column's attribute path in a row; `parts` are pairs of a part's name and the names of its fields."""
    return {name: f"{part}.{name}".lstrip(".") for part, names in parts for name in names.split()}


_BEFORE_SPEEDUP = _paths(
    ("setup", "target architecture width resolution precision quantization weights"),
    ("setup", "runtime runtime_version runtime_options runtime_packages preset threads batch"),
    ("cost", "params macs file_mib build_s export_s quantize_s measure_s"),
    ("latency", "load_ms first_ms p50_ms p50_low_ms p50_high_ms p50_beats p50_low_beats p50_high_beats beat"),
    ("latency", "p90_ms kernel_ms transfer_ms"),
)
_BEFORE_METRICS = _paths(
    ("latency", "processes samples"),
    ("memory", "model_mib peak_mib device_peak_mib device_used_mib"),
    ("cost", "instructions_m"),
    ("sustained", "lasted_s burst_ms sustained_ms hottest_c slowest_mhz"),
)
_AFTER_METRICS = _paths(
    ("quality", "images answered_by spot_images spot_difference"),
    ("setup", "dataset preprocessing"),
    ("fidelity", "parent_top1 only_parent only_this mcnemar_p images_needed agreement sqnr_db"),
    ("int8", "integer_share worst_layer worst_layer_sqnr_db"),
    ("quality", "published_top1"),
    ("", "verdict reasons"),
    ("standing", "rank tied"),
    ("setup", "epoch"),
    ("setup", "inputs"),
    ("cost", "params_at_least macs_at_least"),
)
_AROUND = _paths(
    ("around", "decode_ms resize_ms normalize_ms pre_ms post_ms total_p50_ms runtime_share fps"),
    ("around", "score_threshold iou_threshold"),
)
_VERDICTS = ("time_verdict", "accuracy_verdict", "memory_verdict")
_USUAL = _paths(("latency", "mean_ms stddev_ms min_ms images_per_second"))  # the statistics that other tools report
_COMPILED = _paths(("compiled", "npu_operator_share npu_mac_share sram_kib flash_kib dram_kib compiled_for"))
_REFERENCE = ("reference_agreement", "reference_sqnr_db")
COLUMNS = (
    *_BEFORE_SPEEDUP,
    *("speedup", "speedup_low", "speedup_high"),
    *_BEFORE_METRICS,
    *(f"{name}{end}" for name in METRICS for end in ("", "_low", "_high")),
    *_AFTER_METRICS,
    "task",
    *_named(DETECTION),
    *("metric_change", "metric_change_low", "metric_change_high"),
    *_AROUND,
    "parts",
    *_VERDICTS,
    *_named(OTHERS),
    *_USUAL,
    "instruction_ratio",
    "board",
    *_COMPILED,
    *_REFERENCE,
    "weights_sha256",
)
_verdicts = attrgetter(*_VERDICTS)
_before_speedup = attrgetter(*_BEFORE_SPEEDUP.values())
_before_metrics = attrgetter(*_BEFORE_METRICS.values())
_after_metrics = attrgetter(*_AFTER_METRICS.values())
_usual = attrgetter(*_USUAL.values())
_compiled = attrgetter(*_COMPILED.values())
_around = attrgetter(*_AROUND.values())


def cells(row: Row) -> tuple[Any, ...]:
    """Return a row's value for each column of `COLUMNS`; None if a value is missing."""
    return (
        *_before_speedup(row),
        *_ends(row.standing.speedup),
        *_before_metrics(row),
        *_metrics(row),
        *_after_metrics(row),
        row.setup.task,
        *_of_tasks(row, DETECTION),
        *_ends(row.fidelity.change),
        *_around(row),
        row.latency.parts,
        *(verdict or None for verdict in _verdicts(row)),
        *_of_tasks(row, OTHERS),
        *_usual(row),
        row.standing.instruction_ratio,
        row.setup.board or None,
        *_compiled(row),
        row.fidelity.reference_agreement,
        row.fidelity.reference_sqnr_db,
        row.setup.weights_sha256 or None,
    )


def flat(row: Row) -> dict[str, Any]:
    """Return the values of a row by column name."""
    return dict(zip(COLUMNS, cells(row), strict=True))


def _metrics(row: Row) -> Iterator[float | None]:
    for name in METRICS:
        yield from _ends(row.quality.metrics.get(name))


def _of_tasks(row: Row, metrics: Mapping[str, bool]) -> Iterator[float | None]:
    for name, has_interval in metrics.items():
        yield from _ends(row.quality.metrics.get(name))[: 1 + 2 * has_interval]


def _ends(figure: Figure | Ratio | None) -> tuple[float | None, float | None, float | None]:
    return (figure.value, figure.low, figure.high) if figure else (None, None, None)

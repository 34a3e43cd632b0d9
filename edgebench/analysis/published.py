"""Filters -> tables of published figures, each row with its source."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from operator import itemgetter
from statistics import median
from typing import Any

from edgebench.foundation.errors import require
from edgebench.foundation.sheet import IDENTITY, OBJECTIVE, Column, Sheet
from edgebench.foundation.units import counted, millions, milliseconds, number
from edgebench.networks import published
from edgebench.networks.published import PublishedQuantization, runtime, title
from edgebench.results.table.selection import ALL, Selection
from edgebench.schema.variant import Precision


def _weights(row: PublishedQuantization) -> str:
    bits = f"{row.weight_bits}/{row.activation_bits or '?'} bits"
    return " ".join(filter(None, (bits, row.weight_granularity, row.weight_symmetry)))


_TENTHS = partial(number, digits=1)
# The columns serve rows of several classes, because fields of the same name have the same meaning in all of them.
_NETWORK: Column[Any] = Column.text("network", title, IDENTITY)
_PRECISION: Column[Any] = Column.text("precision", lambda row: row.precision, IDENTITY)
_TOP1: Column[Any] = Column.figure("top-1 %", lambda row: row.top1, _TENTHS, rank=3)
_TAIL: tuple[Column[Any], ...] = (
    Column.text("note", lambda row: row.note or None, rank=7),
    Column.text("source", lambda row: row.source, rank=8),
)
_RUN: tuple[Column[Any], ...] = (
    Column.text("runtime", runtime),
    Column.figure("threads", lambda row: row.threads),
    Column.figure("MHz", lambda row: row.clock_mhz, key="clock_mhz"),
    Column.text("board", lambda row: row.board, rank=6, target=lambda row: row.target, board=lambda row: row.board),
)
COLUMNS: dict[str, tuple[Column[Any], ...]] = {
    "accuracy": (
        _NETWORK,
        _PRECISION,
        _TOP1,
        Column.figure("top-5 %", lambda row: row.top5, _TENTHS),
        Column.figure("params M", lambda row: row.params, partial(millions, digits=2), rank=5, key="params"),
        Column.figure("MACs M", lambda row: row.macs, partial(millions, digits=1), rank=4, key="macs"),
        *_TAIL,
    ),
    "latency": (
        _NETWORK,
        _PRECISION,
        Column.figure("mean ms", lambda row: row.mean_ms, milliseconds, OBJECTIVE),
        Column.figure("p50 ms", lambda row: row.p50_ms, milliseconds, OBJECTIVE),
        Column.figure("p90 ms", lambda row: row.p90_ms, milliseconds, rank=5),
        _TOP1,
        Column.text("runtime", runtime),
        Column.figure("threads", lambda row: row.threads),
        Column.figure("MHz", lambda row: row.clock_mhz, rank=4, key="clock_mhz"),
        Column.figure("W", lambda row: row.power_w, partial(number, digits=2), rank=5, key="power_w"),
        Column.text("board", lambda row: row.board, rank=6, target=lambda row: row.target, board=lambda row: row.board),
        *_TAIL,
    ),
    "detection": (
        _NETWORK,
        _PRECISION,
        Column.figure("mean ms", lambda row: row.mean_ms, milliseconds, OBJECTIVE),
        Column.figure("p50 ms", lambda row: row.p50_ms, milliseconds, OBJECTIVE),
        Column.figure("p90 ms", lambda row: row.p90_ms, milliseconds, rank=5),
        Column.figure("mAP %", lambda row: row.map, partial(number, digits=2), rank=3, key="map"),
        Column.text("data set", lambda row: row.dataset or None, rank=6, dataset=lambda row: row.dataset),
        *_RUN,
        *_TAIL,
    ),
    "quantization": (
        _NETWORK,
        Column.text("method", lambda row: row.method, IDENTITY),
        Column.text("weights", _weights, IDENTITY),
        _TOP1,
        Column.figure("fp32 top-1 %", lambda row: row.fp32_top1, _TENTHS),
        *_TAIL,
    ),
}
KINDS = tuple(COLUMNS)
TIMED = ("latency", "detection")  # kinds of rows that have latencies
TITLES = {
    "accuracy": "published accuracy on ImageNet",
    "latency": "published latency on boards, batch 1",
    "detection": "published latency of detectors on boards, batch 1",
    "quantization": "published accuracy after quantization, ImageNet",
}


def sheets(kind: str = "", selection: Selection = ALL) -> tuple[Sheet, ...]:
    """Return tables of the published rows of a kind (such as `latency`) that the selection accepts.

    Only latencies have runtimes, boards and threads.

    Raises:
        UnknownName: there is no such kind, or no published figure has a value that the selection wants.
        RequestError: no published figure matches all filters.
    """
    require("kind of figure", kind, KINDS, may_be_empty=True)
    rows = [(name, row) for name, several in _rows().items() if kind in ("", name) for row in several]
    selected = selection.select(rows, itemgetter(1), "the published figures")
    filled = {name: [row for of, row in selected if of == name] for name in KINDS}
    return tuple(
        Sheet.of(f"{TITLES[name]}: {counted(len(found), 'row')}", COLUMNS[name], found, name=name).closed(
            _conclusion(name, found)
        )
        for name, found in filled.items()
        if found
    )


def _conclusion(kind: str, rows: Iterable[Any]) -> Iterator[str]:
    """Say how much faster int8 is than fp32, in pairs of rows that differ only in the precision."""
    if kind not in TIMED:
        return
    pairs = defaultdict[tuple[object, ...], dict[str, Any]](dict)
    for row in rows:
        if not row.reservation:
            pairs[_but_precision(row)][row.precision] = row
    ratios = sorted(filter(None, (_speedup(pair) for pair in pairs.values())))
    if ratios:
        span = f", from {ratios[0]:.2f} to {ratios[-1]:.2f} times" if len(ratios) > 1 else ""
        boards = ", ".join(sorted({str(key[0]) for key, pair in pairs.items() if _speedup(pair)}))
        several = counted(len(ratios), "pair")
        yield (
            f"int8 is {median(ratios):.2f} times as fast as fp32 (median of {several} of rows that differ only in the"
            f" precision{span}), on {boards}."
        )


def _but_precision(row: Any) -> tuple[object, ...]:
    """Return all that makes two published rows comparable except the precision; the board comes first."""
    return row.target, row.board, title(row), runtime(row), row.threads, row.clock_mhz, row.source


def _speedup(pair: Mapping[str, Any]) -> float | None:
    """Return the fp32 latency over the int8 latency by the same statistic; None if the two rows have none in common."""
    if not pair.keys() >= {Precision.FP32, Precision.INT8}:
        return None
    before, after = pair[Precision.FP32], pair[Precision.INT8]
    for statistic in ("p50_ms", "mean_ms", "p90_ms"):
        if (slow := getattr(before, statistic)) and (fast := getattr(after, statistic)):
            return float(slow) / float(fast)
    return None


def _rows() -> dict[str, tuple[Any, ...]]:
    return dict(
        zip(
            KINDS,
            (published.accuracies(), published.latencies(), published.detections(), published.quantized()),
            strict=True,
        )
    )

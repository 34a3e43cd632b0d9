"""Filters -> sheets of published figures, each row with its source."""

from collections.abc import Iterator
from functools import partial
from typing import Any

from edgebench.foundation.errors import RequestError, require
from edgebench.foundation.sheet import IDENTITY, OBJECTIVE, Column, Sheet
from edgebench.foundation.units import millions, milliseconds, number
from edgebench.networks import published
from edgebench.networks.published import PublishedQuantization, runtime, targets, title


def _weights(row: PublishedQuantization) -> str:
    bits = f"{row.weight_bits}/{row.activation_bits or '?'} bits"
    return " ".join(filter(None, (bits, row.weight_granularity, row.weight_symmetry)))


_TENTHS = partial(number, digits=1)
# Shared by rows of different classes, whose fields of the same name have the same meaning.
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
TITLES = {
    "accuracy": "published accuracy on ImageNet",
    "latency": "published latency on boards, batch 1",
    "detection": "published latency of detectors on boards, batch 1",
    "quantization": "published accuracy after quantization, ImageNet",
}


def sheets(kind: str = "", model: str = "", target: str = "") -> tuple[Sheet, ...]:
    """Return the published rows of a kind, network and board; an empty filter selects all.

    Raises:
        UnknownName: the kind, network or board has no published figures.
        RequestError: no published figure matches all filters.
    """
    require("kind of figure", kind, KINDS, may_be_empty=True)
    filled = tuple(_filled(kind, model, target))
    if not filled:
        filters = " ".join(filter(None, (kind, model, target)))
        raise RequestError(f"nothing published for {filters}: drop a filter, or list all with `edgebench published`")
    return filled


def _filled(kind: str, model: str, target: str) -> Iterator[Sheet]:
    rows = _rows()
    models = sorted({row.architecture for rows_of_kind in rows.values() for row in rows_of_kind})
    require("published model", model, models, may_be_empty=True)
    require("published target", target, sorted({*targets(), *targets("detection")}), may_be_empty=True)
    for name in [kind] if kind else KINDS:
        selected = [row for row in rows[name] if model in ("", row.architecture)]
        selected = [row for row in selected if not target or getattr(row, "target", None) == target]
        if selected:
            yield Sheet.of(f"{TITLES[name]}: {len(selected)} rows", COLUMNS[name], selected, name=name)


def _rows() -> dict[str, tuple[Any, ...]]:
    return dict(
        zip(
            KINDS,
            (published.accuracies(), published.latencies(), published.detections(), published.quantized()),
            strict=True,
        )
    )

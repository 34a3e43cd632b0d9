"""Filters -> sheets of published figures, each row with its source."""

from collections.abc import Iterator
from typing import Any

from edgebench.foundation.errors import RequestError, require
from edgebench.foundation.sheet import IDENTITY, OBJECTIVE, Column, Sheet
from edgebench.foundation.units import millions, milliseconds, number
from edgebench.networks import published
from edgebench.networks.published import PublishedQuantization, runtime, targets, title


def _text(value: object) -> str:
    return "-" if value in (None, "") else str(value)


def _weights(row: PublishedQuantization) -> str:
    bits = f"{row.weight_bits}/{row.activation_bits or '?'} bits"
    return " ".join(filter(None, (bits, row.weight_granularity, row.weight_symmetry)))


# Shared by rows of different classes, whose fields of the same name have the same meaning.
_NETWORK: Column[Any] = Column.text("network", title, IDENTITY)
_PRECISION: Column[Any] = Column.text("precision", lambda row: row.precision, IDENTITY)
_TOP1: Column[Any] = Column.number("top-1 %", lambda row: number(row.top1, 1), rank=3)
_TAIL: tuple[Column[Any], ...] = (
    Column.text("note", lambda row: _text(row.note), rank=7),
    Column.text("source", lambda row: row.source),
)
COLUMNS: dict[str, tuple[Column[Any], ...]] = {
    "accuracy": (
        _NETWORK,
        _PRECISION,
        _TOP1,
        Column.number("top-5 %", lambda row: number(row.top5, 1)),
        Column.number("params M", lambda row: millions(row.params, 2), rank=5),
        Column.number("MACs M", lambda row: millions(row.macs, 1), rank=4),
        *_TAIL,
    ),
    "latency": (
        _NETWORK,
        _PRECISION,
        Column.number("mean ms", lambda row: milliseconds(row.mean_ms), OBJECTIVE),
        Column.number("p50 ms", lambda row: milliseconds(row.p50_ms), OBJECTIVE),
        Column.number("p90 ms", lambda row: milliseconds(row.p90_ms), rank=5),
        _TOP1,
        Column.text("runtime", runtime),
        Column.number("threads", lambda row: _text(row.threads)),
        Column.number("MHz", lambda row: _text(row.clock_mhz)),
        Column.number("W", lambda row: number(row.power_w, 2)),
        Column.text("board", lambda row: row.board, rank=6),
        *_TAIL,
    ),
    "quantization": (
        _NETWORK,
        Column.text("method", lambda row: row.method, IDENTITY),
        Column.text("weights", _weights, IDENTITY),
        _TOP1,
        Column.number("fp32 top-1 %", lambda row: number(row.fp32_top1, 1)),
        *_TAIL,
    ),
}
KINDS = tuple(COLUMNS)
TITLES = {
    "accuracy": "published accuracy on ImageNet",
    "latency": "published latency on boards, batch 1",
    "quantization": "published accuracy after quantization, ImageNet",
}


def sheets(kind: str = "", model: str = "", target: str = "") -> tuple[Sheet, ...]:
    """Return the published rows of a kind, network and board; an empty filter selects all.

    Raises:
        UnknownName: the kind, network or board has no published figures.
        RequestError: no published figure matches all filters.
    """
    require("kind of figure", kind, KINDS)
    filled = tuple(_filled(kind, model, target))
    if not filled:
        filters = " ".join(filter(None, (kind, model, target)))
        raise RequestError(f"nothing published for {filters}: drop a filter, or list all with `edgebench published`")
    return filled


def _filled(kind: str, model: str, target: str) -> Iterator[Sheet]:
    rows = _rows()
    require(
        "published model", model, sorted({row.architecture for rows_of_kind in rows.values() for row in rows_of_kind})
    )
    require("published target", target, targets())
    for name in [kind] if kind else KINDS:
        selected = [row for row in rows[name] if model in ("", row.architecture)]
        selected = [row for row in selected if not target or getattr(row, "target", None) == target]
        if selected:
            yield Sheet.of(f"{TITLES[name]}: {len(selected)} rows", COLUMNS[name], selected)


def _rows() -> dict[str, tuple[Any, ...]]:
    return dict(zip(KINDS, (published.accuracies(), published.latencies(), published.quantized()), strict=True))

"""Published figures, filtered -> the sheets that list them, each row with its source."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from edgebench.foundation.errors import RequestError, require
from edgebench.foundation.sheet import Sheet
from edgebench.foundation.units import millions, milliseconds, number
from edgebench.networks import published
from edgebench.networks.published import PublishedQuantization, runtime, targets, title

TEXTS = frozenset({"network", "precision", "method", "weights", "runtime", "board", "note", "source"})
Cell = Callable[[Any], str]


def _text(value: object) -> str:
    return "-" if value in (None, "") else str(value)


def _weights(one: PublishedQuantization) -> str:
    bits = f"{one.weight_bits}/{one.activation_bits or '?'} bits"
    return " ".join(filter(None, (bits, one.weight_granularity, one.weight_symmetry)))


_NETWORK: dict[str, Cell] = {"network": title}
_TAIL: dict[str, Cell] = {"note": lambda one: _text(one.note), "source": lambda one: one.source}
CELLS: dict[str, dict[str, Cell]] = {
    "accuracy": _NETWORK
    | {
        "precision": lambda one: one.precision,
        "top-1 %": lambda one: number(one.top1, 1),
        "top-5 %": lambda one: number(one.top5, 1),
        "params M": lambda one: millions(one.params, 2),
        "MACs M": lambda one: millions(one.macs, 1),
    }
    | _TAIL,
    "latency": _NETWORK
    | {
        "precision": lambda one: one.precision,
        "mean ms": lambda one: milliseconds(one.mean_ms),
        "p50 ms": lambda one: milliseconds(one.p50_ms),
        "p90 ms": lambda one: milliseconds(one.p90_ms),
        "top-1 %": lambda one: number(one.top1, 1),
        "runtime": runtime,
        "threads": lambda one: _text(one.threads),
        "MHz": lambda one: _text(one.clock_mhz),
        "W": lambda one: number(one.power_w, 2),
        "board": lambda one: one.board,
    }
    | _TAIL,
    "quantization": _NETWORK
    | {
        "method": lambda one: one.method,
        "weights": _weights,
        "top-1 %": lambda one: number(one.top1, 1),
        "fp32 top-1 %": lambda one: number(one.fp32_top1, 1),
    }
    | _TAIL,
}
KINDS = tuple(CELLS)
TITLES = {
    "accuracy": "published accuracy on ImageNet",
    "latency": "published latency on boards, batch 1",
    "quantization": "published accuracy after quantization, ImageNet",
}


def sheets(kind: str = "", model: str = "", target: str = "") -> tuple[Sheet, ...]:
    """List published rows of a kind, a network, a board; an empty filter lets all through.

    Raises:
        UnknownName: nothing published has that kind, network or board.
        RequestError: nothing published has all of them.
    """
    require("kind of figure", kind, KINDS)
    found = tuple(_filled(kind, model, target))
    if not found:
        asked = " ".join(filter(None, (kind, model, target)))
        raise RequestError(f"nothing published for {asked}: drop a filter, or list all with `edgebench published`")
    return found


def _filled(kind: str, model: str, target: str) -> Iterator[Sheet]:
    rows = _rows()
    require("published model", model, sorted({one.architecture for some in rows.values() for one in some}))
    require("published target", target, targets())
    for name in [kind] if kind else KINDS:
        mine = [one for one in rows[name] if model in ("", one.architecture)]
        mine = [one for one in mine if not target or getattr(one, "target", None) == target]
        if mine:
            yield _sheet(name, mine)


def _rows() -> dict[str, tuple[Any, ...]]:
    return dict(zip(KINDS, (published.accuracies(), published.latencies(), published.quantized()), strict=True))


def _sheet(kind: str, rows: Sequence[Any]) -> Sheet:
    cells = CELLS[kind]
    return Sheet(
        title=f"{TITLES[kind]}: {len(rows)} rows",
        headings=tuple(cells),
        rows=tuple(tuple(cell(one) for cell in cells.values()) for one in rows),
        texts=TEXTS,
    )

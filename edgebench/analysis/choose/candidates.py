"""Measured rows, predicted cells and published rows -> candidates: their figures, and words to tell them apart."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from edgebench.analysis.choose.asked import MEASURED, PUBLISHED, Asked, Q
from edgebench.analysis.predict import outlook, own_sweep
from edgebench.foundation import stats
from edgebench.measure.budget import kinds
from edgebench.networks import published
from edgebench.networks.published import runtime, title
from edgebench.results.table.choice import Figure, Quantity
from edgebench.schema.variant import network, scheme

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from edgebench.measure.budget.kinds import Predicted
    from edgebench.networks.published import PublishedLatency
    from edgebench.results.table.parts import Metric
    from edgebench.results.table.row import Row


def _predicted(folder: Path, asked: Asked) -> list[Predicted]:
    """Predict what the folder's sweep has not measured, of what is asked for."""
    cells = outlook(folder, own_sweep(folder)).cells
    return [
        cell
        for cell in cells
        if cell.time_s
        and asked.target in ("", cell.case.target)
        and asked.precision in ("", cell.case.variant.precision)
        and asked.dataset in ("", cell.case.variant.dataset)
    ]


def _predicted_parts(cell: Predicted) -> tuple[str, ...]:
    case, variant = cell.case, cell.case.variant
    return (
        network(variant),
        scheme(variant),
        case.target,
        str(case.runtime),
        " ".join(case.runtime.packages),
        _threads(case.threads),
        f"batch {case.batch}",
        f"{variant.dataset}, weights {variant.weights}",
        cell.preset,
        kinds.PREDICTED,
    )


def _predicted_figures(cell: Predicted, accuracy: str) -> dict[Quantity, Figure]:
    """Lay out a predicted latency with its 90 % interval, and what is known without measuring."""
    time_s, variant, found = cell.time_s, cell.case.variant, dict[Quantity, "Figure | None"]()
    if accuracy == PUBLISHED:
        found = _reference(variant.architecture, variant.width, variant.resolution, variant.precision)
    if time_s:
        found[Q.LATENCY] = _figure(time_s.value * 1e3, time_s.low * 1e3, time_s.high * 1e3)
    found[Q.MACS] = _figure(cell.macs / 1e6)
    return {quantity: figure for quantity, figure in found.items() if figure}


def _parts(row: Row) -> tuple[str, ...]:
    return (
        row.setup.network,
        row.setup.scheme,
        row.setup.target,
        f"{row.setup.runtime} {row.setup.runtime_version} {row.setup.runtime_options}".rstrip(),
        row.setup.runtime_packages,
        _threads(row.setup.threads),
        f"batch {row.setup.batch}",
        f"{row.setup.dataset}, weights {row.setup.weights}",
        row.setup.preset,
        "",
    )


def _threads(count: int | None) -> str:
    return "threads not stated" if count is None else f"{count} thread{'s' if count > 1 else ''}"


def _figures(row: Row, accuracy: str) -> dict[Quantity, Figure]:
    """Lay out what a row has; with `published` accuracy its own top-1 and top-5 are not looked at."""
    theirs = accuracy == PUBLISHED
    found = {
        Q.LATENCY: _figure(row.latency.p50_ms, row.latency.p50_low_ms, row.latency.p50_high_ms),
        Q.P90: _figure(row.latency.p90_ms),
        Q.PEAK: _figure(row.memory.peak_mib),
        Q.FILE: _figure(row.cost.file_mib),
        Q.MACS: _figure(row.cost.macs and row.cost.macs / 1e6),
        Q.INSTRUCTIONS: _figure(row.cost.instructions_m),
        Q.TOP1: None if theirs else _shown(row.quality.metrics.get("top1")),
        Q.TOP5: None if theirs else _shown(row.quality.metrics.get("top5")),
        Q.AGREEMENT: _share(row.fidelity.agreement, row.quality.images or 0),
    }
    if theirs:
        reference = _reference(row.setup.architecture, row.setup.width, row.setup.resolution, row.setup.precision)
        found |= {quantity: reference[quantity] for quantity in (Q.TOP1, Q.TOP5)}  # its multiply-adds stay its own
    return {quantity: figure for quantity, figure in found.items() if figure}


def _figure(value: float | None, low: float | None = None, high: float | None = None) -> Figure | None:
    if value is None:
        return None
    return Figure(value=value, low=value if low is None else low, high=value if high is None else high)


def _shown(metric: Metric | None) -> Figure | None:
    return Figure(value=metric.value, low=metric.low, high=metric.high) if metric else None


def _share(per_cent: float | None, images: int) -> Figure | None:
    """Give a share of so many images Wilson's interval."""
    if per_cent is None:
        return None
    low, high = stats.wilson(round(per_cent / 100 * images), images)
    return Figure(value=per_cent, low=min(100 * low, per_cent), high=max(100 * high, per_cent))


def _reference(architecture: str, width: float, resolution: int, precision: str) -> dict[Quantity, Figure | None]:
    found = published.reference(architecture, width, resolution, precision)
    return {
        Q.TOP1: _share(found.top1 if found else None, published.IMAGENET_IMAGES),
        Q.TOP5: _share(found.top5 if found else None, published.IMAGENET_IMAGES),
        Q.MACS: _figure(found.macs / 1e6 if found and found.macs else None),
    }


def _accuracy(row: Row, accuracy: str) -> str:
    return f"measured on {row.setup.dataset}" if accuracy == MEASURED else "published, ImageNet"


def _cited(row: PublishedLatency, *, own: bool) -> dict[Quantity, Figure]:
    found = _reference(row.architecture, row.width, row.resolution, row.precision) | {
        Q.LATENCY: _figure(row.mean_ms if row.p50_ms is None else row.p50_ms),
        Q.P90: _figure(row.p90_ms),
    }
    if own:
        found[Q.TOP1] = _share(row.top1, published.IMAGENET_IMAGES)
    return {quantity: figure for quantity, figure in found.items() if figure}


def _cited_parts(row: PublishedLatency) -> tuple[str, ...]:
    clock = f"{row.clock_mhz} MHz" if row.clock_mhz else "clock not stated"
    where = row.source.partition(",")[0]
    return title(row), row.precision, runtime(row), _threads(row.threads), clock, row.board, where


def _named(parts: Sequence[tuple[str, ...]]) -> tuple[str, list[str]]:
    """Split descriptions into what all share and what tells each apart; network and precision are always said.

    Two that nothing tells apart are numbered: a choice goes by name.
    """
    varies = [index < 2 or len(set(column)) > 1 for index, column in enumerate(zip(*parts, strict=True))]
    names = [", ".join(part for part, tells in zip(one, varies, strict=True) if tells and part) for one in parts]
    kept = [part for part, tells in zip(parts[0], varies, strict=True) if not tells and part] if parts else []
    seen = Counter[str]()
    return " · ".join(kept), [_numbered(name, seen) for name in names]


def _numbered(name: str, seen: Counter[str]) -> str:
    seen[name] += 1
    return name if seen[name] == 1 else f"{name} ({seen[name]})"

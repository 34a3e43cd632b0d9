"""A results folder -> an option per row."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from edgebench.analysis.choose.option import (
    PUBLISHED_ACCURACY,
    Configuration,
    Offer,
    Option,
    figure,
    imagenet,
    known,
    share,
    threads,
)
from edgebench.analysis.choose.request import PUBLISHED, Q
from edgebench.foundation.errors import RequestError, require
from edgebench.foundation.shelf import load
from edgebench.networks import published
from edgebench.results import folders
from edgebench.results.table.row import WORTHLESS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from edgebench.analysis.choose.request import Request
    from edgebench.networks.published import References
    from edgebench.results.table.choice import Figure, Quantity
    from edgebench.results.table.row import Row


CITED = "Accuracy: published for ImageNet, not that of the measured files; `edgebench published` has the sources."


def offer(folder: Path, request: Request) -> Offer:
    """Make an option of each row that matches the request and has trustworthy figures.

    Raises:
        InvalidFile: the folder has no journal, or one that cannot be read.
        UnknownName, RequestError: no row is of the target, precision or data set, or accuracies do not compare.
    """
    table = folders.read(folder)
    references = published.references() if request.accuracy == PUBLISHED else None
    rows = _matching(table.rows, folder, request)
    if request.compares_accuracies:
        _require_one_dataset(rows)
    usable = [row for row in rows if row.verdict not in WORTHLESS]
    return Offer(
        options=tuple(_option(row, references) for row in usable),
        notes=(*_left_out(rows), *([CITED] if references else _datasets(usable))),
    )


def _matching(rows: Sequence[Row], folder: Path, request: Request) -> Sequence[Row]:
    for name in ("target", "precision", "dataset"):
        wanted = getattr(request, name)
        require(f"{name} in {folder}", wanted, sorted({getattr(row, name) for row in rows}))
        rows = [row for row in rows if wanted in ("", getattr(row, name))]
    return rows


def _require_one_dataset(rows: Iterable[Row]) -> None:
    """Refuse to compare accuracies counted on different images."""
    datasets = sorted({row.dataset for row in rows if row.top1 is not None})
    if len(datasets) > 1:
        raise RequestError(
            f"wanted accuracies on one data set, found {' and '.join(datasets)}: add --dataset {datasets[0]}"
        )


def _option(row: Row, references: References | None) -> Option:
    """Make an option of a row; published references, where given, replace its own accuracy."""
    return Option(
        configuration=_configuration(row),
        figures=known(_figures(row) | (_cited(row, references) if references else {})),
        accuracy=PUBLISHED_ACCURACY if references else f"measured on {row.dataset}",
    )


def _configuration(row: Row) -> Configuration:
    return Configuration(
        network=row.network,
        scheme=row.scheme,
        target=row.target,
        runtime=f"{row.runtime} {row.runtime_version} {row.runtime_options}".rstrip(),
        packages=row.runtime_packages,
        threads=threads(row.threads),
        batch=f"batch {row.batch}",
        training=f"{row.dataset}, weights {row.weights}",
        preset=row.preset,
    )


def _figures(row: Row) -> dict[Quantity, Figure | None]:
    return {
        Q.LATENCY: figure(row.p50_ms, row.p50_low_ms, row.p50_high_ms),
        Q.P90: figure(row.p90_ms),
        Q.PEAK: figure(row.peak_mib),
        Q.FILE: figure(row.file_mib),
        Q.MACS: figure(row.macs and row.macs / 1e6),
        Q.INSTRUCTIONS: figure(row.instructions_m),
        Q.TOP1: figure(row.top1, row.top1_low, row.top1_high),
        Q.TOP5: figure(row.top5, row.top5_low, row.top5_high),
        Q.AGREEMENT: share(row.agreement, row.images or 0),
    }


def _cited(row: Row, references: References) -> dict[Quantity, Figure | None]:
    """Lay out the published accuracy of the row's network; the multiply-adds stay the row's own."""
    reference = imagenet(references.get((row.architecture, row.width, row.resolution, row.precision)))
    return {quantity: reference[quantity] for quantity in (Q.TOP1, Q.TOP5)}


def _left_out(rows: Iterable[Row]) -> Iterator[str]:
    counts = Counter(row.verdict for row in rows if row.verdict in WORTHLESS)
    if counts:
        yield f"Left out: {', '.join(f'{count} {verdict}' for verdict, count in sorted(counts.items()))}."


def _datasets(rows: Iterable[Row]) -> Iterator[str]:
    for dataset in sorted({row.dataset for row in rows}):
        yield f"Data set {dataset}: {load('datasets', dataset.partition(':')[0]).NOTE}"

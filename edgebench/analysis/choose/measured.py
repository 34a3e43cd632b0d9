"""A results folder -> an option per row."""

from __future__ import annotations

import shlex
from collections import Counter, defaultdict
from dataclasses import replace
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
from edgebench.analysis.choose.request import P50, PUBLISHED, Q
from edgebench.foundation.errors import RequestError, require
from edgebench.foundation.shelf import literal
from edgebench.images.catalogue import family
from edgebench.networks import published
from edgebench.results import folders
from edgebench.results.table.row import WORTHLESS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from edgebench.analysis.choose.request import Request
    from edgebench.networks.published import References
    from edgebench.results.table.choice import Figure, Quantity
    from edgebench.results.table.row import Line, Row


CITED = "Accuracy: published for ImageNet, not measured on these files; `edgebench published` lists the sources."


def offer(folder: Path, request: Request) -> Offer:
    """Make an option of each row that matches the request and has trustworthy figures.

    Raises:
        InvalidFile: the folder has no readable journal.
        UnknownName, RequestError: no row has the target, precision or data set, or the accuracies are of several
            data sets.
    """
    table, lines, earlier = folders.latest_lines(folder)
    references = published.references() if request.accuracy == PUBLISHED else None
    rows = _matching(table.rows, folder, request)
    if request.compares_accuracies:
        _require_one_dataset(rows)
    usable = [row for row in rows if row.verdict not in WORTHLESS and not row.quality.is_of_chance]
    commands = {id(line.row): _take(line, lines, folder) for line in lines}
    epochs = defaultdict[str, set[str]](set)
    for row in usable:
        epochs[row.setup.target].add(row.setup.epoch)
    return Offer(
        options=tuple(
            replace(
                _option(row, references, is_alone=len(epochs[row.setup.target]) == 1), take=commands.get(id(row), "")
            )
            for row in usable
        ),
        notes=(*earlier, *_left_out(rows), *([CITED] if references else _datasets(usable))),
        metric=_metric(usable),
    )


def _take(line: Line, lines: Sequence[Line], folder: Path) -> str:
    """Return the command that takes a row's file away: the fewest words that only this row has, in their order."""
    every, own = [_words(other) for other in lines], _words(line)
    chosen = [str(line.evidence.case.variant)]
    for word in own:
        matching = [words for words in every if {*" ".join(chosen).split()} <= {*words}]
        if len(matching) > 1 and any(word not in words for words in matching):
            chosen.append(word)
    return shlex.join(("edgebench", "take", f"{folder}:{' '.join(chosen)}")) if line.evidence.artifact else ""


def _words(line: Line) -> list[str]:
    session = line.evidence.session
    return [*str(line.evidence.case).split(), session.preset, session.environment.epoch]


def _metric(rows: Sequence[Row]) -> Quantity:
    """Return the metric of the rows' task; top-1 if they are of several."""
    metrics = {literal("tasks", row.setup.task, "METRIC") for row in rows}
    return Q.MAP if metrics == {str(Q.MAP)} else Q.TOP1


def _matching(rows: Sequence[Row], folder: Path, request: Request) -> Sequence[Row]:
    for name in ("target", "precision", "dataset"):
        wanted = getattr(request, name)
        require(f"{name} in {folder}", wanted, sorted({getattr(row.setup, name) for row in rows}), may_be_empty=True)
        rows = [row for row in rows if wanted in ("", getattr(row.setup, name))]
    return rows


def _require_one_dataset(rows: Iterable[Row]) -> None:
    """Refuse to compare accuracies that were measured on different images."""
    datasets = sorted({row.setup.dataset for row in rows if row.metric is not None})
    if len(datasets) > 1:
        raise RequestError(
            f"wanted accuracies on one data set, found {' and '.join(datasets)}: add --dataset {datasets[0]}"
        )


def _option(row: Row, references: References | None, *, is_alone: bool) -> Option:
    """Make an option of a row; published references, where given, replace its own accuracy."""
    return Option(
        configuration=replace(_configuration(row), epoch="" if is_alone else f"epoch {row.setup.epoch}"),
        figures=known(_figures(row) | (_cited(row, references) if references else {})),
        accuracy=PUBLISHED_ACCURACY if references else f"measured on {row.setup.dataset}",
        statistic=P50 if row.latency.p50_ms else "",
    )


def _configuration(row: Row) -> Configuration:
    return Configuration(
        network=row.setup.network,
        scheme=row.setup.scheme,
        target=row.setup.target,
        runtime=f"{row.setup.runtime} {row.setup.runtime_version} {row.setup.runtime_options}".rstrip(),
        packages=row.setup.runtime_packages,
        threads=threads(row.setup.threads),
        batch=f"batch {row.setup.batch}",
        training=f"{row.setup.dataset}, weights {row.setup.weights}",
        preset=row.setup.preset,
    )


def _figures(row: Row) -> dict[Quantity, Figure | None]:
    return {
        Q.LATENCY: figure(row.latency.p50_ms, row.latency.p50_low_ms, row.latency.p50_high_ms),
        Q.P90: figure(row.latency.p90_ms),
        Q.TOTAL: figure(row.around.total_p50_ms),
        Q.PEAK: figure(row.memory.peak_mib),
        Q.FILE: figure(row.cost.file_mib),
        Q.MACS: figure(row.cost.macs and row.cost.macs / 1e6),
        Q.INSTRUCTIONS: figure(row.cost.instructions_m),
        Q.TOP1: row.quality.metrics.get("top1"),
        Q.MAP: row.quality.metrics.get("map"),
        Q.TOP5: row.quality.metrics.get("top5"),
        Q.AGREEMENT: share(row.fidelity.agreement, row.quality.images or 0),
    }


def _cited(row: Row, references: References) -> dict[Quantity, Figure | None]:
    """Return the published accuracies of the row's network, without its multiply-adds: the row has its own."""
    setup = row.setup
    is_sized = setup.width is not None and setup.resolution is not None
    sized = (setup.architecture, setup.width or 0.0, setup.resolution or 0, setup.precision)
    reference = imagenet(references.get(sized) if is_sized else None)
    return {quantity: reference[quantity] for quantity in (Q.TOP1, Q.TOP5)}


def _left_out(rows: Sequence[Row]) -> Iterator[str]:
    counts = Counter(row.verdict for row in rows if row.verdict in WORTHLESS)
    untrained = sum(row.quality.is_of_chance and row.verdict not in WORTHLESS for row in rows)
    if untrained:
        yield f"Left out, no better than chance: {untrained} row{'s' * (untrained > 1)} that learned nothing."
    if counts:
        yield f"Left out: {', '.join(f'{count} {verdict}' for verdict, count in sorted(counts.items()))}."


def _datasets(rows: Iterable[Row]) -> Iterator[str]:
    for dataset in sorted({row.setup.dataset for row in rows}):
        yield f"Data set {dataset}: {family(dataset).NOTE}"

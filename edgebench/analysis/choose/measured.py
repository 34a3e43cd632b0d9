"""Results folders -> the options of the choice, one per measured row."""

from __future__ import annotations

import shlex
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
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
from edgebench.results.table.choice import METRICS
from edgebench.results.table.row import WORTHLESS, Line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from edgebench.analysis.choose.request import Request
    from edgebench.networks.published import References
    from edgebench.results.table.choice import Figure, Quantity
    from edgebench.results.table.parts import Setup
    from edgebench.results.table.row import Row


TIMES = (Q.LATENCY, Q.P90, Q.TOTAL)
CITED = (
    "Accuracy is the published accuracy on ImageNet, not measured on these files; `edgebench published` lists the"
    " sources."
)


def offer(results: Sequence[Path], request: Request) -> Offer:
    """Make an option (a configuration to choose from) of each row that matches the request and has trustworthy figures.

    Raises:
        InvalidFile: a folder has no readable journal.
        UnknownName, RequestError: no row matches the filters, or the accuracies were measured on several data sets.
    """
    read = {folder: folders.latest_lines(folder)[1:] for folder in results}
    every = [_Found(line=line, folder=folder) for folder, (lines, _) in read.items() for line in lines]
    matching = _matching(every, " and ".join(map(str, results)), request)
    rows = [found.line.row for found in matching]
    if request.compares_accuracies:
        _require_one_dataset(rows)
    usable = [found for found in matching if _is_usable(found.line.row)]
    shown, is_cited = [found.line.row for found in usable], request.accuracy == PUBLISHED
    return Offer(
        options=tuple(_options(usable, read, request)),
        notes=(
            *(note for _, notes in read.values() for note in notes),
            *_left_out(rows),
            *_without_times(shown, request),
            *([CITED] if is_cited else _datasets(shown)),
        ),
        metric=_metric(shown),
    )


def _is_usable(row: Row) -> bool:
    """Return whether the network outputs of a row are usable.

    If the outputs are usable, the row's times or memory figures can still be unusable.
    """
    return not row.has_unusable_answers and row.verdict not in ("FAILED", "MISSING") and not row.quality.is_of_chance


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """A line of a results table, and the results folder that contains the table."""

    line: Line
    folder: Path

    @property
    def setup(self) -> Setup:
        """The properties of the row: what was measured, and with which settings."""
        return self.line.row.setup


Read = Mapping[Path, tuple[tuple[Line, ...], tuple[str, ...]]]


def _options(usable: Sequence[_Found], read: Read, request: Request) -> Iterator[Option]:
    """Yield an option of each row.

    An option's name contains the folder only if there are several folders, and the epoch (a hash of the machine's
    state) only if there are several epochs.
    """
    references = published.references() if request.accuracy == PUBLISHED else None
    with_drop = Q.DROP in {request.objective, *(limit.quantity for limit in request.limits)}
    epochs = defaultdict[str, set[str]](set)
    for found in usable:
        epochs[found.setup.target].add(found.setup.epoch)
    for found in usable:
        is_alone = len(epochs[found.setup.target]) == 1
        option = _option(found.line.row, references, is_alone=is_alone, with_drop=with_drop)
        folder = str(found.folder) if len(read) > 1 else ""
        yield replace(
            option,
            configuration=replace(option.configuration, folder=folder),
            take=_take(found.line, read[found.folder][0], found.folder),
        )


def _take(line: Line, lines: Sequence[Line], folder: Path) -> str:
    """Return the command that copies a row's file out of the cache; an empty text if the row has no file.

    The command names the row by enough of its words to tell it apart from all other rows.
    """
    every, own = [other.evidence.words for other in lines], line.evidence.words
    chosen = [str(line.evidence.case.variant)]
    for word in own:
        matching = [words for words in every if {*" ".join(chosen).split()} <= {*words}]
        if len(matching) > 1 and any(word not in words for words in matching):
            chosen.append(word)
    return shlex.join(("edgebench", "take", f"{folder}:{' '.join(chosen)}")) if line.evidence.artifact else ""


def _metric(rows: Sequence[Row]) -> Quantity:
    """Return the metric of the rows' task; top-1 if the rows have several tasks."""
    metrics = {literal("tasks", row.setup.task, "METRIC") for row in rows}
    return Q(metrics.pop()) if len(metrics) == 1 and metrics <= {*METRICS} else Q.TOP1


def _matching(every: Sequence[_Found], where: str, request: Request) -> list[_Found]:
    selected = request.selection.select(every, lambda found: found.setup, where)
    for name in ("dataset", "task"):
        wanted = getattr(request, name)
        require(f"{name} in {where}", wanted, sorted({getattr(row.setup, name) for row in selected}), may_be_empty=True)
        selected = [found for found in selected if wanted in ("", getattr(found.setup, name))]
    return selected


def _require_one_dataset(rows: Iterable[Row]) -> None:
    """Refuse to compare accuracies that were measured on different images."""
    datasets = sorted({row.setup.dataset for row in rows if row.metric is not None})
    if len(datasets) > 1:
        raise RequestError(
            f"wanted accuracies on one data set, found {' and '.join(datasets)}: add --dataset {datasets[0]}"
        )


def _option(row: Row, references: References | None, *, is_alone: bool, with_drop: bool) -> Option:
    """Make an option of a row. Published references, if given, replace the measured accuracy.

    The loss of accuracy against the float parent is one of the option's figures only if the request names this loss. If
    the request does not name it, options are compared by their accuracies, which are already lower by the loss.
    """
    drop = {Q.DROP: row.drop} if with_drop else {}
    return Option(
        configuration=replace(_configuration(row), epoch="" if is_alone else f"epoch {row.setup.epoch}"),
        figures=known(_figures(row) | drop | (_cited(row, references) if references else {})),
        accuracy=PUBLISHED_ACCURACY if references else _source(row),
        statistic=P50 if row.latency.p50_ms else "",
        note=f"{row.verdict}: {row.reasons}" if row.verdict == "SUSPECT" else "",
    )


def _source(row: Row) -> str:
    """Return where a row's accuracy comes from; a row that was only compiled has no accuracy."""
    return "none, only compiled" if row.compiled.compiled_for else f"measured on {row.setup.dataset}"


def _configuration(row: Row) -> Configuration:
    return Configuration(
        network=row.setup.network,
        scheme=row.setup.scheme,
        target=row.setup.place,
        runtime=f"{row.setup.runtime} {row.setup.runtime_version} {row.setup.runtime_options}".rstrip(),
        packages=row.setup.runtime_packages,
        threads=threads(row.setup.threads),
        batch=f"batch {row.setup.batch}",
        training=f"{row.setup.dataset}, weights {row.setup.weights}",
        preset=row.setup.preset,
    )


def _figures(row: Row) -> dict[Quantity, Figure | None]:
    """Return the figures of a row. Times and memory are left out if their verdicts say not to use them."""
    unusable = {*(TIMES if (row.time_verdict or row.verdict) in WORTHLESS else ())}
    unusable |= {Q.PEAK} if (row.memory_verdict or row.verdict) in WORTHLESS else set()
    return {quantity: figure for quantity, figure in _every_figure(row).items() if quantity not in unusable}


def _every_figure(row: Row) -> dict[Quantity, Figure | None]:
    return {
        Q.LATENCY: figure(row.latency.p50_ms, row.latency.p50_low_ms, row.latency.p50_high_ms),
        Q.P90: figure(row.latency.p90_ms),
        Q.TOTAL: figure(row.around.total_p50_ms),
        Q.PEAK: figure(row.memory.peak_mib),
        Q.FILE: figure(row.cost.file_mib),
        Q.MACS: figure(row.cost.macs and row.cost.macs / 1e6),
        Q.INSTRUCTIONS: figure(row.cost.instructions_m),
        **{quantity: row.quality.metrics.get(quantity) for quantity in METRICS},
        Q.AGREEMENT: share(row.fidelity.agreement, row.quality.images or 0),
    }


def _cited(row: Row, references: References) -> dict[Quantity, Figure | None]:
    """Return the published accuracies of the row's network.

    The published multiply-adds are left out, because the row has its own count.
    """
    setup = row.setup
    is_sized = setup.width is not None and setup.resolution is not None
    sized = (setup.architecture, setup.width or 0.0, setup.resolution or 0, setup.precision)
    reference = imagenet(references.get(sized) if is_sized else None)
    return {quantity: reference[quantity] for quantity in (Q.TOP1, Q.TOP5)}


def _left_out(rows: Sequence[Row]) -> Iterator[str]:
    counts = Counter(row.verdict for row in rows if not _is_usable(row) and row.is_worthless)
    untrained = sum(row.quality.is_of_chance and not row.is_worthless for row in rows)
    if untrained:
        yield f"Left out: {untrained} row{'s' * (untrained > 1)} with an accuracy no better than chance."
    if counts:
        yield f"Left out, by verdict: {', '.join(f'{count} {verdict}' for verdict, count in sorted(counts.items()))}."


def _without_times(rows: Iterable[Row], request: Request) -> Iterator[str]:
    """Say that an emulator gives neither times nor memory, if the request needs them and an emulator ran some rows."""
    needed = {request.objective, *(limit.quantity for limit in request.limits)} & {*TIMES, Q.PEAK}
    if needed and any(row.verdict == "EMULATED" for row in rows):
        yield (
            "An emulated board gives no times and no memory figures: choose its rows by accuracy, size or instructions,"
            " or choose by latencies that were published for a board, with edgebench choose --published."
        )


def _datasets(rows: Iterable[Row]) -> Iterator[str]:
    for dataset in sorted({row.setup.dataset for row in rows}):
        yield f"Data set {dataset}: {family(dataset).NOTE}"

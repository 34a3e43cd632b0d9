"""A results folder or the published rows, and what a person asks of them -> the configuration to take."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from edgebench.analysis.choose.asked import MEASURED, PUBLISHED, Asked, Q
from edgebench.analysis.choose.candidates import (
    _accuracy,
    _cited,
    _cited_parts,
    _figures,
    _named,
    _parts,
    _predicted,
    _predicted_figures,
    _predicted_parts,
)
from edgebench.foundation.errors import RequestError, require
from edgebench.images.catalogue import family
from edgebench.networks import published
from edgebench.networks.published import targets
from edgebench.results import folders
from edgebench.results.table.choice import Candidate, Choice, choose
from edgebench.results.table.row import WORTHLESS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from edgebench.measure.budget.kinds import Predicted
    from edgebench.results.table.row import Row


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The choice, which accuracy each configuration has, and what was left out before choosing."""

    asked: Asked
    choice: Choice
    shared: str
    accuracies: Mapping[str, str]
    notes: tuple[str, ...]


def answer(folder: Path | None, board: str, asked: Asked) -> Answer:
    """Choose among a folder's rows, or the published ones of a board.

    Raises:
        RequestError: neither was named, or both, or predictions of what was published.
    """
    if board and asked.predicted:
        raise RequestError("--predicted is of a results folder, found --published; leave one out")
    if (folder is None) == (not board):
        raise RequestError("wanted a results folder or --published with a board, found neither or both")
    return measured(folder, asked) if folder else of_published(replace(asked, target=board))


def measured(folder: Path, asked: Asked) -> Answer:
    """Choose among the rows of a results folder.

    Raises:
        InvalidFile: the folder has no journal, or one that cannot be read.
        UnknownName, RequestError: no row is of the target, precision or data set, or accuracies do not compare.
    """
    rows = folders.read(folder).rows
    for name in ("target", "precision", "dataset"):
        wanted = getattr(asked, name)
        require(f"{name} in {folder}", wanted, sorted({getattr(row.setup, name) for row in rows}))
        rows = tuple(row for row in rows if wanted in ("", getattr(row.setup, name)))
    _require_one_dataset(rows, asked)
    worth = [row for row in rows if row.verdict not in WORTHLESS]
    candidates = [Candidate(name="", figures=_figures(row, asked.accuracy)) for row in worth]
    notes = [*_left_out(rows), *_datasets(worth, asked)]
    accuracies = [_accuracy(row, asked.accuracy) for row in worth]
    parts = [_parts(row) for row in worth]
    cells = _predicted(folder, asked) if asked.predicted else []
    return _answer(
        asked,
        [*parts, *map(_predicted_parts, cells)],
        [*candidates, *(Candidate(name="", figures=_predicted_figures(cell, asked.accuracy)) for cell in cells)],
        [*accuracies, *("published, ImageNet" if asked.accuracy == PUBLISHED else "none: not measured" for _ in cells)],
        [*notes, *_doubt(cells, asked)],
    )


def _doubt(cells: Sequence[Predicted], asked: Asked) -> Iterator[str]:
    """Say how much of what is chosen from was never measured."""
    if asked.predicted:
        yield (
            f"Predicted, not measured: {len(cells)} configurations, each called so, with 90 % intervals where measured"
            " ones have 95 %. Measure one before you rely on it."
        )


def _require_one_dataset(rows: Sequence[Row], asked: Asked) -> None:
    """Refuse to compare accuracies counted on different images."""
    used = {asked.objective, *(limit.quantity for limit in asked.limits)}
    found = sorted({row.setup.dataset for row in rows if row.top1 is not None})
    if asked.accuracy == MEASURED and len(found) > 1 and used & {Q.TOP1, Q.TOP5}:
        raise RequestError(f"wanted accuracies on one data set, found {' and '.join(found)}: add --dataset {found[0]}")


def _left_out(rows: Iterable[Row]) -> Iterator[str]:
    counts = Counter(row.verdict for row in rows if row.verdict in WORTHLESS)
    if counts:
        yield f"Left out: {', '.join(f'{count} {verdict}' for verdict, count in sorted(counts.items()))}."


def _datasets(rows: Iterable[Row], asked: Asked) -> Iterator[str]:
    if asked.accuracy == PUBLISHED:
        yield "Accuracy: published for ImageNet, not that of the measured files; `edgebench published` has the sources."
        return
    for name in sorted({row.setup.dataset for row in rows}):
        yield f"Data set {name}: {family(name).NOTE}"


def of_published(asked: Asked) -> Answer:
    """Choose among the published latencies of a board, before anything was measured.

    Latency is the published median, else the mean. Accuracy is the row's own, else the network's reference, and the
    reference alone where that was asked for.

    Raises:
        UnknownName: nothing was published for the board or in the precision.
    """
    require("published target", asked.target, targets())
    rows = [row for row in published.latencies() if row.target == asked.target]
    require(f"precision published for {asked.target}", asked.precision, sorted({row.precision for row in rows}))
    rows = [row for row in rows if asked.precision in ("", row.precision)]
    owns = [row.top1 is not None and asked.accuracy == MEASURED for row in rows]
    candidates = [Candidate(name="", figures=_cited(row, own=own)) for row, own in zip(rows, owns, strict=True)]
    accuracies = ["the row's own" if own else "published, ImageNet" for own in owns]
    note = "Latency is the published median, else the mean; top-1 is ImageNet's. Nothing here was measured by you."
    parts = [_cited_parts(row) for row in rows]
    return _answer(asked, parts, candidates, accuracies, [note])


def _answer(
    asked: Asked,
    parts: Sequence[tuple[str, ...]],
    candidates: Sequence[Candidate],
    accuracies: Sequence[str],
    notes: Sequence[str],
) -> Answer:
    """Name the candidates by what tells them apart, and choose."""
    shared, names = _named(parts)
    named = [Candidate(name=name, figures=one.figures) for name, one in zip(names, candidates, strict=True)]
    return Answer(
        asked=asked,
        choice=choose(named, asked.limits, asked.objective),
        shared=shared,
        accuracies=dict(zip(names, accuracies, strict=True)),
        notes=tuple(notes),
    )

"""A request, and a results folder or a board -> options -> the choice among them -> the sheet that shows it.

    request -> measured, predicted, published (one builder of options per source) -> option (names) -> choice -> sheet

The choice itself is `results.table.choice`, which reads nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from edgebench.analysis.choose import measured, predicted, published
from edgebench.analysis.choose.option import named
from edgebench.foundation.errors import RequestError
from edgebench.results.table.choice import Candidate, Choice, choose

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from edgebench.analysis.choose.option import Offer
    from edgebench.analysis.choose.request import Request


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The choice, what all options share, where each accuracy is from, and what was left out before choosing.

    Attributes:
        statistics: what each option's latency is, `p50` or `mean`.
        remarks: what its source says of an option; without those of which it says nothing.
    """

    asked: Request
    choice: Choice
    shared: str
    accuracies: Mapping[str, str]
    statistics: Mapping[str, str]
    remarks: Mapping[str, str]
    notes: tuple[str, ...]


def answer(folder: Path | None, board: str, request: Request) -> Answer:
    """Choose among a folder's rows, or the published ones of a board.

    Raises:
        RequestError: neither was named, or both, or predictions for published rows, or accuracies do not compare.
        InvalidFile: the folder has no journal, or one that cannot be read.
        UnknownName: no row is of the target, precision or data set.
    """
    if board and request.predicted:
        raise RequestError("--predicted is of a results folder, found --published; leave one out")
    if request.any_published and not board:
        raise RequestError("--any-published is of --published with a board, found a results folder; leave one out")
    if (folder is None) == (not board):
        raise RequestError("wanted a results folder or --published with a board, found neither or both")
    request = replace(request, target=board or request.target)
    offer = _of_folder(folder, request) if folder else published.offer(request)
    shared, options = named(offer.options)
    candidates = [Candidate(name=name, figures=option.figures) for name, option in options.items()]
    accuracies = {name: option.accuracy for name, option in options.items()}
    return Answer(
        asked=request,
        choice=choose(candidates, request.limits, request.objective),
        shared=shared,
        accuracies=accuracies,
        statistics={name: option.statistic for name, option in options.items() if option.statistic},
        remarks={name: option.note for name, option in options.items() if option.note},
        notes=offer.notes,
    )


def _of_folder(folder: Path, request: Request) -> Offer:
    rows = measured.offer(folder, request)
    return rows + predicted.offer(folder, request) if request.predicted else rows

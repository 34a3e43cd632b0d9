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
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from edgebench.analysis.choose.option import Offer
    from edgebench.analysis.choose.request import Request
    from edgebench.results.table.choice import Quantity


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The choice, what all options have in common, and what to know about each option.

    Attributes:
        accuracies: the origin of each option's accuracy.
        statistics: whether each option's latency is a `p50` or a `mean`.
        remarks: the notes of the sources, for the options that have one.
        commands: the commands that take the options' files away, for the options that have one.
        notes: sentences on the rows that were left out.
    """

    request: Request
    objective: Quantity
    choice: Choice
    shared: str
    accuracies: Mapping[str, str]
    statistics: Mapping[str, str]
    remarks: Mapping[str, str]
    commands: Mapping[str, str]
    notes: tuple[str, ...]


def answer(results: Sequence[Path], board: str, request: Request) -> Answer:
    """Choose among the rows of results folders, or the published ones of a board.

    Raises:
        RequestError: not either folders or a board were named, an option does not fit it, or the accuracies are
            of several data sets.
        InvalidFile: the folder has no readable journal.
        UnknownName: no row has the target, precision or data set.
    """
    if board and request.predicted:
        raise RequestError("--predicted needs a results folder, found --published; leave one out")
    if request.any_published and not board:
        raise RequestError("--any-published needs --published with a board, found a results folder; leave one out")
    if bool(results) == bool(board):
        raise RequestError("wanted a results folder or --published with a board, found neither or both")
    if board:
        request = replace(request, selection=replace(request.selection, target=board))
    offer = published.offer(request) if board else _of_folders(results, request)
    shared, options = named(offer.options)
    objective = request.objective or offer.metric
    candidates = [Candidate(name=name, figures=option.figures) for name, option in options.items()]
    accuracies = {name: option.accuracy for name, option in options.items()}
    return Answer(
        request=request,
        objective=objective,
        choice=choose(candidates, request.limits, objective),
        shared=shared,
        accuracies=accuracies,
        statistics={name: option.statistic for name, option in options.items() if option.statistic},
        remarks={name: option.note for name, option in options.items() if option.note},
        commands={name: option.take for name, option in options.items() if option.take},
        notes=offer.notes,
    )


def _of_folders(results: Sequence[Path], request: Request) -> Offer:
    rows = measured.offer(results, request)
    for folder in results if request.predicted else ():
        rows += predicted.offer(folder, request)
    return rows

"""The user's limits, and a results folder or a board -> configurations to choose from -> a table with the best one.

An option is a configuration that the user could deploy, with its known figures. `request` parses the options of the
command. `measured`, `predicted` and `published` each make options from one source, and `option` names these options.
`results.table.choice` chooses one of them, without reading files; `sheet` lays out the answer.
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
    """The chosen configuration, the properties that all options share, and what a reader must know about each option.

    The keys of each mapping below are the names of options.

    Attributes:
        shared: the properties that all options have in common, in words.
        accuracies: where each option's accuracy comes from, in words.
        statistics: whether each option's latency is a `p50` or a `mean`.
        remarks: caveats on options, such as the words of a published row's source.
        commands: the command that copies an option's file out of the cache, for options that have a file.
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
    """Choose among the rows of results folders, or among the published rows of a board.

    Raises:
        RequestError: both folders and a board were named, or neither; an option of the command does not fit the source;
            or the accuracies were measured on several data sets.
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

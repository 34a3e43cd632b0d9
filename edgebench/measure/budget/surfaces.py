"""Fit a surface to the measured accuracies of each kind of cells, and predict the metric of other cells.

The cells of a kind differ only in width and resolution.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgebench.foundation.shelf import literal
from edgebench.images.splits import why_no_accuracy
from edgebench.measure.budget import metric
from edgebench.measure.budget.fit import ENOUGH
from edgebench.measure.budget.kinds import key, kind_of
from edgebench.measure.budget.metric import Share, Size, Surface
from edgebench.results.measurement import summarize
from edgebench.results.measurement.evidence import gather
from edgebench.results.measurement.verdict import Verdict, untrained
from edgebench.schema.variant import task
from edgebench.tasks.classification import appraise

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from edgebench.measure.budget.fit import Prediction
    from edgebench.schema.case import Case
    from edgebench.schema.record import Accuracy, Record, Session
    from edgebench.schema.variant import Variant

Shares = dict["Case", Share]


@dataclass(frozen=True, slots=True, kw_only=True)
class Relief:
    """Evaluated cells that differ only in width and resolution, and a surface fitted to their metric."""

    cases: tuple[Case, ...]
    metric: str
    surface: Surface


def evaluated(session: Session, records: Iterable[Record]) -> Shares:
    """Return the measured metric of each case that was evaluated with the session's preset, target and epoch.

    INVALID files and networks that learned nothing are left out, because they tell nothing about other cells.
    """
    shares = Shares()
    for evidence in gather(records):
        accuracy = evidence.accuracy
        if accuracy is None or key(evidence.session) != key(session) or why_no_accuracy(evidence.case.variant):
            continue
        if not untrained(accuracy) and summarize(evidence).verdict < Verdict.INVALID and (share := _share(accuracy)):
            shares[evidence.case] = share
    return shares


def _share(accuracy: Accuracy) -> Share | None:
    """Return the chief metric of an accuracy record; None if the record lacks this metric."""
    name = metric_of(accuracy.case.variant)
    for figure in accuracy.metrics:
        if figure.name == name:
            low, high = (figure.value if end is None else end for end in (figure.low, figure.high))
            return Share(value=figure.value, low=low, high=high)
    top1 = appraise(accuracy).top1
    return Share(value=top1.value, low=top1.interval[0], high=top1.interval[1]) if top1 else None


def metric_of(variant: Variant) -> str:
    """Return the name of the chief metric of a variant's task, such as `top1` or `map`."""
    return str(literal("tasks", task(variant), "METRIC"))


def size(case: Case) -> Size:
    """Return width and resolution of a case."""
    return case.variant.width, case.variant.resolution


def reliefs(shares: Shares, open_cases: Sequence[Case]) -> dict[Case, Relief]:
    """Return a fitted surface of the metric for each kind of cells that has enough evaluated cells.

    No surface falls as α or ρ grows, neither at the evaluated cells nor at the cells of `open_cases`, which are not
    evaluated yet.
    """
    groups, others = defaultdict["Case", list["Case"]](list), defaultdict["Case", list["Case"]](list)
    for case in shares:
        groups[kind_of(case)].append(case)
    for case in open_cases:
        others[kind_of(case)].append(case)
    return {
        kind: _relief(group, shares, [size(case) for case in others[kind]])
        for kind, group in groups.items()
        if len(group) >= ENOUGH
    }


def _relief(group: Sequence[Case], shares: Shares, others: Sequence[Size]) -> Relief:
    surface = metric.fit([size(case) for case in group], [shares[case] for case in group], others)
    return Relief(cases=tuple(group), metric=metric_of(group[0].variant), surface=surface)


def predict(case: Case, known: Mapping[Case, Relief]) -> Prediction | None:
    """Predict the metric of a case.

    Return None if too few cells of the case's kind are evaluated, or if these cells do not show the effect of α or of
    ρ.
    """
    relief = known.get(kind_of(case))
    return relief.surface.predict(size(case)) if relief else None

"""Decide within a time budget which cells (rows of the sweep) to measure next, and for how long.

The cells that predictions need are measured first, then the cells whose predictions are most uncertain.
"""

from __future__ import annotations

from dataclasses import replace
from time import monotonic
from typing import TYPE_CHECKING

from edgebench.foundation.errors import CaseError
from edgebench.foundation.progress import Notice, Show
from edgebench.foundation.units import counted, parse_duration
from edgebench.measure import stage
from edgebench.measure.budget.allot import allot
from edgebench.measure.plan import cases as plan
from edgebench.schema.case import Case

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from edgebench.results.journal import Journal
    from edgebench.schema.environment import Environment
    from edgebench.schema.record import Session
    from edgebench.schema.sweep import Sweep

NEEDED_SHARE = 0.5  # share of the time budget for cells that must be measured before other cells can be predicted


def rounds(sweep: Sweep, whole: Session, journal: Journal, show: Show) -> Iterator[tuple[Session, float]]:
    """Yield pairs: a session with some of a target's cells, and its deadline in seconds of `monotonic()`.

    The caller must measure each session and write its records to the journal before it takes the next session. If a
    process, a training or an export is still running when the budget is spent, it is allowed to finish. Without a
    budget, yield the session `whole` with deadline 0, which means no deadline.
    """
    if not sweep.budget:
        yield whole, 0.0
        return
    started, budget_s, tried = monotonic(), parse_duration(sweep.budget), list[Case]()
    while (left_s := budget_s - (monotonic() - started)) > 0:
        allotted = allot(whole, journal.current(), tried)
        if not allotted.cases:
            return
        share_s = min(left_s, NEEDED_SHARE * budget_s) if allotted.is_needed else left_s
        pace_s = (budget_s - left_s) / max(len(tried), 1)
        most = len(allotted.cases) if allotted.is_needed else max(1, int(left_s / pace_s))
        before = monotonic()
        cases = tuple(_made(allotted.cases[:most], whole.environment, before + share_s / 2, show))
        show(Notice(text=f"measuring {len(cases)} of {counted(len(whole.cases), 'cell')}, {_why(allotted.is_needed)}"))
        session = plan.session(sweep, whole.environment, cases)
        yield replace(session, time_limit_s=share_s), before + share_s
        tried += cases


def _why(is_needed: bool) -> str:
    return "from which the others are predicted" if is_needed else "which are near the Pareto front or outliers"


def _made(cases: Sequence[Case], environment: Environment, until: float, show: Show) -> Iterator[Case]:
    """Train and export case after case until the time `until`, but at least one case; yield each case when it is ready.

    A case that fails here is yielded, too: it fails again when it is measured, and only then is the failure recorded.
    """
    for case in cases:
        try:
            stage.exported(case, case.variant, environment, show)
        except CaseError as error:
            show(Notice(text=f"{case.variant}: {error}"))
        yield case
        if monotonic() > until:
            return

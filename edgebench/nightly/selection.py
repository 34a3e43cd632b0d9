"""A sweep and a time limit -> the configurations that a gate leaves out, the least informative ones.

A configuration is informative if its network, precision, runtime, size and settings are not yet among the chosen ones.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from edgebench.deploy import Access
from edgebench.deploy.survey import survey
from edgebench.deploy.targets import catalogue
from edgebench.foundation.errors import RequestError
from edgebench.foundation.units import duration
from edgebench.measure import open_session
from edgebench.measure.plan import engines
from edgebench.measure.plan.forecast import forecast
from edgebench.measure.plan.state import case_states
from edgebench.nightly.rule.thresholds import RULE
from edgebench.nightly.waiting import when_free
from edgebench.schema.case import PRESETS, Case, Workload, names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from edgebench.foundation.progress import Show
    from edgebench.schema.record import Session
    from edgebench.schema.sweep import Sweep
    from edgebench.schema.target import Target


def left_out(sweep: Sweep, limit_s: float, show: Show, address: str, wait_s: float, known: Sequence[str]) -> list[str]:
    """Return the names of the configurations for which a gate has no time.

    If the base is measured already, `known` has the names of its configurations, and only these are chosen; otherwise
    `known` is empty, and the time to measure the base counts, too. It is assumed that every configuration changed.

    Raises:
        RequestError: not even one configuration can be measured within the limit.
    """
    dropped, left_s, is_any = list[str](), limit_s, False
    for target in catalogue.targets_of(sweep.targets, address):
        session = _session(sweep, target, show, wait_s)
        named = names(session.cases)
        possible = [case for case in ordered(session.cases) if not known or named[case] in known]
        expected_s = partial(gate_s, sweep, session, is_base_measured=bool(known))
        chosen, took_s = fitting(possible, left_s, expected_s)
        dropped += [name for case, name in named.items() if case not in chosen]
        left_s, is_any = left_s - took_s, is_any or bool(chosen)
    if not is_any:
        raise RequestError(f"wanted a time limit in which one configuration can be compared, found {duration(limit_s)}")
    return dropped


def _session(sweep: Sweep, target: Target, show: Show, wait_s: float) -> Session:
    with Access(target) as access:
        (held,) = when_free(access.connect, show, wait_s)
        requests = engines.requests(sweep, target)
        return open_session(sweep, survey(held.connection, target, held.agent_sha256, requests))


def gate_s(sweep: Sweep, session: Session, cases: Sequence[Case], *, is_base_measured: bool) -> float:
    """Estimate the seconds that a gate takes with these cases, if all of them changed."""
    expected = forecast(sweep, session, case_states(replace(session, cases=tuple(cases)), ()))
    settings = PRESETS[session.preset]
    processes = settings.interim_analyses[0] + settings.memory_runs
    references = 0 if session.environment.emulator else len(Workload)  # sessions run these, and pairs do not
    process_s = expected.measure_s / ((len(cases) + references) * processes)
    pairs_s = len(cases) * 2 * RULE.pairs * process_s
    return expected.total_s * (1 if is_base_measured else 2) + pairs_s


def fitting(
    cases: Iterable[Case], limit_s: float, expected_s: Callable[[Sequence[Case]], float]
) -> tuple[list[Case], float]:
    """Return the first cases that together fit into `limit_s` seconds, and their time; skip cases that do not fit."""
    chosen, took_s = list[Case](), 0.0
    for case in cases:
        total_s = expected_s([*chosen, case])
        if total_s <= limit_s:
            chosen, took_s = [*chosen, case], total_s
    return chosen, took_s


def ordered(cases: Iterable[Case]) -> list[Case]:
    """Return the cases, the most informative first: each adds as much as possible to the cases before it."""
    left, seen, order = list(cases), set[tuple[str, object]](), list[Case]()
    while left:
        best = max(left, key=lambda case: sum(WEIGHTS[trait[0]] for trait in _traits(case) if trait not in seen))
        seen.update(_traits(best))
        left.remove(best)
        order.append(best)
    return order


# How much a new value of a trait adds. A new network is worth more than all others together.
WEIGHTS = {
    "network": 100,
    "runtime": 30,
    "precision": 20,
    "scheme": 10,
    "threads": 5,
    "batch": 4,
    "width": 2,
    "side": 1,
}


def _traits(case: Case) -> tuple[tuple[str, object], ...]:
    variant = case.variant
    values = (
        *(variant.architecture, (case.runtime.name, case.runtime.version, *case.runtime.options)),
        *(variant.precision, variant.quantization, case.threads, case.batch, variant.width, variant.resolution),
    )
    return tuple(zip(WEIGHTS, values, strict=True))

"""The evidence on a case that has neither a number nor a failure -> the reason, from facts in the journal alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgebench.foundation.units import duration

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgebench.results.measurement.evidence import Evidence
    from edgebench.schema.record import Run

ALL = 0.99  # a session that used at least this share of its time limit ran out of time


def why(evidence: Evidence) -> str:
    """Return why a case has no number: its processes ran another file, time ran out, or records are missing."""
    own = [run for run in evidence.others if run.session == evidence.session.id]
    if own:
        return f"{_ran(own)} {_what(own, evidence)}"
    earlier = f", and earlier {_ran(evidence.others)} {_what(evidence.others, evidence)}" if evidence.others else ""
    return _end(evidence) + earlier


def _ran(runs: Sequence[Run]) -> str:
    return f"{len(runs)} process{'es' * (len(runs) > 1)} ran"


def _what(runs: Sequence[Run], evidence: Evidence) -> str:
    """Describe the file that these processes ran, which is not the file deployed last."""
    if evidence.artifact is None:
        return "a file that the journal does not describe"
    is_swapped = any(run.opened_sha256 not in ("", run.artifact_sha256) for run in runs)
    return "a file other than the one deployed" if is_swapped else "a file other than the one deployed last"


def _end(evidence: Evidence) -> str:
    """Say how the session that should have measured the case ended."""
    stop, limit_s, unread = evidence.stop, evidence.session.time_limit_s, evidence.unread
    perhaps = f", or its lines are invalid (invalid lines in the journal: {unread})" if unread else ""
    if evidence.lost:
        return evidence.lost
    if stop is None:
        return f"its session was interrupted before this case, or still runs{perhaps}"
    if limit_s and stop.spent_s >= ALL * limit_s:
        return f"no time was left{perhaps}"
    after = f" after {duration(stop.spent_s)} of {duration(limit_s)}" if limit_s else ""
    invalid = f" (invalid lines in the journal: {unread})" if unread else ""
    return f"its session ended{after} without a valid line of this case{invalid}"

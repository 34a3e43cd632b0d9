"""The evidence of a case without a number or a failure -> why there is none: facts of the journal, never a guess."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgebench.foundation.units import duration

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgebench.results.measurement.evidence import Evidence
    from edgebench.schema.record import Run

ALL = 0.99  # share of a time limit that is all of it: a session's own clock starts a moment after its limit is set


def why(evidence: Evidence) -> str:
    """Return why a case has no number: its processes ran another file, time ran out, or lines are not there."""
    own = [run for run in evidence.others if run.session == evidence.session.id]
    if own:
        return f"{_ran(own)} {_what(own, evidence)}"
    earlier = f", earlier {_ran(evidence.others)} {_what(evidence.others, evidence)}" if evidence.others else ""
    return _end(evidence) + earlier


def _ran(runs: Sequence[Run]) -> str:
    return f"{len(runs)} process{'es' * (len(runs) > 1)} ran"


def _what(runs: Sequence[Run], evidence: Evidence) -> str:
    """Name the file that these processes ran, which is not the one deployed last."""
    if evidence.artifact is None:
        return "a file whose own line is not in the journal"
    is_swapped = any(run.opened_sha256 not in ("", run.artifact_sha256) for run in runs)
    return "another file than the one deployed" if is_swapped else "another file than the one deployed last"


def _end(evidence: Evidence) -> str:
    """Say how the session ended in which the case has no line."""
    stop, limit_s, unread = evidence.stop, evidence.session.time_limit_s, evidence.unread
    perhaps = f", or its lines are among those set aside: {unread}" if unread else ""
    if stop is None:
        return f"its session was interrupted before, or still runs{perhaps}"
    if limit_s and stop.spent_s >= ALL * limit_s:
        return f"no time was left{perhaps}"
    after = f" after {duration(stop.spent_s)} of {duration(limit_s)}" if limit_s else ""
    return f"its session ended{after} without a sound line of it" + (f", set aside: {unread}" if unread else "")

"""Targets and entries of tonight -> the night with what is missing, and the pins of what it was measured with."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import uuid4

from edgebench import __version__
from edgebench.deploy.wheels import gather, platform, public
from edgebench.foundation.cache import path_of
from edgebench.nightly import history
from edgebench.nightly.entries import Pinned, host, names
from edgebench.nightly.night import Entry, Night, Outcome, Pin

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from edgebench.foundation.progress import Show
    from edgebench.nightly.night import History
    from edgebench.nightly.rule.thresholds import Rule
    from edgebench.results.measurement.evidence import Evidence
    from edgebench.schema.record import Session
    from edgebench.schema.sweep import Sweep
    from edgebench.schema.target import Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """A target of tonight: its session, or why there is none; and why it stopped, if it did."""

    target: Target
    session: Session | None = None
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NightContext:
    """What the pairs of a night need.

    Attributes:
        folder: of the history; `raw` that of the night's samples.
        reached: its targets.
        evidence: what its journal holds of each configuration, by name.
    """

    folder: Path
    raw: Path
    rule: Rule
    show: Show
    reached: tuple[Reached, ...]
    evidence: Mapping[str, Evidence]

    def reached_as(self, target: str) -> Reached:
        """Return a target of tonight by its name."""
        return next(reached for reached in self.reached if reached.target.name == target)


def new_night(sweep: Sweep) -> Night:
    """Return a night that begins now, without entries."""
    return Night(
        id=uuid4().hex[:12],
        started_at=datetime.now(UTC).isoformat(timespec="seconds"),
        edgebench=__version__,
        sweep=sweep.name,
        hosts={},
        entries=(),
    )


def complete_night(
    night: Night, measured: Sequence[Entry], reached: Sequence[Reached], sweep: Sweep, earlier: History
) -> Night:
    """Return the night with its hosts, its entries, those that are missing, and the names that are gone."""
    environments = [target.session.environment for target in reached if target.session]
    listed = {entry.name for entry in measured}
    missing = [entry for target in reached for entry in _missing(target, sweep, earlier) if entry.name not in listed]
    still_wanted = listed | {entry.name for entry in missing}
    last = earlier.nights[-1].entries if earlier.nights else ()
    return replace(
        night,
        entries=(*measured, *missing),
        hosts={environment.target: host(environment) for environment in environments},
        gone=tuple(entry.name for entry in last if entry.name not in still_wanted),
    )


def _missing(reached: Reached, sweep: Sweep, earlier: History) -> Iterator[Entry]:
    """Yield an entry per configuration that a target did not measure: by its cases, its last night, or the sweep."""
    if reached.why:
        for name in _wanted(reached, sweep, earlier):
            yield Entry(name=name, target=reached.target.name, verdict=Outcome.MISSING, why=reached.why)


def _wanted(reached: Reached, sweep: Sweep, earlier: History) -> list[str]:
    """Return the names of a target's configurations."""
    if reached.session:
        return list(names(reached.session.cases).values())
    target = reached.target.name
    nights = ([entry.name for entry in night.entries if entry.target == target] for night in reversed(earlier.nights))
    return next(filter(None, nights), []) or [
        f"{cell.model}-{cell.width:g}@{cell.resolution}/{cell.precision} {cell.runtime} {target}"
        f" threads={cell.threads} batch={cell.batch}"
        for cell in sweep.cells()
        if cell.target == target
    ]


def pinned(folder: Path, agent: tuple[Path, str], evidence: Evidence) -> Pinned:
    """Copy what a configuration was measured with into the history, so that the cache may be emptied.

    An agent is its bundle and the hash of that.

    Raises:
        RequestError: it cannot be written.
    """
    assert evidence.artifact
    runtime, environment = evidence.case.runtime, evidence.session.environment
    packages = ""
    if runtime.packages:
        card = gather(runtime.name, public(runtime.version), platform(environment.facts))
        packages = history.keep_file(folder, path_of(card), card.sha256)
    pin = Pin(
        case=evidence.case,
        artifact=evidence.artifact,
        file=history.keep_file(folder, path_of(evidence.artifact), evidence.artifact.sha256),
        agent=history.keep_file(folder, *agent),
        agent_sha256=agent[1],
        packages=packages,
    )
    return Pinned(pin=history.write_pin(folder, pin), packages=packages.partition(".")[0])

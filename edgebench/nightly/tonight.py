"""Tonight's targets and entries -> the complete night, with an entry for each configuration that is missing.

`pinned` stores the files of a measured environment, and a pin, which lists them. With these files
and the pin, later nights can run this environment again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import uuid4

from edgebench import __version__
from edgebench.deploy.wheels import gather, platform, public
from edgebench.foundation.cache import path_of
from edgebench.foundation.errors import CaseError
from edgebench.foundation.progress import warn
from edgebench.measure.plan import sweeps
from edgebench.nightly import history
from edgebench.nightly.entries import Pinned, host
from edgebench.nightly.night import Entry, Night, Outcome, Pin, following
from edgebench.schema.case import names

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


LEFT_OUT = "not measured within the time limit"  # begins the note that names the configurations that were left out


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """A target of tonight with its session; `why` is the reason if it was not reached or stopped answering."""

    target: Target
    session: Session | None = None
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NightContext:
    """The inputs of the paired runs of a night.

    Attributes:
        folder: folder of the history.
        raw: folder for the samples of the night.
        reached: all targets of the night; a target that could not be reached has no session.
        evidence: the measurements of tonight, by configuration name.
        wait_s: how long to wait for a target that another process uses, seconds.
    """

    folder: Path
    raw: Path
    rule: Rule
    show: Show
    reached: tuple[Reached, ...]
    evidence: Mapping[str, Evidence]
    wait_s: float = 0.0

    def reached_as(self, target: str) -> Reached:
        """Return the target with this name."""
        return next(reached for reached in self.reached if reached.target.name == target)


def begin_night(folder: Path, sweep: Sweep, earlier: History) -> tuple[Night, Path]:
    """Return the night to measure, without entries, and the folder for its samples.

    A recent night of the same sweep that was killed is continued; otherwise a new night begins.

    Raises:
        RequestError: the folder cannot be written.
    """
    night = history.unfinished(folder, earlier.nights)
    if night and sweeps.is_kept(raw := history.raw_folder(folder, night), sweep):
        return night, raw
    night = _new_night(sweep, following(earlier.nights))
    raw = history.begin(folder, night)
    sweeps.write_sweep(raw, sweep)
    return night, raw


def _new_night(sweep: Sweep, number: int) -> Night:
    """Return a night that starts now, without entries."""
    return Night(
        id=uuid4().hex[:12],
        started_at=datetime.now(UTC).isoformat(timespec="seconds"),
        edgebench=__version__,
        sweep=sweep.name,
        hosts={},
        entries=(),
        number=number,
    )


def complete_night(
    night: Night,
    measured: Sequence[Entry],
    reached: Sequence[Reached],
    sweep: Sweep,
    earlier: History,
    left_out: Sequence[str] = (),
) -> Night:
    """Return the night with its hosts, its measured and missing entries, and the configurations that left the sweep.

    The configurations `left_out` are neither missing nor gone; they were not measured on purpose.
    """
    environments = [target.session.environment for target in reached if target.session]
    listed = {entry.name for entry in measured}
    missing = [
        entry
        for target in reached
        for entry in _missing(target, sweep, earlier)
        if entry.name not in {*listed, *left_out}
    ]
    still_expected = {*listed, *left_out} | {entry.name for entry in missing}
    last = earlier.nights[-1].entries if earlier.nights else ()
    return replace(
        night,
        entries=(*measured, *missing),
        hosts={environment.target: host(environment) for environment in environments},
        gone=tuple(entry.name for entry in last if entry.name not in still_expected),
        notes=(f"{LEFT_OUT}: {'; '.join(left_out)}",) if left_out else (),
    )


def _missing(reached: Reached, sweep: Sweep, earlier: History) -> Iterator[Entry]:
    """Yield a MISSING entry for each expected configuration of a target that was not reached or stopped answering."""
    if reached.why:
        for name in _expected(reached, sweep, earlier):
            yield Entry(name=name, target=reached.target.name, verdict=Outcome.MISSING, why=reached.why)


def _expected(reached: Reached, sweep: Sweep, earlier: History) -> list[str]:
    """Return the configurations that a target should have.

    If the target has a session tonight, they are read from it, else from the target's last night, else from the sweep.
    """
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
    """Copy the files of a measured environment into the history, so that they outlive the cache.

    `agent` is a pair: the file of the agent's bundle, and that file's hash. If a file is missing or damaged, the result
    has no pin.

    Raises:
        RequestError: a file cannot be written.
    """
    try:
        return _pinned(folder, agent, evidence)
    except CaseError as error:
        warn(f"later nights cannot be compared with tonight's {evidence.case.variant} in pairs: {error}")
        return Pinned()


def _pinned(folder: Path, agent: tuple[Path, str], evidence: Evidence) -> Pinned:
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

"""One night: measure the sweep, decide, confirm what is suspect by pairs, keep it, report.

sweep + history -> measured -> examined -> paired -> judged -> written
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING
from uuid import uuid4

from edgebench import __version__
from edgebench.deploy import connect, hold
from edgebench.deploy.bundle import bundle
from edgebench.deploy.targets import catalogue
from edgebench.deploy.wheels import gather as wheels_of
from edgebench.deploy.wheels import platform, public
from edgebench.foundation.cache import path_of
from edgebench.foundation.errors import AgentError, Busy, CaseError, RequestError, Unreachable
from edgebench.foundation.lock import lock
from edgebench.foundation.progress import Notice, Show
from edgebench.foundation.shelf import load, names
from edgebench.measure import answer, open_session
from edgebench.measure.plan.check import check
from edgebench.nightly import figures, summary
from edgebench.nightly import history as chronicle
from edgebench.nightly import pairs as pair
from edgebench.nightly.night import Acceptance, Entry, History, Night, Outcome, PairedTimes, Pin
from edgebench.nightly.rule.judge import Screened, examine, judge
from edgebench.nightly.rule.thresholds import RULE, Rule
from edgebench.results.journal import Journal
from edgebench.results.measurement.evidence import Evidence, gather

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from edgebench.deploy.connections import Connection
    from edgebench.nightly.night import AAPairs
    from edgebench.nightly.pairs import PairedRun
    from edgebench.nightly.summary import Bulletin
    from edgebench.schema.record import Session
    from edgebench.schema.sweep import Sweep
    from edgebench.schema.target import Target

BULLETINS = "nightly.bulletins"  # the shelf of what a night is told in
REGRESSED, UNMEASURED = 1, 3  # exit codes; 2 is a request that cannot be met
# Of a night's processes, in each of two arms that are alike: together a twentieth of its time. Fewer than four pairs
# have no interval of 95 %.
ARM_SHARE, LEAST_PAIRS = 0.03, 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """A target that was asked tonight: its session, or why there is none; and why it stopped, if it did."""

    target: Target
    session: Session | None = None
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NightContext:
    """What a night has at hand.

    Attributes:
        folder: of the history; `raw` that of the night's samples.
        reached: its targets.
        evidence: what its journal holds of each configuration.
    """

    folder: Path
    raw: Path
    rule: Rule
    show: Show
    reached: tuple[Reached, ...]
    evidence: dict[str, Evidence]

    def pin(self, one: Screened) -> str:
        """Name what the configuration's accepted environment is made of."""
        assert one.past.baseline
        return one.past.baseline[1].pin

    def of(self, target: str) -> Reached:
        """Find a target."""
        return next(one for one in self.reached if one.target.name == target)


def run(sweep: Sweep, folder: Path, show: Show, address: str = "", rule: Rule = RULE) -> Bulletin:
    """Measure a night, judge it against the history in the folder, add it there and write its reports.

    Raises:
        RequestError: the sweep cannot be, or the history is in use: nothing was measured. Or something cannot be
            written: the history stands as it was, or with the night where only a report failed.
    """
    check(sweep)
    if sweep.budget:
        raise RequestError(
            f"wanted a sweep that measures all of it every night, found budget {sweep.budget}; leave it out"
        )
    targets, started = catalogue.targets_of(sweep.targets, address), monotonic()
    with lock(str(folder.resolve()), f"history {folder}"):
        history, night = chronicle.read(folder), _begun(sweep)
        raw = chronicle.raw_folder(folder, night)
        journal = Journal(raw)
        reached = tuple(_measured(sweep, target, journal, show) for target in targets)
        night = replace(_seen(night, sweep, reached, journal, folder, history), measured_s=monotonic() - started)
        work = NightContext(folder=folder, raw=raw, rule=rule, show=show, reached=reached, evidence=_evidence(journal))
        suspicions = examine(night, history, rule)
        contests = {name: one for each in reached for name, one in _paired(suspicions, each, work)}
        night = replace(judge(night, suspicions, contests, rule), arms=_arms(suspicions, len(history.nights), work))
        chronicle.write_night(folder, replace(night, spent_s=monotonic() - started))
        chronicle.prune(folder)
        return report(folder)


def _begun(sweep: Sweep) -> Night:
    return Night(
        id=uuid4().hex[:12],
        started_at=datetime.now(UTC).isoformat(timespec="seconds"),
        edgebench=__version__,
        sweep=sweep.name,
        hosts={},
        entries=(),
    )


def _measured(sweep: Sweep, target: Target, journal: Journal, show: Show) -> Reached:
    """Measure on one target; one that cannot be reached is a gap in the night, not its end."""
    session = None
    try:
        with hold(target) as (held,):
            session = open_session(sweep, held)
            for record in answer(session, held, tuple(journal), show):
                journal.append(record)
    except (AgentError, Busy, Unreachable) as error:
        show(Notice(text=f"target {target.name}: {error}"))
        return Reached(target=target, session=session, why=str(error))
    return Reached(target=target, session=session)


def _seen(
    night: Night, sweep: Sweep, reached: Sequence[Reached], journal: Journal, folder: Path, history: History
) -> Night:
    """Fill the night in with what its journal holds, and with what is missing."""
    environments = [one.session.environment for one in reached if one.session]
    found = figures.entries(journal, partial(_pin, folder))
    listed = {entry.name for entry in found}
    missing = [one for target in reached for one in _missing(target, sweep, history) if one.name not in listed]
    entries = (*found, *missing)
    names = {entry.name for entry in entries}
    last = history.nights[-1].entries if history.nights else ()
    return replace(
        night,
        entries=entries,
        hosts={one.target: figures.host(one) for one in environments},
        gone=tuple(entry.name for entry in last if entry.name not in names),
    )


def _missing(reached: Reached, sweep: Sweep, history: History) -> Iterator[Entry]:
    """Name what a target was asked for in vain: by the cases, by its last night, or by the sweep's own words."""
    if not reached.why:
        return
    target = reached.target.name
    if reached.session:
        names = list(figures.names(reached.session.cases).values())
    else:
        nights = ([one.name for one in night.entries if one.target == target] for night in reversed(history.nights))
        names = next(filter(None, nights), []) or [
            f"{cell.model}-{cell.width:g}@{cell.resolution}/{cell.precision} {cell.runtime} {target}"
            f" threads={cell.threads} batch={cell.batch}"
            for cell in sweep.cells()
            if cell.target == target
        ]
    for name in names:
        yield Entry(name=name, target=target, verdict=Outcome.MISSING, why=reached.why)


def _pin(folder: Path, evidence: Evidence) -> figures.Pinned:
    """Copy what a configuration was measured with into the history, so that the cache may be emptied."""
    assert evidence.artifact
    agent, digest = bundle()
    runtime, environment = evidence.case.runtime, evidence.session.environment
    brought = ""
    if runtime.packages:
        card = wheels_of(runtime.name, public(runtime.version), platform(environment.facts))
        brought = chronicle.keep(folder, path_of(card), card.sha256)
    pin = Pin(
        case=evidence.case,
        artifact=evidence.artifact,
        file=chronicle.keep(folder, path_of(evidence.artifact), evidence.artifact.sha256),
        agent=chronicle.keep(folder, agent, digest),
        agent_sha256=digest,
        packages=brought,
    )
    return figures.Pinned(pin=chronicle.pin(folder, pin), packages=brought.partition(".")[0])


def _evidence(journal: Journal) -> dict[str, Evidence]:
    found = gather(journal)
    named = figures.names([one.case for one in found])
    return {named[one.case]: one for one in found}


def _paired(suspicions: Sequence[Screened], at: Reached, work: NightContext) -> Iterator[tuple[str, PairedTimes]]:
    """Take pairs of every suspect of a target; what keeps them from being taken is their answer."""
    suspects = [one for one in suspicions if one.calls_for_pairs and one.entry.target == at.target.name]
    if not suspects or not at.session:
        return
    names = [one.entry.name for one in suspects]
    work.show(Notice(text=f"{len(suspects)} of target {at.target.name} are paired with their accepted environments"))
    try:
        with lock(at.target.machine, f"target {at.target.name}"), connect(at.target) as (connection, _):
            duels = [_installed(one, connection, at.session, work) for one in suspects]
            yield from pair.contests(duels, names, at.session, work.raw, work.show, work.rule)
    except (AgentError, Busy, Unreachable) as error:
        yield from dict.fromkeys(names, PairedTimes(why_not=str(error))).items()


def _installed(one: Screened, connection: Connection, session: Session, work: NightContext) -> PairedRun | PairedTimes:
    pairs, _ = work.rule.confirmation(is_noisy=one.is_noisy)
    evidence = work.evidence[one.entry.name]
    found = pair.installed(one.entry.name, pairs, work.folder, work.pin(one), evidence, connection, session)
    if isinstance(found, pair.PairedRun):
        found.slope = one.past.slope
        found.interim_every = work.rule.interim_every_for(is_noisy=one.is_noisy) if one.may_stop_early else 0
    return found


def _arms(suspicions: Sequence[Screened], turn: int, work: NightContext) -> AAPairs | None:
    """Compare two copies of one accepted environment: every night another configuration's."""
    timed = [one for one in suspicions if one.past.is_timed]
    if not timed:
        return None
    one = timed[turn % len(timed)]
    at, raw = work.of(one.entry.target), work.raw / "arms"
    assert at.session
    taken = sum(len(each.entry.figures.latencies_s) for each in timed)
    pairs = min(work.rule.pairs // 2, max(LEAST_PAIRS, round(taken * ARM_SHARE)))
    try:
        with lock(at.target.machine, f"target {at.target.name}"), connect(at.target) as (connection, _):
            pinned = chronicle.pinned(work.folder, work.pin(one))
            evidence = work.evidence[one.entry.name]
            with pair.twins(one.entry.name, pairs, work.folder, pinned, evidence, connection, at.session) as duel:
                duel.slope = one.past.slope
                return pair.difference(duel, at.session, raw, work.show)
    except (CaseError, RequestError) as error:
        work.show(Notice(text=f"how much two copies of one environment differ was not measured: {error}"))
        return None


def report(folder: Path) -> Bulletin:
    """Write the last night's reports again from the history.

    Raises:
        RequestError: the folder holds no night, or cannot be written.
    """
    with chronicle.resting_collector():
        history = chronicle.read(folder)
        if not history.nights:
            raise RequestError(f"no night in {folder}: wanted a history such as results/nightly")
        found = summary.bulletin(history)
    for name in names(BULLETINS):
        plugin = load(BULLETINS, name)
        if plugin.FILE:
            chronicle.write_report(folder, plugin.FILE, plugin.render(found))
    return found


def accept(folder: Path, reason: str, night: str = "", configurations: Sequence[str] = ()) -> Acceptance:
    """Let a night, by default the last, be what later ones are compared with; keep who said why.

    Raises:
        RequestError: there is no such night or configuration, or no reason.
    """
    history = chronicle.read(folder)
    if not reason.strip():
        raise RequestError('wanted a reason, found none; add --reason "runtime upgraded on purpose"')
    chosen = [one for one in history.nights if one.stem.startswith(night) or one.id == night][-1:]
    if not chosen:
        raise RequestError(f"no night {night or 'at all'} in {folder}; the history has {len(history.nights)} nights")
    measured = {one.name for one in chosen[0].entries if one.pin and one.is_measured}
    if not measured:
        raise RequestError(f"night {chosen[0].stem} measured nothing that could be accepted; name another with --night")
    if unknown := [name for name in configurations if name not in measured]:
        raise RequestError(f"no configuration {unknown[0]!r} was measured in night {chosen[0].stem}")
    acceptance = Acceptance(
        id=uuid4().hex[:12],
        accepted_at=datetime.now(UTC).isoformat(timespec="seconds"),
        night=chosen[0].id,
        configurations=tuple(configurations),
        reason=reason.strip(),
    )
    chronicle.write_acceptance(folder, acceptance)
    return acceptance


def exit_code(night: Night) -> int:
    """Return 1 for a confirmed regression, 3 for what was not measured or is worth nothing, else 0."""
    verdicts = {entry.verdict for entry in night.entries}
    if Outcome.REGRESSION in verdicts:
        return REGRESSED
    return UNMEASURED if verdicts & {Outcome.MISSING, Outcome.INVALID} else 0

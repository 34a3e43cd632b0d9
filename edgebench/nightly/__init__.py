"""One night: measure a sweep, screen the results, confirm suspected changes with paired runs, judge, store and report.

sweep + history -> measure -> examine -> pair -> judge -> write
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING
from uuid import uuid4

from edgebench.deploy import Access
from edgebench.deploy.bundle import bundle
from edgebench.deploy.survey import survey
from edgebench.deploy.targets import catalogue
from edgebench.foundation import collector, durations, toml
from edgebench.foundation.errors import AgentError, Busy, RequestError, Unreachable
from edgebench.foundation.lock import lock_folder
from edgebench.foundation.progress import Notice, Show
from edgebench.foundation.shelf import load, names
from edgebench.foundation.units import counted
from edgebench.measure import answer, open_session, prepare, unprepared
from edgebench.measure.plan import engines, sweeps
from edgebench.measure.plan.check import check
from edgebench.measure.plan.forecast import forecast, learned
from edgebench.measure.plan.remaining import with_time_left
from edgebench.measure.plan.state import case_states
from edgebench.nightly import gate, history, selection, summary, trust
from edgebench.nightly.entries import entries, named_evidence
from edgebench.nightly.night import Acceptance, Decision, Outcome, State, following
from edgebench.nightly.pairs import aa_pairs, noise_task, paired_times
from edgebench.nightly.rule.judge import examine, judge
from edgebench.nightly.rule.limits import NO_LIMITS, Limits, LimitsOfFile
from edgebench.nightly.rule.thresholds import RULE, Rule
from edgebench.nightly.tonight import NightContext, Reached, begin_night, complete_night, pinned
from edgebench.nightly.triage import episodes
from edgebench.nightly.waiting import when_free
from edgebench.results.journal import Journal
from edgebench.schema.case import names as names_of
from edgebench.schema.record import Run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from edgebench.measure.plan.remaining import Remaining
    from edgebench.nightly.night import History, Night
    from edgebench.nightly.summary import Bulletin
    from edgebench.schema.record import Record
    from edgebench.schema.sweep import Sweep
    from edgebench.schema.target import Target

CANDIDATES = 5  # maximum number of configurations that an error message lists
BULLETINS = "nightly.bulletins"  # the folder of plug-ins that write a night's reports
WAIT = "30m"  # the time that a message suggests to wait for a busy target
REGRESSED, UNMEASURED = 1, 3  # exit codes; after a RequestError the exit code is 2


def run(
    sweep: Sweep,
    folder: Path,
    show: Show,
    address: str = "",
    rule: Rule = RULE,
    limits: Limits = NO_LIMITS,
    wait_s: float = 0.0,
    left_out: Sequence[str] = (),
) -> Bulletin:
    """Measure a sweep tonight, judge the night against the history in `folder`, store it there and write its reports.

    A night that measured nothing is reported, but not stored. If another process uses a target, the night waits up to
    `wait_s` seconds for it. The configurations `left_out` are not measured, and a note names them.

    Raises:
        RequestError: the sweep is impossible, or another process uses the history; in both cases nothing was measured.
            The same error is raised if a file cannot be written; the history is then unchanged, or it has the night
            without one of its reports.
    """
    check(sweep)
    if sweep.budget:
        raise RequestError(
            f"a nightly run measures the whole sweep, but this sweep has the budget {sweep.budget}; remove the budget"
        )
    targets, started = catalogue.targets_of(sweep.targets, address), monotonic()
    with lock_folder(folder, f"history {folder}"), _explaining_interruptions(), with_time_left(show) as remaining:
        earlier = history.read(folder)
        night, raw = begin_night(folder, sweep, earlier)
        journal = Journal(raw)
        # A continued night has records from before it was killed; the time that they took is part of the night.
        started -= sum(record.took_s or 0.0 for record in journal if isinstance(record, Run))
        will_pair = bool(earlier.nights)
        reached = tuple(_all_measured(sweep, targets, journal, remaining, wait_s, left_out, will_pair=will_pair))
        journal.settle()
        records, agent = tuple(journal), bundle()
        evidence = named_evidence(records)
        measured = entries(evidence, records, partial(pinned, folder, agent))
        night = complete_night(night, measured, reached, sweep, earlier, left_out)
        if all(entry.verdict == Outcome.MISSING for entry in night.entries):
            return _report_unmeasured(folder, night, earlier)
        night = replace(night, measured_s=monotonic() - started)
        context = NightContext(
            folder=folder, raw=raw, rule=rule, show=remaining, reached=reached, evidence=evidence, wait_s=wait_s
        )
        night = replace(_decided(night, earlier, context, limits), spent_s=monotonic() - started)
        history.write_night(folder, night)
        history.prune(folder, (*earlier.nights, night))
        return report(folder)


def _decided(night: Night, earlier: History, context: NightContext, limits: Limits) -> Night:
    """Run the pairs of suspected configurations, and return the night with its verdicts and its noise of pairs."""
    screened = examine(night, earlier, context.rule)
    night = judge(night, screened, paired_times(screened, context), context.rule, limits)
    return replace(night, arms=aa_pairs(screened, len(earlier.nights), context))


def compare_with_revision(request: gate.Request, sweep: Sweep, limits: Limits, wait_s: float, show: Show) -> Bulletin:
    """Measure a git revision, if it is not measured yet, and then the working tree; return the tree's night.

    Raises:
        RequestError: there is no such revision, it cannot be measured, or the sweep is impossible.
    """
    place = gate.place_of(request)
    without = list[str]()
    if request.limit_s:
        without = selection.left_out(sweep, request.limit_s, show, request.address, wait_s, gate.measured(place))
    both = gate.BothNights(show=show)
    gate.measure_base(request, place, both, without)
    head, both.is_last = gate.begin_head(place), True
    return run(sweep, head, both, request.address, limits=limits, wait_s=wait_s, left_out=without)


@contextmanager
def _explaining_interruptions() -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt as interruption:
        hours = history.RESUMED_WITHIN.total_seconds() / 3600
        interruption.add_note(f"run the same command within {hours:.0f} hours to continue this night")
        raise


def _report_unmeasured(folder: Path, night: Night, earlier: History) -> Bulletin:
    """Write the reports of a night that measured nothing; the history does not keep such a night."""
    note = "this night measured nothing, so the history does not keep it"
    bulletin = summary.bulletin(replace(earlier, nights=(*earlier.nights, replace(night, notes=(note,)))))
    _write_reports(folder, bulletin)
    return bulletin


def _all_measured(
    sweep: Sweep,
    targets: Sequence[Target],
    journal: Journal,
    remaining: Remaining,
    wait_s: float,
    left_out: Sequence[str],
    *,
    will_pair: bool,
) -> Iterator[Reached]:
    """Measure the sweep on each target; with `will_pair`, the time left includes the later A/A pairs."""
    for place, target in enumerate(targets, 1):
        remaining.further = len(targets) - place
        yield _measured(sweep, target, journal, remaining, wait_s, left_out, will_pair=will_pair)


def _measured(
    sweep: Sweep,
    target: Target,
    journal: Journal,
    remaining: Remaining,
    wait_s: float,
    left_out: Sequence[str],
    *,
    will_pair: bool,
) -> Reached:
    """Measure the sweep on one target, which is locked only after everything is trained and exported.

    If the target cannot be reached, record why and continue with the other targets.
    """
    session, earlier = None, tuple(journal)
    records: list[Record] = []
    try:
        with Access(target) as access:
            (held,) = when_free(access.connect, remaining, wait_s)
            requests = engines.requests(sweep, target)
            session = open_session(sweep, survey(held.connection, target, held.agent_sha256, requests))
            name_of = names_of(session.cases)
            session = replace(session, cases=tuple(case for case in session.cases if name_of[case] not in left_out))
            states = case_states(session, earlier)
            expected = forecast(sweep, session, states)
            is_paired = will_pair and not session.environment.emulator
            remaining.expect(expected, [noise_task(expected, sweep.preset)] if is_paired else [])
            if wanted := unprepared(states):
                access.release()
            failures = prepare(session, wanted, remaining)
            (held,) = when_free(access.lock, remaining, wait_s)
            for record in answer(session, held, earlier, remaining, failures=failures):
                journal.append(record)
                records.append(record)
            durations.keep(learned(session, records))
    except (AgentError, Busy, Unreachable) as error:
        advice = f"; or let the night wait, with --wait {WAIT}" if isinstance(error, Busy) and not wait_s else ""
        named = str(error) if str(error).startswith(f"target {target.name} ") else f"target {target.name}: {error}"
        remaining(Notice(text=f"{named}{advice}"))
        return Reached(target=target, session=session, why=str(error))
    return Reached(target=target, session=session)


def report(folder: Path, refused: Callable[[str], None] | None = None) -> Bulletin:
    """Rewrite the reports of the last night from the history.

    If the folder cannot be written, `refused` is called with the reason.

    Raises:
        RequestError: the folder holds no night, or `refused` is not given and the folder cannot be written.
    """
    with collector.paused():
        nights = history.read(folder)
        if not nights.nights:
            skipped = f"; {nights.notes[0]}" if nights.notes else ""
            raise RequestError(f"no night in {folder}: expected a history such as results/nightly{skipped}")
        bulletin = summary.bulletin(nights)
    try:
        _write_reports(folder, bulletin)
    except RequestError as error:
        if not refused:
            raise
        refused(str(error))
    return bulletin


def _write_reports(folder: Path, bulletin: Bulletin) -> None:
    for name in names(BULLETINS):
        plugin = load(BULLETINS, name)
        if plugin.FILE:
            history.write_report(folder, plugin.FILE, plugin.render(bulletin))
        for path, text in getattr(plugin, "pages", lambda _: ())(bulletin):
            history.write_report(folder, path, text)


def limits_of(sweep: str) -> Limits:
    """Read the limits in the file of a nightly sweep, which is given by its path or name.

    Raises:
        UnknownName: there is no sweep of this name.
        InvalidFile: a limit is impossible.
    """
    path = sweeps.file(sweep)
    of_file = toml.read(
        path, LimitsOfFile, path.stem, select=lambda content: {sweeps.LIMITS: content.get(sweeps.LIMITS, [])}
    )
    return Limits(of_file.limits)


def accept(folder: Path, reason: str, night: str = "", configurations: Sequence[str] = ()) -> Acceptance:
    """Make a night (by default the last night) the baseline of later nights, and store the reason.

    Raises:
        RequestError: the night or a configuration does not exist, or the reason is empty.
    """
    known = history.read(folder)
    nights = known.nights
    if not reason.strip():
        raise RequestError('accepting a night needs a reason; add --reason "runtime upgraded on purpose"')
    chosen = [candidate for candidate in nights if candidate.stem.startswith(night) or candidate.id == night][-1:]
    if not chosen:
        raise RequestError(f"no night {night or 'at all'} in {folder}; the history has {counted(len(nights), 'night')}")
    measured = {entry.name for entry in chosen[0].entries if entry.pin and entry.is_measured}
    if not measured:
        raise RequestError(f"night {chosen[0].stem} has no measurement to accept; choose another night with --night")
    if unknown := [name for name in configurations if name not in measured]:
        raise RequestError(f"no configuration {unknown[0]!r} was measured in night {chosen[0].stem}")
    acceptance = Acceptance(
        id=uuid4().hex[:12],
        accepted_at=datetime.now(UTC).isoformat(timespec="seconds"),
        night=chosen[0].id,
        configurations=tuple(configurations),
        reason=reason.strip(),
        number=following(known.acceptances),
    )
    history.write_acceptance(folder, acceptance)
    report(folder)
    return acceptance


def decide(folder: Path, state: State, pattern: str, reason: str = "", person: str = "", link: str = "") -> Decision:
    """Store a reaction to the last night's changes of configurations that match `pattern`; rewrite the night's reports.

    `pattern` is the name of a configuration, a part of it, or a pattern with `*`.

    Raises:
        RequestError: no matching configuration changed, or `state` requires a person or a reason and none is given.
    """
    known = history.read(folder)
    if not known.nights:
        raise RequestError(f"no night in {folder}: expected a history such as results/nightly")
    if state == State.ASSIGNED and not person.strip():
        raise RequestError("assigning a change needs a person who takes care of it; add --to NAME")
    if state == State.INVALID and not reason.strip():
        raise RequestError('marking a change as invalid needs a reason; add --reason "the board was throttled"')
    changed = [name for name, found in episodes(known).items() if any(each.state != State.MENDED for each in found)]
    meant = [name for name in changed if pattern == name] or [
        name for name in changed if pattern in name or fnmatchcase(name, pattern)
    ]
    if not meant:
        listed = "; ".join(changed[:CANDIDATES]) or "none"
        raise RequestError(f"no changed configuration of the last night matches {pattern!r}; changed were: {listed}")
    decision = Decision(
        id=uuid4().hex[:12],
        decided_at=datetime.now(UTC).isoformat(timespec="seconds"),
        night=known.nights[-1].id,
        configurations=tuple(meant),
        state=state,
        reason=reason.strip(),
        person=person.strip(),
        link=link.strip(),
        number=following(known.decisions),
    )
    history.write_decision(folder, decision)
    report(folder)
    return decision


def accept_code(folder: Path, code: str, reason: str) -> str:
    """Allow code that a history contains (an agent or a runtime's packages) to run for this user; return the full hash.

    Raises:
        RequestError: the history has no such code, or the reason is empty.
    """
    if not reason.strip():
        raise RequestError('accepting code needs a reason; add --reason "from our own runner"')
    return trust.accept(folder, code, reason.strip())


def exit_code(bulletin: Bulletin) -> int:
    """Return exit code 1 if a regression waits for a reaction, 3 if a configuration is MISSING or INVALID, else 0."""
    if any(line.is_waiting for line in bulletin.lines):
        return REGRESSED
    return UNMEASURED if bulletin.of(Outcome.MISSING, Outcome.INVALID) else 0

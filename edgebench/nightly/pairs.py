"""Suspects, their pinned environments and tonight's -> interleaved pairs of fresh processes on one target."""

from __future__ import annotations

import shutil
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from edgebench.deploy import UNPACK_S, Deployed, install, unpack
from edgebench.deploy.wheels import platform, public
from edgebench.foundation.errors import CaseError, RequestError
from edgebench.foundation.progress import Show, Step
from edgebench.measure.rounds import Job, observe
from edgebench.nightly import history
from edgebench.nightly.night import AAPairs, ArmTimes, PairedTimes, Pin
from edgebench.nightly.rule.confirm import compare
from edgebench.nightly.rule.figures import LATENCY
from edgebench.nightly.rule.judge import is_open
from edgebench.nightly.rule.thresholds import RULE, Rule
from edgebench.results.journal import Journal
from edgebench.results.measurement import beats
from edgebench.schema.case import Purpose
from edgebench.schema.record import Failure, Run
from edgebench.schema.runtime import RuntimeRequest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from edgebench.deploy.connections import Connection
    from edgebench.results.measurement.evidence import Evidence
    from edgebench.schema.record import Session

ACCEPTED, TONIGHT = "accepted", "tonight"


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """An installed configuration, and the agent that measures it."""

    job: Job
    connection: Connection


@dataclass(kw_only=True)
class PairedRun:
    """Two arms of one configuration, and what their processes saw.

    Attributes:
        pairs: to take; `look` after every how many it is given up where nothing shows, 0 for never.
        slope: how its times follow the beats.
    """

    name: str
    accepted: Arm
    tonight: Arm
    pairs: int
    interim_every: int = 0
    slope: float = 1.0
    runs: dict[str, list[Run]] = field(default_factory=lambda: defaultdict(list))
    failure: str = ""

    @property
    def contest(self) -> PairedTimes:
        """What was seen, seconds a process."""
        if self.failure:
            return PairedTimes(why_not=self.failure)
        accepted, tonight = self.runs[ACCEPTED], self.runs[TONIGHT]
        is_paced = bool(beats.beat((*accepted, *tonight)))
        return PairedTimes(
            accepted=_times(accepted, is_paced=is_paced), tonight=_times(tonight, is_paced=is_paced), slope=self.slope
        )


def _times(runs: Sequence[Run], *, is_paced: bool) -> ArmTimes:
    return ArmTimes(
        latencies_s=tuple(median(run.samples_s) for run in runs),
        levels=beats.levels(runs) if is_paced else (),
        load_s=tuple(run.load_s for run in runs),
        first_s=tuple(run.first_s for run in runs),
    )


def tonight(evidence: Evidence, connection: Connection, session: Session) -> Arm:
    """Install what was measured tonight.

    Raises:
        CaseError, RequestError: it cannot be installed.
    """
    assert evidence.artifact
    case = evidence.case
    deployed = install(connection, evidence.artifact, case.variant, case.runtime, session.environment)
    job = Job(case=case, deployed=deployed, runs=list(evidence.runs))
    return Arm(job=job, connection=connection)


def accepted(
    folder: Path, pin: Pin, evidence: Evidence, connection: Connection, session: Session, copy: Path | None = None
) -> Arm:
    """Install what is pinned, from the history's own files; a `copy` is a file to put the artifact into first.

    Raises:
        CaseError, RequestError: it cannot be installed.
    """
    place = (folder / history.PINNED).resolve()
    is_todays = pin.agent_sha256 == session.environment.agent_sha256
    agent = connection if is_todays else connection.with_agent(place / pin.agent)
    file = Path(shutil.copyfile(place / pin.file, copy)) if copy else place / pin.file
    deployed = Deployed(
        variant=pin.case.variant,
        path=connection.push(file, pin.artifact.sha256),
        sha256=pin.artifact.sha256,
        packages=_packages(place, pin, connection, session),
    )
    # As many iterations as tonight's processes have.
    return Arm(job=Job(case=pin.case, deployed=deployed, runs=list(evidence.runs)), connection=agent)


def _packages(place: Path, pin: Pin, connection: Connection, session: Session) -> str:
    """Bring the pinned runtime to the target; it has its own where nobody upgraded it."""
    runtime, environment = pin.case.runtime, session.environment
    if pin.packages:
        pushed = connection.push(place / pin.packages, Path(pin.packages).stem)
        folder: str = connection.run({"do": "unpack", "path": pushed}, timeout_s=UNPACK_S)["folder"]
        return folder
    here = environment.runtimes.get(runtime.name)
    if here and here.version == runtime.version and not here.packages:
        return ""
    asked = RuntimeRequest(name=runtime.name, version=public(runtime.version))
    return unpack(connection, asked, platform(environment.facts))


def take(duels: Sequence[PairedRun], session: Session, folder: Path, show: Show, rule: Rule = RULE) -> None:
    """Run every duel's pairs, round by round: a pair's two processes follow each other, in an order that is drawn."""
    draw, journals = Random(session.id), {arm: Journal(_made(folder / arm)) for arm in (ACCEPTED, TONIGHT)}
    rounds = max((duel.pairs for duel in duels), default=0)
    for number in range(1, rounds + 1):
        _give_up(duels, number - 1, rule)
        entries = [duel for duel in duels if duel.pairs >= number]
        draw.shuffle(entries)
        for done, duel in enumerate(entries):
            show(Step(activity="confirm", subject=f"pair {number} of {rounds}", done=done, total=len(entries)))
            for arm in draw.sample((ACCEPTED, TONIGHT), 2):
                if not duel.failure:
                    _observe(duel, arm, session, number, journals[arm], show)


def _give_up(duels: Sequence[PairedRun], taken: int, rule: Rule) -> None:
    """Leave it at so many pairs where it is time to look and nothing shows."""
    for duel in duels:
        is_time = taken and duel.interim_every and taken < duel.pairs and taken % duel.interim_every == 0
        if is_time and not is_open(duel.contest, rule):
            duel.pairs = taken


def _observe(duel: PairedRun, which: str, session: Session, number: int, journal: Journal, show: Show) -> None:
    arm = duel.accepted if which == ACCEPTED else duel.tonight
    seen = observe(arm.job, Purpose.LATENCY, arm.connection, session, number, show)
    journal.append(seen)
    if isinstance(seen, Failure):
        duel.failure = f"the {which} environment failed: {seen.reason}"
    else:
        duel.runs[which].append(seen)


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def twins(
    name: str, pairs: int, folder: Path, pin: Pin, evidence: Evidence, connection: Connection, session: Session
) -> Iterator[PairedRun]:
    """Install two copies of one accepted environment; on a target that keeps files by their hashes both are one.

    Raises:
        CaseError, RequestError: it cannot be installed.
    """
    with TemporaryDirectory(prefix="edgebench-") as scratch:
        copy = Path(scratch) / pin.file
        first = accepted(folder, pin, evidence, connection, session)
        second = accepted(folder, pin, evidence, connection, session, copy)
        yield PairedRun(name=name, accepted=first, tonight=second, pairs=pairs)


def difference(duel: PairedRun, session: Session, raw: Path, show: Show) -> AAPairs:
    """Take the pairs of two copies; return by how much they differ.

    Raises:
        CaseError: a process of theirs failed.
    """
    import numpy

    take([duel], session, raw, show)
    seen = duel.contest
    if seen.why_not:
        raise CaseError(seen.why_not)
    # As two heaps: the signs of so few pairs have no interval of 95 %.
    before, after = LATENCY.logs(seen)
    effect = compare(numpy.array([before]), numpy.array([after]))
    change, low, high = (float(numpy.expm1(one[0])) for one in (effect.change, effect.low, effect.high))
    return AAPairs(name=duel.name, pairs=duel.pairs, change=change, low=low, high=high)


def installed(
    name: str, pairs: int, folder: Path, pin: str, evidence: Evidence, connection: Connection, session: Session
) -> PairedRun | PairedTimes:
    """Install both arms of a configuration, or say what kept them from being."""
    try:
        return PairedRun(
            name=name,
            accepted=accepted(folder, history.pinned(folder, pin), evidence, connection, session),
            tonight=tonight(evidence, connection, session),
            pairs=pairs,
        )
    except (CaseError, RequestError) as error:
        return PairedTimes(why_not=str(error))


def contests(
    wanted: Sequence[PairedRun | PairedTimes], names: Sequence[str], session: Session, raw: Path, show: Show, rule: Rule
) -> Iterator[tuple[str, PairedTimes]]:
    """Take the pairs of all that could be installed; yield what each configuration's showed."""
    take([one for one in wanted if isinstance(one, PairedRun)], session, raw, show, rule)
    for name, one in zip(names, wanted, strict=True):
        yield name, one.contest if isinstance(one, PairedRun) else one

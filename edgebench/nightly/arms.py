"""The accepted environment or tonight's -> an arm, which is one side of a paired comparison, installed on a target."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from edgebench.deploy import Deployed, install, unpack, unpacked
from edgebench.deploy.wheels import platform, public
from edgebench.measure.rounds import Job
from edgebench.nightly import trust
from edgebench.nightly.history import PINNED
from edgebench.schema.runtime import RuntimeRequest

if TYPE_CHECKING:
    from edgebench.deploy.connections import Connection
    from edgebench.nightly.night import Pin
    from edgebench.results.measurement.evidence import Evidence
    from edgebench.schema.record import Run, Session

ACCEPTED, TONIGHT = "accepted", "tonight"


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """One side of a paired comparison: an installed configuration, the connection to its agent, and its runs so far."""

    name: str
    job: Job
    connection: Connection
    runs: list[Run] = field(default_factory=list)


def tonight_arm(evidence: Evidence, connection: Connection, session: Session) -> Arm:
    """Install the artifact and runtime that were measured tonight.

    Raises:
        CaseError, RequestError: the installation failed.
    """
    assert evidence.artifact
    case = evidence.case
    deployed = install(connection, evidence.artifact, case.variant, case.runtime, session.environment)
    job = Job(case=case, deployed=deployed, runs=list(evidence.runs))
    return Arm(name=TONIGHT, job=job, connection=connection)


def accepted_arm(
    folder: Path, pin: Pin, evidence: Evidence, connection: Connection, session: Session, copy: Path | None = None
) -> Arm:
    """Install an accepted environment from the files that its pin lists; `folder` is the history with both.

    If `copy` is given, the artifact is first copied to that file, because the arm is the second of two identical arms.

    Raises:
        CaseError, RequestError: the installation failed, or the history contains code that is not trusted.
    """
    pinned, agent_sha256 = (folder / PINNED).resolve(), Path(pin.agent).stem
    is_todays = agent_sha256 == session.environment.agent_sha256
    if not is_todays:
        trust.require_agent(folder, agent_sha256)
    agent = connection if is_todays else connection.with_agent(pinned / pin.agent)
    file = Path(shutil.copyfile(pinned / pin.file, copy)) if copy else pinned / pin.file
    deployed = Deployed(
        variant=pin.case.variant,
        path=connection.push(file, pin.artifact.sha256),
        sha256=pin.artifact.sha256,
        packages=_packages(folder, pin, connection, session),
    )
    # With the iteration counts of tonight's runs, both environments run the same number of iterations.
    job = Job(case=pin.case, deployed=deployed, runs=list(evidence.runs))
    return Arm(name=TONIGHT if copy else ACCEPTED, job=job, connection=agent)


def _packages(folder: Path, pin: Pin, connection: Connection, session: Session) -> str:
    """Copy the runtime of a pinned environment to the target.

    Return its folder there, or "" if the target has the runtime.
    """
    runtime, environment = pin.case.runtime, session.environment
    if pin.packages:
        sha256 = Path(pin.packages).stem
        trust.require_packages(folder, sha256, runtime, platform(environment.facts))
        return unpacked(connection, (folder / PINNED / pin.packages).resolve(), sha256, runtime.name)
    installed = environment.runtimes.get(runtime.name)
    if installed and installed.version == runtime.version and not installed.packages:
        return ""
    request = RuntimeRequest(name=runtime.name, version=public(runtime.version))
    return unpack(connection, request, platform(environment.facts))

"""A case on a board -> this machine's answers in its place, and what the board itself says to some of the images.

A board takes hours for what this machine answers in minutes, with the same outputs where it was tried (onnxruntime and
LiteRT on aarch64 against x86-64 with VNNI): bit for bit in int8, within 1e-6 in float. That is checked anew for every
artifact, on the board. Where this machine's own integers overflow, it stands in for nobody.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

from edgebench.deploy.bundle import bundle
from edgebench.deploy.connections import HOST
from edgebench.deploy.survey import survey
from edgebench.deploy.wheels import public
from edgebench.foundation.errors import RequestError
from edgebench.foundation.shelf import load
from edgebench.images.splits import split
from edgebench.measure import evaluate
from edgebench.networks.custom import channels
from edgebench.schema.quantization import overflows
from edgebench.schema.record import SpotCheck
from edgebench.schema.runtime import RuntimeRequest

if TYPE_CHECKING:
    from edgebench.deploy import Deployed
    from edgebench.deploy.connections import Connection
    from edgebench.schema.case import Case
    from edgebench.schema.environment import Environment
    from edgebench.schema.runtime import Runtime

SPOT_IMAGES = 32  # a batch: seconds on a board


@dataclass(frozen=True, slots=True, kw_only=True)
class StandIn:
    """This machine, with the runtime that a board has."""

    connection: Connection
    environment: Environment
    runtime: Runtime

    def __str__(self) -> str:
        facts = self.environment.facts
        return " ".join(filter(None, (facts["machine"], facts.get("isa", ""), str(self.runtime))))


def find(case: Case, board: Connection) -> StandIn | None:
    """Return who answers in a board's place; nobody, where it must answer itself."""
    if not board.brings_runtimes:
        return None
    with suppress(RequestError):  # no wheel of that version for this machine
        environment, runtime = _same(case.runtime.name, public(case.runtime.version))
        if not _overflows(case, environment):
            told = replace(runtime, options=case.runtime.options)
            return StandIn(connection=_host()[0], environment=environment, runtime=told)
    return None


@cache
def _host() -> tuple[Connection, str]:
    """Open this machine, once: answers are remembered by connection. Nothing of it needs closing."""
    path, sha256 = bundle()
    return load("connections", HOST.connection).open(HOST, path), sha256


@cache
def _same(name: str, version: str) -> tuple[Environment, Runtime]:
    """Find the runtime at the version: what is installed here, else brought for this."""
    target = replace(HOST, runtimes=(name,))
    connection, agent_sha256 = _host()
    environment = survey(connection, target, agent_sha256)
    if public(environment.runtimes[name].version) == version:
        return environment, environment.runtimes[name]
    asked = RuntimeRequest(name=name, version=version)
    environment = survey(connection, target, agent_sha256, [asked])
    return environment, environment.runtimes[asked.pinned]


def _overflows(case: Case, environment: Environment) -> bool:
    format: str = load("runtimes", case.runtime.name).FORMAT
    return overflows(case.variant.quantization, format, environment.facts)


def spot_check(case: Case, there: Deployed, here: Deployed, board: Connection, stand_in: StandIn) -> SpotCheck:
    """Compare what both answer to images from all over the test split.

    Raises:
        AgentError: one of them could not answer.
    """
    import numpy

    images = split(case.variant, "test", channels(case.variant))
    places = numpy.unique(numpy.linspace(0, len(images) - 1, SPOT_IMAGES).astype(numpy.int64))
    asked = replace(images, kept=images.kept[places], memory=None)
    mine = evaluate.answers(asked, here, stand_in.runtime, case.threads, stand_in.connection)
    theirs = evaluate.answers(asked, there, case.runtime, case.threads, board)
    (ours,), (boards,) = mine.rows(len(places)), theirs.rows(len(places))
    return SpotCheck(
        host=str(stand_in),
        images=len(places),
        agreed=int((ours.argmax(1) == boards.argmax(1)).sum()),
        difference=float(numpy.abs(ours - boards).max() / (numpy.abs(ours).max() or 1.0)),
    )

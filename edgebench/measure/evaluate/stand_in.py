"""Evaluate a board's artifact on this host, and check some of the outputs on the board.

A board needs hours for an evaluation that this host does in minutes. In tests of onnxruntime and LiteRT, aarch64 and
x86-64 with VNNI gave the same outputs: bit for bit in int8, within 1e-6 in float. For every artifact, the board
computes the outputs of some images, and they are compared with this host's outputs. If int8 products overflow on this
host, the board evaluates int8 artifacts itself.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

from edgebench.deploy.bundle import bundle
from edgebench.deploy.connections import HOST
from edgebench.deploy.connections.local import Local
from edgebench.deploy.survey import survey
from edgebench.deploy.wheels import public
from edgebench.foundation.errors import AgentError, RequestError
from edgebench.foundation.shelf import load
from edgebench.measure import evaluate
from edgebench.schema.quantization import overflows
from edgebench.schema.record import SpotCheck
from edgebench.schema.runtime import RuntimeRequest

if TYPE_CHECKING:
    from edgebench.deploy import Deployed
    from edgebench.deploy.connections import Connection
    from edgebench.images.loader import Images
    from edgebench.schema.case import Case
    from edgebench.schema.environment import Environment
    from edgebench.schema.runtime import Runtime

CPU = "cpu"
SPOT_IMAGES = 32  # number of images that the board checks: one batch, which takes a few seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class StandIn:
    """This host as a substitute for a board, with the board's version of the runtime.

    Attributes:
        runtime_files: a hash that changes if the runtime's files on this machine are replaced; empty in place of a
            board, for which another machine of the same kind may answer.
    """

    connection: Connection
    environment: Environment
    runtime: Runtime
    runtime_files: str = ""

    def __str__(self) -> str:
        facts = self.environment.facts
        words = facts["machine"], facts.get("isa", ""), str(self.runtime), self.runtime_files
        return " ".join(filter(None, words))

    @property
    def alone(self) -> StandIn:
        """The same host, which answers for itself alone."""
        name = self.environment.name_of(self.runtime)
        return replace(self, runtime_files=self.environment.runtime_files.get(name, ""))


def find(case: Case, board: Connection) -> StandIn | None:
    """Return the substitute that evaluates in place of the board; None if the board must evaluate the case itself."""
    if not board.brings_runtimes:
        return None
    with suppress(RequestError):  # raised if no wheel for this machine has the board's version of the runtime
        environment, runtime = _same(case.runtime.name, public(case.runtime.version))
        if not _overflows(case, environment):
            runtime = replace(runtime, options=case.runtime.options)
            return StandIn(connection=host()[0], environment=environment, runtime=runtime)
    return None


def itself(case: Case, connection: Connection, environment: Environment) -> StandIn | None:
    """Return a target as a substitute for itself, if it is this machine and computes on its CPU; otherwise None.

    Any process of this machine can then evaluate for the target.
    """
    here, plugin = host()[0], load("runtimes", case.runtime.name)
    is_here = isinstance(here, Local) and isinstance(connection, Local) and connection.python == here.python
    is_cpu = all(plugin.DEVICES.get(option, CPU) == CPU for option in case.runtime.options)
    if not is_here or not is_cpu or environment.compiles_for or case.runtime.packages:
        return None
    return StandIn(connection=here, environment=environment, runtime=case.runtime).alone


def named(name: str, runtime: Runtime) -> StandIn | None:
    """Return this host with a runtime, if its machine and the runtime have this name; otherwise None."""
    with suppress(RequestError):
        environment, own = _same(runtime.name, public(runtime.version))
        here = StandIn(connection=host()[0], environment=environment, runtime=replace(own, options=runtime.options))
        return next((each for each in (here, here.alone) if str(each) == name), None)
    return None


@cache
def host() -> tuple[Connection, str]:
    """Connect to this host only once, because outputs are cached per connection; the connection need not be closed."""
    path, sha256 = bundle()
    return load("connections", HOST.connection).open(HOST, path), sha256


@cache
def _same(name: str, version: str) -> tuple[Environment, Runtime]:
    """Return this version of the runtime for this host; download it if this host has another version."""
    target = replace(HOST, runtimes=(name,))
    connection, agent_sha256 = host()
    environment = survey(connection, target, agent_sha256)
    if public(environment.runtimes[name].version) == version:
        return environment, environment.runtimes[name]
    request = RuntimeRequest(name=name, version=version)
    environment = survey(connection, target, agent_sha256, [request])
    return environment, environment.runtimes[request.pinned]


def _overflows(case: Case, environment: Environment) -> bool:
    format: str = load("runtimes", case.runtime.name).FORMAT
    return overflows(case.variant.quantization, format, environment.facts)


def spot_check(
    case: Case, images: Images, there: Deployed, here: Deployed, board: Connection, stand_in: StandIn
) -> SpotCheck:
    """Compare the outputs of the board and of the host for some images, spread evenly over `images`, the test split.

    Raises:
        AgentError: the board or the host could not run the artifact.
    """
    import numpy

    places = numpy.unique(numpy.linspace(0, len(images) - 1, SPOT_IMAGES).astype(numpy.int64))
    sample = replace(images, kept=images.kept[places], memory=None)
    on_host = evaluate.answers(sample, here, stand_in.runtime, case.threads, stand_in.connection, is_reduced=False)
    on_board = evaluate.answers(sample, there, case.runtime, case.threads, board, is_reduced=False)
    (hosts,), (boards,) = on_host.rows(len(places)), on_board.rows(len(places))
    finite = numpy.isfinite(hosts)
    if (finite != numpy.isfinite(boards)).any():
        raise AgentError(
            "some outputs for the same images are finite either on the host or on the board, but not on both"
        )
    gaps = numpy.abs(hosts - boards, where=finite, out=numpy.zeros_like(hosts))
    largest = numpy.abs(hosts, where=finite, out=numpy.zeros_like(hosts)).max()
    return SpotCheck(
        host=str(stand_in),
        images=len(places),
        agreed=int((hosts.argmax(1) == boards.argmax(1)).sum()),
        difference=float(gaps.max() / (largest or 1.0)),
    )

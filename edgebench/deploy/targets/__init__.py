"""A target's name -> what is there, and the runtimes brought to it before a run does."""

from collections.abc import Mapping
from time import monotonic
from typing import Any

from edgebench.deploy import hold, unpack
from edgebench.deploy.connections import Connection
from edgebench.deploy.survey import ask, bring, offered
from edgebench.deploy.targets import catalogue, checkup
from edgebench.deploy.targets.checkup import Checkup, Seen
from edgebench.deploy.wheels import platform
from edgebench.foundation.errors import RequestError, require
from edgebench.foundation.progress import Show, Step
from edgebench.foundation.sheet import IDENTITY, Column, Sheet
from edgebench.foundation.shelf import load
from edgebench.schema.runtime import PIN, Runtime, RuntimeRequest
from edgebench.schema.target import Target


def listed() -> Sheet:
    """Lay out every target that a name can stand for."""
    note = "One TOML file each, in ./targets, in your configuration directory, or shipped; the first found holds."
    return Sheet.of("targets", _TARGETS, map(catalogue.target, catalogue.targets()), (note,))


def _address(target: Target) -> str | None:
    wanted: str = load("connections", target.connection).ADDRESS
    return target.address or (f"--address {wanted}" if wanted else None)


_TARGETS: tuple[Column[Target], ...] = (
    Column.text("target", lambda target: target.name, IDENTITY),
    Column.text("board", lambda target: target.board, rank=3),
    Column.text("connection", lambda target: target.connection),
    Column.text("address", _address),
    Column.text("runtimes", lambda target: ", ".join(target.runtimes), runtimes=lambda target: target.runtimes),
)


def check(name: str, address: str = "") -> Checkup:
    """Ask a target what it is and how it is now.

    Raises:
        UnknownName, InvalidFile, Unreachable, Busy, RequestError
        AgentError: it does not answer.
    """
    with hold(*catalogue.targets_of((name,), address)) as (held,):
        target, connection = held.target, held.connection
        seen = ask(connection, target.runtimes)
        started = monotonic()
        ask(connection, ("null",))
        answered_s = monotonic() - started
    brought = {one: offered(one) for one, is_there in _state(seen).items() if not is_there}
    return checkup.checkup(
        target,
        Seen(
            machine=seen["machine"],
            conditions=seen["conditions"],
            runtimes=seen["runtimes"],
            disk_free_bytes=seen["disk_free_bytes"],
            answered_s=answered_s,
            offered=brought if connection.brings_runtimes else {},
        ),
    )


def _state(seen: Mapping[str, Any]) -> dict[str, bool]:
    return {name: bool(one["version"]) for name, one in seen["runtimes"].items()}


def prepare(name: str, address: str, runtimes: str, show: Show) -> Sheet:
    """Bring runtimes to a target, each in packages of its own; what is there already stays.

    Without a list: those of the target's file that it has not and that are installed here.

    Raises:
        UnknownName, InvalidFile, Unreachable, Busy
        RequestError: the target is this machine's own Python, or there is no such version or wheel.
        AgentError: it does not answer.
    """
    with hold(*catalogue.targets_of((name,), address)) as (held,):
        target, connection = held.target, held.connection
        if not connection.brings_runtimes:
            raise RequestError(f"target {name} uses what is installed on this machine; install a runtime with pip")
        seen = ask(connection, target.runtimes)
        asked = _asked(runtimes, target) or _lacking(seen)
        brought = [_bring(one, connection, target, seen["machine"], show) for one in asked]
    none = () if brought else ("It has every runtime of its file that is installed here.",)
    return Sheet.of(checkup.title(target), _BROUGHT, brought, none)


def _asked(runtimes: str, target: Target) -> tuple[RuntimeRequest, ...]:
    found = tuple(RuntimeRequest.parse(text) for text in runtimes.split(",") if text.strip())
    for one in found:
        require(f"runtime of target {target.name}", one.name, target.runtimes, may_be_empty=False)
    return tuple(RuntimeRequest(name=one.name, version=one.version or _required(one.name)) for one in found)


def _required(runtime: str) -> str:
    if version := offered(runtime):
        return version
    raise RequestError(f"runtime {runtime} is not installed here either; say which version: {runtime}==...")


def _lacking(seen: Mapping[str, Any]) -> tuple[RuntimeRequest, ...]:
    absent = [name for name, is_there in _state(seen).items() if not is_there]
    return tuple(RuntimeRequest(name=name, version=version) for name in absent if (version := offered(name)))


def _bring(
    asked: RuntimeRequest, connection: Connection, target: Target, facts: Mapping[str, str], show: Show
) -> tuple[Runtime, str]:
    """Bring one, let the target's own Python say that it is there, and return it with its folder on the target."""
    show(Step(activity="bring", subject=asked.pinned))
    return bring(asked, connection, target, facts), unpack(connection, asked, platform(facts))


_BROUGHT: tuple[Column[tuple[Runtime, str]], ...] = (
    Column.text("runtime", lambda brought: brought[0].name, IDENTITY),
    Column.text("version", lambda brought: brought[0].version, IDENTITY),
    Column.text(
        "packages",
        lambda brought: ", ".join(brought[0].packages).replace(PIN, " "),
        packages=lambda brought: brought[0].packages,
    ),
    Column.text("folder there", lambda brought: brought[1], folder=lambda brought: brought[1]),
)

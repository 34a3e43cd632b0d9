"""The commands on targets: report the state of a target, or copy runtimes to it in advance."""

from collections.abc import Mapping
from time import monotonic

from edgebench.deploy import hold, unpack
from edgebench.deploy.answers import Facts
from edgebench.deploy.connections import Connection
from edgebench.deploy.locking import holder
from edgebench.deploy.survey import ask, bring, offered
from edgebench.deploy.targets import catalogue, checkup
from edgebench.deploy.targets.checkup import Checkup, Status
from edgebench.deploy.wheels import platform
from edgebench.foundation.errors import InvalidFile, RequestError, for_users, require
from edgebench.foundation.progress import Show, Step
from edgebench.foundation.sheet import IDENTITY, Column, Sheet
from edgebench.foundation.shelf import load
from edgebench.schema.runtime import PIN, Runtime, RuntimeRequest
from edgebench.schema.target import Target

NOTE = (
    "Each target has a TOML file in ./targets, in your configuration directory, or shipped with edgebench;"
    " the first of these applies."
)


def listed() -> Sheet:
    """Return a table of all known targets; the table's notes name each file that cannot be read."""
    known, faults = list[Target](), list[str]()
    for name in for_users(catalogue.targets()):
        try:
            known.append(catalogue.target(name))
        except InvalidFile as fault:
            faults.append(f"{fault}; until it is mended, {name} cannot be used.")
    return Sheet.of("targets", _TARGETS, known, (NOTE, *faults))


def _address(target: Target) -> str | None:
    wanted: str = load("connections", target.connection).ADDRESS
    return ", ".join(target.addresses) or target.address or (f"--address {wanted}" if wanted else None)


def _holders(target: Target) -> str | None:
    """Say who on this host holds the lock of a target, or of each of its boards."""
    if not target.addresses and not target.address and load("connections", target.connection).ADDRESS:
        return None  # without an address, the machine is not known
    boards = catalogue.boards(target)
    found = [(board, who) for board in boards if (who := holder(board.machine))]
    return "; ".join(f"{board.address}: {who}" if board.number else who for board, who in found) or None


_TARGETS: tuple[Column[Target], ...] = (
    Column.text("target", lambda target: target.name, IDENTITY),
    Column.text("board", lambda target: target.board, rank=3),
    Column.text("connection", lambda target: target.connection),
    Column.text("address", _address),
    Column.text(
        "runtimes", lambda target: ", ".join(for_users(target.runtimes)), runtimes=lambda target: target.runtimes
    ),
    Column.text("held by", _holders),
)


def check(name: str, address: str = "") -> tuple[Checkup, ...]:
    """Query the environment and the current conditions of a target, or of each of its boards.

    Raises:
        UnknownName, InvalidFile, Unreachable, Busy, RequestError
        AgentError: the target does not answer.
    """
    return tuple(map(_checked, catalogue.targets_of((name,), address)))


def _checked(board: Target) -> Checkup:
    with hold(board) as (held,):
        target, connection = held.target, held.connection
        report = ask(connection, target.runtimes)
        started = monotonic()
        ask(connection, ("null",))
        answered_s = monotonic() - started
    missing = {name: offered(name) for name, is_installed in _installed(report).items() if not is_installed}
    return checkup.checkup(
        target,
        Status(
            machine=report.machine,
            conditions=report.conditions,
            runtimes={name: {"version": runtime.version} for name, runtime in report.runtimes.items()},
            disk_free_bytes=report.disk_free_bytes,
            answered_s=answered_s,
            offered=missing if connection.brings_runtimes else {},
        ),
    )


def _installed(report: Facts) -> dict[str, bool]:
    return {name: bool(runtime.version) for name, runtime in report.runtimes.items()}


def prepare(name: str, address: str, runtimes: str, show: Show) -> list[Sheet]:
    """Copy runtimes to a target or to each of its boards, each into its own folder of packages; existing folders stay.

    `runtimes` is a comma-separated list. If `runtimes` is empty, copy all runtimes of the target's file that are
    installed on this machine but missing on the target.

    Raises:
        UnknownName, InvalidFile, Unreachable, Busy
        RequestError: the target uses the packages of this machine, or there is no such version or wheel.
        AgentError: the target does not answer.
    """
    return [_prepared(board, runtimes, show) for board in catalogue.targets_of((name,), address)]


def _prepared(board: Target, runtimes: str, show: Show) -> Sheet:
    with hold(board) as (held,):
        target, connection = held.target, held.connection
        if not connection.brings_runtimes:
            raise RequestError(
                f"target {target.name} uses what is installed on this machine; install a runtime with pip"
            )
        report = ask(connection, target.runtimes)
        requests = _requested(runtimes, target) or _missing(report)
        brought = [_bring(request, connection, target, report.machine, show) for request in requests]
    none = () if brought else ("The target has every runtime of its file that is installed here.",)
    return Sheet.of(checkup.title(target), _BROUGHT, brought, none)


def _requested(runtimes: str, target: Target) -> tuple[RuntimeRequest, ...]:
    requests = tuple(RuntimeRequest.parse(text) for text in runtimes.split(",") if text.strip())
    for request in requests:
        require(f"runtime of target {target.name}", request.name, target.runtimes)
    return tuple(RuntimeRequest(name=item.name, version=item.version or _required(item.name)) for item in requests)


def _required(runtime: str) -> str:
    if version := offered(runtime):
        return version
    raise RequestError(f"runtime {runtime} is not installed here either; name a version: {runtime}==...")


def _missing(report: Facts) -> tuple[RuntimeRequest, ...]:
    absent = [name for name, is_installed in _installed(report).items() if not is_installed]
    return tuple(RuntimeRequest(name=name, version=version) for name in absent if (version := offered(name)))


def _bring(
    request: RuntimeRequest, connection: Connection, target: Target, facts: Mapping[str, str], show: Show
) -> tuple[Runtime, str]:
    """Copy a runtime to the target; return the runtime, with the version that the target reports, and its folder."""
    show(Step(activity="bring", subject=request.pinned))
    return bring(request, connection, target, facts)[0], unpack(connection, request, platform(facts))


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

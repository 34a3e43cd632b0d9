"""A board, reached by the user's OpenSSH: every request starts a fresh agent process over one master connection.

The user's ssh configuration, ssh-agent, keys and jump hosts apply. Host keys are checked strictly. ssh never prompts:
a login that needs a password or a confirmation is refused. On the board, edgebench only writes files below
`~/.cache/edgebench`.
"""

import json
import re
import shlex
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import suppress
from copy import copy
from dataclasses import dataclass
from getpass import getuser
from pathlib import Path
from platform import node
from tempfile import TemporaryDirectory
from threading import Timer
from time import monotonic
from typing import IO, Any, ClassVar
from uuid import uuid4

from edgebench.agent import hold, receive
from edgebench.agent.__main__ import MARK
from edgebench.deploy.bundle import ends_with_host
from edgebench.deploy.connections import Connection
from edgebench.deploy.exchange import (
    OUT_OF_MEMORY,
    agent_environment,
    agent_input,
    agent_options,
    decoded,
    exchange,
    last_line,
    printable,
    read_answer,
)
from edgebench.deploy.locking import PROCESS
from edgebench.foundation import ending, files
from edgebench.foundation.errors import AgentError, Busy, RequestError, Unreachable
from edgebench.foundation.progress import Step, say
from edgebench.foundation.units import duration
from edgebench.schema import STRICT
from edgebench.schema.environment import differences, lasting
from edgebench.schema.target import Target

ADDRESS = "user@host"
OPTIONS = {
    "BatchMode": "yes",
    "StrictHostKeyChecking": "yes",
    "ConnectTimeout": "10",
    "ServerAliveInterval": "5",  # a frozen connection is closed after 15 s
    "ServerAliveCountMax": "2",
    "ControlMaster": "no",
    # How many seconds the master connection outlives its last session, which is the process that holds the lock.
    # This process ends if edgebench is killed.
    "ControlPersist": "5",
    "ForwardAgent": "no",
    "RequestTTY": "no",
    "LogLevel": "ERROR",
}
LOST = 255  # ssh's exit code when the connection, not the command, failed
BACK_S, PAUSE_S = 180.0, 3.0  # seconds to try to reach a lost board again, and seconds between two tries
PUSH_S, SHORT_S = 600.0, 30.0
LOGIN_S = 60.0  # seconds to wait for the login after a board accepted the connection, and for the first answer
CHUNK = 2**20
SHORT_HASH = 16  # number of hash digits with which a file's name on the board begins
MOST_NOISE = 2**24  # limit on the bytes that a login prints before the agent's answer
NO_COMMAND = 127
# The first of these patterns that ssh's messages contain decides. If a key is unknown,
# the messages contain both of the first two patterns. {where} stands for ssh's arguments.
ADVICE = {
    "no .* host key is known": "its key is not known here yet: connect once with `ssh {where}`, and compare the"
    " fingerprint",
    "host key verification failed": "if the target was reinstalled, remove its old key with `ssh-keygen -R`;"
    " otherwise find out why its key changed",
    "permission denied": "put your key on it with `ssh-copy-id {where}`",
    "could not resolve": "check the name",
    "connection refused": "is sshd running there?",
    "timed out": "is it switched on, and in this network?",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """The answer of `agent.hold`: who holds the board's lock and for how long; `owner` is empty on success.

    Attributes:
        is_shared: whether the lock was held by this process already, because the board is this machine.
    """

    __pydantic_config__: ClassVar = STRICT

    owner: str
    age_s: float
    is_shared: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """The answer of `agent.receive`: a file's path on the board; empty if the board lacks the file."""

    __pydantic_config__: ClassVar = STRICT

    path: str


class Ssh:
    """A connection to a board; the board is locked while the connection is open.

    Attributes:
        is_this_machine: whether the address leads to this machine, whose lock this process held already.
    """

    shares_files, brings_runtimes = False, True

    _asked: tuple[Mapping[str, Any], dict[str, str]] | None  # the first request for facts, and the machine's facts

    def __init__(self, target: Target, bundle: Path) -> None:
        self._target, self._python, self.has_own_agent = target, target.python or "python3", True
        self._scratch = TemporaryDirectory(prefix="edgebench-")
        self._pushed, self._token = dict[str, str](), f"{PROCESS}-{uuid4().hex}"
        self._holder: subprocess.Popen[bytes] | None = None
        self.is_this_machine, self._asked = False, None
        try:
            self._connect()
            self._use(bundle)
        except BaseException:
            self.close()
            raise

    def _use(self, bundle: Path) -> None:
        """Copy an agent to the board and use it from now on."""
        self._agent, self._asked = (bundle, files.sha256(bundle)), None
        self._bundle, self._held = self.push(*self._agent), ends_with_host(bundle)

    def _ssh(self, *words: str) -> list[str]:
        options = [word for name, value in OPTIONS.items() for word in ("-o", f"{name}={value}")]
        control = ["-o", f"ControlPath={self._scratch.name}/%C"]
        return ["ssh", *options, *control, *words]

    def _connect(self) -> None:
        """Open the master connection and take the board's lock.

        Raises:
            Unreachable: ssh cannot connect; the message has the reason.
            Busy: another process measures on the board.
        """
        output = Path(self._scratch.name) / "output"
        with output.open("wb") as stream:  # a pipe would be kept open by the master connection
            command = self._ssh("-fNM", *_where(self._target.address))
            returncode = _within(LOGIN_S, command, stream)
        if returncode is None:
            raise Unreachable(f"{_silent(self._target)} to the login within {LOGIN_S:.0f} s; is it overloaded?")
        if returncode:
            raise Unreachable(_refusal(self._target, output.read_bytes()))
        self._lock()

    def _lock(self) -> None:
        """Start the process that holds the board's lock while it runs."""
        command, content = self._script(hold, {"owner": f"{getuser()}@{node()}", "token": self._token})
        holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert holder.stdin
        holder.stdin.write(b"".join(content))
        holder.stdin.flush()
        self._holder = holder
        holding = decoded(Holding, read_answer(self._first_answer(holder), b"", 0))
        if holding.owner:
            owner, since = printable(holding.owner)[:80], duration(holding.age_s)
            raise Busy(f"target {self._target.name} is in use by {owner} for {since}: wait until that run ends")
        self.is_this_machine = holding.is_shared

    def _first_answer(self, holder: subprocess.Popen[bytes]) -> bytes:
        """Return the line with the answer of `agent.hold`; skip everything that the login prints before that line."""
        assert holder.stdout
        line, noise, silence = b"", 0, Timer(LOGIN_S, holder.kill)  # kills the process if the line never comes
        silence.start()
        try:
            with ending.on_stop(holder.kill):
                while not line.startswith(MARK.encode()) and noise < MOST_NOISE:
                    line = holder.stdout.readline(CHUNK)
                    noise += len(line)
                    if not line and silence.is_alive():
                        raise self._explained(_ended(holder))
                    if not line:
                        raise Unreachable(f"{_silent(self._target)} within {LOGIN_S:.0f} s; log in by hand to see why")
        finally:
            silence.cancel()
        return line

    def push(self, path: Path, sha256: str) -> str:
        """Copy a file to the board's `~/.cache/edgebench` unless a complete copy is there; return its path there."""
        if sha256 not in self._pushed:
            self._pushed[sha256] = self._again(lambda: self._copied(path, sha256))
        return self._pushed[sha256]

    def _copied(self, path: Path, sha256: str) -> str:
        keep = [Path(there).name[:SHORT_HASH] for there in self._pushed.values()]
        header = {"name": path.name, "sha256": sha256, "size": path.stat().st_size, "sent": False, "keep": keep}
        return self._receive(header, path) or self._receive(header | {"sent": True}, path)

    def _receive(self, header: Mapping[str, Any], path: Path) -> str:
        answer = exchange(*self._script(receive, header, path), timeout_s=PUSH_S)
        return decoded(Received, answer).path

    def run(self, request: Mapping[str, Any], *, timeout_s: float) -> Any:
        """Run an agent process on the board and return its answer; repeat once if the connection was lost."""
        environment = [f"{name}={value}" for name, value in agent_environment(request).items()]
        words = ["env", *environment, self._python, *agent_options(request), self._bundle]
        content = [agent_input(request, held=self._held)]
        if request.get("discard"):
            self._pushed = {sha256: path for sha256, path in self._pushed.items() if path != request["inputs"]}
        answer = self._again(lambda: exchange(self._remote(words), content, timeout_s=timeout_s, held=self._held))
        if request["do"] == "facts" and not self._asked:
            self._asked = request, _machine(answer)
        return answer

    def _again(self, call: Any) -> Any:
        """Call the function; if the connection is lost, wait for the board and call it once more."""
        try:
            return call()
        except AgentError as error:
            if error.returncode != LOST:
                raise self._explained(error) from error
            if self._is_linked():
                raise AgentError(f"the agent was killed on the board; {OUT_OF_MEMORY}") from error
            self._reconnect(error)
        return call()

    def _is_linked(self) -> bool:
        """Return whether the connection still works.

        If the connection still works, the exit code `LOST` means that the remote process was killed.
        """
        return _within(SHORT_S, self._ssh("-O", "check", *_where(self._target.address))) == 0

    def _reconnect(self, lost: AgentError) -> None:
        """Connect again as soon as the board is back.

        Raises:
            Unreachable: the board is not back within `BACK_S` seconds.
        """
        self._disconnect()
        started = monotonic()
        while True:
            say(Step(activity="wait", subject="the board, which was lost", left_s=BACK_S - (monotonic() - started)))
            try:
                self._connect()
                self._require_same()
                return
            except Returned as error:
                raise self._lost(lost, f"came back as another machine ({error})") from error
            except (Unreachable, AgentError) as error:
                if monotonic() - started > BACK_S:
                    raise self._lost(lost, f"is not back after {BACK_S:.0f} s") from error
                self._disconnect()
                ending.pause(PAUSE_S)

    def _lost(self, lost: AgentError, outcome: str) -> Unreachable:
        why = f"was lost ({lost.last_line or 'the link broke'}) and {outcome}"
        return Unreachable(f"target {self._target.name} {why}; run the same command to go on")

    def _require_same(self) -> None:
        """Refuse a board that came back with other facts, such as another serial number or kernel.

        Raises:
            Returned: the facts differ from the first ones; the message states the first difference.
            AgentError: the board does not answer.
        """
        if not self._asked:
            return
        request, before = self._asked
        command = self._remote([self._python, *agent_options(request), self._copied(*self._agent)])
        answer = exchange(command, [agent_input(request, held=self._held)], timeout_s=LOGIN_S, held=self._held)
        for change in differences(lasting(before), lasting(_machine(answer))):
            raise Returned(
                f"{change.what} {printable(change.after) or 'none'}, was {printable(change.before) or 'none'}"
            )

    def _explained(self, error: AgentError) -> Exception:
        if error.returncode == NO_COMMAND:
            return RequestError(
                f"no {self._python} on target {self._target.name}; install Python 3.11 or newer there, or name it as"
                " `python` in the target's file"
            )
        return error

    def _script(self, module: Any, header: Mapping[str, Any], path: Path | None = None) -> tuple[list[str], Any]:
        """Return a command for the board, and the command's input: a module's source code, then the module's own input.

        The source code is sent because the agent is not yet on the board.
        """
        source = Path(module.__file__).read_bytes()
        loader = f"import sys; exec(compile(sys.stdin.buffer.read({len(source)}), {module.__name__!r}, 'exec'))"
        content = _content(source + json.dumps(header).encode() + b"\n", path if header.get("sent") else None)
        return self._remote([self._python, "-I", "-c", loader]), content

    def _remote(self, words: list[str]) -> list[str]:
        return self._ssh(*_where(self._target.address), shlex.join(words))

    def _disconnect(self) -> None:
        if self._holder:
            self._holder.kill()
            with self._holder:
                self._holder = None
        _within(SHORT_S, self._ssh("-O", "exit", *_where(self._target.address)))

    def with_agent(self, bundle: Path) -> Connection:
        """Copy another bundle to the board; return a connection that shares the master connection and the lock."""
        other = copy(self)
        other.has_own_agent = False
        other._use(bundle)
        return other

    def close(self) -> None:
        """Release the lock and close the master connection."""
        self._disconnect()
        self._scratch.cleanup()


class Returned(Exception):
    """A board came back as another machine, or with another system."""


def _machine(answer: Any) -> dict[str, str]:
    """Return the facts of a machine in the agent's answer; an empty dictionary if the answer is malformed."""
    facts = answer.get("machine") if isinstance(answer, dict) else None
    return {str(name): str(fact) for name, fact in facts.items()} if isinstance(facts, dict) else {}


def _where(address: str) -> tuple[str, ...]:
    """Return ssh's arguments for `user@host:port`; `--` keeps ssh from reading an address as an option."""
    host, colon, port = address.rpartition(":")
    return ("-p", port, "--", host) if colon and port.isdigit() and "]" not in port else ("--", address)


def _within(limit_s: float, command: list[str], output: IO[bytes] | int = subprocess.DEVNULL) -> int | None:
    """Run a command; return its exit code, or None if it ran out of time and was killed."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    with process, ending.on_stop(process.kill):
        try:
            return process.wait(limit_s)
        except subprocess.TimeoutExpired:
            process.kill()
            return None
        except BaseException:
            process.kill()
            raise


def _silent(target: Target) -> str:
    return f"target {target.name} at {target.address} did not answer"


def _content(head: bytes, path: Path | None) -> Iterator[bytes]:
    yield head
    if path:
        with path.open("rb") as stream:
            while chunk := stream.read(CHUNK):
                yield chunk


def _ended(process: subprocess.Popen[bytes]) -> AgentError:
    """Return the error of a process that ended without an answer."""
    stderr = b""
    with suppress(subprocess.TimeoutExpired):  # the master connection can still hold the pipe of a killed client
        _, stderr = process.communicate(timeout=SHORT_S)
    process.kill()
    process.wait()
    try:
        read_answer(b"", stderr, process.returncode)
    except AgentError as error:
        return error
    raise AssertionError("empty output was read as an answer")


def _refusal(target: Target, output: bytes) -> str:
    """Return an error message with ssh's reason and with advice."""
    reason = last_line(output).rstrip(".") or "ssh gave no reason"
    text = output.decode(errors="replace").lower()
    where = shlex.join(word for word in _where(target.address) if word != "--")
    advice = next((advice.format(where=where) for pattern, advice in ADVICE.items() if re.search(pattern, text)), "")
    return f"cannot reach target {target.name} at {target.address}: {reason}{'; ' + advice if advice else ''}"


def open(target: Target, bundle: Path) -> Connection:
    """Connect to the target's address: a host name from ssh's configuration, or `user@host[:port]`.

    Raises:
        RequestError: the target has no address, or the target's Python is missing.
        Unreachable, Busy
    """
    if not target.address:
        raise RequestError(
            f"target {target.name} has no address; use --address {ADDRESS},"
            f" or set EDGEBENCH_{target.name.upper()}_ADDRESS"
        )
    return Ssh(target, bundle)

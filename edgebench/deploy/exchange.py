"""Start a command that runs the agent, send it a request, and return its answer, within limits of time and memory.

The output comes from another machine and is not trusted: only the line that begins with the agent's mark is read, and
control characters in messages are replaced.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cache
from threading import Thread
from typing import IO, TYPE_CHECKING, Any, TypeVar

from edgebench.agent.__main__ import MARK
from edgebench.agent.lifeline import HELD
from edgebench.foundation import ending
from edgebench.foundation.errors import AgentError
from edgebench.foundation.shelf import load
from edgebench.schema.case import Purpose

if TYPE_CHECKING:
    from pydantic import TypeAdapter

V = TypeVar("V")

# With these settings the allocator returns freed pages at once; processes that measure memory get them.
# The results of repeated runs then differ by at most 0.1 MiB instead of 20 MiB.
ALLOCATOR = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "0"}
# A process's output has at most this many bytes.
# An answer of an evaluation has at most 43 MiB of outputs in base64.
# A sustained run has 1 MiB per hour, and all other answers are below 1 MiB.
MOST_BYTES = 2**27
SETTLE_S = 10.0  # seconds to wait for the rest of the output after the process ended
LAST_BYTES = 2**16  # number of bytes kept from the end of standard error
# A message quotes at most this many characters from a line of output, and this many from a reason for a failure.
LAST_CHARACTERS, REASON_CHARACTERS = 200, 600
CHUNK = 2**16
OUT_OF_MEMORY = "the kernel does that when memory runs out"


def agent_options(request: Mapping[str, Any]) -> tuple[str, ...]:
    """Return Python's command line options for a request.

    A process of a reference workload can import no installed packages. A process of a runtime that was copied to the
    target can import only that runtime's packages, unless the runtime's own environment lies beside installed packages.
    """
    is_alone = request.get("reference") or (request.get("packages") and not _is_beside(request))
    return ("-I", "-S") if is_alone else ("-I",)


def _is_beside(request: Mapping[str, Any]) -> bool:
    """Return whether a request is for a runtime that needs installed packages beside its own environment."""
    runtimes = filter(None, (request.get("runtime"), *request.get("runtimes", ())))
    return any(hasattr(load("runtimes", name), "ENVIRONMENT") for name in runtimes)


def agent_input(request: Mapping[str, Any], *, held: bool) -> bytes:
    """Return the agent's input: the request in one line; `held` tells the agent that the host keeps the input open."""
    return json.dumps({**request, HELD: True} if held else request).encode() + b"\n"


def agent_environment(request: Mapping[str, Any]) -> dict[str, str]:
    """Return the allocator's settings for a request that measures memory.

    For other requests, return no settings, because the settings slow inference.
    """
    return ALLOCATOR if request.get("purpose") == Purpose.MEMORY else {}


def exchange(
    command: Sequence[str],
    content: Iterable[bytes],
    *,
    timeout_s: float,
    environment: Mapping[str, str] | None = None,
    held: bool = False,
) -> Any:
    """Start the command, send it the content, wait until it ends, kill its remaining children, and return its answer.

    With `held`, the command's input stays open until the command answers. If this process ends earlier, the input is
    closed, and the command ends, too.

    Raises:
        AgentError: the command cannot be started, ran out of time, died or gave an unreadable answer; `returncode` is
            its exit code.
    """
    ending.require_going()
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=os.environ | (environment or {}),
            process_group=0,
        )
    except OSError as error:
        raise AgentError(f"cannot start {command[0]}: {error.strerror}") from error
    with process, ending.on_stop(lambda: _end(process)):
        stdout, stderr = _converse(process, content, timeout_s, held=held)
    ending.require_going()  # if the process was stopped, there is no answer to read
    return read_answer(stdout, stderr, process.returncode)


def _converse(
    process: subprocess.Popen[bytes], content: Iterable[bytes], timeout_s: float, *, held: bool
) -> tuple[bytes, bytes]:
    """Write to the process and read from it in parallel, so that neither side blocks; return its stdout and stderr."""
    assert process.stdin
    assert process.stdout
    assert process.stderr
    stdout, stderr = bytearray(), bytearray()
    threads = [
        Thread(target=_feed, args=(process.stdin, content), kwargs={"held": held}, daemon=True),
        Thread(target=_collect, args=(process, process.stdout, stdout), daemon=True),
        Thread(target=_keep_last, args=(process.stderr, stderr), daemon=True),
    ]
    try:
        for thread in threads:
            thread.start()
        process.wait(timeout_s)
    except subprocess.TimeoutExpired as error:
        raise AgentError(f"the agent gave no answer within {timeout_s:.0f} s and was killed") from error
    finally:
        _end(process)
        for thread in threads:
            if thread.ident:
                thread.join(SETTLE_S)  # the wait has a limit, because a grandchild can still hold a pipe
        with suppress(OSError):
            process.stdin.close()
    if len(stdout) > MOST_BYTES:
        raise AgentError(f"the agent sent more than {MOST_BYTES >> 20} MiB and was killed")
    return bytes(stdout), bytes(stderr)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill the process and its children, which are in its process group."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def _feed(stream: IO[bytes], content: Iterable[bytes], *, held: bool) -> None:
    with suppress(OSError):  # if the process died, its exit code says more than the error of the broken pipe
        for part in content:
            stream.write(part)
        stream.flush()
        if not held:
            stream.close()


def _collect(process: subprocess.Popen[bytes], stream: IO[bytes], output: bytearray) -> None:
    for chunk in _chunks(stream):
        output += chunk
        if len(output) > MOST_BYTES:
            _end(process)
            return


def _keep_last(stream: IO[bytes], output: bytearray) -> None:
    for chunk in _chunks(stream):
        output += chunk
        del output[:-LAST_BYTES]


def _chunks(stream: IO[bytes]) -> Iterator[bytes]:
    with suppress(OSError, ValueError):  # an interrupt can close the stream during the read
        while chunk := os.read(stream.fileno(), CHUNK):
            yield chunk


def read_answer(stdout: bytes, stderr: bytes, returncode: int) -> Any:
    """Find the agent's answer in its output.

    Raises:
        AgentError: the process ended without an answer, the answer is unreadable, or the agent reports an error.
    """
    marked = [line for line in stdout.splitlines() if line.startswith(MARK.encode())]
    if not marked:
        last = last_line(stderr)
        output = f"; its last output: {last}" if last else ""
        raise AgentError(
            f"the agent {_ending(returncode)} without an answer{output}", returncode=returncode, last_line=last
        )
    try:
        reply = json.loads(marked[-1][len(MARK) :].decode(), object_pairs_hook=_distinct)
    except (ValueError, RecursionError) as error:
        raise AgentError(f"the agent's answer is not JSON: {printable(str(error))[:LAST_CHARACTERS]}") from error
    match reply:
        case {"ok": True, "value": value}:
            return value
        case {"ok": False, "error": str(reason)}:
            raise AgentError(printable(reason)[:REASON_CHARACTERS])
    raise AgentError("the agent's answer is malformed: wanted `ok` with a `value` or an `error`")


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return a JSON object; refuse it if a key occurs twice, because JSON readers differ in which value they take.

    Raises:
        ValueError: a key occurs twice.
    """
    value = dict(pairs)
    if len(value) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"key {max(keys, key=keys.count)[:40]!r} occurs twice in one object")
    return value


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    from pydantic import TypeAdapter

    return TypeAdapter(kind)


def decoded(kind: type[V], value: Any) -> V:
    """Decode a part of an answer, strictly.

    Raises:
        AgentError: the value has missing or unknown keys, wrong types, or a number that is not finite.
    """
    from pydantic import ValidationError

    wanted: Any = kind
    try:
        # Decode via JSON: in strict mode, pydantic reads lists as tuples and strings as enums only from JSON.
        decoded: V = _adapter(wanted).validate_json(json.dumps(value))
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        key = ".".join(str(part) for part in first["loc"]) or "all of it"
        found = "" if "missing" in first["type"] else f", found {str(first['input'])[:40]!r}"
        raise AgentError(f"the agent's answer is malformed: {printable(key)[:80]}: {first['msg']}{found}") from error
    return decoded


def printable(text: str) -> str:
    """Replace the control characters in a text from another machine, because a terminal would execute them."""
    return "".join(character if character.isprintable() else "?" for character in text)


def last_line(output: bytes) -> str:
    """Return the last line of a process's output, printable and shortened; an empty text if there is no output."""
    lines = output.decode(errors="replace").strip().splitlines()
    return printable(lines[-1].strip())[:LAST_CHARACTERS] if lines else ""


def _ending(returncode: int) -> str:
    if returncode >= 0:
        return f"exited with code {returncode}"
    why = f" ({OUT_OF_MEMORY})" if returncode == -signal.SIGKILL else ""
    return f"was killed by {signal.Signals(-returncode).name}{why}"

"""A command and what it is sent -> the agent's answer, in bounded time and memory.

What comes back is data from another machine: only the marked line is read, and no control character is passed on.
"""

import json
import os
import signal
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from threading import Thread
from typing import IO, Any

from edgebench.agent.__main__ import MARK
from edgebench.foundation.errors import AgentError
from edgebench.schema.case import Purpose

# Memory runs give freed pages back at once: the figure then repeats within 0.1 MiB instead of 20.
ALLOCATOR = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "0"}
MOST_BYTES = 2**30  # of an answer: four times what an evaluation asks for at once
SETTLE_S = 10.0  # for what it printed to arrive once it ended
LAST_BYTES = 2**16  # of what it printed elsewhere
LAST_CHARACTERS = 200
CHUNK = 2**16
OUT_OF_MEMORY = "the kernel does that where memory runs out"


def agent_options(request: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what Python is told: to see no package for the reference, only its own for a runtime brought along."""
    return ("-I", "-S") if request.get("reference") or request.get("packages") else ("-I",)


def agent_environment(request: Mapping[str, Any]) -> dict[str, str]:
    """Return the allocator settings of memory runs, which slow others."""
    return ALLOCATOR if request.get("purpose") == Purpose.MEMORY else {}


def exchange(
    command: Sequence[str], content: Iterable[bytes], *, timeout_s: float, environment: Mapping[str, str] | None = None
) -> Any:
    """Start the command, send it the content, wait for it, and return what it answered.

    Raises:
        AgentError: it cannot be started, ran out of time, died or answered nonsense; `returncode` says how it ended.
    """
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=os.environ | (environment or {}),
        )
    except OSError as error:
        raise AgentError(f"cannot start {command[0]}: {error.strerror}") from error
    with process:
        answer, said = _converse(process, content, timeout_s)
    return read_answer(answer, said, process.returncode)


def _converse(process: subprocess.Popen[bytes], content: Iterable[bytes], timeout_s: float) -> tuple[bytes, bytes]:
    """Feed and read the process at once, so that neither side waits for the other."""
    assert process.stdin
    assert process.stdout
    assert process.stderr
    answer, said = bytearray(), bytearray()
    threads = [
        Thread(target=_feed, args=(process.stdin, content), daemon=True),
        Thread(target=_collect, args=(process, process.stdout, answer), daemon=True),
        Thread(target=_keep_last, args=(process.stderr, said), daemon=True),
    ]
    try:
        for thread in threads:
            thread.start()
        process.wait(timeout_s)
    except subprocess.TimeoutExpired as error:
        raise AgentError(f"the agent gave no answer within {timeout_s:.0f} s and was killed") from error
    finally:
        process.kill()
        for thread in threads:
            if thread.ident:
                thread.join(SETTLE_S)  # not for ever: a grandchild may hold a pipe open
    if len(answer) > MOST_BYTES:
        raise AgentError(f"the agent answered more than {MOST_BYTES >> 20} MiB and was killed")
    return bytes(answer), bytes(said)


def _feed(stream: IO[bytes], content: Iterable[bytes]) -> None:
    with suppress(OSError):  # it died: its end says more than a broken pipe
        for part in content:
            stream.write(part)
        stream.close()


def _collect(process: subprocess.Popen[bytes], stream: IO[bytes], answer: bytearray) -> None:
    for chunk in _chunks(stream):
        answer += chunk
        if len(answer) > MOST_BYTES:
            process.kill()
            return


def _keep_last(stream: IO[bytes], said: bytearray) -> None:
    for chunk in _chunks(stream):
        said += chunk
        del said[:-LAST_BYTES]


def _chunks(stream: IO[bytes]) -> Iterator[bytes]:
    with suppress(OSError, ValueError):  # closed under it, when an interrupt ends the conversation
        while chunk := os.read(stream.fileno(), CHUNK):
            yield chunk


def read_answer(stdout: bytes, stderr: bytes, returncode: int) -> Any:
    """Find the agent's answer among whatever else was printed.

    Raises:
        AgentError: it died before it answered, or it answered with an error.
    """
    marked = [line for line in stdout.splitlines() if line.startswith(MARK.encode())]
    if not marked:
        said = last_line(stderr)
        words = f"; it last said: {said}" if said else ""
        raise AgentError(
            f"the agent {_end(returncode)} without an answer{words}", returncode=returncode, last_line=said
        )
    try:
        reply = json.loads(marked[-1][len(MARK) :])
    except ValueError as error:
        raise AgentError(f"the agent's answer is not JSON: {error}") from error
    if not reply["ok"]:
        raise AgentError(printable(str(reply["error"])))
    return reply["value"]


def printable(text: str) -> str:
    """Return what another machine said without anything that a terminal would obey."""
    return "".join(character if character.isprintable() else "?" for character in text)


def last_line(said: bytes) -> str:
    """Return the last line of what it said, fit to be shown."""
    lines = said.decode(errors="replace").strip().splitlines()
    return printable(lines[-1].strip())[:LAST_CHARACTERS] if lines else ""


def _end(returncode: int) -> str:
    if returncode >= 0:
        return f"exited with code {returncode}"
    why = f" ({OUT_OF_MEMORY})" if returncode == -signal.SIGKILL else ""
    return f"was killed by {signal.Signals(-returncode).name}{why}"

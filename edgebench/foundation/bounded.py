"""A function and its arguments -> its result, computed in a child process with limits on memory, file size and time.

A file from an unknown source can make a library use all memory, hang or crash. If this happens in a child process, only
the child ends. Requests to the child and the child's answers are JSON; nothing else that the child prints is trusted.
"""

from __future__ import annotations

import importlib
import json
import os
import re
import resource
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from edgebench.foundation.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

THREAD_BYTES = 16 * 2**20  # memory per thread, for its stack; libraries start a thread per core
_ROOT = Path(__file__).parents[2]
_MARK = "edgebench-bounded "
_NO_MEMORY = re.compile(
    r"bad.?alloc|cannot allocate|fail\w* to allocate|out of memory|unable to allocate|alloc\w* failed", re.IGNORECASE
)


class OutOfBounds(Exception):
    """A child process exceeded its memory or time limit, or crashed. The caller adds the file's name to the message."""


class ChildError(Exception):
    """A child process raised an unexpected exception; the message is the exception's traceback."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """Limits of a child process; `memory_bytes` is the limit of its memory and of the size of each file it writes."""

    memory_bytes: int
    time_s: float


def call(function: str, given: Mapping[str, Any], bounds: Bounds) -> Any:
    """Call `package.module:function` with keyword arguments in a child process.

    The arguments and the result must be values that JSON can represent.

    Raises:
        RequestError: the function raised a RequestError.
        OutOfBounds: the child exceeded a limit, or crashed.
        ChildError: the function raised an exception other than a RequestError.
    """
    with TemporaryDirectory() as scratch:  # deleted at the end, even if the child was killed and left files in it
        path = os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH", ""))))
        try:
            ended = subprocess.run(
                [sys.executable, "-P", "-c", f"from {__name__} import main; main()"],
                input=json.dumps({"function": function, "given": given, "memory_bytes": bounds.memory_bytes}).encode(),
                capture_output=True,
                timeout=bounds.time_s,
                env=os.environ | {"TMPDIR": scratch, "PYTHONPATH": path},
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise OutOfBounds(f"wanted an answer within {bounds.time_s:.0f} s, found none") from None
    return _answer(ended, bounds)


def _answer(ended: subprocess.CompletedProcess[bytes], bounds: Bounds) -> Any:
    """Return the answer from the last marked line that the child printed; ignore what libraries printed before it."""
    marked = [line for line in ended.stdout.decode(errors="replace").splitlines() if line.startswith(_MARK)]
    reply = json.loads(marked[-1].removeprefix(_MARK)) if marked else {"kind": "crash"}
    match reply["kind"]:
        case "answer":
            return reply["value"]
        case "refused":
            raise RequestError(reply["text"])
        case "memory":
            raise OutOfBounds(f"wanted at most {bounds.memory_bytes / 2**30:.1f} GiB of memory, found more")
        case "error":
            raise ChildError(reply["text"])
    if ended.returncode == -signal.SIGKILL or _NO_MEMORY.search(ended.stderr.decode(errors="replace")):
        raise OutOfBounds(f"wanted at most {bounds.memory_bytes / 2**30:.1f} GiB of memory, found more")
    raise OutOfBounds(f"wanted an answer, found a crash ({_end(ended.returncode)})")


def _end(returncode: int) -> str:
    return signal.Signals(-returncode).name if returncode < 0 else f"exit code {returncode}"


def main() -> None:
    """Read a request from standard input, compute the result within the request's limits, and print the result."""
    request = json.load(sys.stdin)
    answers = os.dup(1)
    os.dup2(2, 1)  # sends what libraries print to standard error, so that standard output contains only the answer
    limit(request["memory_bytes"])
    reply = _reply(request["function"], request["given"])
    os.write(answers, f"\n{_MARK}{json.dumps(reply)}\n".encode())
    sys.stderr.flush()
    os._exit(0)  # skips the libraries' exit handlers, which may crash


def limit(memory_bytes: int) -> None:
    """Limit the writable memory of this process and the size of each file that it writes.

    The address space is not limited, because libraries reserve much of it that they never use.
    """
    data = memory_bytes + THREAD_BYTES * (os.cpu_count() or 1)
    for kind, bound in ((resource.RLIMIT_DATA, data), (resource.RLIMIT_FSIZE, memory_bytes), (resource.RLIMIT_CORE, 0)):
        hard = resource.getrlimit(kind)[1]
        resource.setrlimit(kind, (bound if hard == resource.RLIM_INFINITY else min(bound, hard), hard))


def _reply(function: str, given: dict[str, Any]) -> dict[str, Any]:
    from traceback import format_exc

    module, _, name = function.partition(":")
    try:
        return {"kind": "answer", "value": getattr(importlib.import_module(module), name)(**given)}
    except Exception as error:
        if is_out_of_memory(error):
            return {"kind": "memory"}
        if isinstance(error, RequestError):
            return {"kind": "refused", "text": str(error)}
        return {"kind": "error", "text": format_exc()}


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error, or one of the errors that led to it, says in its text that memory ran out."""
    return any(isinstance(cause, MemoryError) or _NO_MEMORY.search(str(cause)) for cause in _causes(error))


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause:
        yield cause
        cause = cause.__cause__

"""This machine: every request is a fresh process of the target's Python on the agent bundle."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgebench.agent.__main__ import MARK
from edgebench.connections import Connection
from edgebench.errors import AgentError
from edgebench.spec import Purpose, Target

# Memory runs give freed pages back at once: the figure then repeats within 0.1 MiB instead of 20.
ALLOCATOR = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "0"}


class Local:
    """Processes on this machine; files are used where they lie."""

    shares_files = True

    def __init__(self, python: str, bundle: Path) -> None:
        self._python, self._bundle = python, bundle

    def push(self, path: Path, sha256: str) -> str:
        """Return the file's own path: it is already here."""
        return str(path)

    def run(self, request: Mapping[str, Any], *, timeout_s: float) -> Any:
        """Start an agent, wait for it, return what it answered."""
        try:
            done = subprocess.run(
                self._command(request),
                input=json.dumps(request).encode(),
                capture_output=True,
                env=os.environ | (ALLOCATOR if request.get("purpose") == Purpose.MEMORY else {}),
                timeout=timeout_s,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise AgentError(f"the agent gave no answer within {timeout_s:.0f} s and was killed") from error
        except OSError as error:
            raise AgentError(f"cannot start {self._python}: {error.strerror}") from error
        return read_answer(done.stdout, done.stderr, done.returncode)

    def _command(self, request: Mapping[str, Any]) -> list[str]:
        # The reference sees no package, a runtime that was brought here only its own.
        bare = ["-S"] if request.get("reference") or request.get("packages") else []
        return [self._python, "-I", *bare, str(self._bundle)]

    def close(self) -> None:
        """Nothing stays open."""


def read_answer(stdout: bytes, stderr: bytes, returncode: int) -> Any:
    """Find the agent's answer among whatever else was printed.

    Raises:
        AgentError: it died before it answered, or it answered with an error.
    """
    marked = [line for line in stdout.splitlines() if line.startswith(MARK.encode())]
    if not marked:
        raise AgentError(f"the agent {_end(returncode)} without an answer{_last_words(stderr)}")
    try:
        reply = json.loads(marked[-1][len(MARK) :])
    except ValueError as error:
        raise AgentError(f"the agent's answer is not JSON: {error}") from error
    if not reply["ok"]:
        raise AgentError(reply["error"])
    return reply["value"]


def _end(returncode: int) -> str:
    if returncode >= 0:
        return f"exited with code {returncode}"
    return f"was killed by {signal.Signals(-returncode).name}"


def _last_words(stderr: bytes) -> str:
    lines = stderr.decode(errors="replace").strip().splitlines()
    printable = "".join(character if character.isprintable() else "?" for character in lines[-1]) if lines else ""
    return f"; it last said: {printable[:200]}" if printable else ""


def open(target: Target, bundle: Path) -> Connection:
    """Use the target's Python, by default the one that runs this."""
    return Local(target.python or sys.executable, bundle)

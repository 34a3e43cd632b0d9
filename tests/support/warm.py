"""The child processes in which `foundation/bounded` opens files, forked from one process that has imported the readers.

A child that starts from nothing imports for half a second. A forked one has a memory limit, a time limit, streams and
an environment of its own, too, and answers at once.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from subprocess import CompletedProcess, TimeoutExpired
from tempfile import TemporaryDirectory
from typing import Any

from tests import ROOT

STREAMS = ("in", "out", "err")
READERS = ("edgebench.export.custom", "edgebench.train.hdf5", "h5py", "onnx", "onnxruntime", "safetensors.numpy")


class Warm:
    """The process that forks; it starts at the first use, and ends when its input is closed."""

    TimeoutExpired = TimeoutExpired  # `bounded` uses this object in place of the module `subprocess`

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def run(
        self, command: Sequence[str], *, input: bytes, timeout: float, env: Mapping[str, str], **_: bool
    ) -> CompletedProcess[bytes]:
        """Do in a fork what `subprocess.run` does in a new process; `command` is that of `bounded` alone."""
        assert "foundation.bounded import main" in command[-1]
        with TemporaryDirectory() as folder:
            streams = [Path(folder) / name for name in STREAMS]
            streams[0].write_bytes(input)
            end = self._ask({"env": dict(env), "cwd": str(Path.cwd()), "folder": folder, "timeout": timeout})
            if end is None:
                raise TimeoutExpired(command, timeout)
            return CompletedProcess(command, end, streams[1].read_bytes(), streams[2].read_bytes())

    def _ask(self, job: dict[str, Any]) -> int | None:
        if not self._process:
            serve = [sys.executable, "-P", "-c", f"from {__name__} import serve; serve()"]
            environment = os.environ | {"PYTHONPATH": str(ROOT)}
            self._process = subprocess.Popen(
                serve, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment, start_new_session=True
            )
        assert self._process.stdin and self._process.stdout
        print(json.dumps(job), file=self._process.stdin, flush=True)
        end: int | None = json.loads(self._process.stdout.readline())
        return end

    def close(self) -> None:
        if self._process:
            with self._process as process:
                assert process.stdin
                process.stdin.close()


def serve() -> None:
    """Import what readers of files import; then fork for each line of standard input, and print its exit code."""
    for name in READERS:
        with suppress(ImportError):  # a file that needs it is refused, as it is in a new process
            import_module(name)
    for line in sys.stdin:
        job = json.loads(line)
        if not (child := os.fork()):
            _become(job)
        print(json.dumps(_end(child, job["timeout"])), flush=True)


def _become(job: dict[str, Any]) -> None:
    """Be the child of `bounded` from here on."""
    from edgebench.foundation import bounded

    flags = (os.O_RDONLY, os.O_WRONLY | os.O_CREAT, os.O_WRONLY | os.O_CREAT)
    for handle, (name, flag) in enumerate(zip(STREAMS, flags, strict=True)):
        os.dup2(file := os.open(Path(job["folder"]) / name, flag), handle)
        os.close(file)
    sys.stdin = os.fdopen(0, closefd=False)
    os.environ.clear()
    os.environ.update(job["env"])
    os.chdir(job["cwd"])
    try:
        bounded.main()
    finally:
        os._exit(1)


def _end(child: int, timeout_s: float) -> int | None:
    """Wait for a child and return its exit code; kill it after its time, and return None."""
    handle = os.pidfd_open(child)
    is_over = bool(select.select([handle], [], [], timeout_s)[0])
    os.close(handle)
    if not is_over:
        os.kill(child, signal.SIGKILL)
    status = os.waitpid(child, 0)[1]
    return os.waitstatus_to_exitcode(status) if is_over else None

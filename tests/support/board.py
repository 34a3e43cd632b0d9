"""A real sshd on loopback with keys of its own: this machine as its own board, for a test or by hand."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from getpass import getuser
from pathlib import Path

SSHD = "/usr/sbin/sshd"
CONFIG = """
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host
AuthorizedKeysFile {folder}/user.pub
PasswordAuthentication no
KbdInteractiveAuthentication no
StrictModes no
PermitRootLogin yes
PidFile none
SetEnv HOME={folder} XDG_CACHE_HOME={folder}/cache TMPDIR={folder}/tmp EDGEBENCH_LOCK={folder}/tmp/edgebench.lock
{more}
"""
CLIENT = """
Host {name}
    HostName 127.0.0.1
    Port {port}
    User {user}
    IdentityFile {folder}/user
    IdentitiesOnly yes
    IdentityAgent none
    UserKnownHostsFile {folder}/known
    GlobalKnownHostsFile none
"""


def missing() -> list[str]:
    """Name the programs that this needs and are not here; openssh-server brings them all."""
    return [name for name in (SSHD, "ssh", "ssh-keygen") if not shutil.which(name)]


@dataclass
class Board:
    """A running sshd; its files, the client's configuration among them, lie in `folder`."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes]
    address: str = "board"
    python: str = sys.executable

    @property
    def cache(self) -> Path:
        """What edgebench keeps on the board."""
        return self.folder / "cache" / "edgebench"

    def sessions(self) -> list[int]:
        """List the processes that serve connections."""
        return [int(pid) for pid in subprocess.run(
            ["pgrep", "-P", str(self.process.pid)], capture_output=True, text=True, check=False
        ).stdout.split()]  # fmt: skip


def make_key(path: Path) -> None:
    """Make a key without a passphrase."""
    path.unlink(missing_ok=True)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)


@contextmanager
def board(folder: Path, more: str = "") -> Iterator[Board]:
    """Start sshd, and let `ssh` on the PATH be the real one with a configuration that knows only this board."""
    with lab(folder.parent, [folder.name], more) as (started,):
        shutil.copytree(folder.parent / "bin", folder / "bin")
        yield started


@contextmanager
def lab(folder: Path, names: Sequence[str], more: str = "") -> Iterator[list[Board]]:
    """Start an sshd for each board; let `ssh` in the folder's `bin` be the real one that knows only these boards."""
    (folder / "bin").mkdir(parents=True, exist_ok=True)
    client, wrapper = folder / "client", folder / "bin" / "ssh"
    client.write_text("")
    wrapper.write_text(f'#!/bin/sh\nexec {shutil.which("ssh", path=os.defpath)} -F {client} "$@"\n')
    wrapper.chmod(0o755)
    with ExitStack() as stack:
        yield [stack.enter_context(_started(folder / name, client, more)) for name in names]


@contextmanager
def _started(folder: Path, client: Path, more: str) -> Iterator[Board]:
    (folder / "tmp").mkdir(parents=True, exist_ok=True)
    for name in ("host", "user"):
        make_key(folder / name)
    port = free_port()
    kind, key, *_ = (folder / "host.pub").read_text().split()
    (folder / "known").write_text(f"[127.0.0.1]:{port} {kind} {key}\n")
    with client.open("a") as stream:
        stream.write(CLIENT.format(name=folder.name, folder=folder, port=port, user=getuser()))
    with running(folder, port, more) as process:
        yield Board(folder=folder, port=port, process=process, address=folder.name)


@contextmanager
def running(folder: Path, port: int, more: str = "") -> Iterator[subprocess.Popen[bytes]]:
    """Run sshd until the block ends, with the sessions it serves."""
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # where it gives up its rights
    (folder / "server").write_text(CONFIG.format(folder=folder, port=port, more=more))
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen([SSHD, "-D", "-e", "-f", folder / "server"], stderr=log)
    try:
        _wait_for(port, process)
        yield process
    finally:
        subprocess.run(["pkill", "-KILL", "-P", str(process.pid)], check=False)
        process.kill()
        process.wait()


def free_port() -> int:
    """A port of this machine on which nothing listens."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(100):
        with socket.socket() as one:
            if one.connect_ex(("127.0.0.1", port)) == 0:
                return
        assert process.poll() is None, "sshd did not start"
        time.sleep(0.05)
    raise AssertionError("sshd does not listen")

"""A board over ssh: a real sshd on loopback, and every way in which a board can fail that can be provoked there."""

import hashlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from threading import Thread

import pytest

from edgebench.deploy.bundle import bundle
from edgebench.deploy.connections import Connection, ssh
from edgebench.foundation.errors import AgentError, Busy, RequestError, Unreachable
from edgebench.schema.target import Target
from tests.support.board import Board, board, make_key, missing, running

FACTS = {"do": "facts", "runtimes": ["null"]}
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(missing()), reason=f"needs {', '.join(missing())} (openssh-server)"),
]


@pytest.fixture
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Board]:
    with board(tmp_path / "board") as started:
        monkeypatch.setenv("PATH", f"{started.folder}/bin{os.pathsep}{os.environ['PATH']}")
        yield started


def target(of: Board, **changes: str) -> Target:
    known = Target(name="rpi", board="b", connection="ssh", runtimes=("null",), address=of.address, python=of.python)
    return replace(known, **changes)  # type: ignore[arg-type]


@pytest.fixture
def connection(there: Board) -> Iterator[Connection]:
    opened = ssh.open(target(there), bundle()[0])
    yield opened
    opened.close()


def null_file(place: Path) -> tuple[Path, str]:
    path = place / "null.json"
    path.write_text(json.dumps({"delay_s": 0.0, "classes": 2}))
    return path, hashlib.sha256(path.read_bytes()).hexdigest()


def measuring(path: str) -> dict[str, object]:
    return {
        "do": "measure", "purpose": "latency", "runtime": "null", "path": path, "threads": 1,
        "batch": 1, "options": [], "warmup_s": 0.0, "warmup_iterations": 1, "iterations": 5,
    }  # fmt: skip


def test_the_agent_is_brought_there_and_answers(connection: Connection, there: Board) -> None:
    assert connection.run(FACTS, timeout_s=30)["runtimes"]["null"]["version"] == "1"
    assert [file.name[16:] for file in there.cache.iterdir()] == [f"-{bundle()[0].name}"]


def test_a_file_is_sent_once_and_verified(connection: Connection, there: Board, place: Path) -> None:
    path, sha256 = null_file(place)
    pushed = connection.push(path, sha256)
    assert Path(pushed).read_bytes() == path.read_bytes()
    assert len(connection.run(measuring(pushed), timeout_s=30)["samples_s"]) == 5
    path.unlink()
    assert connection.push(path, sha256) == pushed


def test_a_file_damaged_there_is_sent_again(there: Board, place: Path) -> None:
    path, sha256 = null_file(place)
    for _ in range(2):
        opened = ssh.open(target(there), bundle()[0])
        pushed = Path(opened.push(path, sha256))
        opened.close()
        assert pushed.read_bytes() == path.read_bytes()
        pushed.write_bytes(b"cut")


def test_a_file_that_changed_on_its_way_is_refused(connection: Connection, there: Board, place: Path) -> None:
    path, _ = null_file(place)
    with pytest.raises(AgentError, match=r"null.json was damaged on its way"):
        connection.push(path, "0" * 64)
    assert not any("null" in file.name or "receiving" in file.name for file in there.cache.iterdir())


def test_names_and_paths_with_odd_characters_arrive_as_they_are(connection: Connection, place: Path) -> None:
    path, sha256 = null_file(place)
    odd = path.rename(place / "a b;$(touch x)'\"&.json")
    pushed = connection.push(odd, sha256)
    assert pushed.endswith(odd.name)
    assert len(connection.run(measuring(pushed), timeout_s=30)["samples_s"]) == 5


def test_an_error_there_is_a_reason(connection: Connection) -> None:
    with pytest.raises(AgentError, match="no request 'dance'"):
        connection.run({"do": "dance"}, timeout_s=30)


def test_an_agent_that_is_killed_is_a_reason(connection: Connection, place: Path) -> None:
    path = place / "slow.json"
    path.write_text(json.dumps({"delay_s": 2.0, "classes": 2}))
    pushed = connection.push(path, hashlib.sha256(path.read_bytes()).hexdigest())
    with pytest.raises(AgentError, match="no answer within 1 s and was killed"):
        connection.run(measuring(pushed), timeout_s=1)
    assert connection.run(FACTS, timeout_s=30)


def test_an_agent_that_the_board_kills_is_a_reason_and_no_lost_link(
    connection: Connection, there: Board, place: Path
) -> None:
    path = place / "slow.json"
    path.write_text(json.dumps({"delay_s": 2.0, "classes": 2}))
    pushed = connection.push(path, hashlib.sha256(path.read_bytes()).hexdigest())
    killer = Thread(target=kill_agent, args=(there,))
    killer.start()
    with pytest.raises(
        AgentError, match="the agent was killed on the board; the kernel does that when memory runs out"
    ):
        connection.run(measuring(pushed), timeout_s=60)
    killer.join()
    assert connection.run(FACTS, timeout_s=30)


def kill_agent(there: Board) -> None:
    """Do what a kernel without memory does, as soon as an agent has read what it is to measure."""
    pattern = f"^{there.python} .*edgebench-agent"
    for _ in range(600):
        found = subprocess.run(["pgrep", "-f", pattern], capture_output=True, text=True, check=False).stdout.split()
        for pid in map(int, found):
            with suppress(FileNotFoundError):  # an agent of another test has ended
                if str(there.folder) in Path(f"/proc/{pid}/cmdline").read_text():
                    os.kill(pid, signal.SIGKILL)
                    return
        time.sleep(0.05)


def test_a_second_one_is_refused_until_the_first_lets_go(there: Board) -> None:
    first = ssh.open(target(there), bundle()[0])
    with pytest.raises(Busy, match=r"target rpi is in use by .*@.* for \d+ s"):
        ssh.open(target(there), bundle()[0])
    first.close()
    ssh.open(target(there), bundle()[0]).close()


def test_a_killed_session_is_taken_up_again(connection: Connection, there: Board, place: Path) -> None:
    path, sha256 = null_file(place)
    for pid in there.sessions():
        os.kill(pid, signal.SIGKILL)
    assert connection.run(FACTS, timeout_s=30)["machine"]
    assert connection.push(path, sha256)


def test_a_frozen_link_is_given_up_and_taken_up_again(
    connection: Connection, there: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    frozen = there.sessions()
    for pid in frozen:
        os.kill(pid, signal.SIGSTOP)
    started = time.monotonic()
    try:
        assert connection.run(FACTS, timeout_s=60)["machine"]
        assert time.monotonic() - started > 5
    finally:
        for pid in frozen:
            os.kill(pid, signal.SIGKILL)


def test_a_board_that_does_not_come_back_is_a_clear_stop(
    connection: Connection, there: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ssh, "BACK_S", 0.0)
    sessions = there.sessions()
    there.process.kill()
    there.process.wait()
    for pid in sessions:
        os.kill(pid, signal.SIGKILL)
    with pytest.raises(Unreachable, match="target rpi was lost .* run the same command to go on"):
        connection.run(FACTS, timeout_s=30)


def refused(of: Board, **changes: str) -> str:
    with pytest.raises(RequestError) as caught:
        ssh.open(target(of, **changes), bundle()[0])
    return str(caught.value)


def test_without_an_address_it_says_how_to_give_one(there: Board) -> None:
    said = refused(there, address="")
    assert said == "target rpi has no address; use --address user@host, or set EDGEBENCH_RPI_ADDRESS"


def test_a_closed_port_is_a_reason(there: Board) -> None:
    there.process.kill()
    there.process.wait()
    assert "Connection refused; is sshd running there?" in refused(there)


def test_a_changed_host_key_is_a_reason(there: Board) -> None:
    make_key(there.folder / "other")
    kind, key, *_ = (there.folder / "other.pub").read_text().split()
    (there.folder / "known").write_text(f"[127.0.0.1]:{there.port} {kind} {key}\n")
    assert "Host key verification failed" in refused(there)


def test_an_unknown_host_key_is_a_reason(there: Board) -> None:
    (there.folder / "known").write_text("")
    assert "Host key verification failed" in refused(there)


def test_a_wrong_key_is_a_reason(there: Board) -> None:
    make_key(there.folder / "user")
    (there.folder / "user.pub").unlink()
    make_key(there.folder / "stranger")
    (there.folder / "stranger").replace(there.folder / "user")
    said = refused(there)
    assert "Permission denied" in said
    assert "ssh-copy-id" in said


def test_an_address_is_never_an_option(there: Board) -> None:
    assert "cannot reach target rpi" in refused(there, address="-oProxyCommand=touch hacked")
    assert not Path("hacked").exists()


def test_a_python_that_is_not_there_is_a_reason(there: Board) -> None:
    assert refused(there, python="python9").startswith("no python9 on target rpi; install Python 3.11 or newer there")


@pytest.mark.parametrize(
    ("login", "answered"),
    [
        ("echo Welcome to the board; printf '\\033[31m'", True),
        ("yes | head -c 3000000", True),
        ("exit 3", False),
        ("yes", False),
    ],
)
def test_noise_at_login_is_passed_over_and_an_endless_one_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, login: str, answered: bool
) -> None:
    with board(tmp_path / "board", f'ForceCommand {login}; eval "$SSH_ORIGINAL_COMMAND"') as noisy:
        monkeypatch.setenv("PATH", f"{noisy.folder}/bin{os.pathsep}{os.environ['PATH']}")
        if not answered:
            with pytest.raises(AgentError) as caught:
                ssh.open(target(noisy), bundle()[0])
            assert "\x1b" not in str(caught.value)
            return
        opened = ssh.open(target(noisy), bundle()[0])
        assert opened.run(FACTS, timeout_s=30)["machine"]
        opened.close()


def test_a_full_disk_is_a_reason_and_leaves_nothing_behind(there: Board, place: Path) -> None:
    full = there.folder / "cache"
    full.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", full], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.strip()}")
    try:
        with pytest.raises(AgentError, match=r"disk full: \d MiB free in .*, 64 MiB needed"):
            ssh.open(target(there), bundle()[0])
        assert [file.name for file in there.cache.iterdir()] == []
    finally:
        subprocess.run(["umount", full], check=True)


def test_what_was_not_used_for_a_month_is_deleted(there: Board) -> None:
    there.cache.mkdir(parents=True)
    old, recent = there.cache / "0-old", there.cache / "1-recent"
    for file in (old, recent):
        file.write_text("x")
    os.utime(old, (0, time.time() - 40 * 86400))
    ssh.open(target(there), bundle()[0]).close()
    assert not old.exists()
    assert recent.exists()


def test_a_board_that_restarts_is_waited_for(there: Board) -> None:
    opened = ssh.open(target(there), bundle()[0])
    sessions = there.sessions()
    there.process.kill()
    there.process.wait()
    for pid in sessions:
        os.kill(pid, signal.SIGKILL)
    with running(there.folder, there.port):
        assert opened.run(FACTS, timeout_s=30)["machine"]
        opened.close()

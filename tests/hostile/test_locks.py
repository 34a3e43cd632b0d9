"""A machine has one lock: of whatever user, home, temporary folder or way in; and a folder has one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edgebench.agent import hold
from edgebench.deploy.locking import PROCESS, locked
from edgebench.foundation.errors import Busy, RequestError
from edgebench.foundation.lock import lock_folder
from edgebench.schema.target import THIS_MACHINE

MACHINE = f"""
from edgebench.deploy.locking import locked
with locked({THIS_MACHINE!r}, "target cpu"):
"""
FOLDER = """
from pathlib import Path
from edgebench.foundation.lock import lock_folder
with lock_folder(Path("results/x")):
"""
BY_SSH = '{"owner": "ada@laptop", "token": "t"}\n'
ELSEWHERE = {
    "another home": {"HOME": "elsewhere"},
    "another state": {"XDG_STATE_HOME": "elsewhere"},
    "another temporary folder": {"TMPDIR": "elsewhere"},
    "another cache": {"EDGEBENCH_CACHE": "elsewhere"},
}


@contextmanager
def held(code: str, **environment: str) -> Iterator[int]:
    """Hold a lock in another process; yield its id."""
    command = [sys.executable, "-c", f"{code}    print('held', flush=True); input()"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ | environment
    ) as owner:
        assert owner.stdout
        assert owner.stdout.readline() == "held\n"
        yield owner.pid
        owner.communicate("\n")


@pytest.mark.lengthy
@pytest.mark.parametrize("environment", ELSEWHERE.values(), ids=ELSEWHERE)
def test_a_machine_is_locked_for_every_home(environment: dict[str, str], place: Path) -> None:
    elsewhere = {name: str(place / folder) for name, folder in environment.items()}
    (place / "elsewhere").mkdir()
    with (
        held(MACHINE, **elsewhere) as pid,
        pytest.raises(Busy, match=rf"target cpu is in use by process {pid} \(-c\) of \S+ for \d+ s: two runs at once"),
        locked(THIS_MACHINE, "target cpu"),
    ):
        pass
    with locked(THIS_MACHINE, "target cpu"):
        pass


def test_the_place_is_one_for_all_users(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(hold.VARIABLE)
    for variable in ("HOME", "TMPDIR", "XDG_STATE_HOME"):
        monkeypatch.setenv(variable, "/nowhere")
    handle = hold._opened()
    try:
        assert os.readlink(f"/proc/self/fd/{handle}") in hold.PLACES  # noqa: PTH115
        assert os.fstat(handle).st_mode & 0o777 == 0o666
    finally:
        os.close(handle)


@pytest.mark.lengthy
@pytest.mark.parametrize("environment", ELSEWHERE.values(), ids=ELSEWHERE)
def test_a_folder_is_locked_for_every_home(environment: dict[str, str], place: Path) -> None:
    elsewhere = {name: str(place / folder) for name, folder in environment.items()}
    (place / "elsewhere").mkdir()
    with (
        held(FOLDER, **elsewhere) as pid,
        pytest.raises(Busy, match=f"results/x is in use by (process {pid}|another process): two runs at once"),
        lock_folder(Path("results/x")),
    ):
        pass
    with lock_folder(Path("results/x")):
        assert not list(Path("results/x").iterdir())


def by_ssh(token: str = "t") -> subprocess.Popen[str]:
    """What a host starts on a board."""
    process = subprocess.Popen(
        [sys.executable, hold.__file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin
    process.stdin.write(json.dumps({"owner": "ada@laptop", "token": token}) + "\n")
    process.stdin.flush()
    return process


def answer(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    process.stdout.readline()
    return process.stdout.readline()


@pytest.mark.lengthy
def test_a_board_that_is_measured_by_ssh_is_not_measured_on_itself_and_the_other_way_round() -> None:
    with by_ssh() as process:
        assert '"owner": ""' in answer(process)
        with pytest.raises(Busy, match="target cpu is in use by ada@laptop"), locked(THIS_MACHINE, "target cpu"):
            pass
        process.communicate()
    with locked(THIS_MACHINE, "target cpu"), by_ssh() as process:
        assert f"process {os.getpid()} (" in answer(process)
        process.communicate()


def test_a_run_that_measures_here_and_by_ssh_here_is_in_nobodys_way() -> None:
    with locked(THIS_MACHINE, "target cpu"), by_ssh(f"{PROCESS}-1") as process:
        assert '"owner": ""' in answer(process)
        process.communicate()


def test_this_process_is_no_left_over_of_itself() -> None:
    with locked(THIS_MACHINE, "a"), pytest.raises(Busy, match="b is in use"), locked(THIS_MACHINE, "b"):
        pass


@pytest.mark.lengthy
@pytest.mark.parametrize("what", ["a link", "a dangling link", "a folder", "a pipe", "a second name"])
def test_another_file_in_the_locks_place_is_refused_and_left_alone(
    what: str, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, other = place / "edgebench.lock", place / "other"
    other.write_text("precious")
    match what:
        case "a link":
            path.symlink_to(other)
        case "a dangling link":
            path.symlink_to(place / "nothing")
        case "a folder":
            path.mkdir()
        case "a pipe":
            os.mkfifo(path)
        case _:
            path.hardlink_to(other)
    monkeypatch.setenv(hold.VARIABLE, str(path))
    with pytest.raises(RequestError, match="cannot lock this machine: .*; remove it"), locked(THIS_MACHINE, "cpu"):
        pass
    with by_ssh() as process:
        assert '"ok": false, "error": "cannot lock this machine' in answer(process)
    assert other.read_text() == "precious"
    assert not (place / "nothing").exists()


@pytest.mark.parametrize("content", ["", "{", "[]", "\0\0", '{"token": "t"}', "x" * 5000])
def test_whatever_the_lock_file_says_it_is_held_or_free(content: str, place: Path) -> None:
    path = place / "edgebench.lock"
    path.write_text(content)
    taken = "import fcntl, sys; handle = open(sys.argv[1]); fcntl.flock(handle, fcntl.LOCK_EX)"
    code = f"{taken}; print(1, flush=True); input()"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(hold.VARIABLE, str(path))
        with subprocess.Popen(
            [sys.executable, "-c", code, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as owner:
            assert owner.stdout
            owner.stdout.readline()
            with pytest.raises(Busy, match="in use by an unknown user"), locked(THIS_MACHINE, "cpu"):
                pass
            owner.communicate("\n")
        with locked(THIS_MACHINE, "cpu"):
            pass

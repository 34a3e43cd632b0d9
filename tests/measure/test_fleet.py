"""Several boards at once, each behind a real sshd: whatever happens to one of them holds up no other."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from typing import TypeVar

import pytest

import edgebench
from edgebench.deploy.connections import ssh
from edgebench.results.journal import Journal
from edgebench.schema.record import Run, Session
from tests.support import cheap
from tests.support.board import Board, lab, missing, running
from tests.support.command import EDGEBENCH, cli

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(missing()), reason=f"needs {', '.join(missing())} (openssh-server)"),
]
NULL = ("--model", "null", "--runtime", "null", "--dataset", "null", "--weights", "none", "--resolution", "1")
QUICK = ("--preset", "quick", "--precision", "fp32", *NULL)
NIGHTLY = ("--preset", "nightly", "--precision", "fp32", *NULL)
T = TypeVar("T")


@pytest.fixture
def boards(
    tmp_path: Path, place: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[Board]]:
    """Two boards, each a target of its own with its own serial number."""
    monkeypatch.setenv("PATH", f"{tmp_path}/lab/bin{os.pathsep}{os.environ['PATH']}")
    (place / "targets").mkdir()
    with lab(tmp_path / "lab", ["one", "two"]) as started:
        for number, board in enumerate(started, 1):
            program = cheap.python(board.folder, f"000{number}", tmp_path_factory.getbasetemp() / "facts")
            write_target(board.address, f'address = "{board.address}"\npython = "{program}"\n')
        yield started


def write_target(name: str, more: str) -> None:
    Path("targets", f"{name}.toml").write_text(f'board = "b"\nconnection = "ssh"\nruntimes = ["null"]\n{more}')


def records(name: str, kind: type[T]) -> list[T]:
    return [record for record in Journal(Path("results") / name) if isinstance(record, kind)]


def runs(name: str, target: str) -> list[Run]:
    return [run for run in records(name, Run) if run.case.target == target]


def wait_for(condition: Callable[[], object], process: subprocess.Popen[str]) -> None:
    for _ in range(1200):
        if condition():
            return
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    raise AssertionError("it did not happen")


def cut_off(board: Board) -> None:
    """End a board's sshd and all its connections, as if its plug were pulled."""
    sessions = board.sessions()
    board.process.kill()
    board.process.wait()
    for pid in sessions:
        os.kill(pid, signal.SIGKILL)


def test_boards_are_measured_at_the_same_time_and_each_says_what_it_does(boards: list[Board]) -> None:
    done = cli("run", "--target", "one,two", "--name", "both", "--json-lines", *QUICK)
    assert done.returncode == 0, done.stderr
    *events, last = map(json.loads, done.stdout.splitlines())
    assert {row["target"]: (row["processes"], row["board"]) for row in last["rows"]} == {
        "one": (3, "0001"),
        "two": (3, "0002"),
    }
    steps = [event for event in events if event["event"] == "step" and event["activity"] == "measure"]
    assert {step["board"] for step in steps} == {"one", "two"}
    assert {(step["round"], step["celsius"]) for step in steps if step["round"] == 3} == {(3, 51.0)}
    first, other = (sorted(run.started_at for run in runs("both", name)) for name in ("one", "two"))
    assert first[0] < other[-1], "one board waited for the other"
    assert other[0] < first[-1], "one board waited for the other"


def test_a_board_that_is_not_there_is_a_missing_row_until_the_same_command_finds_it(boards: list[Board]) -> None:
    write_target("gone", 'address = "nowhere.invalid"\n')
    arguments = ("run", "--target", "one,gone", "--name", "late", *QUICK)
    done = cli(*arguments)
    assert done.returncode == 1
    assert "gone: cannot reach target gone at nowhere.invalid" in done.stderr
    table = edgebench.load("results/late").set_index("target")
    assert table.verdict["gone"] == "MISSING"
    assert "not measured: cannot reach target gone at nowhere.invalid" in table.reasons["gone"]
    assert table.processes["one"] == 3
    write_target("gone", f'address = "two"\npython = "{boards[1].folder}/python"\n')
    again = cli(*arguments)
    assert again.returncode == 0, again.stderr
    assert edgebench.load("results/late").set_index("target").processes.to_dict() == {"one": 3, "gone": 3}


def test_a_board_that_goes_away_in_round_3_comes_back_as_another_board_and_holds_up_no_other(
    boards: list[Board],
) -> None:
    two = boards[1]
    arguments = ["run", "--target", "one,two", "--name", "swap", *NIGHTLY]
    with subprocess.Popen(
        [*EDGEBENCH, *arguments], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        wait_for(lambda: any(run.round == 3 for run in runs("swap", "two")), process)
        cut_off(two)
        (two.folder / "state" / "serial").write_text("0003")
        with running(two.folder, two.port) as two.process:
            _, stderr = process.communicate(timeout=120)
            assert process.returncode == 1
            assert "came back as another machine (serial 0003, was 0002); run the same command to go on" in stderr
            table = edgebench.load("results/swap").set_index("target")
            assert table.verdict["two"] == "MISSING"
            assert "incomplete after" in table.reasons["two"]
            assert table.processes["one"] >= 6
            kept = len(runs("swap", "two"))
            (two.folder / "state" / "serial").write_text("0002")
            assert cli(*arguments).returncode == 0
            assert len(runs("swap", "two")) > kept
            assert edgebench.load("results/swap").set_index("target").processes["two"] >= 6


def test_interrupted_with_all_boards_running_it_loses_nothing_and_every_board_is_free(boards: list[Board]) -> None:
    arguments = ["run", "--target", "one,two", "--name", "ended", *NIGHTLY]
    for ending, code in ((signal.SIGTERM, 143), (signal.SIGKILL, -9)):
        with subprocess.Popen(
            [*EDGEBENCH, *arguments], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as it:
            before = len(records("ended", Run))
            wait_for(lambda: len(records("ended", Run)) > before + 4, it)  # noqa: B023
            it.send_signal(ending)
            it.communicate(timeout=60)
            assert it.returncode == code
    survived = records("ended", Run)
    for _ in range(200):  # within ten seconds, the board notices that its host is gone
        done = cli(*arguments)
        if "is in use by" not in done.stderr:
            break
        time.sleep(0.05)
    assert done.returncode == 0, done.stderr
    assert set(map(id_of, survived)) <= set(map(id_of, records("ended", Run)))


def id_of(run: Run) -> tuple[str, str]:
    return run.session, run.started_at


def write_pair(boards: list[Board]) -> None:
    """Write a target of both boards; its one program on this machine finds that of its own board."""
    program = boards[0].folder.parent / "python"
    program.write_text('#!/bin/sh\nexec "$TMPDIR/../python" "$@"\n')
    program.chmod(0o755)
    write_target("pair", f'addresses = ["one", "two"]\npython = "{program}"\n')


def test_boards_of_a_kind_share_the_cases_and_are_compared(boards: list[Board]) -> None:
    write_pair(boards)
    arguments = ("run", "--target", "pair", "--name", "pool", "--batch", "1,2", "--preset", "quick", *NULL)
    done = cli(*arguments)
    assert done.returncode == 0, done.stderr
    table = edgebench.load("results/pool")
    assert len(table) == 4
    assert (table.processes == 3).all()
    assert set(table.board) == {"0001", "0002"}
    assert (table.groupby("batch").board.nunique() == 1).all()
    assert "Boards of pair: rows of different boards are ranked apart." in done.stdout
    measured = len(records("pool", Run))
    again = cli(*arguments)
    assert "nothing to measure on pair 0001: no case is left for it" in again.stderr
    assert (again.returncode, len(records("pool", Run))) == (0, measured)


def test_what_a_lost_board_of_a_kind_leaves_is_measured_by_the_others(
    boards: list[Board], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_pair(boards)
    monkeypatch.setattr(ssh, "BACK_S", 0.0)
    arguments = ("run", "--target", "pair", "--name", "left", "--batch", "1,2,4", *QUICK)

    def lose_one() -> None:
        while not any(session.environment.facts["serial"] == "0002" for session in records("left", Session)):
            time.sleep(0.05)
        cut_off(boards[1])

    thread = Thread(target=lose_one)
    thread.start()
    first = cli(*arguments)
    thread.join()
    assert "pair 0002: target pair was lost" in first.stderr
    second = cli(*arguments)
    assert second.returncode == 0, second.stderr
    table = edgebench.load("results/left")
    assert sorted(table.batch) == [1, 2, 4]
    assert (table.processes == 3).all()


def test_a_full_disk_on_one_board_holds_up_no_other(boards: list[Board]) -> None:
    full = boards[1].folder / "cache"
    full.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(full)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a small disk cannot be mounted here")
    try:
        done = cli("run", "--target", "one,two", "--name", "full", *QUICK)
    finally:
        subprocess.run(["umount", full], check=True)
    assert done.returncode == 1
    table = edgebench.load("results/full").set_index("target")
    assert table.processes["one"] == 3
    assert table.verdict["two"] == "MISSING"
    assert "disk full" in table.reasons["two"]


def test_of_two_commands_over_one_lab_the_second_measures_the_boards_that_are_free(boards: list[Board]) -> None:
    first = ["run", "--target", "one", "--name", "first", *NIGHTLY]
    with subprocess.Popen([*EDGEBENCH, *first], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        wait_for(lambda: runs("first", "one"), process)
        listed = json.loads(cli("targets", "--format", "json").stdout)["rows"]
        second = cli("run", "--target", "one,two", "--name", "second", *QUICK)
        process.communicate(timeout=120)
        assert process.returncode == 0
    holders = {row["target"]: row["held_by"] for row in listed}
    assert holders["one"].startswith(f"process {process.pid} since ")
    assert holders["two"] is None
    assert second.returncode == 1
    table = edgebench.load("results/second").set_index("target")
    assert f"target one is in use by process {process.pid}" in table.reasons["one"]
    assert table.processes["two"] == 3


def test_this_machine_measures_when_nothing_is_left_to_make_or_evaluate_for_the_boards(boards: list[Board]) -> None:
    done = cli("run", "--target", "cpu,one", "--name", "here", *QUICK)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line)["record"] for line in Path("results/here/runs.jsonl").read_text().splitlines()]
    kinds = [(line["kind"], line.get("case", {}).get("target")) for line in lines]
    assert kinds.index(("run", "cpu")) > max(kinds.index(("deployment", "one")), kinds.index(("accuracy", "one")))
    assert kinds.count(("run", "one")) == kinds.count(("run", "cpu"))

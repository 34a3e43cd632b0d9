"""A target that connects and never answers, or hangs in the middle of an answer, is given up in bounded time."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

import pytest

import edgebench
from edgebench.deploy import survey
from edgebench.deploy.bundle import bundle
from edgebench.deploy.connections import ssh
from edgebench.foundation.errors import Unreachable
from edgebench.measure import rounds
from edgebench.schema.target import Target
from tests.support.board import board, missing
from tests.support.command import cli
from tests.support.passing_on import READ
from tests.test_pipeline import NULL

FP32 = ("--precision", "fp32")
needs_sshd = pytest.mark.skipif(bool(missing()), reason=f"needs {', '.join(missing())} (openssh-server)")
# A Python that passes requests on, and is silent where `when` holds.
SILENT = """#!{python}
import os, subprocess, sys, time
line = {read}
if {when}:
    print({first!r}, end="", flush=True)
    time.sleep(600)
subprocess.run([{python!r}, *sys.argv[1:]], input=line, text=True)
"""
HOW = {"says nothing": "", "hangs in the middle of an answer": '\nedgebench-answer {"ok": true, "val'}
FROM_THEN_ON = """'"measure"' in line and not open("gone", "w").close() or os.path.exists("gone")"""


def silent_target(place: Path, when: str, first: str = "") -> None:
    python = place / "python"
    python.write_text(SILENT.format(python=sys.executable, read=READ, when=when, first=first))
    python.chmod(0o755)
    (place / "targets").mkdir()
    (place / "targets" / "quiet.toml").write_text(
        f'board = "b"\nconnection = "local"\nruntimes = ["null"]\npython = "{python}"\n'
    )


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds, "TIMEOUT_S", 2.0)
    monkeypatch.setattr(survey, "PATIENCE_S", 1.0)
    monkeypatch.setattr(survey, "TIMEOUT_S", 20.0)


@pytest.mark.slow
@pytest.mark.parametrize("how", HOW.values(), ids=HOW)
def test_a_process_that_is_silent_is_a_failed_row_and_the_others_are_measured(
    how: str, place: Path, impatient: None
) -> None:
    silent_target(place, """'"batch": 2' in line""", how)
    done = cli("run", "--target", "quiet", "--preset", "quick", "--batch", "1,2", "--name", "s", *NULL, *FP32)
    assert done.returncode == 1, done.stderr
    table = edgebench.load("results/s").set_index("batch")
    assert "gave no answer within 2 s" in table.reasons[2]
    assert table.verdict[1] != "FAILED"
    assert table.processes[1] == 3


@pytest.mark.slow
def test_a_target_that_is_silent_from_then_on_is_given_up_and_its_rows_are_missing(
    place: Path, impatient: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(survey, "TIMEOUT_S", 5.0)
    silent_target(place, FROM_THEN_ON)
    done = cli("run", "--target", "quiet", "--preset", "quick", "--batch", "1,2", "--name", "s", *NULL, *FP32)
    assert done.returncode == 2
    assert "edgebench: target quiet no longer answers: the agent gave no answer within 5 s" in done.stderr
    table = edgebench.load("results/s")
    # The first silent process may be a case's or a reference workload's; the same command measures what is MISSING.
    assert set(table.verdict) <= {"FAILED", "MISSING"} and "MISSING" in set(table.verdict)
    assert table.reasons.str.contains("gave no answer within . s").all(), table.reasons


def board_at(address: str) -> Target:
    return Target(name="quiet", board="b", connection="ssh", runtimes=("null",), address=address, python=sys.executable)


@pytest.mark.slow
@needs_sshd
def test_a_board_that_accepts_the_connection_and_says_nothing_is_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ssh, "OPTIONS", ssh.OPTIONS | {"ConnectTimeout": "30"})
    monkeypatch.setattr(ssh, "LOGIN_S", 2.0)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(Unreachable, match="quiet at .* did not answer to the login within 2 s"):
            ssh.open(board_at(f"127.0.0.1:{port}"), bundle()[0])


@pytest.mark.slow
@needs_sshd
def test_a_board_whose_login_hangs_is_unreachable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ssh, "LOGIN_S", 4.0)
    with board(tmp_path / "board", "ForceCommand sleep 600") as there:
        monkeypatch.setenv("PATH", f"{there.folder}/bin{os.pathsep}{os.environ['PATH']}")
        with pytest.raises(Unreachable, match="quiet at board did not answer within 4 s"):
            ssh.open(board_at("board"), bundle()[0])

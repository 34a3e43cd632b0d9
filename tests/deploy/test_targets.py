"""`edgebench targets`: listed, checked and prepared, against this machine and a real sshd."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from edgebench.deploy.bundle import bundle
from edgebench.deploy.targets import catalogue
from tests.support.board import board, missing
from tests.support.command import cli
from tests.support.interpreters import interpreter

needs_ssh = pytest.mark.skipif(bool(missing()), reason=f"needs {', '.join(missing())} (openssh-server)")
OLDEST = (3, 11)  # that README names


def targets(*arguments: str, path: str = "") -> subprocess.CompletedProcess[str]:
    before = os.environ["PATH"]
    return cli("targets", *arguments, PATH=f"{path}{os.pathsep}{before}" if path else before)


def rows(done: subprocess.CompletedProcess[str]) -> list[dict[str, str]]:
    assert done.returncode == 0, done.stderr
    found: list[dict[str, str]] = json.loads(done.stdout)["rows"]
    return found


def test_every_target_is_listed_with_how_it_is_reached() -> None:
    listed = {row["target"]: row for row in rows(targets("--format", "json"))}
    assert set(listed) == set(catalogue.targets()) - {"null"}
    assert {listed[name]["address"] for name in ("rpi3", "rpi4", "rpi5", "rpi_zero2w")} == {"--address user@host"}
    assert listed["cpu"]["address"] is None


@pytest.mark.lengthy
def test_this_machine_is_checked() -> None:
    found = {row["subject"]: row["found"] for row in rows(targets("check", "cpu", "--format", "json"))}
    assert found["Python"].endswith(".".join(map(str, sys.version_info[:3])))
    assert found["runtime null"] == "1, installed there"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("check", "rpi44"), "no target 'rpi44'"),
        (("check", "rpi4"), "target rpi4 has no address; use --address user@host"),
        (("check", "cpu", "--address", "pi@board"), "target cpu is reached without an address; leave --address out"),
        (("check", "cpu", "--format", "xml"), "no format 'xml'"),
        (("prepare", "cpu"), "target cpu uses what is installed on this machine; install a runtime with pip"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(arguments: tuple[str, ...], said: str) -> None:
    done = targets(*arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.slow
@needs_ssh
def test_a_board_is_checked_and_prepared_once(tmp_path: Path) -> None:
    with board(tmp_path / "board") as there:
        text = f'board = "here"\nconnection = "ssh"\nruntimes = ["onnxruntime", "null"]\npython = "{there.python}"\n'
        Path("targets").mkdir()
        Path("targets/loop.toml").write_text(text)
        reached = ("loop", "--address", there.address, "--format", "json")
        found = {row["subject"]: row["found"] for row in rows(targets("check", *reached, path=f"{there.folder}/bin"))}
        assert found["answers in"].endswith("s, a fresh process each time")
        asked = ("--runtime", "onnxruntime==1.31.0", "--quiet")
        twice = [rows(targets("prepare", *reached, *asked, path=f"{there.folder}/bin")) for _ in range(2)]
        assert twice[0] == twice[1]
        (brought,) = twice[0]
        assert brought["version"] == "1.31.0"
        assert "onnxruntime==1.31.0" in brought["packages"]
        assert Path(brought["folder"]).is_dir()
        assert Path(brought["folder"]).parent == there.cache
        refused = targets("prepare", *reached, "--runtime", "litert", path=f"{there.folder}/bin")
        assert (refused.returncode, "no runtime of target loop 'litert'" in refused.stderr) == (2, True)


@pytest.mark.slow
@pytest.mark.parametrize("version", [(3, 9), (3, 10), (3, 11)])  # later ones: tests/test_pythons.py
def test_the_agent_answers_on_the_oldest_python_and_says_so_on_older_ones(version: tuple[int, int]) -> None:
    python = interpreter(name := f"{version[0]}.{version[1]}")
    if not python:
        pytest.skip(f"no Python {name} on this machine")
    request = json.dumps({"do": "facts", "runtimes": ["null"]})
    done = subprocess.run([python, "-I", bundle()[0]], input=request, capture_output=True, text=True, check=False)
    answer = json.loads(done.stdout.partition("edgebench-answer ")[2])
    if version >= OLDEST:
        assert answer["value"]["runtimes"]["null"]["version"] == "1"
    else:
        assert answer["error"].startswith(f"wanted Python 3.11 or newer on the target, found {name}; install one")

"""Every command in every surrounding that a shell, a container or a full disk makes: an answer or one line."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import forks
from tests.support.command import cli

WORLD = Path(__file__).parents[1] / "support" / "world.c"
NULL = (
    "--model null --runtime null --dataset null --weights none --resolution 1 --target null --preset quick"
    " --precision fp32"
)
LONG = "n" * 240
COMMANDS = (
    "--help",
    "--version",
    "run --help",
    f"run {NULL} --name a",
    f"run {NULL} --name b --batch 2",
    f"run {NULL} --name a --json",
    f"run {NULL} --dry-run",
    f"run {NULL} --name {LONG}",
    "weights",
    "report results/a",
    "report results/a --json",
    "report results/a --format csv",
    "report results/a --format latex",
    "report results/a --format md",
    f"report {LONG}",
    "figures results/a",
    "describe mobilenet_v1",
    "choose results/a --max-p90 1ms",
    "choose results/a --max-p90 1ms --json",
    "compare results/a results/a",
    "predict results/a",
    "lint results/a/comparison.csv",
    "published",
    "published --format csv --table accuracy",
    "published --format json",
    "guide",
    "guide results",
    "targets",
    "targets check null",
    f"targets check {LONG}",
    "nightly report results/nightly",
    "nightly replay results/nightly",
    "nightly accept results/nightly --reason r",
    "evaluate x",
    "report nowhere",
    "not-a-command",
)
CODES = (0, 1, 2, 3)
STREAMS = {
    "plain": {},
    "stdout closed": {"1": "closed"},
    "stderr closed": {"2": "closed"},
    "both closed": {"1": "closed", "2": "closed"},
    "stdout full": {"1": "full"},
    "stderr full": {"2": "full"},
    "stdout a closed pipe": {"1": "pipe"},
    "both a closed pipe": {"1": "pipe", "2": "pipe"},
}
TERMINALS = {"20 columns": "20", "1 column": "1", "no columns": "0", "no number": "wide"}
ENCODINGS = {
    "ASCII": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "Latin-1": {"PYTHONIOENCODING": "latin-1"},
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not shutil.which("gcc"):
        pytest.skip("needs gcc")
    library = tmp_path_factory.mktemp("world") / "world.so"
    subprocess.run(["gcc", "-O1", "-shared", "-fPIC", WORLD, "-ldl", "-o", library], check=True)
    return library


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory, shared_cache: Path) -> Path:
    """Make a results folder and a history to ask about."""
    from edgebench.nightly import history
    from tests.support.nights import quiet_history

    place = tmp_path_factory.mktemp("measured")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        patch.setenv("EDGEBENCH_CACHE", str(shared_cache))
        patch.setenv("EDGEBENCH_LOCK", str(place / "lock"))
        assert cli("run", *NULL.split(), "--name", "a").returncode == 0
        for night in quiet_history(2).nights:
            history.write_night(Path("results/nightly"), night)
    return place / "results"


@pytest.fixture
def measured(place: Path, results: Path) -> Path:
    """A folder with results of its own."""
    shutil.copytree(results, place / "results")
    return place


Job = dict[str, object]
Answer = tuple[int, str, str]


def job(command: str, streams: dict[str, str], environment: dict[str, str]) -> Job:
    return {"arguments": command.split(), "streams": streams, "environment": environment}


def answers(jobs: list[Job], **environment: str) -> list[Answer]:
    """Run every job in a fork of one process."""
    Path("jobs.json").write_text(json.dumps(jobs))
    subprocess.run(
        [sys.executable, forks.__file__], env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)} | environment,
        check=True,
    )  # fmt: skip
    return [(code, out, err) for code, out, err in json.loads(Path("answers.json").read_text())]


def wrong(answer: Answer, streams: dict[str, str]) -> str:
    """Say what is wrong with an answer; empty if nothing is."""
    code, out, err = answer
    if "Traceback" in out + err or "Exception ignored" in err or code not in CODES:
        return f"exit {code}: {(err or out).strip()[-400:]}"
    if streams.get("1") == "pipe" and code == 1:
        return "exit 1: as if some case had failed"
    if code == 2 and "2" not in streams and not err.strip():
        return "exit 2 without a line"
    if streams.get("1") == "full" and code not in (2, 3) and "2" not in streams:
        return f"exit {code}, though the answer was lost"
    return ""


def all_wrong(jobs: list[Job], got: list[Answer]) -> list[str]:
    faults = []
    for each, answer in zip(jobs, got, strict=True):
        if fault := wrong(answer, each["streams"]):  # type: ignore[arg-type]
            faults.append(f"{' '.join(each['arguments'])[:60]} {each['streams']}: {fault}")  # type: ignore[arg-type]
    return faults


@pytest.mark.slow
def test_streams_and_terminals(measured: Path) -> None:
    jobs = [job(command, streams, {}) for streams in STREAMS.values() for command in COMMANDS]
    jobs += [job(command, {}, {"COLUMNS": columns}) for columns in TERMINALS.values() for command in COMMANDS]
    assert all_wrong(jobs, answers(jobs)) == []


@pytest.mark.slow
@pytest.mark.parametrize("environment", ENCODINGS.values(), ids=ENCODINGS)
def test_encodings(environment: dict[str, str], measured: Path) -> None:
    jobs = [job(command, {}, {}) for command in COMMANDS]
    got = answers(jobs, **environment)
    assert all_wrong(jobs, got) == []
    for each, (code, out, _) in zip(jobs, got, strict=True):
        if "json" in str(each["arguments"]) and code == 0:
            json.loads(out)


@pytest.mark.slow
@pytest.mark.parametrize("folder", ["results", "cache"])
def test_folders_that_cannot_be_written(folder: str, measured: Path, world: Path, shared_cache: Path) -> None:
    place = measured / "results" if folder == "results" else shared_cache
    jobs = [job(command, {}, {"READ_ONLY": str(place)}) for command in COMMANDS]
    got = answers(jobs, LD_PRELOAD=str(world))
    assert all_wrong(jobs, got) == []
    by_command = {" ".join(map(str, each["arguments"])): answer for each, answer in zip(jobs, got, strict=True)}  # type: ignore[call-overload]
    for command in ("report results/a", "compare results/a results/a", "nightly report results/nightly"):
        assert by_command[command][0] == 0, by_command[command]
        assert by_command[command][1]
        assert ("cannot write" in by_command[command][2]) == (folder == "results" and "report" in command)
    if folder == "cache":
        assert by_command[f"run {NULL} --name a"][0] == 0

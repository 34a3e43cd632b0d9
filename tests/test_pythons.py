"""Every Python that the project names: the wheel, the tests and the agent run on each of them without torch."""

import json
import os
import subprocess
import sys
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from packaging.requirements import Requirement

from edgebench.agent.__main__ import MARK
from edgebench.deploy.bundle import bundle
from tests import ROOT
from tests.agent.test_agent import measuring
from tests.cli.test_docs import PROJECT, PYTHONS
from tests.support.interpreters import interpreter

OTHERS = [version for version in PYTHONS if version != f"{sys.version_info.major}.{sys.version_info.minor}"]
# Of the test extra: what brings or needs torch, and what no fast test starts.
LEFT_OUT = {"edgebench", "keras", "mypy", "pandas-stubs", "playwright", "ruff", "torch"}
# One process: the other core is busy with the other worker of this suite.
PYTEST = ("-m", "pytest", "-q", "-n", "0", "--assert=plain", "-p", "no:cacheprovider", "-m", "not slow")
NULL = "--target null --model null --runtime null --dataset null --weights none --precision fp32 --preset quick"
# Commands that need no torch, and their exit codes.
COMMANDS = {
    "--help": 0,
    "describe mobilenet_v2": 0,
    "describe --all": 0,
    "published": 0,
    "targets check cpu": 0,
    f"run {NULL} --resolution 1 --name bare": 0,
    "report results/bare": 0,
    f"lint {ROOT}/results/x86_vm": 1,  # it found something
    f"compare {ROOT}/results/x86_vm --published": 0,
    f"nightly replay {ROOT}/results/epyc_vm_nights": 0,
}


def named(version: str) -> str:
    if not (path := interpreter(version)):
        pytest.skip(f"no Python {version} on this machine")
    return path


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build it as a release is built."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(command, capture_output=True, check=True)
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="session", params=OTHERS)
def python(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Path:
    """Make an environment with the wheel and all that it needs but torch, of the pinned versions: half a minute."""
    folder = tmp_path_factory.mktemp(f"python{request.param}")
    subprocess.run([named(request.param), "-m", "venv", "--without-pip", folder], check=True)
    extras = PROJECT["optional-dependencies"]
    wanted = [*PROJECT["dependencies"], *extras["test"], *extras["figures"], *extras["keras"], "ai-edge-litert"]
    lines = [line for line in wanted if Requirement(line).name not in LEFT_OUT]
    pip = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python"), "install", "-q"]  # for all Pythons
    pip += ["--disable-pip-version-check", "--no-compile"]
    subprocess.run([*pip, "-c", str(ROOT / "constraints.txt"), *lines], check=True, capture_output=True)
    subprocess.run([*pip, "--no-deps", str(wheel)], check=True, capture_output=True)
    return folder / "bin" / "python"


def alone(python: Path, *arguments: str) -> CompletedProcess[str]:
    """Run a module with warnings as errors, of what is installed there and nothing else."""
    left_out = {"PYTHONPATH", "PYTHONDONTWRITEBYTECODE"}  # what a command imports is compiled by the first of them
    environment = {name: value for name, value in os.environ.items() if name not in left_out}
    return subprocess.run([python, *arguments], capture_output=True, text=True, env=environment, check=False)


@pytest.mark.slow
def test_the_wheel_alone_runs_every_command_that_needs_no_torch(python: Path, place: Path) -> None:
    for command, code in COMMANDS.items():
        done = alone(python, "-W", "error", "-m", "edgebench", *command.split())
        assert done.returncode == code, (command, done.stderr)
        assert done.stdout, command
    assert (place / "results" / "bare" / "runs.jsonl").exists()


@pytest.mark.slow
def test_the_doctor_says_that_torch_is_required_and_how_to_get_it(python: Path) -> None:
    done = alone(python, "-m", "edgebench", "doctor", "--json")
    document = json.loads(done.stdout)
    assert (done.returncode, document["is_healthy"]) == (1, False)
    (problem,) = (package for package in document["packages"] if package["problem"])
    assert (problem["name"], problem["problem"]) == ("torch", "required and not installed")
    assert problem["install"].startswith("pip install 'torch>=")
    runtimes = {one["name"]: one for one in document["abilities"] if one["kind"] == "runtime"}
    has_tflite_runtime = document["python"].startswith("CPython 3.11.")
    works = {"litert", "onnxruntime"} | ({"tflite_runtime"} if has_tflite_runtime else set())
    assert {name for name, one in runtimes.items() if not one["missing"]} == works
    assert runtimes["tflite_runtime"]["install"] == ""  # it is there, or there is none for this Python


@pytest.mark.slow
def test_the_tests_without_torch_pass(python: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A minute for each Python; what a test skips for want of torch it says."""
    monkeypatch.chdir(ROOT)
    monkeypatch.delenv("EDGEBENCH_CACHE")
    done = alone(python, *PYTEST)
    assert done.returncode == 0, done.stdout[-4000:]


@pytest.mark.slow
@pytest.mark.parametrize("version", PYTHONS)
def test_the_agent_measures_on_a_bare_python(version: str, place: Path) -> None:
    artifact = place / "null.json"
    artifact.write_text(json.dumps({"delay_s": 0.0, "classes": 3}))
    command = [named(version), "-I", "-S", str(bundle()[0])]
    for request in (measuring(str(artifact), iterations=20), {"do": "facts", "runtimes": ["null"]}):
        done = subprocess.run(command, input=json.dumps(request), capture_output=True, text=True, check=True)
        reply = json.loads(done.stdout.partition(MARK)[2])
        assert reply["ok"], reply
        if request["do"] == "measure":
            assert len(reply["value"]["samples_s"]) == 20
        else:
            assert reply["value"]["machine"]["python"].startswith(f"CPython {version}.")
            assert reply["value"]["runtimes"]["null"]["version"] == "1"

"""`edgebench doctor`: what works here, what is missing and how to get it, and nothing that names a machine."""

import json
import os
import platform
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from edgebench.analysis import doctor
from edgebench.foundation import files
from edgebench.foundation.shelf import load, names
from tests.conftest import needs_tflite_runtime
from tests.support.command import cli, process


def has(package: str) -> bool:
    try:
        return bool(version(package))
    except PackageNotFoundError:
        return False


@pytest.fixture(scope="module")
def answered(tmp_path_factory: pytest.TempPathFactory, tried_once: None) -> CompletedProcess[str]:
    return cli("doctor", "--json", EDGEBENCH_CACHE=str(tmp_path_factory.mktemp("cache")))


def abilities(document: Any) -> dict[tuple[str, str], Any]:
    return {(one["kind"], one["name"]): one for one in document["abilities"]}


@pytest.mark.slow
def test_a_whole_installation_is_exit_code_0_whatever_optional_is_missing(answered: CompletedProcess[str]) -> None:
    document = json.loads(answered.stdout)
    assert (answered.returncode, document["is_healthy"]) == (0, True), answered.stdout
    for package in document["packages"]:
        assert package["problem"] == ""
        assert bool(package["version"]) == (package["install"] == "")
        if not package["version"]:
            assert package["install"] == f"pip install 'edgebench[{package['extra']}]'"


@pytest.mark.slow
def test_it_is_one_document_of_version_1_with_numbers_as_numbers(answered: CompletedProcess[str]) -> None:
    document = json.loads(answered.stdout)
    assert document["version"] == 1
    assert {type(document[name]) for name in ("cache_bytes", "cache_files")} == {int}
    machine = document["machine"]
    assert {type(machine[name]) for name in ("cores", "usable_cores", "memory_bytes")} == {int}
    assert type(machine["isa"]) is list
    assert type(machine["is_virtual"]) is bool


@pytest.mark.slow
def test_every_runtime_and_format_of_the_shelves_is_there_and_works_if_its_packages_are(
    answered: CompletedProcess[str],
) -> None:
    found = abilities(json.loads(answered.stdout))
    for name in sorted({*names("runtimes")} - {"null"}):
        works = all(map(has, load("runtimes", name).NEEDS[:1]))
        assert (found["runtime", name]["missing"] == "") == works, found["runtime", name]
    for name in sorted({*names("formats")} - {"null"}):
        lacking = [tool for tool in load("formats", name).TOOLS if not has(tool)]
        assert found["format", name]["missing"] == ", ".join(lacking)


@pytest.mark.slow
def test_it_names_no_path_and_no_host(answered: CompletedProcess[str]) -> None:
    for private in (str(Path.home()), str(Path.cwd()), platform.node(), sys.prefix, "/tmp", "cache/"):
        assert private not in answered.stdout


@pytest.mark.slow
@needs_tflite_runtime
def test_tflite_runtime_beside_numpy_2_is_broken_and_exit_code_1(tmp_path: Path) -> None:
    """It can be imported there; it opens no file."""
    command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(tmp_path), "numpy==2.4.6"]
    subprocess.run(command, check=True, capture_output=True)
    path = os.pathsep.join(filter(None, (str(tmp_path), os.environ.get("PYTHONPATH"))))
    done = process("doctor", "--json", PYTHONPATH=path)
    document = json.loads(done.stdout)
    assert (done.returncode, document["is_healthy"]) == (1, False)
    broken = abilities(document)["runtime", "tflite_runtime"]
    assert broken["is_broken"]
    assert "cannot open files with numpy 2.4.6; install 'numpy<2', or use litert" in broken["missing"]
    (numpy,) = (package for package in document["packages"] if package["name"] == "numpy")
    assert numpy["problem"].startswith("wanted numpy<2")
    assert numpy["install"].startswith("pip install 'numpy<2")


def test_every_runtime_that_reads_files_without_torch_has_one_to_open() -> None:
    runtimes = [load("runtimes", name) for name in names("runtimes")]
    assert set(doctor.LEAST_FILES) == {each.FORMAT for each in runtimes if "torch" not in each.NEEDS} - {"null"}


@pytest.mark.lengthy
def test_what_a_broken_package_says_is_told_without_paths_of_this_machine() -> None:
    assert doctor._trial(doctor._IMPORT, "json") == ""
    assert doctor._trial(doctor._IMPORT, "no_such_module") == "ModuleNotFoundError: No module named 'no_such_module'"
    failing = doctor._GUARD.format(body="raise ImportError('/home/somebody/lib/libx.so: cannot open it')")
    assert doctor._trial(failing) == "ImportError: libx.so: cannot open it"
    assert doctor._trial("import os; os.abort()") == "ended by SIGABRT"


def test_what_the_system_lacks_is_one_line_of_apt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    ssh, qemu = doctor._connections()
    assert (ssh.missing, ssh.install) == ("openssh-client", "apt-get install openssh-client")
    assert qemu.missing.startswith("qemu-user, gcc")
    assert qemu.install.startswith("apt-get install qemu-user gcc")


def test_the_cache_is_added_up(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(files.HOME_VARIABLE, str(place / "cache"))
    assert doctor._cached() == []
    (files.folder("weights") / "w").write_bytes(bytes(1000))
    assert doctor._cached() == [1000]

"""Code that comes with data: a history's agent, targets and sweeps of a folder, pickles. None of it runs unseen."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from zipfile import ZipFile

import pytest

from edgebench import nightly
from edgebench.deploy.bundle import bundle
from edgebench.deploy.connections.local import Local
from edgebench.deploy.targets import catalogue
from edgebench.deploy.wheels import Platform
from edgebench.export.formats import null
from edgebench.foundation import cache
from edgebench.foundation.errors import CaseError, InvalidFile, RequestError
from edgebench.nightly import history, trust
from edgebench.nightly.arms import accepted_arm
from edgebench.nightly.night import Outcome, Pin
from edgebench.results.measurement.evidence import Evidence
from edgebench.schema.cards import Packages
from edgebench.schema.names import WEIGHTS_FILES
from edgebench.schema.runtime import Runtime
from edgebench.train import checkpoint
from tests import ROOT
from tests.conftest import artifact, case, session
from tests.nightly.test_nightly import HISTORY, run
from tests.support.board import missing
from tests.support.command import cli

pytestmark = pytest.mark.slow  # each input is opened in a process of its own

MARKER = "executed"
RUN = f"import pathlib; pathlib.Path({MARKER!r}).write_text('')\n"
PLATFORM = Platform(python="3.11", machine="x86_64", glibc="2.36")
needs_ssh = pytest.mark.skipif(bool(missing()), reason=f"needs {', '.join(missing())}")


def other_agent(place: Path, code: str = RUN) -> Path:
    """An agent that does something else before it answers."""
    path = place / "other.pyz"
    with ZipFile(bundle()[0]) as old, ZipFile(path, "w") as new:
        for name in old.namelist():
            text = old.read(name).decode()
            new.writestr(name, code + text if name == "__main__.py" else text)
    return path


def kept(path: Path) -> str:
    return history.keep_file(HISTORY, path, hashlib.sha256(path.read_bytes()).hexdigest())


def pin(place: Path, agent: Path, **changes: str) -> Pin:
    net = place / "net.onnx"
    net.write_bytes(b"net")
    fields = {"file": kept(net), "agent": kept(agent), "agent_sha256": hashlib.sha256(agent.read_bytes()).hexdigest()}
    card = artifact(sha256=hashlib.sha256(b"net").hexdigest())
    return Pin(case=case(), artifact=card, **(fields | changes))


def arm(of: Pin) -> object:
    """Install what a history says was accepted, and let it answer."""
    here = session()
    of = history.read_pin(HISTORY, history.write_pin(HISTORY, of))
    connection = Local(sys.executable, bundle()[0])
    installed = accepted_arm(HISTORY, of, Evidence(case=case(), session=here), connection, here)
    return installed.connection.run({"do": "facts", "runtimes": ["null"]}, timeout_s=60)


def test_an_agent_from_elsewhere_runs_only_once_it_is_accepted(place: Path) -> None:
    agent = other_agent(place)
    sha256 = hashlib.sha256(agent.read_bytes()).hexdigest()
    with pytest.raises(CaseError) as caught:
        arm(pin(place, agent))
    assert f"its own agent, {sha256[:12]}, which this installation did not make" in str(caught.value)
    assert f"edgebench nightly accept {HISTORY} --code {sha256[:12]} --reason" in str(caught.value)
    assert not (place / MARKER).exists()
    assert cli("nightly", "accept", str(HISTORY), "--code", sha256[:12]).returncode == 2  # without a reason
    done = cli("nightly", "accept", str(HISTORY), "--code", sha256[:12], "--reason", "our runner's")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"accepted code {sha256}: our runner's\n", "")
    assert arm(pin(place, agent))
    assert (place / MARKER).exists()


def test_an_acceptance_that_comes_with_the_history_counts_for_nothing(place: Path, tmp_path: Path) -> None:
    agent = other_agent(place)
    sha256 = hashlib.sha256(agent.read_bytes()).hexdigest()
    (HISTORY / "accepted").mkdir(parents=True)
    for name in (f"{sha256}.json", f"20260101T000000Z-{sha256}.json"):
        (HISTORY / "accepted" / name).write_text(json.dumps({"reason": "trust me"}))
    (HISTORY / "accepted-code").mkdir()
    (HISTORY / "accepted-code" / f"{sha256}.json").write_text("{}")
    with pytest.raises(CaseError, match="unknown code from a history is not run"):
        arm(pin(place, agent))


def test_a_pin_that_calls_another_agent_todays_runs_todays(place: Path) -> None:
    with pytest.raises(CaseError, match="unknown code from a history is not run"):
        arm(pin(place, other_agent(place), agent_sha256=session().environment.agent_sha256))
    assert not (place / MARKER).exists()


def test_what_an_earlier_version_of_this_installation_built_runs(place: Path) -> None:
    agent = other_agent(place, "# an earlier version\n")
    sha256 = hashlib.sha256(agent.read_bytes()).hexdigest()
    shutil.copy(agent, bundle()[0].with_name(f"edgebench-agent-{sha256[:16]}.pyz"))
    assert arm(pin(place, agent))


@pytest.mark.parametrize("field", ["agent", "file", "packages"])
@pytest.mark.parametrize("where", ["../out", "/etc/hostname", "../../out.pyz", ""])
def test_a_pin_names_only_files_of_its_history(field: str, where: str, place: Path) -> None:
    (HISTORY / "pinned").mkdir(parents=True)
    (HISTORY / "out").write_text("")
    of = replace(pin(place, other_agent(place)), **{field: where})  # type: ignore[arg-type]
    with pytest.raises((InvalidFile, CaseError, RequestError)):
        arm(of)
    assert not (place / MARKER).exists()


def test_a_pin_that_was_changed_is_damaged(place: Path) -> None:
    name = history.write_pin(HISTORY, pin(place, bundle()[0]))
    path = HISTORY / "pinned" / f"{name}.pin.json"
    path.write_text(path.read_text().replace('"threads":1', '"threads":2'))
    with pytest.raises(InvalidFile, match="is damaged"):
        history.read_pin(HISTORY, name)


def test_packages_from_elsewhere_run_only_once_they_are_accepted(place: Path) -> None:
    archive = place / "packages.zip"
    with ZipFile(archive, "w") as packed:
        packed.writestr("engine.py", RUN)
    sha256 = Path(kept(archive)).stem
    runtime = Runtime(name="null", version="1")
    with pytest.raises(CaseError, match=f"its own packages of null, {sha256[:12]}, which this installation did not"):
        trust.require_packages(HISTORY, sha256, runtime, PLATFORM)
    nightly.accept_code(HISTORY, sha256[:12], "ours")
    trust.require_packages(HISTORY, sha256, runtime, PLATFORM)


def test_packages_that_pip_brought_here_run(place: Path) -> None:
    def made(path: Path) -> Packages:
        with ZipFile(path, "w") as packed:
            packed.writestr("engine.py", "")
        return Packages(file="", sha256="", size_bytes=1, packages=())

    card = cache.keep("here", ".zip", Packages, made)
    trust.require_packages(HISTORY, card.sha256, Runtime(name="null", version="1"), PLATFORM)


@pytest.mark.parametrize("code", ["", "0123", "f" * 64, "../../x", "*", "0" * 11])
def test_code_that_is_not_there_cannot_be_accepted(code: str, place: Path) -> None:
    kept(other_agent(place))
    with pytest.raises(RequestError, match="wanted the hash of one agent or package in"):
        nightly.accept_code(HISTORY, code, "why not")


def test_damaged_code_cannot_be_accepted(place: Path) -> None:
    name = kept(other_agent(place))
    (HISTORY / "pinned" / name).write_bytes(b"cut")
    with pytest.raises(RequestError, match="is damaged; restore it"):
        nightly.accept_code(HISTORY, name[:12], "why not")


def test_a_night_whose_accepted_environment_has_code_from_elsewhere_is_invalid_until_it_is_accepted(
    place: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    first = run().night
    agent, (entry,) = other_agent(place), first.entries
    sent = history.read_pin(HISTORY, entry.pin)
    sent = replace(sent, agent=kept(agent), agent_sha256=Path(kept(agent)).stem)
    history.write_night(HISTORY, replace(first, entries=(replace(entry, pin=history.write_pin(HISTORY, sent)),)))
    monkeypatch.setattr(null, "write", lambda path, *_: path.write_text('{"delay_s":2e-4, "classes": 10}'))
    monkeypatch.setenv("EDGEBENCH_CACHE", str(tmp_path / "another"))
    second = run()
    (line,) = second.lines
    assert (line.entry.verdict, nightly.exit_code(second)) == (Outcome.INVALID, 3)
    code = Path(sent.agent).stem[:12]
    assert f"edgebench nightly accept {HISTORY} --code {code}" in line.entry.why
    assert not (place / MARKER).exists()
    nightly.accept_code(HISTORY, code, "ours")
    assert [line.entry.verdict for line in run().lines] == [Outcome.REGRESSION]


TARGET = 'board = "b"\nconnection = "{connection}"\nruntimes = ["null"]\n{more}'
NULL = ("--model", "null", "--resolution", "1", "--weights", "none", "--dataset", "null", "--runtime", "null")
SAID: dict[str, tuple[str, str, str]] = {  # by a target's file: its content, and the line
    "cpu": ("local", "", "targets/cpu.toml in this folder replaces the shipped target cpu"),
    "null": ("null", "", "targets/null.toml in this folder replaces the shipped target null"),
    "mine": ("local", f'python = "{sys.executable}"', f"in this folder runs {sys.executable} as its Python"),
}


@pytest.mark.parametrize("quiet", [(), ("--quiet",)])
@pytest.mark.parametrize("name", SAID)
def test_a_target_of_this_folder_that_changes_something_is_named_before_it_runs(
    name: str, quiet: tuple[str, ...], place: Path
) -> None:
    connection, more, words = SAID[name]
    (place / "targets").mkdir()
    (place / "targets" / f"{name}.toml").write_text(TARGET.format(connection=connection, more=more))
    done = cli("run", "--target", name, "--preset", "quick", "--dry-run", *NULL, *quiet)
    assert done.returncode == 0, done.stderr
    assert words in done.stderr.splitlines()[0]
    assert done.stderr.count("in this folder") == 1
    assert words in cli("targets", "check", name).stderr
    assert cli("targets").stderr == ""  # nothing runs


def test_a_target_of_this_folder_that_changes_nothing_is_no_news(place: Path) -> None:
    (place / "targets").mkdir()
    (place / "targets" / "mine.toml").write_text(TARGET.format(connection="local", more=""))
    assert cli("targets", "check", "mine").stderr == ""


def test_in_a_checkout_the_shipped_targets_are_the_shipped_ones(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    for name in catalogue.targets():
        catalogue.chosen(name)
    assert capsys.readouterr().err == ""


def test_a_sweep_of_this_folder_that_stands_for_a_shipped_one_is_named(place: Path) -> None:
    (place / "sweeps").mkdir()
    text = 'targets = ["null"]\nruntimes = ["null"]\nweights = "none"\ndataset = "null"\nprecisions = ["fp32"]\n'
    text += 'resolutions = [1]\n[[models]]\nname = "null"\n'
    for name in ("default", "mine"):
        (place / "sweeps" / f"{name}.toml").write_text(text)
    done = cli("run", "--dry-run")
    assert "sweeps/default.toml in this folder replaces the shipped sweep default\n" in done.stderr
    assert "in this folder" not in cli("run", "mine", "--dry-run").stderr


def test_python_that_a_sweeps_file_names_is_named_before_it_runs(place: Path) -> None:
    (place / "nets.py").write_text(RUN)
    (place / "sent.toml").write_text('targets = ["cpu"]\n[[models]]\nname = "nets.py:build"\n')
    done = cli("run", "sent.toml", "--dry-run")
    assert done.stderr.startswith("edgebench: sent.toml runs the Python code nets.py:build\n")


@needs_ssh
@pytest.mark.parametrize(
    "address", ["-oProxyCommand=touch executed", "-oProxyCommand=touch executed:22", "-F/dev/null"]
)
def test_an_address_is_never_an_option_of_ssh(address: str, place: Path) -> None:
    (place / "targets").mkdir()
    more = f"address = {json.dumps(address)}"
    (place / "targets" / "mine.toml").write_text(TARGET.format(connection="ssh", more=more))
    done = cli("targets", "check", "mine")
    assert done.returncode == 2
    assert done.stderr.splitlines()[0].endswith(f"connects to {address}")
    assert not (place / MARKER).exists()


class Calls:
    """A pickle that calls a function as soon as it is read."""

    def __init__(self, function: Callable[..., object], *arguments: object) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return self.call


PAYLOADS: dict[str, object] = {
    "system": Calls(os.system, f"touch {MARKER}"),
    "open": Calls(open, MARKER, "w"),
    "exec": Calls(exec, RUN),
    "eval": Calls(eval, f"open({MARKER!r}, 'w')"),
    "getattr": Calls(getattr, Calls(__import__, "os"), "system"),
    "in a list": [Calls(open, MARKER, "w")],
    "as a key": {Calls(open, MARKER, "w"): 1},
}
WRAPPINGS: dict[str, Callable[[object], object]] = {
    "alone": lambda payload: payload,
    "as a tensor": lambda payload: {"conv1.weight": payload},
    "in a state dict": lambda payload: {"state_dict": {"conv1.weight": payload}},
    "beside it": lambda payload: {"model": {}, "note": payload},
}


@pytest.mark.parametrize("suffix", [suffix for suffix in WEIGHTS_FILES if suffix != ".safetensors"])
@pytest.mark.parametrize("wrapping", WRAPPINGS)
@pytest.mark.parametrize("payload", PAYLOADS)
def test_no_pickle_of_weights_runs(payload: str, wrapping: str, suffix: str, place: Path) -> None:
    import torch

    content = WRAPPINGS[wrapping](PAYLOADS[payload])
    for number, file in enumerate(_pickles(place, suffix)):
        if number < 2:
            file.write_bytes(pickle.dumps(content, protocol=(2, 4)[number]))
        else:
            torch.save(content, file, _use_new_zipfile_serialization=number == 2)
        with pytest.raises(RequestError) as caught:
            checkpoint.adopt(str(file), "lenet5", 1.0, 32)
        assert "\n" not in str(caught.value)
        assert not (place / MARKER).exists()


def _pickles(place: Path, suffix: str) -> Iterator[Path]:
    yield from (place / f"net{number}{suffix}" for number in range(4))

"""The whole program on the null shelf in seconds, and on real networks where `slow` allows it; every fault provoked."""

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

import edgebench
from edgebench import deploy
from edgebench.deploy.connections import Connection
from edgebench.deploy.locking import locked
from edgebench.deploy.targets import catalogue
from edgebench.foundation import cache
from edgebench.results import folders
from edgebench.results.journal import JOURNAL, Journal
from edgebench.schema.case import Purpose
from edgebench.schema.record import Run
from edgebench.schema.target import THIS_MACHINE, Target
from tests import GOLDEN
from tests.support.command import EDGEBENCH, cli
from tests.support.passing_on import PASS_ON

NULL = ("--model", "null", "--runtime", "null", "--dataset", "null", "--weights", "none", "--resolution", "1")
SMALL = ("--model", "mobilenet_v1", "--width", "0.25", "--resolution", "32", "--weights", "random", "--preset", "quick")


def runs(name: str) -> list[Run]:
    return [record for record in Journal(Path("results") / name) if isinstance(record, Run)]


@pytest.mark.slow
def test_the_null_sweep_goes_through_the_whole_pipeline() -> None:
    done = cli("run", "--target", "cpu", "--preset", "quick", *NULL)
    assert done.returncode == 0, done.stderr
    table = edgebench.load("results/null")
    assert len(table) == 2
    assert (table.top1 == 100).all()
    assert (table.p50_ms < 0.1).all()
    assert table.agreement.tolist()[table.precision.tolist().index("int8")] == 100


@pytest.mark.slow
def test_a_second_run_measures_nothing_and_says_so_at_once() -> None:
    arguments = ("run", "--target", "null", "--preset", "quick", *NULL)
    cli(*arguments)
    before = Journal(Path("results/null")).path.read_bytes()
    again = cli(*arguments)
    assert again.returncode == 0
    assert "nothing to measure on null: 2 cases are complete" in again.stderr
    assert Journal(Path("results/null")).path.read_bytes() == before


@pytest.mark.slow
def test_more_cases_under_the_same_name_add_to_the_journal() -> None:
    arguments = ("run", "--target", "null", "--preset", "quick", "--name", "mine", *NULL)
    cli(*arguments, "--precision", "fp32")
    first = runs("mine")
    cli(*arguments, "--batch", "1,2", "--precision", "fp32")
    assert runs("mine")[: len(first)] == first
    assert len(edgebench.load("results/mine")) == 2


@pytest.mark.slow
def test_killed_in_the_middle_the_same_command_goes_on_and_loses_no_run() -> None:
    arguments = ("run", "--target", "cpu", "--preset", "quick", "--name", "killed", *NULL)
    with subprocess.Popen([*EDGEBENCH, *arguments], stderr=subprocess.DEVNULL, start_new_session=True) as process:
        wait_for(lambda: len(runs("killed")) >= 4, process)
        os.killpg(process.pid, signal.SIGKILL)
    survived = runs("killed")
    done = cli(*arguments)
    assert done.returncode == 0, done.stderr
    after = runs("killed")
    assert after[: len(survived)] == survived
    assert edgebench.load("results/killed").processes.tolist() == [3, 3]


@pytest.mark.slow
def test_interrupted_it_shows_what_there_is_and_exits_130() -> None:
    arguments = ("run", "--target", "cpu", "--name", "stopped", *NULL)
    with heeding_interrupts():
        process = subprocess.Popen([*EDGEBENCH, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with process:
        wait_for(lambda: len(runs("stopped")) >= 4, process)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=600)
    assert process.returncode == 130
    assert err.splitlines()[-1].startswith("interrupted: the table shows the cases measured so far")
    assert "null 1 @1" in out
    assert "Traceback" not in err
    assert Path("results/stopped/comparison.md").exists()


@contextmanager
def heeding_interrupts() -> Iterator[None]:
    """Start processes that heed SIGINT even where this one ignores it, as one started in the background does."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def wait_for(condition: object, process: subprocess.Popen[str] | subprocess.Popen[bytes]) -> None:
    """Watch the journal grow; the bound only ends a hung test."""
    for _ in range(600):
        if condition():  # type: ignore[operator]
            return
        assert process.poll() is None, "it ended before it was to be stopped"
        time.sleep(0.1)
    raise AssertionError("the journal did not grow")


@contextmanager
def measuring(name: str) -> Iterator[subprocess.Popen[bytes]]:
    """A run on target `cpu` that is under way."""
    command = [*EDGEBENCH, "run", "--target", "cpu", "--name", name, *NULL]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        wait_for(lambda: len(runs(name)) >= 1, process)
        yield process
        process.kill()


@pytest.fixture
def connected(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The targets that were connected, in order."""
    names, connect = list[str](), deploy.connect

    def watched(target: Target) -> AbstractContextManager[tuple[Connection, str]]:
        names.append(target.name)
        return connect(target)

    monkeypatch.setattr(deploy, "connect", watched)
    return names


@pytest.mark.slow
def test_a_run_connects_to_each_target_once(connected: list[str]) -> None:
    done = cli("run", "--target", "null", "--preset", "quick", "--precision", "fp32", *NULL)
    assert (done.returncode, connected) == (0, ["null"]), done.stderr


@pytest.mark.lengthy
def test_a_machine_is_not_checked_while_another_command_measures_on_it(connected: list[str]) -> None:
    with locked(catalogue.target("cpu").machine, "target cpu"):
        done = cli("targets", "check", "cpu")
    assert (done.returncode, connected) == (2, [])
    assert done.stderr.startswith("edgebench: target cpu is in use by process ")


@pytest.mark.slow
def test_only_measuring_needs_the_lock(place: Path) -> None:
    own = {"EDGEBENCH_CACHE": str(place / "cache")}
    network = ("--target", "cpu", "--preset", "quick", "--precision", "fp32", *NULL)
    with locked(THIS_MACHINE, "target cpu"):
        assert cli("run", "--dry-run", *network, **own).returncode == 0
        assert not list((place / "cache").rglob("*.null*"))
        done = cli("run", *network, **own)
        assert done.returncode == 2
        assert f"target cpu is in use by process {os.getpid()} (" in done.stderr
        made = {path: path.stat().st_mtime_ns for path in (place / "cache" / "artifacts").iterdir()}
    assert made  # it was exported while another process measured
    assert not (place / "results" / "null").exists()
    assert cli("run", *network, **own).returncode == 0
    assert made == {path: path.stat().st_mtime_ns for path in (place / "cache" / "artifacts").iterdir()}


@pytest.mark.slow
def test_two_runs_on_one_target_at_once_are_refused() -> None:
    with measuring("first") as process:
        second = cli("run", "--target", "cpu", "--name", "second", *NULL)
    assert second.returncode == 2
    assert f"edgebench: target cpu is in use by process {process.pid}" in second.stderr


@pytest.mark.slow
def test_a_runtime_that_crashes_is_a_row_and_the_others_are_measured(place: Path) -> None:
    crashing = place / "python"  # dies on whatever concerns the int8 file, as a broken runtime would
    crashing.write_text(f'#!/bin/sh\nread -r request\ncase "$request" in *-int8-*) kill -SEGV $$ ;; esac\n{PASS_ON}')
    crashing.chmod(0o755)
    (place / "targets").mkdir()
    (place / "targets" / "fragile.toml").write_text(
        f'board = "fragile"\nconnection = "local"\npython = "{crashing}"\nruntimes = ["null"]\n'
    )
    done = cli("run", "--target", "fragile", "--preset", "quick", *NULL)
    assert done.returncode == 1
    table = edgebench.load("results/null").set_index("precision")
    assert table.verdict["fp32"] != "FAILED"
    assert table.verdict["int8"] == "FAILED"
    assert "measure: the agent was killed by SIGSEGV" in table.reasons["int8"]
    assert "evaluate: the agent was killed by SIGSEGV" in table.reasons["int8"]


@pytest.mark.slow
def test_a_real_network_is_measured_in_float_and_int8() -> None:
    done = cli("run", "--target", "cpu", *SMALL)
    assert done.returncode == 0, done.stderr
    table = edgebench.load("results/mobilenet_v1").set_index("precision")
    assert (table.p50_ms > 0.01).all()
    assert (table.peak_mib > table.model_mib).all()
    assert table.file_mib["int8"] < table.file_mib["fp32"]
    assert table.macs["fp32"] == table.macs["int8"] > 0
    assert table.top1.isna().all()
    assert table.reasons.str.contains("no accuracy: the weights are random").all()


@pytest.mark.slow
def test_a_damaged_artifact_is_made_again_with_a_word_about_it(place: Path) -> None:
    own = {"EDGEBENCH_CACHE": str(place / "cache")}
    arguments = ("run", "--target", "cpu", "--preset", "quick", "--precision", "fp32", *NULL)
    cli(*arguments, **own)
    (card,) = (place / "cache" / "artifacts").glob(f"*{cache.CARD}")
    card.with_name(card.name.replace(cache.CARD, ".json")).write_bytes(b"damaged")
    done = cli(*arguments, "--name", "again", **own)
    assert done.returncode == 0
    assert "was damaged; edgebench makes it again" in done.stderr
    assert edgebench.load("results/again").p50_ms.notna().all()


def test_a_torn_journal_is_read_and_reported(place: Path) -> None:
    golden = GOLDEN / JOURNAL
    (place / JOURNAL).write_bytes(golden.read_bytes()[:-30])
    assert any("incomplete line" in note for note in folders.read(place).notes)


def test_a_folder_without_a_journal_is_refused() -> None:
    done = cli("report", "nowhere")
    assert done.returncode == 2
    assert done.stderr == "edgebench: no runs.jsonl in nowhere: wanted a results folder such as results/default\n"


@pytest.mark.slow
def test_dry_run_lists_the_cases_and_measures_nothing(place: Path) -> None:
    done = cli("run", "--dry-run", "--target", "cpu")
    assert done.returncode == 0, done.stderr
    assert done.stdout.lstrip().startswith("cpu: 16 cases\n")
    time = r"(\d+ min )?\d\d? s"
    assert re.search(f"about {time} in all: {time} to train, export and evaluate, {time} to measure\n", done.stdout)
    assert list(place.iterdir()) == []


@pytest.mark.slow
def test_json_is_the_table_and_nothing_else() -> None:
    done = cli("run", "--target", "null", "--preset", "quick", "--json", "--quiet", *NULL)
    assert done.stderr == ""
    assert [row["precision"] for row in json.loads(done.stdout)["rows"]].count("int8") == 1


@pytest.mark.slow
def test_a_target_that_cannot_be_asked_refuses_the_whole_sweep_before_anything_runs(place: Path) -> None:
    (place / "targets").mkdir()
    (place / "targets" / "gone.toml").write_text(
        'board = "none"\nconnection = "local"\npython = "/nowhere/python"\nruntimes = ["null"]\n'
    )
    done = cli("run", "--target", "null,gone", "--preset", "quick", *NULL)
    assert done.returncode == 2
    assert done.stderr == (
        "edgebench: targets/gone.toml in this folder runs /nowhere/python as its Python\n"
        "edgebench: cannot start /nowhere/python: No such file or directory\n"
    )
    assert not (place / "results").exists()


@pytest.mark.slow
def test_two_names_of_this_machine_are_one_machine(place: Path) -> None:
    (place / "targets").mkdir()
    (place / "targets" / "other.toml").write_text('board = "b"\nconnection = "local"\nruntimes = ["null"]\n')
    with measuring("first"):
        second = cli("run", "--target", "other", "--name", "second", *NULL)
    assert second.returncode == 2
    assert second.stderr.startswith("edgebench: target other is in use by process")


@pytest.mark.slow
def test_a_case_that_failed_is_tried_again_and_what_ran_out_of_time_is_said(place: Path) -> None:
    (place / "targets").mkdir()
    flaky = place / "python"  # dies once
    flaky.write_text(
        '#!/bin/sh\nread -r request\ncase "$request" in *latency*runtime*)'
        f" [ -e {place}/died ] || {{ touch {place}/died; kill -SEGV $$; }} ;; esac\n"
        f"sleep 0.5; {PASS_ON}"  # too slow to be precise in time
    )
    flaky.chmod(0o755)
    (place / "targets" / "flaky.toml").write_text(
        f'board = "b"\nconnection = "local"\npython = "{flaky}"\nruntimes = ["null"]\n'
    )
    arguments = ("run", "--target", "flaky", "--time-limit", "6s", "--precision", "fp32", *NULL)
    assert cli(*arguments).returncode == 1
    again = cli(*arguments)
    assert again.returncode == 0, again.stderr
    assert "nothing to measure" not in again.stderr
    third = cli(*arguments)
    assert "1 of them ran out of time: continue them with a longer --time-limit" in third.stderr


@pytest.mark.slow
def test_a_sustained_run_comes_after_all_else_and_has_a_table_of_its_own() -> None:
    asked = ("run", "--target", "cpu", "--preset", "quick", "--name", "long", "--sustained", "2s", "--quiet", *NULL)
    done = cli(*asked)
    assert done.returncode == 0, done.stderr
    assert "sustained load" in done.stdout
    table = edgebench.load("results/long")
    assert (table.lasted_s >= 2.0).all()
    assert table.sustained_ms.gt(0).all()
    purposes = [run.purpose for run in runs("long")]
    assert purposes[-len(table) :] == ["sustained"] * len(table)
    assert purposes.count(Purpose.SUSTAINED) == len(table)
    again = cli(*asked)
    assert (again.returncode, len(runs("long"))) == (0, len(purposes))

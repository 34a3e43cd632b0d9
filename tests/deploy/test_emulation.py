"""A Pi without a board: what is made for it, what is counted there, and that no time of it is ever shown."""

import json
import os
import shlex
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import edgebench
from edgebench.agent import counter
from edgebench.deploy import emulation
from edgebench.deploy.bundle import bundle
from edgebench.deploy.connections import qemu
from edgebench.deploy.emulation import plugin
from edgebench.deploy.targets import catalogue
from edgebench.foundation.errors import AgentError, RequestError
from edgebench.results import measurement
from edgebench.results.journal import Journal
from edgebench.results.measurement.evidence import Evidence
from edgebench.results.measurement.verdict import Verdict
from edgebench.results.reports import comparison
from edgebench.results.table import rows
from edgebench.results.table.columns import flat
from edgebench.results.table.row import Row, Table
from edgebench.schema.case import Purpose
from edgebench.schema.record import Run, Session
from tests.conftest import artifact, case, run, session
from tests.support.board import board
from tests.support.board import missing as missing_for_ssh
from tests.support.command import cli
from tests.support.rows import changed

EMULATED = {"emulator": "qemu-aarch64", "counter": "yes", "machine": "aarch64"}
TIMES = ["load_ms", "first_ms", "p50_ms", "p50_low_ms", "p50_high_ms", "p90_ms", "model_mib", "peak_mib"]
LACKING = emulation.missing()
needs_qemu = pytest.mark.skipif(bool(LACKING), reason=f"needs {', '.join(LACKING)}")
needs_ssh = pytest.mark.skipif(bool(missing_for_ssh()), reason=f"needs {', '.join(missing_for_ssh())}")


def counted(*instructions: int, **changes: object) -> Run:
    return replace(run(), purpose=Purpose.INSTRUCTIONS, samples_s=(), instructions=instructions, **changes)  # type: ignore[arg-type]


def emulated(*, counter: str = "yes") -> Session:
    return session(emulator="qemu-aarch64", machine="aarch64", counter=counter)


def evidence(*runs: Run) -> Evidence:
    return Evidence(case=case(), session=emulated(), runs=runs, artifact=artifact())


def test_without_its_packages_they_are_named_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(RequestError) as caught:
        emulation.emulation()
    assert str(caught.value) == (
        "an emulated Pi needs qemu-user, gcc, apt, dpkg on a Debian or Ubuntu host, found all but qemu-user, gcc, apt,"
        " dpkg; use apt-get install qemu-user gcc apt dpkg"
    )


@pytest.mark.slow
def test_without_its_packages_nothing_is_run() -> None:
    done = cli("run", "--target", "rpi4_emulated", PATH="/nowhere")
    assert done.returncode == 2
    *notices, refusal = done.stderr.splitlines()
    assert len(notices) <= 1  # that the target answers slowly
    assert "qemu-user" in refusal


@pytest.mark.lengthy
@pytest.mark.skipif("gcc" in LACKING, reason="needs gcc")
def test_a_plugin_that_does_not_compile_is_a_reason(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = place / "counter.c"
    source.write_text("wrong")
    monkeypatch.setattr(plugin, "SOURCE", source)
    with pytest.raises(RequestError, match="wanted counter.c compiled, to count instructions; gcc said: .*error"):
        plugin.path(7)


def test_instructions_are_refused_where_nobody_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(counter.VARIABLE, raising=False)
    with pytest.raises(RuntimeError, match="wanted a count of instructions, found no file named by EDGEBENCH_COUNTER"):
        counter.reader()


def test_a_count_is_read_as_it_grows(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = place / "counter"
    file.write_bytes((5).to_bytes(8, "little"))
    monkeypatch.setenv(counter.VARIABLE, str(file))
    read = counter.reader()
    assert read() == 5
    with file.open("r+b") as stream:
        stream.write((7).to_bytes(8, "little"))
    assert read() == 7


def test_an_emulated_case_needs_counts_and_no_times() -> None:
    assert list(measurement.needed((), emulated())) == [Purpose.INSTRUCTIONS]
    assert list(measurement.needed((counted(1), counted(1)), emulated())) == []
    assert list(measurement.needed((), emulated(counter=""))) == []


def test_an_emulated_row_has_instructions_and_a_verdict_of_its_own() -> None:
    measured = measurement.summarize(evidence(counted(12, 10, 11), counted(10, 10, 12)))
    assert (measured.instructions, measured.verdict) == (10, Verdict.EMULATED)
    assert [reason.text for reason in measured.reasons] == ["emulated by qemu-aarch64: no times and no memory figures"]


def test_times_and_memory_that_an_emulator_did_give_are_not_shown() -> None:
    known = evidence(*(run(1e-3) for _ in range(6)), counted(10))
    row = rows.row(known, measurement.summarize(known))
    assert [flat(row)[name] for name in TIMES] == [None] * len(TIMES)
    assert (row.verdict, row.cost.instructions_m, row.standing.rank) == ("EMULATED", 1e-5, None)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"case": case(threads=2)}, "instructions are counted with 1 thread, not 2"),
        ({"session": emulated(counter="")}, "its instructions are not counted: no plugin was loaded"),
        ({"runs": (counted(1000), counted(1011))}, "instructions of processes differ by 1.1%"),
        ({"runs": ()}, "not measured: its session was interrupted before this case, or still runs"),
    ],
)
def test_what_a_reader_of_counts_must_know_is_a_reason(changes: dict[str, Any], text: str) -> None:
    known = replace(evidence(counted(1000)), **changes)
    assert text in [reason.text for reason in measurement.summarize(known).reasons]


def test_operators_left_in_float_are_claimed_only_where_they_were_looked_for() -> None:
    left = artifact(float_nodes=("Conv features.0",), integer_share=0.5)
    known = replace(evidence(counted(1)), artifact=left)
    row = rows.row(known, measurement.summarize(known))
    assert row.int8.integer_share is None
    assert "float" not in row.reasons


def test_a_table_has_the_column_only_where_some_row_counts() -> None:
    counting = evidence(counted(12_000_000))
    timing = Evidence(case=case(), session=session(), runs=tuple(run() for _ in range(6)), artifact=artifact())
    counted_row, timed_row = (rows.row(one, measurement.summarize(one)) for one in (counting, timing))
    apart = [counted_row, changed(timed_row, epoch="another")]
    with_counts, without = comparison.sheets(Table(title="t", rows=tuple[Row, ...](apart), notes=()))
    assert "12.00" in with_counts.rows[0]
    assert "Minstr" in with_counts.headings
    assert "Minstr" not in without.headings


@pytest.fixture
def pi() -> Iterator[qemu.Emulated]:
    opened = qemu.open(catalogue.target("rpi4_emulated"), bundle()[0])
    assert isinstance(opened, qemu.Emulated)
    yield opened
    opened.close()


@pytest.mark.slow
@needs_qemu
def test_the_emulated_pi_says_that_it_is_one(pi: qemu.Emulated) -> None:
    machine = pi.run({"do": "facts", "runtimes": ["null"]}, timeout_s=300)["machine"]
    assert machine.items() >= (EMULATED | {"isa": "asimd", "cpu": "Cortex-A72 of a Raspberry Pi 4"}).items()


@pytest.mark.slow
@needs_qemu
def test_an_emulated_process_that_hangs_is_killed_and_leaves_no_counter(pi: qemu.Emulated, place: Path) -> None:
    (place / "slow.json").write_text(json.dumps({"delay_s": 60.0, "classes": 2}))
    request = {
        "do": "measure", "purpose": "instructions", "runtime": "null", "path": str(place / "slow.json"), "threads": 1,
        "batch": 1, "options": [],
    }  # fmt: skip
    with pytest.raises(AgentError, match="no answer within 5 s and was killed"):
        pi.run(request, timeout_s=5)
    assert list(Path(pi._counters.name).iterdir()) == []


def answered(*arguments: str, name: str) -> Any:
    """The table of a run."""
    done = cli("run", "--resolution", "32", "--preset", "quick", "--name", name, *arguments)
    assert done.returncode == 0, done.stderr
    return edgebench.load(f"results/{name}")


@pytest.mark.slow
@needs_qemu
def test_the_emulated_pi_stands_beside_this_machine_in_one_table() -> None:
    table = answered("--target", "cpu,rpi4_emulated", "--model", "lenet5", name="both")
    here, there = (table[table.target == name].set_index("precision") for name in ("cpu", "rpi4_emulated"))
    assert here[TIMES].notna().all(axis=None)
    assert there[TIMES].isna().all(axis=None)
    assert there.verdict.tolist() == ["EMULATED", "EMULATED"]
    assert there.top1.to_dict() == pytest.approx(here.top1.to_dict(), abs=0.5)
    assert there.agreement["int8"] > 90
    assert there.instructions_m.gt(0).all()
    assert here.instructions_m.isna().all()
    text = Path("results/both/comparison.md").read_text()
    assert "all rows: emulated by qemu-aarch64: no times and no memory figures" in text


@pytest.mark.slow
@needs_qemu
def test_a_count_repeats_and_grows_with_the_multiply_adds() -> None:
    arguments = ("--target", "rpi4_emulated", "--model", "mobilenet_v1", "--precision", "fp32", "--weights", "random")
    first = answered(*arguments, "--width", "0.25,0.5", name="a").sort_values("macs")
    again = answered(*arguments, "--width", "0.25", name="b")
    assert first.instructions_m.is_monotonic_increasing
    # Some hundred instructions differ between processes, of 2 million here as of 12 million.
    assert again.instructions_m[0] == pytest.approx(first.instructions_m.iloc[0], abs=1e-3)
    purposes = {record.purpose for record in Journal(Path("results/a")) if isinstance(record, Run)}
    assert purposes == {Purpose.INSTRUCTIONS}


@pytest.mark.slow
@needs_qemu
@needs_ssh
def test_a_board_over_ssh_whose_processor_is_emulated_is_measured_like_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real way to a Raspberry Pi: ssh, what is pushed there, and an aarch64 agent that sees what it runs on."""
    where = tmp_path / "board"
    python = where / "emulated" / "python3"
    python.parent.mkdir(parents=True)
    command = shlex.join(emulation.emulation().command)
    python.write_text(f'#!/bin/sh\n{counter.VARIABLE}={where}/tmp/$$ exec {command} "$@"\n')
    python.chmod(0o755)
    with board(where, f'ForceCommand PATH={python.parent}:$PATH; eval "$SSH_ORIGINAL_COMMAND"') as there:
        monkeypatch.setenv("PATH", f"{there.folder}/bin{os.pathsep}{os.environ['PATH']}")
        table = answered(
            "--target", "rpi4", "--address", "board", "--model", "lenet5", "--precision", "fp32", name="far"
        )
        brought = {file.name[17:] for file in there.cache.iterdir()}
    assert {"lenet5", "onnxruntime", "edgebench"} <= {name.partition("-")[0] for name in brought}
    assert table.target.tolist() == ["rpi4"]
    assert table[TIMES].isna().all(axis=None)
    assert table.top1.gt(80).all()
    assert table.instructions_m.gt(0).all()
    assert table.reasons.str.contains("emulated by qemu-aarch64").all()

"""What counts as answered is what the table shows: of this machine, this artifact, and images read as today."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

import edgebench
from edgebench.measure.plan import state
from edgebench.measure.plan.state import Progress, case_states
from edgebench.results import folders
from edgebench.results.measurement import summarize
from edgebench.results.measurement.evidence import Evidence, gather
from edgebench.results.table.rows import row
from edgebench.schema.artifact import Artifact
from edgebench.schema.case import Purpose
from edgebench.schema.record import Failure, MemoryMarks, Record, Session
from tests.conftest import artifact, case, deployment, run, session
from tests.support.command import cli
from tests.support.passing_on import READ

X, Y = artifact(), artifact(sha256="f2")
MARKS = MemoryMarks(baseline_bytes=1, load_peak_bytes=1, loaded_bytes=1, run_peak_bytes=1)


def visit(id: str, epoch: str, took_s: float, of: Artifact = X) -> list[Record]:
    """A session that answers its case, on the machine that the epoch stands for."""
    at: dict[str, object] = {"session": id, "epoch": epoch, "artifact_sha256": of.sha256}
    timed = [run(took_s, started_at=f"2026-01-01T00:00:{number:02}", **at) for number in range(6)]
    weighed = [run(took_s, purpose=Purpose.MEMORY, samples_s=(), memory=MARKS, **at) for _ in range(2)]
    return [session(id=id, epoch=epoch), deployment(of, session=id, epoch=epoch), *timed, *weighed]


def failed(id: str, epoch: str) -> list[Record]:
    return [session(id=id, epoch=epoch), Failure(case=case(), session=id, epoch=epoch, stage="export", reason="full")]


def shown(records: list[Record], epoch: str) -> list[Evidence]:
    return [one for one in gather(records) if one.session.environment.epoch == epoch]


A, B = visit("s1", "e1", 1e-3), visit("s2", "e2", 9e-3)
MACHINES = {
    "A B": A + B,
    "B A": B + A,
    "A B A again": A + B + visit("s3", "e1", 1e-3),
    "A B, and A failed before": failed("s0", "e1") + A + B,
    "A B, and B failed after": A + B + failed("s3", "e2"),
    "A, and B failed": A + failed("s2", "e2"),
    "A, and B began": [*A, session(id="s2", epoch="e2")],
    "A and B in turns": [record for pair in zip(A, B, strict=True) for record in pair],
}
ARTIFACTS = {
    "X Y": A + visit("s2", "e1", 9e-3, Y),
    "X, then Y began": [*A, session(id="s2"), deployment(Y, session="s2")],
    "X, then it failed": A + failed("s2", "e1"),
}


@pytest.mark.parametrize("records", MACHINES.values(), ids=MACHINES)
def test_a_machine_that_is_answered_is_shown_its_own_numbers(
    records: list[Record], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state, "find", lambda *_: X)
    (known,) = case_states(session(id="now"), records)
    assert known.progress == Progress.SETTLED
    (mine,) = shown(records, "e1")
    assert summarize(mine).p50_s == 1e-3
    assert (*mine.runs, *mine.sustained) == known.runs


@pytest.mark.parametrize("records", [*MACHINES.values(), *ARTIFACTS.values()], ids=[*MACHINES, *ARTIFACTS])
@pytest.mark.parametrize("epoch", ["e1", "e2", "e3"])
@pytest.mark.parametrize("made", [X, Y], ids=["X", "Y"])
def test_nothing_is_answered_but_what_the_table_shows(
    records: list[Record], epoch: str, made: Artifact, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state, "find", lambda *_: made)
    (known,) = case_states(session(id="now", epoch=epoch), records)
    found = shown(records, epoch)
    is_shown = bool(found) and found[0].artifact == made and not found[0].failures and len(found[0].timed) >= 6
    assert (known.progress == Progress.SETTLED) == is_shown


@pytest.mark.parametrize("records", MACHINES.values(), ids=MACHINES)
def test_every_run_is_in_a_row_of_its_epoch_or_counted_as_left_out(records: list[Record]) -> None:
    found, runs = gather(records), [record for record in records if hasattr(record, "round")]
    assert sum(len(one.runs) + one.set_aside for one in found) == len(runs)
    assert all(record.epoch == one.session.environment.epoch for one in found for record in one.runs)
    assert len({row(one, summarize(one)).setup for one in found}) == len(found)


def test_an_epoch_that_answered_nothing_gives_way_to_one_that_did() -> None:
    (only,) = gather(failed("s1", "e1") + B)
    assert (only.session.environment.epoch, only.is_latest) == ("e2", True)
    assert [one.is_latest for one in gather(A + B)] == [False, True]


def test_half_a_batch_of_another_machine_says_nothing_of_a_whole() -> None:
    double = replace(case(), batch=2)
    both = (case(), double)

    def asked(id: str, epoch: str) -> Session:
        return session(*both, id=id, epoch=epoch)

    half: list[Record] = [asked("s1", "e1"), deployment(), run(1e-3)]
    whole: list[Record] = [
        asked("s2", "e2"),
        replace(deployment(epoch="e2"), case=double),
        run(2e-3, case=double, epoch="e2"),
    ]
    found = {(one.case.batch, one.session.environment.epoch): one for one in gather([*half, *whole])}
    assert found[2, "e2"].halved == ()
    whole.append(run(1e-3, case=case(), epoch="e2"))
    whole.insert(1, deployment(epoch="e2"))
    found = {(one.case.batch, one.session.environment.epoch): one for one in gather([*half, *whole])}
    assert len(found[2, "e2"].halved) == 1


BOARD = """#!{python}
import json, subprocess, sys
from pathlib import Path
mark = b"edgebench-answer "
process = subprocess.run([{python!r}, *sys.argv[1:]], input={read}.encode(), stdout=subprocess.PIPE)
*others, line = process.stdout.splitlines()
assert line.startswith(mark)
answer = json.loads(line[len(mark):])
name, slower = Path({machine!r}).read_text().split()
if "machine" in answer["value"]:
    answer["value"]["machine"]["cpu"] = "Machine-" + name
if answer["value"].get("samples_s"):
    samples = [float(slower)] * len(answer["value"]["samples_s"])
    answer["value"] |= {{"samples_s": samples, "wall_s": 1.01 * sum(samples)}}
print(mark.decode() + json.dumps(answer))
sys.exit(process.returncode)
"""


@pytest.mark.slow
def test_back_on_the_first_machine_the_table_shows_both_under_their_names(place: Path) -> None:
    board, machine = place / "board.py", place / "machine"
    board.write_text(BOARD.format(python=sys.executable, read=READ, machine=str(machine)))
    board.chmod(0o755)
    (place / "targets").mkdir()
    text = f'board = "b"\nconnection = "local"\nruntimes = ["null"]\npython = "{board}"\n'
    (place / "targets" / "two.toml").write_text(text)
    null = ("--model", "null", "--runtime", "null", "--dataset", "null", "--weights", "none", "--resolution", "1")
    for name, took_s in (("A", 1e-5), ("B", 1e-4), ("A", 1e-5)):
        machine.write_text(f"{name} {took_s}")
        done = cli("run", "--target", "two", "--preset", "quick", "--precision", "fp32", "--name", "e", *null)
        assert done.returncode == 0, done.stderr
    assert "nothing to measure on two (epoch " in done.stderr
    table = folders.read(Path("results/e"))
    took_ms = {row.setup.epoch: row.latency.p50_ms for row in table.rows}
    assert {round(ms or 0, 6) for ms in took_ms.values()} == {0.01, 0.1}
    epoch = done.stderr.partition("(epoch ")[2][:16]
    assert took_ms[epoch] == pytest.approx(0.01)
    (note,) = (note for note in table.notes if note.startswith(f"Machine two in epoch {epoch}, last measured "))
    assert "Machine-A" in note
    assert f"epoch {epoch}" in done.stdout
    assert edgebench.load("results/e").p50_ms.nunique() == 2
    kept, notes = folders.latest(Path("results/e"))
    assert [row.latency.p50_ms for row in kept.rows] == [pytest.approx(0.1)]
    assert notes == (f"e: 1 row of earlier environments left out, epoch {epoch}.",)

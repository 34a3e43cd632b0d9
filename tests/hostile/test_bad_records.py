"""A bad record is set aside and named, the rest is used; what `append` writes can be read; nothing is lost."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from math import inf, nan
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgebench.foundation.errors import InvalidFile, RequestError
from edgebench.results import folders, write_reports
from edgebench.results.journal import JOURNAL, MOST_BYTES, Journal
from edgebench.results.merge import SWEEP
from edgebench.results.repair import repair
from edgebench.schema.case import Purpose, Workload
from edgebench.schema.record import (
    Accuracy,
    Beats,
    Failure,
    MemoryMarks,
    Record,
    Reference,
    Run,
    SpotCheck,
    Stop,
    Window,
)
from edgebench.schema.sound import fault
from tests import ROOT
from tests.conftest import artifact, case, deployment, run, session
from tests.support.command import cli

WHOLE = (ROOT / "results/three_ways" / JOURNAL).read_bytes().splitlines(keepends=True)
RUNS = [line for line in WHOLE if b'"kind":"run"' in line][:30]
GOOD = [line for line in WHOLE if b'"kind":"run"' not in line or line in RUNS]
LATENCY = next(line for line in RUNS if b'"purpose":"latency"' in line and b'"kind":"mem' not in line).strip()


def changed(change: Callable[[dict[str, Any]], object], kind: str = "run") -> bytes:
    """Return the first line of a kind with a changed record."""
    line = json.loads(LATENCY if kind == "run" else next(line for line in GOOD if f'"kind":"{kind}"'.encode() in line))
    change(line["record"])
    return json.dumps(line, separators=(",", ":")).encode()


def put(**fields: Any) -> Callable[[dict[str, Any]], object]:
    return lambda record: record.update(fields)


def put_fact(**facts: str) -> Callable[[dict[str, Any]], object]:
    return lambda record: record["environment"]["facts"].update(facts)


def remembered(**marks: int) -> bytes:
    """Return the line of a memory process with other marks."""
    usual = {
        "baseline_bytes": 30 << 20,
        "load_peak_bytes": 60 << 20,
        "loaded_bytes": 50 << 20,
        "run_peak_bytes": 55 << 20,
    }
    return changed(put(purpose="memory", samples_s=[], beats=None, memory=usual | marks))


def conditioned(**facts: str) -> bytes:
    """Return the line of a latency process with further conditions."""
    return changed(lambda record: record["conditions"].update(facts))


# Times that are right, but would be sorted before earlier ones or after later ones, because texts are compared.
OTHER_TIMES = ("2026-11-22T05:00:01-10:00", "2026-11-23T05:00:01+14:00", "2026-11-22T15:00:01Z", "20261122T150001+0000")
FACTS = [
    *(("float_operators", text) for text in ("many", "-3", "1.5", "")),
    *(("integer_share", text) for text in ("x", "7", "-0.5", "nan")),
]

BAD: dict[str, bytes] = {
    "no JSON": b"{not json}",
    "half a line": LATENCY[:200],
    "a list": b"[1]",
    "a number": b"7",
    "null": b"null",
    "an object of something else": b'{"a": 1}',
    "no record": b'{"version":2}',
    "a record that is a text": b'{"version":2,"record":"x"}',
    "a later version": LATENCY.replace(b'"version":2', b'"version":3'),
    "a version in words": LATENCY.replace(b'"version":2', b'"version":"2"'),
    "a peak of 100 bytes while loading": remembered(load_peak_bytes=100),
    "a peak of 50 bytes while running": remembered(run_peak_bytes=50),
    "a model of fewer bytes than none": remembered(loaded_bytes=1),
    "samples in milliseconds": changed(lambda record: record.update(samples_s=[1e3 * s for s in record["samples_s"]])),
    "samples of a loop that took no time": changed(put(wall_s=0.0)),
    "an unknown kind": changed(put(kind="dream")),
    "an unknown key": changed(put(fps=3)),
    "a missing key": changed(lambda record: record.pop("samples_s")),
    "NaN": changed(put(load_s=nan)),
    "NaN among the samples": changed(put(samples_s=[0.001, nan])),
    "infinity": changed(put(wall_s=inf)),
    "null for a number": changed(put(load_s=None)),
    "a text for a number": changed(put(load_s="0.1")),
    "true for a number": changed(put(load_s=True)),
    "a negative time": changed(put(load_s=-1.0)),
    "a time of a thousand years": changed(put(load_s=1e300)),
    "samples of zero": changed(put(samples_s=[0.0], beats=None)),
    "no samples": changed(put(samples_s=[], beats=None)),
    "beats that do not fit": changed(put(beats={"workload": "w", "every": 0, "took_s": [1.0]})),
    "an unknown preset": changed(put(preset="fast")),
    "an unknown preset of a session": changed(put(preset="fast"), "session"),
    "a time that is none": changed(put(started_at="yesterday"), "session"),
    **{f"a time of the form {text}": changed(put(started_at=text), "session") for text in OTHER_TIMES},
    **{f"{fact} of {text}": conditioned(**{fact: text}) for fact, text in FACTS},
    "counts that do not add up": changed(
        put(parent_correct=500, only_parent=3, only_this=4, correct=502, images=600), "accuracy"
    ),
    "memory of a machine in words": changed(put_fact(memory_bytes="much"), "session"),
    "cores in words": changed(put_fact(usable_cores="two"), "session"),
    "a condition that is NaN": changed(lambda record: record["conditions"].update(swap_used_bytes_after="nan")),
    "no threads": changed(lambda record: record["case"].update(threads=0)),
    "a width of 0": changed(lambda record: record["case"]["variant"].update(width=0.0)),
    "more right than there are images": changed(put(correct=10**9), "accuracy"),
    "an agreement of 900 %": changed(put(agreement=9.0), "accuracy"),
    "a file of negative size": changed(lambda record: record["artifact"].update(size_bytes=-1), "deployment"),
    "deep": b'{"version":2,"record":' + b"[" * 200_000 + b"]" * 200_000 + b"}",
    "deep objects": b'{"version":2,"record":' + b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"}",
    "invalid UTF-8": LATENCY.replace(b"latency", b"lat\xff\xfe"),
    "half a surrogate": changed(put(session=chr(0xD800))),
    "zeros": b"\0" * 4096,
    "an integer of 5,000 digits": b'{"version":2,"record":' + b"9" * 5000 + b"}",
}  # fmt: skip


def journal_of(folder: Path, *lines: bytes) -> Journal:
    (folder / JOURNAL).write_bytes(b"".join(line.rstrip(b"\n") + b"\n" for line in lines))
    return Journal(folder)


@pytest.mark.lengthy
@pytest.mark.parametrize("kind", BAD)
def test_a_bad_line_is_set_aside_by_its_number_and_the_rest_is_used(kind: str, place: Path) -> None:
    whole = list(journal_of(place, *GOOD))
    journal = journal_of(place, *GOOD[:5], BAD[kind], *GOOD[5:])
    assert list(journal) == whole
    assert (journal.aside, journal.torn) == (1, 0)
    assert journal.reasons[0].startswith(f"{JOURNAL}:6: ") and "\n" not in journal.reasons[0]
    table = folders.read(place)
    (note,) = (note for note in table.notes if note.startswith("Set aside: 1 invalid line"))
    assert f"{JOURNAL}:6: " in note and "edgebench repair" in note


@pytest.mark.parametrize("kind", BAD)
def test_a_journal_of_nothing_else_is_refused_and_never_an_empty_table(kind: str, place: Path) -> None:
    journal_of(place, BAD[kind], b"{}")
    with pytest.raises(InvalidFile, match=rf"{JOURNAL}:1: .*none of its 2 lines can be read"):
        folders.read(place)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"".join(RUNS), "only 30 records whose session is not in the journal"),
        (changed(put(threads=1.5), "session") + b"\n" + RUNS[0], "unknown key|Unexpected"),
        (b"<!DOCTYPE html>", "found only an incomplete line; measure a sweep"),
        (b"[\n" + b",\n".join(line.strip() for line in GOOD) + b"\n]", f"the first is {JOURNAL}:2: line: Invalid JSON"),
    ],
)
def test_a_journal_without_a_case_is_refused_with_what_it_has_instead(content: bytes, words: str, place: Path) -> None:
    (place / JOURNAL).write_bytes(content)
    with pytest.raises(InvalidFile, match=words) as caught:
        folders.read(place)
    assert "\n" not in str(caught.value)


ANSWERS = (
    "choose FOLDER --target cpu",
    "compare FOLDER FOLDER",
    "compare FOLDER --published",
    "lint FOLDER",
    pytest.param("predict FOLDER --target cpu", marks=pytest.mark.slow),  # imports torch
    "take FOLDER:fp32",
    "why FOLDER:fp32",
    "export-script FOLDER:fp32",
)


@pytest.mark.parametrize("command", ANSWERS)
def test_an_answer_says_that_lines_are_invalid(command: str, place: Path) -> None:
    journal_of(place, *GOOD, BAD["samples in milliseconds"])
    (place / SWEEP).write_bytes((ROOT / "results/three_ways" / SWEEP).read_bytes())
    said = cli(*command.replace("FOLDER", str(place)).split())
    assert "1 invalid line of the journal left out" in " ".join((said.stdout + said.stderr).split())


def test_a_mark_that_an_editor_put_before_a_journal_loses_no_line(place: Path) -> None:
    whole = list(journal_of(place, *GOOD))
    journal = journal_of(place, b"\xef\xbb\xbf" + GOOD[0], *GOOD[1:])
    assert list(journal) == whole
    assert (journal.aside, journal.torn) == (0, 0)


@pytest.mark.lengthy
@pytest.mark.parametrize("kind", BAD)
def test_a_repair_writes_what_is_sound_and_keeps_the_original(kind: str, place: Path) -> None:
    whole = list(journal_of(place, *GOOD))
    damaged = journal_of(place, *GOOD[:5], BAD[kind], *GOOD[5:]).path.read_bytes()
    done = repair(place)
    assert (done.aside, done.kept) == (1, len(whole))
    assert done.original and done.original.read_bytes() == damaged
    assert list(Journal(place)) == whole and (place / JOURNAL).read_bytes() == b"".join(GOOD)
    assert repair(place).original is None


def test_a_second_repair_keeps_both_originals(place: Path) -> None:
    for number in (1, 2):
        damaged = journal_of(place, *GOOD, str(number).encode()).path.read_bytes()
        done = repair(place)
        assert done.original and done.original.name == f"{JOURNAL}.damaged-{number}"
        assert done.original.read_bytes() == damaged


def test_the_command_repairs_and_says_what_it_left_out(place: Path) -> None:
    (place / "x").mkdir()
    journal_of(place / "x", *GOOD, BAD["NaN"])
    done = cli("repair", "x")
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    assert f"set aside runs.jsonl:{len(GOOD) + 1}: record.run.load_s: Input should be a finite number" in done.stdout
    assert f"{len(GOOD)} valid records; 1 line left out; the original is x/runs.jsonl.damaged-1" in done.stdout
    again = cli("repair", "x")
    assert (again.returncode, again.stdout) == (0, f"x: {len(GOOD)} valid records; nothing was changed\n")


@pytest.mark.parametrize(
    "content", [b"", b"\n\n", LATENCY, b"".join(RUNS)], ids=["empty", "blank", "a run", "no session"]
)
def test_a_journal_without_a_session_is_no_empty_table(content: bytes, place: Path) -> None:
    (place / JOURNAL).write_bytes(content)
    with pytest.raises(InvalidFile, match="wanted a measured case in .*, found (none|only .* records?)"):
        folders.read(place)
    done = cli("report", str(place))
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1, done.stderr


def test_records_whose_session_was_lost_are_counted(place: Path) -> None:
    sessions = [number for number, line in enumerate(GOOD) if b'"kind":"session"' in line]
    assert len(sessions) > 1
    lost = GOOD[sessions[-1]]
    journal_of(place, *(line for line in GOOD if line != lost))
    assert any("of 1 session not in the journal" in note for note in folders.read(place).notes)


@pytest.mark.lengthy
def test_a_line_of_a_gibibyte_is_one_line_set_aside(place: Path) -> None:
    journal = journal_of(place, *GOOD)
    with journal.path.open("r+b") as stream:
        stream.truncate(journal.path.stat().st_size + 2**30)  # sparse: zeros that take no room
    with journal.path.open("ab") as stream:
        stream.write(b"\n" + GOOD[0])
    assert len(list(journal)) == len(GOOD)
    assert journal.aside == 1 and journal.reasons == [
        f"{JOURNAL}:{len(GOOD) + 1}: a line of 1024 MiB, wanted at most 64 MiB"
    ]
    assert MOST_BYTES == 64 * 2**20


def test_a_pipe_is_no_journal(place: Path) -> None:
    import os

    os.mkfifo(place / JOURNAL)
    with pytest.raises(InvalidFile, match="found a pipe or device"):
        list(Journal(place))


# What becomes of a journal while a run writes it.


def remove(path: Path) -> None:
    path.unlink()


def replace_by_empty(path: Path) -> None:
    path.with_name("new").touch()
    path.with_name("new").replace(path)


def replace_by_another(path: Path) -> None:
    path.with_name("new").write_bytes(b"".join(GOOD))
    path.with_name("new").replace(path)


def cut(path: Path) -> None:
    path.write_bytes(b"")


def cut_in_the_middle_of_a_line(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def remove_the_folder(path: Path) -> None:
    shutil.rmtree(path.parent)


MISHAPS = (remove, replace_by_empty, replace_by_another, cut, cut_in_the_middle_of_a_line, remove_the_folder)


@pytest.mark.parametrize("mishap", MISHAPS)
@pytest.mark.parametrize("when", ["between two records", "after the last"])
def test_what_happens_to_a_journal_during_a_run_loses_nothing(
    mishap: Callable[[Path], None], when: str, place: Path
) -> None:
    folder = place / "results"
    folder.mkdir()
    journal = Journal(folder)
    records: list[Record] = [session(), deployment(), run(round=1), run(round=2)]
    for number, record in enumerate(records):
        if when == "between two records" and number == 2:
            mishap(journal.path)
        journal.append(record)
    if when == "after the last":
        mishap(journal.path)
        journal.settle()
    read = list(Journal(folder))
    assert [record for record in records if record not in read] == []
    assert len(read) == len(records) + (len(GOOD) if mishap is replace_by_another else 0)
    assert "during the run" in journal.note and str(journal.path) in journal.note


def test_earlier_records_survive_a_removal_during_the_run(place: Path) -> None:
    before = journal_of(place, *GOOD)
    whole = list(before)
    journal = Journal(place)
    journal.append(session(id="later"))
    journal.path.unlink()
    journal.append(run(session="later"))
    assert len(list(Journal(place))) == len(whole) + 2


def test_an_untouched_journal_has_no_note(place: Path) -> None:
    journal = Journal(place)
    for number in range(3):
        journal.append(run(round=number))
    journal.settle()
    assert journal.note == "" and len(list(journal)) == 3


# What is appended can be read.

texts = st.text(max_size=20)
seconds = st.floats(0, 1e8)
positive = st.floats(1e-12, 1e8)
counts = st.integers(0, 2**53)
facts = st.dictionaries(texts, texts, max_size=3)


def runs() -> st.SearchStrategy[Run]:
    latency = st.builds(
        lambda samples_s, **more: run(samples_s=samples_s, **more),
        samples_s=st.lists(positive, min_size=1, max_size=9).map(tuple),
        start_s=seconds, load_s=seconds, first_s=seconds, wall_s=seconds, cpu_s=seconds,
        others_cpu=seconds, steal=st.floats(0, 1), conditions=facts, session=texts, epoch=texts,
        took_s=st.none() | seconds, opened_sha256=texts, runtime_files=texts, artifact_sha256=texts,
    )  # fmt: skip
    beaten = st.builds(
        lambda of, took_s, every: replace(
            of,
            samples_s=(1.0,) * (every * len(took_s)),
            beats=Beats(workload="b", every=every, took_s=(1.0, *took_s)),
        ),
        latency,
        st.lists(positive, min_size=1, max_size=5).map(tuple),
        st.integers(1, 5),
    )
    marks = st.builds(
        MemoryMarks, baseline_bytes=counts, load_peak_bytes=counts, loaded_bytes=counts, run_peak_bytes=counts
    )
    memory = st.builds(lambda memory: run(purpose=Purpose.MEMORY, samples_s=(), memory=memory), marks)
    windows = st.builds(Window, at_s=st.just(1.0), iterations=st.integers(1, 99), median_s=positive, conditions=facts)
    sustained = st.builds(
        lambda windows: run(purpose=Purpose.SUSTAINED, samples_s=(), windows=windows),
        st.lists(windows, min_size=1, max_size=3).map(tuple),
    )
    counted = st.builds(
        lambda instructions: run(purpose=Purpose.INSTRUCTIONS, samples_s=(), instructions=instructions),
        st.lists(st.integers(1, 2**60), min_size=1, max_size=5).map(tuple),
    )
    return st.one_of(latency, beaten, memory, sustained, counted)


accuracies = st.builds(
    Accuracy, case=st.just(case()), session=texts, epoch=texts, artifact_sha256=texts, dataset=texts,
    images=st.just(10), correct=st.integers(0, 10), agreement=st.none() | st.floats(0, 1),
    sqnr_db=st.none() | st.floats(-1e3, 1e3), made_by=texts,
    spot=st.none() | st.builds(SpotCheck, host=texts, images=st.just(3), agreed=st.integers(0, 3), difference=seconds),
)  # fmt: skip
deployments = st.builds(
    lambda made_by, took_s, size: deployment(artifact(made_by=made_by, took_s=took_s, size_bytes=size)),
    facts, st.dictionaries(texts, seconds, max_size=3), counts,
)  # fmt: skip
sessions = st.builds(
    lambda name, limit_s, **facts: session(id=name, limit_s=limit_s, **facts), texts, seconds, cpu=texts, governor=texts
)
records = st.one_of(
    runs(),
    accuracies,
    deployments,
    sessions,
    st.builds(Stop, session=texts, spent_s=seconds),
    st.builds(
        Failure,
        case=st.just(case()) | st.just(Reference(workload=Workload.COMPUTE, target="cpu")),
        session=texts,
        epoch=texts,
        stage=texts,
        reason=texts,
    ),
)


@pytest.mark.lengthy
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(records, min_size=1, max_size=3, unique_by=repr))
def test_what_is_appended_is_read(place: Path, appended: list[Record]) -> None:
    (place / JOURNAL).unlink(missing_ok=True)
    journal = Journal(place)
    for record in appended:
        if fault(record):
            with pytest.raises(RequestError, match="please report"):
                journal.append(record)
        else:
            journal.append(record)
    sound = [record for record in appended if not fault(record)]
    if sound:
        read = list(journal)
        assert [record for record in sound if record not in read] == [] and len(read) == len(sound)
    assert (journal.aside, journal.torn) == (0, 0)


UNSOUND: list[Record] = [
    run(load_s=nan),
    run(wall_s=inf),
    run(samples_s=(-1.0,)),
    run(samples_s=()),
    run(session=chr(0xD800)),
    Stop(session="s1", spent_s=nan),
    Failure(case=case(), session="s1", epoch="e1", stage="measure", reason="\udcff"),
]


@pytest.mark.parametrize("record", UNSOUND)
def test_what_could_not_be_read_is_not_appended(record: Record, place: Path) -> None:
    journal = Journal(place)
    journal.append(session())
    with pytest.raises(RequestError, match="cannot be kept in .*please report this as a bug") as caught:
        journal.append(record)
    assert "\n" not in str(caught.value)
    assert list(journal) == [session()]


# Any value in any place of a record leaves a table or one line, and no traceback.


def leaves(value: Any, way: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from leaves(inner, (*way, key))
    elif isinstance(value, list) and value:
        yield from leaves(value[0], (*way, 0))
    else:
        yield way


def with_value(line: dict[str, Any], way: tuple[str | int, ...], value: Any) -> bytes:
    line = json.loads(json.dumps(line))
    inner: Any = line
    for key in way[:-1]:
        inner = inner[key]
    inner[way[-1]] = value
    return json.dumps(line).encode()


SAMPLES: dict[str, dict[str, Any]] = {}
for _line in GOOD:
    _record = json.loads(_line)
    SAMPLES.setdefault(_record["record"]["kind"], _record)
WAYS = [(kind, way) for kind, line in SAMPLES.items() for way in leaves(line["record"], ("record",))]


VALUES: tuple[Any, ...] = (-1, 0, 10**18, 1e300, "", "x", None, [], {}, True)


@pytest.mark.slow
@pytest.mark.parametrize("kind", SAMPLES)
def test_any_value_anywhere_is_a_table_or_one_line(kind: str, place: Path) -> None:
    line = SAMPLES[kind]
    place_of = next(number for number, text in enumerate(GOOD) if json.loads(text) == line)
    for turn, way in enumerate(way for of, way in WAYS if of == kind):
        for value in (VALUES[turn % len(VALUES)], VALUES[(turn + 3) % len(VALUES)]):
            lines = [*GOOD[:place_of], with_value(line, way, value), *GOOD[place_of + 1 :]]
            journal_of(place, *lines)
            try:
                table = write_reports(place)[0]
            except InvalidFile:
                continue  # nothing is left to show; any other exception fails
            assert table.rows, (way, value)


def test_records_of_a_case_that_no_session_requested_are_counted_and_named(place: Path) -> None:
    def renamed(line: bytes) -> bytes:
        record = json.loads(line)
        record["record"]["case"]["variant"]["architecture"] = "mobilenet_v9"
        return json.dumps(record).encode()

    runs = [line for line in RUNS if b'"variant"' in line]
    journal_of(place, *[renamed(line) if line in runs else line for line in GOOD])
    notes = folders.read(place).notes
    assert any(note.startswith(f"Excluded: {len(runs)} records of cases that no session requested") for note in notes)
    assert any("mobilenet_v9" in note for note in notes)


def test_the_usual_marks_of_memory_are_sound(place: Path) -> None:
    journal = journal_of(place, *GOOD, remembered())
    assert len(list(journal)) == len(list(journal_of(place, *GOOD))) + 1
    assert journal.aside == 0

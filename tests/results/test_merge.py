"""Results folders joined: each record once, in any order, as often as wanted; what does not fit together is named."""

import json
import os
import resource
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from edgebench.foundation.lock import lock_folder
from edgebench.results import folders
from edgebench.results.journal import JOURNAL, Journal
from edgebench.results.merge import SWEEP, merge
from edgebench.schema.case import Case
from edgebench.schema.record import Record, Run, Session, Stop
from tests import GOLDEN
from tests.conftest import artifact, case, deployment, run, session, variant
from tests.support.command import cli

ALL = Path("results") / "all"
START = datetime.fromisoformat("2026-01-01T00:00:00.000+00:00")


def at(seconds: float) -> str:
    return (START + timedelta(seconds=seconds)).isoformat(timespec="milliseconds")


def records(id: str, *cases: Case, start_s: float = 0.0, median_s: float = 1e-3, epoch: str = "e1") -> list[Record]:
    """A session of a host: a file and three runs of each case, one second after the other."""
    made: list[Record] = [replace(session(*cases, id=id, epoch=epoch), started_at=at(start_s))]
    made += [replace(deployment(artifact(), session=id, epoch=epoch), case=each) for each in cases]
    made += [
        run(median_s, case=each, session=id, round=number, epoch=epoch, started_at=at(start_s + number))
        for number in (1, 2, 3)
        for each in cases
    ]
    return [*made, Stop(session=id, spent_s=3.0)]


def write(name: str, *lines: Record, sweep: str = 'targets = ["cpu"]\n') -> Path:
    folder = Path("results") / name
    folder.mkdir(parents=True)
    journal = Journal(folder)
    for record in lines:
        journal.append(record)
    (folder / SWEEP).write_text(sweep)
    return folder


def two_hosts() -> tuple[Path, Path]:
    return write("a", *records("s1", ONE)), write("b", *records("s2", TWO, start_s=60))


ONE, TWO, THREE = (case(variant(resolution=side)) for side in (32, 64, 96))


def state(folder: Path) -> dict[str, tuple[bytes, int]]:
    """The content of a folder's files, and when each was written."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path): (path.read_bytes(), path.stat().st_mtime_ns) for path in paths}


def test_the_merged_journal_has_every_record_once_and_the_folders_are_as_they_were() -> None:
    a, b = two_hosts()
    before = state(a), state(b)
    done = merge([a, b, a], "all")
    every = {*map(repr, Journal(a)), *map(repr, Journal(b))}
    assert sorted(map(repr, Journal(ALL))) == sorted(every)
    assert (done.records, done.new, done.aside, done.conflicts) == (len(every), len(every), 0, ())
    assert (state(a), state(b)) == before
    assert {record.id for record in Journal(ALL) if isinstance(record, Session)} == {"s1", "s2"}


def test_a_second_merge_changes_nothing() -> None:
    a, b = two_hosts()
    merge([a, b], "all")
    before = state(ALL)
    assert [merge(given, "all").new for given in ([a, b], [b], [ALL], [ALL, a])] == [0, 0, 0, 0]
    assert state(ALL) == before
    assert "nothing was changed" in cli("merge", str(a), str(b), "--name", "all").stdout


@pytest.mark.lengthy
def test_the_order_of_the_folders_has_no_effect_nor_has_merging_one_after_the_other() -> None:
    given = [*two_hosts(), write("c", *records("s3", THREE, start_s=30), *records("s0", TWO, start_s=-9))]
    merged = set[bytes]()
    for number, order in enumerate(permutations(given)):
        merge(order, f"all{number}")
        for folder in order:
            merge([folder], f"one_by_one{number}")
        merged |= {(Path("results") / f"{name}{number}" / JOURNAL).read_bytes() for name in ("all", "one_by_one")}
    assert len(merged) == 1


def test_a_journal_that_was_copied_during_its_run_is_completed() -> None:
    whole, (other, _) = records("s9", ONE, TWO, start_s=0.5), two_hosts()
    copies = [write(f"copy{count}", *whole[:count]) for count in (1, 4, len(whole))]
    merge(copies, "all")
    assert list(Journal(ALL)) == list(Journal(copies[-1]))
    merge([other, *copies], "all")
    assert len(list(Journal(ALL))) == len({*map(repr, whole), *map(repr, Journal(other))})


def test_a_shard_that_two_hosts_measured_keeps_both_sessions() -> None:
    a, b = write("a", *records("s1", ONE)), write("b", *records("s2", ONE, start_s=60, epoch="e2"))
    merge([a, b], "all")
    assert [(row.setup.epoch, row.latency.processes) for row in folders.read(ALL).rows] == [("e1", 3), ("e2", 3)]


@pytest.mark.parametrize("hours", [-1, 0, 1])
def test_a_clock_that_is_an_hour_off_changes_no_row(hours: int) -> None:
    a = write("a", *records("s1", ONE, median_s=1e-3))
    b = write("b", *records("s2", TWO, start_s=3600 * hours + 60, median_s=2e-3, epoch="e2"))
    rows = {row.setup.resolution: row for folder in (a, b) for row in folders.read(folder).rows}
    merge([a, b], "all")
    merged = {row.setup.resolution: row for row in folders.latest(ALL)[0].rows}
    assert [(merged[side].latency, merged[side].verdict) for side in (32, 64)] == [
        (rows[side].latency, rows[side].verdict) for side in (32, 64)
    ]


@pytest.mark.lengthy
def test_an_older_journal_is_written_in_todays_format() -> None:
    merge([GOLDEN], "all")
    merged, old = Journal(ALL), Journal(GOLDEN)
    assert list(merged) == list(old)
    assert (merged.older, old.older > 0) == (0, True)
    merge([GOLDEN, ALL], "all")
    assert list(merged) == list(old)


FORMATS: dict[str, Callable[[dict[str, Any]], str]] = {
    "with blanks": json.dumps,
    "indented by tabs": lambda line: json.dumps(line, separators=(",\t", ":\t")),
    "in another order": lambda line: json.dumps({"version": 2, "record": dict(reversed(line["record"].items()))}),
    "with other numbers": lambda line: json.dumps(line).replace("0.001,", "1e-3,"),
}


@pytest.mark.lengthy
@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("order", [*permutations("abc")])
def test_a_record_in_two_formats_is_one_record(format: str, order: tuple[str, ...]) -> None:
    a, b = two_hosts()
    lines = [json.loads(line) for line in (a / JOURNAL).read_text().splitlines()]
    other = write("c")
    (other / JOURNAL).write_text("".join(FORMATS[format](line) + "\n" for line in lines))
    assert (other / JOURNAL).read_bytes() != (a / JOURNAL).read_bytes()
    merge([Path("results") / name for name in order], "all")
    merge([a, b], "usual")
    assert (ALL / JOURNAL).read_bytes() == (Path("results") / "usual" / JOURNAL).read_bytes()
    assert [merge(given, "all").new for given in ([a], [other], [other, b])] == [0, 0, 0]


def unlike(changes: Callable[[Session], Session]) -> str:
    """What is said of two folders, if the session of the second one is changed."""
    first, *others = records("s2", TWO, start_s=60)
    assert isinstance(first, Session)
    (said,) = merge([write("a", *records("s1", ONE)), write("b", changes(first), *others)], "all").conflicts
    return said


def on(environment: Any, **changes: Any) -> Any:
    return replace(environment, **changes)


def test_another_machine_of_the_same_name_is_named() -> None:
    def other(of: Session) -> Session:
        return replace(of, environment=on(of.environment, facts=of.environment.facts | {"cpu": "Other"}))

    assert unlike(other) == (
        "target cpu: results/b was measured on a different machine than results/a: cpu Other, not Example"
    )


def test_other_memory_is_no_other_machine() -> None:
    first, *others = records("s2", TWO, start_s=60)
    assert isinstance(first, Session)
    first = replace(first, environment=on(first.environment, facts=first.environment.facts | {"memory_bytes": "9"}))
    assert merge([write("a", *records("s1", ONE)), write("b", first, *others)], "all").conflicts == ()


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        (lambda of: replace(of, edgebench="9.9"), "edgebench 9.9, not 0.1.0"),
        (lambda of: replace(of, environment=on(of.environment, agent_sha256="b")), "agent b, not a"),
        (lambda of: replace(of, environment=on(of.environment, packages={"numpy": "9"})), "package numpy 9, not none"),
        (
            lambda of: replace(of, environment=on(of.environment, runtimes={})),
            "runtime onnxruntime none, not 1.31.1 CPUExecutionProvider",
        ),
    ],
)
def test_other_versions_are_named(changes: Callable[[Session], Session], named: str) -> None:
    assert unlike(changes) == f"target cpu: results/b was measured with different versions than results/a: {named}"


def test_many_differences_are_counted() -> None:
    def other(of: Session) -> Session:
        return replace(of, environment=on(of.environment, packages={f"p{number}": "1" for number in range(9)}))

    assert unlike(other).endswith("p4 1, not none; and 4 further differences")


def test_equal_machines_that_measured_at_the_same_time_are_two_machines() -> None:
    a, b = write("a", *records("s1", ONE)), write("b", *records("s2", TWO, start_s=1))
    (said,) = merge([b, a], "all").conflicts
    assert said.startswith("target cpu measured at the same time in results/a, results/b, so these are")
    assert merge([a, b, ALL], "all").conflicts == (said,)
    assert said in " ".join(cli("merge", str(a), str(b), "--name", "all").stderr.split())


@pytest.mark.parametrize("names", [*permutations("abc")])
def test_a_session_and_its_copies_are_one_machine(names: tuple[str, ...]) -> None:
    whole, later = records("s1", ONE), records("s2", TWO, start_s=60)
    copies = [write(name, *lines) for name, lines in zip(names, (whole[:4], whole, [*whole, *later]), strict=True)]
    assert merge(copies, "all").conflicts == ()


def test_the_targets_of_a_lab_are_joined_in_the_sweep() -> None:
    pi = records("s2", replace(TWO, target="pi"))
    a, b = write("a", *records("s1", ONE)), write("b", *pi, sweep='targets = ["pi"]\n')
    (Path("results") / "a" / SWEEP).write_text('targets = ["cpu"]\nthreads = [1]\n')
    (b / SWEEP).write_text('threads = [1]\ntargets = ["pi"]\n')
    merge([b, a], "all")
    assert (ALL / SWEEP).read_text() == 'targets = [\n    "cpu",\n    "pi",\n]\nthreads = [\n    1,\n]\n'


def test_a_folder_without_a_sweep_and_a_shard_without_cases_are_merged() -> None:
    a, b = two_hosts()
    (a / SWEEP).unlink()
    (b / JOURNAL).unlink()
    assert merge([a, b], "all").records == len(list(Journal(a)))
    assert (ALL / SWEEP).exists()
    assert merge([b], "none").records == 0


def test_test_pictures_are_copied_and_do_not_depend_on_the_order() -> None:
    a, b = two_hosts()
    for folder, text in ((a, '{"pictures":[1]}'), (b, '{"pictures":[2]}')):
        (folder / "pictures").mkdir()
        (folder / "pictures" / "0123456789abcdef.json").write_text(text)
        (folder / "pictures" / f"{folder.name * 16}.json").write_text(text)
        (folder / "pictures" / "other.json").write_text(text)
    for number, given in enumerate(([a, b], [b, a])):
        merge(given, f"all{number}")
    first, second = ({path.name: path.read_text() for path in Path("results").glob(f"all{n}/pictures/*")} for n in "01")
    assert first == second
    assert sorted(first) == ["0123456789abcdef.json", "a" * 16 + ".json", "b" * 16 + ".json"]


DAMAGE: dict[str, Callable[[list[bytes]], list[bytes]]] = {
    "cut off": lambda lines: [*lines[:-1], lines[-1][:40]],
    "not JSON": lambda lines: [lines[0], b"{oops}", *lines[1:]],
    "of a later version": lambda lines: [*lines, lines[1].replace(b'"version":2', b'"version":99')],
    "not a number": lambda lines: [*lines, lines[2].replace(b'"wall_s":', b'"wall_s":NaN,"x":')],
    "a negative time": lambda lines: [*lines, lines[2].replace(b'"load_s":', b'"load_s":-')],
    "text of another kind": lambda lines: [lines[0], b"\xff\xfe", *lines[1:]],
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_line_is_left_out_and_named(kind: str) -> None:
    a, b = two_hosts()
    lines = (a / JOURNAL).read_bytes().splitlines()
    (a / JOURNAL).write_bytes(b"\n".join(DAMAGE[kind](lines)))
    before, done = state(a), cli("merge", "results/a", "results/b", "--name", "all")
    assert (done.returncode, done.stderr) == (0, "")
    assert "; 1 line left out" in done.stdout.splitlines()[-1]
    assert kind == "cut off" or done.stdout.startswith(f"left out results/a/{JOURNAL}:")
    assert list(Journal(ALL)) == [*Journal(a), *Journal(b)]
    assert state(a) == before


def test_a_damaged_merged_journal_is_kept_beside_the_new_one() -> None:
    a, b = two_hosts()
    merge([a], "all")
    damaged = (ALL / JOURNAL).read_bytes() + b"{oops}\n"
    (ALL / JOURNAL).write_bytes(damaged)
    done = cli("merge", str(b), "--name", "all")
    kept = ALL / f"{JOURNAL}.damaged-1"
    assert kept.read_bytes() == damaged and f"the damaged journal is now {kept}" in done.stdout
    assert list(Journal(ALL)) == [*Journal(a), *Journal(b)]


def lines_of(folder: Path) -> list[Any]:
    return [json.loads(line) for line in (folder / JOURNAL).read_text().splitlines()]


def with_two_sessions_of_one_identity() -> None:
    a, b = two_hosts()
    first, *others = lines_of(a)
    first["record"]["preset"] = "quick"
    (b / JOURNAL).write_text("".join(json.dumps(line) + "\n" for line in (first, *others)))


def with_two_sweeps() -> None:
    write("a", *records("s1", ONE), sweep='targets = ["cpu"]\npreset = "quick"\nthreads = [1]\n')
    write("b", *records("s2", TWO), sweep='targets = ["pi"]\npreset = "nightly"\n')


def with_bad_toml() -> None:
    a, _ = two_hosts()
    (a / SWEEP).write_text("= 3")


def with_a_journal(make: Callable[[Path], object]) -> Callable[[], None]:
    def prepare() -> None:
        a, _ = two_hosts()
        (a / JOURNAL).unlink()
        make(a / JOURNAL)

    return prepare


def with_a_history() -> None:
    a, _ = two_hosts()
    (a / "nights").mkdir()


def without_results() -> None:
    a, _ = two_hosts()
    (a / JOURNAL).unlink()
    (a / SWEEP).unlink()


def with_a_file() -> None:
    _, b = two_hosts()
    (b.parent / "a").rename(b.parent / "folder")
    (b.parent / "a").write_text("x")


BAD: dict[str, tuple[Callable[[], object], str]] = {
    "two sessions": (with_two_sessions_of_one_identity, "wanted one record of session s1, found two that differ in"),
    "two sweeps": (with_two_sweeps, "results/a/sweep.toml and results/b/sweep.toml differ in preset, threads; merge"),
    "bad TOML": (with_bad_toml, "results/a/sweep.toml: not TOML: "),
    "a folder as a journal": (with_a_journal(Path.mkdir), "cannot read results/a/runs.jsonl: Is a directory"),
    "a pipe as a journal": (with_a_journal(os.mkfifo), "cannot read results/a/runs.jsonl: wanted a file, found a pipe"),
    "no valid line": (with_a_journal(lambda path: path.write_text("x\ny\nz\n")), "none of its 2 lines can be read"),
    "a history": (with_a_history, "found the nightly history results/a"),
    "no results": (without_results, "no runs.jsonl in results/a: wanted a results folder"),
    "a file": (with_a_file, "no runs.jsonl in results/a: wanted a results folder"),
    "nothing": (lambda: write("b", *records("s2", TWO)), "no runs.jsonl in results/a: wanted a results folder"),
}


@pytest.mark.parametrize("kind", BAD)
def test_what_cannot_be_merged_is_refused_in_one_line_and_nothing_is_written(kind: str) -> None:
    prepare, message = BAD[kind]
    prepare()
    for given in (("results/a", "results/b"), ("results/b", "results/a")):
        done = cli("merge", *given, "--name", "all")
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), done.stderr
        assert message in done.stderr
        assert not ALL.exists()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ((), "wanted a name for the merged results"),
        (("--name", "a/b"), "wanted a name of letters"),
        (("--name", ".."), ""),
    ],
)
def test_a_merge_needs_a_name(name: tuple[str, ...], message: str) -> None:
    two_hosts()
    done = cli("merge", "results/a", "results/b", *name)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), done.stderr
    assert message in done.stderr


@pytest.mark.parametrize("command", [("merge", "results/a", "--name", "b"), ("repair", "results/b")])
def test_a_folder_that_a_run_writes_is_neither_merged_into_nor_repaired(command: tuple[str, ...]) -> None:
    _, b = two_hosts()
    before = state(b)
    with lock_folder(b):
        done = cli(*command)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), done.stderr
    assert "results/b is in use by process" in done.stderr
    assert state(b) == before


def test_a_full_disk_is_one_line_and_the_merged_journal_stands() -> None:
    a, b = two_hosts()
    merge([a], "all")
    before = state(ALL)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, ((ALL / JOURNAL).stat().st_size + 10, limits[1]))
    try:
        done = cli("merge", str(b), "--name", "all")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert done.returncode == 2 and "cannot write results/all: File too large" in done.stderr
    assert state(ALL) == before


def test_a_merged_folder_is_one_that_run_continues() -> None:
    """Its sessions are sorted by their start, so that the next one follows the last."""
    a, b = two_hosts()
    merge([b, a], "all")
    journal = Journal(ALL)
    journal.append(replace(session(THREE, id="s9"), started_at=at(999)))
    assert [record.id for record in Journal(ALL) if isinstance(record, Session)] == ["s1", "s2", "s9"]
    assert sum(isinstance(record, Run) for record in Journal(ALL)) == 6

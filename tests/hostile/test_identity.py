"""A record is what it says: copies, merges and any order of a journal's lines change no number, note or plan."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from itertools import chain, zip_longest
from pathlib import Path
from random import Random

import pytest

from edgebench.measure.plan import cases
from edgebench.measure.plan.state import case_states
from edgebench.results import folders
from edgebench.results.journal import JOURNAL, Journal
from edgebench.schema.record import Record, Session
from tests import ROOT
from tests.conftest import deployment, run, session

FIRST, SECOND, OLDER = (
    (ROOT / folder / JOURNAL).read_bytes().splitlines(keepends=True)
    for folder in ("results/three_ways", "results/x86_vm", "tests/golden")
)
BOTH = FIRST + SECOND


def shuffled(lines: list[bytes], seed: int) -> list[bytes]:
    return Random(seed).sample(lines, len(lines))


def in_turns(*journals: list[bytes]) -> list[bytes]:
    return [line for line in chain.from_iterable(zip_longest(*journals)) if line]


def laid_out(line: bytes) -> bytes:
    """The same line as another program writes it."""
    return json.dumps(json.loads(line), sort_keys=True, indent=None, separators=(", ", " : ")).encode() + b"\n"


def renamed(lines: list[bytes]) -> list[bytes]:
    """The same sessions under other ids, as an edited copy of a folder has them."""
    records = [json.loads(line)["record"] for line in lines]
    ids = [record["id"].encode() for record in records if record["kind"] == "session"]
    for id in ids:
        lines = [line.replace(b'"%s"' % id, b'"%s"' % id[::-1]) for line in lines]
    return lines


MANGLED: dict[str, Callable[[], list[bytes]]] = {
    "twice": lambda: BOTH + BOTH,
    "each line twice": lambda: [line for line in BOTH for _ in range(2)],
    "the other first": lambda: SECOND + FIRST,
    "both, the other first, and both": lambda: BOTH + SECOND + BOTH,
    "in turns": lambda: in_turns(FIRST, SECOND),
    "in turns with copies": lambda: in_turns(FIRST, SECOND, FIRST, FIRST[:7]),
    "a part before the whole": lambda: FIRST[:50] + SECOND + FIRST,
    "sorted as text": lambda: sorted(BOTH),
    "backwards": lambda: BOTH[::-1],
    "shuffled": lambda: shuffled(BOTH, 1),
    "shuffled with copies": lambda: shuffled(BOTH + BOTH[::3], 2),
    "laid out by another program": lambda: BOTH + list(map(laid_out, BOTH)),
    "again under other ids": lambda: BOTH + renamed(BOTH),
    "first under other ids": lambda: renamed(FIRST) + BOTH,
    "no newline between two": lambda: [*FIRST[:-1], FIRST[-1].rstrip(), *SECOND],
    "Windows' line ends": lambda: [line.rstrip() + b"\r\n" for line in BOTH],
    "empty lines between": lambda: [line + b"\n" for line in BOTH],
}


def table_of(lines: list[bytes], folder: Path) -> tuple[object, ...]:
    folder.mkdir(exist_ok=True)
    (folder / JOURNAL).write_bytes(b"".join(lines))
    table, background = folders.study(folder)
    return table, background.machines, [line.measurement for line in background.lines]


@pytest.fixture(scope="module")
def table_of_both(tmp_path_factory: pytest.TempPathFactory) -> tuple[object, ...]:
    return table_of(BOTH, tmp_path_factory.mktemp("both") / "merged")


@pytest.mark.lengthy
@pytest.mark.parametrize("mangled", MANGLED.values(), ids=MANGLED)
def test_no_way_to_copy_or_merge_changes_the_table(
    mangled: Callable[[], list[bytes]], place: Path, table_of_both: tuple[object, ...]
) -> None:
    assert table_of(mangled(), place / "merged") == table_of_both


@pytest.mark.slow
@pytest.mark.parametrize("mangled", [MANGLED["shuffled"], MANGLED["each line twice"]], ids=["shuffled", "twice"])
def test_no_way_to_copy_or_merge_changes_what_is_still_open(mangled: Callable[[], list[bytes]], place: Path) -> None:
    (place / JOURNAL).write_bytes(b"".join(BOTH))
    known = list(Journal(place))
    asked = [record for record in known if isinstance(record, Session)]
    before = [case_states(one, known) for one in asked]
    (place / JOURNAL).write_bytes(b"".join(mangled()))
    assert [case_states(one, tuple(Journal(place))) for one in asked] == before


def test_lines_of_an_older_version_are_counted_once(place: Path) -> None:
    whole = table_of(OLDER, place / "old")
    assert table_of(OLDER * 3, place / "old") == whole
    assert table_of(shuffled(OLDER * 2, 3), place / "old") == whole


@pytest.mark.lengthy
def test_lines_of_an_older_version_may_be_laid_out_by_another_program(place: Path) -> None:
    whole = table_of(OLDER, place / "old")
    assert table_of(list(map(laid_out, OLDER)), place / "old") == whole
    assert table_of([*OLDER, *map(laid_out, OLDER)], place / "old") == whole


@pytest.mark.lengthy
@pytest.mark.parametrize("copies", [1, 2, 5])
def test_a_torn_end_is_one_however_often_the_journal_is_there(copies: int, place: Path) -> None:
    torn = [*FIRST[:-3], FIRST[-3][:-40]]
    once = table_of(torn, place / "torn")
    assert table_of(torn * copies, place / "torn") == once
    assert table_of([*torn, b"\n"] * copies, place / "torn") == once


def test_equal_figures_of_two_processes_are_two(place: Path) -> None:
    journal = Journal(place)
    records: list[Record] = [session(), deployment(), run(round=1), run(round=2)]
    for record in (*records, *records):
        journal.append(record)
    assert list(journal) == records


@pytest.mark.parametrize("clock", ["2025-01-01T00:00:00.000+00:00", "2026-01-01T00:00:00+00:00"])
def test_a_clock_that_was_set_back_does_not_put_a_session_before_earlier_ones(clock: str, place: Path) -> None:
    earlier = session(id="s1")
    later = cases.following(replace(session(id="a0"), started_at=clock), [earlier])
    journal = Journal(place)
    for record in (earlier, later):
        journal.append(record)
    assert [record.id for record in journal if isinstance(record, Session)] == ["s1", "a0"]
    ahead = replace(session(id="s3"), started_at="2027-01-01T00:00:00.000+00:00")
    assert cases.following(ahead, [earlier]) is ahead

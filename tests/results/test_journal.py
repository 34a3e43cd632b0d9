"""The journal: what was appended is read back, a cut line is set aside, and older versions are read."""

import json
import resource
import sys
from pathlib import Path

import pytest

from edgebench.foundation.errors import InvalidFile, RequestError
from edgebench.results import folders
from edgebench.results.journal import JOURNAL, Journal
from edgebench.schema.case import Case
from edgebench.schema.record import Record, Run
from tests import GOLDEN
from tests.conftest import deployment, run, session


def test_a_journal_gives_back_what_was_appended(place: Path) -> None:
    journal = Journal(place)
    records: list[Record] = [session(), deployment(), run()]
    for record in records:
        journal.append(record)
    assert list(journal) == records
    assert journal.torn == 0


def test_a_time_that_was_read_needs_8_bytes(place: Path) -> None:
    journal, taken = Journal(place), run(samples_s=tuple(1e-3 + step * 1e-9 for step in range(1000)), wall_s=1.1)
    for record in (session(), taken):
        journal.append(record)
    _, read = journal
    assert isinstance(read, Run)
    assert read == taken
    assert sys.getsizeof(read.samples_s) < 8.2 * len(taken.samples_s)


@pytest.mark.parametrize("cut", [1, 20, 200])
def test_a_torn_last_line_is_left_out_counted_and_closed(place: Path, cut: int) -> None:
    journal = Journal(place)
    journal.append(session())
    journal.append(run())
    journal.path.write_bytes(journal.path.read_bytes()[:-cut])
    whole = list(journal)
    assert (len(whole), journal.torn) == ((2, 0) if cut == 1 else (1, 1))
    journal.append(session(id="s2"))
    assert list(journal)[-1] == session(id="s2")
    assert journal.torn == (0 if cut == 1 else 1)


@pytest.mark.parametrize("version", [1, 2])
def test_damage_in_the_middle_is_no_torn_end_and_is_set_aside_by_line(place: Path, version: int) -> None:
    journal = Journal(place)
    for record in (session(), run(), run(round=2)):
        journal.append(record)
    lines = journal.path.read_bytes().replace(b'{"version":2,', b'{"version":%d,' % version).splitlines(keepends=True)
    journal.path.write_bytes(lines[0] + lines[1][:50] + b"\n" + lines[2])
    again = Journal(place)
    assert list(again) == [session(), run(round=2)]
    assert (again.torn, again.aside) == (0, 1)
    assert again.reasons[0].startswith("runs.jsonl:2: line: Invalid JSON")


@pytest.mark.parametrize("line", ["[]", "3", "null", '"x"'])
def test_a_line_that_is_no_object_is_refused(place: Path, line: str) -> None:
    (place / JOURNAL).write_text(line + "\n")
    with pytest.raises(InvalidFile, match=r"runs\.jsonl:1: line"):
        list(Journal(place))


def test_a_journal_that_is_a_folder_is_refused(place: Path) -> None:
    (place / JOURNAL).mkdir()
    with pytest.raises(InvalidFile, match=r"cannot read .*runs\.jsonl: Is a directory"):
        list(Journal(place))


def test_a_journal_of_another_version_is_refused_by_line(place: Path) -> None:
    (place / JOURNAL).write_text(json.dumps({"version": 99, "record": {"kind": "run"}}) + "\n")
    with pytest.raises(InvalidFile, match=r"runs\.jsonl:1: version: this edgebench reads version 2"):
        list(Journal(place))


def test_a_line_that_is_no_record_is_refused_by_line_and_key(place: Path) -> None:
    (place / JOURNAL).write_text(json.dumps({"version": 2, "record": {"kind": "run", "x": 1}}) + "\n")
    with pytest.raises(InvalidFile, match=r"runs\.jsonl:1: record"):
        list(Journal(place))


def test_a_full_disk_is_one_line_and_what_was_there_stands(place: Path) -> None:
    journal = Journal(place)
    journal.append(run())
    size = journal.path.stat().st_size
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 10, before[1]))
    try:
        with pytest.raises(RequestError, match="cannot write .*; earlier measurements in it are safe"):
            journal.append(run())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(journal) == [run()]


def test_a_journal_of_version_1_is_read_in_todays_words() -> None:
    old = Journal(GOLDEN)
    schemes = [
        record.case.variant.quantization for record in old if isinstance(record, Run) and isinstance(record.case, Case)
    ]
    assert b'"version":1' in old.path.read_bytes() and b'"scheme":"per_channel"' in old.path.read_bytes()
    assert {str(scheme) for scheme in schemes if scheme} == {"per_channel"}
    assert old.older == old.path.read_bytes().count(b'{"version":1,') > 0


def test_a_table_from_a_journal_of_version_1_says_so() -> None:
    table = folders.read(GOLDEN)
    assert any("of the journal, which an older edgebench wrote" in note for note in table.notes)

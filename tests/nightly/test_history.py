"""Histories as files: read fast, merged by copying, and never lost to a kill, a full disk or a damaged file."""

from __future__ import annotations

import errno
import gzip
import shutil
from pathlib import Path

import pytest

from edgebench.foundation import files
from edgebench.foundation.errors import InvalidFile, RequestError
from edgebench.nightly import history
from edgebench.nightly.night import Acceptance, Pin
from tests.conftest import artifact, case
from tests.support.nights import entry, night, quiet_history

HISTORY = Path("results/nightly")


def written(count: int, folder: Path = HISTORY, first: int = 0) -> list[Path]:
    return [history.write_night(folder, one) for one in quiet_history(count, first=first).nights]


def acceptance(**changes: object) -> Acceptance:
    fields = {"id": "a1", "accepted_at": "2026-01-05T09:00:00+00:00", "night": "n", "configurations": (), "reason": "r"}
    return Acceptance(**(fields | changes))  # type: ignore[arg-type]


def test_what_is_written_is_read() -> None:
    written(3)
    history.write_acceptance(HISTORY, acceptance())
    found = history.read(HISTORY)
    assert found.nights == quiet_history(3).nights
    assert found.acceptances == (acceptance(),)
    assert found.notes == ()


def test_a_folder_without_nights_is_an_empty_history() -> None:
    assert history.read(HISTORY).nights == ()


def test_a_file_cut_off_at_any_byte_is_left_out_and_named_and_the_rest_is_used() -> None:
    _, broken, _ = written(3)
    content = broken.read_bytes()
    for length in range(0, len(content), 7):
        broken.write_bytes(content[:length])
        found = history.read(HISTORY)
        assert len(found.nights) == 2
        assert found.notes[0].startswith(f"{broken.name}: ")


def test_a_flipped_bit_is_never_read_as_another_number() -> None:
    (path,) = written(1)
    content = path.read_bytes()
    for place in range(12, len(content), 5):
        path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        found = history.read(HISTORY)
        assert found.nights in ((), quiet_history(1).nights)  # a bit of padding carries nothing


def test_json_that_is_no_night_is_left_out_and_says_what_is_wrong() -> None:
    (path,) = written(1)
    path.write_bytes(gzip.compress(b'{"version": 3}'))
    (note,) = history.read(HISTORY).notes
    assert note.startswith(f"{path.name}: skipped: not a night that this edgebench can read: version: ")


def test_a_night_of_version_1_is_read_with_its_components() -> None:
    (path,) = written(1)
    today = history.read(HISTORY)
    older = (
        gzip.decompress(path.read_bytes())
        .replace(b'"version": 2', b'"version": 1')
        .replace(b'"components"', b'"stack"')
    )
    assert b'"stack": {"model": ' in older
    path.write_bytes(gzip.compress(older))
    assert history.read(HISTORY) == today


def test_histories_of_several_runners_merge_by_copying() -> None:
    written(3, Path("one"))
    written(3, Path("other"), first=10)
    shutil.copytree("other", "one", dirs_exist_ok=True)
    assert [one.id for one in history.read(Path("one")).nights] == [f"{n:012x}" for n in (0, 1, 2, 10, 11, 12)]


def test_the_same_night_under_another_name_counts_once_and_is_named() -> None:
    first, *_ = written(2)
    shutil.copy(first, first.with_name("99990101T000000Z-copy.json.gz"))
    found = history.read(HISTORY)
    assert len(found.nights) == 2
    assert found.notes == (f"99990101T000000Z-copy.json.gz: skipped: a duplicate of night {found.nights[0].stem}",)


def test_a_disk_that_is_full_leaves_the_history_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    written(2)
    before = {path.name: path.read_bytes() for path in HISTORY.rglob("*") if path.is_file()}

    def full(self: Path, target: Path) -> Path:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", full)
        with pytest.raises(RequestError, match="No space left on device; free disk space .*the history is unchanged"):
            history.write_night(HISTORY, night(5, entry()))
        with pytest.raises(RequestError, match="No space left on device"):
            history.write_report(HISTORY, "index.html", "page")
    assert {path.name: path.read_bytes() for path in HISTORY.rglob("*") if path.is_file()} == before


def test_what_a_kill_left_half_written_is_no_night() -> None:
    (path,) = written(1)
    path.with_name(f"making-1-{path.name}").write_bytes(path.read_bytes()[:50])
    found = history.read(HISTORY)
    assert len(found.nights) == 1
    assert found.notes == ()


def pin(place: Path) -> Pin:
    file, agent = place / "net.onnx", place / "agent.pyz"
    file.write_bytes(b"net")
    agent.write_bytes(b"agent")
    kept = {path: history.keep_file(HISTORY, path, files.sha256(path)) for path in (file, agent)}
    return Pin(case=case(), artifact=artifact(), file=kept[file], agent=kept[agent], agent_sha256=files.sha256(agent))


def test_a_pinned_environment_outlives_the_files_it_was_copied_from(place: Path) -> None:
    one = pin(place)
    name = history.write_pin(HISTORY, one)
    (place / "net.onnx").unlink()
    assert history.read_pin(HISTORY, name) == one
    assert (HISTORY / history.PINNED / one.file).read_bytes() == b"net"


@pytest.mark.parametrize("which", ["file", "agent"])
def test_a_pinned_file_that_changed_or_went_is_refused(which: str, place: Path) -> None:
    name = history.write_pin(HISTORY, one := pin(place))
    path = HISTORY / history.PINNED / getattr(one, which)
    path.write_bytes(b"other")
    with pytest.raises(InvalidFile, match="is damaged"):
        history.read_pin(HISTORY, name)
    path.unlink()
    with pytest.raises(InvalidFile, match="the accepted environment is incomplete"):
        history.read_pin(HISTORY, name)


def test_samples_are_kept_for_a_window_and_medians_for_ever() -> None:
    written(5)
    for one in quiet_history(5).nights:
        (history.raw_folder(HISTORY, one) / "runs.jsonl").write_text("")
    history.prune(HISTORY, quiet_history(5).nights, keep_nights=2)
    assert sorted(path.name for path in (HISTORY / history.RAW).iterdir()) == [
        one.stem for one in quiet_history(5).nights[3:]
    ]
    assert len(history.read(HISTORY).nights) == 5

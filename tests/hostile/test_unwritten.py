"""A file or a cache that cannot be written is refused with advice that fits the reason, and nothing is left behind."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytest

from edgebench.foundation import files
from edgebench.foundation.errors import RequestError


@pytest.mark.parametrize("what", ["file", "device"])
def test_a_cache_that_is_no_folder_is_refused_without_advice_to_change_its_mode(
    what: str, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = place / "file" if what == "file" else Path(os.devnull)
    if what == "file":
        path.write_text("")
    monkeypatch.setenv(files.HOME_VARIABLE, str(path))
    with pytest.raises(RequestError, match=f"wanted a folder for the cache, found that {path} is none; set") as refused:
        files.place("weights")
    assert "chmod" not in str(refused.value)


@contextmanager
def small_files() -> Iterator[None]:
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, usual[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)


UNWRITTEN = {
    "a folder of its name": ("folder", "move that folder away"),
    "a long name": ("n" * 300, "choose a shorter name"),
    "a limit on the size": ("large", "raise the limit on the size of files, which `ulimit -f` shows"),
    "a folder that is missing": ("missing/file", "free space"),
}


@pytest.mark.parametrize("why", UNWRITTEN)
def test_the_advice_fits_the_reason_why_a_file_cannot_be_written(why: str, place: Path) -> None:
    (place / "folder").mkdir()
    name, remedy = UNWRITTEN[why]
    with pytest.raises(RequestError, match=f"; {remedy}$"), small_files() if name == "large" else nullcontext():
        files.write(place / name, b"x" * 1000, "free space")
    assert [path.name for path in place.iterdir()] == ["folder"]

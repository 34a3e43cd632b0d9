"""Artifacts under the hash of what they are made of: found again, made once, and never half written."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from edgebench.foundation import cache, files, provenance
from edgebench.foundation.errors import CaseError, RequestError
from edgebench.schema.artifact import Artifact
from tests.conftest import artifact


@pytest.fixture(autouse=True)
def own(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(files.HOME_VARIABLE, str(place / "cache"))


def make(path: Path) -> Artifact:
    path.write_text("content")
    return artifact()


@pytest.mark.lengthy
def test_what_is_kept_is_found_and_intact() -> None:
    kept = cache.keep("net", ".onnx", Artifact, make)
    assert cache.find("net", Artifact) == kept
    assert cache.is_intact(kept)
    assert cache.path_of(kept).read_text() == "content"


def test_a_damaged_or_missing_file_is_not_intact() -> None:
    kept = cache.keep("net", ".onnx", Artifact, make)
    cache.path_of(kept).write_text("contenT")
    assert not cache.is_intact(kept)
    cache.path_of(kept).unlink()
    assert not cache.is_intact(kept)


@pytest.mark.parametrize("text", ["", "{", '{"kind": "artifact"}', "\0" * 100])
def test_a_damaged_card_counts_as_none(text: str) -> None:
    kept = cache.keep("net", ".onnx", Artifact, make)
    cache.path_of(kept).with_name("net" + cache.CARD).write_text(text)
    assert cache.find("net", Artifact) is None


def test_what_a_file_took_to_make_is_kept_and_makes_no_other_card_of_it() -> None:
    def make(path: Path) -> Artifact:
        path.write_text("content")
        return artifact(took_s={"export": 1.5})

    kept = cache.keep("net", ".onnx", Artifact, make)
    found = cache.find("net", Artifact)
    assert found is not None
    assert found.took_s == {"export": 1.5}
    assert found == replace(kept, took_s={})


def test_a_card_from_before_that_was_kept_is_read() -> None:
    kept = cache.keep("net", ".onnx", Artifact, make)
    place = cache.path_of(kept).with_name("net" + cache.CARD)
    said = json.loads(place.read_text())
    del said["took_s"], said["seal"]
    place.write_text(json.dumps(said))
    assert cache.find("net", Artifact) == kept


def test_an_interrupted_making_leaves_nothing() -> None:
    def interrupted(path: Path) -> Artifact:
        path.write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.keep("net", ".onnx", Artifact, interrupted)
    assert cache.find("net", Artifact) is None
    assert [path.name for path in files.folder("artifacts").iterdir()] in ([], ["net.lock"])


def test_a_cache_that_cannot_be_made_says_what_to_set(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (place / "file").write_text("")
    monkeypatch.setenv(files.HOME_VARIABLE, str(place / "file" / "cache"))
    with pytest.raises(RequestError, match="cannot keep files in .*; set EDGEBENCH_CACHE"):
        files.folder("weights")


def test_a_key_depends_on_every_part_and_not_on_their_order() -> None:
    assert (
        provenance.key({"a": "1", "b": "2"})
        == provenance.key({"b": "2", "a": "1"})
        != provenance.key({"a": "1", "b": "3"})
    )


def other(content: bytes) -> Artifact:
    """The card that another machine has of a file with this content."""
    return artifact(file="net.onnx", sha256=hashlib.sha256(content).hexdigest())


def test_a_file_of_another_machine_is_stored_under_its_name_and_with_its_card() -> None:
    card = cache.receive(other(b"theirs"), b"theirs")
    assert cache.find_intact("net", Artifact) == card == other(b"theirs")
    assert cache.path_of(card).read_bytes() == b"theirs"


def test_a_file_whose_content_has_another_hash_than_its_card_is_refused_and_not_stored() -> None:
    with pytest.raises(CaseError, match="wanted net.onnx with the hash"):
        cache.receive(other(b"theirs"), b"theirs!")
    assert cache.find("net", Artifact) is None


def test_an_intact_file_stays_unless_it_is_to_be_replaced() -> None:
    kept = cache.keep("net", ".onnx", Artifact, make)
    assert cache.receive(other(b"theirs"), b"theirs") == kept
    assert cache.receive(other(b"theirs"), b"theirs", replaces=True) == other(b"theirs")
    assert cache.find_intact("net", Artifact) == other(b"theirs")

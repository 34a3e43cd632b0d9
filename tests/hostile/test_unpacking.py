"""Packed files that hold far more than they are: each is refused in one line, and never unpacked."""

import gzip
import io
import pickle
import tarfile
import zipfile
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy
import pytest

from edgebench.foundation.errors import RequestError
from edgebench.foundation.unpack import Capped, TooLarge, gunzip
from edgebench.images.datasets import cifar10
from edgebench.images.decode import inspect
from edgebench.nightly.history import MOST_BYTES, read
from edgebench.train.checkpoint import _load

pytestmark = pytest.mark.slow  # each input is opened in a process of its own

ZEROS = 2**24
NAMES = [f"{name}.bin" for name in cifar10.BATCHES]


@pytest.mark.parametrize("content", [b"", b"one", b"words " * 999])
def test_what_is_within_the_bound_is_unpacked(content: bytes) -> None:
    assert gunzip(gzip.compress(content), 10_000) == content
    assert gunzip(gzip.compress(content) + gzip.compress(content), 20_000) == content * 2


@pytest.mark.parametrize("members", [1, 3])
def test_what_unpacks_to_more_than_the_bound_is_refused(members: int) -> None:
    with pytest.raises(TooLarge, match="wanted at most 1 MiB when unpacked, found more"):
        gunzip(gzip.compress(bytes(2**20 // members + 1)) * members, 2**20)


def test_a_file_that_is_cut_off_is_damaged() -> None:
    with pytest.raises(EOFError):
        gunzip(gzip.compress(b"night" * 99)[:-9], 10_000)


def test_a_stream_ends_at_its_bound_whether_it_is_read_or_skipped(tmp_path: Path) -> None:
    for path, content in ((tmp_path / "packed", gzip.compress(bytes(ZEROS))), (tmp_path / "plain", bytes(ZEROS))):
        path.write_bytes(content)
        for name, given in (("read", ()), ("read", (2**21,)), ("seek", (2**21,))):
            with closing(Capped(path, 2**20)) as stream:
                assert stream.read(2**20) == bytes(2**20)
                with pytest.raises(TooLarge):
                    getattr(stream, name)(*given)


def test_a_night_that_is_a_bomb_is_left_out_and_named(tmp_path: Path) -> None:
    nights = tmp_path / "nights"
    nights.mkdir()
    with gzip.open(nights / "2026-01-01T020000Z-000000000001.json.gz", "wb", compresslevel=9) as stream:
        for _ in range(MOST_BYTES // ZEROS + 1):
            stream.write(b" " * ZEROS)
    history = read(tmp_path)
    notes = " ".join(history.notes)
    assert not history.nights
    assert "skipped: the file is damaged: wanted at most 256 MiB when unpacked, found more" in notes


def _archive(path: Path, *members: tuple[str, int]) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for name, size in members:
            entry = tarfile.TarInfo(name)
            entry.size = size
            tar.addfile(entry, io.BytesIO(bytes(size)))
    return path


@pytest.mark.parametrize(
    "members",
    [
        [("cifar/test_batch.bin", 2**28 + 1)],
        [("cifar/other", 2**28 + 1)],
        [(f"cifar/{name}", 2**26) for name in NAMES],
        [("x" * 300, 2**28 + 1)],
    ],
    ids=["a batch", "something else", "all batches", "a long name"],
)
def test_an_archive_that_is_a_bomb_is_refused(members: list[tuple[str, int]], tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"wanted at most 256 MiB when unpacked, found more: not CIFAR-10"):
        cifar10.open(_archive(tmp_path / "cifar-10-binary.tar.gz", *members))


def test_a_header_that_is_a_bomb_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "cifar-10-binary.tar.gz"
    header = tarfile.TarInfo("pax")
    header.type, header.size = tarfile.XHDTYPE, 2**30
    with gzip.open(path, "wb") as stream:
        stream.write(header.tobuf(tarfile.USTAR_FORMAT))
        for _ in range(2**30 // ZEROS // 3):
            stream.write(bytes(ZEROS))
    with pytest.raises(RequestError, match="wanted at most 256 MiB when unpacked"):
        cifar10.open(path)


def _laughs(depth: int) -> Any:
    laughs: Any = [0] * 10
    for _ in range(depth):
        laughs = [laughs] * 10
    return laughs


@pytest.mark.parametrize(
    "fields",
    [
        {"data": _laughs(12), "labels": [0] * 10},
        {"data": numpy.zeros((10, 3072), numpy.uint8), "labels": _laughs(12)},
        {"data": numpy.zeros((10, 3072), numpy.float64), "labels": [0] * 10},
        {"data": numpy.zeros((10, 3072), numpy.uint8), "labels": [0] * 11},
    ],
    ids=["nested data", "nested labels", "wide data", "many labels"],
)
def test_a_pickle_that_is_a_bomb_is_refused(fields: dict[str, Any]) -> None:
    content = pickle.dumps(fields, protocol=2)
    with pytest.raises(RequestError, match=r"batch: not a complete batch of CIFAR-10"):
        cifar10._batch("batch", content)


def test_weights_that_are_a_bomb_are_refused(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    path = tmp_path / "net.pth"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("net/data.pkl", b"\x80\x02}q\x00.")
        packed.writestr("net/data/0", bytes(2**27))
    with pytest.raises(RequestError, match=r"net\.pth: wanted at most \d+ MiB when unpacked, found more; save its"):
        _load(path)


@pytest.mark.parametrize(("kind", "mode"), [("png", "L"), ("png", "1"), ("tiff", "L"), ("gif", "L"), ("bmp", "1")])
def test_a_picture_of_too_many_pixels_is_damaged(kind: str, mode: str, tmp_path: Path) -> None:
    from PIL import Image

    path = tmp_path / f"bomb.{kind}"
    Image.new(mode, (9500, 9500)).save(path, **({"compression": "tiff_deflate"} if kind == "tiff" else {}))
    assert inspect(path).reason == "more than 89 million pixels"

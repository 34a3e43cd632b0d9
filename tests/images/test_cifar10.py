"""CIFAR-10 in each of its forms, and what is refused or never executed."""

import io
import pickle
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy
import pytest

from edgebench.foundation.errors import RequestError
from edgebench.images import catalogue
from edgebench.images.datasets import cifar10
from edgebench.images.loader import Images
from tests.conftest import variant
from tests.support.images import split

RECORDS = 20
RANDOM = numpy.random.default_rng(0)
PIXELS = RANDOM.integers(0, 256, (len(cifar10.BATCHES), RECORDS, 3072), numpy.uint8)
LABELS = RANDOM.integers(0, 10, (len(cifar10.BATCHES), RECORDS))
BINARY, PYTHON = cifar10.FOLDERS


def batches() -> list[tuple[str, Any, list[int]]]:
    return [(name, PIXELS[index], LABELS[index].tolist()) for index, name in enumerate(cifar10.BATCHES)]


def binary(folder: Path) -> Path:
    folder.mkdir(parents=True)
    for name, pixels, labels in batches():
        records = numpy.concatenate([numpy.array(labels, numpy.uint8)[:, None], pixels], 1)
        (folder / f"{name}.bin").write_bytes(records.tobytes())
    return folder


def python(folder: Path, protocol: int = 2) -> Path:
    folder.mkdir(parents=True)
    for name, pixels, labels in batches():
        content = {b"batch_label": name.encode(), b"labels": labels, b"data": pixels, b"filenames": [b"a.png"] * 20}
        (folder / name).write_bytes(pickle.dumps(content, protocol))
    (folder / "batches.meta").write_bytes(pickle.dumps({b"label_names": [b"airplane"]}, protocol))
    return folder


def packed(folder: Path, name: str) -> Path:
    with tarfile.open(folder.parent / name, "w:gz") as tar:
        tar.add(folder, folder.name)
    return folder.parent / name


def opened(place: Path | str, part: str) -> Images:
    card = catalogue.adopt(f"cifar10:{place}")
    of = replace(variant(resolution=32), dataset=card.name, dataset_sha256=card.sha256, dataset_classes=card.classes)
    return split(of, part)


def forms(place: Path) -> dict[str, Path]:
    folders = {"bin": binary(place / "b" / BINARY), "py": python(place / "p" / PYTHON)}
    archives = {
        kind: packed(folder, archive) for (kind, folder), archive in zip(folders.items(), cifar10.ARCHIVES, strict=True)
    }
    alone = {f"{kind} archive": path.rename(place / path.name) for kind, path in archives.items()}
    return folders | {f"parent of {kind}": folder.parent for kind, folder in folders.items()} | alone


@pytest.mark.lengthy
def test_every_form_holds_the_same_images(place: Path) -> None:
    for name, path in forms(place).items():
        test = opened(path, "test")
        assert test.labels.tolist() == LABELS[-1].tolist(), name
        wanted = PIXELS[-1].reshape(-1, 3, 32, 32).astype(numpy.float32) / 255 * 2 - 1
        assert numpy.allclose(test.read(range(RECORDS)), wanted, atol=1e-6), name


@pytest.mark.lengthy
def test_splits_share_no_image_and_leave_none_out(place: Path) -> None:
    folder = binary(place / "any name")
    parts = {part: opened(folder, part) for part in ("train", "calibration", "test")}
    assert {part: len(images) for part, images in parts.items()} == {"train": 90, "calibration": 10, "test": 20}
    seen = [image.tobytes() for images in parts.values() for image in images.read(range(len(images)))]
    assert len(set(seen)) == 120


@pytest.mark.parametrize("protocol", range(5))
def test_pickles_of_every_age_are_read(place: Path, protocol: int) -> None:
    assert len(opened(python(place / f"py{protocol}", protocol), "train")) == 90


class Malicious:
    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return (open, ("executed", "w"))


@pytest.mark.parametrize("key", ["data", "labels", "filenames"])
def test_code_in_a_pickle_is_not_executed(place: Path, key: str) -> None:
    folder = python(place / "py")
    content = {"data": PIXELS[0], "labels": LABELS[0].tolist()} | {key: Malicious()}
    (folder / "data_batch_3").write_bytes(pickle.dumps(content))
    with pytest.raises(
        RequestError, match=r"data_batch_3: it uses (_?io|builtins).open, and nothing in it is executed"
    ):
        opened(folder, "train")
    assert not (place / "executed").exists()


@pytest.mark.parametrize("name", ["os.system", "builtins.eval", "numpy.load", "numpy.f2py.compile"])
def test_no_other_name_is_let_through(name: str) -> None:
    module, _, function = name.rpartition(".")
    with pytest.raises(pickle.UnpicklingError, match=f"it uses {name}"):
        cifar10.Unpickler(io.BytesIO(f"c{module}\n{function}\n.".encode())).load()


def test_what_is_not_whole_is_refused(place: Path) -> None:
    cut, missing, nothing = binary(place / "cut"), binary(place / "missing"), place / "nothing"
    (cut / "data_batch_2.bin").write_bytes(b"1" * 3072)
    (missing / "data_batch_5.bin").unlink()
    nothing.mkdir()
    labels = binary(place / "labels")
    (labels / "test_batch.bin").write_bytes(b"\x0a" * 3073)
    archive = packed(binary(place / "x" / BINARY), "half.tar.gz")
    archive.write_bytes(archive.read_bytes()[:-5000])
    text = place / "text.tar.gz"
    text.write_text("no archive")
    pickled = python(place / "pickled")
    (pickled / "test_batch").write_bytes((pickled / "test_batch").read_bytes()[:-100])
    for path, message in (
        (cut, "data_batch_2.bin: wanted records of 3073 bytes, found 3072"),
        (missing, "missing has no data_batch_5.bin: not CIFAR-10, or incomplete"),
        (nothing, "nothing has no data_batch_1: not CIFAR-10, or incomplete"),
        (labels, "test_batch.bin: wanted labels of 0 to 9, found others"),
        (archive, "half.tar.gz: not a complete archive .cut off"),
        (text, "text.tar.gz: not a complete archive .ReadError"),
        (pickled, "test_batch: not a complete batch of CIFAR-10"),
        (place / "no.tar.gz", "nothing is at .*no.tar.gz; wanted cifar-10-binary.tar.gz"),
    ):
        with pytest.raises(RequestError, match=message):
            opened(path, "test")

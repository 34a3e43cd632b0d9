"""CIFAR-10 in one of its published forms: the binary or the Python version, as an archive or unpacked.

The Python version consists of pickles. No code in a pickle is executed: only numeric arrays, strings and lists are
accepted.
"""

from __future__ import annotations

import hashlib
import importlib
import io
import pickle
import tarfile
import zlib
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgebench.foundation.errors import RequestError
from edgebench.foundation.unpack import Capped, TooLarge
from edgebench.images.loader import Labelled, Opened
from edgebench.schema.variant import Preprocessing

if TYPE_CHECKING:
    from numpy import int64, uint8
    from numpy.typing import NDArray
    from PIL.Image import Image

CLASSES = 10
CLASS_NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
TASKS = ("classification",)
SOURCE = "Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009"
PLACE = "cifar-10-binary.tar.gz, cifar-10-python.tar.gz, or the folder inside"
PREPROCESSING = Preprocessing(name="whole", first="crop", mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
AUGMENTATION = ("flip", "shift")
TOOLS = ("pillow", "numpy")
NOTE = (
    "10,000 test images of 32x32 pixels: a higher resolution adds cost, not information. 500 of the 50,000"
    " other images are for calibration, the rest for training."
)

SIDE, PIXELS = 32, 3 * 32 * 32
CALIBRATION, SEED = 500, 0
MOST_BYTES = 2**28  # limit on the size of the unpacked archive; the original has 178 MiB
MOST_BATCH_BYTES = 2**26  # limit on the size of each file in the archive; the originals have 30 MiB
TEST = "test_batch"
BATCHES = (*(f"data_batch_{number}" for number in range(1, 6)), TEST)
FOLDERS = ("cifar-10-batches-bin", "cifar-10-batches-py")
ARCHIVES = ("cifar-10-binary.tar.gz", "cifar-10-python.tar.gz")
Batch = tuple["NDArray[uint8]", "NDArray[int64]"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Thumbnails(Labelled):
    """Colour pictures of 32x32 pixels, 3 KiB each: (N, 3, 32, 32)."""

    pixels: NDArray[uint8]
    labels: NDArray[int64]
    white: float = 255.0
    depth: str = "uint8"
    digests: tuple[str, ...] = ()

    def name(self, index: int) -> str:
        """Return the picture's number as its name."""
        return str(index)

    def picture(self, index: int) -> Image:
        """Return the picture as RGB."""
        import numpy
        from PIL.Image import fromarray

        return fromarray(numpy.ascontiguousarray(self.pixels[index].transpose(1, 2, 0)))


def open(place: Path | None) -> Opened:
    """Open an archive or a folder of the six files, each of which must be complete.

    Raises:
        RequestError: the files are not from CIFAR-10, or are incomplete.
    """
    assert place is not None
    place = _inside(place)
    sha256 = _sha256(place)
    _part(place, sha256, "test")
    return Opened(classes=CLASSES, sha256=sha256, part=lambda name: _part(place, sha256, name))


@cache
def _part(place: Path, sha256: str, name: str) -> Thumbnails:
    """Read a split; the result is cached for each `sha256`, so changed files are read again."""
    import numpy

    parts = [batch for file, batch in _batches(place).items() if (file == TEST) == (name == "test")]
    pixels, labels = (numpy.concatenate(arrays) for arrays in zip(*parts, strict=True))
    if name == "test":
        return Thumbnails(pixels=pixels, labels=labels)
    drawn = numpy.random.default_rng(SEED).permutation(len(labels))
    first = min(CALIBRATION, max(1, len(labels) // 10))
    chosen = drawn[:first] if name == "calibration" else drawn[first:]
    return Thumbnails(pixels=pixels[chosen], labels=labels[chosen])


def _inside(place: Path) -> Path:
    """Return the archive or folder that has the six files: one of a published name in `place`, or `place` itself."""
    if not place.is_dir():
        return place
    entries = (place / name for name in (*FOLDERS, *ARCHIVES) if (place / name).exists())
    return next(entries, place)


def _sha256(place: Path) -> str:
    """Return the hash of an archive; for a folder, one hash over its six files."""
    digest = hashlib.sha256()
    for file in [place] if place.is_file() else _files(place):
        with file.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()


def _files(folder: Path) -> list[Path]:
    suffix = ".bin" if (folder / f"{TEST}.bin").exists() else ""
    files = [folder / f"{name}{suffix}" for name in BATCHES]
    if missing := [file.name for file in files if not file.is_file()]:
        raise RequestError(f"{folder} has no {missing[0]}: not CIFAR-10, or incomplete; wanted {PLACE}")
    return files


def _batches(place: Path) -> dict[str, Batch]:
    """Read all six files."""
    contents = _unpacked(place) if place.is_file() else {file.name: _content(file) for file in _files(place)}
    read = {Path(name).stem: _batch(f"{place}: {name}", content) for name, content in contents.items()}
    if missing := [name for name in BATCHES if name not in read]:
        raise RequestError(f"{place} has no {missing[0]}: not CIFAR-10, or incomplete; download it again")
    return {name: read[name] for name in BATCHES}


def _content(file: Path) -> bytes:
    if (size := file.stat().st_size) > MOST_BATCH_BYTES:
        raise RequestError(f"{file}: wanted at most {MOST_BATCH_BYTES} bytes, found {size}: not CIFAR-10")
    return file.read_bytes()


def _unpacked(archive: Path) -> dict[str, bytes]:
    """Read the six files in an archive without unpacking them on the disk."""
    try:
        with closing(Capped(archive, MOST_BYTES)) as content, tarfile.open(fileobj=content, mode="r:") as tar:  # type: ignore[call-overload]
            members = [(Path(member.name), tar.extractfile(member)) for member in tar]
            return {path.name: stream.read() for path, stream in members if stream and path.stem in BATCHES}
    except TooLarge as error:
        raise RequestError(f"{archive}: {error}: not CIFAR-10; wanted {PLACE}") from error
    except (OSError, EOFError, tarfile.TarError, zlib.error) as error:
        reason = "cut off" if isinstance(error, EOFError) else type(error).__name__
        raise RequestError(f"{archive}: not a complete archive ({reason}); wanted {PLACE}") from error


def _batch(file: str, content: bytes) -> Batch:
    """Read the pixels, (N, 3, 32, 32), and the labels, (N,), from a file's content."""
    import numpy

    pixels, labels = _binary(file, content) if file.endswith(".bin") else _pickled(file, content)
    if not len(labels) or labels.min() < 0 or labels.max() >= CLASSES:
        raise RequestError(f"{file}: wanted labels of 0 to {CLASSES - 1}, found others; download it again")
    return pixels.reshape(-1, 3, SIDE, SIDE), labels.astype(numpy.int64)


def _binary(file: str, content: bytes) -> Batch:
    """Read records of one label and 3072 bytes: the red plane, then the green plane, then the blue plane."""
    import numpy

    if not content or len(content) % (1 + PIXELS):
        raise RequestError(f"{file}: wanted records of {1 + PIXELS} bytes, found {len(content)}; download it again")
    records = numpy.frombuffer(content, numpy.uint8).reshape(-1, 1 + PIXELS)
    return records[:, 1:], records[:, 0].astype(numpy.int64)


def _pickled(file: str, content: bytes) -> Batch:
    """Read `data` and `labels` of a pickled dictionary.

    Raises:
        RequestError: the pickle contains more than numbers and strings, or is not such a dictionary.
    """
    import numpy

    try:
        batch = Unpickler(io.BytesIO(content), encoding="bytes").load()
        fields = {key if isinstance(key, str) else key.decode(): value for key, value in batch.items()}
        pixels, labels = fields["data"], fields["labels"]
        if not (
            isinstance(pixels, numpy.ndarray) and pixels.nbytes <= MOST_BATCH_BYTES and pixels.dtype == numpy.uint8
        ):
            raise ValueError("data that are not bytes, or too many")
        if not (len(labels) <= len(pixels) and all(isinstance(label, (int, numpy.integer)) for label in labels)):
            raise ValueError("labels that are not numbers, or too many")
        labels = numpy.array(labels, numpy.int64)
        if pixels.shape != (len(labels), PIXELS):
            raise ValueError(f"{len(labels)} labels and data of {pixels.shape}")
    except pickle.UnpicklingError as error:
        raise RequestError(f"{file}: {error}, and nothing in it is executed; download it again") from error
    except Exception as error:  # a truncated or forged file can raise any exception
        raise RequestError(
            f"{file}: not a complete batch of CIFAR-10 ({type(error).__name__}); download it again"
        ) from error
    return pixels, labels


class Unpickler(pickle.Unpickler):
    """An unpickler that refuses all names except the few that pickled numeric arrays need."""

    def find_class(self, module: str, name: str) -> Any:
        """Return the class or function that a name in a pickle stands for.

        Raises:
            UnpicklingError: the name is not allowed.
        """
        import numpy

        core = importlib.import_module("numpy.core.multiarray" if numpy.__version__ < "2" else "numpy._core.multiarray")
        allowed = {
            ("numpy", "ndarray"): numpy.ndarray,
            ("numpy", "dtype"): numpy.dtype,
            ("numpy.core.multiarray", "_reconstruct"): core._reconstruct,
            ("numpy._core.multiarray", "_reconstruct"): core._reconstruct,
            ("_codecs", "encode"): _latin1,
        }
        if (module, name) not in allowed:
            raise pickle.UnpicklingError(f"it uses {module}.{name}")
        return allowed[module, name]


def _latin1(text: str, encoding: str) -> bytes:
    """Return the bytes that Python 3 stored as Latin-1 text in an old version of the pickle protocol."""
    return text.encode("latin1")

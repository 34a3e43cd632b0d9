"""Every kind of cached thing, damaged in every way: the right value still comes out, and a line says so."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import TypeVar
from zipfile import ZipFile, ZipInfo

import numpy
import pytest
from PIL import Image

from edgebench import export
from edgebench.agent import receive, unpack
from edgebench.deploy.bundle import bundle
from edgebench.deploy.emulation import plugin
from edgebench.foundation import bugs, cache, files, inventory, seal
from edgebench.foundation.progress import warn
from edgebench.images import catalogue, splits
from edgebench.images.datasets import image_folder
from edgebench.images.preprocessing import PRESETS
from edgebench.measure.evaluate import album
from edgebench.measure.evaluate.on_host import Evaluated
from edgebench.networks import cost
from edgebench.networks.describe import Description
from edgebench.schema.cards import CustomModel, FedData, Packages, Weights
from edgebench.schema.variant import Precision, Variant, WeightSource
from edgebench.train.course import _whole
from tests.conftest import variant
from tests.support.command import cli

pytestmark = pytest.mark.slow  # each input is opened in a process of its own

F = TypeVar("F", bound=cache.FileCard)
COUNT = 40
CONTENT = bytes(range(256)) * 20


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def flip_first(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[0] ^= 1
    path.write_bytes(content)


def flip_keeping_time(path: Path) -> None:
    """What a program that restores the time of writing leaves: size and time are as before."""
    status = path.stat()
    flip(path)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def link_elsewhere(path: Path) -> None:
    """Put a link to a damaged file out of the cache in its place."""
    other = path.parents[2] / "elsewhere"
    other.write_bytes(path.read_bytes())
    flip(other)
    path.unlink()
    path.symlink_to(other)


def link_to_the_same(path: Path) -> None:
    other = path.parents[2] / "same"
    path.rename(other)
    path.symlink_to(other)


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def folder(path: Path) -> None:
    path.unlink()
    (path / "inner").mkdir(parents=True)


def other_owner(path: Path) -> None:
    """A file of somebody else, right but for that; without rights for it one that cannot be read."""
    if os.geteuid():
        path.chmod(0)
    else:
        os.chown(path, 12345, 12345)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "truncated": lambda path: os.truncate(path, path.stat().st_size // 2),
    "one byte short": lambda path: os.truncate(path, path.stat().st_size - 1),
    "flipped": flip,
    "first byte flipped": flip_first,
    "flipped, with the old time": flip_keeping_time,
    "emptied": lambda path: path.write_bytes(b""),
    "longer": lambda path: path.write_bytes(path.read_bytes() + b"x"),
    "zeros": lambda path: path.write_bytes(bytes(path.stat().st_size)),
    "link elsewhere": link_elsewhere,
    "link to the same": link_to_the_same,
    "pipe": pipe,
    "folder": folder,
    "another's": other_owner,
    "gone": lambda path: path.unlink(),
    "open to everybody": lambda path: path.chmod(0o666),
}
QUIET = ("gone", "open to everybody")  # nothing is wrong with what is there


def nothing(_: object) -> None: ...


def null_artifact(_: Path) -> object:
    of = Variant(
        architecture="null", width=1.0, resolution=1, precision=Precision.FP32, classes=10,
        weights=WeightSource.NONE, dataset="null",
    )  # fmt: skip
    made = export.export(of, "null", nothing)
    return made, cache.path_of(made).read_bytes()


def description(_: Path) -> object:
    cost.blueprint.cache_clear()
    try:
        stem = cost._stem("lenet5", 1.0, 0, 0)
        if not cache.find(stem, Description):
            shipped = cost._shipped(stem)
            assert shipped
            cache.put(stem, shipped)
        found = cost.blueprint("lenet5", 1.0)
        return found.macs, found.params
    finally:
        cost.blueprint.cache_clear()


def photos(place: Path) -> Path:
    if not (place / "photos").exists():
        draw = numpy.random.default_rng(0)
        for number in range(COUNT):
            file = place / "photos" / f"class{number % 2}" / f"{number}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(draw.integers(0, 256, (20, 24, 3), numpy.uint8)).save(file)
    return place / "photos"


def of_photos(place: Path) -> Variant:
    card = catalogue.adopt(f"image_folder:{photos(place)}")
    of = replace(variant(resolution=16), preprocessing=PRESETS["torchvision"], dataset_classes=card.classes, classes=2)
    return replace(of, dataset=card.name, dataset_sha256=card.sha256)


def pixels(place: Path) -> object:
    images = splits.split(of_photos(place), "test", 3)
    return b"".join(batch.tobytes() for batch in images.batches(7)), images.read([3, 1]).tobytes()


def data_set(place: Path) -> object:
    of = of_photos(place)
    splits.inspect([of], nothing)
    return of.dataset_sha256, catalogue.find(of.dataset, of.dataset_sha256)[0].classes


def weights(path: Path) -> Weights:
    path.write_bytes(CONTENT)
    return Weights(file="", sha256="", dataset="", recipe="given", classes=10, top1=0.5, images=7)


def model(path: Path) -> CustomModel:
    path.write_bytes(CONTENT)
    return CustomModel(
        file="", sha256="", name="net.onnx", format="onnx", content_sha256="c", source="", layout="NCHW", channels=3,
        resolution=8, dtype="float32", batch=0, classes=2, precision=Precision.FP32, params=1, macs=2,
    )  # fmt: skip


def evaluation(path: Path) -> Evaluated:
    path.write_bytes(CONTENT)
    return Evaluated(file="", sha256="")


def zipped(path: Path) -> Packages:
    with ZipFile(path, "w") as archive:
        archive.writestr(ZipInfo("engine/__init__.py"), "VERSION = 7\n" * 50)
        archive.writestr(ZipInfo("engine/data.bin"), CONTENT)
    return Packages(file="", sha256="", size_bytes=path.stat().st_size, packages=("engine==7",))


def fed(path: Path) -> FedData:
    path.write_bytes(CONTENT)
    return FedData(file="", sha256="", name="fed")


def stored(kind: type[F], suffix: str, make: Callable[[Path], F]) -> Callable[[Path], object]:
    def use(_: Path) -> object:
        card = cache.once("net", suffix, kind, make)
        return card, cache.path_of(card).read_bytes()

    return use


def unpacked(_: Path) -> object:
    card = cache.once("net", ".zip", Packages, zipped)
    folder = Path(unpack.answer({"path": str(cache.path_of(card))})["folder"])
    return {file.relative_to(folder): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


def pictures(_: Path) -> object:
    path = album.place("a" * 64)
    if (known := cache.read(path)) is None:
        cache.write_sealed(path, known := {"pictures": [], "colours": ["red"]})
    return known


def agent(_: Path) -> object:
    path, sha256 = bundle()
    return path.read_bytes(), sha256


def counter(_: Path) -> object:
    return plugin.path(7).read_bytes()[:4]


@dataclass(frozen=True)
class Thing:
    """A kind of cached thing: how it is used, and which of its files may be damaged."""

    use: Callable[[Path], object]
    file: str
    is_said: bool = True  # whether a line says that it was damaged


THINGS = {
    "artifact": Thing(null_artifact, "artifacts/*.json"),
    "artifact's card": Thing(null_artifact, "artifacts/*.card.json"),
    "description": Thing(description, "descriptions/*.card.json"),
    "weights": Thing(stored(Weights, ".pt", weights), "weights/net.pt"),
    "weights' card": Thing(stored(Weights, ".pt", weights), "weights/net.card.json"),
    "model": Thing(stored(CustomModel, ".onnx", model), "models/net.onnx"),
    "model's card": Thing(stored(CustomModel, ".onnx", model), "models/net.card.json"),
    "fed arrays": Thing(stored(FedData, ".npz", fed), "inputs/net.npz"),
    "fed arrays' card": Thing(stored(FedData, ".npz", fed), "inputs/net.card.json"),
    "evaluation": Thing(stored(Evaluated, ".json", evaluation), "evaluations/net.json"),
    "evaluation's card": Thing(stored(Evaluated, ".json", evaluation), "evaluations/net.card.json"),
    "packages": Thing(stored(Packages, ".zip", zipped), "packages/net.zip"),
    "packages' card": Thing(stored(Packages, ".zip", zipped), "packages/net.card.json"),
    "unpacked code": Thing(unpacked, "packages/net/engine/__init__.py", is_said=False),  # the host says it: below
    "unpacked data": Thing(unpacked, "packages/net/engine/data.bin", is_said=False),
    "list of what was unpacked": Thing(unpacked, "packages/net.files", is_said=False),
    "pixels": Thing(pixels, "pixels/*.uint8"),
    "pixels' seal": Thing(pixels, "pixels/*.seal"),
    "data set's card": Thing(data_set, "datasets/*.card.json"),
    "hashes of images": Thing(data_set, "digests/*.json"),
    "album": Thing(pictures, "albums/*.json"),
    "agent": Thing(agent, "agent/*.pyz"),
}
if shutil.which("gcc"):
    THINGS |= {
        "plugin": Thing(counter, "emulation/*.so"),
        "plugin's seal": Thing(counter, "emulation/*.seal"),
    }


@pytest.fixture
def home(place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, in which images just written count as settled."""
    monkeypatch.setenv(files.HOME_VARIABLE, str(place / "cache"))
    monkeypatch.setattr(image_folder, "SETTLED_S", 0.0)
    return place / "cache"


def damaged(home: Path, pattern: str) -> Path:
    found = [path for path in home.glob(pattern) if pattern.endswith("card.json") or not path.name.endswith(cache.CARD)]
    (path,) = found
    return path


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", THINGS)
def test_a_damaged_thing_is_said_and_the_right_value_comes_out(
    name: str, damage: str, home: Path, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    thing = THINGS[name]
    right = thing.use(place)
    assert thing.use(place) == right
    path = damaged(home, thing.file)
    status = path.lstat()
    warn.cache_clear()
    capsys.readouterr()
    DAMAGES[damage](path)
    assert thing.use(place) == right
    said = capsys.readouterr().err
    assert ("was damaged" in said) == (thing.is_said and damage not in QUIET), said
    again = damaged(home, thing.file).lstat()
    assert (again.st_mode & 0o170000, again.st_uid) == (status.st_mode & 0o170000, os.geteuid())
    assert again.st_size  # a card has the seconds that making took, so not always the same size
    assert thing.use(place) == right
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_unfinished_training_starts_anew(
    damage: str, home: Path, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = files.folder("training") / "net.pt"
    files.write(path, hashlib.sha256(CONTENT).digest() + CONTENT)
    assert _whole(path) == CONTENT
    DAMAGES[damage](path)
    warn.cache_clear()
    assert _whole(path) == (CONTENT if damage == "open to everybody" else None)
    assert ("training starts from the beginning" in capsys.readouterr().err) == (damage not in QUIET)


def test_every_folder_of_the_cache_is_of_a_known_kind() -> None:
    kinds = {thing.file.partition("/")[0] for thing in THINGS.values()}
    # damaged in tests of training, boards and forecasts; a report of a bug is not read again
    elsewhere = {"training", "emulation", "bases", "durations", "bugs"}
    assert kinds | elsewhere == set(files.KINDS)


def test_no_folder_is_made_that_the_command_cache_does_not_list(home: Path) -> None:
    with pytest.raises(AssertionError, match="odds"):
        files.folder("odds")
    bugs.sentence(ValueError())
    assert "bugs" in {entry.kind for entry in inventory.entries()}


def test_a_card_counts_under_no_other_name(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = cache.keep("one", ".pt", Weights, weights)
    place = cache.path_of(one).parent
    shutil.copy(place / f"one{cache.CARD}", place / f"other{cache.CARD}")
    assert cache.find("other", Weights) is None
    assert "weights/other.card.json in the cache was damaged" in capsys.readouterr().err


def test_a_card_names_no_file_out_of_its_folder(home: Path) -> None:
    card = weights(home.parent / "w")
    assert cache.path_of(replace(card, file="../../etc/passwd")) == home / "weights" / "passwd"


@pytest.mark.parametrize("kind", files.KINDS)
def test_folders_are_their_owners_alone(kind: str, home: Path) -> None:
    assert files.folder(kind).stat().st_mode & 0o777 == 0o700
    assert home.stat().st_mode & 0o777 == 0o700
    (home / kind).chmod(0o755)
    assert files.folder(kind).stat().st_mode & 0o777 == 0o700


def move_and_link(path: Path) -> None:
    path.symlink_to(path.rename(path.with_name("moved")))


# What is wrong with a folder, and what the one line says of it.
REFUSED: dict[str, tuple[Callable[[Path], None], str]] = {
    "link": (move_and_link, "is a link"),
    "open to everybody": (lambda path: path.chmod(0o777), "everybody may write to"),
}
if not os.geteuid():
    REFUSED["another's"] = (lambda path: os.chown(path, 12345, 12345), "belongs to user 12345")


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("kind", [*files.KINDS, ""])
def test_a_folder_that_others_could_fill_is_refused_in_one_line(kind: str, name: str, home: Path) -> None:
    files.folder(kind or "weights")
    spoil, words = REFUSED[name]
    if name == "link" and not kind:
        return  # where the cache itself lies is its user's word
    spoil(home / kind)
    done = cli("cache")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert words in done.stderr


LEFT = ("making-0123abcd", "making-12-net.onnx", "making-x_1ab2c3", "tmpab12cd34", "counter-1.making", "making-0a.pt")


def leave(folder: Path) -> None:
    for name in LEFT:
        (folder / name).mkdir() if "_" in name or name.startswith("tmp") else (folder / name).write_bytes(b"half")


SWEPT = "from edgebench.foundation import files; files.folder('weights'); print('here', flush=True); input()"


def test_what_killed_runs_left_is_swept_once_no_process_uses_the_cache(home: Path) -> None:
    place = files.folder("weights")
    os.close(files._HANDLES.pop(home))  # as if this process had ended
    kept = cache.keep("making-1-net.pt", ".pt", Weights, weights)
    os.close(files._HANDLES.pop(home))
    with subprocess.Popen(
        [sys.executable, "-c", SWEPT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout and other.stdout.readline() == "here\n"
        leave(place)
        files.folder("weights")
        assert {path.name for path in place.iterdir()} >= {*LEFT}  # they may be the other's
        other.kill()
    os.close(files._HANDLES.pop(home))
    files.folder("weights")
    assert {path.name for path in place.iterdir()} & {*LEFT} == set()
    assert cache.find_intact("making-1-net.pt", Weights) == kept


def header(content: bytes, name: str = "net.onnx") -> dict[str, object]:
    return {"name": name, "sha256": hashlib.sha256(content).hexdigest(), "size": len(content), "sent": True}


@pytest.fixture
def board(place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache of a target, as the agent there sees it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(place / "board"))
    return place / "board" / "edgebench"


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_file_damaged_on_a_board_is_sent_again(damage: str, board: Path) -> None:
    path = Path(receive.receive(header(CONTENT), BytesIO(CONTENT))["path"])
    DAMAGES[damage](path)
    asked = receive.receive(header(CONTENT) | {"sent": False}, BytesIO())
    assert asked["path"] == (str(path) if damage == "open to everybody" else "")
    assert receive.receive(header(CONTENT), BytesIO(CONTENT))["path"] == str(path)
    assert path.read_bytes() == CONTENT and not path.is_symlink()


def test_a_boards_cache_is_its_owners_alone_and_is_swept(board: Path) -> None:
    receive.receive(header(CONTENT), BytesIO(CONTENT))
    assert board.stat().st_mode & 0o777 == 0o700
    leave(board)
    (board / "receiving-99").write_bytes(b"half")
    receive.receive(header(b"other"), BytesIO(b"other"))
    assert {path.name for path in board.iterdir()} & {*LEFT, "receiving-99"} <= {"counter-1.making"}
    board.chmod(0o777)
    with pytest.raises(OSError, match="everybody may write to it"):
        receive.receive(header(b"third"), BytesIO(b"third"))


@pytest.mark.parametrize("where", ["../out.py", "/out.py", "a/../../out.py", "..\\out.py"])
def test_packages_that_lead_out_of_their_folder_are_not_unpacked(where: str, place: Path) -> None:
    archive = place / "inner" / "net.zip"
    archive.parent.mkdir()
    with ZipFile(archive, "w") as packed:
        packed.writestr("engine.py", "1")
        packed.writestr(where, "2")
    with pytest.raises(ValueError, match="leads out of their folder; nothing was unpacked"):
        unpack.answer({"path": str(archive)})
    assert [path.name for path in archive.parent.iterdir()] == ["net.zip"]
    assert not (place / "out.py").exists()


def test_code_that_was_put_beside_packages_is_not_run(home: Path, place: Path) -> None:
    right = unpacked(place)
    folder = home / "packages" / "net"
    compiled = folder / "engine" / "__pycache__" / "__init__.cpython-311.pyc"
    compiled.parent.mkdir()
    compiled.write_bytes(b"not from here")
    assert unpacked(place) == right  # as a module that Python compiled meanwhile: compiled again
    (folder / "sitecustomize.py").write_text("raise SystemExit")
    answer = unpack.answer({"path": str(home / "packages" / "net.zip")})
    assert answer["damaged"]
    assert unpacked(place) == right


def retarget(path: Path) -> None:
    path.unlink()
    path.symlink_to("/etc")


def replace_folder(path: Path) -> None:
    """A folder's files, but behind a link."""
    path.symlink_to(path.rename(path.parents[1] / "moved"))


def in_a_library(damage: Callable[[Path], object]) -> Callable[[Path], object]:
    return lambda root: damage(root / "usr/lib/libc.so")


IN_A_SYSTEM: dict[str, Callable[[Path], object]] = {
    **{f"library {name}": in_a_library(damage) for name, damage in DAMAGES.items()},
    "program no program": lambda root: (root / "usr/bin/python3").chmod(0o644),
    "link elsewhere": lambda root: retarget(root / "lib"),
    "link gone": lambda root: (root / "lib").unlink(),
    "folder behind a link": lambda root: replace_folder(root / "usr/lib"),
    "folder gone": lambda root: shutil.rmtree(root / "usr/bin"),
    "one file more": lambda root: (root / "usr/lib/sitecustomize.py").write_text("raise SystemExit"),
    "one link more": lambda root: (root / "usr/lib/extra").symlink_to("/etc"),
    "all behind a link": lambda root: root.symlink_to(root.rename(root.with_name("moved"))),
    "list emptied": lambda root: seal.list_of(root).write_bytes(b""),
    "list of another": lambda root: seal.list_of(root).write_bytes(seal.sealed("other", {"files": {}})),
}


@pytest.mark.parametrize("name", IN_A_SYSTEM)
def test_a_system_with_anything_else_in_it_is_not_whole(name: str, place: Path) -> None:
    root = place / "root-1"
    (root / "usr/bin").mkdir(parents=True)
    (root / "usr/lib").mkdir()
    (root / "usr/lib/libc.so").write_bytes(CONTENT)
    (root / "usr/bin/python3").write_bytes(CONTENT)
    (root / "usr/bin/python3").chmod(0o755)
    (root / "lib").symlink_to("usr/lib")
    (root / "dangling").symlink_to("/nowhere")
    assert not seal.is_whole(root)
    seal.record(root)
    assert seal.is_whole(root)
    (root / "usr/lib/__pycache__").mkdir()
    (root / "usr/lib/__pycache__/os.cpython-311.pyc").write_bytes(b"compiled since")
    assert seal.is_whole(root)
    assert list((root / "usr/lib/__pycache__").iterdir()) == []
    IN_A_SYSTEM[name](root)
    assert seal.is_whole(root) == (name == "library open to everybody")
    seal.remove(root)
    assert not os.path.lexists(root) and not seal.is_recorded(root)
    assert Path("/etc").is_dir()


def test_modules_compiled_at_the_first_import_are_listed(home: Path) -> None:
    card = cache.once("net", ".zip", Packages, zipped)
    request = {"path": str(cache.path_of(card)), "runtime": "null"}
    # in a process of its own: it forks, which libraries that other tests have imported warn of
    code = f"from edgebench.agent import unpack; print(unpack.answer({request})['folder'])"
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert seal.is_whole(Path(done.stdout.strip()))


def entry(stem: str, size: int, used_at: float) -> None:
    def make(path: Path) -> Weights:
        path.write_bytes(bytes(size))
        return Weights(file="", sha256="", dataset="", recipe="given", classes=10, top1=0.5, images=7)

    kept = cache.keep(stem, ".pt", Weights, make)
    for path in cache.path_of(kept).parent.glob(f"{stem}.*"):
        os.utime(path, (used_at, used_at))


def test_the_bound_deletes_what_was_used_longest_ago_and_use_counts(home: Path) -> None:
    for number, stem in enumerate("abcd"):
        entry(stem, 2**20, 1e9 + number)
    assert cache.find_intact("a", Weights)  # used now
    done = cli("cache", "--max", "2.5MiB")
    assert (done.returncode, done.stderr) == (0, "")
    assert "Deleted: 2 entries with 2.0 MiB in all." in done.stdout
    assert [stem for stem in "abcd" if cache.find_intact(stem, Weights)] == ["a", "d"]
    listed = json.loads(cli("cache", "weights", "--json").stdout)
    (row,) = listed["rows"]
    assert (row["kind"], row["entries"]) == ("weights", 2)
    assert row["size_mib"] == pytest.approx(2.0, abs=0.01)


def test_a_kind_is_cleared_and_nothing_else(home: Path, place: Path) -> None:
    for thing in THINGS.values():
        thing.use(place)
    (home / "mine").mkdir()
    (home / "mine" / "making-0123").write_text("not the cache's")
    kinds = {kind.kind for kind in inventory.kinds(inventory.entries()) if kind.entries}
    assert cli("cache", "packages", "--clear").returncode == 0
    left = {kind.kind for kind in inventory.kinds(inventory.entries()) if kind.entries}
    assert kinds - left == {"packages"}
    assert cli("cache", "--clear").returncode == 0
    assert inventory.entries() == ()
    assert (home / "mine" / "making-0123").exists()
    assert [thing.use(place) is not None for thing in THINGS.values()]


def test_a_cache_in_use_is_not_emptied(home: Path) -> None:
    entry("a", 10, 1e9)
    with subprocess.Popen(
        [sys.executable, "-c", SWEPT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout and other.stdout.readline() == "here\n"
        for wanted in (("--clear",), ("--max", "1kB")):
            done = cli("cache", *wanted)
            assert (done.returncode, done.stdout) == (2, "")
            assert "is in use by another process; run again when it ends" in done.stderr
        other.kill()
    assert cache.find_intact("a", Weights)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--max", "20"), "wanted a size with its unit such as 64MiB, found '20'"),
        (("--max", "1GiB", "--clear"), "wanted --clear or --max, found both"),
        (("pixel", "--clear"), "no kind of cached file 'pixel' (has agent, "),
        (("--format", "xml"), "no format 'xml'"),
    ],
)
def test_what_cannot_be_is_one_line(arguments: tuple[str, ...], words: str, home: Path) -> None:
    done = cli("cache", *arguments)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert words in done.stderr

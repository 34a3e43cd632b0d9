"""What a user asked for in an impossible way is refused in one line, or is a row; the rest of it is measured."""

from __future__ import annotations

from pathlib import Path
from typing import Literal
from unicodedata import normalize

import pytest

from edgebench.deploy import targets
from edgebench.export import custom
from edgebench.export.custom import refused
from edgebench.foundation.errors import InvalidFile, RequestError
from edgebench.images.labels import labels
from edgebench.images.listing import pictures
from edgebench.measure.plan import custom as own_cells
from edgebench.measure.plan import sweeps
from edgebench.measure.plan.cases import require_cores
from edgebench.schema.names import require_name
from edgebench.schema.sweep import Model, Sweep
from edgebench.schema.variant import Precision
from tests.conftest import case, environment

SWEEP = '[[models]]\nname = "null"\n'


def sweep_of(place: Path, text: str, encoding: str = "utf-8") -> Sweep:
    path = place / "mine.toml"
    path.write_text(text, encoding=encoding)
    return sweeps.sweep(str(path))


@pytest.mark.parametrize("value", ["[1e23]", "[1.5]", '["1"]', "1", "[true]", "[inf]", "[nan]"])
@pytest.mark.parametrize("key", ["threads", "batches", "resolutions"])
def test_a_number_that_is_not_whole_names_the_line_and_the_key(key: str, value: str, place: Path) -> None:
    with pytest.raises(InvalidFile, match=rf"mine\.toml:1: {key}"):
        sweep_of(place, f"{key} = {value}\n{SWEEP}")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_a_sweep_is_read_with_and_without_a_byte_order_mark(encoding: str, ending: str, place: Path) -> None:
    assert sweep_of(place, SWEEP.replace("\n", ending), encoding).models == (Model(name="null"),)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
def test_a_sweep_in_another_encoding_is_refused(encoding: str, place: Path) -> None:
    with pytest.raises(InvalidFile, match="not TOML"):
        sweep_of(place, SWEEP, encoding)


@pytest.mark.parametrize(("threads", "cores"), [(3, "2"), (1000, "2"), (10**20, "64")])
def test_more_threads_than_cores_are_refused(threads: int, cores: str) -> None:
    with pytest.raises(RequestError, match=f"at most {cores} threads on target cpu, one per core, found {threads}"):
        require_cores([case(), case(threads=threads)], environment(cores=cores))


@pytest.mark.parametrize("cores", ["2", ""])
def test_as_many_threads_as_cores_and_unknown_cores_are_accepted(cores: str) -> None:
    require_cores([case(threads=2)], environment(cores=cores))


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a b", "a/b", "-x", ".x", "a\n", "é", "x" * 256, "\x1b[1m"])
def test_a_name_that_is_no_folders_name_is_refused(name: str) -> None:
    with pytest.raises(RequestError, match="wanted a name of letters"):
        require_name(name)


@pytest.mark.lengthy
@pytest.mark.parametrize("content", [b"connection =", b"\xff\xfe", b"board = 1", b'name = "x"', None])
def test_one_bad_target_file_is_named_and_the_others_are_listed(content: bytes | None, place: Path) -> None:
    path = place / "targets" / "bad.toml"
    path.parent.mkdir()
    path.mkdir() if content is None else path.write_bytes(content)
    sheet = targets.listed()
    (note,) = [note for note in sheet.notes if "bad.toml" in note]
    assert "until it is mended, bad cannot be used" in note
    listed = str(sheet)
    assert all(name in listed for name in ("cpu", "rpi4"))


def folder(place: Path, *names: str) -> Path:
    """Make empty files of pictures: nothing here decodes them."""
    for name in names:
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(name.encode())
    return place


def read(place: Path) -> object:
    listing = pictures(place, "")
    return labels(place, "", sorted(listing.stamps), listing)


Form = Literal["NFC", "NFD"]
FORMS: tuple[Form, ...] = ("NFC", "NFD")
TWINS = ("café", "Ångström", "한국")


@pytest.mark.parametrize("name", TWINS)
def test_class_folders_whose_names_look_the_same_are_refused(name: str, place: Path) -> None:
    twins = [f"{normalize(form, name)}/{form}.png" for form in FORMS]
    with pytest.raises(RequestError, match=r"found .* twice, .*\(Unicode NFC and NFD\); merge or rename them"):
        read(folder(place / "twins", *twins, "other/1.png"))


@pytest.mark.parametrize("name", TWINS)
@pytest.mark.parametrize("of_files", FORMS)
@pytest.mark.parametrize("of_list", FORMS)
def test_accents_of_lists_and_files_may_be_written_in_two_ways(
    name: str, of_files: Form, of_list: Form, place: Path
) -> None:
    held, listed = normalize(of_files, name), normalize(of_list, name)
    classes = folder(place / "classes", f"{held}/1.png", "b/2.png")
    (classes / "classes.txt").write_text(f"b\n{listed}\n")
    assert read(classes).classes == ("b", normalize("NFC", name))  # type: ignore[attr-defined]
    flat = folder(place / "flat", f"{held}.png", "b.png")
    (flat / "labels.txt").write_text(f"{listed}.png 1\nb.png 0\n")
    assert read(flat).by_name == {f"{held}.png": 1, "b.png": 0}  # type: ignore[attr-defined]


@pytest.mark.parametrize(("numbers", "least"), [((1, 2, 3), 1), ((5, 7, 9), 5), ((0, 1, 2), 0)])
def test_labels_that_do_not_begin_at_0_are_said(numbers: tuple[int, ...], least: int, place: Path) -> None:
    flat = folder(place / "flat", *(f"{number}.png" for number in numbers))
    (flat / "labels.txt").write_text("".join(f"{number}.png {number}\n" for number in numbers))
    notices = read(flat).notices  # type: ignore[attr-defined]
    assert bool(notices) == bool(least)
    assert not least or f"the least is {least}; numbers count from 0" in notices[0]


@pytest.mark.lengthy
@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("junk.onnx", b"junk" * 50, "is not a complete ONNX file"),
        ("empty.onnx", b"", "is empty"),
        ("junk.tflite", b"junk" * 50, "junk.tflite"),
        ("gone_before.onnx", None, "nothing is at gone_before.onnx"),
        ("nets.py", b"", "is empty"),
    ],
)
def test_a_bad_model_among_several_is_a_case_that_fails(
    name: str, content: bytes | None, why: str, place: Path
) -> None:
    if content is not None:
        Path(name).write_bytes(content)
    sweep = Sweep(models=(Model(name="null"), Model(name=name)), precisions=(Precision.FP32, Precision.INT8))
    cells = tuple(sweep.cells())
    models = own_cells.adopt(cells)
    completed = tuple(own_cells.completed(cells, models))
    assert [cell.model for cell in completed] == [cell.model for cell in cells]
    assert [cell.quantization for cell in completed if cell.model == name] == ["", ""]
    (card,) = models.values()
    assert why in card.refused


def test_only_bad_models_are_refused_before_anything_runs(place: Path) -> None:
    cells = tuple(Sweep(models=(Model(name="a.onnx"), Model(name="b.tflite"))).cells())
    with pytest.raises(RequestError, match="nothing is at a.onnx"):
        tuple(own_cells.completed(cells, own_cells.adopt(cells)))


def test_a_refused_model_is_not_found_by_its_name_and_its_reason_has_no_path(place: Path) -> None:
    path = place / "far" / "x.onnx"
    assert refused(str(path), f"{path} is empty; write it again").refused == "x.onnx is empty; write it again"
    with pytest.raises(RequestError, match="nothing is at x.onnx"):
        custom.adopt("x.onnx", "")

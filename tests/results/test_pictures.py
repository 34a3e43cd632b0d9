"""The pictures of a page: each artifact's, the worst first, with truth, float and int8; none without an album."""

import re
import shutil
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

from edgebench.results import folders, pictures
from edgebench.results.journal import JOURNAL
from edgebench.results.reports import html
from tests import GOLDEN


def page(name: str, errors: int, *sources: str) -> dict[str, Any]:
    found = {source: [[1, 0.5, 0.1, 0.1, 0.5, 0.5]] * count for count, source in enumerate(("truth", *sources), 1)}
    return {"name": name, "errors": errors, "size": [200, 100], "jpeg": b64encode(b"a picture").decode()} | found


@pytest.fixture
def folder(place: Path) -> Path:
    (made := place / "results" / "mine").mkdir(parents=True)
    shutil.copy(GOLDEN / JOURNAL, made)
    return made


def artifact(folder: Path, precision: str) -> tuple[str, str]:
    """The hash of the first artifact of a precision, and its row's title."""
    _, background = folders.study(folder)
    line = next(one for one in background.lines if one.row.setup.precision == precision and one.evidence.artifact)
    assert line.evidence.artifact
    return line.evidence.artifact.sha256, f"{line.row.setup.network} {line.row.setup.scheme}"


def rendered(folder: Path) -> str:
    return html.render(*folders.study(folder))


@pytest.mark.lengthy
def test_a_page_without_pictures_has_no_section_of_them(folder: Path) -> None:
    assert (
        '"#pictures"' not in rendered(folder)
        and 'id="pictures"' not in rendered(folder)
        and ".drawings" not in rendered(folder)
    )


@pytest.mark.lengthy
def test_truth_float_and_int8_stand_side_by_side_and_pixels_are_there_once(folder: Path) -> None:
    sha256, title = artifact(folder, "int8")
    album = [page("<b>a.png", 7, "this", "float"), page("b.png", 1, "this", "float")]
    pictures.write(folder, sha256, {"pictures": album, "colours": ["#e69f00", '"x']})
    text = rendered(folder)
    section = text[text.index('<section id="pictures">') : text.index('<section id="environment">')]
    assert title in section and '<a href="#pictures">' in text
    assert section.index("&lt;b&gt;a.png: 7 errors") < section.index("b.png: 1 error<")
    assert section.count("<svg") == 6 and section.count("<image") == 2 and section.count("<use") == 4
    assert [section.index(words) for words in ("truth: 1", "float: 3", "int8: 2")] == sorted(
        section.index(words) for words in ("truth: 1", "float: 3", "int8: 2")
    )
    assert section.count("<rect") == 2 * (1 + 2 + 3)
    assert 'x="20.0" y="10.0" width="80.0" height="40.0"' in section
    assert len(set(re.findall(r'id="(picture-\d+-\d+)"', section))) == 2
    assert "&quot;x" in section


@pytest.mark.lengthy
def test_a_localizers_only_box_has_its_overlap_in_place_of_a_count_and_a_score(folder: Path) -> None:
    sha256, _ = artifact(folder, "int8")
    one = page("a.png", 2) | {"iou": {"this": 0.123, "float": 0.9}}
    one |= {source: [[label, None, 0.1, 0.1, 0.5, 0.5]] for source, label in (("truth", 7), ("this", 1), ("float", 7))}
    pictures.write(folder, sha256, {"pictures": [one], "colours": ["#e69f00"] * 10})
    section = rendered(folder).partition('<section id="pictures">')[2].partition("</section>")[0]
    assert re.findall(r"<div>([^<]+)<svg", section) == ["truth", "float: IoU 90%", "int8: IoU 12%"]
    assert re.findall(r"<text[^>]*>([^<]+)</text>", section) == ["7", "7", "1"]
    assert re.findall(r'aria-label="([^"]+)"', section) == ["truth, 1 box", "float, 1 box", "this file, 1 box"]
    assert "a.png: 2 errors" in section
    assert "Localizers: " in section and "Detectors: " not in section and "Segmenters: " not in section


@pytest.mark.lengthy
@pytest.mark.parametrize("content", ["", "[]", "{", '{"pictures": 3}'])
def test_a_damaged_album_is_left_out(content: str, folder: Path) -> None:
    sha256, _ = artifact(folder, "int8")
    pictures.write(folder, sha256, {})
    pictures._file(folder, sha256).write_text(content)
    assert 'id="pictures"' not in rendered(folder)


@pytest.mark.lengthy
def test_maps_of_classes_lie_over_the_picture_whose_pixels_are_there_once(folder: Path) -> None:
    sha256, title = artifact(folder, "int8")
    maps = {source: b64encode(source.encode()).decode() for source in ("truth", "this", "float")}
    one = {
        "name": "<i>c.png",
        "errors": 500,
        "size": [200, 100],
        "jpeg": b64encode(b"a picture").decode(),
        "maps": maps,
    }
    pictures.write(folder, sha256, {"pictures": [one], "colours": []})
    text = rendered(folder)
    section = text[text.index('<section id="pictures">') : text.index('<section id="environment">')]
    assert title in section and "&lt;i&gt;c.png: 2.5% wrong pixels" in section
    assert section.count("<svg") == 3 and section.count("data:image/jpeg") == 1 and section.count("<use") == 2
    places = [section.index(f"base64,{maps[source]}") for source in ("truth", "float", "this")]
    assert places == sorted(places)

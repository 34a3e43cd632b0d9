"""int8 that was calibrated on too few images says on how many, and a folder sets enough aside where it has them."""

from pathlib import Path

import pytest

from edgebench.images.datasets import image_folder
from edgebench.results.journal import Journal
from edgebench.results.measurement import summarize
from edgebench.results.measurement.evidence import gather
from edgebench.results.measurement.verdict import LEAST_CALIBRATION, Verdict
from edgebench.schema.artifact import Artifact
from edgebench.schema.quantization import Quantization
from edgebench.schema.record import Deployment
from tests.conftest import artifact, deployment, run, session
from tests.hostile.colours import colours, rows
from tests.hostile.graphs import floats, node, write


def reasons(card: Artifact) -> dict[str, Verdict]:
    (evidence,) = gather([session(), deployment(card), *[run()] * 6])
    return {one.text: one.verdict for one in summarize(evidence).reasons}


@pytest.mark.parametrize("images", [0, 1, 4, 10, 31])
def test_fewer_images_than_ranges_need_are_suspect(images: int) -> None:
    for asked in (100, images or 1):
        found = reasons(artifact(quantization=Quantization(images=asked), calibrated_on=images))
        (text,) = [text for text in found if f"int8 was calibrated on {images} image" in text]
        assert found[text] == Verdict.SUSPECT


@pytest.mark.parametrize("images", [LEAST_CALIBRATION, 99])
def test_fewer_images_than_requested_are_said_and_no_fault(images: int) -> None:
    found = reasons(artifact(quantization=Quantization(), calibrated_on=images))
    assert found == {f"int8 was calibrated on {images} images, not 100": Verdict.VALID}


@pytest.mark.parametrize("images", [100, 500, None])
def test_enough_images_or_an_older_card_need_no_word(images: int | None) -> None:
    assert reasons(artifact(quantization=Quantization(), calibrated_on=images)) == {}


@pytest.mark.lengthy
@pytest.mark.parametrize(
    ("count", "aside"), [(2, 1), (20, 2), (32, 3), (33, 32), (40, 32), (120, 32), (320, 32), (400, 40), (5010, 500)]
)
def test_a_folder_sets_enough_aside_where_it_has_them(place: Path, count: int, aside: int) -> None:
    for label in ("a", "b"):
        (place / "many" / label).mkdir(parents=True)
    for number in range(count):
        (place / "many" / "ab"[number % 2] / f"{number}.png").write_bytes(str(number).encode())
    opened = image_folder.open(place / "many")
    parts = [len(opened.part(name).labels) for name in ("calibration", "test")]
    assert parts == [aside, count - aside]


@pytest.mark.slow
@pytest.mark.parametrize(("each", "seen"), [(4, 1), (20, 32)])
def test_the_card_and_the_row_say_on_how_many_images_int8_was_calibrated(place: Path, each: int, seen: int) -> None:
    nodes = [
        node("Conv", ["image", "w"], "made"), node("GlobalAveragePool", ["made"], "pooled"),
        node("Flatten", ["pooled"], "flat"), node("MatMul", ["flat", "v"], "scores"),
    ]  # fmt: skip
    write(place / "net.onnx", nodes, {"w": floats(4, 3, 3, 3), "v": floats(4, 3)}, classes=3)
    (row,) = rows("--model", "net.onnx", "--precision", "int8", "--dataset", colours(place, each))
    assert f"int8 was calibrated on {seen} image" in row["reasons"]
    cards = [one.artifact for one in Journal(place / "results" / "hostile") if isinstance(one, Deployment)]
    assert [card.calibrated_on for card in cards] == [seen]

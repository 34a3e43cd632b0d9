"""Pixels that are kept: the same to the last bit, whole or not there, and never in the way."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy
import pytest
from PIL import Image

from edgebench.deploy import Deployed
from edgebench.deploy.connections.null import Here
from edgebench.foundation import files
from edgebench.images import catalogue, pixels
from edgebench.images.loader import Images
from edgebench.images.preprocessing import PRESETS
from edgebench.measure import evaluate
from edgebench.schema.runtime import Runtime
from tests.conftest import variant
from tests.support.images import split

COUNT = 86  # of which 32 are set aside


@pytest.fixture
def photos(place: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Images]:
    """54 noisy images of two classes, in an empty cache."""
    monkeypatch.setenv("EDGEBENCH_CACHE", str(place / "cache"))
    draw = numpy.random.default_rng(0)
    for number in range(COUNT):
        file = place / "photos" / f"class{number % 2}" / f"{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(draw.integers(0, 256, (20, 24, 3), numpy.uint8)).save(file)

    def found(architecture: str = "mobilenet_v2", preset: str = "torchvision") -> Images:
        card = catalogue.adopt(f"image_folder:{place / 'photos'}")
        of = replace(variant(architecture, resolution=16), preprocessing=PRESETS[preset])
        return split(
            replace(of, dataset=card.name, dataset_sha256=card.sha256, dataset_classes=card.classes, classes=2), "test"
        )

    return found


def seen(images: Images) -> bytes:
    return b"".join(batch.tobytes() for batch in images.batches(7))


@pytest.mark.lengthy
@pytest.mark.parametrize("preset", sorted(PRESETS))
@pytest.mark.parametrize("architecture", ["mobilenet_v2", "lenet5"])
def test_kept_images_are_the_decoded_ones_to_the_last_bit(
    photos: Callable[..., Images], preset: str, architecture: str
) -> None:
    images = photos(architecture, preset)
    decoded = replace(images, memory=None)
    first = seen(images)
    assert images.file is not None
    assert first == seen(images) == seen(decoded)
    assert images.read([5, 0, 53]).tobytes() == decoded.read([5, 0, 53]).tobytes()


@pytest.mark.lengthy
def test_a_second_pass_opens_no_picture(photos: Callable[..., Images], place: Path) -> None:
    images = photos()
    first = seen(images)
    (place / "photos").rename(place / "elsewhere")
    assert seen(images) == first


@pytest.mark.lengthy
def test_nothing_is_kept_of_a_pass_that_was_given_up(photos: Callable[..., Images], place: Path) -> None:
    images = photos()
    passing = images.parts(7)
    next(passing)
    passing.close()  # type: ignore[attr-defined]
    images.read([1, 2])
    assert images.file is None
    assert [file.suffix for file in (place / "cache" / "pixels").iterdir()] in ([], [".lock"])


@pytest.mark.lengthy
def test_two_passes_at_once_are_both_right(photos: Callable[..., Images]) -> None:
    images = photos()
    both = list(zip(images.parts(7), images.parts(7), strict=True))
    assert images.file is not None
    assert all(numpy.array_equal(one, other) for one, other in both)


@pytest.mark.lengthy
@pytest.mark.parametrize(("limit", "value"), [("MOST_BYTES", 1000), ("FREE_SHARE", 0.0)])
def test_a_file_too_large_is_not_kept(
    photos: Callable[..., Images], monkeypatch: pytest.MonkeyPatch, limit: str, value: float
) -> None:
    monkeypatch.setattr(pixels, limit, value)
    images = photos()
    assert seen(images) == seen(replace(images, memory=None))
    assert images.file is None


@pytest.mark.lengthy
def test_a_file_that_was_cut_off_does_not_count(photos: Callable[..., Images]) -> None:
    images = photos()
    whole = seen(images)
    assert images.file is not None
    images.file.write_bytes(images.file.read_bytes()[:-1])
    assert images.file is None
    assert seen(images) == whole


@pytest.mark.lengthy
def test_a_picture_replaced_under_its_name_is_decoded_anew(photos: Callable[..., Images], place: Path) -> None:
    before = seen(photos())
    names = sorted((place / "photos" / "class0").iterdir())
    one, other = names[3], names[4]
    swapped = one.read_bytes()
    size = max(one.stat().st_size, other.stat().st_size)
    for file, content in ((one, other.read_bytes()), (other, swapped)):
        file.write_bytes(content.ljust(size, b"\0"))
    assert seen(photos()) != before


@pytest.mark.lengthy
def test_the_bundled_digits_are_not_kept() -> None:
    assert split(variant(), "test").memory is None


@pytest.mark.lengthy
def test_an_evaluation_says_the_same_whether_the_pixels_are_kept_or_not(
    photos: Callable[..., Images], place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluate, "PART_BYTES", 3 * 16 * 16 * 32)
    photos()
    card = catalogue.adopt(f"image_folder:{place / 'photos'}")
    of = replace(variant(resolution=16), preprocessing=PRESETS["torchvision"], classes=2)
    of = replace(of, dataset=card.name, dataset_sha256=card.sha256, dataset_classes=card.classes)
    (place / "net.json").write_text('{"delay_s": 0.0, "classes": 2}')
    sha256 = files.sha256(place / "net.json")
    deployed, answers = Deployed(variant=of, path=str(place / "net.json"), sha256=sha256), []
    runtime, here = Runtime(name="null", version="1"), Here()
    for _ in range(2):
        outputs = evaluate.answers(split(of, "test"), deployed, runtime, 1, here)
        answers.append(b"".join(rows.tobytes() for rows in outputs.rows(9)))
        assert split(of, "test").file is not None
    assert len(answers[0]) == 54 * 2 * 4
    assert answers[0] == answers[1]

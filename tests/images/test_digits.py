"""The bundled digits: their splits are disjoint and balanced, and loading them stays small."""

import tracemalloc
from dataclasses import replace

import numpy
import pytest

from edgebench.foundation import shelf
from edgebench.images.datasets import digits
from tests.conftest import variant
from tests.support.images import split

BUNDLED = [name for name in shelf.names("datasets") if not shelf.load("datasets", name).PLACE]
SPLITS = ("train", "calibration", "test")


@pytest.mark.lengthy
def test_the_splits_of_digits_share_no_image_and_leave_none_out() -> None:
    seen = [
        image.tobytes() for name in digits.PARTS for image in next(split(variant(resolution=8), name).batches(2000))
    ]
    assert len(seen) == len(set(seen)) == 1797


@pytest.mark.lengthy
def test_digits_are_what_the_networks_take() -> None:
    images = split(variant(resolution=40), "calibration")
    pixels = images.read(range(len(images)))
    assert pixels.shape == (100, 3, 40, 40)
    assert (str(pixels.dtype), str(images.labels.dtype)) == ("float32", "int64")
    assert pixels.min() >= -1 and pixels.max() <= 1
    assert numpy.array_equal(pixels[:, 0], pixels[:, 2])


@pytest.mark.lengthy
def test_at_their_own_resolution_digits_are_scikit_learns_pixels() -> None:
    from sklearn.datasets import load_digits

    bunch = load_digits()
    originals = {
        (image / 8 - 1).astype(numpy.float32).tobytes(): label
        for image, label in zip(bunch.images, bunch.target, strict=True)
    }
    images = split(variant(resolution=8), "test")
    assert [originals[image[0].tobytes()] for image in images.read(range(600))] == list(images.labels)


def test_digits_are_split_the_same_way_each_time() -> None:
    first = split(variant(), "test").labels
    digits._part.cache_clear()
    assert numpy.array_equal(split(variant(), "test").labels, first)


def test_a_grey_network_is_given_one_channel() -> None:
    grey, colour = split(variant("lenet5", 1.0, 32), "test").read([3, 1]), split(variant(), "test").read([3, 1])
    assert grey.shape == (2, 1, 32, 32)
    assert numpy.allclose(grey[:, 0], colour[:, 0], atol=1e-6)


@pytest.mark.lengthy
@pytest.mark.parametrize("size", [1, 7, 100, 1000])
def test_batches_are_all_images_in_order_whatever_their_size(size: int) -> None:
    images = split(variant(resolution=9), "calibration")
    assert numpy.array_equal(numpy.concatenate(list(images.batches(size))), images.read(range(100)))
    order = numpy.array([5, 3, 99])
    assert numpy.array_equal(numpy.concatenate(list(images.batches(size, order))), images.read(order))


@pytest.mark.lengthy
def test_memory_does_not_grow_with_the_number_of_images() -> None:
    images, peaks = split(variant(resolution=64), "train"), []
    for count in (100, 1000):
        tracemalloc.start()
        for batch in images.batches(25, numpy.arange(count)):
            assert len(batch) == 25
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.5 * peaks[0] < 4 * 25 * 3 * 64 * 64 * 4


def spread(count: int) -> numpy.ndarray[tuple[int], numpy.dtype[numpy.int64]]:
    """Choose all of a few indices, of many the first, the last and some between: a scene is drawn when it is read."""
    return numpy.unique(numpy.linspace(0, count - 1, min(count, 60), dtype=numpy.int64))


@pytest.mark.lengthy
@pytest.mark.parametrize("name", BUNDLED)
def test_every_bundled_data_set_has_labels_within_its_classes(name: str) -> None:
    for part in SPLITS:
        images = split(replace(variant(resolution=9), dataset=name), part)
        drawn = spread(len(images.labels))
        assert sum(len(batch) for batch in images.batches(60, drawn)) == len(drawn) > 0
        assert len(images.labels) == len(images) > 0
        assert 0 <= images.labels.min() <= images.labels.max() < shelf.load("datasets", name).CLASSES

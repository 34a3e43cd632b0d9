import numpy
import pytest

from edgebench import shelf
from edgebench.datasets import digits


def test_the_splits_of_digits_share_no_image_and_leave_none_out() -> None:
    seen = [image.tobytes() for split in digits.PARTS for image in digits.load(split, 8)[0]]
    assert len(seen) == len(set(seen)) == 1797


def test_digits_are_what_the_networks_take() -> None:
    images, labels = digits.load("calibration", 40)
    assert images.shape == (100, 3, 40, 40)
    assert (str(images.dtype), str(labels.dtype)) == ("float32", "int64")
    assert images.min() >= -1 and images.max() <= 1
    assert numpy.array_equal(images[:, 0], images[:, 2])


def test_at_their_own_resolution_digits_are_scikit_learns_pixels() -> None:
    from sklearn.datasets import load_digits

    bunch = load_digits()
    originals = {
        (image / 8 - 1).astype(numpy.float32).tobytes(): label
        for image, label in zip(bunch.images, bunch.target, strict=True)
    }
    images, labels = digits.load("test", 8)
    assert [originals[image[0].tobytes()] for image in images] == list(labels)


def test_digits_are_split_the_same_way_each_time() -> None:
    first = digits.load("test", 8)[1]
    digits._split.cache_clear()
    assert numpy.array_equal(digits.load("test", 8)[1], first)


@pytest.mark.parametrize("name", shelf.names("datasets"))
def test_every_data_set_has_labels_within_its_classes(name: str) -> None:
    dataset = shelf.load("datasets", name)
    for split in ("train", "calibration", "test"):
        images, labels = dataset.load(split, 9)
        assert len(images) == len(labels) > 0
        assert 0 <= labels.min() <= labels.max() < dataset.CLASSES

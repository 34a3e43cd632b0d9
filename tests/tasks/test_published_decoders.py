"""Decoders of the published detectors: boxes as torchvision's, YOLO's cells by hand, and one box found again."""

from math import exp

import numpy
import pytest

from edgebench.foundation.shelf import literal, load, names
from edgebench.tasks.detection import decoders

# Boxes per image at the published resolution.
COUNTS = {
    "ssdlite320_mobilenet_v3_large": 3234,
    "ssd300_vgg16": 8732,
    "ssd_mobilenet_v1": 1917,
    "ssdlite_mobilenet_v2": 2034,
    "tiny_yolo_v2_voc": 845,
    "tiny_yolo_v3": 2535,
}
# torchvision 0.29.1's boxes, in fractions of the input, for offsets of 0.5, -0.5, 1 and -1 from a few default boxes.
OFFSETS = (0.5, -0.5, 1.0, -1.0)
NOTED = {
    "ssdlite320": (
        320,
        {
            3: (-0.054295, -0.104928, 0.118437, 0.126644),
            1000: (0.130767, 0.371957, 0.553874, 0.466496),
            2405: (-0.063302, -0.228475, 0.18351, 0.267854),
            3233: (0.192465, 0.040635, 0.862383, 0.859365),
        },
    ),
    "ssd300": (
        300,
        {
            3: (-0.01442, -0.032142, 0.046036, 0.048909),
            1000: (0.560751, 0.141178, 0.646249, 0.198489),
            2405: (0.782545, 0.366262, 0.907702, 0.450157),
            8731: (0.155066, 0.040635, 0.906452, 0.859365),
        },
    ),
}


def native(name: str) -> int:
    return int(literal("architectures", name, "RESOLUTIONS")[name][0])


def test_every_network_that_names_a_decoder_is_here() -> None:
    assert {name for name in names("architectures") if literal("architectures", name, "DECODER")} == set(COUNTS)
    assert decoders.of_network("vgg16", 10, 224) is decoders.of_network("mobilenet_v1_det", 10, 96) is None


@pytest.mark.parametrize("name", COUNTS)
def test_a_network_has_the_published_number_of_boxes(name: str) -> None:
    decoding = decoders.of_network(name, 7, native(name))
    assert decoding is not None
    assert decoding.shapes == ((COUNTS[name], 8), (COUNTS[name], 4))
    assert load("decoders", decoding.name).classes(decoding.shapes) == 7


@pytest.mark.lengthy
@pytest.mark.parametrize("name", NOTED)
def test_offsets_from_default_boxes_become_torchvisions_boxes(name: str) -> None:
    resolution, noted = NOTED[name]
    plugin = load("decoders", name)
    count = len(plugin.priors(resolution))
    raw = numpy.tile(numpy.array(OFFSETS, "f4"), (count, 1))
    scores, boxes = plugin.candidates([numpy.zeros((count, 4), "f4"), raw], resolution)
    assert scores.shape == (3, count)
    assert scores == pytest.approx(0.25)
    for place, box in noted.items():
        assert boxes[place] == pytest.approx(box, abs=2e-6)


def test_tensorflows_boxes_are_three_in_the_first_map_and_their_offsets_begin_with_y() -> None:
    plugin = load("decoders", "ssd_tensorflow")
    first = plugin.priors(300)[:3]
    assert first[:, :2] == pytest.approx(0.5 / 19)
    assert first[:, 2:] == pytest.approx(
        numpy.array([[0.1, 0.1], [0.2 * 2**0.5, 0.2 / 2**0.5], [0.2 / 2**0.5, 0.2 * 2**0.5]]), abs=1e-6
    )
    raw = numpy.zeros((1917, 4), "f4")
    raw[0] = (1, 0, 0, 0)  # a tenth of the box's height down
    _, boxes = plugin.candidates([numpy.zeros((1917, 2), "f4"), raw], 300)
    assert boxes[0] == pytest.approx([0.5 / 19 - 0.05, 0.5 / 19 - 0.04, 0.5 / 19 + 0.05, 0.5 / 19 + 0.06], abs=1e-6)


def test_a_cell_of_tiny_yolo_v2_is_computed_by_hand() -> None:
    """Row 2, column 5, anchor 1: b = (column + sigmoid(x)) / 13, w = anchor * exp(w) / 13, as in Darknet's region."""
    raw, scores = numpy.zeros((845, 4), "f4"), numpy.zeros((845, 3), "f4")
    place = (2 * 13 + 5) * 5 + 1
    raw[place], scores[place] = (1, -1, 0.5, 0), (2, 1, 0)
    likely, boxes = load("decoders", "tiny_yolo_v2").candidates([scores, raw], 416)
    x, y, width, height = (5 + _sigmoid(1)) / 13, (2 + _sigmoid(-1)) / 13, 3.42 * exp(0.5) / 13, 4.41 / 13
    assert boxes[place] == pytest.approx([x - width / 2, y - height / 2, x + width / 2, y + height / 2], abs=1e-5)
    assert likely[:, place] == pytest.approx([_sigmoid(2) * _sigmoid(1), _sigmoid(2) * _sigmoid(-1)], abs=1e-6)


def test_a_cell_of_each_map_of_tiny_yolo_v3_is_computed_by_hand() -> None:
    raw, scores = numpy.zeros((2535, 4), "f4"), numpy.zeros((2535, 3), "f4")
    coarse, fine = (0 * 13 + 1) * 3 + 2, 13 * 13 * 3 + (25 * 26 + 0) * 3
    scores[coarse] = (1, 2, -2)
    likely, boxes = load("decoders", "tiny_yolo_v3").candidates([scores, raw], 416)
    for place, x, y, width, height in ((coarse, 1.5 / 13, 0.5 / 13, 344, 319), (fine, 0.5 / 26, 25.5 / 26, 10, 14)):
        half = width / 832, height / 832
        assert boxes[place] == pytest.approx([x - half[0], y - half[1], x + half[0], y + half[1]], abs=1e-5)
    assert likely[:, coarse] == pytest.approx([_sigmoid(1) * _sigmoid(2), _sigmoid(1) * _sigmoid(-2)], abs=1e-6)


@pytest.mark.parametrize("name", COUNTS)
def test_one_sure_box_among_many_is_the_only_one_found(name: str) -> None:
    decoding = decoders.of_network(name, 3, native(name))
    assert decoding is not None
    scores, raw = (numpy.zeros(shape, "f4") for shape in decoding.shapes)
    place = len(raw) // 2
    if "yolo" in name:
        scores[:, 0], scores[place] = -20, (20, -20, 20, -20)
    else:
        scores[:, 1:], scores[:, 0], scores[place] = -20, 20, (-20, -20, 20, -20)
    row = numpy.concatenate((scores.ravel(), raw.ravel()))[None]
    (found,) = decoders.decoder(decoding, native(name))(row)
    assert found.classes.tolist() == [1]
    assert found.scores == pytest.approx([1.0], abs=1e-5)
    middle, size = numpy.split(load("decoders", decoding.name).priors(native(name))[place], 2)
    box = numpy.concatenate((middle - size / 2, middle + size / 2)).clip(0, 1)
    assert found.boxes[0] == pytest.approx(box, abs=1e-5)


def _sigmoid(value: float) -> float:
    return 1 / (1 + exp(-value))

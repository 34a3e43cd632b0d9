"""Every decoder: the same heads in its layout give the same boxes, and outputs that do not fit are refused by name."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy
import pytest
from numpy.typing import NDArray

from edgebench.agent import stages
from edgebench.foundation.errors import RequestError
from edgebench.foundation.shelf import load, names
from edgebench.images.preprocessing import PRESETS, cut, margins
from edgebench.schema.decoding import Decoding, parse
from edgebench.tasks.detection import boxes, decoders

CLASSES, CELLS, SIDE = 5, 12, 96
# Those of the published detectors, which have default boxes, are tested in test_published_decoders.py.
DECODERS = [name for name in names("decoders") if name != "null" and not hasattr(load("decoders", name), "priors")]
Outputs = list[NDArray[Any]]


def heads(seed: int) -> Outputs:
    """Raw heads of one image with a few sure objects."""
    random = numpy.random.default_rng(seed)
    scores = random.normal(0, 1, (1 + CLASSES, CELLS, CELLS)).astype("f4")
    scores[0] = random.choice([-6, 3], (CELLS, CELLS), p=[0.85, 0.15])
    return [scores, random.normal(0, 0.4, (4, CELLS, CELLS)).astype("f4")]


def parts(raw: Outputs) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Objectness (1, n), class shares (classes, n), centres and sizes in fractions (2, n)."""
    scores, found = (head.reshape(len(head), -1) for head in raw)
    sure, exponents = 1 / (1 + numpy.exp(-scores[:1])), numpy.exp(scores[1:])
    cells = numpy.stack(numpy.divmod(numpy.arange(CELLS**2), CELLS)[::-1]) + 0.5
    size = numpy.exp(numpy.minimum(found[2:], 2.1)) / 8
    return sure, exponents / exponents.sum(0), (cells + found[:2]) / CELLS, size


def yolov8(raw: Outputs) -> Outputs:
    sure, classes, middle, size = parts(raw)
    return [numpy.concatenate([middle * SIDE, size * SIDE, sure * classes])]


def yolov5(raw: Outputs) -> Outputs:
    sure, classes, middle, size = parts(raw)
    return [numpy.concatenate([middle * SIDE, size * SIDE, sure, classes]).T]


def ssd(raw: Outputs) -> Outputs:
    sure, classes, middle, size = parts(raw)
    return [
        numpy.concatenate([1 - sure, sure * classes]).T,
        numpy.concatenate([middle - size / 2, middle + size / 2]).T,
    ]


def logits(raw: Outputs) -> Outputs:
    shares, corners = ssd(raw)
    return [corners * SIDE, numpy.log(shares) + 3]


def fractions(raw: Outputs) -> Outputs:
    (table,) = yolov8(raw)
    table[:4] /= SIDE
    return [table]


LAYOUTS: dict[str, tuple[str, Callable[[Outputs], Outputs]]] = {
    "raw": ("raw", lambda raw: raw),
    "yolov8": ("yolov8", yolov8),
    "yolov8 transposed": ("yolov8", lambda raw: [yolov8(raw)[0].T]),
    "yolov8 in fractions": ("yolov8", fractions),
    "yolov5": ("yolov5", yolov5),
    "yolov5 transposed": ("yolov5", lambda raw: [yolov5(raw)[0].T]),
    "ssd": ("ssd", ssd),
    "ssd with boxes in pixels first, and logits": ("ssd", logits),
    "ssd with an axis of one": ("ssd", lambda raw: [ssd(raw)[0], ssd(raw)[1][:, None]]),
}


def row(outputs: Outputs) -> NDArray[Any]:
    values: NDArray[Any] = numpy.concatenate([output.reshape(-1) for output in outputs]).astype("f4")
    return values


def shapes(outputs: Outputs) -> tuple[tuple[int, ...], ...]:
    return tuple(output.shape for output in outputs)


def test_every_decoder_has_a_layout_here() -> None:
    assert {name for name, _ in LAYOUTS.values()} == set(DECODERS)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_same_heads_in_another_layout_are_the_same_boxes(layout: str) -> None:
    name, arranged = LAYOUTS[layout]
    images = [arranged(heads(seed)) for seed in range(5)]
    decoding = Decoding(name=name, shapes=shapes(images[0]))
    assert decoders.require_fit("net.onnx", name, decoding.shapes) == CLASSES
    assert decoding.values == len(row(images[0]))
    found = decoders.decoder(decoding, SIDE)(numpy.stack([row(outputs) for outputs in images]))
    for seed, boxed in enumerate(found):
        scores, raw = heads(seed)
        wanted = boxes.decode(scores, raw)
        assert len(wanted.boxes) > 3
        assert numpy.allclose(boxed.boxes, wanted.boxes, atol=1e-5)
        assert numpy.allclose(boxed.scores, wanted.scores, atol=1e-5)
        assert (boxed.classes == wanted.classes).all()


@pytest.mark.parametrize("name", DECODERS)
def test_the_stage_after_inference_decodes_on_the_target(name: str) -> None:
    outputs = LAYOUTS[name][1](heads(1))
    decoding = replace(parse(f"{name}+score=0.3+iou=0.7"), shapes=shapes(outputs))
    request = {"task": "detection", "classes": CLASSES, "resolution": SIDE}
    request["decoding"] = {"name": name, "shapes": [list(shape) for shape in decoding.shapes], "score": 0.3, "iou": 0.7}
    decode, settings = stages._decoder(request)
    (found,) = decode(row(outputs)[None])
    assert settings == {"score": 0.3, "iou": 0.7}
    assert found.scores.min() >= 0.3
    scores, raw = heads(1)
    assert len(found.scores) == len(boxes.decode(scores, raw, score=0.3, overlap=0.7).scores)


@pytest.mark.parametrize("wanted", DECODERS)
@pytest.mark.parametrize("layout", DECODERS)
def test_what_does_not_fit_is_refused_with_both_shapes_and_what_would_fit(layout: str, wanted: str) -> None:
    found = shapes(LAYOUTS[layout][1](heads(0)))
    if wanted in decoders.fitting(found):
        return
    with pytest.raises(RequestError) as refused:
        decoders.require_fit("net.onnx", wanted, found)
    text = str(refused.value)
    assert load("decoders", wanted).SHAPES in text and decoders.worded(found) in text
    assert f"--decode {' or '.join(decoders.fitting(found))}" in text and layout in text and "\n" not in text


@pytest.mark.parametrize("found", [(), ((10,),), ((3, 4, 5), (2,)), ((4, 80),), ((100, 3),)])
def test_outputs_that_no_decoder_reads_are_refused_with_all_of_their_wishes(found: tuple[tuple[int, ...], ...]) -> None:
    with pytest.raises(
        RequestError, match=r"^net.onnx: decoder yolov5 wants .*; no decoder fits|which fits$"
    ) as refused:
        decoders.require_fit("net.onnx", "yolov5", found)
    assert "null" not in str(refused.value)


def test_another_number_of_classes_names_the_decoder_that_reads_the_datas() -> None:
    decoding = Decoding(name="yolov8", shapes=((85, 8400),))
    assert decoders.alternatives(decoding, 81, 81) == ""
    assert decoders.alternatives(decoding, 81, 80).endswith(
        "1x85x8400 as boxes of 81 classes; --decode yolov5 would read 80"
    )
    assert "--decode" not in decoders.alternatives(decoding, 81, 20)


@pytest.mark.parametrize("name", ["yolov8", "yolov5"])
def test_scores_that_are_no_probabilities_are_refused(name: str) -> None:
    (table,) = LAYOUTS[name][1](heads(0))
    table = table if name == "yolov8" else table.T
    table[-CLASSES:] = -8.0
    outputs = [table if name == "yolov8" else table.T]
    with pytest.raises(ValueError, match="wanted scores from 0 to 1, found -8"):
        decoders.decoder(Decoding(name=name, shapes=shapes(outputs)), SIDE)(row(outputs)[None])


def test_offsets_from_anchors_are_refused() -> None:
    scores, corners = ssd(heads(0))
    offsets = numpy.random.default_rng(0).normal(0, 1, corners.shape)
    with pytest.raises(ValueError, match="offsets from anchors"):
        decoders.decoder(Decoding(name="ssd", shapes=shapes([scores, offsets])), SIDE)(row([scores, offsets])[None])


@pytest.mark.parametrize("name", DECODERS)
def test_values_that_are_not_finite_make_no_box_and_no_warning(name: str) -> None:
    outputs = LAYOUTS[name][1](heads(0))
    odd = row(outputs)
    odd[::7] = numpy.nan
    (found,) = decoders.decoder(Decoding(name=name, shapes=shapes(outputs)), SIDE)(odd[None])
    assert numpy.isfinite(found.boxes).all() and numpy.isfinite(found.scores).all()


@pytest.mark.parametrize("text", ["yolov8", "yolov8+score=0.001", "yolov8+score=0.001+iou=0.7", "ssd+iou=0.6"])
def test_a_decoder_is_written_as_it_was_read(text: str) -> None:
    assert str(parse(text)) == text


@pytest.mark.parametrize("text", ["", "yolov8+", "yolov8+score", "yolov8+score=2", "yolov8+score=.1+score=.2", "a b"])
def test_a_decoder_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(RequestError, match=r"^wanted --decode ") as refused:
        parse(text)
    assert re.search(r"found", str(refused.value))


@pytest.mark.parametrize("size", [(224, 224), (640, 427), (427, 640), (1000, 30), (17, 96)])
def test_a_letterbox_keeps_proportions_and_is_grey_around_the_picture(size: tuple[int, int]) -> None:
    from PIL import Image

    recipe = PRESETS["letterbox"]
    pixels = cut(Image.new("RGB", size, "white"), recipe, SIDE)
    left, top, right, bottom = margins(size, recipe, SIDE)
    scale = SIDE / max(size)
    assert pixels.shape == (3, SIDE, SIDE)
    assert size[0] + left + right == pytest.approx(SIDE / scale, rel=0.02)
    white = (pixels[0] == 255).any(0).sum(), (pixels[0] == 255).any(1).sum()
    assert white == tuple(max(1, round(side * scale)) for side in size)
    assert set(numpy.unique(pixels)) <= {114, 255}
    assert abs(left - right) * scale <= 1.01 and abs(top - bottom) * scale <= 1.01

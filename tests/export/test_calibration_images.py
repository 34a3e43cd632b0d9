"""The images that int8 is made on: whose they are, how they are read, and every way in which they do not serve."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy
import pytest
from PIL import Image

from edgebench import export
from edgebench.cli import reader
from edgebench.cli.options import SweepOptions
from edgebench.export import order, write
from edgebench.export.formats import onnx
from edgebench.export.prepare import prepare
from edgebench.foundation import cache, provenance
from edgebench.foundation.errors import RequestError
from edgebench.measure.plan import cases, sweeps
from edgebench.measure.plan.check import check
from edgebench.schema.artifact import Artifact
from edgebench.schema.case import Case
from edgebench.schema.quantization import parse
from edgebench.schema.variant import Precision, Variant, parent
from tests.conftest import environment, needs_torch, variant
from tests.support.images import calibration_images

SIDE = 32


def draw(folder: Path, *levels: int) -> str:
    """Save pictures of one colour each, of which red is the brightest."""
    folder.mkdir(parents=True, exist_ok=True)
    for level in levels:
        Image.new("RGB", (SIDE, SIDE), (level, level // 2, 0)).save(folder / f"{level}.png")
    return str(folder)


@pytest.fixture
def photos(place: Path) -> str:
    return draw(place / "far" / "photos", *range(100, 112))


def labelled(folder: Path) -> str:
    """Two classes of ten pictures, two of them set aside to calibrate with."""
    for name, first in (("dark", 10), ("bright", 200)):
        draw(folder / name, *range(first, first + 10))
    return f"image_folder:{folder}"


def cells(**flags: str) -> list[Case]:
    network = {"model": "mobilenet_v1", "width": "0.25", "resolution": str(SIDE), "weights": "random"}
    asked = reader.sweep("", SweepOptions(**(network | flags)))
    check(asked)
    return list(cases.cases(asked.cells(), environment()))


def int8(**flags: str) -> list[Variant]:
    return [case.variant for case in cells(precision="int8", **flags)]


def schemes(**flags: str) -> list[str]:
    return [str(of.quantization) for of in int8(**flags)]


@pytest.mark.lengthy
@needs_torch
def test_schemes_on_images_of_several_kinds_stand_side_by_side(photos: str) -> None:
    own, other = int8(quantization=f"per_channel,per_tensor+calibration={photos}")
    assert str(own.quantization) == "per_channel"
    assert str(other) == f"mobilenet_v1-0.25@{SIDE}/int8-per_tensor+calibration=unlabelled:photos"
    assert (other.dataset, parent(own)) == ("digits", parent(other))


@pytest.mark.lengthy
@needs_torch
def test_a_sweep_s_images_are_those_of_the_schemes_that_name_none(photos: str, place: Path) -> None:
    named = labelled(place / "val")
    assert schemes(calibration=photos, quantization=f"per_channel,per_tensor+calibration={named},qat", weights="") == [
        "per_channel+calibration=unlabelled:photos",
        "per_tensor+calibration=image_folder:val",
        "per_channel+qat+calibration=unlabelled:photos",
    ]


@needs_torch
def test_to_name_a_variant_s_own_data_set_is_to_name_none(place: Path) -> None:
    assert schemes(quantization="per_channel,per_channel+calibration=digits") == ["per_channel"]
    named = labelled(place / "val")
    assert schemes(dataset=named, calibration=named, quantization="s8s8") == ["per_channel+s8s8"]


@pytest.mark.lengthy
@needs_torch
def test_other_content_under_the_same_name_is_another_variant(photos: str) -> None:
    (before,) = int8(calibration=photos)
    draw(Path(photos), 200)
    (after,) = int8(calibration=photos)
    assert str(before) == str(after)
    assert len({provenance.key(order.made_by(of, "onnx", onnx, None)) for of in (before, after)}) == 2


@pytest.mark.lengthy
def test_a_kept_sweep_has_no_path_and_finds_the_images_again(photos: str, place: Path) -> None:
    quantization = f"qat, per_tensor +calibration={photos}"
    asked = reader.sweep("", SweepOptions(model="mobilenet_v1", calibration=photos, quantization=quantization))
    wanted = [case.variant for case in cases.cases(asked.cells(), environment())]
    sweeps.write_sweep(place, asked)
    assert "far" not in (place / sweeps.SWEEP).read_text()
    again = sweeps.sweep(str(place / sweeps.SWEEP))
    assert [case.variant for case in cases.cases(again.cells(), environment())] == wanted


@pytest.mark.lengthy
@needs_torch
def test_a_network_sees_them_as_it_sees_its_own(photos: str) -> None:
    """Digits' recipe: the whole picture, RGB in [-1, 1]; and all of them, where there are fewer than usual."""
    (of,) = int8(calibration=photos)
    seen = list(calibration_images(of))
    assert len(seen) == 12 and {image.shape for image in seen} == {(1, 3, SIDE, SIDE)}
    reds, greens, blues = (numpy.sort([image[0, channel].mean() for image in seen]) for channel in range(3))
    assert numpy.allclose(reds, numpy.arange(100, 112) / 127.5 - 1, atol=1e-5)
    assert numpy.allclose(greens, numpy.sort(numpy.arange(100, 112) // 2) / 127.5 - 1, atol=1e-5)
    assert numpy.allclose(blues, -1)


@needs_torch
def test_a_grey_network_sees_colours_in_grey(photos: str) -> None:
    (of,) = int8(model="lenet5", width="1", resolution="32", calibration=photos, quantization="per_channel+images=2")
    assert [image.shape for image in calibration_images(of)] == [(1, 1, 32, 32)] * 2


@pytest.mark.lengthy
@needs_torch
def test_a_labelled_set_is_read_from_its_calibration_split(place: Path) -> None:
    (of,) = int8(calibration=labelled(place / "val"))
    assert len(list(calibration_images(of))) == 2


@needs_torch
@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"calibration": "cifar11"}, "nothing is at cifar11; wanted a folder of images, or a data set such as digits"),
        ({"calibration": "cifar10"}, "wanted cifar10:path, cifar-10-binary.tar.gz, .*; found no path"),
        ({"calibration": "digits:x"}, "digits is bundled; wanted digits, found digits:x"),
        ({"calibration": "empty"}, "wanted images in .*empty, found none; give a folder of images, or a data set"),
        ({"calibration": "a b"}, "wanted a name of at most 100 letters, .* found 'unlabelled:a b'; rename it"),
        (
            {"quantization": "per_channel+images=101"},
            "digits has 100 images to calibrate with, 101 were requested; use",
        ),
        ({"calibration": "twice", "quantization": "qat+images=3", "weights": ""}, "unlabelled:twice has 2 images to"),
        (
            {"quantization": "per_channel+calibration=twice,per_channel+calibration=other/twice"},
            "wanted data sets of different names, found two called unlabelled:twice; rename one",
        ),
        (
            {"dataset": "image_folder:val", "calibration": "val"},
            "unlabelled:val shares 18 images with the test images of image_folder:val; give other images",
        ),
        ({"precision": "fp32", "calibration": "digits"}, "wanted int8 for --calibration digits, found none"),
    ],
)
def test_images_that_cannot_calibrate_are_refused_before_anything_runs(
    place: Path, flags: dict[str, str], message: str
) -> None:
    (place / "empty").mkdir()
    labelled(place / "val")
    draw(place / "a b", 1)
    draw(place / "twice", 1, 2)
    draw(place / "other" / "twice", 3)
    with pytest.raises(RequestError, match=message):
        cells(**flags)


def scale(artifact: Artifact) -> float:
    """The step of an int8 file's input, of which its range has 255."""
    path = cache.path_of(artifact)
    if artifact.format == "tflite":
        from ai_edge_litert.interpreter import Interpreter

        return float(Interpreter(str(path)).get_input_details()[0]["quantization"][0])
    import onnx

    constants = onnx.load(path).graph.initializer
    return float(onnx.numpy_helper.to_array(next(one for one in constants if one.name == "images_scale")))


@pytest.mark.slow
@pytest.mark.parametrize("format", ["onnx", "tflite"])
def test_an_int8_file_has_the_ranges_of_the_images_that_were_named(format: str, photos: str) -> None:
    """Digits go from -1 to 1; the darkest photo's grey is the mean of 100, 50 and 0, and every range holds 0."""
    words = "s8s8" if format == "tflite" else "per_channel"
    own, other = int8(model="lenet5", width="1", quantization=f"{words},{words}+calibration={photos}")
    found = {of: scale(export.export(of, format, lambda _: None)) for of in (own, other)}
    assert found[own] == pytest.approx(2 / 255, rel=0.01)
    assert found[other] == pytest.approx((1 - 50 / 127.5) / 255, rel=0.01)


@pytest.mark.slow
def test_biases_are_corrected_on_the_images_that_were_named(photos: str) -> None:
    from edgebench.networks import build

    def changed(of: Variant) -> dict[str, Any]:
        images = write.calibration(of, build.channels(of))
        network = write._network(order.resolve(of, "onnx", lambda: None), images, lambda _: None, {})
        return network.state_dict()

    of = replace(variant("mobilenet_v1", 0.25, SIDE), precision=Precision.INT8, quantization=parse("bias_corrected"))
    (other,) = int8(calibration=photos, quantization="bias_corrected")
    seen = [changed(one) for one in (of, other)]
    alike = prepare(build.build(other), other, None, lambda: calibration_images(other), lambda _: None).state_dict()
    biases = [name for name in seen[0] if name.endswith("bias")]
    assert any(not seen[0][name].equal(seen[1][name]) for name in biases)
    assert all(seen[1][name].equal(alike[name]) for name in biases)

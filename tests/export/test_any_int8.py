"""Any float ONNX model is quantized: what it is calibrated on, how far each output is, and which trap it fell into."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import onnx
import pytest
from PIL import Image

from edgebench.agent import machine
from edgebench.export import custom, export
from edgebench.export.custom import calibration
from edgebench.foundation import cache
from edgebench.foundation.errors import CaseError, RequestError
from edgebench.images.splits import why_no_accuracy
from edgebench.schema.artifact import Artifact, OutputNoise
from edgebench.schema.cards import CustomModel
from edgebench.schema.quantization import RANDOM, parse
from edgebench.schema.variant import Precision, Variant
from tests.export.test_custom_onnx import cells
from tests.hostile.graphs import floats, node
from tests.hostile.test_any_model import BOOL, GRAPHS, I64, F, save, written
from tests.support.command import cli

pytestmark = pytest.mark.slow  # each input is opened in a process of its own

MASK = numpy.ones((4, 6, 1), bool)
IMAGE = [("x", F, (1, 3, 16, 24))]


def detector(place: Path, *, joined: bool, far: float = 80.0) -> Path:
    """Write boxes of pixels and scores of two heads, joined into one output or not."""
    boxes, scores = ("b", "s") if joined else ("boxes", "scores")
    nodes = [
        node("Conv", ["x", "w"], "c"), node("Relu", ["c"], "r"), node("Conv", ["r", "wb"], "b0"),
        node("Conv", ["r", "ws"], "s0"), node("Sigmoid", ["s0"], "s1"), node("Reshape", ["b0", "four"], boxes),
        node("Reshape", ["s1", "five"], scores),
    ]  # fmt: skip
    if joined:
        nodes += [node("Concat", [boxes, scores], "both", axis=1), node("Transpose", ["both"], "found", perm=[0, 2, 1])]
    names = ("found",) if joined else (boxes, scores)
    held = {"w": floats(8, 3, 3, 3), "wb": floats(4, 8, 1, 1) * far, "ws": floats(5, 8, 1, 1) * 0.2}
    held |= {"four": numpy.array([1, 4, -1]), "five": numpy.array([1, 5, -1])}
    return save(place / "detector.onnx", nodes, IMAGE, [(name, F, None) for name in names], held)


def one_head(place: Path, *scales: float) -> Path:
    """Write maps out of one convolution, whose channels are scaled."""
    held = {"w": floats(len(scales), 3, 3, 3) * numpy.reshape(scales, (-1, 1, 1, 1)).astype("f4")}
    return save(place / "maps.onnx", [node("Conv", ["x", "w"], "maps")], IMAGE, [("maps", F, None)], held)


def sequence(place: Path) -> Path:
    """Write class scores of ids and a mask."""
    nodes = [
        node("Gather", ["table", "ids"], "e"), node("Cast", ["mask"], "m", to=F), node("MatMul", ["e", "w"], "h"),
        node("Mul", ["h", "m"], "hm"), node("ReduceMean", ["hm"], "mean", axes=[1], keepdims=0),
        node("MatMul", ["mean", "v"], "logits"),
    ]  # fmt: skip
    held = {"table": floats(50, 16), "w": floats(16, 16), "v": floats(16, 7)}
    inputs = [("ids", I64, ("n", 6)), ("mask", BOOL, ("n", 6, 1))]
    return save(place / "sequence.onnx", nodes, inputs, [("logits", F, ("n", 7))], held)


def frames(place: Path, count: int = 40, shape: tuple[int, ...] = (1, 3, 16, 24)) -> Path:
    random, folder = numpy.random.default_rng(1), place / "frames"
    folder.mkdir()
    for number in range(count):
        numpy.savez(folder / f"{number}.npz", x=random.uniform(0, 1, shape).astype("f4"))
    return folder


def tokens(place: Path) -> Path:
    """Write the inputs of `sequence`."""
    folder = place / "tokens"
    folder.mkdir()
    numpy.save(folder / "ids.npy", numpy.random.default_rng(0).integers(0, 50, (40, 6)))
    numpy.save(folder / "mask.npy", numpy.ones((1, 6, 1), bool))  # one for all
    return folder


def int8(path: Path, folder: Path | None = None, scheme: str = "per_channel") -> Artifact:
    """Quantize a model on a folder, or on random inputs, as a run does."""
    card = custom.adopt(str(path), "")
    return of_card(card, folder, scheme)


def of_card(card: CustomModel, folder: Path | None = None, scheme: str = "per_channel") -> Artifact:
    fed = calibration.adopt(str(folder), card, None) if folder else None
    words, sha256 = (fed.name, fed.sha256) if fed else (RANDOM, "")
    quantization = parse(f"{scheme}+calibration={words}")
    from dataclasses import replace

    variant = Variant(
        architecture=card.name, width=1.0, resolution=card.resolution, precision=Precision.INT8, classes=card.classes,
        weights="own", dataset="null", weights_sha256=card.content_sha256, feed=card.feed,
        quantization=replace(quantization, calibration_sha256=sha256),
    )  # fmt: skip
    return export(variant, "onnx", lambda _: None)


def outputs(artifact: Artifact) -> dict[str, OutputNoise]:
    return {output.name: output for output in artifact.outputs}


@pytest.mark.parametrize("name", GRAPHS)
def test_every_graph_is_quantized_or_says_in_a_line_why_not(place: Path, name: str) -> None:
    card, _ = written(place, name)
    if card.precision != Precision.FP32 or card.given:
        pytest.skip("is no float file")
    made, why = None, ""
    try:
        made = of_card(card)
    except CaseError as error:
        why = str(error)
    if made is None:
        assert why.endswith("use --precision fp32") and "\n" not in why
    else:
        assert made.calibrated_on == 16
        assert all(output.agreement is None for output in made.outputs)


@pytest.mark.parametrize(
    "scheme",
    ["per_tensor", "s8s8", "u8u8", "symmetric", "reduce_range", "percentile", "entropy", "mse", "s8s8+per_tensor+mse"],
)
def test_every_scheme_fits_a_detector(place: Path, scheme: str) -> None:
    made = outputs(int8(detector(place, joined=False), frames(place), scheme))
    assert {name: (output.sqnr_db or 0) > 10 for name, output in made.items()} == {"boxes": True, "scores": True}


def test_boxes_and_scores_under_one_scale_are_named(place: Path) -> None:
    (output,) = int8(detector(place, joined=True), frames(place)).outputs
    assert output.name == "found" and output.apart > 1000
    assert output.parts.startswith("b (up to 1") and " and s (up to 0." in output.parts
    assert (output.sqnr_db or 0) > 30, "the mean over both hides that scores are lost"


def test_float_outputs_gives_joined_heads_a_scale_each(place: Path) -> None:
    path, folder = detector(place, joined=True), frames(place)
    before, after = int8(path, folder), int8(path, folder, "per_channel+float_outputs")
    (joined,), (kept,) = before.outputs, after.outputs
    assert joined.apart > 1000 and (kept.apart, kept.parts) == (0.0, "")
    assert not after.float_nodes and after.integer_share == 1.0
    lost, found = part_noise(before), part_noise(after)
    assert lost["scores"] < 5 < 25 < found["scores"] and min(lost["boxes"], found["boxes"]) > 25


def part_noise(made: Artifact) -> dict[str, float]:
    """The SQNR of boxes and of scores in the one output that joins them, dB, on an image that is not of the frames."""
    import onnxruntime

    image = {"x": numpy.random.default_rng(9).uniform(0, 1, (1, 3, 16, 24)).astype("f4")}
    files = ("detector.onnx", cache.path_of(made))
    wanted, found = (onnxruntime.InferenceSession(file).run(None, image)[0] for file in files)
    parts = {"boxes": numpy.s_[..., :4], "scores": numpy.s_[..., 4:]}
    return {
        name: float(10 * numpy.log10((wanted[part] ** 2).sum() / ((wanted[part] - found[part]) ** 2).sum()))
        for name, part in parts.items()
    }


def test_heads_of_their_own_are_no_trap(place: Path) -> None:
    made = outputs(int8(detector(place, joined=False), frames(place)))
    assert [(output.apart, output.parts) for output in made.values()] == [(0.0, ""), (0.0, "")]
    assert made["boxes"].largest_difference > 100 * made["scores"].largest_difference > 0


def test_joined_parts_of_like_ranges_are_no_trap(place: Path) -> None:
    (output,) = int8(detector(place, joined=True, far=0.5), frames(place)).outputs
    assert (output.apart, output.parts) == (0.0, "")


@pytest.mark.parametrize(("scales", "is_apart"), [((300, 1, 200), True), ((30, 1, 20), False), ((3, 3, 0), False)])
def test_channels_of_one_convolution_are_compared(place: Path, scales: tuple[float, ...], is_apart: bool) -> None:
    (output,) = int8(one_head(place, *scales), frames(place)).outputs
    assert bool(output.apart) == is_apart
    assert ("channel 0 " in output.parts and "channel 1 " in output.parts) == is_apart


def test_figures_are_those_of_the_definition(place: Path) -> None:
    """Against both files, run here by onnxruntime alone."""
    import onnxruntime

    from edgebench.foundation import cache

    folder, path = frames(place), one_head(place, 1, 2, 3)
    made = int8(path, folder)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    sessions = [onnxruntime.InferenceSession(str(one), options) for one in (path, cache.path_of(made))]
    of_float, of_int8 = (
        numpy.stack([one.run(None, dict(numpy.load(file)))[0] for file in sorted(folder.iterdir())]).astype("f8")
        for one in sessions
    )
    gap, (output,) = of_float - of_int8, made.outputs
    assert output.sqnr_db == pytest.approx(10 * numpy.log10((of_float**2).sum() / (gap**2).sum()))
    assert output.largest_difference == pytest.approx(abs(gap).max(), rel=1e-3)
    cosine = (of_float * of_int8).sum() / numpy.sqrt((of_float**2).sum() * (of_int8**2).sum())
    assert output.cosine == pytest.approx(cosine)


def test_ids_stay_integers_and_class_scores_agree(place: Path) -> None:
    made = int8(sequence(place), tokens(place))
    (output,) = made.outputs
    assert made.calibrated_on == 40 and output.rows == 40
    assert output.agreement is not None and output.agreement >= 0.9
    import onnx

    from edgebench.foundation import cache

    graph = onnx.load(cache.path_of(made)).graph
    quantized = {one.input[0] for one in graph.node if one.op_type == "QuantizeLinear"}
    assert not quantized & {"ids", "mask"} and [one.type.tensor_type.elem_type for one in graph.input] == [I64, BOOL]


@pytest.mark.parametrize("scheme", ["per_channel", "s8s8+percentile", "mse"])
@pytest.mark.parametrize("least", [-1e9, float(numpy.finfo("f4").min), -numpy.inf])
def test_what_a_mask_puts_out_of_reach_stays_in_float(place: Path, least: float, scheme: str) -> None:
    nodes = [
        node("MatMul", ["x", "q"], "query"), node("Transpose", ["x"], "turned", perm=[0, 2, 1]),
        node("MatMul", ["query", "turned"], "near"), node("Where", ["mask", "least", "near"], "kept"),
        node("Softmax", ["kept"], "shares", axis=-1), node("MatMul", ["shares", "x"], "y"),
    ]  # fmt: skip
    held = {"q": floats(16, 16), "least": numpy.float32(least)}
    inputs = [("x", F, ("n", 6, 16)), ("mask", BOOL, (6, 6))]
    (folder := place / "inputs").mkdir()
    numpy.save(folder / "x.npy", numpy.random.default_rng(0).uniform(-1, 1, (40, 6, 16)).astype("f4"))
    numpy.save(folder / "mask.npy", numpy.triu(numpy.ones((6, 6), bool), 1))  # a row all masked would be no number
    made = int8(save(place / "net.onnx", nodes, inputs, [("y", F, None)], held), folder, scheme)
    assert (made.outputs[0].sqnr_db or 0) > 20
    assert any(name.startswith("Softmax") for name in made.float_nodes)


@pytest.mark.parametrize("opset", [9, 11, 12])
def test_a_file_of_an_older_operator_set_is_converted(place: Path, opset: int) -> None:
    nodes = [node("Conv", ["x", "w"], "c"), node("Squeeze", ["c"], "y", axes=[0])]
    path = save(place / "net.onnx", nodes, IMAGE, [("y", F, None)], {"w": floats(3, 3, 3, 3)}, opset)
    assert (int8(path, frames(place)).outputs[0].sqnr_db or 0) > 30


def test_random_inputs_have_no_agreement(place: Path) -> None:
    (output,) = int8(sequence(place)).outputs
    assert output.agreement is None and output.sqnr_db


def classifier(place: Path, *, is_old: bool = False) -> Path:
    """Write a classifier of square images with two equal constants; an old file lists all of its constants as inputs.

    Old exporters also left constants that nothing reads.
    """
    nodes = [
        node("Conv", ["x", "w"], "c"), node("Add", ["c", "one"], "a"), node("Relu", ["a"], "r"),
        node("Conv", ["r", "v"], "d"), node("Unsqueeze", ["two"], "u", axes=[0, 2, 3]) if is_old else
        node("Unsqueeze", ["two", "axes"], "u"), node("Add", ["d", "u"], "b"), node("GlobalAveragePool", ["b"], "p"),
        node("Reshape", ["p", "shape"], "scores"),
    ]  # fmt: skip
    held = {"w": floats(4, 3, 3, 3), "v": floats(4, 4, 3, 3), "one": floats(1, 4, 1, 1), "two": floats(4)}
    held |= {"shape": numpy.array([1, 4]), "unread": floats(4), "axes": numpy.array([0, 2, 3])}
    listed = [(name, I64 if value.dtype.kind == "i" else F, value.shape) for name, value in held.items() if is_old]
    path = place / "classes.onnx"
    save(path, nodes, [("x", F, (1, 3, 16, 16)), *listed], [("scores", F, (1, 4))], held, opset=9 if is_old else 17)
    if is_old:
        proto = onnx.load(path)
        proto.ir_version = 3
        onnx.save(proto, path)
    return path


@pytest.mark.parametrize("is_old", [False, True])
def test_a_classifier_is_calibrated_on_random_values_too(place: Path, is_old: bool) -> None:
    path = classifier(place, is_old=is_old)
    card = custom.adopt(str(path), "", is_fed=True)
    (output,) = of_card(card).outputs
    assert card.feed and card.feed.sizes == "1x3x16x16" and card.resolution == 16
    assert output.agreement is None and output.sqnr_db and output.sqnr_db > 20
    assert custom.adopt(str(path), "").takes_images and custom.adopt("classes.onnx", "", is_fed=True).feed


def test_both_precisions_of_a_classifier_are_fed_the_same(place: Path) -> None:
    cases = cells(place, model=str(classifier(place)), precision="fp32,int8", calibration="random")
    assert [case.variant.feed and case.variant.feed.sizes for case in cases] == ["1x3x16x16"] * 2
    assert [why_no_accuracy(case.variant) for case in cases] == [
        "no accuracy: the model is fed arrays, which have no labels"
    ] * 2


def of_rows(folder: Path) -> None:
    numpy.save(folder / "x.npy", numpy.zeros((5, 3, 16, 24), "f4"))


def of_frames(folder: Path) -> None:
    for number in range(5):
        numpy.save(folder / f"{number}.npy", numpy.zeros((3, 16, 24), "f4"))


def of_batches(folder: Path) -> None:
    numpy.savez(folder / "0.npz", x=numpy.zeros((2, 3, 16, 24), "f4"))
    numpy.savez(folder / "1.npz", x=numpy.zeros((3, 3, 16, 24), "f4"))


def of_pictures(folder: Path) -> None:
    for number in range(5):
        Image.new("RGB", (40, 30), (255, 0, 0)).save(folder / f"{number}.png")


@pytest.mark.parametrize("fill", [of_rows, of_frames, of_batches, of_pictures])
def test_every_kind_of_folder_is_sets_of_inputs(place: Path, fill: Callable[[Path], None]) -> None:
    card = custom.adopt(str(one_head(place, 1, 1)), "")
    (place / "inputs").mkdir()
    fill(place / "inputs")
    fed = calibration.adopt("inputs", card, None)
    from dataclasses import replace

    scheme = replace(parse(f"per_channel+calibration={fed.name}"), calibration_sha256=fed.sha256)
    assert card.feed
    made = list(calibration.sets(card.feed, scheme))
    assert [one["x"].shape for one in made] == [(1, 3, 16, 24)] * 5
    with pytest.raises(CaseError, match="data:inputs has 5 sets of inputs to calibrate with, but 9 were requested"):
        list(calibration.sets(card.feed, replace(scheme, images=9)))


def test_pictures_are_normalized_as_the_preprocessing_says(place: Path) -> None:
    from edgebench.images.preprocessing import preset

    card = custom.adopt(str(one_head(place, 1, 1)), "")
    (place / "inputs").mkdir()
    of_pictures(place / "inputs")
    held = [calibration.adopt("inputs", card, recipe) for recipe in (None, preset("torchvision"))]
    from edgebench.foundation import cache

    plain, normal = (numpy.load(cache.path_of(one))["x"][0, 0, :, 0, 0].tolist() for one in held)
    assert plain == [1, 0, 0]
    assert normal == pytest.approx([(1 - 0.485) / 0.229, -0.456 / 0.224, -0.406 / 0.225], rel=1e-5)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"0.npz": {"y": numpy.zeros((40, 6), "i8")}}, "has no array for input ids (has y); write "),
        ({"0.npz": {"ids": numpy.zeros((4, 6), "f4"), "mask": MASK}}, "wanted ids of int64 ?x6, "),
        ({"0.npz": {"ids": numpy.zeros((4, 5), "i8"), "mask": MASK}}, "found int64 4x5; write it"),
        ({"0.npz": {"ids": numpy.zeros((4, 6), "i8"), "mask": MASK[:3]}}, "found 4 of ids, 3 of mask"),
        ({"0.npz": {"ids": numpy.zeros((4, 6), "i8"), "mask": MASK},
          "1.npz": {"ids": numpy.zeros((4, 6), "i8")}}, "1.npz has only ids, wanted all of ids, mask; add the others"),
        ({}, "has no arrays for inputs ids, mask; write "),
    ],
)  # fmt: skip
def test_folders_that_do_not_fit_are_refused(place: Path, arrays: dict[str, Any], message: str) -> None:
    card = custom.adopt(str(sequence(place)), "")
    (place / "inputs").mkdir()
    for name, values in arrays.items():
        numpy.savez(place / "inputs" / name, **values)
    with pytest.raises(RequestError) as caught:
        calibration.adopt("inputs", card, None)
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_a_run_says_all_of_it_in_its_rows(place: Path) -> None:
    frames(place)
    joined = detector(place, joined=True)
    done = cli(
        "run", "--model", str(joined), "--calibration", "frames", "--preset", "quick", "--time-limit", "20s",
        "--runtime", "onnxruntime", "--threads", "1", "--json",
    )  # fmt: skip
    rows = {row["precision"]: row for row in json.loads(done.stdout)["rows"]}
    reduced = "" if "vnni" in machine.identity().get("isa", "") else "+reduce_range"
    assert rows["int8"]["quantization"] == f"per_channel{reduced}+calibration=data:frames"
    assert rows["int8"]["sqnr_db"] > 30 and rows["int8"]["agreement"] is None and rows["fp32"]["sqnr_db"] is None
    reasons = rows["int8"]["reasons"]
    assert "output found has one int8 scale for ranges" in reasons and "split heads" in reasons
    assert "int8 against float on the calibration inputs: found (SQNR" in reasons
    assert rows["int8"]["verdict"] in ("SUSPECT", "INVALID")  # on a busy machine, the time is INVALID besides

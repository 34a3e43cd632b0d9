"""Counts of multiply-adds and weights are whole or none; a count that fails refuses no file."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy
import onnx
import pytest

from edgebench.export import custom
from edgebench.export.formats.onnx import count
from tests.hostile import flat
from tests.hostile.colours import DATA, colours, rows
from tests.hostile.flat import Flat, constant
from tests.hostile.graphs import floats, integers, node, write

pytestmark = pytest.mark.slow  # each input is opened in a process of its own

MICROSOFT = "com.microsoft"
LIGHT = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"
ONE, ZERO, BYTE = numpy.float32(0.1), numpy.int8(0), numpy.uint8(0)
Graph = tuple[list[Any], dict[str, Any], int, int]  # nodes, constants, multiply-adds, weights

POOLED = [node("GlobalAveragePool", ["features"], "pooled"), node("Flatten", ["pooled"], "scores")]
FLAT = node("Flatten", ["image"], "flat")  # 192 values
SEQUENCE = [  # the image's 8 columns of 24 values
    node("Reshape", ["image", "steps"], "reshaped"),
    node("Transpose", ["reshaped"], "sequence", perm=[1, 0, 2]),
    node("Flatten", ["hidden"], "wide", axis=0),
    node("Reshape", ["wide", "one"], "scores"),
]
STEPS = {"steps": numpy.array([-1, 8, 24]), "one": numpy.array([1, -1])}


def convolution(operator: str, domain: str = "", **attributes: Any) -> Graph:
    made = node(operator, ["image", "w", "b"], "features", domain=domain, strides=[2, 2], **attributes)
    return [made, *POOLED], {"w": floats(6, 3, 3, 3), "b": floats(6)}, 6 * 3 * 3 * 27, 6 * 27 + 6


def quantized(nodes: list[Any], constants: dict[str, Any], macs: int, weights: int) -> Graph:
    """Between a quantized image and the scores made of the quantized features."""
    first = node("QuantizeLinear", ["image", "s", "z"], "q")
    last = node("DequantizeLinear", ["made", "s", "z"], "features" if constants["w"].ndim == 4 else "scores")
    pooled = POOLED if constants["w"].ndim == 4 else []
    return [first, *nodes, last, *pooled], {"s": ONE, "z": BYTE, "ws": ONE, "wz": ZERO} | constants, macs, weights


def recurrent(operator: str, gates: int) -> Graph:
    constants = STEPS | {"w": floats(1, gates * 5, 24), "r": floats(1, gates * 5, 5), "b": floats(1, 2 * gates * 5)}
    made = onnx.helper.make_node(operator, ["sequence", "w", "r", "b"], ["hidden"], hidden_size=5)
    nodes = [*SEQUENCE[:2], made, *SEQUENCE[2:]]
    return nodes, constants, 8 * gates * 5 * (24 + 5), gates * 5 * (24 + 5 + 2)


def dense(operator: str, domain: str = "", **attributes: Any) -> Graph:
    turned = attributes.get("transB")
    made = node(operator, ["flat", "w", "b"], "scores", domain=domain, **attributes)
    return [FLAT, made], {"w": floats(*(7, 192) if turned else (192, 7)), "b": floats(7)}, 192 * 7, 192 * 7 + 7


def product(operator: str, *inputs: str, domain: str = "", **constants: Any) -> Graph:
    nodes = [FLAT, node("DynamicQuantizeLinear", ["flat"], "")]
    nodes[1].output.extend(["q", "s", "z"])
    nodes += [node(operator, inputs, "sums", domain=domain), node("Cast", ["sums"], "scores", to=1)]
    return nodes, constants | {"w": integers(192, 7)}, 192 * 7, 192 * 7


GRAPHS: dict[str, Graph] = {
    "Conv": convolution("Conv"),
    "FusedConv": convolution("FusedConv", MICROSOFT, activation="Relu"),
    "ConvTranspose": (
        [node("ConvTranspose", ["image", "w"], "features", strides=[2, 2], group=3), *POOLED],
        {"w": floats(3, 4, 2, 2)}, 3 * 64 * 4 * 4, 48,
    ),
    "ConvInteger": (
        [
            onnx.helper.make_node("DynamicQuantizeLinear", ["image"], ["q", "s", "z"]),
            node("ConvInteger", ["q", "w", "z"], "sums"),
            node("Cast", ["sums"], "features", to=1), *POOLED,
        ],
        {"w": integers(6, 3, 3, 3)}, 6 * 36 * 27, 6 * 27,
    ),
    "QLinearConv": quantized(
        [node("QLinearConv", ["q", "s", "z", "w", "ws", "wz", "s", "z"], "made")],
        {"w": integers(6, 3, 3, 3)}, 6 * 36 * 27, 6 * 27,
    ),
    "Gemm": dense("Gemm"),
    "Gemm, turned": dense("Gemm", transB=1),
    "FusedGemm": dense("FusedGemm", MICROSOFT, activation="Relu"),
    "QGemm": quantized(
        [
            node("Flatten", ["q"], "flat"),
            node("QGemm", ["flat", "s", "z", "w", "ws", "wz", "", "s", "z"], "made", domain=MICROSOFT, transB=1),
        ],
        {"w": integers(7, 192)}, 7 * 192, 7 * 192,
    ),
    "MatMul": ([FLAT, node("MatMul", ["flat", "w"], "scores")], {"w": floats(192, 7)}, 192 * 7, 192 * 7),
    "MatMul, of many rows": (
        [node("MatMul", ["image", "w"], "features"), *POOLED], {"w": floats(8, 5)}, 3 * 8 * 8 * 5, 40,
    ),
    "FusedMatMul": (
        [node("FusedMatMul", ["image", "w"], "features", domain=MICROSOFT, transA=1), *POOLED],
        {"w": floats(8, 5)}, 3 * 8 * 8 * 5, 40,
    ),
    "MatMulInteger": product("MatMulInteger", "q", "w", "z"),
    "MatMulIntegerToFloat": product(
        "MatMulIntegerToFloat", "q", "w", "s", "ws", "z", domain=MICROSOFT, ws=ONE
    ),
    "DynamicQuantizeMatMul": product("DynamicQuantizeMatMul", "flat", "w", "ws", domain=MICROSOFT, ws=ONE),
    "QLinearMatMul": quantized(
        [
            node("Flatten", ["q"], "flat"),
            node("QLinearMatMul", ["flat", "s", "z", "w", "ws", "wz", "s", "z"], "made"),
        ],
        {"w": integers(192, 7)}, 192 * 7, 192 * 7,
    ),
    "LSTM": recurrent("LSTM", 4),
    "GRU": recurrent("GRU", 3),
    "RNN": recurrent("RNN", 1),
}  # fmt: skip
# No test file can be made of these: they are of other processors, or of packed weights.
UNTRIED = {"NhwcFusedConv", "FusedMatMulActivation", "MatMulNBits", "DynamicQuantizeLSTM", "DeformConv"}


def made(kind: str, value: Any) -> Any:
    from onnx import helper, numpy_helper

    if kind == "Constant":
        return helper.make_node("Constant", [], ["w"], value=numpy_helper.from_array(value))
    filled = numpy_helper.from_array(numpy.array([0.5], numpy.float32))
    return helper.make_node("ConstantOfShape", ["shape"], ["w"], value=filled)


@pytest.mark.parametrize("kind", ["Constant", "ConstantOfShape"])
@pytest.mark.parametrize("name", ["Conv", "Gemm", "MatMul", "LSTM"])
def test_weights_are_counted_wherever_they_come_from(place: Path, name: str, kind: str) -> None:
    nodes, constants, macs, weights = GRAPHS[name]
    held = {key: value for key, value in constants.items() if key != "w"}
    if kind == "ConstantOfShape":
        held["shape"] = numpy.array(constants["w"].shape)
    card = custom.adopt(str(write(place / "net.onnx", [made(kind, constants["w"]), *nodes], held)), "")
    assert (card.macs, card.params, card.uncounted) == (macs, weights, "")


def branch() -> list[Any]:
    from onnx import TensorProto, helper, numpy_helper

    def way(name: str, weights: Any) -> Any:
        ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None)]
        inner = helper.make_node("MatMul", ["flat", f"w_{name}"], [name])
        return helper.make_graph([inner], name, [], ends, [numpy_helper.from_array(weights, f"w_{name}")])

    return [
        FLAT, node("ReduceSum", ["flat"], "sum", keepdims=0), node("Greater", ["sum", "zero"], "is_bright"),
        helper.make_node("If", ["is_bright"], ["scores"], then_branch=way("bright", floats(192, 4)),
                         else_branch=way("dark", floats(192, 4))),
    ]  # fmt: skip


def attention(operator: str, domain: str, heads: dict[str, Any], factor: int) -> Graph:
    """Queries, keys and values of 8 steps of 24 values each, in heads; `factor` products of 8x8x24."""
    first = [node("Reshape", ["image", "steps"], "sequence")]
    last = node("ReduceMean", ["hidden"], "scores", axes=[1], keepdims=0)
    if operator == "Attention" and domain:
        made = node(operator, ["sequence", "w", "b"], "hidden", domain=domain, **heads)
        return (
            [*first, made, last],
            STEPS | {"w": floats(24, 72), "b": floats(72)},
            8 * 24 * 72 + 2 * 64 * 24,
            24 * 72 + 72,
        )
    made = node(operator, ["sequence"] * 3, "hidden", domain=domain, **heads)
    return [*first, made, last], STEPS, factor * 64 * 24, 0


GRAPHS |= {
    "Einsum": (
        [FLAT, node("Einsum", ["flat", "w"], "scores", equation="ij,jk->ik")], {"w": floats(192, 7)}, 1344, 1344,
    ),
    "Einsum, with dots": (
        [node("Einsum", ["image", "w"], "features", equation="...ij, jk -> ...ik"), *POOLED],
        {"w": floats(8, 5)}, 3 * 8 * 8 * 5, 40,
    ),
    "Einsum, of one factor": ([FLAT, node("Einsum", ["flat"], "scores", equation="ij->ji")], {}, 0, 0),
    "Attention": attention("Attention", MICROSOFT, {"num_heads": 2}, 0),
    "MultiHeadAttention": attention("MultiHeadAttention", MICROSOFT, {"num_heads": 2}, 2),
}  # fmt: skip


def alone(operator: str, shapes: Sequence[Sequence[int]], opset: int, **attributes: Any) -> count.Account:
    """Count one operator of these inputs, which no runtime has to open."""
    from onnx import TensorProto, helper

    names = [f"x{place}" for place in range(len(shapes))]
    inputs = [helper.make_tensor_value_info(n, TensorProto.FLOAT, one) for n, one in zip(names, shapes, strict=True)]
    output = helper.make_tensor_value_info("made", TensorProto.FLOAT, None)
    graph = helper.make_graph([node(operator, names, "made", **attributes)], "net", inputs, [output])
    return count.account_of(count.prepared(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])))


@pytest.mark.parametrize(
    ("shapes", "heads", "macs"),
    [
        ([(1, 2, 5, 4), (1, 2, 7, 4), (1, 2, 7, 6)], {}, 2 * 5 * 7 * (4 + 6)),
        ([(1, 5, 8), (1, 7, 8), (1, 7, 12)], {"q_num_heads": 2, "kv_num_heads": 2}, 5 * 7 * (8 + 12)),
        ([(1, 5, 8), (1, 7, 4), (1, 7, 6)], {"q_num_heads": 4, "kv_num_heads": 2}, 5 * 7 * (8 + 4 * 3)),
    ],
)
def test_the_attention_of_onnx_itself_is_counted(shapes: list[Any], heads: dict[str, int], macs: int) -> None:
    account = alone("Attention", shapes, 23, **heads)
    assert ([one.macs for one in account.counted], account.uncounted) == ([macs], ())


def test_a_deformable_convolution_is_counted_as_a_plain_one() -> None:
    account = alone("DeformConv", [(1, 3, 8, 8), (6, 3, 3, 3), (1, 18, 6, 6)], 19)
    assert [one.macs for one in account.counted] == [6 * 36 * 27]


def test_every_operator_that_is_counted_is_tried() -> None:
    assert {name.partition(",")[0] for name in GRAPHS} | UNTRIED == count.MULTIPLIES


WITHOUT: dict[str, tuple[list[Any], dict[str, Any], str, bool, int | None]] = {
    "Einsum": (
        [FLAT, node("MatMul", ["flat", "v"], "few"),
         node("Einsum", ["few", "w", "w"], "scores", equation="ij,jk,jk->ik")],
        {"v": floats(192, 3), "w": floats(3, 7)},
        "multiply-adds >= 576, not counted: Einsum ij,jk,jk->ik has 3 factors", True, 576,
    ),
    "Attention": (
        [node("Reshape", ["image", "steps"], "sequence"),
         onnx.helper.make_node("Attention", ["sequence", "w", "b", "", "past"], ["hidden", "present"],
                               domain=MICROSOFT, num_heads=2),
         node("ReduceMean", ["hidden"], "scores", axes=[1], keepdims=0)],
        STEPS | {"w": floats(24, 72), "b": floats(72), "past": floats(2, 1, 2, 3, 12)},
        "multiply-adds not counted: Attention has a past of earlier keys and values", True, None,
    ),
    "If": (
        [*branch()], {"zero": numpy.float32(0)}, "multiply-adds not counted: If runs MatMul an unknown number of",
        False, None,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WITHOUT)
def test_what_cannot_be_counted_makes_a_lower_bound_and_says_why(place: Path, name: str) -> None:
    nodes, constants, why, has_params, least = WITHOUT[name]
    card = custom.adopt(str(write(place / "net.onnx", nodes, constants, classes=7 if name == "Einsum" else "k")), "")
    assert (card.macs, card.least_macs) == (None, least) and why in card.uncounted
    assert (card.params is not None) == has_params


def test_operators_without_names_are_counted_each(place: Path) -> None:
    nodes = [FLAT, *(node("MatMul", ["flat" if n == 0 else "mid", f"w{n}"], ("mid", "scores")[n]) for n in range(2))]
    card = custom.adopt(str(write(place / "net.onnx", nodes, {"w0": floats(192, 9), "w1": floats(9, 4)})), "")
    assert card.macs == 192 * 9 + 9 * 4


# Of the networks' own weights: AlexNet has 60,965,224, SqueezeNet 1.0 has 1,235,496, VGG-19 143,667,240.
LIGHT_COSTS = {
    "bvlc_alexnet": (60_965_224, 654_560_384),
    "densenet121": (8_062_504, 2_834_161_664),
    "inception_v1": (6_998_552, 1_431_556_352),
    "inception_v2": (11_214_888, 2_018_851_840),
    "resnet50": (25_557_032, 4_089_184_256),
    "shufflenet": (1_393_320, 124_664_528),
    "squeezenet": (1_235_496, 349_151_936),
    "vgg19": (143_667_240, 19_632_062_464),
    "zfnet512": (87_250_536, 1_481_727_008),
}


@pytest.mark.parametrize("file", sorted(LIGHT.glob("*.onnx")), ids=lambda file: file.stem)
def test_the_light_models_of_onnx_cost_what_their_networks_do(file: Path) -> None:
    card = custom.adopt(str(file), "")
    assert (card.params, card.macs) == LIGHT_COSTS[file.stem.removeprefix("light_")], card.uncounted


@pytest.mark.parametrize(
    ("name", "macs"),
    [("saved-by-onnxruntime", 294_936), ("upsample", 483_352), ("qoperator", 294_936), ("qcdq", 294_936)],
)
def test_files_from_the_field_are_counted_whole(name: str, macs: int) -> None:
    assert custom.adopt(str(DATA / f"{name}.onnx"), "").macs == macs


def image(*shape: int) -> Flat:
    return Flat(name="image", shape=(1, 8, 8, 3), signature=shape)


def scored(tensors: list[Flat], *operators: flat.Operator) -> tuple[list[Flat], list[flat.Operator]]:
    last = Flat(name="scores", shape=(1, 5), signature=(-1, 5) if tensors[0].signature else ())
    return [*tensors, constant("axes", numpy.array([1, 2], numpy.int32)), last], list(operators)


def of_tflite(name: str, image: Flat) -> tuple[list[Flat], list[flat.Operator], int, int]:
    wide = Flat(name="features", shape=(1, 4, 4, 5), signature=(-1, 4, 4, 5) if image.signature else ())
    pooled: flat.Operator = (flat.MEAN, ["features", "axes"], ["scores"])
    match name:
        case "CONV_2D":
            tensors, macs = [image, constant("w", floats(5, 3, 3, 3)), constant("b", floats(5)), wide], 16 * 5 * 27
            return *scored(tensors, (flat.CONV, ["image", "w", "b"], ["features"]), pooled), macs, 5 * 27 + 5
        case "DEPTHWISE_CONV_2D":
            tensors = [image, constant("w", floats(1, 3, 3, 5)), wide]
            return *scored(tensors, (flat.DEPTHWISE, ["image", "w"], ["features"]), pooled), 16 * 5 * 9, 45
        case "TRANSPOSE_CONV":
            sizes = constant("sizes", numpy.array([1, 4, 4, 5], numpy.int32))
            tensors = [image, sizes, constant("w", floats(5, 2, 2, 3)), wide]
            step: flat.Operator = (flat.TRANSPOSED, ["sizes", "w", "image"], ["features"])
            return *scored(tensors, step, pooled), 64 * 3 * 5 * 4, 60
        case "FULLY_CONNECTED":
            tensors = [image, constant("w", floats(5, 192))]
            return *scored(tensors, (flat.DENSE, ["image", "w"], ["scores"])), 5 * 192, 5 * 192
        case "BATCH_MATMUL":
            tensors = [image, constant("w", floats(3, 5)), wide]
            return *scored(tensors, (126, ["image", "w"], ["features"]), pooled), 16 * 5 * 3, 15
    raise AssertionError(name)


@pytest.mark.parametrize("signature", [(), (-1, 8, 8, 3)])
@pytest.mark.parametrize("name", ["CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV", "FULLY_CONNECTED", "BATCH_MATMUL"])
def test_an_operator_of_tflite_is_counted(place: Path, name: str, signature: tuple[int, ...]) -> None:
    tensors, operators, macs, weights = of_tflite(name, image(*signature))
    card = custom.adopt(str(flat.write(place / "net.tflite", tensors, operators, "image", "scores")), "")
    assert (card.macs, card.params, card.uncounted) == (macs, weights, "")


def test_a_first_axis_that_counts_more_than_images_is_counted(place: Path) -> None:
    """A reshape to rows of 3 makes 64 of an image, though the file leaves their number open."""
    tensors = [image(-1, 8, 8, 3), constant("sizes", numpy.array([-1, 3], numpy.int32)), constant("w", floats(5, 3))]
    tensors += [Flat(name="rows", shape=(1, 3), signature=(-1, 3)), Flat(name="made", shape=(1, 5), signature=(-1, 5))]
    tensors, _ = scored(tensors)
    steps: list[flat.Operator] = [(22, ["image", "sizes"], ["rows"]), (flat.DENSE, ["rows", "w"], ["made"])]
    steps += [(flat.MEAN, ["made", "axes"], ["scores"])]
    assert custom.adopt(str(flat.write(place / "net.tflite", tensors, steps, "image", "scores")), "").macs == 64 * 15


@pytest.mark.parametrize("operator", [flat.LSTM, 24, 27, 35, 44, 46, 52])
def test_a_recurrent_operator_of_tflite_is_counted_step_by_step(place: Path, operator: int) -> None:
    """Its input has 7 steps of 6 values, its matrices are 5x6 and 5x5; a bias and a state multiply nothing."""
    held = [constant("w", floats(5, 6)), constant("r", floats(5, 5)), constant("b", floats(5))]
    tensors = [
        Flat(name="x", shape=(1, 7, 6)),
        *held,
        Flat(name="state", shape=(1, 5)),
        Flat(name="y", shape=(1, 7, 5)),
    ]
    steps = [(operator, ["x", "w", "r", "b", "state"], ["y"])]
    card = custom.adopt(str(flat.write(place / "net.tflite", tensors, steps, "x", "y")), "")
    assert (card.macs, card.params, card.uncounted) == (7 * (30 + 25), 30 + 25 + 5, "")


@pytest.mark.parametrize("operator", [131, 141, 171, 197, 210])
def test_what_tflite_multiplies_otherwise_is_no_number(place: Path, operator: int) -> None:
    tensors, _, _, _ = of_tflite("FULLY_CONNECTED", image())
    steps = [(operator, ["image", "w"], ["scores"])]
    card = custom.adopt(str(flat.write(place / "net.tflite", tensors, steps, "image", "scores")), "")
    assert card.macs is None and "multiply-adds not counted: " in card.uncounted


def test_a_row_without_a_count_says_why(place: Path) -> None:
    nodes, constants, why, _, least = WITHOUT["Einsum"]
    write(place / "net.onnx", nodes, constants, shape=("n", 3, 8, 8), classes=7)
    (row,) = rows("--model", "net.onnx", "--precision", "fp32", "--dataset", colours(place, 4))
    assert (row["macs"], row["macs_at_least"]) == (None, least) and why in row["reasons"]
    assert (row["params"], row["params_at_least"]) == (192 * 3 + 3 * 7, None)

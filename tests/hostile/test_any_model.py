"""Whatever a runtime opens is measured: any number of inputs and outputs, of any type, rank and shape."""

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgebench.agent import answer
from edgebench.agent.feed import arrays, to_bfloat16
from edgebench.deploy import Deployed
from edgebench.export import custom
from edgebench.foundation import cache
from edgebench.foundation.errors import RequestError
from edgebench.foundation.shelf import load
from edgebench.schema.cards import CustomModel
from edgebench.schema.runtime import Runtime
from edgebench.schema.variant import Variant
from tests.hostile import flat
from tests.hostile.flat import Flat, Graph, constant
from tests.hostile.graphs import floats, node
from tests.support.command import cli

pytestmark = pytest.mark.slow  # each input is opened in a process of its own

F, F16, BF16, F64, I64, I32, U8, BOOL = (
    getattr(TensorProto, name) for name in ("FLOAT", "FLOAT16", "BFLOAT16", "DOUBLE", "INT64", "INT32", "UINT8", "BOOL")
)
Port = tuple[str, int, Sequence[int | str | None] | None]


def save(
    path: Path,
    nodes: Sequence[Any],
    inputs: Sequence[Port],
    outputs: Sequence[Port],
    constants: dict[str, Any] | None = None,
    opset: int = 17,
) -> Path:
    held = [numpy_helper.from_array(numpy.asarray(value), name) for name, value in (constants or {}).items()]
    taken, made = ([helper.make_tensor_value_info(*port) for port in ports] for ports in (inputs, outputs))
    graph = helper.make_graph(list(nodes), "net", taken, made, held)
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("com.microsoft", 1)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)
    return path


def unary(dtype: int, shape: Sequence[int | str | None], operator: str = "Identity", **attributes: Any) -> Any:
    """One operator between one input and one output, of one type."""
    return [node(operator, ["x"], "y", **attributes)], [("x", dtype, shape)], [("y", dtype, None)]


def case(graph: Any, outputs: dict[str, tuple[int, ...]], asked: str = "", **held: Any) -> Any:
    return (*graph, held), asked, outputs


def typed(name: str) -> Any:
    return case(unary(getattr(TensorProto, name), (2, 3)), {"y": (2, 3)})


LOOKUP = [node("Gather", ["table", "ids"], "y")]
DETECTOR = [
    node("Conv", ["x", "w"], "features"), node("Sigmoid", ["features"], "boxes"),
    node("GlobalAveragePool", ["features"], "pooled"),
]  # fmt: skip
# What to write of a graph, what to say of its inputs, and the shape of every output for a batch of one.
GRAPHS: dict[str, Any] = {
    **{
        name.lower(): typed(name)
        for name in ("FLOAT", "FLOAT16", "DOUBLE", "INT8", "UINT8", "INT16", "UINT16", "INT32", "UINT32", "INT64",
                     "UINT64", "BOOL")
    },
    "bfloat16": case(unary(BF16, (2, 3)), {"y": (2, 3)}),
    "scalar": case(unary(F, ()), {"y": ()}),
    "vector of a batch": case(unary(F, ("n",)), {"y": (1,)}),
    "matrix": case(unary(F, (4, 5)), {"y": (4, 5)}),
    "five axes": case(unary(F, (1, 2, 3, 4, 5)), {"y": (1, 2, 3, 4, 5)}),
    "eight axes": case(unary(F, (1, 2, 1, 2, 1, 2, 1, 2)), {"y": (1, 2, 1, 2, 1, 2, 1, 2)}),
    "not square": case(unary(F, (1, 3, 4, 8), "Relu"), {"y": (1, 3, 4, 8)}),
    "four channels": case(unary(F, ("n", 4, 8, 8), "Relu"), {"y": (1, 4, 8, 8)}),
    "four images": case(unary(F, (4, 3, 8, 8), "Relu"), {"y": (4, 3, 8, 8)}),
    "open sides": case(unary(F, ("n", 3, "h", "w"), "Relu"), {"y": (1, 3, 4, 6)}, "1x3x4x6"),
    "open sides by name": case(unary(F, ("n", 3, "h", "w"), "Relu"), {"y": (1, 3, 4, 6)}, "x:1x3x4x6"),
    "open sides without names": case(unary(F, (None, 3, None, None), "Relu"), {"y": (1, 3, 4, 6)}, "1x3x4x6"),
    "a sequence of a given length": case(unary(F, ("t", 1, 4)), {"y": (7, 1, 4)}, "7x1x4"),
    "a name with commas": case(
        ([node("Relu", ["a,b"], "y")], [("a,b", F, ("n", "t"))], [("y", F, None)]), {"y": (1, 3)}, "a,b:1x3"
    ),
    "constants as attributes": case(
        ([helper.make_node("Constant", [], ["k"], value_float=2.0),
          helper.make_node("Constant", [], ["w"], value_floats=[1.0, 2.0]),
          helper.make_node("Constant", [], ["sizes"], value_ints=[2, 2]), node("Mul", ["x", "k"], "m"),
          node("Add", ["m", "w"], "a"), node("Reshape", ["a", "sizes"], "y")],
         [("x", F, (1, 2, 2))], [("y", F, None)]), {"y": (2, 2)},
    ),
    "a loop": case(
        ([helper.make_node("Loop", ["times", "", "x"], ["y"], body=helper.make_graph(
            [node("MatMul", ["before", "w"], "after"), node("Identity", ["goes"], "on")], "body",
            [helper.make_tensor_value_info(*one) for one in
             (("i", I64, ()), ("goes", BOOL, ()), ("before", F, (1, 4)))],
            [helper.make_tensor_value_info(*one) for one in (("on", BOOL, ()), ("after", F, (1, 4)))]))],
         [("x", F, (1, 4))], [("y", F, None)]), {"y": (1, 4)}, times=numpy.array(3), w=floats(4, 4),
    ),
    "two inputs": case(
        ([node("Add", ["a", "b"], "y")], [("a", F, ("n", 4)), ("b", F, ("n", 4))], [("y", F, None)]), {"y": (1, 4)}
    ),
    "an axis of two inputs": case(
        ([node("Add", ["a", "b"], "y")], [("a", F, ("n", "s")), ("b", F, ("n", "s"))], [("y", F, None)]),
        {"y": (1, 6)}, "a:1x6",
    ),
    "inputs of several types": case(
        ([node("Cast", ["mask"], "numbers", to=F), node("Mul", ["x", "numbers"], "y")],
         [("x", F, (1, 4)), ("mask", BOOL, (1, 4))], [("y", F, None)]), {"y": (1, 4)},
    ),
    "an input that nothing reads": case(
        ([node("Relu", ["x"], "y")], [("x", F, (1, 4)), ("idle", I64, (1,))], [("y", F, None)]), {"y": (1, 4)}
    ),
    "no input": case(([node("Relu", ["w"], "y")], [], [("y", F, None)]), {"y": (2, 3)}, w=floats(2, 3)),
    "several outputs": case(
        (DETECTOR, [("x", F, ("n", 3, 8, 9))], [("boxes", F, None), ("pooled", F, None), ("features", F, None)]),
        {"boxes": (1, 5, 6, 7), "pooled": (1, 5, 1, 1), "features": (1, 5, 6, 7)}, w=floats(5, 3, 3, 3),
    ),
    "an input that is an output": case(
        ([node("Relu", ["x"], "y")], [("x", F, (1, 4))], [("y", F, None), ("x", F, (1, 4))]),
        {"y": (1, 4), "x": (1, 4)},
    ),
    "places in a table": case(
        (LOOKUP, [("ids", I64, ("n", 6))], [("y", F, None)]), {"y": (1, 6, 5)}, table=floats(9, 5)
    ),
    "places in a table of 32 bits": case(
        (LOOKUP, [("ids", I32, (2, 6))], [("y", F, None)]), {"y": (2, 6, 5)}, table=floats(1, 5)
    ),
    "places in a table after a cast": case(
        ([node("Cast", ["x"], "ids", to=I64), *LOOKUP], [("x", I32, (1, 6))], [("y", F, None)]), {"y": (1, 6, 5)},
        table=floats(3, 5),
    ),
    "a length": case(
        ([node("Expand", ["x", "sizes"], "y")], [("x", F, (1, 1)), ("sizes", I64, (2,))], [("y", F, None)]),
        {"y": (1, 1)},
    ),
    "an output of unknown size": case(
        ([node("NonZero", ["x"], "y")], [("x", F, (1, 5))], [("y", I64, None)]), {"y": (2, 5)}
    ),
    "an output without values": case(
        ([node("Compress", ["x", "none"], "y", axis=0)], [("x", F, (3, 2))], [("y", F, None)]), {"y": (0, 2)},
        none=numpy.array([False] * 3),
    ),
    "a branch": case(
        ([node("ReduceSum", ["x"], "sum", keepdims=0), node("Greater", ["sum", "zero"], "is_more"),
          helper.make_node("If", ["is_more"], ["y"], **{
              f"{name}_branch": helper.make_graph([node(operator, ["x"], name)], name, [],
                                                  [helper.make_tensor_value_info(name, F, None)])
              for name, operator in (("then", "Relu"), ("else", "Neg"))})],
         [("x", F, (1, 4))], [("y", F, None)]), {"y": (1, 4)}, zero=numpy.float32(0),
    ),
    "weights that are made": case(
        ([node("ConstantOfShape", ["sizes"], "w", value=numpy_helper.from_array(numpy.ones(1, "f4"))),
          node("MatMul", ["x", "w"], "y")], [("x", F, (1, 2, 6))], [("y", F, None)]), {"y": (1, 2, 4)},
        sizes=numpy.array([6, 4]),
    ),
    "float16 with float16 weights": case(
        ([node("MatMul", ["x", "w"], "y")], [("x", F16, (1, 6))], [("y", F16, None)]), {"y": (1, 4)},
        w=floats(6, 4).astype("f2"),
    ),
    "names with slashes and colons": case(
        ([node("Relu", ["in/images:0"], "out/y:0")], [("in/images:0", F, ("n", "t", 4))], [("out/y:0", F, None)]),
        {"out/y:0": (1, 3, 4)}, "in/images:0:1x3x4",
    ),
}  # fmt: skip
SCORES = [node("Flatten", ["x"], "flat"), node("MatMul", ["flat", "w"], "y")]


def written(place: Path, name: str) -> tuple[CustomModel, dict[str, tuple[int, ...]]]:
    (nodes, inputs, outputs, held), asked, shapes = GRAPHS[name]
    return custom.adopt(str(save(place / "net.onnx", nodes, inputs, outputs, held)), asked), shapes


def deployed(card: CustomModel, data: str = "") -> Deployed:
    variant = Variant(
        architecture=card.name, width=1.0, resolution=card.resolution, precision=card.precision, classes=card.classes,
        weights="own", dataset="null", weights_sha256=card.content_sha256, feed=card.feed,
    )  # fmt: skip
    return Deployed(variant=variant, path=str(cache.path_of(card)), sha256=card.sha256, data=data)


def request(card: CustomModel, runtime: str, batch: int = 1, data: str = "") -> Any:
    options = (load("runtimes", runtime).OPTIONS or (("",),))[0][:1]
    made = deployed(card, data).request(Runtime(name=runtime, version="1", options=options), 1, batch)
    return json.loads(json.dumps(made))


def every_output(card: CustomModel, runtime: str = "onnxruntime", batch: int = 1, data: str = "") -> Any:
    """Let the agent run a model as a target's would, and return all that it makes."""
    reply = answer(request(card, runtime, batch, data) | {"do": "infer"})
    assert reply["ok"], reply
    return reply["value"]["outputs"]


def test_there_are_at_least_thirty() -> None:
    assert len(GRAPHS) + len(TFLITE) >= 30


@pytest.mark.parametrize("name", GRAPHS)
def test_any_graph_of_onnx_is_run_on_what_it_takes(place: Path, name: str) -> None:
    card, shapes = written(place, name)
    assert card.feed and not card.takes_images and (card.classes, card.layout) == (0, "")
    outputs = every_output(card)
    assert {output: tuple(made["shape"]) for output, made in outputs.items()} == shapes


@pytest.mark.parametrize("name", ["bfloat16", "float16", "inputs of several types", "no input"])
def test_a_device_s_session_is_fed_the_same(place: Path, name: str) -> None:
    """On the CPU provider, which stands for a device here."""
    from edgebench.agent.runtimes import onnxruntime

    card, shapes = written(place, name)
    path, options = str(cache.path_of(card)), request(card, "onnxruntime")
    plain = onnxruntime.open(path, threads=1, batch=1, options=options["options"], feed=options["feed"])
    apart = onnxruntime.DeviceSession(plain._session, 1, path, onnxruntime.CPU, tf32=False, feed=options["feed"])
    for session in (plain, apart):
        session.run()
    assert {output: values.shape for output, values in apart.outputs().items()} == shapes
    assert all((values == apart.outputs()[output]).all() for output, values in plain.outputs().items())
    apart.facts()


def test_an_open_batch_axis_takes_any_number(place: Path) -> None:
    card, _ = written(place, "two inputs")
    assert (card.batch, tuple(every_output(card, batch=5)["y"]["shape"])) == (0, (5, 4))
    assert written(place, "matrix")[0].batch == 1


def test_the_same_values_are_fed_each_time_and_lie_in_their_range(place: Path) -> None:
    feed = {"inputs": [
        {"name": "f", "dtype": "float32", "shape": [0, 50], "low": -1, "high": 1},
        {"name": "i", "dtype": "int64", "shape": [50], "low": 0, "high": 8},
        {"name": "b", "dtype": "bool", "shape": [50], "low": 0, "high": 1},
    ]}  # fmt: skip
    one, two = arrays(feed, 3), arrays(feed, 3)
    assert all((one[name] == two[name]).all() for name in one)
    assert one["f"].shape == (3, 50) and abs(one["f"]).max() <= 1
    assert {*one["i"].tolist()} <= {*range(9)} and {*one["b"].tolist()} == {True, False}


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("places in a table", 0, 8), ("places in a table of 32 bits", 0, 0), ("places in a table after a cast", 0, 2),
        ("a length", 1, 1), ("uint8", 0, 255), ("int8", -128, 127), ("bool", 0, 1), ("int32", 1, 1), ("float16", -1, 1),
    ],
)  # fmt: skip
def test_integers_lie_in_a_range_that_the_graph_takes(place: Path, name: str, low: float, high: float) -> None:
    card, _ = written(place, name)
    assert card.feed
    assert (card.feed.inputs[-1].low, card.feed.inputs[-1].high) == (low, high)


def test_bfloat16_is_rounded_to_nearest_even() -> None:
    values = numpy.array([1.0, 1.00390625, 1.01171875, -3.0, 0.0], numpy.float32)
    assert [hex(bits) for bits in to_bfloat16(values).tolist()] == ["0x3f80", "0x3f80", "0x3f82", "0xc040", "0x0"]


@pytest.mark.parametrize(
    ("outputs", "classes"),
    [
        ([("y", (1, 7))], 7),  # as ever
        ([("y", (1, 7)), ("boxes", (1, 5, 4))], 7),  # the one that is scores
        ([("boxes", (1, 5, 4)), ("y", (1, 7))], 7),
        ([("y", (1, 7)), ("other", (1, 9))], 0),  # nobody knows which
        ([("y", (1, 20)), ("boxes", (1, 5, 4))], 0),  # of as many values: they cannot be told apart
        ([("boxes", (1, 5, 4))], 0),
    ],
)
def test_a_classifier_has_one_output_of_class_scores(
    place: Path, outputs: list[tuple[str, tuple[int, ...]]], classes: int
) -> None:
    nodes, held = [SCORES[0]], dict[str, Any]()
    for name, shape in outputs:
        held |= {f"w_{name}": floats(192, int(numpy.prod(shape))), f"s_{name}": numpy.array([-1, *shape[1:]])}
        nodes += [node("MatMul", ["flat", f"w_{name}"], f"m_{name}"), node("Reshape", [f"m_{name}", f"s_{name}"], name)]
    path = save(place / "net.onnx", nodes, [("x", F, ("n", 3, 8, 8))], [(name, F, None) for name, _ in outputs], held)
    card = custom.adopt(str(path), "")
    assert (card.classes, card.takes_images, card.resolution) == (classes, bool(classes), 8)
    if not classes:
        return
    images = numpy.random.default_rng(0).normal(size=(2, 3, 8, 8)).astype("<f4")
    images.tofile(place / "images")
    asked = request(card, "onnxruntime", 2) | {"do": "infer", "inputs": "images", "shape": images.shape, "classes": 7}
    reply = answer(asked)
    from base64 import b64decode

    found = numpy.frombuffer(b64decode(reply["value"]["outputs"]), "<f4").reshape(2, 7)
    assert numpy.allclose(found, images.reshape(2, 192) @ held["w_y"], atol=1e-4)


def test_arrays_of_a_folder_are_fed(place: Path) -> None:
    from edgebench.export.custom import data

    card, _ = written(place, "inputs of several types")
    (place / "fed").mkdir()
    numpy.save(place / "fed" / "x.npy", numpy.array([[1, 2, 3, 4]], "f4"))
    numpy.savez(place / "fed" / "more.npz", mask=numpy.array([[True, False, True, False]]))
    held = data.adopt(str(place / "fed"), card)
    made = every_output(card, data=str(cache.path_of(held)))["y"]
    from base64 import b64decode

    assert numpy.frombuffer(b64decode(made["values"]), "<f4").tolist() == [1, 0, 3, 0]
    assert data.adopt("fed", card) == held or (place / "fed").is_dir()


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": numpy.zeros((1, 4), "f4")}, "has no array for input mask (has x); write "),
        ({"x": numpy.zeros((1, 4), "f8"), "mask": numpy.zeros((1, 4), bool)}, "wanted x of float32 1x4, found float64"),
        ({"x": numpy.zeros((1, 5), "f4"), "mask": numpy.zeros((1, 4), bool)}, "found float32 1x5; write it with the"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(place: Path, arrays: dict[str, Any], message: str) -> None:
    from edgebench.export.custom import data

    card, _ = written(place, "inputs of several types")
    (place / "fed").mkdir()
    for name, values in arrays.items():
        numpy.save(place / "fed" / f"{name}.npy", values)
    with pytest.raises(RequestError) as caught:
        data.adopt("fed", card)
    assert message in str(caught.value)


def test_pictures_are_fed_to_an_input_of_images(place: Path) -> None:
    from PIL import Image

    from edgebench.export.custom import data

    card, _ = written(place, "not square")
    (place / "fed").mkdir()
    Image.new("RGB", (20, 10), (255, 0, 51)).save(place / "fed" / "picture.png")
    with numpy.load(cache.path_of(data.adopt("fed", card))) as held:
        assert held["x"].shape == (1, 3, 4, 8) and held["x"].dtype == "f4"
        assert numpy.allclose(held["x"][0, :, 0, 0], [1, 0, 0.2])


def one_input(dtype: int = F, shape: Sequence[int | str | None] | None = (1, 4)) -> Any:
    return [node("Relu", ["x"], "y")], [("x", dtype, shape)], [("y", dtype, None)], {}


def of_type(kind: Any) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        save(path, *one_input())
        proto = onnx.load(path)
        proto.graph.input[0].type.CopyFrom(kind)
        onnx.save(proto, path)

    return write


def written_as(*graph: Any) -> Callable[[Path], None]:
    return lambda path: void(save(path, *graph))


def void(_: Any) -> None: ...


HUGE = {"sizes": numpy.array([1000, 1_000_000])}
TENSOR = helper.make_tensor_type_proto(F, [1, 4])
REFUSED: dict[str, tuple[Callable[[Path], None], str, str]] = {
    "strings": (written_as(*one_input(TensorProto.STRING)), "", "input x is of string, wanted numbers: float32,"),
    "complex": (written_as(*one_input(TensorProto.COMPLEX64)), "", "input x is of complex64, wanted numbers"),
    "a sequence": (of_type(helper.make_sequence_type_proto(TENSOR)), "", "input x is of type sequence, wanted a tens"),
    "an optional": (of_type(helper.make_optional_type_proto(TENSOR)), "", "input x is of type optional, wanted a tens"),
    "a name that a terminal would execute": (
        written_as([node("Relu", ["x\x1b[31m"], "y")], [("x\x1b[31m", F, (1, 4))], [("y", F, None)]), "",
        "wanted printable names, found input 'x\\x1b[31m'; rename it",
    ),
    "no rank": (written_as(*one_input(shape=None)), "", "input x has no shape; export it with a known number of axes"),
    "no values": (written_as(*one_input(shape=(1, 0))), "", "input x is 1x0, whose axis of size 0 holds no values"),
    "10^9 values": (
        written_as(*one_input(shape=(1, 10**9))), "", "x of 1x1000000000 has 1000000000 values, wanted at most"
    ),
    "10^9 values by --input": (
        written_as(*one_input(shape=("n", "t"))), "1x900000000", "has 900000000 values, wanted at most 268435456"
    ),
    "10^9 values inside": (
        written_as([node("ConstantOfShape", ["sizes"], "w"), node("Add", ["x", "w"], "y")], [("x", F, (1,))],
                   [("y", F, None)], HUGE), "",
        "tensor w of 1000x1000000 would have 1000000000 values, wanted at most 268435456",
    ),
    "an axis that stays open": (
        written_as(*one_input(shape=("n", 3, "h", "w"))), "1x3x-1x320", "give numbers, such as --input 1x3x224x320"
    ),
    "an axis that stays open, by name": (
        written_as(*one_input(shape=("n", 3, "h", "w"))), "x:1x3x?x320", "give numbers, such as --input x:1x3x224x320"
    ),
    "an axis with a name": (
        written_as(*one_input(shape=("n", 3, "h", "w"))), "x:1x3xheightx320", "wanted a size for every axis in --input"
    ),
    "an open axis": (written_as(*one_input(shape=("n", "t", 4))), "", "x is ?x?x4; give its size: --input x:1x224x4"),
    "another rank": (written_as(*one_input()), "1x4x1", "wanted --input x:1x4x1, found input x of 1x4; correct one"),
    "another input": (written_as(*one_input()), "z:1x4", "wanted --input z:1x4, found input x of 1x4; correct one"),
    "one input twice": (written_as(*one_input()), "x:1x4,x:1x4", "wanted one --input for each input, found two for x"),
    "an operator that nobody has": (
        written_as([helper.make_node("Frobnicate", ["x"], ["y"], domain="my.company")], *one_input()[1:]), "",
        "operator Frobnicate of my.company is a custom one",
    ),
    "an operator that onnx does not have": (
        written_as([node("Frobnicate", ["x"], "y")], *one_input()[1:]), "", "cannot be opened by onnxruntime: "
    ),
    "what the runtime refuses": (
        written_as([node("Add", ["x", "w"], "y")], [("x", F, (1, 4))], [("y", F, None)],
                   {"w": numpy.zeros(4, "f8")}), "", "cannot be opened by onnxruntime: ",
    ),
    "a branch with an input of its own": (
        written_as([helper.make_node("If", ["c"], ["y"], **{
            f"{name}_branch": helper.make_graph(
                [node("Relu", ["own"], name)], name, [helper.make_tensor_value_info("own", F, (1,))],
                [helper.make_tensor_value_info(name, F, None)])
            for name in ("then", "else")})], [("c", BOOL, ())], [("y", F, None)]), "", "net.onnx ",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_fed_is_refused_in_one_line_and_costs_no_memory(place: Path, name: str) -> None:
    from resource import RUSAGE_SELF, getrusage

    write, asked, message = REFUSED[name]
    write(place / "net.onnx")
    before, started = getrusage(RUSAGE_SELF).ru_maxrss, time.process_time()
    with pytest.raises(RequestError) as caught:
        custom.adopt("net.onnx", asked)
    assert message in str(caught.value) and "\n" not in str(caught.value)
    assert getrusage(RUSAGE_SELF).ru_maxrss - before < 200_000 and time.process_time() - started < 20


def test_an_axis_of_minus_one_is_an_open_one(place: Path) -> None:
    save(place / "net.onnx", *one_input(shape=("n", 3, "h", 8)))
    proto = onnx.load("net.onnx")
    for place_of in (0, 2):
        proto.graph.input[0].type.tensor_type.shape.dim[place_of].dim_value = -1
    onnx.save(proto, "net.onnx")
    with pytest.raises(RequestError, match=r"input x is \?x3x\?x8; give its size"):
        custom.adopt("net.onnx", "")
    card = custom.adopt("net.onnx", "1x3x4x8")
    assert tuple(every_output(card, batch=2)["y"]["shape"]) == (2, 3, 4, 8)


def tflite_unary(dtype: str, shape: tuple[int, ...], operator: int = flat.ABS, **more: Any) -> Graph:
    ports = [Flat(name=name, shape=shape, dtype=dtype, **more) for name in ("x", "y")]
    return Graph(tensors=ports, operators=[(operator, ["x"], ["y"])], inputs=["x"], outputs=["y"])


TFLITE: dict[str, Any] = {
    "float32": ([tflite_unary("float32", (2, 3))], "", "", {"y": (2, 3)}),
    "int32": ([tflite_unary("int32", (2, 3), flat.NEG)], "", "", {"y": (2, 3)}),
    "int64": ([tflite_unary("int64", (2, 3), flat.NEG)], "", "", {"y": (2, 3)}),
    "bool": ([tflite_unary("bool", (4,), flat.LOGICAL_NOT)], "", "", {"y": (4,)}),
    "int16 of a scale": ([tflite_unary("int16", (2, 3), flat.ABS, scale=0.1)], "", "", {"y": (2, 3)}),
    "open sides": (
        [tflite_unary("float32", (1, 1, 3), signature=(1, -1, 3))], "", "1x7x3", {"y": (1, 7, 3)}
    ),
    "an open batch": ([tflite_unary("float32", (1, 3), signature=(-1, 3))], "", "", {"y": (1, 3)}),
    "two inputs, two outputs": (
        [Graph(
            tensors=[Flat(name=name, shape=(2, 3)) for name in ("a", "b", "sum", "less")],
            operators=[(flat.ADD, ["a", "b"], ["sum"]), (flat.LOGISTIC, ["a"], ["less"])],
            inputs=["a", "b"], outputs=["sum", "less"],
        )], "", "", {"sum": (2, 3), "less": (2, 3)},
    ),
    "places in a table": (
        [Graph(
            tensors=[constant("table", floats(9, 5)), Flat(name="ids", shape=(1, 4), dtype="int32"),
                     Flat(name="y", shape=(1, 4, 5))],
            operators=[(flat.GATHER, ["table", "ids"], ["y"])], inputs=["ids"], outputs=["y"],
        )], "", "", {"y": (1, 4, 5)},
    ),
    **{
        f"the signature {name}": (
            [
                Graph(tensors=[Flat(name="x", shape=(1, 3)), Flat(name="code", shape=(1, 3))], inputs=["x"],
                      operators=[(flat.LOGISTIC, ["x"], ["code"])], outputs=["code"], signature="encode"),
                Graph(tensors=[Flat(name=one, shape=(1, 6)) for one in ("code", "bias", "image")],
                      operators=[(flat.ADD, ["code", "bias"], ["image"])], inputs=["code", "bias"],
                      outputs=["image"], signature="decode"),
            ], f":{name}", "", shapes,
        )
        for name, shapes in (("encode", {"code": (1, 3)}), ("decode", {"image": (1, 6)}))
    },
}  # fmt: skip
BATCHED = "an open batch"


@pytest.mark.parametrize("runtime", ["litert", "tflite_runtime"])
@pytest.mark.parametrize("name", TFLITE)
def test_any_graph_of_tflite_is_run_on_what_it_takes(place: Path, name: str, runtime: str) -> None:
    pytest.importorskip("ai_edge_litert" if runtime == "litert" else "tflite_runtime")
    graphs, signature, asked, shapes = TFLITE[name]
    flat.write_graphs(place / "net.tflite", graphs)
    card = custom.adopt(f"net.tflite{signature}", asked)
    outputs = every_output(card, runtime)
    assert {output: tuple(made["shape"]) for output, made in outputs.items()} == shapes
    if name == BATCHED:
        assert tuple(every_output(card, runtime, batch=4)["y"]["shape"]) == (4, 3)


def test_a_file_of_several_signatures_asks_which(place: Path) -> None:
    flat.write_graphs(place / "net.tflite", TFLITE["the signature encode"][0])
    with pytest.raises(RequestError) as caught:
        custom.adopt("net.tflite", "")
    assert str(caught.value) == (
        "net.tflite: wanted a signature to run, found 2 of them (has encode, decode); use --model net.tflite:encode"
    )
    with pytest.raises(RequestError, match=r"found no signature other \(has encode, decode\)"):
        custom.adopt("net.tflite:other", "")


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        (tflite_unary("string", (1,)), "input x is of string, wanted numbers"),
        (tflite_unary("float32", (1, 0)), "input x is 1x0, whose axis of size 0 holds no values"),
        (tflite_unary("float32", (1, 10**9)), "has 1000000000 values, wanted at most 268435456"),
        (tflite_unary("float32", (1, 1), signature=(1, -1)), "input x is 1x?; give its size: --input x:1x224"),
        (
            tflite_unary("float32", (1, 3), flat.CUSTOM),
            "operator Frobnicate is a custom one, which no runtime here has",
        ),
    ],
)
def test_what_a_tflite_file_cannot_be_fed_is_refused(place: Path, graph: Graph, message: str) -> None:
    flat.write_graphs(place / "net.tflite", [graph])
    with pytest.raises(RequestError) as caught:
        custom.adopt("net.tflite", "")
    assert message in str(caught.value)


def test_the_whole_way_of_a_model_that_is_no_classifier(place: Path) -> None:
    (nodes, inputs, outputs, held), _, _ = GRAPHS["several outputs"]
    save(place / "net.onnx", nodes, inputs, outputs, held)
    flat.write_graphs(place / "net.tflite", TFLITE["the signature decode"][0])
    done = cli("run", "--model", "net.onnx", "--preset", "quick", "--name", "any", "--json", "--batch", "1,2")
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)["rows"]
    timed = [row for row in rows if row["precision"] == "fp32"]
    assert all(row["p50_ms"] > 0 and row["peak_mib"] > 0 and row["load_ms"] > 0 for row in timed) and len(timed) == 2
    assert {row["inputs"] for row in rows} == {"x:1x3x8x9 float32 random in [-1, 1]"}
    assert {(row["width"], row["top1"], row["macs"]) for row in timed} == {(None, None, 42 * 5 * 27)}
    quantized = [row for row in rows if row["precision"] == "int8"]
    assert all(row["p50_ms"] > 0 and row["sqnr_db"] > 20 and row["agreement"] is None for row in quantized)
    assert all("calibrated on random inputs" in row["reasons"] for row in quantized) and len(quantized) == 2
    known = cli("run", "results/any/sweep.toml", "--name", "any", "--precision", "fp32")
    assert "nothing to measure" in known.stderr
    parts = cli("why", "results/any:net.onnx@1x3x8x9/fp32 batch=1", "--format", "json")
    chosen = cli("choose", "results/any", "--objective", "latency", "--json")
    compared = cli("compare", "results/any", "results/any", "--json")
    which = ("--model", "net.tflite:decode", "--runtime", "litert", "--precision", "fp32")
    again = cli("run", *which, "--preset", "quick", "--name", "signed", "--json")
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["rows"][0]["inputs"].startswith("signature decode, code:1x6 float32 random")
    assert (parts.returncode, compared.returncode) == (0, 0) and chosen.returncode in (0, 1), parts.stderr
    assert {part["operator"] for part in json.loads(parts.stdout)["operators"]} >= {"Conv", "Sigmoid"}
    assert len(json.loads(compared.stdout)["cases"]) == 4

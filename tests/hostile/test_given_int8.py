"""8-bit files of other tools are looked at as our own: what computes in float is named and has its share."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy
import pytest

from edgebench.export import custom
from tests.hostile import flat
from tests.hostile.colours import DATA, colours, rows
from tests.hostile.flat import Flat, constant
from tests.hostile.graphs import floats, node, write

pytestmark = pytest.mark.slow  # each input is opened in a process of its own

CONV, GEMM = 6 * 9 * 27, 6 * 7
NODES = {"conv": "Conv", "product": "Gemm"}


def floating(path: Path) -> Path:
    nodes = [
        node("Conv", ["image", "w", "b"], "made", strides=[2, 2]), node("Relu", ["made"], "features"),
        node("GlobalAveragePool", ["features"], "pooled"), node("Flatten", ["pooled"], "flat"),
        node("Gemm", ["flat", "v", "c"], "scores"),
    ]  # fmt: skip
    nodes[0].name, nodes[-1].name = NODES
    constants = {"w": floats(6, 3, 3, 3), "b": floats(6), "v": floats(6, 7), "c": floats(7)}
    return write(path, nodes, constants, classes=7)


def static(path: Path, format: str, *, left: Sequence[str] = ()) -> Path:
    """What onnxruntime's own quantizer writes in a format, some nodes left out."""
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quantize_static

    class Images(CalibrationDataReader):  # type: ignore[misc]
        left = iter([{"image": floats(1, 3, 8, 8)}])

        def get_next(self) -> Any:
            return next(self.left, None)

    quantize_static(
        str(floating(path.with_name("float.onnx"))),
        str(path),
        Images(),
        quant_format=QuantFormat[format],
        nodes_to_exclude=list(left),
    )
    return path


def dynamic(path: Path) -> Path:
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quantize_dynamic(str(floating(path.with_name("float.onnx"))), str(path), weight_type=QuantType.QUInt8)
    return path


def clipped(path: Path) -> Path:
    """QDQ with a clip between each pair, as Brevitas writes it."""
    import onnx
    from onnx import helper, numpy_helper

    proto = onnx.load(static(path, "QDQ"))
    graph, nodes = proto.graph, list(proto.graph.node)
    kinds = {one.name: numpy_helper.to_array(one).dtype for one in graph.initializer}
    del graph.node[:]
    for one in nodes:
        if one.op_type == "DequantizeLinear" and (kind := kinds[one.input[2]]) != "int32":
            limits = [f"{one.output[0]}_{end}" for end in ("low", "high")]
            info = numpy.iinfo(kind)
            graph.initializer.extend(
                numpy_helper.from_array(numpy.array(value, kind), name)
                for name, value in zip(limits, (info.min + 1, info.max), strict=True)
            )
            graph.node.append(helper.make_node("Clip", [one.input[0], *limits], [f"{one.output[0]}_clipped"]))
            one.input[0] = f"{one.output[0]}_clipped"
        graph.node.append(one)
    onnx.save(proto, path)
    return path


MADE: dict[str, tuple[Callable[[Path], Path], float, Sequence[str]]] = {
    "QDQ": (lambda path: static(path, "QDQ"), 1.0, ()),
    "QOperator": (lambda path: static(path, "QOperator"), 1.0, ()),
    "QDQ without the convolution": (lambda path: static(path, "QDQ", left=["conv"]), GEMM, ("Conv",)),
    "QOperator without the product": (lambda path: static(path, "QOperator", left=["product"]), CONV, ("Gemm",)),
    "QCDQ": (clipped, GEMM, ("Conv",)),
    "dynamic": (dynamic, 1.0, ()),
}


@pytest.mark.parametrize("kind", MADE)
def test_what_an_int8_file_computes_in_float_is_named_and_has_its_share(place: Path, kind: str) -> None:
    make, share, left = MADE[kind]
    card = custom.adopt(str(make(place / "net.onnx")), "")
    assert card.precision == "int8" and card.macs == CONV + GEMM
    whole = share if share <= 1 else share / (CONV + GEMM)
    assert card.integer_share == pytest.approx(whole), card.float_nodes
    for operator in ("Conv", "Gemm"):
        assert any(operator in name.partition(" ")[0] for name in card.float_nodes) == (operator in left)
    assert not any(name.startswith("Clip") for name in card.float_nodes)


def test_int8_files_from_the_field_are_looked_at() -> None:
    clipped, operators = (custom.adopt(str(DATA / f"{name}.onnx"), "") for name in ("qcdq", "qoperator"))
    assert clipped.integer_share == 0.0 and len(clipped.float_nodes) == 4
    assert (operators.integer_share, operators.float_nodes) == (1.0, ())


def mixed(path: Path, *kinds: str) -> Path:
    """A TFLite file of dense layers of 192 to 5, 5 to 5 ..., each in integers or in floats."""
    tensors, steps = [Flat(name="image", shape=(1, 8, 8, 3), dtype=kinds[0], scale=0.1)], list[flat.Operator]()
    name, width = "image", 192
    for number, kind in enumerate(kinds):
        if tensors_kind(tensors, name) != kind:
            tensors.append(Flat(name=f"again{number}", shape=(1, width), dtype=kind, scale=0.1))
            steps.append((flat.DEQUANTIZE if kind == "float32" else flat.QUANTIZE, [name], [f"again{number}"]))
            name = f"again{number}"
        made = "scores" if number == len(kinds) - 1 else f"made{number}"
        tensors.append(constant(f"w{number}", numpy.ones((5, width), kind), scale=0.1))
        tensors.append(Flat(name=made, shape=(1, 5), dtype=kind, scale=0.1))
        steps.append((flat.DENSE, [name, f"w{number}"], [made]))
        name, width = made, 5
    return flat.write(path, tensors, steps, "image", "scores")


def tensors_kind(tensors: Sequence[Flat], name: str) -> str:
    return next(one.dtype for one in tensors if one.name == name)


@pytest.mark.parametrize(
    ("kinds", "share", "left"),
    [
        (("int8", "int8"), 1.0, ()),
        (("int8", "float32"), 960 / 985, ("FULLY_CONNECTED scores",)),
        (("float32", "int8"), 25 / 985, ("FULLY_CONNECTED made0",)),
        (("int8", "float32", "int8"), 985 / 1010, ("FULLY_CONNECTED made1",)),
    ],
)
def test_what_a_tflite_file_computes_in_float_is_named(
    place: Path, kinds: tuple[str, ...], share: float, left: tuple[str, ...]
) -> None:
    card = custom.adopt(str(mixed(place / "net.tflite", *kinds)), "")
    assert (card.precision, card.float_nodes) == ("int8", left)
    assert card.integer_share == pytest.approx(share)


def test_the_row_of_a_given_int8_file_says_what_ran(place: Path) -> None:
    files = ",".join(str(DATA / f"{name}.onnx") for name in ("qcdq", "qoperator"))
    asked = ("--model", files, "--precision", "int8", "--dataset", colours(place, 4))
    found = {row["architecture"]: row for row in rows(*asked)}
    assert found["qcdq.onnx"]["integer_share"] == 0.0 and found["qcdq.onnx"]["verdict"] in ("SUSPECT", "INVALID")
    assert "4 operators of the int8 graph run in float, 100% of the multiply-adds" in found["qcdq.onnx"]["reasons"]
    assert found["qoperator.onnx"]["integer_share"] == 100.0
    assert "run in float" not in found["qoperator.onnx"]["reasons"]

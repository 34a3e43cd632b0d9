"""Multiply-adds and weights of random small graphs, against a count of another kind: one that follows no file."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import numpy_helper

from edgebench.export import custom
from tests.hostile import flat
from tests.hostile.flat import Flat, constant
from tests.hostile.graphs import node, write

pytestmark = pytest.mark.slow  # each input is opened in a process of its own

SOURCES = ("initializer", "Constant", "ConstantOfShape", "Identity", "Transpose")
FUZZ = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
Draw = Any


@dataclass
class Net:
    """A graph as it grows, the shape of what it makes, and what that takes."""

    draw: Draw
    shape: tuple[int, ...]
    tensor: str = "image"
    nodes: list[Any] = field(default_factory=list)
    constants: dict[str, Any] = field(default_factory=dict)
    macs: int = 0
    params: int = 0

    def name(self) -> str:
        return f"t{len(self.nodes)}_{len(self.constants)}"

    def number(self, least: int, most: int) -> int:
        return int(self.draw(st.integers(least, most)))

    def weight(self, *shape: int) -> str:
        """Add a weight from wherever files have them, and count it."""
        source, name, values = self.draw(st.sampled_from(SOURCES)), self.name(), numpy.ones(shape, "f4")
        self.params += prod(shape)
        match source:
            case "Constant":
                self.nodes.append(onnx.helper.make_node("Constant", [], [name], value=numpy_helper.from_array(values)))
            case "ConstantOfShape":
                self.constants[f"{name}s"] = numpy.array(shape)
                filled = numpy_helper.from_array(numpy.ones(1, "f4"))
                self.nodes.append(onnx.helper.make_node("ConstantOfShape", [f"{name}s"], [name], value=filled))
            case "Identity" | "Transpose":
                order: dict[str, Any] = {"perm": [*range(len(shape))][::-1]} if source == "Transpose" else {}
                self.constants[f"{name}h"] = values.T if order else values
                self.nodes.append(node(source, [f"{name}h"], name, **order))
            case _:
                self.constants[name] = values
        return name

    def add(self, operator: str, inputs: Sequence[str], shape: tuple[int, ...], macs: int, **attributes: Any) -> None:
        self.tensor, made = self.name(), self.tensor
        self.nodes.append(node(operator, [made if one == "" else one for one in inputs], self.tensor, **attributes))
        self.shape, self.macs = shape, self.macs + macs


def convolve(net: Net) -> None:
    _, channels, height, width = net.shape
    group = net.draw(st.sampled_from([n for n in range(1, channels + 1) if channels % n == 0]))
    side, step, pad, spread = net.number(1, 3), net.number(1, 2), net.number(0, 1), net.number(1, 2)
    made = group * net.number(1, 3)
    sides = [(size + 2 * pad - (spread * (side - 1) + 1)) // step + 1 for size in (height, width)]
    if min(sides) < 1:
        return
    weight = net.weight(made, channels // group, side, side)
    # Each value that is made is a sum over a window of the channels of its group.
    macs = sum(side * side * (channels // group) for _ in range(made * sides[0] * sides[1]))
    net.add("Conv", ["", weight], (1, made, *sides), macs, group=group, strides=[step] * 2, pads=[pad] * 4,
            dilations=[spread] * 2)  # fmt: skip


def unfold(net: Net) -> None:
    _, channels, height, width = net.shape
    group = net.draw(st.sampled_from([n for n in range(1, channels + 1) if channels % n == 0]))
    side, step, each = net.number(1, 3), net.number(1, 2), net.number(1, 2)
    sides = [step * (size - 1) + side for size in (height, width)]
    weight = net.weight(channels, each, side, side)
    macs = sum(side * side * each for _ in range(channels * height * width))
    net.add("ConvTranspose", ["", weight], (1, each * group, *sides), macs, group=group, strides=[step] * 2)


def multiply(net: Net) -> None:
    made = net.number(1, 5)
    weight, macs = net.weight(net.shape[-1], made), prod(net.shape) * made
    net.add("MatMul", ["", weight], (*net.shape[:-1], made), macs)


def sum_up(net: Net) -> None:
    made = net.number(1, 5)
    weight, macs = net.weight(made, net.shape[1]), prod(net.shape) * made
    net.add("Einsum", ["", weight], (net.shape[0], made, *net.shape[2:]), macs, equation="nchw,oc->nohw")


def turn(net: Net) -> None:
    net.add("Transpose", [""], (net.shape[0], net.shape[2], net.shape[3], net.shape[1]), 0, perm=[0, 2, 3, 1])


def rectify(net: Net) -> None:
    net.add(net.draw(st.sampled_from(["Relu", "Identity", "Sigmoid"])), [""], net.shape, 0)


STEPS = (convolve, unfold, multiply, sum_up, turn, rectify)


@st.composite
def networks(draw: Draw) -> Net:
    net = Net(draw=draw, shape=(1, draw(st.integers(1, 4)), draw(st.integers(3, 7)), draw(st.integers(3, 7))))
    net.macs, start = 0, net.shape
    for step in draw(st.lists(st.sampled_from(STEPS), min_size=1, max_size=6)):
        step(net)
    net.add("Flatten", [""], (1, prod(net.shape)), 0)
    turned, made = draw(st.booleans()), draw(st.integers(1, 6))
    wide = net.shape[1]
    shape = (made, wide) if turned else (wide, made)
    net.add("Gemm", ["", net.weight(*shape), net.weight(made)], (1, made), wide * made, transB=int(turned))
    net.nodes.append(node("Identity", [net.tensor], "scores"))
    net.shape = start
    return net


@FUZZ
@given(networks())
def test_a_random_graph_of_onnx_costs_what_it_does_by_hand(net: Net) -> None:
    with TemporaryDirectory() as scratch:
        path = write(Path(scratch) / "net.onnx", net.nodes, net.constants, shape=net.shape)
        card = custom.adopt(str(path), "")
    assert (card.macs, card.params, card.uncounted) == (net.macs, net.params, "")


@st.composite
def steps(draw: Draw) -> tuple[Flat, Flat, int, int, int]:
    """One operator of TFLite: what it reads and makes, its weight, its multiply-adds."""
    height, width, read, made, side = (draw(st.integers(1, 6)) for _ in range(5))
    code = draw(st.sampled_from([flat.CONV, flat.DEPTHWISE, flat.DENSE]))
    if code == flat.DENSE:
        rows, dense = Flat(name="x", shape=(height, read)), Flat(name="y", shape=(height, made))
        return rows, dense, code, made * read, height * made * read
    weights = {flat.CONV: made * side * side * read, flat.DEPTHWISE: side * side * made}
    window = side * side * (read if code == flat.CONV else 1)
    macs = sum(window for _ in range(height * width * made))
    image, results = Flat(name="x", shape=(1, 9, 9, read)), Flat(name="y", shape=(1, height, width, made))
    return image, results, code, weights[code], macs


def weight_of(code: int, read: Flat, made: Flat, count: int) -> Any:
    if code == flat.DENSE:
        return numpy.zeros((made.shape[-1], read.shape[-1]), "f4")
    channels = read.shape[-1] if code == flat.CONV else 1
    side = round((count / made.shape[-1] / channels) ** 0.5)
    shape = (made.shape[-1], side, side, channels) if code == flat.CONV else (1, side, side, made.shape[-1])
    return numpy.zeros(shape, "f4")


@FUZZ
@given(st.lists(steps(), min_size=1, max_size=4))
def test_a_random_graph_of_tflite_costs_what_it_does_by_hand(drawn: list[Any]) -> None:
    tensors, operators, macs, params = [], [], 0, 0
    for place, (read, made, code, count, products) in enumerate(drawn):
        names = [f"{tensor}{place}" for tensor in "xwy"]
        weight = constant(names[1], weight_of(code, read, made, count))
        tensors += [Flat(name=names[0], shape=read.shape), weight, Flat(name=names[2], shape=made.shape)]
        operators.append((code, names[:2], names[2:]))
        macs, params = macs + products, params + count
    with TemporaryDirectory() as scratch:
        path = flat.write(Path(scratch) / "net.tflite", tensors, operators, "x0", f"y{len(drawn) - 1}")
        card = custom.adopt(str(path), "")
    assert (card.macs, card.params, card.uncounted) == (macs, params, "")

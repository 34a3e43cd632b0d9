"""Nights of a deployment of several files: a changed part is a changed model, measured against the accepted parts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy
import pytest

from tests.support.command import cli

onnx: Any = pytest.importorskip("onnx")
pytestmark = pytest.mark.slow  # measures three nights

SWEEP = """
targets = ["cpu"]
preset = "nightly"

[[models]]
name = "a.onnx|b.onnx"
precisions = ["fp32"]
"""


def convolutions(path: str, count: int, channels: tuple[int, int], ends: tuple[str, str]) -> None:
    """Write a network of convolutions on 32 x 32 pixels."""
    float32, value = onnx.TensorProto.FLOAT, onnx.helper.make_tensor_value_info
    names = [ends[0], *(f"t{place}" for place in range(1, count)), ends[1]]
    widths = [channels[0], *[channels[1]] * count]
    nodes = [
        onnx.helper.make_node("Conv", [names[at], f"w{at}"], [names[at + 1]], pads=[1, 1, 1, 1]) for at in range(count)
    ]
    weights = [numpy.full((widths[at + 1], widths[at], 3, 3), 0.01, numpy.float32) for at in range(count)]
    graph = onnx.helper.make_graph(
        nodes,
        "net",
        [value(ends[0], float32, [1, channels[0], 32, 32])],
        [value(ends[1], float32, [1, channels[1], 32, 32])],
        [onnx.numpy_helper.from_array(values, f"w{at}") for at, values in enumerate(weights)],
    )
    opsets = [onnx.helper.make_opsetid("", 17)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=opsets, ir_version=8), path)


def test_a_changed_part_is_a_changed_model_that_is_compared_with_the_accepted_parts(place: Path) -> None:
    convolutions("a.onnx", 4, (3, 16), ("x", "f"))
    convolutions("b.onnx", 4, (16, 8), ("f", "y"))
    (place / "parts.toml").write_text(SWEEP)
    nights = measured(), measured()
    assert "1 NEW of 1 configuration; 1 night" in nights[0]
    assert "model" not in nights[1]
    convolutions("b.onnx", 24, (16, 8), ("f", "y"))
    changed = measured()
    assert "1 REGRESSION of 1 configuration" in changed
    assert "model" in changed
    assert "pairs, p = " in changed


def measured() -> str:
    """Measure a night and return what it prints; skip on a machine that is too busy for a valid one."""
    said = cli("nightly", "parts.toml", "--history", "history").stdout
    if "INVALID" in said:
        pytest.skip("this machine is too busy for a night that is valid")
    return said

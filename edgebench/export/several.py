"""Quantize a model that consists of several float files, and write their int8 forms to one file.

If a part reads outputs of earlier parts, the float forms of these parts compute the outputs from the calibration
inputs. The part is then calibrated on these outputs, and its int8 form is compared with its float form.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from edgebench.agent import chain
from edgebench.export.custom.parts import sets_of, weighted
from edgebench.export.formats import Written

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from edgebench.export.order import Order
    from edgebench.schema.feed import Part

    Calibration = Callable[[], Iterator[Any]]


def write_int8(order: Order, source: Path, path: Path, images: Calibration) -> Written:
    """Quantize each part of the file `source`, and write all parts to `path`.

    Raises:
        CaseError: no operator of a part can be quantized, or an activation is not finite.
    """
    assert order.variant.feed is not None
    parts, made = order.variant.feed.parts, list[Written]()
    with TemporaryDirectory() as scratch:
        floats = [Path(file) for file in chain.unpack(source, scratch)]
        goals = [file.with_name(f"int8-{file.name}") for file in floats]
        for place, goal in enumerate(goals):
            sets = partial(_sets, parts[: place + 1], floats[:place], images)
            made.append(_one(order, floats[place], goal, parts[place].name, sets))
        chain.pack(goals, path)
        counts = [_macs(file) for file in floats]
    return Written(
        float_nodes=tuple(node for one in made for node in one.float_nodes),
        integer_share=weighted([(macs, one.integer_share) for macs, one in zip(counts, made, strict=True)]),
        layers=tuple(layer for one in made for layer in one.layers),
        outputs=tuple(output for one in made for output in one.outputs),
    )


def _macs(file: Path) -> int:
    from edgebench.export.formats.onnx.count import multiply_adds

    return sum(counted.macs for counted in multiply_adds(file))


def _one(order: Order, source: Path, goal: Path, name: str, sets: Calibration) -> Written:
    """Quantize one part; return the format's report, in which each name is preceded by the part's name."""
    scheme = order.variant.quantization
    written: Written = order.plugin.write_int8(source, goal, scheme, sets)
    outputs = order.plugin.compared(source, goal, scheme, sets)
    return replace(
        written,
        float_nodes=tuple(f"{name}:{node}" for node in written.float_nodes),
        layers=tuple(replace(layer, name=f"{name}:{layer.name}") for layer in written.layers),
        outputs=tuple(replace(output, name=f"{name}:{output.name}") for output in outputs),
    )


def _sets(parts: Sequence[Part], earlier: Sequence[Path], images: Calibration) -> Iterator[dict[str, Any]]:
    """For each set, yield the last part's inputs, computed by the float forms of the earlier parts."""
    import onnxruntime

    sessions = [onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"]) for file in earlier]
    names = [[output.name for output in session.get_outputs()] for session in sessions]
    for own in images():
        made = list[dict[str, Any]]()
        for part, session, outputs in zip(parts, sessions, names, strict=False):
            made.append(dict(zip(outputs, session.run(None, sets_of(part, own, made)), strict=True)))
        yield sets_of(parts[-1], own, made)

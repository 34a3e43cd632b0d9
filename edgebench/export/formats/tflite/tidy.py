"""Change a converted float file so that it computes in NHWC throughout, and takes any number of images.

If a network flattens its features, the converter inserts a transposition that restores torch's order of the axes, and
it writes a reshape with a constant batch size of one. It also writes a slice of one image if a network cuts off part of
a map. This module removes the transposition and the constant batch sizes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgebench.export.formats.tflite.flatbuffer import File, Operator

if TYPE_CHECKING:
    from pathlib import Path


def tidy(path: Path) -> None:
    """Rewrite the file in place, so that it takes any number of images in NHWC without a transposition."""
    file = File(path)
    operators = tuple(file.operators())
    for reshape in [one for one in operators if one.name == "RESHAPE"]:
        _free_batch(file, reshape)
        _flatten_as_it_lies(file, reshape, operators)
    for cut in [one for one in operators if one.name == "SLICE"]:
        _cut_every_image(file, cut)
    file.write(path)


def _free_batch(file: File, reshape: Operator) -> None:
    """Make a reshape accept any number of images."""
    import numpy

    shape = numpy.array([-1, *reshape.output.shape[1:]], numpy.int32)
    file.set_values(reshape.inputs[1], shape)
    if reshape.raw.builtinOptions:
        reshape.raw.builtinOptions.newShape = shape


def _cut_every_image(file: File, cut: Operator) -> None:
    """Write a slice that cuts no image off so that it accepts any number of images.

    XNNPACK does not compute a slice with an open size, but a strided slice whose ends are open.
    """
    import numpy

    source, first, sizes = cut.inputs
    if not (file.is_constant(first) and file.is_constant(sizes)) or source.shape[0] != cut.output.shape[0]:
        return
    begin, name = file.values(first, "<i4"), cut.output.name.decode()
    end = begin + cut.output.shape
    bounds = [
        file.add_constant(f"{name};{bound}", values.astype("i4"))
        for bound, values in (("begin", begin), ("end", end), ("strides", numpy.ones_like(begin)))
    ]
    inputs, output = [cut.raw.inputs[0], *bounds], cut.raw.outputs[0]
    strided = file.operator("STRIDED_SLICE", inputs, output, beginMask=1, endMask=1)
    file.graph.operators = [strided if one is cut.raw else one for one in file.graph.operators]


def _flatten_as_it_lies(file: File, reshape: Operator, operators: tuple[Operator, ...]) -> None:
    """Remove the transposition to NCHW before a reshape; reorder the weights of the following layer instead."""
    before = next((one for one in operators if one.raw.outputs[0] == reshape.raw.inputs[0]), None)
    readers = [one for one in operators if reshape.raw.outputs[0] in one.raw.inputs]
    if before is None or before.name != "TRANSPOSE" or {one.name for one in readers} != {"FULLY_CONNECTED"}:
        return
    _, channels, height, width = before.output.shape
    for reader in readers:
        weights = file.values(reader.inputs[1], "<f4")
        ordered = weights.reshape(-1, channels, height, width).transpose(0, 2, 3, 1)
        file.set_values(reader.inputs[1], ordered)
    reshape.raw.inputs[0] = before.raw.inputs[0]
    file.graph.operators = [one for one in file.graph.operators if one is not before.raw]

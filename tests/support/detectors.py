"""The shipped base of a detector as ONNX files whose outputs are arranged as other detectors arrange theirs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

NAME, WIDTH, SIDE, CLASSES = "mobilenet_v1_det", 0.25, 96, 10
CELLS = SIDE // 8
LAYOUTS = ("raw", "yolov8", "yolov5", "ssd")


def trained(path: Path) -> None:
    """Write the shipped base in fp32, with its raw heads `scores` and `boxes`."""
    from edgebench.export.formats.onnx import trace
    from edgebench.foundation.shelf import load
    from edgebench.train.base import find, restore

    network = load("architectures", NAME).build(NAME, WIDTH, classes=CLASSES, resolution=SIDE)
    base = find(NAME, WIDTH, CLASSES)
    assert base
    restore(network, base.read_bytes())
    trace(network.eval(), (3, SIDE, SIDE), path, ("scores", "boxes"))


def arranged(source: Path, layout: str, path: Path) -> Path:
    """Write the detector of `source` with its heads decoded and arranged as a layout says."""
    import onnx

    model = onnx.load(source)
    if layout != "raw":
        graph = _Graph(model)
        {"yolov8": _yolov8, "yolov5": _yolov5, "ssd": _ssd}[layout](graph)
        graph.finish()
    onnx.save(model, path)
    return path


class _Graph:
    """A graph to which operators are appended."""

    def __init__(self, model: Any) -> None:
        self.model, self.made, self.count = model, list[tuple[str, tuple[int | str, ...]]](), 0

    def constant(self, values: Any) -> str:
        import numpy
        import onnx

        self.count += 1
        array = numpy.asarray(values)
        array = array.astype("f4") if array.dtype.kind == "f" else array.astype("i8")
        self.model.graph.initializer.append(onnx.numpy_helper.from_array(array, f"held_{self.count}"))
        return f"held_{self.count}"

    def __call__(self, kind: str, *given: str, **attributes: Any) -> str:
        import onnx

        self.count += 1
        node = onnx.helper.make_node(kind, list(given), [f"made_{self.count}"], f"made_{self.count}", **attributes)
        self.model.graph.node.append(node)
        return f"made_{self.count}"

    def output(self, value: str, name: str, *sizes: int | str) -> None:
        import onnx

        self.model.graph.node.append(onnx.helper.make_node("Identity", [value], [name], name))
        self.made.append((name, ("batch", *sizes)))

    def finish(self) -> None:
        import onnx

        del self.model.graph.output[:]
        for name, sizes in self.made:
            kind = onnx.TensorProto.FLOAT
            self.model.graph.output.append(onnx.helper.make_tensor_value_info(name, kind, list(sizes)))
        onnx.checker.check_model(self.model)


def _rows(graph: _Graph, head: str, channels: int) -> str:
    """A head as (N, channels, cells)."""
    return graph("Reshape", head, graph.constant([0, channels, CELLS * CELLS]))


def _parts(graph: _Graph) -> tuple[str, str]:
    """The object's probability, (N, 1, cells), and those of the classes, (N, classes, cells)."""
    rows = _rows(graph, "scores", 1 + CLASSES)
    logit, classes = (
        graph("Slice", rows, *map(graph.constant, ([start], [end], [1]))) for start, end in ((0, 1), (1, 1 + CLASSES))
    )
    return graph("Sigmoid", logit), graph("Softmax", classes, axis=1)


def _centres(graph: _Graph, scale: float) -> tuple[str, str]:
    """Centres and sizes of the boxes, (N, 2, cells) each, in parts of the input times `scale`."""
    import numpy

    rows = _rows(graph, "boxes", 4)
    offset, logs = (graph("Slice", rows, *map(graph.constant, ([start], [start + 2], [1]))) for start in (0, 2))
    cells = numpy.stack(numpy.divmod(numpy.arange(CELLS * CELLS), CELLS)[::-1]) + 0.5
    middle = graph("Mul", graph("Add", offset, graph.constant(cells[None])), graph.constant(scale / CELLS))
    limited = graph("Clip", logs, "", graph.constant(2.1))
    return middle, graph("Mul", graph("Exp", limited), graph.constant(scale / 8))


def _yolov8(graph: _Graph) -> None:
    sure, classes = _parts(graph)
    joined = graph("Concat", *_centres(graph, SIDE), graph("Mul", sure, classes), axis=1)
    graph.output(joined, "output0", 4 + CLASSES, CELLS * CELLS)


def _yolov5(graph: _Graph) -> None:
    joined = graph("Concat", *_centres(graph, SIDE), *_parts(graph), axis=1)
    graph.output(graph("Transpose", joined, perm=[0, 2, 1]), "output0", CELLS * CELLS, 5 + CLASSES)


def _ssd(graph: _Graph) -> None:
    """The background's probability is 1 minus the object's."""
    sure, classes = _parts(graph)
    background = graph("Sub", graph.constant(1.0), sure)
    shares = graph("Concat", background, graph("Mul", sure, classes), axis=1)
    middle, size = _centres(graph, 1.0)
    half = graph("Mul", size, graph.constant(0.5))
    corners = graph("Concat", graph("Sub", middle, half), graph("Add", middle, half), axis=1)
    graph.output(graph("Transpose", shares, perm=[0, 2, 1]), "scores_of_boxes", CELLS * CELLS, 1 + CLASSES)
    graph.output(graph("Transpose", corners, perm=[0, 2, 1]), "corners", CELLS * CELLS, 4)


def written(folder: Path, make: Callable[[Path], None] = trained) -> dict[str, Path]:
    """Write the detector in every layout; return the files by layout."""
    make(source := folder / "heads.onnx")
    return {layout: arranged(source, layout, folder / f"{layout}.onnx") for layout in LAYOUTS}

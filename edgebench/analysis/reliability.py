"""An evaluation of a classifier -> its reliability diagram: the share of correct predictions over confidence, in float
and in int8.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgebench.analysis.evaluate import sureness
from edgebench.foundation import files, stats
from edgebench.foundation.errors import RequestError
from edgebench.results import drawing
from edgebench.results.drawing import MARGIN, Axis, Panel, across, legend, mark, symbol, upwards
from edgebench.schema.metric import BINS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from edgebench.schema.artifact import Artifact
    from edgebench.schema.metric import Reliability
    from edgebench.schema.record import Accuracy

SIDE, LEFT, TOP = 340.0, 48.0, 36.0  # the plot's side, left edge and top edge, in pixels of the drawing
TITLE = "right answers against confidence, %"


def write(path: Path, artifact: Artifact, accuracy: Accuracy) -> None:
    """Write the diagram as SVG, PNG or PDF; the file's ending determines the format.

    Raises:
        RequestError: the evaluation has no confidence to draw, or the file cannot be written.
        UnknownName: the file's ending is not a known format.
    """
    if not accuracy.reliability:
        raise RequestError(
            f"wanted a classifier's confidence for {path}, found none: {artifact.variant} does not classify"
        )
    svg = drawing.document(f"{artifact.variant}: {TITLE}", [panel(artifact, accuracy)])
    files.write(path, drawing.convert(svg, path.suffix.removeprefix(".")), "name another file with --diagram")


def panel(artifact: Artifact, accuracy: Accuracy) -> Panel:
    """Draw the diagram: for each file and bin of confidence, a mark at the share of correct predictions with its
    interval.

    A dashed line shows where confidence equals the share of correct predictions.
    """
    series = {"fp32" if name == "float parent" else _series(accuracy): found for name, found in sureness(accuracy)}
    x, y = Axis(low=0, high=100, start=LEFT, end=LEFT + SIDE), Axis(low=0, high=100, start=TOP + SIDE, end=TOP)
    body = (
        across(x, TOP, TOP + SIDE, "confidence, %"),
        upwards(y, LEFT, LEFT + SIDE, "right, %"),
        mark("path", class_="front", d=f"M{x.start:.1f} {y.start:.1f}L{x.end:.1f} {y.end:.1f}"),
        *(mark("g", *_marks(name, found, x, y), class_=name) for name, found in series.items()),
        legend(series, LEFT + SIDE, TOP - 12),
    )
    errors = (
        f"{name}: ECE {100 * found.error:.1f} % [{100 * found.low:.1f}, {100 * found.high:.1f}]"
        for name, found in series.items()
    )
    note = "Dashed: confidence equals the share right; below it a network is too confident. Lines: 95 % intervals."
    height, width = TOP + SIDE + 44, LEFT + SIDE + 2 * MARGIN
    subtitle = f"{artifact.variant} on {accuracy.dataset}"
    return Panel(
        title=TITLE, subtitle=subtitle, width=width, height=height, body="".join(body), notes=(*errors, note)
    )  # fmt: skip


def _series(accuracy: Accuracy) -> str:
    return str(accuracy.case.variant.precision)


def _marks(name: str, found: Reliability, x: Axis, y: Axis) -> Iterator[str]:
    for place in range(BINS):
        if count := found.images[place]:
            low, high = stats.wilson(found.correct[place], count)
            across_px = x.place(100 * found.confidence[place] / count)
            yield mark(
                "path", class_="whisker", d=f"M{across_px:.1f} {y.place(100 * low):.1f}V{y.place(100 * high):.1f}"
            )
            yield symbol(name, across_px, y.place(100 * found.correct[place] / count))

"""A row -> a Python file that runs its model on a picture or on arrays, with numpy, Pillow and its runtime alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgebench.agent.runtimes.onnxruntime import CPU
from edgebench.analysis.export_script import RUNTIMES, Code, of_case, templates
from edgebench.analysis.take.excerpt import excerpts
from edgebench.foundation.shelf import load
from edgebench.images.preprocessing import normalization
from edgebench.images.splits import recipe
from edgebench.schema.names import CLASSIFICATION, task

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgebench.foundation.cache import FileCard
    from edgebench.results.measurement.evidence import Evidence
    from edgebench.schema.feed import Feed
    from edgebench.schema.variant import Variant

FILE, MODEL, ARRAYS = "run.py", "model", "inputs.npz"
WHITE = 255.0  # value of a white pixel in a picture of 8 bits
ANSWERS = {CLASSIFICATION: "classes", "detection": "boxes"}  # the answers that a script decodes, by task
SURE = 0.3  # the least score of a box that a script prints unless another is given
PICTURES = {  # what a script needs to turn a picture into a network's input
    "schema/normalization": ("Normalization",),
    "images/decode": ("_upright",),
    "images/preprocessing": ("cut", "frame"),
}
SCORES = {"onnxruntime": {"agent/runtimes/onnxruntime": ("scores",)}}  # what joins several outputs; else TFLite's
OF_TFLITE = {"agent/runtimes/_tflite": ("_flat", "_scores")}
DECODERS = {"boxes": {"tasks/detection/boxes": ("decode",)}}


def why_none(row: Evidence) -> str:
    """Return why there is no script for a row; empty if there is one."""
    runtime = row.case.runtime.name
    if runtime in RUNTIMES:
        return ""
    return f"{FILE} is left out: only files of {', '.join(RUNTIMES)} run by themselves, this is one of {runtime}"


def rendered(row: Evidence, files: Sequence[FileCard], suffix: str, classes: Sequence[str], channels: int) -> str:
    """Return the script of a row for the cards of its files: the artifact, and the arrays of its inputs.

    `classes` are the classes' names, empty if they are not known; `channels` are those of a network fed pictures.
    """
    case, variant = row.case, row.case.variant
    context = of_case(case) | {"files": tuple(card.sha256 for card in files), "model": f"{MODEL}{suffix}"}
    context |= {"title": str(variant), "arrays": ARRAYS, "providers": _providers(case.runtime.options)}
    context |= _of_feed(variant.feed, suffix) if variant.feed else _of_pictures(variant, channels, case.runtime.name)
    context |= {"classes": tuple(classes), "sure": SURE}
    return templates(Path(__file__).parent).get_template("run.py.jinja").render(context)


def _providers(options: Sequence[str]) -> tuple[str, ...]:
    """Return onnxruntime's providers: the row's own, and the CPU's for operators that it lacks."""
    return tuple(dict.fromkeys((*(option for option in options if option.endswith("ExecutionProvider")), CPU)))


def _of_feed(feed: Feed, suffix: str) -> dict[str, Any]:
    """Return the graphs of a model that is fed arrays, each with its inputs and what it takes of earlier ones."""
    names = tuple((entry.name, entry.name) for entry in feed.inputs)
    parts = tuple(
        (part.signature, part.inputs, tuple((link.input, link.part, link.output) for link in part.links))
        for part in feed.parts
    )
    graphs = parts or ((feed.signature, names, ()),)
    return {"answers": "", "graphs": graphs, "is_packed": bool(parts), "imports": (), "code": ""}


def _of_pictures(variant: Variant, channels: int, runtime: str) -> dict[str, Any]:
    """Return how a picture is prepared for a network, and how its outputs become answers."""
    own, of = recipe(variant), task(variant.architecture)
    answers = ANSWERS.get(of, "values")
    wanted = {**PICTURES, **SCORES.get(runtime, OF_TFLITE), **DECODERS.get(answers, {})}
    imports, code = excerpts(wanted)
    return {
        "answers": answers,
        "recipe": own,
        "normalization": normalization(own, WHITE, grey=channels == 1),
        "resolution": variant.resolution,
        "count": variant.classes,
        "values": load("tasks", of).values(variant.classes, variant.resolution),
        "imports": Code("\n".join(imports)),
        "code": Code(code),
    }

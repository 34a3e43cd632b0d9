"""A row -> a Python script that runs the row's model on a picture or on arrays, with numpy, Pillow and its runtime."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgebench.agent.runtimes.onnxruntime import CPU
from edgebench.analysis.export_script import RUNTIMES, Code, of_case, templates
from edgebench.analysis.take.excerpt import excerpts
from edgebench.foundation.shelf import load
from edgebench.images.preprocessing import WHITE, normalization
from edgebench.images.splits import recipe
from edgebench.schema.names import CLASSIFICATION, task

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edgebench.results.measurement.evidence import Evidence
    from edgebench.schema.feed import Feed
    from edgebench.schema.variant import Variant

FILE, MODEL, ARRAYS = "run.py", "model", "inputs.npz"
ANSWERS = {CLASSIFICATION: "classes", "detection": "boxes"}  # for each task: what the script converts outputs to
SURE = 0.3  # default of the least score that a box must have to be printed
PICTURES = {  # for each module: the definitions that a script needs to turn a picture into a network's input
    "schema/normalization": ("Normalization",),
    "images/decode": ("_upright",),
    "images/preprocessing": ("cut", "frame"),
}
# For each runtime: the definitions that join several outputs; `OF_TFLITE` for runtimes that are not listed.
OF_ONNX = {"agent/runtimes/onnxruntime": ("scores",)}
SCORES = {"onnxruntime": OF_ONNX, "openvino": OF_ONNX, "ncnn": OF_ONNX}
OF_TFLITE = {"agent/runtimes/_tflite": ("_flat", "_scores")}
DECODERS = {"boxes": {"tasks/detection/boxes": ("decode",)}}


def why_none(row: Evidence) -> str:
    """Return why there is no script for a row; an empty text if there is a script."""
    runtime = row.case.runtime.name
    if runtime in RUNTIMES:
        return ""
    return f"{FILE} is left out: it exists only for files of {', '.join(RUNTIMES)}, and this is one of {runtime}"


def rendered(row: Evidence, files: Mapping[str, bytes], classes: Sequence[str], channels: int) -> str:
    """Return the script of a row.

    `files` maps file names to contents: the files of the row's model and, if the model takes arrays, its input arrays.
    `classes` are the names of the classes; an empty sequence if the names are not known. `channels` is the number of
    channels of the network's input, if it takes pictures.
    """
    case, variant = row.case, row.case.variant
    context = of_case(case) | {"title": str(variant), "providers": _providers(case.runtime.options)}
    context["files"] = tuple((name, sha256(content).hexdigest()) for name, content in files.items())
    context |= _of_feed(variant.feed) if variant.feed else _of_pictures(variant, channels, case.runtime.name)
    context |= {"classes": tuple(classes), "sure": SURE}
    return templates(Path(__file__).parent).get_template("run.py.jinja").render(context)


def _providers(options: Sequence[str]) -> tuple[str, ...]:
    """Return onnxruntime's execution providers: the row's provider, then the CPU for operators that it lacks."""
    return tuple(dict.fromkeys((*(option for option in options if option.endswith("ExecutionProvider")), CPU)))


def _of_feed(feed: Feed) -> dict[str, Any]:
    """Return the template's values for a model that takes arrays: its graphs, each with its inputs.

    An input of a graph is either one of the arrays, or an output of an earlier graph.
    """
    names = tuple((entry.name, entry.name) for entry in feed.inputs)
    parts = tuple(
        (part.signature, part.inputs, tuple((link.input, link.part, link.output) for link in part.links))
        for part in feed.parts
    )
    graphs = parts or ((feed.signature, names, ()),)
    return {"answers": "", "graphs": graphs, "is_packed": bool(parts), "imports": (), "code": ""}


def _of_pictures(variant: Variant, channels: int, runtime: str) -> dict[str, Any]:
    """Return the template's values for a network that takes pictures: preprocessing, and decoding of its outputs."""
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

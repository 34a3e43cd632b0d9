"""A runtime's outputs of an int8 file -> how far they are from the file's own arithmetic, on a few images.

The file's own arithmetic is what its format specifies: for ONNX, every QuantizeLinear and DequantizeLinear computed as
it stands, in float32; for TFLite, the reference kernels, which compute in integers. A runtime that saturates, that
leaves roundings out, or that computes in float gives other outputs. The reference is computed on this host, once per
file.
"""

from __future__ import annotations

from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import PackageNotFoundError
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any, ClassVar

from edgebench.deploy import Deployed
from edgebench.foundation import cache, provenance
from edgebench.foundation.errors import AgentError
from edgebench.foundation.shelf import load, module, names
from edgebench.images.splits import sources
from edgebench.measure import evaluate
from edgebench.measure.evaluate import Answers, stand_in
from edgebench.schema import STRICT
from edgebench.schema.runtime import Runtime, RuntimeRequest
from edgebench.schema.variant import Precision, identity

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy import int64
    from numpy.typing import NDArray

    from edgebench.images.loader import Images
    from edgebench.schema.artifact import Artifact
    from edgebench.schema.variant import Variant

REFERENCE = "reference"  # the option with which a runtime computes as the format specifies
LEAST, MOST = 2, 32  # number of images
# TFLite's reference kernels took 1.4 s for this many multiply-adds, on a 2.5 GHz core.
MACS = 2.5e8


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceAnswers:
    """The outputs of an int8 file by its own arithmetic, in a file of the cache: `values` of type `dtype` per image."""

    __pydantic_config__: ClassVar = STRICT
    FOLDER: ClassVar = "artifacts"  # name of the cache subfolder for these cards

    file: str
    sha256: str
    values: int
    dtype: str


def figures(artifact: Artifact, variant: Variant, images: Images, outputs: Answers) -> dict[str, Any]:
    """Compare a runtime's outputs with the file's own arithmetic; return fields of `Accuracy`.

    The dictionary is empty for a float file, and if no runtime on this host can compute the reference. `outputs` are
    those for `images`, the test split; images that are evenly spread over it are compared.
    """
    runtime = _runtime(artifact.format) if variant.precision == Precision.INT8 else None
    if runtime is None:
        return {}
    places = _places(len(images), artifact.macs)
    sample = replace(images, kept=images.kept[places], memory=None)
    try:
        card = _once(artifact, variant, sample, runtime)
    except AgentError:  # for example, the graph has operators that have no reference
        return {}
    if (card.values, card.dtype) != (outputs.values, outputs.dtype):
        return {}
    with _rows(outputs, places) as here, cache.path_of(card).open("rb", buffering=0) as stream:
        reference = Answers(stream=stream, values=card.values, dtype=card.dtype)
        counted = evaluate.tally(variant, sample.truth, here, reference)
    return {"reference_images": len(places)} | {
        f"reference_{name}": counted.get(name) for name in ("agreement", "sqnr_db")
    }


def _runtime(format: str) -> Runtime | None:
    """Return the runtime on this host that computes a format's reference; None if there is none."""
    for name in names("runtimes"):
        plugin = load("runtimes", name)
        if format != plugin.FORMAT or not any(REFERENCE in group for group in plugin.OPTIONS):
            continue
        usual = [option for option, device in plugin.DEVICES.items() if device == "cpu"]
        options = RuntimeRequest(name=name, options=(REFERENCE,)).resolve(plugin.OPTIONS, usual)
        with suppress(PackageNotFoundError):
            return Runtime(name=name, version=plugin.version(), options=options)
    return None


def _places(images: int, macs: int | None) -> NDArray[int64]:
    """Return the indices of the compared images: fewer images for larger networks."""
    import numpy

    count = min(MOST, max(LEAST, int(MACS / macs) if macs else LEAST), images)
    return numpy.unique(numpy.linspace(0, images - 1, count).astype(numpy.int64))


def _once(artifact: Artifact, variant: Variant, sample: Images, runtime: Runtime) -> ReferenceAnswers:
    """Return the reference answers for a sample of images; compute them once per file, runtime and images."""
    source = provenance.source(
        "measure/evaluate/reference", module("runtimes", runtime.name), *sources(variant.dataset)
    )
    made_by = {"artifact": artifact.sha256, "runtime": str(runtime), "source": source, "images": str(list(sample.kept))}
    stem = f"reference-{provenance.key(identity(variant) | made_by)}"
    return cache.once(stem, ".answers", ReferenceAnswers, partial(_make, artifact, variant, sample, runtime))


def _make(artifact: Artifact, variant: Variant, sample: Images, runtime: Runtime, path: Path) -> ReferenceAnswers:
    deployed = Deployed(variant=variant, path=str(cache.path_of(artifact)), sha256=artifact.sha256)
    outputs = evaluate.answers(sample, deployed, runtime, 1, stand_in.host()[0])
    path.write_bytes(b"".join(rows.tobytes() for rows in outputs.rows(evaluate.TALLY_ROWS)))
    return ReferenceAnswers(file="", sha256="", values=outputs.values, dtype=outputs.dtype)


@contextmanager
def _rows(outputs: Answers, places: NDArray[int64]) -> Iterator[Answers]:
    """Yield the outputs of some images."""
    import os

    size = outputs.row_bytes
    with TemporaryFile(buffering=0) as stream:
        stream.write(b"".join(os.pread(outputs.stream.fileno(), size, int(place) * size) for place in places))
        yield replace(outputs, stream=stream)

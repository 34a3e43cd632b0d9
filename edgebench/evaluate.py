"""An artifact on its own runtime -> accuracy on real images, and an int8 file's agreement with its float parent."""

from __future__ import annotations

from base64 import b64decode
from dataclasses import dataclass
from functools import lru_cache
from math import log10
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from edgebench import cache
from edgebench.datasets import split
from edgebench.record import Accuracy

if TYPE_CHECKING:
    from numpy import float32, int64
    from numpy.typing import NDArray

    from edgebench.connections import Connection
    from edgebench.record import Session
    from edgebench.spec import Case, Variant

BATCH = 32
TIMEOUT_S = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployed:
    """An artifact on a target: whose it is, where it lies there, and its hash."""

    variant: Variant
    path: str
    sha256: str


def evaluate(
    case: Case, deployed: Deployed, parent: Deployed | None, connection: Connection, session: Session
) -> Accuracy:
    """Run the test split through the artifact, and through its float parent where it has one.

    Raises:
        AgentError: the runtime could not answer.
    """
    _, labels = split(case.variant, "test")
    reference = infer(parent, case.runtime.name, case.threads, connection) if parent else None  # first: it is kept
    outputs = infer(deployed, case.runtime.name, case.threads, connection)
    return Accuracy(
        case=case,
        session=session.id,
        epoch=session.environment.epoch,
        artifact_sha256=deployed.sha256,
        dataset=case.variant.dataset,
        images=len(labels),
        correct=int((outputs.argmax(1) == labels).sum()),
        parent_sha256=parent.sha256 if parent else "",
        agreement=agreement(reference, outputs) if reference is not None else None,
        sqnr_db=sqnr_db(reference, outputs) if reference is not None else None,
        correct_top5=int((labels[:, None] == outputs.argsort(1)[:, -5:]).any(1).sum()),
        **_paired(labels, reference, outputs),
    )


def _paired(labels: NDArray[int64], reference: NDArray[float32] | None, outputs: NDArray[float32]) -> dict[str, Any]:
    """Count the images that the float parent answers right, and those that one of the two does alone."""
    if reference is None:
        return {}
    parent, this = reference.argmax(1) == labels, outputs.argmax(1) == labels
    only_parent, only_this = int((parent & ~this).sum()), int((this & ~parent).sum())
    return {"parent_correct": int(parent.sum()), "only_parent": only_parent, "only_this": only_this}


@lru_cache(maxsize=1)  # a float file is often followed by its int8 ones, which compare with it
def infer(deployed: Deployed, runtime: str, threads: int, connection: Connection) -> NDArray[float32]:
    """Return the artifact's outputs, (N, classes) float32, for its test split."""
    import numpy

    images, _ = split(deployed.variant, "test")
    with TemporaryDirectory() as scratch:
        inputs = Path(scratch) / "images.f32"
        inputs.write_bytes(images.astype("<f4").tobytes())
        request = {
            "do": "infer",
            "runtime": runtime,
            "path": deployed.path,
            "threads": threads,
            "batch": BATCH,
            "inputs": connection.push(inputs, cache.sha256(inputs)),
            "shape": images.shape,
        }
        answer = connection.run(request, timeout_s=TIMEOUT_S)
    return numpy.frombuffer(b64decode(answer["outputs"]), "<f4").reshape(len(images), -1)


def agreement(reference: NDArray[float32], outputs: NDArray[float32]) -> float:
    """Return the share of images that both give the same top-1 class."""
    return float((reference.argmax(1) == outputs.argmax(1)).mean())


def sqnr_db(reference: NDArray[float32], outputs: NDArray[float32]) -> float | None:
    """Return the signal to quantization noise ratio of the outputs, dB; None where they are equal."""
    signal = float((reference.astype("f8") ** 2).sum())
    noise = float(((reference.astype("f8") - outputs) ** 2).sum())
    return 10 * log10(signal / noise) if noise and signal else None

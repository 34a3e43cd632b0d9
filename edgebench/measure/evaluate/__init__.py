"""An artifact on its own runtime -> accuracy on real images, and an int8 file's agreement with its float parent."""

from __future__ import annotations

import hashlib
import os
from base64 import b64decode
from dataclasses import asdict, dataclass
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import IO, TYPE_CHECKING, Any
from weakref import finalize

from edgebench.foundation import provenance
from edgebench.foundation.errors import AgentError
from edgebench.foundation.prefetch import ahead
from edgebench.images.catalogue import family
from edgebench.images.splits import sources, split
from edgebench.networks.custom import channels
from edgebench.schema.record import Accuracy
from edgebench.schema.variant import WeightSource
from edgebench.tasks.classification import Counts, count

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy import float32, int64
    from numpy.typing import NDArray

    from edgebench.deploy import Deployed
    from edgebench.deploy.connections import Connection
    from edgebench.images.loader import Images
    from edgebench.schema.case import Case
    from edgebench.schema.record import Session
    from edgebench.schema.runtime import Runtime
    from edgebench.schema.variant import Variant

BATCH = 32
PART_BYTES = 256 * 2**20  # of images in a file, at most, and of answers in memory: a small board has room for them
COPIES = 8  # of the answers on their way: as numbers, as base64, as JSON
TALLY_ROWS = 1024
TIMEOUT_S = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True, weakref_slot=True)
class Answers:
    """The outputs of an artifact, (N, classes) float32, in a file: there may be more than fit in memory."""

    stream: IO[bytes]
    classes: int

    def rows(self, count: int) -> Iterator[NDArray[float32]]:
        """Yield them in order, `count` at a time."""
        import numpy

        size, done = count * self.classes * 4, 0
        while block := os.pread(self.stream.fileno(), size, done):
            yield numpy.frombuffer(block, "<f4").reshape(-1, self.classes)
            done += size


@dataclass(slots=True, kw_only=True)
class FloatAnswers:
    """The answers of the last float artifact that was evaluated: its int8 forms are compared with them."""

    asked: tuple[Deployed, Runtime, int, Connection] | None = None
    answers: Answers | None = None

    def of(self, deployed: Deployed, runtime: Runtime, threads: int, connection: Connection) -> Answers:
        """Return the artifact's answers to its test split; ask for them unless they are the ones that are kept."""
        asked = (deployed, runtime, threads, connection)
        if self.answers is None or self.asked != asked:
            self.asked, self.answers = asked, infer(*asked)
        return self.answers


def evaluate(
    case: Case,
    deployed: Deployed,
    parent: Deployed | None,
    connection: Connection,
    session: Session,
    float_answers: FloatAnswers,
    runtime: Runtime | None = None,
) -> Accuracy:
    """Run the test split through the artifact, and through its float parent where it has one.

    The runtime is the case's own, unless another machine's answers in its place.

    Raises:
        AgentError: the runtime could not answer.
    """
    images = split(case.variant, "test", channels(case.variant))
    runtime = runtime or case.runtime
    if parent:
        reference = float_answers.of(parent, runtime, case.threads, connection)
        outputs = infer(deployed, runtime, case.threads, connection)
    else:
        reference = outputs = float_answers.of(deployed, runtime, case.threads, connection)
    seen = _tally(images.labels, outputs, reference)
    compares = parent is not None and not (seen.not_finite or seen.parent_not_finite)
    has_classes = compares and outputs.classes > 1  # of one output the largest is always the same
    return Accuracy(
        case=case,
        session=session.id,
        epoch=session.environment.epoch,
        artifact_sha256=deployed.sha256,
        dataset=case.variant.dataset,
        images=len(images),
        damaged=images.damaged,
        made_by=made_by(case.variant),
        correct=0 if seen.not_finite else seen.correct,
        correct_top5=seen.correct_top5 if outputs.classes > 5 and not seen.not_finite else None,
        parent_sha256=parent.sha256 if parent else "",
        parent_correct=seen.parent_correct if has_classes else None,
        only_parent=seen.only_parent if has_classes else None,
        only_this=seen.only_this if has_classes else None,
        agreement=seen.agreed / len(images) if has_classes else None,
        sqnr_db=seen.sqnr_db if compares and not _is_fine_tuned(case) else None,
        not_finite=seen.not_finite,
    )


def made_by(variant: Variant) -> str:
    """Hash what shapes an accuracy beside the artifact, its target and the images: how they are read here."""
    tools = {f"version.{tool}": version(tool) for tool in family(variant.dataset).TOOLS}
    return provenance.key(
        tools
        | {"source": provenance.source("measure/evaluate/__init__", "tasks/classification", *sources(variant.dataset))}
    )


def _is_fine_tuned(case: Case) -> bool:
    """Tell whether the weights are no longer the parent's: then other outputs are no noise."""
    return case.variant.quantization is not None and case.variant.quantization.aware


def infer(deployed: Deployed, runtime: Runtime, threads: int, connection: Connection) -> Answers:
    """Return the artifact's outputs for its test split."""
    return answers(split(deployed.variant, "test", channels(deployed.variant)), deployed, runtime, threads, connection)


def answers(images: Images, deployed: Deployed, runtime: Runtime, threads: int, connection: Connection) -> Answers:
    """Return an artifact's outputs for images, asked for in bounded parts, in batches that it takes.

    A user's own file may hold a batch of one inside, whatever its input says.
    """
    try:
        return _answers(images, deployed, runtime, threads, connection, BATCH)
    except AgentError:
        if deployed.variant.weights != WeightSource.CUSTOM:
            raise
    return _answers(images, deployed, runtime, threads, connection, 1)


def _answers(
    images: Images, deployed: Deployed, runtime: Runtime, threads: int, connection: Connection, batch: int
) -> Answers:
    request: dict[str, object] = {"do": "infer", **deployed.request(runtime, threads, batch)}
    request |= {"normalization": asdict(images.normalization), "depth": images.depth}
    stream = TemporaryFile(buffering=0)  # noqa: SIM115  # closed once the last who compares with it lets go
    found = Answers(stream=stream, classes=deployed.variant.classes)
    finalize(found, stream.close)
    with TemporaryDirectory() as scratch:
        outputs = Path(scratch) / "outputs"
        if connection.shares_files:
            request["outputs"] = str(outputs)
        for part in ahead(_parts(images, deployed.variant.classes, Path(scratch), connection)):
            answer = connection.run(request | part, timeout_s=TIMEOUT_S)
            stream.write(outputs.read_bytes() if connection.shares_files else b64decode(answer["outputs"]))
    return found


def _parts(images: Images, classes: int, scratch: Path, connection: Connection) -> Iterator[dict[str, object]]:
    """Yield what a request says of each part of the images, once the target has it."""
    answers = PART_BYTES // (COPIES * 4 * classes)
    if connection.shares_files and images.file:
        return _in_place(images, images.file, max(1, answers))
    batches = min(PART_BYTES // images.pixel_bytes, answers) // BATCH
    return _sent(images, max(1, batches), scratch, connection)


def _in_place(images: Images, file: Path, size: int) -> Iterator[dict[str, object]]:
    """Point out parts of the file that the pixels are kept in."""
    for start in range(0, len(images), size):
        shape = _shape(images, min(size, len(images) - start))
        yield {"inputs": str(file), "offset": start * images.pixel_bytes, "shape": shape}


def _sent(images: Images, size: int, scratch: Path, connection: Connection) -> Iterator[dict[str, object]]:
    """Send parts of so many batches, of which their requests leave nothing behind."""
    batches = images.parts(BATCH)
    for start in range(0, len(images), BATCH * size):
        inputs = scratch / f"images-{start}"
        pushed = connection.push(inputs, _write(inputs, islice(batches, size)))
        if pushed != str(inputs):
            inputs.unlink()
        shape = _shape(images, min(BATCH * size, len(images) - start))
        yield {"inputs": pushed, "discard": True, "shape": shape}


def _shape(images: Images, count: int) -> tuple[int, ...]:
    return count, 3, images.resolution, images.resolution


def _write(file: Path, batches: Iterable[NDArray[Any]]) -> str:
    """Write pixels to a file, a batch at a time; return its hash."""
    digest = hashlib.sha256()
    with file.open("wb", buffering=0) as stream:
        for pixels in batches:
            digest.update(pixels.data)
            stream.write(pixels.data)
    return digest.hexdigest()


def _tally(labels: NDArray[int64], outputs: Answers, reference: Answers) -> Counts:
    counted, done = Counts(), 0
    for ours, theirs in zip(outputs.rows(TALLY_ROWS), reference.rows(TALLY_ROWS), strict=True):
        counted += count(labels[done : done + len(ours)], ours, theirs)
        done += len(ours)
    return counted

"""Measure the accuracy of an artifact (a deployed file); for int8, also its agreement with the float artifact."""

from __future__ import annotations

import hashlib
import os
from base64 import b64decode
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from functools import cache
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import IO, TYPE_CHECKING, Any
from weakref import finalize

from edgebench.deploy.answers import Inferred, ask
from edgebench.foundation import provenance
from edgebench.foundation.errors import AgentError
from edgebench.foundation.prefetch import ahead
from edgebench.foundation.shelf import load, module
from edgebench.images.catalogue import family
from edgebench.images.splits import sources
from edgebench.measure.evaluate import album
from edgebench.schema.record import Accuracy
from edgebench.schema.variant import WeightSource, task
from edgebench.tasks import values
from edgebench.tasks.detection import decoders

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from edgebench.deploy import Deployed
    from edgebench.deploy.connections import Connection
    from edgebench.images.loader import Images, Truth
    from edgebench.schema.case import Case
    from edgebench.schema.runtime import Runtime
    from edgebench.schema.variant import Variant

BATCH = 32
# Limits per request, because boards have little memory: bytes of the file of images, and bytes of the outputs.
PART_BYTES = 256 * 2**20
COPIES = 8  # number of copies of the outputs in memory at once: as numbers, base64 and JSON
TALLY_ROWS = 1024
HASHED_BYTES = 2**20  # number of bytes hashed at once
TIMEOUT_S = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True, weakref_slot=True)
class Answers:
    """The outputs of an artifact for N images, of shape (N, values), in a file because memory may not suffice.

    Attributes:
        values: number of values that the target returns per image: all outputs, or fewer values if the task reduces the
            outputs there.
        dtype: type of the values: float32, or bytes if the outputs are reduced.
        inputs_sha256: hash of the pixels that the process read; if it read several parts, a hash of the parts' hashes.
    """

    stream: IO[bytes]
    values: int
    inputs_sha256: str = ""
    dtype: str = "<f4"

    @property
    def row_bytes(self) -> int:
        """Number of bytes that the values of one image take."""
        return self.values * (1 if self.dtype == "u1" else 4)

    def rows(self, count: int) -> Iterator[NDArray[Any]]:
        """Yield the outputs in order, `count` rows at a time."""
        import numpy

        size, done = count * self.row_bytes, 0
        while block := os.pread(self.stream.fileno(), size, done):
            yield numpy.frombuffer(block, self.dtype).reshape(-1, self.values)
            done += size


@dataclass(slots=True, kw_only=True)
class FloatAnswers:
    """The outputs of the last float artifact that was evaluated, for comparison with int8 artifacts."""

    key: tuple[Deployed, Runtime, int, Connection] | None = None
    answers: Answers | None = None

    def of(self, images: Images, deployed: Deployed, runtime: Runtime, threads: int, connection: Connection) -> Answers:
        """Return the artifact's outputs for `images`, the test split; compute them unless this object has them."""
        key = (deployed, runtime, threads, connection)
        if self.answers is None or self.key != key:
            self.key, self.answers = key, answers(images, *key)
        return self.answers


def evaluate(
    case: Case,
    images: Images,
    deployed: Deployed,
    parent: Deployed | None,
    connection: Connection,
    float_answers: FloatAnswers,
) -> tuple[Accuracy, Answers]:
    """Evaluate an artifact on `images`, the test split; if it has a float parent, compare the two.

    Return the accuracy, for no session yet, and the outputs for all images.

    Raises:
        AgentError: the artifact could not be run.
    """
    reference = None
    if parent:
        reference = float_answers.of(images, parent, case.runtime, case.threads, connection)
        outputs = answers(images, deployed, case.runtime, case.threads, connection)
    else:
        outputs = float_answers.of(images, deployed, case.runtime, case.threads, connection)
    truth = _truth(case.variant, images)
    counted = tally(case.variant, truth, outputs, reference)
    album.write(deployed.sha256, case.variant, images, truth, *_parts_of(outputs, reference))
    if _is_fine_tuned(case):
        counted |= {"sqnr_db": None}
    accuracy = Accuracy(
        case=case,
        session="",
        epoch="",
        artifact_sha256=deployed.sha256,
        dataset=case.variant.dataset,
        images=len(images),
        damaged=images.damaged,
        made_by=made_by(case.variant),
        parent_sha256=parent.sha256 if parent else "",
        opened_sha256=deployed.sha256,
        pixels_sha256=outputs.inputs_sha256,
        **counted,
    )
    return accuracy, outputs


def _truth(variant: Variant, images: Images) -> Callable[[int], Truth]:
    """Return a function from an image's index to its true labels; labels with boxes are kept to draw them later.

    Labels are kept without masks, because masks are large and only the boxes are drawn.
    """
    if task(variant) not in ("detection", "localization"):
        return images.truth
    return cache(lambda index: replace(images.truth(index), mask=None))


def _parts_of(*answers: Answers | None) -> Iterator[Iterator[NDArray[Any]] | None]:
    return (one.rows(TALLY_ROWS) if one else None for one in answers)


def made_by(variant: Variant) -> str:
    """Return a hash of the code and the tools on which an accuracy depends.

    The hash does not cover artifact, target and data set.
    """
    tools = {f"version.{tool}": provenance.version(tool) for tool in family(variant.dataset).TOOLS}
    return provenance.key(
        tools | {"source": provenance.source("measure/evaluate/__init__", _source(variant), *sources(variant.dataset))}
    )


def _source(variant: Variant) -> str:
    """Return the module of a variant's task."""
    return module("tasks", task(variant))


def _is_fine_tuned(case: Case) -> bool:
    """Return whether the weights were fine-tuned.

    If the weights were fine-tuned, int8 is not the only cause of differences to the float parent.
    """
    return case.variant.quantization is not None and case.variant.quantization.aware


def answers(
    images: Images,
    deployed: Deployed,
    runtime: Runtime,
    threads: int,
    connection: Connection,
    *,
    is_reduced: bool = True,
) -> Answers:
    """Return an artifact's outputs for images; the images are sent in parts of limited size.

    With `is_reduced`, the target reduces the outputs if the variant's task defines a reduction. If a user-supplied file
    fails, it is run again with one image at a time: some files declare an input with an open batch, but contain
    operators that accept only a batch of one.
    """
    reduce = _reduce(deployed.variant) if is_reduced else {}
    try:
        return _answers(images, deployed, runtime, threads, connection, BATCH, reduce)
    except AgentError:
        if deployed.variant.weights != WeightSource.CUSTOM:
            raise
    return _answers(images, deployed, runtime, threads, connection, 1, reduce)


def _reduce(variant: Variant) -> dict[str, object]:
    """Return the request's fields that make the target reduce the outputs; no fields if the task has no reduction."""
    name = task(variant)
    if not hasattr(load("tasks", name), "reduced"):
        return {}
    return {"reduce": {"task": name, "classes": variant.classes, "resolution": variant.resolution}}


def _answers(
    images: Images,
    deployed: Deployed,
    runtime: Runtime,
    threads: int,
    connection: Connection,
    batch: int,
    reduce: dict[str, object],
) -> Answers:
    request: dict[str, object] = {"do": "infer", **deployed.request(runtime, threads, batch), **reduce}
    request |= {"normalization": asdict(images.normalization), "depth": images.depth}
    digests = list[str]()
    # The agent returns the output that has this number of values; if no output has it, the agent returns all outputs.
    request |= {"classes": values(deployed.variant)}
    with ExitStack() as stack, TemporaryDirectory() as scratch:
        empty = _empty(deployed.variant, stack.enter_context(TemporaryFile(buffering=0)), is_reduced=bool(reduce))
        file = Path(scratch) / "outputs"
        if connection.shares_files:
            request["outputs"] = str(file)
        for part in ahead(_parts(images, empty.row_bytes, Path(scratch), connection)):
            file.unlink(missing_ok=True)
            answer = ask(connection, Inferred, request | part, timeout_s=TIMEOUT_S)
            deployed.require(answer, runtime, connection)
            _require_inputs(answer, part, connection)
            empty.stream.write(_outputs(answer, file, part["shape"][0] * empty.row_bytes))
            digests.append(answer.inputs_sha256)
        result = replace(empty, inputs_sha256=_joined(digests))
        finalize(result, stack.pop_all().close)  # closes the file when the outputs are no longer used
    return result


def _empty(variant: Variant, stream: IO[bytes], *, is_reduced: bool) -> Answers:
    """Return `Answers` without any outputs yet; the number and the type of the values per image are set."""
    import numpy

    count = values(variant)
    if not is_reduced:
        return Answers(stream=stream, values=count)
    plugin, nothing = load("tasks", task(variant)), numpy.zeros((1, count), numpy.float32)
    return Answers(
        stream=stream, values=plugin.reduced(nothing, variant.classes, variant.resolution).shape[1], dtype="u1"
    )


def _require_inputs(answer: Inferred, part: Mapping[str, Any], connection: Connection) -> None:
    """Refuse an answer of the agent that was not computed from the request's pixels.

    Raises:
        AgentError: the answer has a different number or hash of images than the request.
    """
    count, found = part["shape"][0], answer.inputs_sha256
    if answer.count != count:
        raise AgentError(f"the agent's answer is impossible: outputs of {answer.count} images, but {count} were sent")
    if found != part["inputs_sha256"] and (found or connection.has_own_agent):
        raise AgentError("the process did not read the pixels that it was given; run again")


def _outputs(answer: Inferred, file: Path, size: int) -> bytes:
    """Return the outputs for one part of the images as `size` bytes.

    The outputs are read from the file if it exists, and otherwise from the agent's answer.

    Raises:
        AgentError: there are more or fewer bytes than `size`.
    """
    try:
        found = file.stat().st_size if file.exists() else -1
        outputs = file.read_bytes() if found == size else b64decode(answer.outputs, validate=True)
    except (OSError, ValueError) as error:
        raise AgentError(f"the agent's answer is malformed: its outputs cannot be read: {error}") from error
    if len(outputs) != size:
        raise AgentError(f"the agent's answer is impossible: {max(found, len(outputs))} bytes of outputs, not {size}")
    return outputs


def _joined(digests: Sequence[str]) -> str:
    return digests[0] if len(digests) == 1 else hashlib.sha256(" ".join(digests).encode()).hexdigest()


def _parts(images: Images, row_bytes: int, scratch: Path, connection: Connection) -> Iterator[dict[str, Any]]:
    """Yield the request's fields for each part of the images, once the part is on the target."""
    answers = PART_BYTES // (COPIES * row_bytes)
    if connection.shares_files and images.file:
        return _in_place(images, images.file, max(1, answers))
    batches = min(PART_BYTES // images.pixel_bytes, answers) // BATCH
    return _sent(images, max(1, batches), scratch, connection)


def _in_place(images: Images, file: Path, size: int) -> Iterator[dict[str, Any]]:
    """Yield the request's fields for each part of the images; the agent reads the pixels from the file in the cache."""
    for start in range(0, len(images), size):
        shape, offset = _shape(images, min(size, len(images) - start)), start * images.pixel_bytes
        sha256 = _hash_of_part(file, offset, shape[0] * images.pixel_bytes)
        yield {"inputs": str(file), "offset": offset, "shape": shape, "inputs_sha256": sha256}


def _hash_of_part(file: Path, offset: int, size: int) -> str:
    digest = hashlib.sha256()
    with file.open("rb", buffering=0) as stream:
        stream.seek(offset)
        while size > 0 and (block := stream.read(min(size, HASHED_BYTES))):
            digest.update(block)
            size -= len(block)
    return digest.hexdigest()


def _sent(images: Images, size: int, scratch: Path, connection: Connection) -> Iterator[dict[str, Any]]:
    """Copy the images to the target in parts of `size` batches; yield the request's fields for each part.

    The agent deletes each part after it has answered the request.
    """
    batches = images.parts(BATCH)
    for start in range(0, len(images), BATCH * size):
        inputs = scratch / f"images-{start}"
        sha256 = _write(inputs, islice(batches, size))
        pushed = connection.push(inputs, sha256)
        if pushed != str(inputs):
            inputs.unlink()
        shape = _shape(images, min(BATCH * size, len(images) - start))
        yield {"inputs": pushed, "discard": True, "shape": shape, "inputs_sha256": sha256}


def _shape(images: Images, count: int) -> tuple[int, ...]:
    return count, 3, images.resolution, images.resolution


def _write(file: Path, batches: Iterable[NDArray[Any]]) -> str:
    """Write pixels to a file, batch by batch; return the hash of the file."""
    digest = hashlib.sha256()
    with file.open("wb", buffering=0) as stream:
        for pixels in batches:
            digest.update(pixels.data)
            stream.write(pixels.data)
    return digest.hexdigest()


def tally(
    variant: Variant, truth: Callable[[int], Truth], outputs: Answers, reference: Answers | None
) -> dict[str, Any]:
    """Return the figures that the variant's task computes from the outputs of the artifact and of its float parent."""
    of_file = {"decode": decoders.decoder(variant.decoding, variant.resolution)} if variant.decoding else {}
    counted: dict[str, Any] = load("tasks", task(variant)).tally(
        outputs.rows(TALLY_ROWS),
        reference.rows(TALLY_ROWS) if reference else None,
        truth,
        variant.classes,
        variant.resolution,
        **of_file,
    )
    return counted

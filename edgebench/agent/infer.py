"""Answer an infer request with an artifact's outputs, which evaluations and spot checks need."""

from base64 import b64encode
from collections.abc import Iterator
from hashlib import sha256
from math import prod
from pathlib import Path
from typing import IO, Any

from edgebench.agent import open_session
from edgebench.agent.feed import written
from edgebench.agent.opened import watch
from edgebench.foundation.prefetch import ahead
from edgebench.foundation.shelf import load
from edgebench.schema.normalization import Normalization


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Run every input through the artifact, `batch` at a time.

    The request's `inputs` names a file, which contains an array of `shape` (N, ...) from byte `offset` on. The values
    are raw little-endian float32, or pixels of type `depth`, which are normalized here as `normalization` says. If
    `discard` is set, the file of inputs is deleted afterwards.

    If the request's `outputs` names a file, the outputs are written there as raw float32; otherwise the answer has them
    in base64. If the model has several outputs, the output with `classes` scores is used. If the request's field
    `reduce` names a task, that task first reduces the outputs to fewer bytes. The answer's `inputs_sha256` is the hash
    of the inputs that were read.

    If the request has a `feed`, the model runs on one batch, and the answer has every output.
    """
    if request.get("feed"):
        return _of_feed(request)
    opened, digest = watch(request), sha256()
    if "outputs" in request:
        with Path(request["outputs"]).open("wb") as stream:
            stream.writelines(_outputs(request, digest))
        result = {"count": request["shape"][0]}
    else:
        result = {"outputs": b64encode(b"".join(_outputs(request, digest))).decode(), "count": request["shape"][0]}
    return result | opened() | {"inputs_sha256": digest.hexdigest()}


def _of_feed(request: dict[str, Any]) -> dict[str, Any]:
    """Run a model once, on the inputs that its feed describes; return every output."""
    opened, session = watch(request), open_session(request)
    session.run()
    return {"outputs": written(session.outputs())} | opened()


def _outputs(request: dict[str, Any], digest: Any) -> Iterator[bytes]:
    """Yield the outputs of each batch; a thread reads the inputs ahead, and updates the hash `digest` with them."""
    session, reader = open_session(request), _pixels if "depth" in request else _values
    scores = {"classes": request["classes"]} if request.get("classes") else {}
    with Path(request["inputs"]).open("rb") as stream:
        stream.seek(request.get("offset", 0))
        for data, shape in ahead(reader(_Hashed(stream, digest), request)):
            yield _reduced(session.infer(data, shape, **scores), shape[0], request)
    if request.get("discard"):
        Path(request["inputs"]).unlink()


def _reduced(values: bytes, images: int, request: dict[str, Any]) -> bytes:
    """Return a batch's outputs in the form that is sent to the host: unchanged, or reduced by the request's task."""
    if not (reduce := request.get("reduce")):
        return values
    import numpy

    rows = numpy.frombuffer(values, "<f4").reshape(images, -1)
    reduced: bytes = load("tasks", reduce["task"]).reduced(rows, reduce["classes"], reduce["resolution"]).tobytes()
    return reduced


class _Hashed:
    """A wrapper of a binary stream; it adds every byte that is read from the stream to a hash."""

    def __init__(self, stream: IO[bytes], digest: Any) -> None:
        self._stream, self._digest = stream, digest

    def read(self, size: int) -> bytes:
        data = self._stream.read(size)
        self._digest.update(data)
        return data

    def readinto(self, buffer: Any) -> int:
        count: int = self._stream.readinto(buffer)  # type: ignore[attr-defined]
        self._digest.update(buffer.data)
        return count


def _values(stream: Any, request: dict[str, Any]) -> Iterator[tuple[bytes, tuple[int, ...]]]:
    rest = request["shape"][1:]
    for size in _sizes(request):
        yield stream.read(4 * size * prod(rest)), (size, *rest)


def _pixels(stream: Any, request: dict[str, Any]) -> Iterator[tuple[memoryview, tuple[int, ...]]]:
    """Yield normalized batches, alternating between two buffers: fill one buffer while the other buffer is used."""
    import numpy

    normalization, rest = Normalization(**request["normalization"]), request["shape"][1:]
    buffers = [numpy.empty((request["batch"], *rest), numpy.float32) for _ in range(2)]
    pixels = numpy.empty(buffers[0].shape, request["depth"])
    for number, size in enumerate(_sizes(request)):
        stream.readinto(pixels[:size])
        images = normalization.apply(pixels[:size], buffers[number % 2][:size])
        yield images.data, images.shape


def _sizes(request: dict[str, Any]) -> Iterator[int]:
    count, batch = request["shape"][0], request["batch"]
    return (min(batch, count - done) for done in range(0, count, batch))

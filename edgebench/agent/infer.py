"""An infer request -> the artifact's outputs, for accuracy, agreement and spot checks."""

from base64 import b64encode
from pathlib import Path
from typing import Any

from edgebench.agent import open_session


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Run every input through the artifact, `batch` at a time.

    `inputs` is a file of raw little-endian float32 of `shape` (N, ...), deleted afterwards if it is to be discarded;
    the outputs come back the same way, in base64.
    """
    session, (count, *rest) = open_session(request), request["shape"]
    with Path(request["inputs"]).open("rb") as stream:
        item_bytes = 4
        for side in rest:
            item_bytes *= side
        outputs = [
            session.infer(stream.read(size * item_bytes), (size, *rest)) for size in _sizes(count, request["batch"])
        ]
    if request.get("discard"):
        Path(request["inputs"]).unlink()
    return {"outputs": b64encode(b"".join(outputs)).decode(), "count": count}


def _sizes(count: int, batch: int) -> list[int]:
    return [min(batch, count - done) for done in range(0, count, batch)]

"""Make input arrays for a feed (the description of a model's inputs), and encode output arrays as text."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SEED = 0
BFLOAT16 = "bfloat16"  # numpy lacks the type bfloat16, so its bits are sent as uint16


def arrays(feed: Mapping[str, Any], batch: int, *, seed: int = SEED) -> dict[str, Any]:
    """Return one array per input; a size of 0 in an input's shape stands for `batch`.

    Raises:
        ValueError: an array in the file does not have the type and shape of the input that it is for.
    """
    import numpy

    if "values" in feed:
        return dict(feed["values"])
    if feed.get("path"):
        with numpy.load(feed["path"], allow_pickle=False) as held:
            return {entry["name"]: _taken(entry, held[entry["name"]], batch) for entry in feed["inputs"]}
    random = numpy.random.default_rng(seed)
    return {entry["name"]: _drawn(random, entry, _shape(entry, batch)) for entry in feed["inputs"]}


def _shape(entry: Mapping[str, Any], batch: int) -> tuple[int, ...]:
    return tuple(size or batch for size in entry["shape"])


def _drawn(random: Any, entry: Mapping[str, Any], shape: Sequence[int]) -> Any:
    """Draw random values from the range of an input.

    Denormal floats are avoided because they slow kernels, and zeros are rare because kernels could skip them.
    """
    import numpy

    low, high, dtype = entry["low"], entry["high"], entry["dtype"]
    if dtype == "bool":
        return random.integers(0, 2, shape).astype(numpy.bool_)
    if dtype == BFLOAT16:
        return to_bfloat16(random.uniform(low, high, shape).astype(numpy.float32))
    if numpy.issubdtype(numpy.dtype(dtype), numpy.integer):
        return random.integers(int(low), int(high), shape, dtype, endpoint=True)
    return numpy.asarray(random.uniform(low, high, shape)).astype(dtype)


def to_bfloat16(values: Any) -> Any:
    """Round float32 values to the nearest bfloat16, ties to even; return the bits as uint16."""
    import numpy

    bits = numpy.ascontiguousarray(values).view(numpy.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(numpy.uint16).reshape(values.shape)


def _taken(entry: Mapping[str, Any], values: Any, batch: int) -> Any:
    """Return a batch of values for an input from the file; if the file has too few values, repeat them cyclically."""
    import numpy

    if entry["shape"] and not entry["shape"][0]:
        values = values[numpy.arange(batch) % len(values)]
    kind = "uint16" if entry["dtype"] == BFLOAT16 else entry["dtype"]
    if values.shape != _shape(entry, batch) or values.dtype.name != kind:
        raise ValueError(f"the file's array {entry['name']} is {values.dtype.name} {values.shape}")
    return values


def written(outputs: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the type, shape and values of each output; the values are in base64, row-major and little-endian."""
    import numpy

    return {
        name: {
            "dtype": values.dtype.name,
            "shape": list(values.shape),
            "values": b64encode(numpy.ascontiguousarray(values).tobytes()).decode(),
        }
        for name, values in outputs.items()
    }

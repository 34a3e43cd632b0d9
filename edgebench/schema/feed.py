"""What a model that is no classifier of images is fed: the type, the shape and the values of each of its inputs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from edgebench.schema import STRICT

MOST_SHOWN = 3  # inputs whose shapes name a network: one may have dozens


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """One input, and the range of the seeded random values that it is fed.

    Attributes:
        dtype: numpy's name of it, or `bfloat16`.
        shape: its sizes; 0 for the axis of the batch, which is the first.
        low, high: of the values, both included.
    """

    __pydantic_config__: ClassVar = STRICT

    name: str
    dtype: str
    shape: tuple[int, ...]
    low: float
    high: float

    @property
    def sizes(self) -> str:
        """The shape for a batch of one: `1x3x48x320`, or `scalar`."""
        return "x".join(str(size or 1) for size in self.shape) or "scalar"


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """All inputs of a model.

    Attributes:
        signature: which of a TFLite file's signatures is run; empty for its first graph.
        data: name of the folder whose arrays are fed; empty if values are drawn at random.
        data_sha256: hash of these arrays.
    """

    __pydantic_config__: ClassVar = STRICT

    inputs: tuple[Input, ...]
    signature: str = ""
    data: str = ""
    data_sha256: str = ""

    @property
    def sizes(self) -> str:
        """The shapes in short, as part of a network's name."""
        shown = [entry.sizes for entry in self.inputs[:MOST_SHOWN]]
        more = [f"{len(self.inputs) - MOST_SHOWN}more"] if len(self.inputs) > MOST_SHOWN else []
        return "+".join([*shown, *more]) or "none"

    @property
    def has_batch(self) -> bool:
        """Whether an input's first axis takes any number."""
        return any(0 in entry.shape for entry in self.inputs)

    @property
    def without_data(self) -> Feed:
        """The same inputs with random values."""
        return replace(self, data="", data_sha256="")

    @property
    def short(self) -> str:
        """What is fed, in words; of many inputs their number."""
        return str(self) if len(self.inputs) <= MOST_SHOWN else f"{len(self.inputs)} inputs, listed in column inputs"

    def __str__(self) -> str:
        signature = [f"signature {self.signature}"] if self.signature else []
        return ", ".join([*signature, *(self._words(entry) for entry in self.inputs)]) or "nothing"

    def _words(self, entry: Input) -> str:
        values = f"of {self.data}" if self.data else f"random in [{entry.low:g}, {entry.high:g}]"
        return f"{entry.name}:{entry.sizes} {entry.dtype} {values}"

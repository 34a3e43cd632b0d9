"""The feed of a model that is not an image classifier: the type, the shape and the values of each input."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Literal

from edgebench.schema import STRICT

MOST_SHOWN = 3  # number of inputs whose shapes are part of a network's name; a model may have dozens


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """One input, and the range of its seeded random values.

    Attributes:
        dtype: numpy's name of the type, or `bfloat16`.
        shape: its sizes; 0 stands for the batch, which is the first axis.
        low, high: the range of the values, ends included.
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
class Link:
    """An input of a part, fed by an output of an earlier part.

    Attributes:
        part: index of the earlier part.
        by: whether they have the same name, or only the same type and shape.
    """

    __pydantic_config__: ClassVar = STRICT

    input: str
    part: int
    output: str
    by: Literal["name", "shape"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One graph of several that are run one after the other.

    Attributes:
        name: of its file, with the signature if it has one: `decoder.onnx`, `net.tflite:decode`.
        signature: the signature of a TFLite file that is run; empty for its first graph.
        inputs: pairs of an input's name in this graph and its name in the feed.
    """

    __pydantic_config__: ClassVar = STRICT

    name: str
    signature: str = ""
    inputs: tuple[tuple[str, str], ...] = ()
    links: tuple[Link, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """All inputs of a model.

    Attributes:
        parts: the graphs, if there are several; `inputs` are those that no earlier part makes.
        signature: the signature of a TFLite file that is run; empty for its first graph.
        data: name of the folder with the input arrays; empty for random values.
        data_sha256: hash of these arrays.
    """

    __pydantic_config__: ClassVar = STRICT

    inputs: tuple[Input, ...]
    signature: str = ""
    data: str = ""
    data_sha256: str = ""
    parts: tuple[Part, ...] = ()

    @property
    def sizes(self) -> str:
        """The shapes in short form, as part of a network's name."""
        shown = [entry.sizes for entry in self.inputs[:MOST_SHOWN]]
        more = [f"{len(self.inputs) - MOST_SHOWN}more"] if len(self.inputs) > MOST_SHOWN else []
        return "+".join([*shown, *more]) or "none"

    @property
    def has_batch(self) -> bool:
        """Whether an input has an open batch axis."""
        return any(0 in entry.shape for entry in self.inputs)

    @property
    def without_data(self) -> Feed:
        """The same inputs with random values."""
        return replace(self, data="", data_sha256="")

    @property
    def short(self) -> str:
        """The feed in words; only the number of inputs if there are many."""
        return str(self) if len(self.inputs) <= MOST_SHOWN else f"{len(self.inputs)} inputs, listed in column inputs"

    def __str__(self) -> str:
        signature = [f"signature {self.signature}"] if self.signature else []
        inputs = (self._words(entry) for entry in self.inputs)
        return ", ".join([*signature, *inputs, *self._links()]) or "nothing"

    def _links(self) -> list[str]:
        """Say which outputs of parts are inputs of later parts, and by what they were matched."""
        return [
            f"{part.name}:{link.input} takes {self.parts[link.part].name}:{link.output}"
            + (" of the same type and shape" if link.by == "shape" else "")
            for part in self.parts
            for link in part.links
        ]

    def _words(self, entry: Input) -> str:
        values = f"of {self.data}" if self.data else f"random in [{entry.low:g}, {entry.high:g}]"
        return f"{entry.name}:{entry.sizes} {entry.dtype} {values}"

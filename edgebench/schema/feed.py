"""A feed: types, shapes and values of all inputs of a model that is not an image classifier."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Literal

from edgebench.foundation.units import counted
from edgebench.schema import STRICT

MOST_SHOWN = 3  # a network's name shows the shapes of at most this many inputs; a model can have dozens


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """One input of a model, and the range of the random values that it is fed.

    Attributes:
        dtype: numpy's name of the input's type, or `bfloat16`.
        shape: sizes of the axes; if the first axis is the batch, its size is written as 0.
        low, high: smallest and largest random value.
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
    """A connection in a model of several graphs: an input of one graph receives an output of an earlier graph.

    Attributes:
        part: index of the earlier graph in `Feed.parts`.
        by: `name` if input and output have the same name, `shape` if only their types and shapes are the same.
    """

    __pydantic_config__: ClassVar = STRICT

    input: str
    part: int
    output: str
    by: Literal["name", "shape"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One of several graphs that are run one after the other.

    Attributes:
        name: name of the graph's file, followed by its signature if it has one: `decoder.onnx`, `net.tflite:decode`.
        signature: for a TFLite file, the signature that is run; empty to run the file's first graph.
        inputs: two names of each input: its name in this graph, and its name in the feed.
        links: inputs that receive an output of an earlier graph.
    """

    __pydantic_config__: ClassVar = STRICT

    name: str
    signature: str = ""
    inputs: tuple[tuple[str, str], ...] = ()
    links: tuple[Link, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """The description of all inputs of a model.

    Attributes:
        inputs: the inputs that must be fed; inputs that receive an output of an earlier graph are not among them.
        parts: the graphs, if the model consists of several graphs; empty for a model of one graph.
        signature: for a TFLite file, the signature that is run; empty to run the file's first graph.
        data: name of the folder from which the input arrays come; empty for random values.
        data_sha256: hash of the arrays from that folder.
    """

    __pydantic_config__: ClassVar = STRICT

    inputs: tuple[Input, ...]
    signature: str = ""
    data: str = ""
    data_sha256: str = ""
    parts: tuple[Part, ...] = ()

    @property
    def sizes(self) -> str:
        """The inputs' shapes in short form, as a network's name contains them: `1x128+1x128`."""
        shown = [entry.sizes for entry in self.inputs[:MOST_SHOWN]]
        more = [f"{len(self.inputs) - MOST_SHOWN}more"] if len(self.inputs) > MOST_SHOWN else []
        return "+".join([*shown, *more]) or "none"

    @property
    def has_batch(self) -> bool:
        """Whether an input has a batch axis of any size."""
        return any(0 in entry.shape for entry in self.inputs)

    @property
    def without_data(self) -> Feed:
        """This feed, but with random values instead of given arrays."""
        return replace(self, data="", data_sha256="")

    @property
    def short(self) -> str:
        """A description of all inputs in words; if there are many inputs, only their number."""
        if len(self.inputs) <= MOST_SHOWN:
            return str(self)
        return f"{counted(len(self.inputs), 'input')}, listed in column inputs"

    def __str__(self) -> str:
        signature = [f"signature {self.signature}"] if self.signature else []
        inputs = (self._words(entry) for entry in self.inputs)
        return ", ".join([*signature, *inputs, *self._links()]) or "nothing"

    def _links(self) -> list[str]:
        """Say which output feeds which input of a later graph; add a remark if only their types and shapes match."""
        return [
            f"{part.name}:{link.input} takes {self.parts[link.part].name}:{link.output}"
            + (" of the same type and shape" if link.by == "shape" else "")
            for part in self.parts
            for link in part.links
        ]

    def _words(self, entry: Input) -> str:
        values = f"of {self.data}" if self.data else f"random in [{entry.low:g}, {entry.high:g}]"
        return f"{entry.name}:{entry.sizes} {entry.dtype} {values}"

"""Published figures as data, each with its source: accuracies, latencies on boards, what quantization costs."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeVar

from edgebench.schema.variant import network

IMAGENET = "imagenet"
NO_INFERENCE = ("kernels only", "random weights", "estimate", "simulat", "extrapolat", "text says")  # in a row's note
IMAGENET_IMAGES = 50_000  # of its validation set, which every accuracy here was counted on


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedAccuracy:
    """A network's accuracy on ImageNet, per cent; params and macs where they were counted exactly, at 1000 classes."""

    architecture: str
    width: float
    resolution: int
    precision: str
    params: int | None = None
    macs: int | None = None
    top1: float
    top5: float | None = None
    note: str = ""
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedLatency:
    """A network timed on a board at batch 1; what was not stated is None or empty.

    Attributes:
        top1: measured with this very file, or published for it, per cent.
        power_w: the board's mean at the wall, idle included.
    """

    target: str
    board: str
    architecture: str
    width: float
    resolution: int
    precision: str
    runtime: str
    runtime_version: str = ""
    threads: int | None = None
    clock_mhz: int | None = None
    mean_ms: float | None = None
    p50_ms: float | None = None
    p90_ms: float | None = None
    top1: float | None = None
    power_w: float | None = None
    note: str = ""
    source: str

    @property
    def reservation(self) -> str:
        """Say by the note's own words why it is not what this network would take: of kernels alone, or nobody timed it.

        Empty for a row that may be relied on.
        """
        said = (part.strip() for part in self.note.split(";"))
        return "; ".join(part for part in said if any(word in part.lower() for word in NO_INFERENCE))


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedQuantization:
    """What a quantization scheme left of a network's accuracy on ImageNet, per cent."""

    architecture: str
    width: float
    resolution: int
    method: str
    weight_bits: str
    activation_bits: str = ""
    weight_granularity: str = ""
    weight_symmetry: str = ""
    activation_granularity: str = ""
    top1: float
    top5: float | None = None
    fp32_top1: float | None = None
    note: str = ""
    source: str


References = Mapping[tuple[str, float, int, str], PublishedAccuracy]
Published = TypeVar("Published", PublishedAccuracy, PublishedLatency, PublishedQuantization)


def _read(file: str, kind: type[Published]) -> tuple[Published, ...]:
    from pydantic import TypeAdapter

    with (Path(__file__).parent / file).open(newline="") as stream:
        stated = [{name: cell for name, cell in row.items() if cell} for row in csv.DictReader(stream)]
    return TypeAdapter(tuple[kind, ...]).validate_python(stated)  # type: ignore[valid-type]


@cache
def accuracies() -> tuple[PublishedAccuracy, ...]:
    """Return the accuracies; of a network at one width, resolution and precision the reference comes first."""
    return _read("accuracy.csv", PublishedAccuracy)


@cache
def latencies() -> tuple[PublishedLatency, ...]:
    """Return the latencies on boards, all Raspberry Pis."""
    return _read("latency.csv", PublishedLatency)


@cache
def quantized() -> tuple[PublishedQuantization, ...]:
    """Return the accuracies of quantization schemes, the float baselines of their tables among them."""
    return _read("quantization.csv", PublishedQuantization)


@cache
def references() -> References:
    """Return the reference of each network that has one, by architecture, width, resolution and precision."""
    return {(one.architecture, one.width, one.resolution, one.precision): one for one in reversed(accuracies())}


def reference(architecture: str, width: float, resolution: int, precision: str) -> PublishedAccuracy | None:
    """Return the reference among the published accuracies of a network on ImageNet; None where there is none.

    It is that of TF-Slim's own checkpoints for the MobileNets (int8: after quantization-aware training where they
    have it, else as submitted to MLPerf), and for the other networks that of the named public checkpoint.
    """
    return references().get((architecture, width, resolution, precision))


def top1(architecture: str, width: float, resolution: int, precision: str, dataset: str) -> float | None:
    """Return the published top-1, per cent; None on any data set but ImageNet, `imagenet:val`."""
    is_imagenet = dataset.partition(":")[0] == IMAGENET
    found = reference(architecture, width, resolution, precision) if is_imagenet else None
    return found.top1 if found else None


def title(one: PublishedAccuracy | PublishedLatency | PublishedQuantization) -> str:
    """Name a network at its width and resolution, as every table does."""
    return network(one)


def runtime(one: PublishedLatency) -> str:
    """Name what a published row ran on: `tflite 2.7.1 ruy`."""
    return f"{one.runtime} {one.runtime_version}".rstrip()


def targets() -> tuple[str, ...]:
    """Name the boards that published latencies are of."""
    return tuple(sorted({one.target for one in latencies()}))

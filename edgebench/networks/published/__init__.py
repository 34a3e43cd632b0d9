"""Published figures with their sources: accuracies, latencies on boards, accuracies after quantization."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeVar

from edgebench.schema.variant import network

IMAGENET = "imagenet"  # the data set of every published accuracy
NO_INFERENCE = ("kernels only", "random weights", "estimate", "simulat", "extrapolat", "text says")  # in a row's note
IMAGENET_IMAGES = 50_000  # of its validation set, on which all these accuracies were measured


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedAccuracy:
    """A network's accuracy on ImageNet, per cent; params and macs at 1000 classes, None unless counted exactly."""

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
    """A network's latency on a board at batch 1; values that the source does not state are None or empty.

    Attributes:
        top1: measured with the same file, or published for it, per cent.
        map: the same of a detector, COCO's mean average precision on `dataset`.
        power_w: mean power of the board at the wall socket, idle power included.
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
    map: float | None = None
    dataset: str = ""
    power_w: float | None = None
    note: str = ""
    source: str

    @property
    def reservation(self) -> str:
        """Return why the row is not a measured inference, in the note's words: only kernels, random weights, an
        estimate.

        Empty if the row is reliable.
        """
        said = (part.strip() for part in self.note.split(";"))
        return "; ".join(part for part in said if any(word in part.lower() for word in NO_INFERENCE))


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedQuantization:
    """A network's accuracy on ImageNet after quantization, per cent."""

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

    with (Path(__file__).parent / file).open(newline="", encoding="utf-8") as stream:
        rows = [{name: cell for name, cell in row.items() if cell} for row in csv.DictReader(stream)]
    return TypeAdapter(tuple[kind, ...]).validate_python(rows)  # type: ignore[valid-type]


@cache
def accuracies() -> tuple[PublishedAccuracy, ...]:
    """Return all accuracies; the first for each network, width, resolution and precision is the reference."""
    return _read("accuracy.csv", PublishedAccuracy)


@cache
def latencies() -> tuple[PublishedLatency, ...]:
    """Return all latencies of classifiers; the boards are Raspberry Pis."""
    return _read("latency.csv", PublishedLatency)


@cache
def detections() -> tuple[PublishedLatency, ...]:
    """Return all latencies of detectors, whose networks need not be on the shelf; the boards are Raspberry Pis."""
    return _read("detection.csv", PublishedLatency)


def of_task(task: str) -> tuple[PublishedLatency, ...]:
    """Return the latencies of a task's networks; of classifiers by default."""
    return {"detection": detections, "classification": latencies}.get(task or "classification", tuple)()


@cache
def quantized() -> tuple[PublishedQuantization, ...]:
    """Return all accuracies after quantization, including the float baselines of the same tables."""
    return _read("quantization.csv", PublishedQuantization)


@cache
def references() -> References:
    """Return the reference of each network that has one, by architecture, width, resolution and precision."""
    return {(one.architecture, one.width, one.resolution, one.precision): one for one in reversed(accuracies())}


def reference(architecture: str, width: float, resolution: int, precision: str) -> PublishedAccuracy | None:
    """Return the reference accuracy of a network on ImageNet; None if none was published.

    For MobileNets it is the accuracy of TF-Slim's checkpoints (int8: after quantization-aware training if available,
    else as submitted to MLPerf); for other networks that of the public checkpoint named in the row.
    """
    return references().get((architecture, width, resolution, precision))


def top1(architecture: str, width: float, resolution: int, precision: str) -> float | None:
    """Return the published top-1 accuracy of a network on ImageNet, per cent; None if none was published."""
    row = reference(architecture, width, resolution, precision)
    return row.top1 if row else None


def title(row: PublishedAccuracy | PublishedLatency | PublishedQuantization) -> str:
    """Return the network's name as shown in tables: `mobilenet_v2 0.5 @160`."""
    return network(row)


def runtime(row: PublishedLatency) -> str:
    """Return runtime and version of a published latency: `tflite 2.7.1 ruy`."""
    return f"{row.runtime} {row.runtime_version}".rstrip()


def targets(task: str = "") -> tuple[str, ...]:
    """List the boards with published latencies of a task's networks; of classifiers by default."""
    return tuple(sorted({row.target for row in of_task(task)}))

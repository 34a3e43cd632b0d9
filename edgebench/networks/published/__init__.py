"""Published figures with their sources: accuracies, latencies on boards, accuracies after quantization."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeVar

from edgebench.schema.variant import network

IMAGENET = "imagenet"  # the data set of every published accuracy
# If the note of a row has one of these words, the row is not a measured inference.
NO_INFERENCE = ("kernels only", "random weights", "estimate", "simulat", "extrapolat", "text says")
IMAGENET_IMAGES = 50_000  # images in the validation set, on which all these accuracies were measured


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedAccuracy:
    """A network's accuracy on ImageNet, per cent.

    Attributes:
        params, macs: parameters and multiply-adds for 1000 classes; None if the source does not count them exactly.
    """

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
    """A network's latency on a board for batches of one image; values that the source lacks are None or empty.

    Attributes:
        top1: top-1 accuracy, per cent, measured with the same model file or published for that file.
        map: for a detector, COCO's mean average precision on `dataset`, measured with the same model file or published
            for that file.
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
        """Return why the row is not a measured inference, in the words of its note, such as "estimate".

        The text is empty if the row is reliable.
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
    """Return all accuracies; the first for each network, width, resolution and precision is the reference accuracy."""
    return _read("accuracy.csv", PublishedAccuracy)


@cache
def latencies() -> tuple[PublishedLatency, ...]:
    """Return all latencies of classifiers, which were measured on Raspberry Pis."""
    return _read("latency.csv", PublishedLatency)


@cache
def detections() -> tuple[PublishedLatency, ...]:
    """Return all latencies of detectors on Raspberry Pis; this package has only some of these networks."""
    return _read("detection.csv", PublishedLatency)


def of_task(task: str) -> tuple[PublishedLatency, ...]:
    """Return the latencies of networks for a task, which is classification by default."""
    return {"detection": detections, "classification": latencies}.get(task or "classification", tuple)()


@cache
def quantized() -> tuple[PublishedQuantization, ...]:
    """Return all accuracies after quantization, and the float baselines from the same tables."""
    return _read("quantization.csv", PublishedQuantization)


@cache
def references() -> References:
    """Return all reference accuracies, by architecture, width, resolution and precision."""
    return {(one.architecture, one.width, one.resolution, one.precision): one for one in reversed(accuracies())}


def reference(architecture: str, width: float, resolution: int, precision: str) -> PublishedAccuracy | None:
    """Return the reference accuracy of a network on ImageNet; None if none was published.

    For MobileNets, the reference is the accuracy of TF-Slim's checkpoints. The int8 reference of a MobileNet is the
    published accuracy after quantization-aware training; if there is none, it is the accuracy submitted to MLPerf. For
    other networks, the reference is the accuracy of the public checkpoint that the row names.
    """
    return references().get((architecture, width, resolution, precision))


def top1(architecture: str, width: float, resolution: int, precision: str) -> float | None:
    """Return the published top-1 accuracy of a network on ImageNet, per cent; None if none was published."""
    row = reference(architecture, width, resolution, precision)
    return row.top1 if row else None


def title(row: PublishedAccuracy | PublishedLatency | PublishedQuantization) -> str:
    """Return the network's name as tables show it: `mobilenet_v2 0.5 @160`."""
    return network(row)


def runtime(row: PublishedLatency) -> str:
    """Return the runtime of a published latency with its version: `tflite 2.7.1 ruy`."""
    return f"{row.runtime} {row.runtime_version}".rstrip()


def targets(task: str = "") -> tuple[str, ...]:
    """List the boards with published latencies of networks for a task, which is classification by default."""
    return tuple(sorted({row.target for row in of_task(task)}))

"""The typed parts of a row: its setup, what it costs, its latency, memory and quality, what
int8 changed, and how it stands.

The unit is the last word of a name: s, ms, mib (2**20 bytes), m (millions), db. None where there is no such figure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgebench.schema.variant import WeightSource

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edgebench.foundation.stats import Ratio


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What ran, where and how."""

    target: str
    epoch: str
    architecture: str
    width: float
    resolution: int
    precision: str
    quantization: str
    weights: str
    dataset: str
    preprocessing: str
    runtime: str
    runtime_version: str
    runtime_options: str
    runtime_packages: str
    preset: str
    threads: int
    batch: int

    @property
    def group(self) -> tuple[str, ...]:
        """What rows must share to be compared by rank: the machine as it was then, and all but the variant.

        Models that somebody gave have weights and data sets of their own.
        """
        run = (
            self.runtime,
            self.runtime_version,
            self.runtime_options,
            self.runtime_packages,
            str(self.threads),
            str(self.batch),
            self.preset,
        )
        return (self.target, self.epoch, *run, self.weights, "" if self.is_custom else self.dataset)

    @property
    def is_custom(self) -> bool:
        """Tell a model that somebody gave from a network of the shelf."""
        return self.weights == WeightSource.CUSTOM

    @property
    def network(self) -> str:
        """What is measured, but for its precision; the width of a given model is nobody's choice."""
        width = "" if self.is_custom else f" {self.width:g}"
        return f"{self.architecture}{width} @{self.resolution}"

    @property
    def scheme(self) -> str:
        """The precision and, of an int8 file, how it was made."""
        return f"{self.precision} {self.quantization}".rstrip()

    @property
    def pair(self) -> tuple[str, ...]:
        """What an int8 row and its float twin share: the same network in the same group."""
        return (*self.group, self.network, self.preprocessing)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What an inference computes, what its file holds, and the seconds that making and measuring it took."""

    params: int | None
    macs: int | None
    instructions_m: float | None
    file_mib: float | None
    build_s: float | None
    export_s: float | None
    quantize_s: float | None
    measure_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """How long loading and an inference take, over how many processes and samples.

    Attributes:
        p50_low_ms, p50_high_ms: the 95 % interval, or the least and the largest process of too few for one.
        p50_beats: p50 in beats of the workload that `beat` names, with its ends.
    """

    processes: int
    samples: int
    load_ms: float | None
    first_ms: float | None
    p50_ms: float | None
    p50_low_ms: float | None
    p50_high_ms: float | None
    p50_beats: float | None
    p50_low_beats: float | None
    p50_high_beats: float | None
    beat: str
    p90_ms: float | None
    kernel_ms: float | None
    transfer_ms: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Resident memory of the process, and memory of the device."""

    model_mib: float | None
    peak_mib: float | None
    device_peak_mib: float | None
    device_used_mib: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sustained:
    """What became of the speed over minutes without a pause; nothing where that was not requested."""

    lasted_s: float | None = None
    burst_ms: float | None = None
    sustained_ms: float | None = None
    hottest_c: float | None = None
    slowest_mhz: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A figure of quality, per cent, with the ends of its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """What the outputs are worth.

    Attributes:
        metrics: by name, `top1` and `top5`; without what was not measured.
        answered_by: the target, or the host in its place, of whose answers the target checked `spot_images`.
        published_top1: per cent.
    """

    metrics: Mapping[str, Metric]
    images: int | None
    answered_by: str
    spot_images: int | None
    spot_difference: float | None
    published_top1: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fidelity:
    """How the outputs compare with those of the float parent.

    Attributes:
        parent_top1, agreement: per cent.
        only_parent: images that the parent alone answers right; `only_this` that the row's file alone does.
        mcnemar_p: of the exact test that both are right equally often; `images_needed` would tell them apart.
    """

    parent_top1: float | None = None
    only_parent: int | None = None
    only_this: int | None = None
    mcnemar_p: float | None = None
    images_needed: int | None = None
    agreement: float | None = None
    sqnr_db: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Int8:
    """What the runtime computes in integers, per cent, and which layer costs most of the signal."""

    integer_share: float | None = None
    worst_layer: str | None = None
    worst_layer_sqnr_db: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a row stands among those that it compares with; nothing before it was compared.

    Attributes:
        tied: another row shares the rank.
        speedup: how many times as long an int8 row's float twin takes.
    """

    rank: int | None = None
    tied: bool = False
    speedup: Ratio | None = None

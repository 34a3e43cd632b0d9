"""What a row and a table are, and what lies behind them."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING

from edgebench.foundation.stats import LEAST_FOR_INTERVAL
from edgebench.schema.variant import WeightSource

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edgebench.foundation.stats import Spread

WORTHLESS = ("INVALID", "FAILED")
QUANTILES = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0)  # of a process's samples


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One case under one preset; the fields are the columns of `comparison.csv`, in order.

    The unit is the last word of a name: s, ms, mib (2**20 bytes), m (millions), db; `top1*`, `top5*`, `parent_top1`,
    `agreement`, `integer_share` and `published_top1` are per cent; `speedup` is how many times as long an int8 row's
    float twin takes. None where there is no such figure; `reasons` says why.
    """

    target: str
    architecture: str
    width: float
    resolution: int
    precision: str
    quantization: str
    weights: str
    runtime: str
    runtime_version: str
    runtime_options: str
    runtime_packages: str
    preset: str
    threads: int
    batch: int
    params: int | None
    macs: int | None
    file_mib: float | None
    build_s: float | None
    export_s: float | None
    quantize_s: float | None
    measure_s: float | None
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
    speedup: float | None
    speedup_low: float | None
    speedup_high: float | None
    processes: int
    samples: int
    model_mib: float | None
    peak_mib: float | None
    device_peak_mib: float | None
    device_used_mib: float | None
    instructions_m: float | None
    lasted_s: float | None
    burst_ms: float | None
    sustained_ms: float | None
    hottest_c: float | None
    slowest_mhz: float | None
    top1: float | None
    top1_low: float | None
    top1_high: float | None
    top5: float | None
    top5_low: float | None
    top5_high: float | None
    images: int | None
    answered_by: str
    spot_images: int | None
    spot_difference: float | None
    dataset: str
    preprocessing: str
    parent_top1: float | None
    only_parent: int | None
    only_this: int | None
    mcnemar_p: float | None
    images_needed: int | None
    agreement: float | None
    sqnr_db: float | None
    integer_share: float | None
    worst_layer: str | None
    worst_layer_sqnr_db: float | None
    published_top1: float | None
    verdict: str
    reasons: str
    rank: int | None
    tied: bool
    epoch: str

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
    def is_worthless(self) -> bool:
        """Tell whether nothing may be read off the row's figures."""
        return self.verdict in WORTHLESS

    @property
    def pair(self) -> tuple[str, ...]:
        """What an int8 row and its float twin share: the same network in the same group."""
        return (*self.group, self.network, self.preprocessing)

    @property
    def spread(self) -> Spread | None:
        """p50 between the ends of its 95 % interval, ms; None without an interval, or where it is worth nothing."""
        if self.processes < LEAST_FOR_INTERVAL or self.is_worthless:
            return None
        if not self.p50_ms or not self.p50_low_ms or not self.p50_high_ms or not isfinite(self.p50_ms):
            return None
        return self.p50_low_ms, self.p50_ms, self.p50_high_ms

    @property
    def paced(self) -> Spread | None:
        """p50 between the ends of its 95 % interval, in beats; None where `spread` is, or without beats."""
        if not self.spread or not self.p50_beats or not self.p50_low_beats or not self.p50_high_beats:
            return None
        return self.p50_low_beats, self.p50_beats, self.p50_high_beats

    @property
    def share(self) -> Spread | None:
        """top-1 between the ends of its 95 % interval, per cent; None where it was not measured or is worth nothing."""
        if self.is_worthless or self.top1 is None or self.top1_low is None or self.top1_high is None:
            return None
        return self.top1_low, self.top1, self.top1_high


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A target as it was in one epoch: its facts and packages by name, and when it was asked."""

    title: str
    asked: str
    facts: Mapping[str, str]
    packages: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Background:
    """What lies behind a table, for a report that shows it.

    Attributes:
        processes: row by row, of each latency process in order, its samples at `QUANTILES`, ms; empty where they
            are no numbers.
        methods: how each preset among the rows measures, in words.
    """

    processes: tuple[tuple[tuple[float, ...], ...], ...] = ()
    machines: tuple[Machine, ...] = ()
    methods: tuple[str, ...] = ()


NOTHING = Background()


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows in order, and what a reader must know to believe them."""

    title: str
    rows: tuple[Row, ...]
    notes: tuple[str, ...]

    @property
    def has_failures(self) -> bool:
        """Tell whether some row has no answer."""
        return any(row.verdict == "FAILED" for row in self.rows)

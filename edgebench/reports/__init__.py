"""Ways to write a table, one file each.

A report offers
    FILE                       its name in a results folder
    render(table) -> str

and does no I/O of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgebench.spec import Weighting
from edgebench.stats import LEAST_FOR_INTERVAL, Ratio, ratio_of_medians

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edgebench.stats import Spread

WORTHLESS = ("INVALID", "FAILED")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One case under one preset; the fields are the columns of `comparison.csv`, in order.

    The unit is the last word of a name: ms, mib (2**20 bytes), m (millions), db; `top1*`, `top5*`, `parent_top1`,
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
    load_ms: float | None
    first_ms: float | None
    p50_ms: float | None
    p50_low_ms: float | None
    p50_high_ms: float | None
    p90_ms: float | None
    speedup: float | None
    speedup_low: float | None
    speedup_high: float | None
    processes: int
    samples: int
    model_mib: float | None
    peak_mib: float | None
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
        return (self.target, self.epoch, *run, self.weights, "" if self.is_own else self.dataset)

    @property
    def is_own(self) -> bool:
        """Tell a model that somebody gave from a network of the shelf."""
        return self.weights == Weighting.OWN

    @property
    def network(self) -> str:
        """What is measured, but for its precision; the width of a given model is nobody's choice."""
        width = "" if self.is_own else f" {self.width:g}"
        return f"{self.architecture}{width} @{self.resolution}"

    @property
    def scheme(self) -> str:
        """The precision and, of an int8 file, how it was made."""
        return f"{self.precision} {self.quantization}".rstrip()

    @property
    def spread(self) -> Spread | None:
        """p50 between the ends of its 95 % interval, ms; None without an interval, or where it is worth nothing."""
        if self.processes < LEAST_FOR_INTERVAL or self.verdict in WORTHLESS:
            return None
        if not self.p50_ms or not self.p50_low_ms or not self.p50_high_ms:
            return None
        return self.p50_low_ms, self.p50_ms, self.p50_high_ms


def ratio(over: Row, under: Row) -> Ratio | None:
    """Return how many times as long one row takes as another; None where either has no interval to go by."""
    return ratio_of_medians(over.spread, under.spread) if over.spread and under.spread else None


def together(rows: Iterable[Row]) -> list[list[Row]]:
    """Part rows, in their order, into those that compare: given models beside the shelf's, if these are one group."""
    ordered = list(rows)
    places = {row.group: row.group for row in ordered}
    for own in {row.group for row in ordered if row.is_own}:
        beside = [group for group in places if group != own and group[:-2] == own[:-2]]
        places[own] = beside[0] if len(beside) == 1 else own
    groups = dict[tuple[str, ...], list[Row]]()
    for row in ordered:
        groups.setdefault(places[row.group], []).append(row)
    return list(groups.values())


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

"""What a row, the line behind it and a table are, and what a report gets besides."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING

from edgebench.foundation.stats import LEAST_FOR_INTERVAL
from edgebench.results.table.parts import Standing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edgebench.foundation.stats import Spread
    from edgebench.results.measurement import Measurement
    from edgebench.results.measurement.evidence import Evidence
    from edgebench.results.table.parts import Cost, Fidelity, Int8, Latency, Memory, Metric, Quality, Setup, Sustained

WORTHLESS = ("INVALID", "FAILED")
UNCOMPARED = Standing()


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One case under one preset, in parts; `reasons` says why figures are missing or doubted."""

    setup: Setup
    cost: Cost
    latency: Latency
    memory: Memory
    sustained: Sustained
    quality: Quality
    fidelity: Fidelity
    int8: Int8
    verdict: str
    reasons: str
    standing: Standing = UNCOMPARED

    def __hash__(self) -> int:
        """Hash the setup, in which the rows of a table differ."""
        return hash(self.setup)

    @property
    def is_worthless(self) -> bool:
        """Tell whether nothing may be read off the row's figures."""
        return self.verdict in WORTHLESS

    @property
    def spread(self) -> Spread | None:
        """p50 between the ends of its 95 % interval, ms; None without an interval, or where it is worth nothing."""
        latency = self.latency
        if latency.processes < LEAST_FOR_INTERVAL or self.is_worthless:
            return None
        if not latency.p50_ms or not latency.p50_low_ms or not latency.p50_high_ms or not isfinite(latency.p50_ms):
            return None
        return latency.p50_low_ms, latency.p50_ms, latency.p50_high_ms

    @property
    def paced(self) -> Spread | None:
        """p50 between the ends of its 95 % interval, in beats; None where `spread` is, or without beats."""
        latency = self.latency
        if not self.spread or not latency.p50_beats or not latency.p50_low_beats or not latency.p50_high_beats:
            return None
        return latency.p50_low_beats, latency.p50_beats, latency.p50_high_beats

    @property
    def top1(self) -> Metric | None:
        """top-1 with its 95 % interval, per cent; None where it was not measured."""
        return self.quality.metrics.get("top1")

    @property
    def share(self) -> Spread | None:
        """top-1 between the ends of its 95 % interval, per cent; None where it was not measured or is worth nothing."""
        return None if self.is_worthless or self.top1 is None else (self.top1.low, self.top1.value, self.top1.high)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A case's evidence, what was measured of it, and its row.

    Attributes:
        position: the place of the case among all of the journal, in the order in which they were first requested.
    """

    position: int
    evidence: Evidence
    measurement: Measurement
    row: Row


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
        lines: those of the table's rows, in their order.
        methods: how each preset among the rows measures, in words.
    """

    lines: tuple[Line, ...] = ()
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

"""The types of a table: row, line (row with its evidence), table, and the background data for reports."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import isfinite
from typing import TYPE_CHECKING, Any

from edgebench.foundation.stats import LEAST_FOR_INTERVAL, paired_drop
from edgebench.results.table.choice import Figure
from edgebench.results.table.parts import Around, Compiled, Standing
from edgebench.schema.variant import Precision
from edgebench.tasks.classification import SIGNIFICANT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edgebench.foundation.stats import Spread
    from edgebench.results.measurement import Measurement
    from edgebench.results.measurement.evidence import Evidence
    from edgebench.results.table.parts import Cost, Fidelity, Int8, Latency, Memory, Quality, Setup, Sustained

WORTHLESS = ("INVALID", "FAILED", "MISSING")
UNCOMPARED = Standing()
BARE = Around()
RUN = Compiled()  # the empty report of a row whose target runs the network


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One case under one preset, as typed parts; `reasons` explains the verdict and missing figures.

    Attributes:
        verdict: the worst of the three verdicts below.
        time_verdict, accuracy_verdict, memory_verdict: the verdict on only the times, only the accuracy or only the
            memory; an empty text if these were not measured.
    """

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
    around: Around = BARE
    compiled: Compiled = RUN
    time_verdict: str = ""
    accuracy_verdict: str = ""
    memory_verdict: str = ""

    def __hash__(self) -> int:
        """Hash only a few properties; most rows of a table differ in at least one of them."""
        setup = self.setup
        return hash(
            (setup.architecture, setup.width, setup.resolution, setup.quantization, setup.target, setup.threads)
        )

    @property
    def is_worthless(self) -> bool:
        """Whether the figures are unusable, because the verdict is INVALID, FAILED or MISSING."""
        return self.verdict in WORTHLESS

    @property
    def has_unusable_answers(self) -> bool:
        """Whether the accuracy is unusable, regardless of the verdict on the time."""
        return (self.accuracy_verdict or self.verdict) in WORTHLESS

    @property
    def spread(self) -> Spread | None:
        """p50 with its 95 % interval as (low, p50, high), in ms; None if there is no interval or p50 is unusable."""
        latency = self.latency
        if latency.processes < LEAST_FOR_INTERVAL or self.is_worthless:
            return None
        if not latency.p50_ms or not latency.p50_low_ms or not latency.p50_high_ms or not isfinite(latency.p50_ms):
            return None
        return latency.p50_low_ms, latency.p50_ms, latency.p50_high_ms

    @property
    def paced(self) -> Spread | None:
        """p50 with its 95 % interval as (low, p50, high), in reference beats; None if beats or `spread` are missing."""
        latency = self.latency
        if not self.spread or not latency.p50_beats or not latency.p50_low_beats or not latency.p50_high_beats:
            return None
        return latency.p50_low_beats, latency.p50_beats, latency.p50_high_beats

    @property
    def top1(self) -> Figure | None:
        """Top-1 in % with its 95 % interval; None if not measured."""
        return self.quality.metrics.get("top1")

    @property
    def metric(self) -> Figure | None:
        """The chief metric of the row's task in % with its 95 % interval; None if not measured."""
        return self.quality.metrics.get(self.setup.metric)

    @property
    def change(self) -> tuple[float, bool] | None:
        """The chief metric minus the float parent's, in points, and whether it is significant; None if not compared.

        The difference is significant if its interval, over paired resamples, excludes 0; for top-1, if McNemar's exact
        test says so.
        """
        fidelity = self.fidelity
        if paired := fidelity.change:
            return paired.value, not paired.low <= 0 <= paired.high
        if self.top1 is None or fidelity.parent_top1 is None or fidelity.mcnemar_p is None:
            return None
        return self.top1.value - fidelity.parent_top1, fidelity.mcnemar_p < SIGNIFICANT

    @property
    def drop(self) -> Figure | None:
        """The float parent's chief metric minus this row's, in percentage points, with its paired 95 % interval.

        A float row has no parent, so its drop is 0. The drop is None if the row's metric or the parent's metric was not
        measured. For top-1, the interval is computed by Agresti and Min's method for two shares that were measured on
        the same images (2005, Statistics in Medicine 24).
        """
        fidelity, images = self.fidelity, self.quality.images
        if self.metric is None or self.has_unusable_answers:
            return None
        if paired := fidelity.change:
            return Figure(value=-paired.value, low=-paired.high, high=-paired.low)
        if fidelity.only_parent is None or fidelity.only_this is None or not images:
            return Figure.exact(0.0) if self.setup.precision == Precision.FP32 else None
        low, value, high = (100 * end for end in paired_drop(fidelity.only_parent, fidelity.only_this, images))
        return Figure(value=value, low=low, high=high)

    @property
    def share(self) -> Spread | None:
        """The chief metric with its 95 % interval as (low, value, high), in %; None if not measured or unusable."""
        metric = self.metric
        return None if self.has_unusable_answers or metric is None else (metric.low, metric.value, metric.high)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """The evidence on a case, its measurement and its row.

    Attributes:
        position: place of the case among all cases, in the order in which sessions first requested them.
    """

    position: int
    evidence: Evidence
    measurement: Measurement
    row: Row


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A target in one epoch, with its facts and packages, and the time when the agent reported them (`asked`)."""

    title: str
    asked: str
    facts: Mapping[str, str]
    packages: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Background:
    """The data behind a table, for reports that show it.

    Attributes:
        lines: the lines of the table's rows, in order.
        methods: descriptions of the presets among the rows.
        albums: the test pictures on which an artifact errs most, by the artifact's hash; only artifacts with such
            pictures.
    """

    lines: tuple[Line, ...] = ()
    machines: tuple[Machine, ...] = ()
    methods: tuple[str, ...] = ()
    albums: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


NOTHING = Background()


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows in order, with notes for the reader.

    Attributes:
        method: the notes that say how and on which machines the rows were measured; the terminal does not print them,
        but says where to find them.
    """

    title: str
    rows: tuple[Row, ...]
    notes: tuple[str, ...]
    method: tuple[str, ...] = ()

    @property
    def has_failures(self) -> bool:
        """Whether the table has a row with the verdict FAILED or MISSING."""
        return any(row.verdict in ("FAILED", "MISSING") for row in self.rows)

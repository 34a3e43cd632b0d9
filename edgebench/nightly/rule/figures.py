"""The figures of a configuration: how each is read from a night and from pairs, and which rule judges it.

To add a figure, add it to `PAIRED_FIGURES` or `EXACT_FIGURES`; findings and reports show its name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgebench.nightly.night import Change, Outcome, both_logs
from edgebench.nightly.rule.thresholds import COLD

if TYPE_CHECKING:
    from collections.abc import Callable

    from edgebench.nightly.night import ArmTimes, Figures, PairedTimes
    from edgebench.nightly.rule.thresholds import Rule


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One figure of a configuration.

    Attributes:
        value: reads the figure from a night, in the figure's unit; None if not measured.
        is_worse_above: whether a larger value is worse.
    """

    name: str
    value: Callable[[Figures], float | None]
    is_worse_above: bool = True

    def outcome(self, *, is_above: bool) -> Outcome:
        """Return whether a change, up or down, is a regression or an improvement."""
        return Outcome.REGRESSION if is_above == self.is_worse_above else Outcome.IMPROVEMENT


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedFigure(Figure):
    """A time whose changes are confirmed by interleaved pairs.

    Attributes:
        seconds: reads the times of one arm, one per process.
        is_paced: whether the times are corrected by the reference beats if both arms have them.
        rule: the rule for this figure; None for the rule of the night.
    """

    seconds: Callable[[ArmTimes], tuple[float, ...]]
    is_paced: bool = False
    rule: Rule | None = None

    def logs(self, times: PairedTimes) -> tuple[list[float], list[float]]:
        """Return natural logarithms of both arms, one per process; empty if a time is zero."""
        if self.is_paced:
            return times.paced_logs
        return both_logs(self.seconds(times.accepted), self.seconds(times.tonight))


@dataclass(frozen=True, slots=True, kw_only=True)
class ExactFigure(Figure):
    """A figure with almost no noise, compared directly with the accepted night.

    Attributes:
        share, least: tolerated change: the larger of this share of the accepted value and this amount.
        in_points: whether the change is a difference; else it is a share of the accepted value.
        condition: a value that must be equal in both nights for the figure to be comparable.
        is_per_host: whether the figure differs between hosts, so compare with this host's first accepted night.
    """

    share: float = 0.0
    least: float
    in_points: bool = False
    condition: Callable[[Figures], float | None] = lambda _: None
    is_per_host: bool = False

    def change(self, before: Figures, after: Figures) -> Change | None:
        """Return the change; None if it is tolerated or the nights are not comparable."""
        old, new = self.value(before), self.value(after)
        if old is None or new is None or self.condition(before) != self.condition(after):
            return None
        if abs(new - old) <= max(self.share * old, self.least):
            return None
        return Change(
            figure=self.name,
            verdict=self.outcome(is_above=new > old),
            before=old,
            after=new,
            change=new - old if self.in_points else new / old - 1,
        )


LATENCY = PairedFigure(
    name="latency",
    value=lambda figures: figures.p50_s,
    seconds=lambda arm: arm.latencies_s,
    is_paced=True,
)
PAIRED_FIGURES = (
    LATENCY,
    PairedFigure(
        name="load",
        value=lambda figures: figures.load_s,
        seconds=lambda arm: arm.load_s,
        rule=COLD,
    ),
    PairedFigure(
        name="first inference",
        value=lambda figures: figures.first_s,
        seconds=lambda arm: arm.first_s,
        rule=COLD,
    ),
)
EXACT_FIGURES = (
    ExactFigure(
        name="peak memory",
        value=lambda figures: figures.peak_bytes or None,
        share=0.01,
        least=512 * 1024,  # repeats within 0.1 MiB
        is_per_host=True,
    ),
    ExactFigure(
        name="file size",
        value=lambda figures: figures.file_bytes or None,
        share=0.001,
        least=1,
    ),
    ExactFigure(
        name="instructions",
        value=lambda figures: figures.instructions or None,
        share=0.001,  # repeats within 0.03 %
        least=1,
    ),
    ExactFigure(
        name="accuracy",
        value=lambda figures: figures.accuracy,
        is_worse_above=False,
        least=0.005,  # three of 600 images
        in_points=True,
        condition=lambda figures: figures.images,
    ),
    ExactFigure(
        name="agreement",
        value=lambda figures: figures.agreement,
        is_worse_above=False,
        least=0.005,
        in_points=True,
    ),
)

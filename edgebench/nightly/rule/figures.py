"""The figures of a configuration, such as latency, each with its rule and with functions that read its value.

To add a figure, add it to `PAIRED_FIGURES` or `EXACT_FIGURES`; reports then show it under its name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgebench.foundation.units import MIB, milliseconds
from edgebench.nightly.night import BUDGET, Change, Outcome, both_logs
from edgebench.nightly.rule.thresholds import COLD

if TYPE_CHECKING:
    from collections.abc import Callable

    from edgebench.nightly.night import ArmTimes, Figures, PairedTimes
    from edgebench.nightly.rule.thresholds import Rule


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One figure of a configuration.

    Attributes:
        value: function that reads the figure from a night, in the figure's unit; None if not measured.
        show: function that formats a value with its unit, for people.
        worse, better: words for a configuration whose figure became worse or better, such as `slower` and `faster`.
        is_worse_above: whether a larger value is worse.
        in_points: whether a change is given in percentage points; if not, relative to the accepted value.
    """

    name: str
    value: Callable[[Figures], float | None]
    show: Callable[[float], str]
    worse: str
    better: str
    is_worse_above: bool = True
    in_points: bool = False

    def outcome(self, *, is_above: bool) -> Outcome:
        """Return whether a change is a regression or an improvement.

        `is_above` tells whether the value became larger.
        """
        return Outcome.REGRESSION if is_above == self.is_worse_above else Outcome.IMPROVEMENT


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedFigure(Figure):
    """A time whose changes are confirmed by interleaved pairs.

    Attributes:
        seconds: function that reads the times of one environment, one per process.
        is_paced: whether the times are corrected by the reference beats, if both environments have beats.
        rule: the rule for this figure; None if the rule of the night applies.
    """

    seconds: Callable[[ArmTimes], tuple[float, ...]]
    is_paced: bool = False
    rule: Rule | None = None

    def logs(self, times: PairedTimes) -> tuple[list[float], list[float]]:
        """Return the log times of both environments, one per process; return empty lists if a time is zero."""
        if self.is_paced:
            return times.paced_logs
        return both_logs(self.seconds(times.accepted), self.seconds(times.tonight))


@dataclass(frozen=True, slots=True, kw_only=True)
class ExactFigure(Figure):
    """A figure with almost no noise, compared directly with the accepted night.

    Attributes:
        share, least: a change is tolerated up to `share` of the accepted value, or up to the amount `least` if that is
            larger.
        condition: function that reads a value which must be equal in both nights for the figure to be comparable.
        is_per_host: whether the figure depends on the host, so that it is compared with the first accepted night on the
            same host.
    """

    share: float = 0.0
    least: float
    condition: Callable[[Figures], object] = lambda _: None
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


def _milliseconds(seconds: float) -> str:
    return f"{milliseconds(seconds * 1e3)} ms"


def _mebibytes(count: float) -> str:
    return f"{count / MIB:.2f} MiB"


def _millions(count: float) -> str:
    return f"{count / 1e6:.2f} M"


def _per_cent(share: float) -> str:
    return f"{share:.1%}"


LATENCY = PairedFigure(
    name="latency",
    value=lambda figures: figures.p50_s,
    show=_milliseconds,
    worse="slower",
    better="faster",
    seconds=lambda arm: arm.latencies_s,
    is_paced=True,
)
PAIRED_FIGURES = (
    LATENCY,
    PairedFigure(
        name="load",
        value=lambda figures: figures.load_s,
        show=_milliseconds,
        worse="slower to load",
        better="faster to load",
        seconds=lambda arm: arm.load_s,
        rule=COLD,
    ),
    PairedFigure(
        name="first inference",
        value=lambda figures: figures.first_s,
        show=_milliseconds,
        worse="slower at the first inference",
        better="faster at the first inference",
        seconds=lambda arm: arm.first_s,
        rule=COLD,
    ),
)
EXACT_FIGURES = (
    ExactFigure(
        name="peak memory",
        value=lambda figures: figures.peak_bytes or None,
        show=_mebibytes,
        worse="with more memory",
        better="with less memory",
        share=0.01,
        least=512 * 1024,  # repeated measurements agree within 0.1 MiB
        is_per_host=True,
    ),
    ExactFigure(
        name="file size",
        value=lambda figures: figures.file_bytes or None,
        show=_mebibytes,
        worse="with a larger file",
        better="with a smaller file",
        share=0.001,
        least=1,
    ),
    ExactFigure(
        name="instructions",
        value=lambda figures: figures.instructions or None,
        show=_millions,
        worse="with more instructions",
        better="with fewer instructions",
        share=0.001,  # repeated counts agree within 0.03 %
        least=1,
    ),
    ExactFigure(
        name="accuracy",
        value=lambda figures: figures.accuracy,
        show=_per_cent,
        worse="less accurate",
        better="more accurate",
        is_worse_above=False,
        least=0.005,  # a change of up to three of 600 images is tolerated
        in_points=True,
        condition=lambda figures: figures.images,
    ),
    ExactFigure(
        name="metric",
        value=lambda figures: figures.score,
        show=_per_cent,
        worse="less accurate by the task's metric",
        better="more accurate by the task's metric",
        is_worse_above=False,
        least=0.005,
        in_points=True,
        condition=lambda figures: (figures.images, figures.metric),
    ),
    ExactFigure(
        name="agreement",
        value=lambda figures: figures.agreement,
        show=_per_cent,
        worse="agreeing less with fp32",
        better="agreeing more with fp32",
        is_worse_above=False,
        least=0.005,
        in_points=True,
    ),
)
# a figure that may have a budget, but is not compared with earlier nights, because the median shows a change sooner
P90 = Figure(
    name="p90",
    value=lambda figures: figures.p90_s,
    show=_milliseconds,
    worse="with a longer tail",
    better="with a shorter tail",
)
FIGURES: dict[str, Figure] = {figure.name: figure for figure in (*PAIRED_FIGURES, P90, *EXACT_FIGURES)}


def size(change: Change) -> str:
    """Format the size of a change: `+10.0%`, or `-1.5 points` for a difference of shares."""
    figure = _figure(change)
    return f"{change.change * 100:+.1f} points" if figure and figure.in_points else f"{change.change:+.1%}"


def values(change: Change) -> str:
    """Format the values before and after a change, with their unit: `1.000 ms -> 1.100 ms`."""
    show = figure.show if (figure := _figure(change)) else "{:.6g}".format
    if change.is_budget:
        return f"{show(change.after)}, budget {show(change.before)}"
    return f"{show(change.before)} -> {show(change.after)}"


def described(change: Change) -> str:
    """Describe a change in full: `latency +10.0% (1.000 ms -> 1.100 ms)`."""
    return f"{change.figure} {size(change)} ({values(change)})"


def effect(change: Change) -> str:
    """Describe in words what a change does, such as `slower` or `less accurate`."""
    figure = _figure(change)
    if change.is_budget:
        return f"over the {change.figure}"
    if figure is None:
        return f"with another {change.figure}"
    return figure.worse if change.verdict == Outcome.REGRESSION else figure.better


def order(change: Change) -> int:
    """Return the place of a change's figure in reports: the latency first, unknown figures last."""
    figures = list(FIGURES.values())
    return figures.index(figure) if (figure := _figure(change)) else len(figures)


def _figure(change: Change) -> Figure | None:
    return FIGURES.get(change.figure.removesuffix(BUDGET))

"""A night's changes and the user's limits -> the changes that matter, with their severity, and the exceeded budgets.

The limits are the `[[limits]]` blocks of `nightly.toml`. If several blocks that set the same key apply to a change, the
last block decides. Pure: no I/O.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, ClassVar

from edgebench.foundation.errors import RequestError, require
from edgebench.foundation.units import parse_count, parse_latency, parse_share, parse_size
from edgebench.nightly.night import BUDGET, Change, Outcome, Severity
from edgebench.nightly.rule.figures import FIGURES
from edgebench.schema import STRICT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from edgebench.nightly.night import Entry, Night
    from edgebench.nightly.rule.figures import Figure

SIZES, COUNTS = ("peak memory", "file size"), ("instructions",)  # figures in bytes, and figures that are counts


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """One `[[limits]]` block: what applies to some figures of some configurations.

    Attributes:
        cases: the configurations, as a pattern with `*` or as a part of their names.
        figure: a name in `FIGURES`; empty for all figures.
        least: the smallest change that is reported: `5 %` of the accepted value, or an amount such as `1 MiB`. For
            accuracies and agreement, the per cent are points.
        severity: how the night reports a regression.
        budget: the largest value that is allowed, such as `20 ms`; for accuracies and agreement, the smallest.
        until: last day on which the limit applies, such as `2026-12-31`; empty if it has no end. A limit with an end
            puts the configurations into quarantine.
        reason: why the limit exists; the reports repeat it.

    Raises:
        RequestError: a figure, a quantity or a day cannot be read, or the limit limits nothing.
    """

    __pydantic_config__: ClassVar = STRICT

    cases: str = "*"
    figure: str = ""
    least: str = ""
    severity: Severity | None = None
    budget: str = ""
    until: str = ""
    reason: str = ""

    def __post_init__(self) -> None:
        if self.figure:
            require("figure", self.figure, FIGURES)
        if not (self.least or self.severity or self.budget):
            raise RequestError("a limit needs least, severity or budget, such as severity = 'warn'; found none of them")
        if self.budget and not self.figure:
            raise RequestError(f"the budget {self.budget!r} needs a figure; add figure = 'latency'")
        if self.budget:
            _amount(FIGURES[self.figure], self.budget)
        if self.least:
            self._check_least()
        if self.until:
            self._check_day()

    def _check_least(self) -> None:
        if not self.least.rstrip().endswith("%") and not self.figure:
            raise RequestError(f"least = {self.least!r} needs a figure; add figure = 'peak memory', or write per cent")
        for figure in [FIGURES[self.figure]] if self.figure else FIGURES.values():
            _is_at_least(figure, self.least)

    def _check_day(self) -> None:
        try:
            date.fromisoformat(self.until)
        except ValueError:
            raise RequestError(f"wanted a day such as 2026-12-31 for until, found {self.until!r}") from None

    def is_about(self, name: str, figure: str = "") -> bool:
        """Return whether the limit applies to a configuration, or to one of its figures."""
        return (self.cases in name or fnmatchcase(name, self.cases)) and self.figure in ("", figure)

    @property
    def note(self) -> str:
        """The reason and the end of the limit in words; empty if it has neither."""
        until = f"until {self.until}" if self.until else ""
        return ": ".join(filter(None, (until, self.reason)))


@dataclass(frozen=True, slots=True)
class Limits:
    """All limits of a nightly sweep, in the order of the file."""

    members: tuple[Limit, ...] = ()

    def on(self, started_at: str) -> Limits:
        """Return the limits that apply to a night that began at this time (ISO 8601)."""
        return Limits(tuple(limit for limit in self.members if not limit.until or started_at[:10] <= limit.until))

    def limited(self, name: str, changes: Sequence[Change]) -> tuple[Change, ...]:
        """Return a configuration's changes that are large enough to matter, each with its severity."""
        return tuple(self._with_severity(name, change) for change in changes if self._matters(name, change))

    def _matters(self, name: str, change: Change) -> bool:
        figure, limit = FIGURES.get(change.figure), self._last(name, change.figure, lambda limit: bool(limit.least))
        return figure is None or limit is None or _is_at_least(figure, limit.least)(change)

    def _with_severity(self, name: str, change: Change) -> Change:
        limit = self._last(name, change.figure.removesuffix(BUDGET), lambda limit: limit.severity is not None)
        severity = limit.severity if limit and limit.severity else Severity.FAIL
        return replace(change, severity=severity, note=limit.note if limit else "")

    def _last(self, name: str, figure: str, sets: Callable[[Limit], bool]) -> Limit | None:
        about = (limit for limit in reversed(self.members) if sets(limit) and limit.is_about(name, figure))
        return next(about, None)

    def exceeded(self, entry: Entry) -> tuple[Change, ...]:
        """Return the budgets that a configuration exceeds: `before` is the budget, `after` is the measured value."""
        return tuple(self._with_severity(entry.name, change) for change in self._exceeded(entry))

    def _exceeded(self, entry: Entry) -> Iterator[Change]:
        for name, figure in FIGURES.items() if entry.is_measured else ():
            limit = self._last(entry.name, name, lambda limit: bool(limit.budget))
            if limit is None or (value := figure.value(entry.figures)) is None:
                continue
            budget = _amount(figure, limit.budget)
            if (value > budget) if figure.is_worse_above else (value < budget):
                yield Change(
                    figure=name + BUDGET,
                    verdict=Outcome.REGRESSION,
                    before=budget,
                    after=value,
                    change=value - budget if figure.in_points else value / budget - 1,
                )

    def remarks(self, night: Night) -> tuple[str, ...]:
        """Return one note for each limit that has ended, or that no configuration of the night matches."""
        return tuple(self._remarks(night))

    def _remarks(self, night: Night) -> Iterator[str]:
        for number, limit in enumerate(self.members, start=1):
            if limit.until and night.started_at[:10] > limit.until:
                yield f"limit {number} for {limit.cases} ended on {limit.until}; remove it or give it a later day"
            elif not any(limit.is_about(entry.name, limit.figure) for entry in night.entries):
                yield f"limit {number} for {limit.cases} matches no configuration of this night"


NO_LIMITS = Limits()


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitsOfFile:
    """The `[[limits]]` blocks of a nightly sweep's file."""

    __pydantic_config__: ClassVar = STRICT

    name: str
    limits: tuple[Limit, ...] = ()


def _amount(figure: Figure, text: str) -> float:
    """Read an amount in the figure's unit: seconds, bytes, a count or a share."""
    if figure.in_points:
        return parse_share(text) / 100
    if figure.name in SIZES:
        return parse_size(text)
    return parse_count(text) if figure.name in COUNTS else parse_latency(text) / 1e3


def _is_at_least(figure: Figure, text: str) -> Callable[[Change], bool]:
    """Return a function that tells whether a change of the figure is at least as large as `text` says."""
    if text.rstrip().endswith("%"):
        share = parse_share(text) / 100
        return lambda change: abs(change.change) >= share
    amount = _amount(figure, text)
    return lambda change: abs(change.after - change.before) >= amount

"""The history of one configuration -> its baseline, the changes found earlier, and levels comparable with tonight.

This module does no I/O. A level is the median over a night's processes of log latency minus log reference time. Levels
are only compared between nights on the same host.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from functools import cached_property
from math import log
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from edgebench.nightly.night import QUIET, NightEntry, Outcome, logs
from edgebench.nightly.pace import at_one_pace, slope
from edgebench.nightly.rule.offsets import Key, Offsets, but_model, key
from edgebench.nightly.rule.thresholds import RULE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgebench.nightly.night import Change, Entry, Figures, History, Night
    from edgebench.nightly.rule.figures import PairedFigure


@dataclass(frozen=True, kw_only=True)
class Past:
    """One configuration, tonight and on earlier nights.

    The class has no slots, because `cached_property` does not work with them.

    Attributes:
        nights: earlier nights that measured the configuration, in order.
        baseline: the accepted night; None for a new configuration.
    """

    tonight: NightEntry
    nights: tuple[NightEntry, ...]
    baseline: NightEntry | None

    @property
    def is_timed(self) -> bool:
        """Whether tonight's latencies of this configuration are usable."""
        return bool(self.tonight.entry.figures.latencies_s) and self.tonight.entry.is_measured

    @cached_property
    def here(self) -> tuple[NightEntry, ...]:
        """The nights on tonight's host without a confirmed change, and those with the accepted components."""
        accepted = self.baseline.entry.components if self.baseline else {}
        return tuple(
            night for night in self._on_host if night.entry.verdict in QUIET or night.entry.components == accepted
        )

    @cached_property
    def _on_host(self) -> tuple[NightEntry, ...]:
        facts = self.tonight.facts
        return tuple(night for night in self.nights if night.facts == facts)

    @property
    def host_baseline(self) -> Figures | None:
        """The figures of the accepted night; if it was on another host, the figures of the first night in `here`."""
        if self.baseline and self.baseline.facts == self.tonight.facts:
            return self.baseline.entry.figures
        return self.here[0].entry.figures if self.here else None

    @property
    def is_accepted(self) -> bool:
        """Whether all components equal the accepted night's components."""
        return self.baseline is not None and self.baseline.entry.components == self.tonight.entry.components

    @cached_property
    def _judged(self) -> tuple[NightEntry, ...]:
        """The nights on tonight's host that were compared with the current baseline, without INVALID nights."""
        return tuple(
            night for night in self._on_host if self._is_of_era(night.entry) and night.entry.verdict != Outcome.INVALID
        )

    @cached_property
    def _same(self) -> tuple[NightEntry, ...]:
        """The nights in `_judged` with the same components as tonight."""
        return tuple(night for night in self._judged if night.entry.components == self.tonight.entry.components)

    @property
    def standing(self) -> tuple[Change, ...]:
        """The changes that pairs confirmed on an earlier night; they remain valid until a component changes."""
        if self.is_accepted or not self._same:
            return ()
        night, last = self._same[-1]  # the last night's entry repeats the changes that earlier nights found
        return tuple(replace(change, confirmed_at=change.confirmed_at or night.started_at) for change in last.confirmed)

    @cached_property
    def is_compared(self) -> bool:
        """Whether more pairs are pointless, because the components are accepted or earlier pairs compared them."""
        return self.is_accepted or any(night.entry.offset is not None for night in self._same)

    @property
    def was_slower(self) -> bool:
        """Whether pairs confirmed a regression on the last night, and no user has accepted it."""
        confirmed = self._judged[-1].entry.confirmed if self._judged else ()
        return any(change.verdict == Outcome.REGRESSION for change in confirmed)

    def _is_of_era(self, entry: Entry) -> bool:
        return self.baseline is not None and entry.since == self.baseline.night.id

    @cached_property
    def paced(self) -> tuple[NightEntry, ...]:
        """The nights in `here` with the same reference workload as tonight; other nights are not comparable."""
        beat = self.tonight.entry.figures.beat
        return tuple(night for night in self.here if night.entry.figures.beat == beat)

    @cached_property
    def slope(self) -> float:
        """How much log latency rises if the log time of the beats rises by 1, from recent nights without tonight."""
        by_components = defaultdict[Key, tuple[list[float], list[float]]](lambda: ([], []))
        for _, entry in self.paced[-RULE.nights :]:
            ratios, beats = by_components[key(entry.components)]
            ratios += entry.figures.ratios if entry.figures.beat else ()
            beats += entry.figures.beats
        return slope(by_components.values())

    def ratios_of(self, entry: Entry) -> list[float]:
        """Return log latency minus log reference time per process.

        If the processes have beats, correct these values for the machine's speed.
        """
        figures = entry.figures
        return at_one_pace(figures.ratios, figures.beats, self.slope) if figures.beat else list(figures.ratios)

    def compared(self, entry: Entry) -> list[float]:
        """Return what pairs compare, per process: the log ratio to the beats if there are any, else the log latency."""
        return self.ratios_of(entry) if entry.figures.beat else logs(entry.figures.latencies_s)

    def level_of(self, entry: Entry) -> float | None:
        """Return the level of an entry: the median ratio of its processes."""
        return median(ratios) if (ratios := self.ratios_of(entry)) else None

    @property
    def level(self) -> float | None:
        """Tonight's level: the median ratio of its processes."""
        return self.level_of(self.tonight.entry)

    @property
    def is_new_host(self) -> bool:
        """Whether no earlier night was on this host."""
        return not self._on_host

    @property
    def offset(self) -> float | None:
        """Log of the ratio: latency with tonight's components / with the baseline's; None if not measured yet."""
        return self._offsets.of(self.tonight.entry.components, self.baseline.night.id) if self.baseline else 0.0

    @cached_property
    def _offsets(self) -> Offsets:
        era = self.baseline.night.id if self.baseline else ""
        return Offsets(nights=self.nights, on_host=self._on_host, era=era)

    @cached_property
    def levels(self) -> tuple[tuple[str, float], ...]:
        """The ids of earlier nights, with the levels that they would have with tonight's components."""
        if self.offset is None:
            return ()
        offsets = (
            (night, entry, self._offsets.of(entry.components, entry.since or night.id)) for night, entry in self.paced
        )
        return tuple(
            (night.id, level - total + self.offset)
            for night, entry, total in offsets
            if total is not None and (level := self.level_of(entry)) is not None
        )

    @property
    def week_levels(self) -> list[float]:
        """The levels (median ratios) of the nights since the accepted night."""
        if self.baseline is None:
            return []
        ids = [night.id for night, _ in self.nights]
        later = set(ids[ids.index(self.baseline.night.id) :])
        return [level for id, level in self.levels if id in later]

    def cold_levels(self, figure: PairedFigure) -> list[float]:
        """Return log values of a figure from nights whose components, apart from the model, equal tonight's."""
        components = but_model(self.tonight.entry.components)
        values = (figure.value(entry.figures) for _, entry in self.here if but_model(entry.components) == components)
        return [log(value) for value in values if value]


def pasts(history: History, tonight: Night) -> tuple[Past, ...]:
    """Return the past of every configuration that tonight measured, from earlier nights."""
    nights = defaultdict[str, list[NightEntry]](list)
    for night in history.nights:
        if night.place < tonight.place:
            for entry in night.entries:
                if entry.is_measured:
                    nights[entry.name].append(NightEntry(night, entry))
    return tuple(
        Past(
            tonight=NightEntry(tonight, entry),
            nights=tuple(nights[entry.name]),
            baseline=_baseline(history, nights[entry.name], entry.name),
        )
        for entry in tonight.entries
        if entry.verdict != Outcome.MISSING
    )


class Accepted(NamedTuple):
    """The entry of an accepted night, and the reason of the acceptance."""

    night: Night
    entry: Entry
    reason: str


def accepted(history: History, nights: Sequence[NightEntry], name: str) -> Accepted | None:
    """Return the entry of the night that was accepted last for a configuration; None if none was accepted."""
    by_id = {entry.night.id: entry for entry in nights}
    for acceptance in reversed(history.acceptances):
        if acceptance.covers(name) and acceptance.night in by_id:
            return Accepted(*by_id[acceptance.night], acceptance.reason)
    return None


def _baseline(history: History, nights: Sequence[NightEntry], name: str) -> NightEntry | None:
    """Return the entry of the night that was accepted last; if none was accepted, the first entry."""
    last = accepted(history, nights, name)
    return NightEntry(last.night, last.entry) if last else next(iter(nights), None)

"""The nights of a configuration -> the offset of each set of components.

The offset is the log ratio of the latency with these components to the latency of the first baseline. This module does
no I/O. An era is the time between two accepted nights. Within an era, pairs measure the offset of changed components
against the accepted environment. With these offsets, latencies of different components and eras can be compared. If
only the model changed, which is common, the offset is taken as 0 for the screen. The offset is also taken as 0 if the
pairs on a noisy host were too imprecise. Pairs cannot compare hosts, so an offset that was measured on another host is
used only to compare the baseline of one era with the baseline of the next.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from statistics import median
from typing import TYPE_CHECKING

from edgebench.nightly.night import MODEL, QUIET

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgebench.nightly.night import Entry, NightEntry

Key = frozenset[tuple[str, str]]  # a set of components as a dictionary key


@dataclass(frozen=True, kw_only=True)
class Offsets:
    """The offsets of one configuration.

    The class has no slots, because `cached_property` does not work with them.

    Attributes:
        nights: all nights of the configuration, in order.
        on_host: the nights on tonight's host.
        era: id of the accepted night that started the current era.
    """

    nights: Sequence[NightEntry]
    on_host: Sequence[NightEntry]
    era: str

    def of(self, components: dict[str, str], since: str) -> float | None:
        """Return the offset of components in the era that night `since` started; None if not yet measured."""
        start = self._starts[since]
        offset = 0.0 if components == start.components else self._carried(since, components, start.components)
        return None if offset is None else self._origins.get(since, 0.0) + offset

    @cached_property
    def _starts(self) -> dict[str, Entry]:
        """The first entry of each era, by the id of the era's first night.

        If that entry is lost, the next entry of the era stands in for it.
        """
        starts = {night.id: entry for night, entry in self.nights}
        for _, entry in self.nights:
            starts.setdefault(entry.since, entry)
        return starts

    @cached_property
    def _origins(self) -> dict[str, float]:
        """The offset of each era's baseline (accepted night); 0 if no pairs measured it.

        Pairs on this host are preferred to pairs on other hosts.
        """
        eras = {entry.since for _, entry in self.nights} | {self.era}
        origins = dict[str, float]()
        for night, start in self.nights:  # an era's offset builds on that of the era before
            if night.id in eras:
                offsets = (_offsets(nights, start) for nights in (self.on_host, self.nights))
                origins[night.id] = origins.get(start.since, 0.0) + median(next(filter(None, offsets), [0.0]))
        return origins

    def _carried(self, since: str, components: dict[str, str], accepted: dict[str, str]) -> float | None:
        """Return the offset of components to their era's baseline, from pairs on this host; None if not measured."""
        era = self._eras.get(since, {})
        if offsets := [entry.offset for entry in era.get(key(components), ()) if entry.offset is not None]:
            return median(offsets)
        others = but_model(components)
        if others == but_model(accepted):
            return 0.0
        akin = [entry for entries in era.values() for entry in entries if but_model(entry.components) == others]
        calm = [entry for entry in akin if entry.verdict in QUIET]
        if any(entry.confirmed for entry in akin) or not calm:
            return 0.0 if calm else None
        return median([entry.offset for entry in calm if entry.offset is not None] or [0.0])

    @cached_property
    def _eras(self) -> dict[str, dict[Key, list[Entry]]]:
        """The entries on tonight's host, grouped by accepted night (the baseline at the time) and by components."""
        eras: dict[str, dict[Key, list[Entry]]] = defaultdict(lambda: defaultdict(list))
        for _, entry in self.on_host:
            eras[entry.since][key(entry.components)].append(entry)
        return eras


def _offsets(nights: Sequence[NightEntry], start: Entry) -> list[float]:
    """Return the offsets of a newly accepted night, which pairs measured against the baseline before it."""
    era = (entry for _, entry in nights if entry.since == start.since and entry.components == start.components)
    return [entry.offset for entry in era if entry.offset is not None]


def key(components: dict[str, str]) -> Key:
    """Return a set of components in a form that can be a dictionary key."""
    return frozenset(components.items())


def but_model(components: dict[str, str]) -> dict[str, str]:
    """Return all components except the model, which may change every night."""
    return {name: component for name, component in components.items() if name != MODEL}

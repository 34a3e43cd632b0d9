"""The nights of one configuration and their pairs -> how much slower each stack is than the first accepted one.

Pure. An era is the time since one accepted night. Within it a change of the stack has an offset that pairs measured
against the accepted environment; so levels are carried from stack to stack and from era to era. Another model alone,
which may come every night, is screened as if it took as long, and so is what a noisy host's pairs could say too little
of. A host cannot be paired: what was measured on another one says only how two accepted stacks differ.
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

Key = frozenset[tuple[str, str]]  # of a stack


@dataclass(frozen=True, kw_only=True)
class Offsets:
    """What pairs measured, in order of time; without slots, to compute things once.

    Attributes:
        nights: of the configuration; `on_host` those on tonight's host.
        era: the id of the night that the present era began with.
    """

    nights: Sequence[NightEntry]
    on_host: Sequence[NightEntry]
    era: str

    def of(self, components: dict[str, str], since: str) -> float | None:
        """Return the offset of a stack in the era that began with a night; None where pairs are yet to measure it."""
        start = self._starts[since]
        own = 0.0 if components == start.components else self._carried(since, components, start.components)
        return None if own is None else self._origins.get(since, 0.0) + own

    @cached_property
    def _starts(self) -> dict[str, Entry]:
        """What each era began with; where that night is lost, the first that is left of it."""
        starts = {night.id: entry for night, entry in self.nights}
        for _, entry in self.nights:
            starts.setdefault(entry.since, entry)
        return starts

    @cached_property
    def _origins(self) -> dict[str, float]:
        """The offset of what each era began with: by pairs on this host, else on another, else as if none."""
        eras = {entry.since for _, entry in self.nights} | {self.era}
        origins = dict[str, float]()
        for night, start in self.nights:  # each is of an era that began before it
            if night.id in eras:
                own = (_offsets(nights, start) for nights in (self.on_host, self.nights))
                origins[night.id] = origins.get(start.since, 0.0) + median(next(filter(None, own), [0.0]))
        return origins

    def _carried(self, since: str, components: dict[str, str], accepted: dict[str, str]) -> float | None:
        """Return the offset of a stack that nobody accepted by this host's pairs; None where all are to be taken."""
        era = self._eras.get(since, {})
        if own := [entry.offset for entry in era.get(key(components), ()) if entry.offset is not None]:
            return median(own)
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
        """What was judged on tonight's host, by the accepted night that it was compared with, and by its stack."""
        eras: dict[str, dict[Key, list[Entry]]] = defaultdict(lambda: defaultdict(list))
        for _, entry in self.on_host:
            eras[entry.since][key(entry.components)].append(entry)
        return eras


def _offsets(nights: Sequence[NightEntry], start: Entry) -> list[float]:
    """Return what pairs measured of the stack that an era began with, in the era before."""
    era = (entry for _, entry in nights if entry.since == start.since and entry.components == start.components)
    return [entry.offset for entry in era if entry.offset is not None]


def key(components: dict[str, str]) -> Key:
    """Make a stack something to look up by."""
    return frozenset(components.items())


def but_model(components: dict[str, str]) -> dict[str, str]:
    """Return the components that do not change every night."""
    return {name: component for name, component in components.items() if name != MODEL}

"""A recorded or a simulated history -> how often the rule would have cried for nothing there, and found what is."""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING

from edgebench.foundation.errors import RequestError, require
from edgebench.foundation.sheet import IDENTITY, OBJECTIVE, Column, Sheet
from edgebench.nightly import history
from edgebench.nightly.replay import decide, noise, series
from edgebench.nightly.rule.thresholds import RULE

if TYPE_CHECKING:
    from pathlib import Path

    from edgebench.nightly.replay.decide import Rate, Replay


def rehearse(folder: Path | None, profile: str, inject: float, seed: int = 0) -> Replay:
    """Decide a recorded or a simulated history again.

    Raises:
        RequestError: neither or both were asked for, there is no such profile, or the history is too short.
    """
    if (folder is None) == (not profile):
        raise RequestError("wanted a history's folder or --profile quiet, pi or vm; found neither or both")
    chosen = seed or noise.FINAL_SEED
    if folder:
        times, ratios = series.processes(history.read(folder))
        return decide.replay(str(folder), series.recorded(times, ratios, chosen), inject)
    require("profile", profile, noise.PROFILES, may_be_empty=False)
    return decide.replay(f"simulated {profile}", series.simulated(noise.PROFILES[profile], chosen), inject)


COLUMNS: tuple[Column[tuple[str, str, str, str]], ...] = (
    Column.text("figure", itemgetter(0), IDENTITY),
    Column.number("value", itemgetter(1), OBJECTIVE),
    Column.number("[95 %]", itemgetter(2), OBJECTIVE),
    Column.number("of", itemgetter(3)),
)


def sheet(found: Replay) -> Sheet:
    """Write a replay's figures as a table."""
    rows = [
        ("false alarms per 1,000", *_per_mille(found.alarms)),
        ("false improvements per 1,000", *_per_mille(found.gains)),
        ("took pairs per 1,000", *_per_mille(found.paired)),
        ("pairs a configuration-night", f"{found.pairs:.2f}", "", ""),
        *(
            (f"power by night {night}, {found.inject:.2f}x", *_as_share(one))
            for night, one in enumerate(found.power, 1)
        ),
        ("another runtime: false alarms per 1,000", *_per_mille(found.runtime_alarms)),
        (f"another runtime: power, {found.inject:.2f}x", *_as_share(found.runtime_power)),
    ]
    least = "none" if found.detectable is None else f"{found.detectable:.1%}"
    notes = (
        "Every night has another model, or where that is said another runtime: what nothing changed is not paired.",
        f"Median minimum detectable effect: {least}, found with a power of {RULE.power:.0%}.",
    )
    title = f"{found.source}: {found.nights} nights of {found.configurations} configurations"
    return Sheet.of(title, COLUMNS, rows, notes)


def _per_mille(one: Rate) -> tuple[str, str, str]:
    return f"{one.value * 1e3:.2f}", f"[{one.low * 1e3:.2f}, {one.high * 1e3:.2f}]", str(one.of)


def _as_share(one: Rate) -> tuple[str, str, str]:
    return f"{one.value:.3f}", f"[{one.low:.3f}, {one.high:.3f}]", str(one.of)

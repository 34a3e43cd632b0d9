"""A recorded or simulated history of nights -> the false-alarm rate and the power of the nightly rule on it."""

from __future__ import annotations

from dataclasses import asdict
from operator import itemgetter
from typing import TYPE_CHECKING

from edgebench.foundation.errors import RequestError, require
from edgebench.foundation.sheet import IDENTITY, OBJECTIVE, Column, Sheet, Value
from edgebench.foundation.units import counted
from edgebench.nightly import history
from edgebench.nightly.replay import decide, noise, series
from edgebench.nightly.rule.thresholds import RULE

if TYPE_CHECKING:
    from pathlib import Path

    from edgebench.nightly.replay.decide import Rate, Replay


def rehearse(folder: Path | None, profile: str, inject: float, seed: int = 0) -> Replay:
    """Apply the rule to a recorded history in `folder`, or to a history simulated with a noise profile.

    Raises:
        RequestError: folder and profile are both given or both missing, the profile is unknown, or the history is too
            short.
    """
    if (folder is None) == (not profile):
        raise RequestError("give either the folder of a history or --profile quiet, pi or vm")
    seed = seed or noise.FINAL_SEED
    if folder:
        times, ratios = series.processes(history.read(folder))
        return decide.replay(str(folder), series.recorded(times, ratios, seed), inject)
    require("profile", profile, noise.PROFILES)
    return decide.replay(f"simulated {profile}", series.simulated(noise.PROFILES[profile], seed), inject)


COLUMNS: tuple[Column[tuple[str, str, str, str]], ...] = (
    Column.text("figure", itemgetter(0), IDENTITY),
    Column.number("value", itemgetter(1), OBJECTIVE),
    Column.number("[95 %]", itemgetter(2), OBJECTIVE),
    Column.number("of", itemgetter(3)),
)


def sheet(replay: Replay) -> Sheet:
    """Return the figures of a replay as a table."""
    rows = [
        ("false alarms per 1,000", *_per_mille(replay.alarms)),
        ("false improvements per 1,000", *_per_mille(replay.gains)),
        ("suspects per 1,000", *_per_mille(replay.paired)),
        ("pairs per configuration-night", f"{replay.pairs:.2f}", "", ""),
        *(
            (f"power by night {night}, {replay.inject:.2f}x", *_as_share(rate))
            for night, rate in enumerate(replay.power, 1)
        ),
        ("runtime changed: false alarms per 1,000", *_per_mille(replay.runtime_alarms)),
        (f"runtime changed: power, {replay.inject:.2f}x", *_as_share(replay.runtime_power)),
    ]
    least = "none" if replay.detectable is None else f"{replay.detectable:.1%}"
    notes = (
        "In the replay the model changes every night; in the rows “runtime changed”, the runtime changes instead.",
        f"The median of the minimum detectable effects, at a power of {RULE.power:.0%}: {least}.",
    )
    title = f"{replay.source}: {counted(replay.nights, 'night')} of {counted(replay.configurations, 'configuration')}"
    return Sheet.of(title, COLUMNS, rows, notes)


def fields(replay: Replay) -> dict[str, Value]:
    """Return a replay for JSON, with its rates as shares in [0, 1]."""
    return asdict(replay) | {"notes": sheet(replay).notes}


def _per_mille(rate: Rate) -> tuple[str, str, str]:
    return f"{rate.value * 1e3:.2f}", f"[{rate.low * 1e3:.2f}, {rate.high * 1e3:.2f}]", str(rate.of)


def _as_share(rate: Rate) -> tuple[str, str, str]:
    return f"{rate.value:.3f}", f"[{rate.low:.3f}, {rate.high:.3f}]", str(rate.of)

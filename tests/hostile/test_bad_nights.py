"""A night that cannot be read is named and left out, `repair` renames it, and a history of nothing else is refused."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from edgebench import nightly
from edgebench.foundation.errors import RequestError
from edgebench.nightly import history
from edgebench.nightly.night import BOUNDS
from tests.support.command import cli
from tests.support.nights import quiet_history

HISTORY = Path("results/nightly")


def packed(change: Callable[[str], str]) -> Callable[[bytes], bytes]:
    """Change the text of a night's file."""
    return lambda content: gzip.compress(change(gzip.decompress(content).decode()).encode())


def with_value(text: str, key: str, value: object) -> str:
    return json.dumps(json.loads(text) | {key: value})


def figure(**values: object) -> Callable[[bytes], bytes]:
    """Change figures of the night's first configuration."""

    def change(text: str) -> str:
        night = json.loads(text)
        night["entries"][0]["figures"] |= values
        return json.dumps(night)

    return packed(change)


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda content: b"",
    "cut": lambda content: content[:-20],
    "no gzip": gzip.decompress,
    "a later version": packed(lambda text: with_value(text, "version", 99)),
    "NaN": packed(lambda text: with_value(text, "spent_s", float("nan"))),
    "infinity": packed(lambda text: with_value(text, "spent_s", float("inf"))),
    "an unknown key": packed(lambda text: with_value(text, "mood", "good")),
    "a list": packed(lambda text: "[]"),
    "deep": packed(lambda text: "[" * 200_000),
    "invalid UTF-8": lambda content: gzip.compress(b'{"id": "\xff"}'),
    "a negative latency": figure(latencies_s=[-1e-3] * 6, ratios=[0.0] * 6),
    "a latency of zero": figure(latencies_s=[0.0] * 6, ratios=[0.0] * 6),
    "more beats than latencies": figure(latencies_s=[1e-3], ratios=[0.0] * 6, beat="blake2b"),
    "a ratio of no times": figure(latencies_s=[1e-3] * 6, ratios=[1e9] * 6),
    "more right than there are images": figure(correct=5570, images=600),
    "right without images": figure(correct=5, images=0),
    **{f"a {name} of less than nothing": figure(**{name: -1}) for name, _ in BOUNDS},
    **{f"a {name} beyond all bounds": figure(**{name: 2 * most}) for name, most in BOUNDS},
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_bad_night_is_named_and_repair_keeps_it_under_another_name(kind: str) -> None:
    paths = [history.write_night(HISTORY, night) for night in quiet_history(3).nights]
    damaged = DAMAGE[kind](paths[1].read_bytes())
    paths[1].write_bytes(damaged)
    read = history.read(HISTORY)
    assert len(read.nights) == 2
    assert [note.partition(":")[0] for note in read.notes] == [paths[1].name] and "\n" not in read.notes[0]
    ((renamed, reason),) = history.set_aside(HISTORY)
    assert renamed.read_bytes() == damaged and reason == read.notes[0]
    again = history.read(HISTORY)
    assert (again.nights, again.notes) == (read.nights, ())
    assert history.set_aside(HISTORY) == []


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_history_of_nothing_else_is_refused_with_the_reason(kind: str) -> None:
    for path in [history.write_night(HISTORY, night) for night in quiet_history(2).nights]:
        path.write_bytes(DAMAGE[kind](path.read_bytes()))
    with pytest.raises(RequestError, match=r"no night in results/nightly.*\.json\.gz: skipped: "):
        nightly.report(HISTORY)


def test_the_command_repairs_a_history() -> None:
    first, second = (history.write_night(HISTORY, night) for night in quiet_history(2).nights)
    second.write_bytes(b"")
    done = cli("repair", str(HISTORY))
    assert (done.returncode, done.stderr) == (0, "")
    assert f"{second.name}: skipped: " in done.stdout and f"kept as {second.name}.damaged" in done.stdout
    assert first.exists() and not second.exists()
    assert "nothing was changed" in cli("repair", str(HISTORY)).stdout

"""Ten real nights on one machine whose clock is shifted, is lost, and belongs to two merged histories.

Run it in a process with the library of `world.c`, which reads the shift of the wall clock from SHIFT. It prints one
line of JSON per night: the delay of the model, the verdict, and whether the regression was injected in this night.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

from edgebench.export.formats import null
from tests.support.command import cli

SWEEP = """targets = ["null"]\nruntimes = ["null"]\nprecisions = ["fp32"]\nresolutions = [1]\nweights = "none"
dataset = "null"\npreset = "quick"\n[[models]]\nname = "null"\n"""
DAY, TRIES = 86_400, 5
LOST = -20_000 * DAY  # a clock without a battery starts in the 1970s
# history, shift of the clock, delay of an inference in microseconds; a slower model is accepted before the next night
NIGHTS = (
    ("a", 0, 50),
    ("a", 31 * DAY, 50),  # a month ahead, for one night
    ("a", 0, 100),
    ("a", LOST, 100),
    ("a", LOST, 200),
    ("b", -2 * DAY, 200),  # another runner, which got a copy of the history, and whose clock is behind
    ("b", -2 * DAY, 400),
    ("a", 0, 200),  # meanwhile, this runner goes on by itself
    ("a+b", 0, 400),  # both histories are merged: the model that the other runner accepted
    ("a+b", LOST, 800),
)


def main() -> None:
    """Take the nights in the working folder."""
    Path("nightly.toml").write_text(SWEEP, encoding="utf-8")
    before: dict[str, int] = {}
    for history, shift, delay in NIGHTS:
        _begin(history)
        os.environ["SHIFT"] = str(shift)
        verdict, nights = _taken(history, delay)
        print(json.dumps([history, delay, delay > before.get(history, delay), verdict, nights]), flush=True)
        before[history] = delay
        if verdict == "REGRESSION":
            assert cli("nightly", "accept", history, "--reason", "meant").returncode == 0
        if history == "b":
            before["a+b"] = delay


def _begin(history: str) -> None:
    """Copy a history for the other runner, or merge both, by copying files."""
    folder = Path(history)
    if not folder.exists() and history != "a":
        for source in history.split("+") if "+" in history else ("a",):
            shutil.copytree(source, folder, dirs_exist_ok=True)


def _taken(history: str, delay: int) -> tuple[str, int]:
    """Take a night with a model of this delay, again if the machine was too busy; return its verdict and number."""
    null.write = lambda path, variant, *_: path.write_text(  # type: ignore[assignment]
        json.dumps({"delay_s": delay * 1e-6, "classes": variant.classes}), encoding="utf-8"
    )
    for _ in range(TRIES):
        done = cli(
            *("nightly", "nightly.toml", "--history", history, "--json", "--quiet"),
            EDGEBENCH_CACHE=os.path.abspath(f"cache-{delay}"),  # noqa: PTH100
        )
        night = json.loads(done.stdout)
        verdict = night["configurations"][0]["verdict"]
        if verdict != "INVALID":
            break
        print(done.stderr, night["configurations"][0]["why"], file=sys.stderr)
    return verdict, night["nights"]


if __name__ == "__main__":
    main()

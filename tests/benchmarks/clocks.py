"""Ten real nights whose clock is shifted, is lost, and belongs to two merged histories: is each slowdown found at once?

python -m tests.benchmarks.clocks

The nights run in a process with the library of `tests/support/world.c`, which reads the shift of the wall clock from
SHIFT. One line per night says which delay the model has, whether it became slower in this night, and what was found.
The exit code is 1 if a slowdown was not found in its first night, or if one was found that is none. It needs gcc.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from edgebench.export.formats import null
from tests import ROOT
from tests.support.command import cli

SWEEP = """targets = ["null"]\nruntimes = ["null"]\nprecisions = ["fp32"]\nresolutions = [1]\nweights = "none"
dataset = "null"\npreset = "quick"\n[[models]]\nname = "null"\n"""
DAY, TRIES = 86_400, 10
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


def main() -> int:
    """Take the nights in a temporary folder, in a process whose clock is wrong; return the exit code."""
    if "SHIFT" in os.environ:
        return _nights()
    with TemporaryDirectory() as scratch:
        library, source = Path(scratch) / "world.so", ROOT / "tests" / "support" / "world.c"
        subprocess.run(["gcc", "-O1", "-shared", "-fPIC", source, "-ldl", "-o", library], check=True)
        world = {"LD_PRELOAD": str(library), "SHIFT": "0", "EDGEBENCH_LOCK": f"{scratch}/lock"}
        path = {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
        command = [sys.executable, "-m", "tests.benchmarks.clocks"]
        return subprocess.run(command, cwd=scratch, env=os.environ | world | path, check=False).returncode


def _nights() -> int:
    """Take the nights in the working folder."""
    Path("nightly.toml").write_text(SWEEP, encoding="utf-8")
    before: dict[str, int] = {}
    wrong = 0
    for history, shift, delay in NIGHTS:
        _begin(history)
        os.environ["SHIFT"] = str(shift)
        is_slower, found = delay > before.get(history, delay), _taken(history, delay)
        wrong += found != ("slower" if is_slower else "")
        injected = "slower" if is_slower else "unchanged"
        print(f"history {history}, clock {shift / DAY:+.0f} days, {delay} us, {injected}: found {found or 'no change'}")
        before[history] = delay
        if found == "slower":
            assert cli("nightly", "accept", history, "--reason", "meant").returncode == 0
        if history == "b":
            before["a+b"] = delay
    print(f"{len(NIGHTS)} nights, {wrong} wrong", flush=True)
    return int(wrong > 0)


def _begin(history: str) -> None:
    """Copy a history for the other runner, or merge both, by copying files."""
    folder = Path(history)
    if not folder.exists() and history != "a":
        for source in history.split("+") if "+" in history else ("a",):
            shutil.copytree(source, folder, dirs_exist_ok=True)


def _taken(history: str, delay: int) -> str:
    """Take a night with a model of this delay, again if the machine was too busy; return what it says of the latency.

    Only the latency counts, because all nights run in this process, whose memory grows.
    """
    null.write = lambda path, variant, *_: path.write_text(
        json.dumps({"delay_s": delay * 1e-6, "classes": variant.classes}), encoding="utf-8"
    )
    for _ in range(TRIES):
        done = cli(
            *("nightly", "nightly.toml", "--history", history, "--json", "--quiet"),
            EDGEBENCH_CACHE=os.path.abspath(f"cache-{delay}"),  # noqa: PTH100
        )
        (configuration,) = json.loads(done.stdout)["configurations"]
        if configuration["verdict"] != "INVALID":
            break
    else:
        return f"no valid night: {configuration['why']}"
    changes = {change["figure"]: change["change"] for change in configuration["findings"]}
    return "" if "latency" not in changes else "slower" if changes["latency"] > 0 else "faster"


if __name__ == "__main__":
    sys.exit(main())

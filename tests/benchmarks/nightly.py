"""How often the nightly rule cries for nothing, and how soon it finds what is there.

    python -m tests.benchmarks.nightly simulated [--seed N]      false alarms and power on the three profiles
    python -m tests.benchmarks.nightly year [--keep FOLDER]      a year's history: seconds, memory, largest page
    python -m tests.benchmarks.nightly nights SWEEP [--nights 20] [--history FOLDER]
        that many nights of unchanged code, one after the other: false alarms, and what deciding costs beyond measuring
    python -m tests.benchmarks.nightly pinned SWEEP --runtime onnxruntime==1.23.2 [--history FOLDER]
        one more night with another runtime under the same names: is it found, and named?

`nights` and `pinned` measure: run them on a machine that does nothing else.
"""

import argparse
import resource
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, process_time

from edgebench import nightly
from edgebench.agent import reference
from edgebench.cli import terminal
from edgebench.foundation.units import MIB
from edgebench.measure.plan import sweeps
from edgebench.nightly import replay
from edgebench.nightly.history import NIGHTS, read, write_night
from edgebench.nightly.night import Entry, Night, Outcome
from edgebench.nightly.replay import decide, noise, series
from edgebench.nightly.rule import judge
from tests.support.nights import STACK, figures

DAYS, CONFIGURATIONS = 365, 300
MOST_S, MOST_MB, MOST_KB = 20, 1000, 300  # what the reports of a year may take


def simulated(asked: argparse.Namespace) -> None:
    """Print the rates of every profile."""
    for name, profile in noise.PROFILES.items():
        started = perf_counter()
        found = decide.replay(f"simulated {name}", series.simulated(profile, asked.seed), 1.05)
        terminal.show_sheets("nightly replay", [replay.sheet(found)])
        print(f"  seed {asked.seed}, {perf_counter() - started:.0f} s")


def year(asked: argparse.Namespace) -> None:
    """Write 365 nights of 300 configurations and 6 processes, each with other models; read, report and examine them."""
    with TemporaryDirectory() as scratch:
        folder = asked.keep or Path(scratch)
        if not (folder / NIGHTS).exists():
            subprocess.run([sys.executable, "-m", "tests.benchmarks.nightly", "made", str(folder)], check=True)
        size = sum(path.stat().st_size for path in folder.rglob("*.gz"))
        started, busy = perf_counter(), process_time()
        nightly.report(folder)
        wall_s, cpu_s = perf_counter() - started, process_time() - busy
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        pages = sorted((path.stat().st_size, path.name) for path in folder.rglob("*.html"))
        print(
            f"{size / MIB:.1f} MiB on disk; read and reported in {wall_s:.1f} s, of which {cpu_s:.1f} s of processor"
            f" time (asked: {MOST_S}); {peak / 1e6:.0f} MB resident at most (asked: {MOST_MB});"
            f" {len(pages)} pages, the largest has {pages[-1][0] / 1e3:.0f} kB (asked: {MOST_KB}): {pages[-1][1]}"
        )
        history, started = read(folder), perf_counter()
        screened = judge.examine(history.nights[-1], history)
        print(f"{len(screened)} configurations examined in {perf_counter() - started:.1f} s")


def made(asked: argparse.Namespace) -> None:
    """Write the nights of a year into a folder; a process of its own does it, whose memory `year` does not count."""
    for night in _year():
        write_night(asked.folder, night)


def _year() -> Iterator[Night]:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    for day in range(DAYS):
        entries = tuple(
            Entry(
                name=f"net-1@{number}/fp32 engine cpu threads=1 batch=1",
                target="cpu",
                pin="p",
                components=STACK | {"model": _hash(day), "packages": _hash(day // 30), "harness": _hash(day // 7)},
                changed=tuple(
                    f"{name}: {_hash(0)} -> {_hash(now)}"
                    for name, now in (("model", day), ("packages", day // 30), ("harness", day // 7))
                    if now
                ),
                figures=replace(
                    figures(seed=day * CONFIGURATIONS + number, beat=reference.BEAT),
                    p90_s=1.1e-3,
                    agreement=0.99,
                    instructions=12_345_678,
                ),
                verdict=Outcome.OK if day else Outcome.NEW,
                since=f"{0:012x}" if day else "",
                detectable=0.026,
            )
            for number in range(CONFIGURATIONS)
        )
        yield Night(
            id=f"{day:012x}",
            started_at=(start + timedelta(days=day)).isoformat(timespec="seconds"),
            edgebench="0",
            sweep="year",
            hosts={"cpu": {"kernel": "Linux"}},
            entries=entries,
            number=day + 1,
        )


def _hash(number: int) -> str:
    return sha256(str(number).encode()).hexdigest()[:12]


def nights(asked: argparse.Namespace) -> None:
    """Take nights of unchanged code."""
    found = [_counted(asked, number) for number in range(1, asked.nights + 1)]
    counts = [Counter(entry.verdict for entry in night.entries) for night in found]
    alarms = decide.share([one[Outcome.REGRESSION] for one in counts], [one.total() for one in counts])
    more = sum(night.spent_s for night in found) / sum(night.measured_s for night in found)
    print(
        f"{dict(sum(counts, Counter()))}; false alarms {alarms.value * 1e3:.2f} [{alarms.low * 1e3:.2f},"
        f" {alarms.high * 1e3:.2f}] per 1,000 of {alarms.of}; {more:.2f} x the measuring"
    )


def _counted(asked: argparse.Namespace, number: int) -> Night:
    found = nightly.run(sweeps.sweep(asked.sweep), asked.history, lambda _: None)
    night = found.night
    took = f"{night.measured_s:.0f} s of measuring, {night.spent_s / night.measured_s:.2f} x that in all"
    print(f"night {number}: {found.headline}; {took}", flush=True)
    return found.night


def pinned(asked: argparse.Namespace) -> None:
    """Take one more night, with another runtime."""
    sweep = replace(sweeps.sweep(asked.sweep), runtimes=(asked.runtime,))
    found = nightly.run(sweep, asked.history, lambda _: None)
    terminal.show_bulletin(found)
    print(dict(Counter(line.entry.verdict for line in found.lines)))


def main() -> None:
    """Do what is asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kinds = parser.add_subparsers(required=True)
    for action in (simulated, year, made, nights, pinned):
        one = kinds.add_parser(action.__name__)
        one.set_defaults(action=action)
        if action is simulated:
            one.add_argument("--seed", type=int, default=noise.FINAL_SEED)
        if action in (nights, pinned):
            one.add_argument("sweep")
            one.add_argument("--history", type=Path, default=Path("results/nightly"))
        if action is year:
            one.add_argument("--keep", type=Path)
        if action is made:
            one.add_argument("folder", type=Path)
        if action is nights:
            one.add_argument("--nights", type=int, default=20)
        if action is pinned:
            one.add_argument("--runtime", required=True)
    asked = parser.parse_args()
    asked.action(asked)


if __name__ == "__main__":
    main()

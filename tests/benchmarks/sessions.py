"""Unchanged code in many sessions over hours: how many rows `compare` calls different, and whether it finds a true 5 %.

    python -m tests.benchmarks.sessions record FOLDER [--sessions 10] [--pause 8m] [--sweep SWEEP] [--time-limit 70s]
        measures the same rows so many times more, each session in a results folder of its own
    python -m tests.benchmarks.sessions judge FOLDER [--last N]
        compares every two sessions, as they are and with every sample of the later one multiplied by a factor

`record` measures: run it on a machine that does nothing else. A session takes little more than its time limit.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from tempfile import TemporaryDirectory

from edgebench.analysis.compare.folders import contrast
from edgebench.foundation.units import parse_duration
from edgebench.results.journal import Journal
from edgebench.schema.case import Case, Purpose
from edgebench.schema.record import Record, Run

# 8 rows of 0.2 to 1 ms, trained or not they take the same time; 70 s are about eight processes of each.
ROWS = "--model mobilenet_v1,mobilenet_v2 --width 0.35 --resolution 64,96 --precision fp32,int8 --weights random"
FACTORS = (1.0, 1.05, 1.1)


def record(asked: argparse.Namespace) -> None:
    """Measure the same rows again and again, each time as a command of its own."""
    folder = asked.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    sweep = [str(Path(asked.sweep).resolve()) if Path(asked.sweep).exists() else asked.sweep] if asked.sweep else []
    command = ["run", *(sweep or ROWS.split()), "--time-limit", asked.time_limit, "--quiet"]
    for number in range(asked.sessions):
        time.sleep(parse_duration(asked.pause) if number else 0)
        name, started, load = f"session{len(_sessions(folder)):02d}", time.monotonic(), os.getloadavg()[0]
        arguments = [sys.executable, "-m", "edgebench", *command, "--name", name]
        done = subprocess.run(arguments, cwd=folder, check=False, stdout=subprocess.DEVNULL)
        print(f"{name}: exit code {done.returncode}, {time.monotonic() - started:.0f} s, load before {load:.1f}")


def judge(asked: argparse.Namespace) -> None:
    """Print how many rows of every two sessions are called what, by factor."""
    sessions = _sessions(asked.folder.resolve())[-asked.last :]
    for factor in FACTORS:
        verdicts = _verdicts(sessions, factor)
        judged = verdicts.total() - verdicts["-"]
        rates = ", ".join(f"{verdict} {verdicts[verdict] / max(judged, 1):.1%}" for verdict in ("slower", "faster"))
        aside = f"; {verdicts['-']} without an interval" if verdicts["-"] else ""
        print(f"times {factor:g}: {rates} of {judged} rows, {len(sessions)} sessions two by two{aside}")


def _verdicts(sessions: list[Path], factor: float) -> Counter[str]:
    with TemporaryDirectory() as scratch:
        later = [_longer(session, Path(scratch) / session.name, factor) for session in sessions]
        return Counter(
            pair.verdict
            for first, second in combinations(range(len(sessions)), 2)
            for pair in contrast(sessions[first], later[second]).pairs
        )


def _sessions(folder: Path) -> list[Path]:
    return sorted((folder / "results").glob("session*"))


def _longer(session: Path, copy: Path, factor: float) -> Path:
    """Copy a results folder with longer samples of the networks; beats and reference workloads stay."""
    copy.mkdir()
    journal = Journal(copy)
    for found in Journal(session):
        journal.append(_scaled(found, factor))
    return copy


def _scaled(found: Record, factor: float) -> Record:
    if not isinstance(found, Run) or not isinstance(found.case, Case) or found.purpose != Purpose.LATENCY:
        return found
    return scaled(found, factor)


def scaled(process: Run, factor: float) -> Run:
    """Multiply the times of a process's samples."""
    samples_s = tuple(sample_s * factor for sample_s in process.samples_s)
    return replace(process, samples_s=samples_s, wall_s=process.wall_s * factor, cpu_s=process.cpu_s * factor)


def main() -> None:
    """Do what is asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kinds = parser.add_subparsers(required=True)
    for action in (record, judge):
        one = kinds.add_parser(action.__name__)
        one.set_defaults(action=action)
        one.add_argument("folder", type=Path)
        if action is record:
            one.add_argument("--sessions", type=int, default=10)
            one.add_argument("--pause", default="8m")
            one.add_argument("--sweep", default="", help="a sweep's name or file, instead of 8 small rows")
            one.add_argument("--time-limit", default="70s", help="of a session")
        else:
            one.add_argument("--last", type=int, default=0, help="judge only so many of the last sessions")
    asked = parser.parse_args()
    asked.action(asked)


if __name__ == "__main__":
    main()

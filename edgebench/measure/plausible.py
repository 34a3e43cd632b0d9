"""A run with valid types -> the reason why it is impossible, given the request and this host's own measurements."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import TYPE_CHECKING, Any

from edgebench.schema.case import Purpose
from edgebench.schema.sound import fault

if TYPE_CHECKING:
    from edgebench.schema.record import Run

# The kernel counts a process's start in ticks of 10 ms, and the clocks of two machines differ by about 10 ppm.
SLACK, SLACK_S = 0.01, 0.1


def doubt(run: Run, request: Mapping[str, Any], facts: Mapping[str, str]) -> str:
    """Return in a few words why a run cannot be the answer to the request; empty if it can.

    `facts` describe the target's machine.
    """
    return fault(run) or next(chain(_of_counts(run, request), _of_time(run), _of_machine(run, facts)), "")


def _of_counts(run: Run, request: Mapping[str, Any]) -> Iterator[str]:
    """Compare the number of samples with the requested number, or with its bounds if the process chooses it."""
    if run.purpose != Purpose.LATENCY:
        return
    least = request["iterations"] or request["least_iterations"]
    most = request["iterations"] or request["most_iterations"]
    if not least <= len(run.samples_s) <= most:
        wanted = f"{least}" if least == most else f"{least} to {most}"
        yield f"{len(run.samples_s)} samples where {wanted} were requested"


def _of_time(run: Run) -> Iterator[str]:
    """Compare the process's times with this host's waiting time, and the sums of parts with their total."""
    assert run.took_s is not None
    beats_s = sum(run.beats.took_s) if run.beats else 0.0
    windows_s = run.windows[-1].at_s if run.windows else 0.0
    parts = (
        ("load and first inference", run.load_s + run.first_s, "the process's start", run.start_s),
        ("the samples", sum(run.samples_s), "the timed loop", run.wall_s),
        ("the process", run.start_s + run.wall_s + beats_s + windows_s, "this host waited for it", run.took_s),
    )
    for part, part_s, whole, whole_s in parts:
        if part_s > whole_s * (1 + SLACK) + SLACK_S:
            yield f"{part} took {part_s:g} s, {whole} {whole_s:g} s"


def _of_machine(run: Run, facts: Mapping[str, str]) -> Iterator[str]:
    """Compare memory with the machine's memory, and CPU time with its number of cores."""
    memory_bytes, cores = int(facts.get("memory_bytes", 0)), int(facts.get("cores", 0))
    if run.memory and memory_bytes:
        marks = run.memory
        most = max(marks.baseline_bytes, marks.load_peak_bytes, marks.loaded_bytes, marks.run_peak_bytes)
        if most > memory_bytes:
            yield f"{most / 2**20:.0f} MiB of memory, the machine has {memory_bytes / 2**20:.0f} MiB"
    assert run.took_s is not None
    if cores and run.cpu_s > cores * (run.wall_s * (1 + SLACK) + SLACK_S):
        yield f"{run.cpu_s:g} s of CPU time in {run.wall_s:g} s on {cores} cores"
    if cores and run.others_cpu * run.wall_s > cores * (run.took_s + SLACK_S):
        yield f"other processes on {run.others_cpu:g} of {cores} cores"

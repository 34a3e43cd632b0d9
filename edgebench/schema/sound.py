"""A record of a journal -> a short reason why its values are impossible; empty if they are possible.

The types of the values have been checked before. The rules apply to a target's reply, to a record before it is written,
and to a record that is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from functools import lru_cache
from math import ceil, isfinite
from typing import Any

from edgebench.schema import compilation
from edgebench.schema.case import PRESETS, Case, Purpose
from edgebench.schema.metric import Metric
from edgebench.schema.record import (
    Accuracy,
    Beats,
    Deployment,
    Failure,
    MemoryMarks,
    Record,
    Run,
    Session,
    SpotCheck,
    Stages,
    Stop,
    Window,
)

MOST_S = 1e8  # longest possible time in seconds: three years
MOST = 2**60  # largest possible value of all other numbers: bytes, instructions, multiply-adds
LOOP, LOOP_S = 1.01, 1e-3  # the samples' sum may exceed the time of their loop by this factor and these seconds
MOST_FACTS, MOST_CHARACTERS = 1000, 10_000  # largest number of facts, and largest number of characters of a fact
_WHEN = r"(_before|_after)?"
# Names of facts whose values are whole numbers, whose values are numbers, and whose values are shares.
_WHOLE = re.compile(rf"(.*_bytes|.*_ns|cores|usable_cores|float_operators){_WHEN}")
_NUMBER = re.compile(rf"(.*_(mhz|c|s|w|share)|load_1min|cpu_quota){_WHEN}")
_SHARE = re.compile(r".*_share")
# Records are sorted by their times as texts, so all times are in UTC and have one form.
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?\+00:00", re.ASCII)
_DIGITS, _DECIMAL = re.compile(r"[0-9]{1,18}"), re.compile(r"-?[0-9.]+(e-?[0-9]+)?")


def fault(record: Record) -> str:
    """Return a short reason why a record's values are impossible; an empty text if they are possible."""
    return next(_faults(record), "")


def fault_of_facts(facts: Mapping[str, str]) -> str:
    """Return why facts of a machine, or conditions of a process, are impossible; an empty text if they are possible."""
    if len(facts) > MOST_FACTS:
        return f"{len(facts)} facts, wanted at most {MOST_FACTS}"
    return next(filter(None, map(_fault_of_fact, facts, facts.values())), "")


@lru_cache(maxsize=10_000)  # most lines of a journal have the same few facts
def _fault_of_fact(name: str, fact: str) -> str:
    if len(name) > MOST_CHARACTERS or len(fact) > MOST_CHARACTERS:
        return f"{name[:40]} has {max(len(name), len(fact))} characters, wanted at most {MOST_CHARACTERS}"
    if _WHOLE.fullmatch(name) and not _DIGITS.fullmatch(fact):
        return f"{name}: wanted a whole number, found {fact[:40]!r}"
    if _NUMBER.fullmatch(name) and not (_DECIMAL.fullmatch(fact) and _is_number(fact)):
        return f"{name}: wanted a number, found {fact[:40]!r}"
    if _SHARE.fullmatch(name) and not 0 <= float(fact) <= 1:
        return f"{name} is {fact[:40]}, wanted 0 to 1"
    return ""


def _is_number(text: str) -> bool:
    try:
        return isfinite(float(text))
    except ValueError:
        return False


def _faults(record: Record) -> Iterator[str]:
    match record:
        case Session():
            yield from _of_session(record)
        case Run():
            yield from _of_run(record)
        case Accuracy():
            yield from _of_accuracy(record)
        case Deployment(artifact=artifact):
            yield from within(artifact, MOST, "size_bytes", "params", "macs", "calibrated_on")
            yield from within(artifact, 1, "integer_share")
            yield from (f"{step} {spent:g} s" for step, spent in artifact.took_s.items() if not 0 <= spent <= MOST_S)
        case Stop():
            yield from within(record, MOST_S, "spent_s")
        case Failure():
            pass
    if not isinstance(record, (Session, Stop)) and isinstance(record.case, Case):
        yield from _of_case(record.case)


def within(value: Any, most: float, *names: str) -> Iterator[str]:
    """Yield a reason for each field in `names` whose value is neither None nor between 0 and `most`."""
    for name in names:
        number = getattr(value, name)
        if number is not None and not 0 <= number <= most:
            yield f"{name} is {number:g}, wanted 0 to {most:g}"


def _of_case(case: Case) -> Iterator[str]:
    for name, number in (("threads", case.threads), ("batch", case.batch)):
        if not 0 < number <= MOST:
            yield f"{name} is {number:g}, wanted 1 or more"


def _of_session(session: Session) -> Iterator[str]:
    if session.preset not in PRESETS:
        yield f"preset {session.preset[:40]!r} is unknown"
    yield from _of_time(session.started_at)
    yield from within(session, MOST_S, "time_limit_s", "sustained_s")
    if text := fault_of_facts(session.environment.facts):
        yield text
    for case in session.cases:
        yield from _of_case(case)


def _of_time(started_at: str) -> Iterator[str]:
    try:
        is_time = bool(_TIME.fullmatch(started_at) and datetime.fromisoformat(started_at))
    except ValueError:
        is_time = False
    if not is_time:
        yield f"started_at is {started_at[:40]!r}, wanted a time in UTC such as 2026-01-31T23:59:59.000+00:00"


def _of_run(run: Run) -> Iterator[str]:
    if run.preset not in PRESETS:
        yield f"preset {run.preset[:40]!r} is unknown"
    yield from _of_time(run.started_at)
    yield from within(run, MOST_S, "start_s", "load_s", "first_s", "wall_s", "cpu_s", "took_s")
    yield from within(run, MOST, "round", "others_cpu")
    yield from within(run, 1, "steal")
    if text := fault_of_facts(run.conditions):
        yield text
    yield from _of_purpose(run)


def _of_memory(marks: MemoryMarks) -> Iterator[str]:
    """Yield a reason for each impossible amount of memory; a peak far below the memory already in use is impossible."""
    yield from within(marks, MOST, *(mark.name for mark in fields(MemoryMarks)))
    for name, peak, before in (
        ("load_peak_bytes", marks.load_peak_bytes, marks.baseline_bytes),
        ("loaded_bytes", marks.loaded_bytes, marks.baseline_bytes),
        ("run_peak_bytes", marks.run_peak_bytes, marks.loaded_bytes),
    ):
        if 2 * peak < before:
            yield f"{name} is {peak:g}, wanted no less than the {before:g} in use before"


def _of_purpose(run: Run) -> Iterator[str]:
    """Yield a reason for each value that the run's purpose lacks or does not allow, and for each impossible value."""
    values = (
        (Purpose.LATENCY, "samples_s", run.samples_s),
        (Purpose.MEMORY, "memory", run.memory),
        (Purpose.INSTRUCTIONS, "instructions", run.instructions),
        (Purpose.SUSTAINED, "windows", run.windows),
        (Purpose.STAGES, "stages", run.stages),
    )
    for purpose, name, value in values:
        if bool(value) != (purpose == run.purpose):
            yield f"{name} {'is missing' if purpose == run.purpose else 'is present'} in a process for {run.purpose}"
    if run.purpose == Purpose.COMPILE and (text := compilation.fault(run.conditions)):
        yield text
    yield from _of_times("samples_s", run.samples_s)
    if (samples_s := sum(run.samples_s)) > LOOP * run.wall_s + LOOP_S:
        yield f"the samples took {samples_s:g} s, but the timed loop took {run.wall_s:g} s"
    if any(not 0 < count <= MOST for count in run.instructions):
        yield "instructions has a count that is not above 0"
    if run.memory:
        yield from _of_memory(run.memory)
    if run.beats:
        yield from _of_beats(run.beats, len(run.samples_s))
    if run.stages:
        yield from _of_stages(run.stages)
    for window in run.windows:
        yield from _of_window(window)
    if [window.at_s for window in run.windows] != sorted(window.at_s for window in run.windows):
        yield "windows are not in order"


def _of_times(name: str, times_s: Sequence[float]) -> Iterator[str]:
    # A journal has millions of measured times, so they are first checked all together, which is fast.
    # The sum finds NaN values, because a single NaN makes it NaN.
    if not times_s or (min(times_s) > 0 and max(times_s) <= MOST_S and isfinite(sum(times_s))):
        return
    for time_s in times_s:
        if not 0 < time_s <= MOST_S:
            yield f"{name} has {time_s:g} s, wanted more than 0"


def _of_beats(beats: Beats, samples: int) -> Iterator[str]:
    yield from _of_times("beats", beats.took_s)
    if beats.every < 1 or len(beats.took_s) != ceil(samples / beats.every) + 1:
        yield f"{len(beats.took_s)} beats, one every {beats.every} of {samples} samples, do not fit"


def _of_stages(stages: Stages) -> Iterator[str]:
    """Yield a reason for each stage without times or with an impossible time, and for each invalid setting."""
    if not 0 < stages.images <= MOST:
        yield f"stages of {stages.images:g} images"
    for name, times_s in stages.took_s.items():
        if not times_s or min(times_s) < 0 or max(times_s) > MOST_S or not isfinite(sum(times_s)):
            yield f"{name[:40]} has no time, or one below 0"
    if text := fault_of_facts(stages.lacks):
        yield text
    if len(stages.settings) > MOST_FACTS or not all(abs(value) <= MOST for value in stages.settings.values()):
        yield "the stages have too many settings, or a setting is out of range"


def _of_window(window: Window) -> Iterator[str]:
    yield from _of_times("windows", (window.at_s, window.median_s))
    if not 0 < window.iterations <= MOST:
        yield f"a window has {window.iterations:g} iterations"
    if text := fault_of_facts(window.conditions):
        yield text


def _of_accuracy(accuracy: Accuracy) -> Iterator[str]:
    if not 0 < accuracy.images <= MOST:
        yield f"images is {accuracy.images:g}, wanted 1 or more"
    counts = ("correct", "correct_top5", "parent_correct", "only_parent", "only_this", "not_finite")
    yield from within(accuracy, accuracy.images, *counts)
    yield from _of_counts(accuracy)
    yield from within(accuracy, MOST, "damaged")
    yield from within(accuracy, 1, "agreement", "reference_agreement")
    yield from within(accuracy, accuracy.images, "reference_images")
    for name in ("sqnr_db", "reference_sqnr_db"):
        if (noise := getattr(accuracy, name)) is not None and abs(noise) > MOST:
            yield f"{name} is {noise:g}"
    if accuracy.spot:
        yield from _of_spot(accuracy.spot)
    for metric in accuracy.metrics:
        yield from _of_metric(metric, 0)
    if accuracy.change:
        yield from _of_metric(accuracy.change, -1)


def _of_counts(accuracy: Accuracy) -> Iterator[str]:
    """Yield a reason if the numbers of images that this artifact and its float parent get right do not fit."""
    correct, parent = accuracy.correct, accuracy.parent_correct
    if parent is None or accuracy.only_parent is None or accuracy.only_this is None:
        return
    if correct != (wanted := parent - accuracy.only_parent + accuracy.only_this):
        yield f"correct is {correct}, wanted {wanted}, as parent_correct, only_parent and only_this give"


def _of_metric(metric: Metric, least: float) -> Iterator[str]:
    """Yield a reason if a share, or a difference of two shares, is out of bounds, or the interval lacks a bound."""
    ends = [end for end in (metric.low, metric.high) if end is not None]
    if not all(least <= value <= 1 for value in (metric.value, *ends)):
        yield f"{metric.name} is {metric.value:g} {ends}, wanted {least:g} to 1"
    if len(ends) == 1 or ends != sorted(ends):
        yield f"the interval of {metric.name} is {ends}"


def _of_spot(spot: SpotCheck) -> Iterator[str]:
    if not 0 < spot.images <= MOST:
        yield f"a spot check of {spot.images:g} images"
    yield from within(spot, spot.images, "agreed")
    if not spot.difference >= 0:
        yield f"a spot check's difference is {spot.difference:g}"

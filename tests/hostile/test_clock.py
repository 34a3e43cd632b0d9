"""A wall clock that was wrong for a night, or jumps: nights and acceptances keep their order, and nothing is lost."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from edgebench import nightly
from edgebench.deploy.bundle import bundle
from edgebench.deploy.exchange import read_answer
from edgebench.foundation.errors import AgentError
from edgebench.measure.plan import sweeps
from edgebench.nightly import history
from edgebench.nightly.night import Acceptance, Night, Outcome, following
from edgebench.nightly.rule.judge import examine, judge
from edgebench.nightly.tonight import begin_night
from edgebench.schema.sweep import Model, Sweep
from tests.nightly.test_judge import paired_times
from tests.support.nights import NAME, STACK, entry, night, quiet_history, slower

HISTORY = Path("results/nightly")
NIGHTS = 12
WRONG = {
    "a month ahead": timedelta(days=31),
    "ten years ahead": timedelta(days=3653),
    "a month back": timedelta(days=-31),
    "since 1970": datetime(1970, 1, 1, tzinfo=UTC) - datetime(2026, 1, 5, tzinfo=UTC),
}
WHICH = {
    "the first": [0],
    "the last": [NIGHTS - 1],
    "one": [5],
    "all after one": list(range(5, NIGHTS)),
    "all": [*range(NIGHTS)],
}


def at(one: Night, wrong: timedelta) -> Night:
    return replace(one, started_at=(datetime.fromisoformat(one.started_at) + wrong).isoformat(timespec="seconds"))


def written(which: list[int], wrong: timedelta, *, numbered: bool = True) -> list[Night]:
    """Write a quiet history in which the clock was wrong in some nights; older versions did not number them."""
    nights = [
        replace(at(one, wrong) if place in which else one, number=place + 1 if numbered else 0)
        for place, one in enumerate(quiet_history(NIGHTS).nights)
    ]
    for one in nights:
        history.write_night(HISTORY, one)
    return nights


def judged_tonight(level: float) -> Night:
    """Judge a night whose model is another, with pairs that show the level."""
    known = history.read(HISTORY)
    tonight = replace(
        night(NIGHTS, entry(slower(level), components=STACK | {"model": "m2"})), number=following(known.nights)
    )
    screened = examine(tonight, known)
    assert len(screened[0].past.nights) == NIGHTS
    return judge(tonight, screened, {NAME: paired_times(level)})


@pytest.mark.parametrize("which", WHICH.values(), ids=WHICH)
@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_a_model_four_times_slower_is_found_whatever_the_clock_said_before(wrong: timedelta, which: list[int]) -> None:
    nights = written(which, wrong)
    assert [one.id for one in history.read(HISTORY).nights] == [one.id for one in nights]
    assert judged_tonight(3.0).entries[0].verdict == Outcome.REGRESSION


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_nights_without_numbers_come_before_tonight_too(wrong: timedelta) -> None:
    written([NIGHTS - 1], wrong, numbered=False)
    assert judged_tonight(3.0).entries[0].verdict == Outcome.REGRESSION


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_tonight_is_the_last_night_that_is_reported_and_accepted_though_its_clock_is_wrong(wrong: timedelta) -> None:
    written([], timedelta())
    tonight = at(judged_tonight(3.0), wrong)
    history.write_night(HISTORY, replace(tonight, entries=tuple(replace(one, pin="p") for one in tonight.entries)))
    bulletin = nightly.report(HISTORY)
    assert (bulletin.night.id, bulletin.night.entries[0].verdict) == (tonight.id, Outcome.REGRESSION)
    assert nightly.accept(HISTORY, "meant").night == tonight.id


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_the_acceptance_that_was_made_last_counts(wrong: timedelta) -> None:
    nights = written([], timedelta())
    first = datetime.now(UTC) + wrong
    history.write_acceptance(
        HISTORY,
        Acceptance(
            id="a", accepted_at=first.isoformat(timespec="seconds"), night=nights[3].id, configurations=(), reason="r",
            number=1,
        ),
    )  # fmt: skip
    nightly.accept(HISTORY, "the later one", nights[7].id)
    assert [one.night for one in history.read(HISTORY).acceptances] == [nights[3].id, nights[7].id]


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_the_samples_of_the_last_nights_are_kept(wrong: timedelta) -> None:
    nights = written([NIGHTS - 1], wrong)
    for one in nights:
        history.begin(HISTORY, one)
    history.prune(HISTORY, history.read(HISTORY).nights, keep_nights=2)
    assert {path.name for path in (HISTORY / history.RAW).iterdir()} == {one.stem for one in nights[-2:]}


NULL = Sweep(
    name="nightly", models=(Model(name="null", resolutions=(1,)),), targets=("null",), dataset="null", weights="none"
)
SINCE = {"an hour ago": -1, "in eleven hours, by a clock that stepped back": 11, "eleven hours ago": -11}
LONG_SINCE = {"yesterday": -24, "a month ahead": 24 * 31, "in 1970": -24 * 365 * 50}


def begun(hours: int) -> Night:
    """Begin a night that is never ended."""
    night, _ = begin_night(HISTORY, NULL, history.read(HISTORY))
    moved = at(night, timedelta(hours=hours))
    (HISTORY / history.RAW / night.stem).rename(HISTORY / history.RAW / moved.stem)
    sweeps.write_sweep(history.begin(HISTORY, moved), NULL)
    return moved


@pytest.mark.parametrize("hours", SINCE.values(), ids=SINCE)
def test_a_night_that_was_killed_lately_goes_on(hours: int) -> None:
    killed = begun(hours)
    assert begin_night(HISTORY, NULL, history.read(HISTORY))[0] == killed
    assert begin_night(HISTORY, replace(NULL, batches=(2,)), history.read(HISTORY))[0].id != killed.id


@pytest.mark.parametrize("hours", LONG_SINCE.values(), ids=LONG_SINCE)
def test_a_night_that_was_killed_long_ago_does_not(hours: int) -> None:
    assert begun(hours).id != begin_night(HISTORY, NULL, history.read(HISTORY))[0].id


def test_a_night_does_not_go_on_after_a_later_one() -> None:
    killed = begun(-1)
    history.write_night(HISTORY, replace(night(1, entry()), number=killed.number))
    assert begin_night(HISTORY, NULL, history.read(HISTORY))[0].number == killed.number + 1


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("gcc"), reason="needs gcc")
def test_a_monotonic_clock_that_steps_back_gives_a_reason_and_no_number(tmp_path: Path) -> None:
    library, source = tmp_path / "world.so", Path(__file__).parents[1] / "support" / "world.c"
    subprocess.run(["gcc", "-O1", "-shared", "-fPIC", source, "-ldl", "-o", library], check=True)
    request = {"do": "measure", "purpose": "latency", "reference": "compute", "iterations": 1500, "warmup_s": 0.0}
    rest = {"warmup_iterations": 1, "least_iterations": 1, "most_iterations": 1}
    reasons = []
    for after in (1, 2600, 10**9):  # before, while and after it measures
        world = {"LD_PRELOAD": str(library), "STEP_AFTER": str(after), "STEP_BACK": "3600"}
        done = subprocess.run(
            [sys.executable, "-I", bundle()[0]], input=json.dumps(request | rest).encode(), capture_output=True,
            env=os.environ | world, check=False,
        )  # fmt: skip
        try:
            assert min(read_answer(done.stdout, done.stderr, done.returncode)["samples_s"]) > 0
        except AgentError as error:
            reasons.append(str(error))
    assert reasons == [
        "RuntimeError: this target's monotonic clock stepped back during the measurement; run the same command again"
    ]

"""Two sessions of the same code are not called slower or faster for what the machine did between them."""

from __future__ import annotations

from math import exp, log, sqrt
from pathlib import Path
from random import Random

import pytest

from edgebench.analysis import compare
from edgebench.analysis.compare.folders import Contrast, contrast, sessions
from edgebench.analysis.compare.pairing import Pair, scatter, spread
from edgebench.foundation import stats
from edgebench.foundation.stats import Ratio
from edgebench.results.journal import Journal
from edgebench.schema.case import Case, Workload
from edgebench.schema.record import Beats, Deployment, Reference, Run
from tests.conftest import artifact, case, run, session, variant

WIDTHS = tuple(number / 10 for number in range(1, 17))
CASES = tuple(case(variant(width=width)) for width in WIDTHS)
BEAT_S, PROCESSES = 2e-4, 8
REFERENCES = {Workload.COMPUTE: 2e-3, Workload.MEMORY: 5e-3}


def measured(
    folder: Path,
    seed: int,
    *,
    machine: float = 1.0,
    session_spread: float = 0.0,
    beats: bool = True,
    slower: float = 1.0,
    changed: int = len(CASES),
    memory: float = 1.0,
    load: float = 1.0,
) -> Path:
    """A folder of 16 cases: processes scatter by 0.5 %, the machine's speed and each session's own luck are given.

    The first `changed` cases are slower; the reference workload that waits for memory takes `memory` times as long. The
    processes of the workloads meet other work that slows them, and the beats in them, to `load` times their time; their
    beats are not recorded if there is none.
    """
    folder.mkdir()
    journal, draw = Journal(folder), Random(seed)
    journal.append(session(*CASES))
    for number, one in enumerate(CASES):
        journal.append(Deployment(case=one, session="s1", epoch="e1", artifact=artifact()))
        level = (
            1e-3 * (number + 1) * (slower if number < changed else 1.0) * machine * exp(draw.gauss(0, session_spread))
        )
        for process in range(PROCESSES):
            journal.append(_run(one, level * exp(draw.gauss(0, 0.005)), process, machine if beats else 0.0))
    for workload, took_s in REFERENCES.items():
        alone = memory if workload == Workload.MEMORY else 1.0
        level = took_s * machine * alone * exp(draw.gauss(0, session_spread))
        for process in range(PROCESSES):
            of = Reference(workload=workload, target="cpu")
            taken = _beats(machine * load) if beats and load != 1.0 else None
            took_s = level * load * exp(draw.gauss(0, 0.002))
            journal.append(run(took_s, case=of, artifact_sha256="", round=process, beats=taken))
    return folder


def _run(of: Case, took_s: float, process: int, beat: float) -> Run:
    return run(took_s, case=of, round=process, beats=_beats(beat) if beat else None)


def _beats(machine: float) -> Beats:
    return Beats(workload="b", every=20, took_s=(BEAT_S * machine,) * 2)


def called(found: Contrast, *verdicts: str) -> int:
    return sum(pair.verdict in verdicts for pair in found.pairs)


@pytest.mark.lengthy
@pytest.mark.parametrize("machine", [0.8, 0.97, 1.0, 1.03, 1.3])
@pytest.mark.parametrize("beats", [True, False])
def test_a_machine_that_was_slower_makes_hardly_a_case_slower(machine: float, beats: bool, place: Path) -> None:
    """Of 16 rows, each of which has an interval of 95 %."""
    first = measured(place / "a", 1, beats=beats)
    second = measured(place / "b", 2, beats=beats, machine=machine)
    found = contrast(first, second)
    assert len(found.pairs) == 16
    assert called(found, "slower", "faster") <= 1
    assert all(bool(pair.in_beats) == beats for pair in found.pairs)


@pytest.mark.lengthy
@pytest.mark.parametrize("cases", [5, 8, 16])
@pytest.mark.parametrize("luck", [0.0, 0.005, 0.03])
def test_of_many_comparisons_at_most_one_row_in_twenty_is_called_different(cases: int, luck: float) -> None:
    """Sessions whose networks and reference workloads each have luck of their own; processes scatter by 2 %."""
    draw, wrong, trials = Random(1), 0, 400
    for _ in range(trials):
        workloads = [exp(draw.gauss(0, luck * sqrt(2))) for _ in Workload]
        changes = [_changed(draw, luck) for _ in range(cases)]
        varies = sessions(workloads, [log(change.value) for change in changes])
        wrong += sum(bare_pair(change, varies).verdict != "=" for change in changes)
    assert wrong / (trials * cases) <= 0.06


def _changed(draw: Random, luck: float) -> Ratio:
    """What a case changed by between two sessions of eight processes."""
    levels = draw.gauss(0, luck), draw.gauss(0, luck)
    before, after = ([level + draw.gauss(0, 0.02) for _ in range(8)] for level in levels)
    low, middle, high = stats.shift(before, after) or (0.0, 0.0, 0.0)
    return Ratio(value=exp(middle), low=exp(low), high=exp(high))


def bare_pair(change: Ratio, varies: float) -> Pair:
    return Pair(name="", before_ms=1.0, after_ms=1.0, ratio=None, in_beats=change, sessions=varies)


@pytest.mark.lengthy
def test_of_sessions_with_luck_of_their_own_hardly_a_case_is_called_either(place: Path) -> None:
    """Two by two, 6 times: the interval within a session would call most of 96 rows one or the other."""
    wrong = 0
    for trial in range(6):
        first = measured(place / f"a{trial}", 2 * trial, session_spread=0.03)
        second = measured(place / f"b{trial}", 2 * trial + 1, session_spread=0.03, machine=1.05)
        wrong += called(contrast(first, second), "slower", "faster")
    assert wrong / 96 < 0.15


@pytest.mark.lengthy
@pytest.mark.parametrize("slower", [1.1, 0.9])
def test_what_really_changed_is_still_seen(slower: float, place: Path) -> None:
    found = contrast(measured(place / "a", 1), measured(place / "b", 2, machine=1.2, slower=slower))
    assert called(found, "slower" if slower > 1 else "faster") == 16


@pytest.mark.lengthy
@pytest.mark.parametrize(("changed", "memory"), [(1, 0.8), (4, 1.2), (7, 0.8), (8, 1.0), (16, 1.0), (16, 1.2)])
@pytest.mark.parametrize("slower", [1.05, 0.95])
def test_five_per_cent_of_some_cases_are_seen_also_where_memory_was_faster_or_slower(
    changed: int, memory: float, slower: float, place: Path
) -> None:
    first = measured(place / "a", 1)
    found = contrast(first, measured(place / "b", 2, slower=slower, changed=changed, machine=1.1, memory=memory))
    verdicts = [pair.verdict for pair in found.pairs]
    assert set(verdicts[:changed]) == {"slower" if slower > 1 else "faster"}
    assert verdicts[changed:].count("=") >= 15 - changed


@pytest.mark.lengthy
def test_with_few_cases_the_references_alone_say_what_sessions_vary_by(place: Path) -> None:
    first, second = measured(place / "a", 1), measured(place / "b", 2, memory=1.2)
    whole = contrast(first, second)
    assert scatter([0.0, 0.01, -0.01, 0.02, 0.0]) is None
    assert sessions([ratio.value for name, ratio in whole.references if not name.startswith("beat")]) > 0.3
    assert whole.pairs[0].sessions < 0.03


@pytest.mark.lengthy
def test_other_work_beside_the_processes_of_the_references_alone_hides_no_change(place: Path) -> None:
    """It slows the beats in these processes, too, so that the workloads take as many beats as before."""
    first = measured(place / "a", 1, load=1.0001)
    quiet, busy = (measured(place / f"b{load}", 2, slower=1.05, load=load) for load in (1.0001, 1.3))
    found = contrast(first, busy)
    assert dict(found.references)["compute"].value == pytest.approx(1.3, rel=0.02)
    assert found.pairs[0].sessions == pytest.approx(contrast(first, quiet).pairs[0].sessions, rel=0.01)
    assert called(found, "slower") == 16


@pytest.mark.parametrize("count", [6, 7, 8, 11, 16, 40])
def test_the_scatter_of_cases_is_a_prediction_of_one_that_did_not_change(count: int) -> None:
    draw, within, trials = Random(1), 0, 1000
    for _ in range(trials):
        within += abs(draw.gauss(0, 0.01)) <= (scatter([draw.gauss(0.05, 0.01) for _ in range(count)]) or 0.0)
    assert within / trials == pytest.approx(0.95, abs=0.02) or (count > 19 and within / trials > 0.95)


@pytest.mark.lengthy
def test_the_raw_ratio_stands_beside_and_the_note_says_what_an_interval_covers(place: Path) -> None:
    found = contrast(measured(place / "a", 1), measured(place / "b", 2, machine=1.2))
    cases, _ = compare.sheets(found)
    assert cases.headings == ("case", "A p50 ms", "B p50 ms", "B / A", "[95 %]", "in beats", "beats [95 %]", "verdict")
    assert all(pair.ratio and pair.ratio.value == pytest.approx(1.2, rel=0.02) for pair in found.pairs)
    assert all(pair.in_beats and pair.in_beats.value == pytest.approx(1.0, rel=0.02) for pair in found.pairs)
    assert any("covers the scatter of processes within each session" in note for note in cases.notes)


@pytest.mark.lengthy
def test_the_spread_is_a_prediction_of_one_more(place: Path) -> None:
    draw = Random(1)
    for count in (1, 2, 3, 5):
        within = 0
        for _ in range(4000):
            *known, another = (exp(draw.gauss(0, 0.02)) for _ in range(count + 1))
            within += abs(log(another)) <= spread(known)
        assert within / 4000 == pytest.approx(0.95, abs=0.015)
    assert spread([]) == 0.0

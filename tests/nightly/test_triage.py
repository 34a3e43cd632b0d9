"""Every change of a night has a state: news once, then a reminder, until it is accepted, mended or comes back."""

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from edgebench import nightly
from edgebench.nightly import history as files
from edgebench.nightly.bulletins import annotations, junit, markdown, page
from edgebench.nightly.night import Acceptance, Change, Decision, Entry, History, Night, Outcome, State
from edgebench.nightly.summary import bulletin
from tests.support.command import cli
from tests.support.nights import entry, night, quiet_history

SLOWER = Change(
    figure="latency", verdict=Outcome.REGRESSION, before=1e-3, after=1.1e-3, change=0.1, low=0.09, high=0.11, p=1e-7,
    pairs=20,
)  # fmt: skip
LARGER = Change(figure="file size", verdict=Outcome.REGRESSION, before=2**20, after=2**21, change=1.0)
FASTER = replace(SLOWER, verdict=Outcome.IMPROVEMENT, after=0.9e-3, change=-0.1)
WORSE = Change(figure="accuracy", verdict=Outcome.REGRESSION, before=0.972, after=0.957, change=-0.015)
PAST = quiet_history(3, ["net"])
ERA = PAST.nights[0].id
UPGRADED = {"runtime": "onnxruntime 1.31", "model": "0123456789ab"}


def changed(*findings: Change, name: str = "net", since: str = ERA, changed: tuple[str, ...] = ()) -> Entry:
    """An entry with these findings, judged against the night `since`."""
    verdict = max((one.verdict for one in findings), key=lambda one: one.severity, default=Outcome.OK)
    return entry(
        name=name, verdict=verdict, components=UPGRADED, findings=findings, since=since, changed=changed
    )  # fmt: skip


def then(*entries: Entry | None, past: History = PAST) -> History:
    """A history that goes on with one night per entry; None is a night without it."""
    first = len(past.nights)
    nights = [night(first + n, *([one] if one else [])) for n, one in enumerate(entries)]
    return replace(past, nights=(*past.nights, *nights))


def decided(history: History, state: State, at: int = -1, number: int = 1, **fields: str) -> History:
    decision = Decision(
        id=f"d{number}", decided_at="2026-02-01T00:00:00+00:00", night=history.nights[at].id, configurations=("net",),
        state=state, number=number, **fields,
    )  # fmt: skip
    return replace(history, decisions=(*history.decisions, decision))


def states(history: History) -> list[tuple[str, str, int]]:
    (line,) = bulletin(history).lines
    return [(one.change.figure, str(one.state), one.nights) for one in line.episodes]


GONE = changed()
LOST = replace(changed(), verdict=Outcome.MISSING)


@pytest.mark.parametrize(
    ("nights", "expected"),
    [
        ((changed(SLOWER),), [("latency", "new", 1)]),
        ((changed(SLOWER), changed(SLOWER)), [("latency", "open", 2)]),
        ((changed(SLOWER), LOST, changed(SLOWER)), [("latency", "open", 2)]),
        ((changed(SLOWER), None, changed(SLOWER)), [("latency", "open", 2)]),
        ((changed(SLOWER), changed(SLOWER, LARGER)), [("latency", "open", 2), ("file size", "new", 1)]),
        ((changed(SLOWER), GONE), [("latency", "mended", 1)]),
        ((changed(SLOWER), LOST, GONE), [("latency", "mended", 1)]),
        ((changed(SLOWER), GONE, GONE), []),
        ((changed(SLOWER), GONE, changed(SLOWER)), [("latency", "new", 1)]),
        ((changed(SLOWER), changed(FASTER)), [("latency", "new", 1)]),
        ((changed(FASTER), GONE), []),
        ((changed(SLOWER, since="earlier"), changed(SLOWER)), [("latency", "new", 1)]),
        ((changed(SLOWER, since="earlier"), GONE), []),
        ((GONE,), []),
    ],
)
def test_a_change_is_news_once_and_ends_when_it_is_gone(
    nights: tuple[Entry | None, ...], expected: list[tuple[str, str, int]]
) -> None:
    assert states(then(*nights)) == expected


@pytest.mark.parametrize("state", [State.ACKNOWLEDGED, State.ASSIGNED, State.INVALID])
def test_a_decision_lasts_as_long_as_its_change(state: State) -> None:
    first = decided(then(changed(SLOWER)), state, reason="known", link="https://example.org/7")
    assert states(first) == [("latency", str(state), 1)]
    lasting = then(changed(SLOWER), past=first)
    assert states(lasting) == [("latency", str(state), 2)]
    assert states(then(GONE, changed(SLOWER), past=lasting)) == [("latency", "new", 1)]
    found = bulletin(lasting)
    assert (nightly.exit_code(found), found.needs_attention) == (0, [])
    (reminder,) = found.reminders
    assert reminder.startswith("net: latency +10.0% (1.000 ms -> 1.100 ms), ")
    assert "known https://example.org/7" in reminder


def test_the_last_decision_counts_whatever_the_clock_said() -> None:
    first = decided(then(changed(SLOWER)), State.INVALID, number=1)
    later = replace(decided(first, State.ASSIGNED, number=2, person="Ana").decisions[-1], decided_at="1970-01-01")
    assert states(replace(first, decisions=(*first.decisions, later))) == [("latency", "assigned", 1)]


def test_an_open_regression_is_a_reminder_that_still_fails() -> None:
    found = bulletin(then(changed(SLOWER), changed(SLOWER)))
    assert found.headline == "1 still open of 1 configuration"
    assert nightly.exit_code(found) == 1
    assert "open, since 2026-01-04" in found.reminders[0]


def accepted(history: History, at: int) -> History:
    acceptance = Acceptance(
        id="a", accepted_at="2026-02-01T00:00:00+00:00", night=history.nights[at].id, configurations=(), reason="meant"
    )
    return replace(history, acceptances=(acceptance,))


@pytest.mark.parametrize("nights", [(changed(SLOWER),), (changed(SLOWER), changed(SLOWER))])
@pytest.mark.parametrize("findings", [(SLOWER,), (SLOWER, LARGER, WORSE)])
def test_after_an_acceptance_every_report_is_green_at_once(
    nights: tuple[Entry, ...], findings: tuple[Change, ...]
) -> None:
    nights = tuple(replace(one, findings=findings) for one in nights)
    found = bulletin(accepted(then(*nights), 3))
    assert found.headline == "nothing changed: 1 configuration"
    assert (nightly.exit_code(found), found.reminders, found.causes) == (0, [], [])
    assert annotations.render(found) == ""
    assert 'failures="0"' in junit.render(found)
    assert "accepted: meant" in page.render(found)
    assert "REGRESSION" not in markdown.render(found)


def test_an_acceptance_of_other_components_leaves_a_regression_red() -> None:
    other = replace(changed(SLOWER), components={"runtime": "onnxruntime 1.30"})
    found = bulletin(accepted(then(other, changed(SLOWER)), 3))
    assert nightly.exit_code(found) == 1


def test_what_one_cause_changed_is_one_sentence_with_the_latency_first_and_without_hashes() -> None:
    upgrade = ("model: aaaaaaaaaaaa -> bbbbbbbbbbbb", "runtime: onnxruntime 1.30 -> onnxruntime 1.31")
    entries = [
        changed(WORSE, replace(SLOWER, change=0.04), name="a", changed=upgrade),
        changed(replace(SLOWER, change=0.12), name="b", changed=upgrade),
        changed(FASTER, name="c", changed=upgrade),
        changed(LARGER, name="d"),
    ]
    found = bulletin(replace(PAST, nights=(*PAST.nights, night(3, *entries))))
    assert found.causes == [
        "model; runtime: onnxruntime 1.30 -> onnxruntime 1.31: 2 slower (+4.0% to +12.0%), 1 faster (-10.0%),"
        " 1 less accurate (-1.5 points)",
        "no component changed: 1 with a larger file (+100.0%)",
    ]
    assert found.lines[0].entry.name == "b"
    assert [change.figure for change in next(line for line in found.lines if line.entry.name == "a").findings] == [
        "latency",
        "accuracy",
    ]
    written = markdown.render(found)
    assert "97.2% -> 95.7%" not in written  # the worst of "a" is its latency
    assert "1.00 MiB -> 2.00 MiB" in written
    assert "aaaaaaaaaaaa" not in written
    assert "aaaaaaaaaaaa" in page.render(found)


CLOCKS = {
    "a month ahead for one night": ("2026-01-01", "2026-02-15", "2026-01-03"),
    "lost": ("2026-01-01", "1970-01-01", "2026-01-03"),
    "lost for ever": ("2026-01-01", "1970-01-01", "1970-01-01"),
}


def dated(date: str, number: int, entry: Entry) -> Night:
    return replace(night(number, entry), started_at=f"{date}T02:00:00+00:00", number=number, id=f"{number:012x}")


@pytest.mark.parametrize("dates", CLOCKS.values(), ids=CLOCKS)
@pytest.mark.parametrize("place", [1, 2])
def test_tonight_is_the_night_with_the_last_number_whatever_the_clocks_said(
    dates: tuple[str, ...], place: int, tmp_path: Path
) -> None:
    for n, date in enumerate(dates[: place + 1]):
        one = changed(SLOWER, since=f"{1:012x}") if n == place else GONE
        files.write_night(tmp_path, dated(date, n + 1, one))
    found = nightly.report(tmp_path)
    assert [line.entry.verdict for line in found.lines] == [Outcome.REGRESSION]
    assert [str(line.episodes[0].state) for line in found.lines] == ["new"]
    is_back = any(later < former for former, later in pairwise(dates[: place + 1]))
    assert any("a clock was wrong" in note for note in found.notes) == is_back


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """A history in files whose last night has two regressions and one improvement."""
    entries = [changed(SLOWER, name="v1/fp32 cpu"), changed(LARGER, name="v1/int8 cpu"), changed(FASTER, name="v2")]
    for one in (*PAST.nights, night(3, *entries)):
        files.write_night(tmp_path, one)
    return tmp_path


@pytest.mark.lengthy
@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        (["ack", "v1/fp32 cpu"], {"v1/fp32 cpu": "acknowledged"}),
        (
            ["ack", "v1", "--link", "https://example.org"],
            {"v1/fp32 cpu": "acknowledged", "v1/int8 cpu": "acknowledged"},
        ),
        (["assign", "*int8*", "--to", "Ana"], {"v1/int8 cpu": "assigned to Ana"}),
        (["invalid", "fp32", "--reason", "throttled"], {"v1/fp32 cpu": "invalid: throttled"}),
    ],
)
def test_commands_decide_and_write_the_reports_again(kept: Path, arguments: list[str], meant: dict[str, str]) -> None:
    assert cli("nightly", *arguments, "--history", str(kept)).returncode == 0
    found = nightly.report(kept)
    assert {
        line.entry.name: line.states.partition(", since")[0].partition(": https")[0] for line in found.known
    } == meant
    document = json.loads((kept / "night.json").read_text())
    assert all(document["changes"][name][0]["decision"] for name in meant)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["ack", "v3"], "no changed configuration of the last night matches 'v3'; changed were: v1/fp32 cpu; v1/int8"),
        (["assign", "v1", "--to", " "], "assigning a change needs a person"),
        (["invalid", "v1", "--reason", ""], "marking a change as invalid needs a reason"),
        (["ack", "v1", "--history", "nowhere"], "no night in nowhere"),
    ],
)
def test_what_cannot_be_decided_is_one_line(kept: Path, arguments: list[str], words: str) -> None:
    at = [] if "--history" in arguments else ["--history", str(kept)]
    answer = cli("nightly", *arguments, *at)
    assert answer.returncode == 2
    (line,) = answer.stderr.splitlines()
    assert words in line


def test_a_damaged_decision_is_left_out_and_named(kept: Path) -> None:
    assert cli("nightly", "ack", "v1", "--history", str(kept)).returncode == 0
    (path,) = (kept / files.DECIDED).iterdir()
    path.write_text("{")
    found = nightly.report(kept)
    assert any(f"{path.name}: skipped: this file is no decision" in note for note in found.notes)
    assert len(found.needs_attention) == 3

"""The gate of a pull request: a revision measured in a checkout of its own, then the working tree, and the comment."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from edgebench.analysis.compare import gate as folders_gate
from edgebench.analysis.compare.folders import Contrast
from edgebench.analysis.compare.pairing import Pair
from edgebench.foundation.errors import RequestError
from edgebench.foundation.progress import Notice, Step
from edgebench.foundation.sheet import as_json
from edgebench.foundation.stats import Ratio
from edgebench.nightly import gate, history, selection
from edgebench.nightly.night import Change, History, Outcome
from edgebench.nightly.summary import bulletin
from edgebench.nightly.tonight import LEFT_OUT
from edgebench.schema.case import Case
from edgebench.schema.runtime import Runtime
from edgebench.schema.variant import Precision, Variant
from tests import ROOT
from tests.cli.test_json import documented, objects
from tests.support.command import cli
from tests.support.nights import entry, night, quiet_history

SLOWER = Change(figure="latency", verdict=Outcome.REGRESSION, before=1e-3, after=1.1e-3, change=0.1, p=1e-7, pairs=20)
SWEEP = """targets = ["cpu"]
runtimes = ["null"]
precisions = ["fp32"]
resolutions = [1]
weights = "none"
dataset = "null"
preset = "quick"
[[models]]
name = "null"
"""


def git(*arguments: str) -> None:
    named = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    subprocess.run(["git", *named, *arguments], check=True, capture_output=True)


@pytest.fixture
def repository(place: Path) -> Path:
    """A repository with a sweep in a folder below its top; the working folder is that folder."""
    (place / "bench").mkdir()
    (place / "bench" / "nightly.toml").write_text(SWEEP, encoding="utf-8")
    git("init", "-q", "-b", "main", str(place))
    git("-C", str(place), "add", "bench")
    git("-C", str(place), "commit", "-qm", "base")
    return place / "bench"


def changed(count: int) -> History:
    names = [f"net-{n}" for n in range(5)]
    past = quiet_history(2, names)
    entries = [
        entry(name=name, verdict=Outcome.REGRESSION, findings=(SLOWER,), since=past.nights[0].id)
        if n < count
        else entry(name=name, since=past.nights[0].id)
        for n, name in enumerate(names)
    ]
    return replace(past, nights=(*past.nights, night(2, *entries)))


@pytest.mark.parametrize(("count", "named", "rest"), [(0, 0, ""), (2, 2, ""), (5, 3, "- and 2 more, see `summary.md`")])
def test_a_comment_names_the_first_three_configurations(count: int, named: int, rest: str) -> None:
    lines = gate.comment(bulletin(changed(count)), "main").splitlines()
    assert lines[0].startswith("**edgebench: " + (f"{count} REGRESSION of 5" if count else "nothing changed: 5"))
    assert "Compared with `main`" in lines[0]
    told = [line for line in lines if "latency +10.0% (1.000 ms -> 1.100 ms)" in line]
    assert len(told) == named
    assert [line for line in lines if line.startswith("- and")] == ([rest] if rest else [])


@pytest.mark.parametrize(
    ("revision", "reason"),
    [("nosuch", "no revision 'nosuch'"), ("--help", "no revision"), ("main:bench", "no revision")],
)
def test_a_revision_that_does_not_exist_is_refused(
    repository: Path, monkeypatch: pytest.MonkeyPatch, revision: str, reason: str
) -> None:
    monkeypatch.chdir(repository)
    with pytest.raises(RequestError, match=reason) as refusal:
        gate.place_of(gate.Request(sweep="nightly.toml", revision=revision, folder=Path("out")))
    assert "\n" not in str(refusal.value)


def test_outside_of_a_repository_it_is_refused(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(place.parent))
    with pytest.raises(RequestError, match="not a git repository"):
        gate.place_of(gate.Request(sweep="nightly.toml", revision="main", folder=Path("out")))


def test_a_time_limit_names_what_it_left_out() -> None:
    past = changed(1)
    *earlier, last = past.nights
    note = f"{LEFT_OUT}: net-5; net-6"
    past = replace(past, nights=(*earlier, replace(last, notes=(note, "another note"))))
    lines = gate.comment(bulletin(past), "main").splitlines()
    assert lines[-1] == note


def test_a_part_of_a_revision_has_a_folder_of_its_own(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(repository)
    request = gate.Request(sweep="nightly.toml", revision="main", folder=Path("out"))
    whole = gate.place_of(request)
    part = gate.place_of(replace(request, limit_s=600.0))
    assert part.name == f"{whole.name}-600s"
    history.write_night(whole, night(1, entry()))
    assert gate.place_of(replace(request, limit_s=600.0)) == whole  # the whole sweep was measured before
    assert gate.measured(whole) == (entry().name,)
    assert gate.measured(part) == ()


def cases() -> list[Case]:
    """Three networks with two runtimes and two numbers of threads, at two widths."""
    return [
        Case(
            variant=Variant(
                architecture=network,
                width=width,
                resolution=32,
                classes=10,
                precision=Precision.FP32,
                weights="none",
                dataset="null",
            ),
            runtime=Runtime(name=runtime, version="1"),
            target="cpu",
            threads=threads,
            batch=1,
        )
        for network in ("a", "b", "c")
        for width in (0.5, 1.0)
        for runtime in ("engine", "other")
        for threads in (1, 2)
    ]


def test_the_most_informative_configurations_come_first() -> None:
    first = selection.ordered(cases())
    assert sorted(map(str, first)) == sorted(map(str, cases()))
    assert {case.variant.architecture for case in first[:3]} == {"a", "b", "c"}
    assert {case.runtime.name for case in first[:2]} == {"engine", "other"}
    assert {case.threads for case in first[:2]} == {1, 2}
    assert {case.variant.width for case in first[:2]} == {0.5, 1.0}


@pytest.mark.parametrize(("limit_s", "count"), [(0.5, 0), (3.0, 3), (3.9, 3), (1e9, 24)])
def test_as_many_configurations_as_fit_are_kept(limit_s: float, count: int) -> None:
    chosen, took_s = selection.fitting(cases(), limit_s, len)
    assert (len(chosen), took_s) == (count, float(count))


def test_a_large_configuration_leaves_room_for_smaller_ones() -> None:
    def seconds(chosen: Sequence[Case]) -> float:
        return sum(100.0 if case.variant.architecture == "a" else 1.0 for case in chosen)

    chosen, took_s = selection.fitting(cases(), 10.0, seconds)
    assert {case.variant.architecture for case in chosen} == {"b", "c"}
    assert took_s == 10.0


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--base", "main"], "wanted a nightly sweep such as nightly.toml, or --head"),
        (["nightly.toml", "--base", "a", "--head", "b"], "wanted --base and --head alone"),
        (["--base", "a", "--head", "b", "--time-limit", "5m"], "wanted --base and --head alone"),
        (["--base", "a", "--head", "b"], "no runs.jsonl in a"),
        (["nightly.toml", "--base", "main", "--time-limit", "soon"], "wanted a time such as 90s"),
    ],
)
def test_an_impossible_gate_is_one_line(repository: Path, arguments: list[str], reason: str) -> None:
    done = cli("gate", *arguments)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert reason in line


def pair(name: str, ratio: float, sessions: float = 0.01) -> Pair:
    beats = Ratio(value=ratio, low=ratio * 0.98, high=ratio * 1.02)
    return Pair(name=name, before_ms=1.0, after_ms=ratio, ratio=None, in_beats=beats, sessions=sessions)


UNJUDGED = Pair(name="few", before_ms=1.0, after_ms=1.0, ratio=None, why="too few processes for an interval")


@pytest.mark.parametrize(
    ("pairs", "missing", "headline", "code"),
    [
        ((pair("a", 1.0), pair("b", 1.01)), (), "nothing changed: 2 configurations", 0),
        ((pair("a", 1.0), pair("b", 1.3), pair("c", 0.7)), (), "1 REGRESSION, 1 IMPROVEMENT of 3 configurations", 1),
        ((pair("a", 0.5),), (), "1 IMPROVEMENT of 1 configuration", 0),
        ((pair("a", 1.0), UNJUDGED), (), "1 INVALID of 2 configurations", 3),
        ((pair("a", 1.0),), ("b",), "1 MISSING of 2 configurations", 3),
        ((pair("a", 1.3),), ("b",), "1 REGRESSION, 1 MISSING of 2 configurations", 1),
        ((pair("a", 1.3, sessions=0.5),), (), "nothing changed: 1 configuration", 0),
        ((), ("a", "b"), "2 MISSING of 2 configurations", 3),
    ],
)
def test_two_folders_are_judged_with_the_exit_codes_of_a_night(
    pairs: tuple[Pair, ...], missing: tuple[str, ...], headline: str, code: int
) -> None:
    found = Contrast(before="main", after="pr", pairs=pairs, missing=missing, new=(), differences=(), references=())
    assert folders_gate.headline(found) == headline
    assert folders_gate.exit_code(found) == code
    assert folders_gate.comment(found).startswith(f"**edgebench: {headline}.** Compared with `main`")
    keys = {key for each in objects(json.loads(as_json("gate", folders_gate.fields(found)))) for key in each}
    assert not keys - documented("gate")


def test_a_comment_on_folders_names_the_largest_slowdowns_first() -> None:
    pairs = tuple(pair(f"net-{n}", 1.1 + n / 10) for n in range(5))
    found = Contrast(before="main", after="pr", pairs=pairs, missing=("gone",), new=(), differences=(), references=())
    _, *lines = folders_gate.comment(found).split("\n- ")
    assert [line.split(":")[0] for line in lines[:3]] == [f"**REGRESSION** net-{n}" for n in (4, 3, 2)]
    assert "latency +50.0% [+47.0%, +53.0%] (1.000 ms -> 1.500 ms)" in lines[0]
    assert lines[3].strip() == "and 3 more, see `edgebench compare`"


@pytest.mark.lengthy
def test_recorded_folders_are_compared_by_the_command() -> None:
    folder = str(ROOT / "results" / "x86_vm")
    done = cli("gate", "--base", folder, "--head", folder)
    assert done.returncode in (0, 3)
    assert done.stdout.startswith("**edgebench: ")
    assert "REGRESSION" not in done.stdout
    document = json.loads(cli("gate", "--base", folder, "--head", folder, "--json").stdout)
    assert document["command"] == "gate"


def test_the_head_begins_with_the_night_of_the_base_and_forgets_an_earlier_head(tmp_path: Path) -> None:
    history.write_night(tmp_path / "abc", night(1, entry()))
    history.write_night(tmp_path / "head", night(5, entry()))
    head = gate.begin_head(tmp_path / "abc")
    assert [each.id for each in history.read(head).nights] == [night(1).id]


def test_the_time_left_is_that_of_both_nights() -> None:
    shown, now = list[Step | Notice](), 0.0
    both = gate.BothNights(show=shown.append, clock=lambda: now)
    for now, left_s in ((0.0, 60.0), (40.0, 20.0), (60.0, 45.0)):
        both.is_last = now == 60.0
        both(Step(activity="measure", subject="a case", left_s=left_s, share=0.5))
    steps = [event for event in shown if isinstance(event, Step)]
    assert [step.left_s for step in steps] == [120.0, 80.0, 45.0]
    assert [step.share for step in steps] == [0.0, 40 / 120, 60 / 105]


@pytest.mark.slow
def test_the_base_is_measured_once_in_its_own_checkout_and_the_working_tree_against_it(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repository)
    (repository / "nightly.toml").write_text(
        SWEEP + "[[limits]]\nfigure = 'file size'\nbudget = '1 B'\n", encoding="utf-8"
    )
    done = cli("gate", "nightly.toml", "--base", "HEAD", "--json")
    if done.returncode == 2:  # the machine was too busy for a valid base
        pytest.skip(done.stderr)
    assert re.search("^measure base: 1 case, round 1, .* left$", done.stderr, re.MULTILINE)
    assert re.search("^measure 1 case, round 1, .* left$", done.stderr, re.MULTILINE)
    night = json.loads(done.stdout)
    assert (night["command"], night["nights"]) == ("gate", 2)
    (base,) = [path for path in Path("results/gate").iterdir() if path.name != "head"]
    assert len(history.read(base).nights) == 1
    assert night["configurations"][0]["over_budget"]  # the limit that only the working tree has
    assert not history.read(base).nights[0].entries[0].over_budget
    first = history.read(base).nights[0]
    assert cli("gate", "nightly.toml", "--base", "HEAD", "--quiet").returncode in (1, 3)
    assert history.read(base).nights == (first,)  # the base is not measured again
    assert (
        subprocess.run(["git", "worktree", "list"], check=True, capture_output=True, text=True).stdout.count("\n") == 1
    )

"""The gate of a pull request: a revision measured in a checkout of its own, then the working tree, and the comment."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from edgebench.foundation.errors import RequestError
from edgebench.nightly import gate, history
from edgebench.nightly.night import Change, History, Outcome
from edgebench.nightly.summary import bulletin
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
        gate.measure_base("nightly.toml", revision, Path("out"), lambda _: None)
    assert "\n" not in str(refusal.value)


def test_outside_of_a_repository_it_is_refused(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(place.parent))
    with pytest.raises(RequestError, match="not a git repository"):
        gate.measure_base("nightly.toml", "main", Path("out"), lambda _: None)


def test_the_head_begins_with_the_night_of_the_base_and_forgets_an_earlier_head(tmp_path: Path) -> None:
    history.write_night(tmp_path / "abc", night(1, entry()))
    history.write_night(tmp_path / "head", night(5, entry()))
    head = gate.begin_head(tmp_path / "abc")
    assert [each.id for each in history.read(head).nights] == [night(1).id]


@pytest.mark.slow
def test_the_base_is_measured_once_in_its_own_checkout_and_the_working_tree_against_it(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repository)
    (repository / "nightly.toml").write_text(
        SWEEP + "[[limits]]\nfigure = 'file size'\nbudget = '1 B'\n", encoding="utf-8"
    )
    done = cli("gate", "nightly.toml", "--base", "HEAD", "--quiet", "--json")
    if done.returncode == 2:  # the machine was too busy for a valid base
        pytest.skip(done.stderr)
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

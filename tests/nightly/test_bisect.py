"""Bisection: which step is next, what the pairs of a step show, what is concluded, and real walks."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from math import exp, inf
from pathlib import Path
from random import Random

import numpy
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgebench.cli.layout import lay_out
from edgebench.foundation.errors import RequestError
from edgebench.nightly.bisect import report, steps
from edgebench.nightly.bisect.evidence import Evidence, interim_analyses, weigh
from edgebench.nightly.bisect.report import Walk
from edgebench.nightly.bisect.walk import Conclusion, Finding, conclude, next_step
from edgebench.nightly.night import ArmTimes, PairedTimes
from edgebench.nightly.rule.thresholds import RULE
from tests.cli.test_json import documented, objects
from tests.support.command import cli, process

FINDINGS = {"+": Finding.SLOWER, ".": Finding.NOT_SLOWER, "?": Finding.UNCLEAR, "x": Finding.SKIPPED}


def walked(history: str, *, every: bool = False) -> tuple[Conclusion, list[int]]:
    """Walk a history, written as one sign per step, and return the conclusion and the steps in order."""
    found = dict[int, Finding]()
    while (step := next_step(found, len(history), every=every)) is not None:
        assert step not in found and 0 < step < len(history)
        found[step] = FINDINGS[history[step]]
    return conclude(found, len(history)), list(found)


@pytest.mark.parametrize("count", range(2, 40))
def test_every_single_change_is_found_with_few_steps(count: int) -> None:
    for first in range(1, count):
        conclusion, measured = walked("." * first + "+" * (count - first))
        assert (conclusion.first, conclusion.after) == (first, first - 1)
        assert len(measured) <= 1 + count.bit_length()


@pytest.mark.parametrize("bad", [".", "?", "x"])
def test_without_a_slower_bad_end_nothing_else_is_measured(bad: str) -> None:
    for every in (False, True):
        conclusion, measured = walked(f".....{bad}", every=every)
        assert (conclusion.before, conclusion.first, measured) == (None, None, [5])


def test_if_all_steps_are_slower_the_one_after_the_good_end_is_first() -> None:
    assert walked(".+++++++")[0] == Conclusion(after=0, before=1, is_found=True)


@pytest.mark.parametrize(
    ("history", "after", "before"),
    [
        ("..xx+++", 1, 4),  # versions that do not install between the two ends
        ("..?+", 1, 3),
        (".x?x+", 0, 4),
        ("...x?x....+", 9, 10),  # steps far from the change do no harm
        (".xxxx+x+", 0, 5),
    ],
)
def test_steps_that_tell_nothing_are_replaced_by_their_neighbours(history: str, after: int, before: int) -> None:
    conclusion, _ = walked(history)
    assert (conclusion.after, conclusion.before) == (after, before)
    assert conclusion.first == (before if before == after + 1 else None)


@pytest.mark.lengthy
def test_the_step_after_the_last_good_one_is_slower_in_every_history() -> None:
    draw = Random(3)
    for _ in range(2000):
        history = "." + "".join(draw.choices(".+?x", k=draw.randrange(1, 20))) + "+"
        conclusion, measured = walked(history)
        after, before = conclusion.after, conclusion.before
        assert before is not None
        assert history[before] == "+" and history[after] == "."
        assert all(history[step] in "?x" for step in range(after + 1, before))
        assert conclusion.is_found == (before == after + 1)
        assert len(measured) == len(set(measured))


@pytest.mark.parametrize(
    ("history", "first", "reversals"),
    [
        (".+++.++", 1, (4, 5)),
        ("..+x.?+", 2, (4, 6)),
        ("...++", 3, ()),
        (".+.+.+", 1, (2, 3, 4, 5)),
    ],
)
def test_a_latency_that_changed_more_than_once_is_said(history: str, first: int, reversals: tuple[int, ...]) -> None:
    conclusion, measured = walked(history, every=True)
    assert sorted(measured) == list(range(1, len(history)))
    assert (conclusion.first, conclusion.reversals) == (first, reversals)


def pairs(change: float, count: int = RULE.pairs, noise: float = 0.01, seed: int = 1) -> PairedTimes:
    draw = Random(seed)

    def times(level: float) -> ArmTimes:
        return ArmTimes(latencies_s=tuple(1e-3 * exp(level + draw.gauss(0, noise)) for _ in range(count)))

    return PairedTimes(accepted=times(0.0), tonight=times(change))


NO_TIME = ArmTimes(latencies_s=(0.0,))
BAD = Evidence(finding=Finding.SLOWER, change=0.3, low=0.28, high=0.32)


@pytest.mark.parametrize(
    ("times", "bad", "finding"),
    [
        (pairs(0.1), None, Finding.SLOWER),
        (pairs(0.1), BAD, Finding.SLOWER),  # a part of the slowdown is one, too
        (pairs(0.0), None, Finding.NOT_SLOWER),
        (pairs(-0.2), None, Finding.NOT_SLOWER),
        (pairs(0.1, count=5), BAD, Finding.UNCLEAR),  # five pairs never confirm
        (pairs(0.3, count=10), None, Finding.SLOWER),  # but ten that all agree do
        (pairs(0.1, count=10, noise=0.06), BAD, Finding.UNCLEAR),
        (pairs(0.0, count=5), BAD, Finding.NOT_SLOWER),  # but they show that a step is not like the bad end
        (pairs(0.0, noise=0.15), None, Finding.UNCLEAR),
        (pairs(0.0, noise=0.15, count=RULE.noisy_pairs), BAD, Finding.NOT_SLOWER),
        (pairs(0.1, noise=0.8, count=RULE.noisy_pairs), BAD, Finding.UNCLEAR),
        (
            PairedTimes(accepted=ArmTimes(latencies_s=(0.0,)), tonight=ArmTimes(latencies_s=(0.0,))),
            None,
            Finding.UNCLEAR,
        ),
    ],
)
def test_a_finding_needs_evidence(times: PairedTimes, bad: Evidence | None, finding: Finding) -> None:
    assert weigh(times, bad).finding == finding


def test_the_pairs_are_weighed_as_often_as_on_a_night() -> None:
    assert interim_analyses() == (5, 10, 15, 20, 30, 40)


def sequential(change: float, noise: float, seed: int) -> Finding:
    """Run pairs until they show something, as a walk does."""
    whole = pairs(change, count=RULE.noisy_pairs, noise=noise, seed=seed)
    for count in interim_analyses():
        arms = [ArmTimes(latencies_s=arm.latencies_s[:count]) for arm in (whole.accepted, whole.tonight)]
        finding = weigh(PairedTimes(accepted=arms[0], tonight=arms[1]), BAD).finding
        if finding != Finding.UNCLEAR:
            break
    return finding


@pytest.mark.lengthy
def test_unchanged_steps_are_hardly_ever_taken_for_slower_ones() -> None:
    found = [sequential(0.0, 0.05, seed) for seed in range(200)]
    assert found.count(Finding.SLOWER) <= 2
    assert found.count(Finding.NOT_SLOWER) >= 195
    assert [sequential(0.28, 0.05, seed) for seed in range(50)].count(Finding.SLOWER) == 50


KNOWN = ("1.28.0", "1.29.0", "1.29.1", "1.30.0", "1.31.1", "11.29.0")


@pytest.mark.parametrize(
    ("good", "bad", "chosen"),
    [
        ("1.29.1", "1.31.1", KNOWN[2:5]),
        ("1.29", "1.31", KNOWN[2:5]),
        ("1.29.x", "1.30.*", KNOWN[2:4]),
        ("1.28.0", "11", KNOWN),
        (" 1.28.0 ", "1.29.0+cpu", KNOWN[:2]),
    ],
)
def test_versions_between_two_ends(good: str, bad: str, chosen: Sequence[str]) -> None:
    assert steps.between(KNOWN, good, bad, "engine") == tuple(chosen)


@pytest.mark.parametrize(
    ("good", "bad", "reason"),
    [
        ("1.31.1", "1.29.0", "older than the bad one, found good 1.31.1 and bad 1.29.0"),
        ("1.29.0", "1.29.0", "older than the bad one"),
        ("1.2", "1.30.0", "no version '1.2' of engine"),
        ("1.29.0", "2.x", "no version '2.x' of engine for this target; available are 1.28.0, 1.29.0"),
        ("", "1.30.0", "no version ''"),
    ],
)
def test_impossible_ends_are_refused(good: str, bad: str, reason: str) -> None:
    with pytest.raises(RequestError, match=reason.replace("'", "'")):
        steps.between(KNOWN, good, bad, "engine")


def walk(history: str, changes: Sequence[float] = (), **more: bool) -> Walk:
    conclusion, measured = walked(history, **more)
    sizes = changes or [0.2 if sign == "+" else 0.0 for sign in history]
    evidence = {
        step: Evidence(
            finding=FINDINGS[history[step]],
            change=sizes[step],
            low=sizes[step] - 0.01,
            high=sizes[step] + 0.01,
            pairs=20,
            p=1e-4,
            why="no wheel" if history[step] == "x" else "",
        )
        for step in measured
    }
    labels = tuple((f"1.{step}", "") for step in range(len(history)))
    return Walk(name="net", steps=labels, evidence=evidence, conclusion=conclusion)


@pytest.mark.parametrize(
    ("found", "first", "sentences"),
    [
        (
            walk("...++"),
            "1.3",
            ["first slower step is 1.3 with +20.0% [+19.0%, +21.0%] in 20 pairs. The step before"],
        ),
        (walk(".x+"), None, ["is between 1.0 and 1.2; it cannot be told, because of 1.1 (skipped: no wheel)"]),
        (walk("...."), None, ["The bad end is not slower: 1.3 with +0.0%"]),
        (walk("...?"), None, ["Whether the bad end is slower cannot be told"]),
        (walk(".+++", [0, 0.05, 0.2, 0.2]), "1.1", ["a further slowdown came after 1.1; find it with --good 1.1"]),
        (walk(".+++", [0, 0.3, 0.1, 0.1]), "1.1", ["A part of this slowdown was mended after 1.1: 1.3 has +10.0%"]),
        (walk(".+.+", every=True), "1.1", ["more than once: 1.2 with +0.0%", "1.3 with +20.0%", "is slower again"]),
        (walk("....++++"), "1.4", ["Not measured: 1.1, 1.2, 1.6. The search assumes", "--every measures all steps"]),
    ],
)
def test_a_report_names_the_first_slower_step_or_says_why_not(
    found: Walk, first: str | None, sentences: list[str]
) -> None:
    text = " ".join(report.conclusions(found))
    assert found.first == first
    for sentence in sentences:
        assert sentence in text
    assert "nan" not in text and str(inf) not in text


def test_a_report_that_was_interrupted_says_so() -> None:
    whole = walk("....++++")
    first = {7: whole.evidence[7]}
    found = replace(whole, evidence=first, conclusion=conclude({7: Finding.SLOWER}, 8))
    (sentence,) = report.conclusions(found)
    assert sentence == "The walk has not ended: the first slower step is after 1.0, and 1.7 at the latest."


def test_the_message_of_a_commit_is_shown_at_80_columns() -> None:
    commits = tuple((f"{step}f3a9c01b2", f"Use {step} threads to decode the pictures, not 1") for step in range(5))
    laid = lay_out(report.sheet(replace(walk("...++"), steps=commits)).columns, 80)
    assert "message" not in laid.left_out
    assert {"finding", "change", "[95 %]"}.isdisjoint(laid.left_out)


def test_a_report_is_written_after_every_step_with_documented_keys(tmp_path: Path) -> None:
    report.write(walk(".x.++", every=True), tmp_path)
    document = json.loads((tmp_path / "bisect.json").read_text())
    keys = {key for found in objects(document) for key in found}
    assert not keys - documented("nightly bisect")
    assert document["first"] == "1.3"
    assert [row["finding"] for row in document["rows"]] == ["good end", "skipped", "not slower", "slower", "slower"]
    assert "| 1.3  | slower" in (tmp_path / "bisect.md").read_text()


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["net", "--good", "1", "--bad", "2"], "wanted one configuration of results/nightly or a model file, found 0"),
        (["net.onnx", "--good", "1", "--bad", "2", "--build", "make"], "wanted --git with --build"),
        (["net.onnx", "--good", "1", "--bad", "2", "--git", "."], "wanted --git with --build"),
        (["net", "--good", "1", "--bad", "2", "--git", ".", "--build", "make"], "the path of the model file"),
        (["net.onnx", "--good", "1", "--bad", "2", "--runtime", "onnxruntime==1.31.1"], "wanted --runtime onnxruntime"),
    ],
)
def test_an_impossible_request_is_one_line(place: Path, arguments: list[str], reason: str) -> None:
    done = cli("nightly", "bisect", *arguments)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert reason in line


SPIN = '''"""A runtime that takes as long as its file is large: a tenth of a microsecond per byte."""
from pathlib import Path
from time import perf_counter

FORMAT, NEEDS, OPTIONS, DEVICES, SCHEMES = "onnx", (), (), {}, {}
NO_PROFILE, WARMS_UP = "no operators", False


class Session:
    def __init__(self, size):
        self.delay_s = size * 1e-7

    def run(self):
        end = perf_counter() + self.delay_s
        while perf_counter() < end:
            pass

    def infer(self, data, shape, classes=0):
        raise NotImplementedError

    def facts(self):
        return {}


def version():
    return "1"


def prepare():
    pass


def refuses(variant, options):
    return ""


def open(path, *, threads, batch, options, feed=None):
    return Session(Path(path).stat().st_size)
'''
# what each commit changes in the repository; the file `width` names the model that the build copies
COMMITS: tuple[tuple[str, dict[str, str]], ...] = (
    ("a network", {"width": "small"}),
    ("documentation", {"README": "words"}),
    ("a build that fails", {"width": "nothing"}),
    ("other weights", {"width": "other"}),
    ("wider", {"width": "large"}),
    ("more documentation", {"README": "more words"}),
)


@pytest.fixture
def repository(place: Path) -> Path:
    """A repository whose build command copies one of three models, in a folder with a runtime of its own."""
    (place / "plugins" / "runtimes").mkdir(parents=True)
    (place / "plugins" / "runtimes" / "spin.py").write_text(SPIN)
    top = place / "top"
    top.mkdir()
    for name, channels, value in (("small", 60, 0.0), ("other", 60, 1.0), ("large", 90, 0.0)):
        image = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 8, 8])
        weights = numpy_helper.from_array(numpy.full((channels, 3, 1, 1), value, "f4"), "w")
        nodes = [
            helper.make_node("Conv", ["x", "w"], ["c"]),
            helper.make_node("GlobalAveragePool", ["c"], ["g"]),
            helper.make_node("Flatten", ["g"], ["y"]),
        ]
        output = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, channels])
        graph = helper.make_graph(nodes, "net", [image], [output], [weights])
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), top / name)
    git(top, "init", "-q", "-b", "main")
    for message, files in COMMITS:
        for name, text in files.items():
            (top / name).write_text(text)
        git(top, "add", "-A")
        git(top, "commit", "-qm", message)
    return top


def git(folder: Path, *arguments: str) -> str:
    named = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-C", str(folder))
    return subprocess.run(["git", *named, *arguments], check=True, capture_output=True, text=True).stdout


@pytest.mark.slow
def test_the_commit_that_made_a_model_slower_is_found(repository: Path) -> None:
    options = ["--target", "null", "--runtime", "spin", "--good", "main~5", "--bad", "main", "--quiet", "--json"]
    done = process("nightly", "bisect", "net.onnx", "--git", "top", "--build", "cp $(cat width) net.onnx", *options)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    wider = next(row for row in document["rows"] if row["message"] == "wider")
    assert document["first"] == wider["step"] == git(repository, "rev-parse", "main~1").strip()[: len(wider["step"])]
    small, large = ((repository / name).stat().st_size for name in ("small", "large"))
    assert 0 < wider["low"] < large / small - 1 < 2 * wider["high"]  # wide enough for a busy machine
    findings = {row["message"]: row["finding"] for row in document["rows"]}
    assert (findings["other weights"], findings["more documentation"]) == ("not slower", "slower")
    assert git(repository, "worktree", "list").count("\n") == 1

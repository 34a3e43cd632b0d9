"""What has the same name is the same only if its content is: networks, and machines of several targets."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from edgebench.analysis.compare import folders as contrast
from edgebench.analysis.why import evidence
from edgebench.foundation.errors import RequestError
from edgebench.results import folders
from edgebench.results.journal import Journal
from edgebench.results.table.across import across
from edgebench.schema.case import Case, Workload
from edgebench.schema.environment import UNREACHED
from edgebench.schema.quantization import Quantization
from edgebench.schema.record import Record, Reference, Session, Stop
from edgebench.schema.runtime import Runtime
from edgebench.schema.variant import Precision, WeightSource
from tests.conftest import artifact, case, deployment, run, session, variant

PROCESSES = 6  # the fewest that give an interval
OLD, NEW = "a" * 64, "b" * 64


def network(
    content: str, precision: Precision = Precision.FP32, weights: WeightSource = WeightSource.TRAINED, **changes: Any
) -> Case:
    """A case of a network whose name does not depend on its content."""
    of = replace(variant(weights=weights), weights_sha256=content, precision=precision)
    scheme = Quantization() if precision == Precision.INT8 else None
    return replace(case(replace(of, quantization=scheme)), **changes)


def timed(id: str, times_s: dict[Case, float], epoch: str = "e1", compute_s: float = 1e-3) -> list[Record]:
    """A session on one target that times some cases and a reference workload."""
    target = next(iter(times_s)).target
    begun = session(*times_s, id=id, epoch=epoch)
    lines: list[Record] = [replace(begun, environment=replace(begun.environment, target=target))]
    workload = Reference(workload=Workload.COMPUTE, target=target)
    lines += [replace(deployment(artifact(), session=id, epoch=epoch), case=of) for of in times_s]
    for number in range(1, PROCESSES + 1):
        at: dict[str, Any] = {"session": id, "epoch": epoch, "round": number}
        lines += [run(took_s, case=of, **at) for of, took_s in times_s.items()]
        lines.append(run(compute_s, case=workload, artifact_sha256="", **at))
    return [*lines, Stop(session=id, spent_s=9.0)]


def write(name: str, *records: Record) -> Path:
    folder = Path("results") / name
    folder.mkdir(parents=True)
    for record in records:
        Journal(folder).append(record)
    return folder


def one_after_the_other(old: Case, new: Case) -> Path:
    """A folder in which each of two cases has a session of its own."""
    first, second = timed("s1", {old: 1e-3}), timed("s2", {new: 1e-3})
    later = [replace(line, started_at="2026-01-02T00:00:00.000+00:00") for line in second if isinstance(line, Session)]
    return write("both", *first, *later, *second[1:])


TIMES = {
    network(OLD): 2e-3,
    network(OLD, Precision.INT8): 1e-3,
    network(NEW): 9e-3,
    network(NEW, Precision.INT8): 3e-3,
}


@pytest.mark.parametrize("order", [*permutations(range(4))])
def test_int8_is_compared_with_the_float_network_that_it_was_made_from(order: tuple[int, ...]) -> None:
    cases = [list(TIMES)[place] for place in order]
    rows = folders.read(write("both", *timed("s1", {each: TIMES[each] for each in cases}))).rows
    speedups = {row.setup.weights_sha256: row.standing.speedup for row in rows if row.standing.speedup}
    assert {name: ratio.value for name, ratio in speedups.items()} == {OLD: pytest.approx(2), NEW: pytest.approx(3)}


@pytest.mark.parametrize("content", [OLD, NEW])
def test_int8_has_no_ratio_to_another_network_of_its_name(content: str) -> None:
    times = {
        of: took_s
        for of, took_s in TIMES.items()
        if (of.variant.weights_sha256 == content) == (of.variant.quantization is None)
    }
    rows = folders.read(write("one", *timed("s1", times))).rows
    assert [row.standing.speedup for row in rows] == [None, None]


def test_runtimes_are_compared_on_one_network() -> None:
    other = Runtime(name="openvino", version="1", options=())
    times = {network(OLD): 1e-3, network(NEW, runtime=other): 2e-3}
    assert across(folders.read(write("one", *timed("s1", times))).rows) == []
    times = {network(OLD): 1e-3, network(OLD, runtime=other): 2e-3}
    assert len(across(folders.read(write("two", *timed("s1", times))).rows)) == 1


@pytest.mark.lengthy
def test_a_comparison_names_networks_that_are_others_under_their_name() -> None:
    before, after = write("a", *timed("s1", {network(OLD): 1e-3})), write("b", *timed("s2", {network(NEW): 2e-3}))
    changed = contrast.contrast(before, after)
    assert [(one.what, one.before, one.after) for one in changed.differences] == [
        ("weights of mobilenet_v2 0.35 @32", OLD[:12], NEW[:12])
    ]
    both = write("c", *timed("s3", {network(OLD): 1e-3, network(NEW): 2e-3}))
    (pair,) = contrast.contrast(before, both).pairs
    assert (pair.before_ms, pair.after_ms) == (1.0, 1.0)  # not left out, although two rows have its name
    assert contrast.contrast(both, both).differences == ()


SLOW = 20.0  # how many times as long the other machine takes


def on(target: str, took_s: float) -> dict[Case, float]:
    return {network(OLD, target=target): took_s}


@pytest.mark.lengthy
@pytest.mark.parametrize("is_one_epoch", [True, False])
@pytest.mark.parametrize("folder", ["before", "after"])
def test_reference_workloads_of_different_machines_are_never_compared(folder: str, is_one_epoch: bool) -> None:
    epoch = "e1" if is_one_epoch else "e2"
    before, after = timed("s1", on("cpu", 1e-3)), timed("s2", on("cpu", 2e-3))
    other = timed("s3", on("slow", SLOW * 1e-3), epoch, SLOW * 1e-3)
    lines = {"before": before, "after": after}
    lines[folder] += other
    found = contrast.contrast(write("a", *lines["before"]), write("b", *lines["after"]))
    assert {name: one.value for name, one in found.references} == {"compute": pytest.approx(1)}
    assert [pair.verdict for pair in found.pairs] == ["slower"]


def test_each_machine_has_a_ratio_and_its_own_noise() -> None:
    before = [*timed("s1", on("cpu", 1e-3)), *timed("s2", on("pi", 1e-3), "e2")]
    after = [*timed("s3", on("cpu", 1.5e-3)), *timed("s4", on("pi", 1.5e-3), "e2", 2e-3)]
    found = contrast.contrast(write("a", *before), write("b", *after))
    ratios = {name: one.value for name, one in found.references}
    assert ratios == {"cpu: compute": pytest.approx(1), "pi: compute": pytest.approx(2)}
    assert [pair.verdict for pair in found.pairs] == ["slower", "="]
    said = " ".join(" ".join((*sheet.notes, *sheet.method)) for sheet in contrast.folder_sheets(found))
    assert "by machine" in said


def test_a_target_that_did_not_answer_has_no_other_environment() -> None:
    whole = timed("s1", on("cpu", 1e-3))
    silent = session(network(OLD), id="s2", epoch=UNREACHED)
    nothing = replace(silent.environment, facts={}, runtimes={}, agent_sha256="")
    lost: list[Record] = [
        replace(silent, environment=nothing, started_at="2026-01-02T00:00:00+00:00"),
        Stop(session="s2", spent_s=0.1, lost="no answer"),
    ]
    assert contrast.contrast(write("a", *whole), write("b", *whole, *lost)).differences == ()


def test_environments_are_those_in_which_the_compared_rows_were_measured() -> None:
    """The first folder's last session is in the second folder's environment, but one of its rows is older."""
    both, small = {network(OLD): 1e-3, network(NEW): 1e-3}, {network(OLD): 1e-3}
    begun, *others = timed("s1", both, "e0")
    assert isinstance(begun, Session)
    begun = replace(begun, environment=replace(begun.environment, packages={"numpy": "1"}))
    later = [
        replace(line, started_at="2026-01-02T00:00:00+00:00") if isinstance(line, Session) else line
        for line in timed("s2", small)
    ]
    found = contrast.contrast(write("a", begun, *others, *later), write("b", *timed("s3", both)))
    assert [(one.what, one.before) for one in found.differences] == [("cpu in epoch e1: package numpy", "1")]


def test_rows_of_an_edited_file_show_which_file_they_are_of_and_which_is_the_last() -> None:
    of_file = {file: network(file, weights=WeightSource.CUSTOM) for file in (OLD, NEW)}
    folder = one_after_the_other(of_file[OLD], of_file[NEW])
    table = folders.read(folder)
    assert {row.setup.network: row.setup.weights_sha256 for row in table.rows} == {
        "mobilenet_v2 aaaaaa @32": OLD,
        "mobilenet_v2 bbbbbb @32": NEW,
    }
    (note,) = [note for note in table.notes if "stands for" in note]
    assert note.startswith("mobilenet_v2 stands for 2 files") and note.endswith("of the last session is bbbbbb.")
    for file in (OLD, NEW):
        assert evidence(f"{folder}:mobilenet_v2 {file[:6]}").case == of_file[file]
    with pytest.raises(RequestError, match="add words of one row: aaaaaa; bbbbbb"):
        evidence(f"{folder}:mobilenet_v2")
    assert not any(row.setup.file for row in folders.read(write("old", *timed("s1", {of_file[OLD]: 1e-3}))).rows)


PHOTOS = "image_folder:photos"


def on_data(content: str, precision: Precision = Precision.FP32, **changes: Any) -> Case:
    """A case of a user-supplied data set whose name does not depend on its content."""
    of = network("", precision, **changes)
    return replace(of, variant=replace(of.variant, dataset=PHOTOS, dataset_sha256=content))


def calibrated(content: str) -> Case:
    """A case in int8 whose calibration images have a name that does not depend on their content."""
    of = network("", Precision.INT8)
    scheme = Quantization(calibration=PHOTOS, calibration_sha256=content)
    return replace(of, variant=replace(of.variant, quantization=scheme))


def told_apart(folder: Path) -> list[str]:
    """What the table calls the rows, after a look at the note."""
    table = folders.read(folder)
    (note,) = [note for note in table.notes if "stands for" in note]
    assert note.startswith(f"{PHOTOS} stands for 2 data sets") and note.endswith("of the last session is bbbbbb.")
    return sorted(f"{row.setup.title} on {row.setup.dataset}" for row in table.rows)


def test_rows_of_images_that_changed_are_no_rows_of_one_data_set() -> None:
    folder = one_after_the_other(on_data(OLD), on_data(NEW))
    assert told_apart(folder) == [f"mobilenet_v2 0.35 @32 fp32 on {PHOTOS} {data}" for data in ("aaaaaa", "bbbbbb")]
    assert len({row.setup.group for row in folders.read(folder).rows}) == 2
    assert evidence(f"{folder}:mobilenet_v2 aaaaaa").case == on_data(OLD)


def test_rows_of_a_given_model_on_images_that_changed_are_told_apart_by_name() -> None:
    cases = (on_data(content, weights=WeightSource.CUSTOM) for content in (OLD, NEW))
    named = [f"mobilenet_v2 {data} @32 fp32 on {PHOTOS} {data}" for data in ("aaaaaa", "bbbbbb")]
    assert told_apart(one_after_the_other(*cases)) == named


def test_rows_of_calibration_images_that_changed_are_told_apart_by_their_scheme() -> None:
    folder = one_after_the_other(calibrated(OLD), calibrated(NEW))
    assert [name.partition("calibration=")[2].split()[0] for name in told_apart(folder)] == [
        f"{PHOTOS}:{data}" for data in ("aaaaaa", "bbbbbb")
    ]
    assert evidence(f"{folder}:mobilenet_v2 bbbbbb").case == calibrated(NEW)


def test_compare_pairs_rows_of_the_same_images_and_names_images_that_changed() -> None:
    both = one_after_the_other(on_data(OLD), on_data(NEW))
    new = write("new", *timed("s3", {on_data(NEW): 1e-3}))
    old = write("old", *timed("s4", {on_data(OLD): 1e-3}))
    assert not [one for one in contrast.contrast(new, both).differences if one.what.startswith("data set")]
    (found,) = [one for one in contrast.contrast(old, new).differences if one.what.startswith("data set")]
    assert (found.what, found.before, found.after) == (f"data set {PHOTOS}", OLD[:12], NEW[:12])

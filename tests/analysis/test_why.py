"""Why a row takes as long as it does: where it lies under the roof, its operators, and what sets two rows apart."""

from dataclasses import replace
from pathlib import Path

import pytest

from edgebench.agent import answer
from edgebench.agent.runtimes import onnxruntime
from edgebench.analysis import why
from edgebench.analysis.why.roofline import Bound, Roof, position
from edgebench.deploy.targets import catalogue
from edgebench.foundation import shelf
from edgebench.foundation.errors import RequestError
from tests import ROOT
from tests.conftest import CPU
from tests.export.test_custom_onnx import write
from tests.support.command import cli

RESULTS = ROOT / "results" / "x86_vm"
ROOF = Roof(gops=100.0, gbytes=10.0, source="made up")


def test_few_operations_a_byte_are_bound_by_memory_and_many_by_compute() -> None:
    few = position(macs=5e6, moved_bytes=2e6, time_s=1e-3, roof=ROOF)
    assert (few.bound, few.intensity, few.attainable_gops) == (Bound.MEMORY, 5.0, 50.0)
    assert (few.gops, few.share) == (10.0, 0.2)
    many = position(macs=50e6, moved_bytes=2e6, time_s=2e-3, roof=ROOF)
    assert (many.bound, many.attainable_gops, many.share) == (Bound.COMPUTE, 100.0, 0.5)


def event(node: int, microseconds: int, at: int, operator: str = "Conv") -> dict[str, object]:
    sizes = {"activation_size": "100", "parameter_size": "20", "output_size": "3"}
    arguments = {"node_index": str(node), "op_name": operator, "input_type_shape": [{"float": [1]}, {"int8": [1]}]}
    return {"cat": "Node", "name": f"n{node}_kernel_time", "dur": microseconds, "ts": at, "args": arguments | sizes}


def test_a_trace_is_summed_up_without_its_warm_up() -> None:
    fences = {"cat": "Node", "name": "n1_fence_before", "dur": 9, "ts": 0, "args": {"op_name": "Conv"}}
    runs = [event(node, took, 10 * run + node) for run, took in enumerate((900, 5, 7, 6)) for node in (2, 1)]
    whole = [{"cat": "Session", "name": "model_run", "dur": took, "ts": 0} for took in (2000, 20, 22, 21)]
    found = onnxruntime.operators([fences, *whole, *runs], 3)
    assert found["whole_s"] == pytest.approx(21e-6)
    assert [one["name"] for one in found["operators"]] == ["n1", "n2"]
    assert {(one["seconds"], one["bytes"], one["type"]) for one in found["operators"]} == {(6e-6, 123, "float")}


@pytest.mark.parametrize("name", shelf.names("runtimes"))
def test_a_runtime_gives_a_profile_or_says_why_not(name: str) -> None:
    runtime = shelf.load("runtimes", name)
    assert bool(runtime.NO_PROFILE) != hasattr(runtime, "profile")


@pytest.mark.slow
def test_a_real_file_is_profiled_operator_by_operator(place: Path) -> None:
    write(place / "net.onnx", ("batch", 3, 64, 64))
    request = {"do": "profile", "runtime": "onnxruntime", "path": str(place / "net.onnx"), "options": CPU}
    seen = answer(request | {"threads": 1, "batch": 1})
    assert seen["ok"], seen
    operators = seen["value"]["operators"]
    assert {"Relu", "Gemm"} <= {one["operator"] for one in operators}
    assert all(one["seconds"] >= 0 and one["bytes"] > 0 and one["type"] for one in operators)
    assert seen["value"]["whole_s"] > 0


def test_a_runtime_without_a_profile_answers_with_the_reason() -> None:
    seen = answer({"do": "profile", "runtime": "null"})
    assert seen["value"] == {"why": "the null runtime has no operators", "whole_s": 0.0, "operators": []}


@pytest.mark.lengthy
def test_a_row_is_found_by_words_of_its_own() -> None:
    found = why.evidence(f"{RESULTS}:mobilenet_v1-0.25@64/int8")
    assert str(found.case.variant) == "mobilenet_v1-0.25@64/int8"
    scheme = why.evidence(f"{RESULTS.with_name('x86_vm_int8')}:mobilenet_v1-0.25 bias_corrected")
    assert str(scheme.case.variant.quantization) == "per_tensor+equalized+bias_corrected"
    assert why.evidence(f"{RESULTS}:mobilenet_v1-0.25@64/int8 threads=1 cpu standard").case == found.case


@pytest.mark.lengthy
def test_a_row_is_found_by_parts_of_its_words_and_several_are_listed_so_that_they_differ() -> None:
    short, whole = "mobilenet_v1-0.25 64 int8", "mobilenet_v1-0.25@64/int8"
    assert why.evidence(f"{RESULTS}:{short}").case == why.evidence(f"{RESULTS}:{whole}").case
    with pytest.raises(RequestError) as refused:
        why.evidence(f"{RESULTS}:mobilenet_v1-0.25 fp32")
    listed = str(refused.value).partition("words of one row: ")[2].split("; ")
    assert len(set(listed)) == len(listed) == 2
    assert all("threads=" not in words for words in listed), "what all have tells nothing"


def test_a_row_of_a_folder_names_its_artifact_and_another_name_stays() -> None:
    found = why.artifact_of(f"{RESULTS}:mobilenet_v1-0.25@64/int8")
    assert found.startswith("mobilenet_v1-0.25@64-int8")
    assert why.artifact_of("lenet5-1@32/int8") == "lenet5-1@32/int8"
    assert why.artifact_of("nets.py:build") == "nets.py:build"


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (f"{RESULTS}:mobilenet_v1-0.25@64/int9", "did you mean 'mobilenet_v1-0.25@64/int8'?"),
        (f"{RESULTS}:", "no row of"),
        (f"{RESULTS}:standard", "found 16 for 'standard'; add words of one row: mobilenet_v"),
        ("mobilenet_v1-0.25@64/int8", "no runs.jsonl in results/default"),
        ("results/none:x", "no runs.jsonl in results/none"),
    ],
)
def test_no_row_or_several_are_refused(row: str, said: str) -> None:
    with pytest.raises(RequestError) as refused:
        why.evidence(row)
    assert said in str(refused.value)


def test_a_refusal_is_one_line_and_exit_code_2() -> None:
    done = cli("why", f"{RESULTS}:nothing")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)


def test_every_peak_of_a_target_has_a_source_and_is_of_one_core() -> None:
    peaks = {name: peak for name in catalogue.targets() if (peak := catalogue.target(name).peak)}
    assert "rpi4" in peaks
    assert all(len(peak.source) > 20 and 1 < peak.gflops < 100 < 1000 * peak.gbytes for peak in peaks.values())


@pytest.mark.slow
def test_the_command_explains_a_row_and_what_sets_another_apart(place: Path) -> None:
    row, other = (f"{RESULTS}:mobilenet_v1-0.25@64/{precision}" for precision in ("int8", "fp32"))
    done = cli("why", row, other, "--format", "md")
    assert done.returncode == 0, done.stderr
    for said in ("effective threads", "share of the roof", "float nodes", "measured now: numpy's fp32"):
        assert said in done.stdout
    assert "There are no operator times: the artifact is not in the cache; measure it again." in done.stdout
    assert "| file sha256" in done.stdout


@pytest.mark.slow
def test_a_machine_without_a_peak_is_probed() -> None:
    seen = answer({"do": "probe", "threads": 1})["value"]
    assert seen["gflops"] > 0.1
    assert seen["gbytes"] > 0.1


def test_a_row_and_itself_are_not_apart() -> None:
    found = why.evidence(f"{RESULTS}:mobilenet_v1-0.25@64/int8")
    assert why._apart(found, found).rows == ()
    changed = replace(found, case=replace(found.case, threads=2))
    assert [row[0] for row in why._apart(found, changed).rows] == ["case threads"]

"""From a sweep to its cases: which are open, which are refused, and what has to be trained first."""

from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest

from edgebench.deploy.targets import catalogue
from edgebench.foundation.errors import RequestError, UnknownName
from edgebench.foundation.shelf import load
from edgebench.measure.evaluate import made_by
from edgebench.measure.plan import cases, engines
from edgebench.measure.plan.check import check
from edgebench.measure.plan.state import CaseState
from edgebench.measure.plan.training import to_train
from edgebench.schema.environment import Environment
from edgebench.schema.record import Accuracy
from edgebench.schema.runtime import ALL, Runtime
from edgebench.schema.sweep import Model, Sweep
from edgebench.schema.variant import Precision, WeightSource, parent
from tests.conftest import artifact, case, environment, needs_torch, session, variant
from tests.export.test_custom_onnx import write

SWEEP = Sweep(models=(Model(name="mobilenet_v1"),))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"preset": "fast"}, "no preset 'fast'"),
        ({"models": (Model(name="mobilenet_v3"),)}, "no model 'mobilenet_v3' .* did you mean 'mobilenet_v"),
        ({"runtimes": ("onyx",)}, "no runtime 'onyx'"),
        ({"runtimes": ("all==1.0",)}, "wanted all without a version and options, found all==1.0; name the runtimes"),
        ({"runtimes": ("all+cuda",)}, "wanted all without a version and options, found all.cuda; name the runtimes"),
        pytest.param(
            {"runtimes": ("onnxruntime+compile",)},
            "no option of runtime onnxruntime 'compile'",
            marks=needs_torch,
        ),
        ({"dataset": "digit"}, "no data set 'digit' .* did you mean 'digits'"),
        ({"weights": "trainde"}, "no weights 'trainde' .*did you mean 'trained'"),
        ({"threads": (0,)}, "wanted threads and batch of at least 1, found 0 and 1"),
        ({"batches": (0,)}, "wanted threads and batch of at least 1, found 1 and 0"),
        ({"models": ()}, "the sweep is empty"),
        ({"models": (Model(name="mobilenet_v1", widths=(-1.0,)),)}, "width -1 of mobilenet_v1"),
        ({"resolutions": (99999,)}, "resolution 99999 of mobilenet_v1"),
    ],
)
def test_a_sweep_that_cannot_be_is_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(RequestError, match=message):
        check(replace(SWEEP, **({"runtimes": ("null",)} | changes)))  # type: ignore[arg-type]


def test_int8_is_made_with_a_reduced_range_where_the_cpu_saturates() -> None:
    for isa, reduced in (("avx2 avx512_vnni", False), ("avx2", True)):
        _, int8 = cases.cases(SWEEP.cells(), environment(isa=isa))
        assert int8.variant.precision == Precision.INT8
        assert int8.variant.quantization is not None
        assert int8.variant.quantization.reduce_range is reduced


def test_an_int8_variants_parent_is_its_float_self() -> None:
    fp32, int8 = cases.cases(SWEEP.cells(), environment())
    assert parent(int8.variant) == fp32.variant
    assert parent(fp32.variant) is None


def test_a_runtime_that_the_target_lacks_is_refused() -> None:
    missing = replace(environment(), runtimes={"onnxruntime": Runtime(name="onnxruntime", version="")})
    with pytest.raises(RequestError, match="runtime onnxruntime is not installed on target cpu"):
        cases.cases(SWEEP.cells(), missing)
    with pytest.raises(UnknownName, match="no runtime of target cpu 'onnxruntime'"):
        cases.cases(SWEEP.cells(), replace(environment(), runtimes={}))


def test_a_word_from_a_file_is_the_same_weights_as_the_default() -> None:
    written = replace(SWEEP, weights="random")
    default = replace(SWEEP, weights=WeightSource.RANDOM)
    assert [repr(case) for case in cases.cases(written.cells(), environment())] == [
        repr(case) for case in cases.cases(default.cells(), environment())
    ]


@pytest.mark.slow
def test_each_network_of_a_sweep_is_trained_once_whatever_measures_it() -> None:
    sweep = replace(
        SWEEP, models=(Model(name="mobilenet_v1", widths=(0.25, 0.5)),), threads=(1, 2), resolutions=(32, 64)
    )
    variants = to_train(sweep)
    assert [(one.width, one.resolution, one.precision) for one in variants] == [
        (0.25, 32, Precision.FP32), (0.25, 64, Precision.FP32), (0.5, 32, Precision.FP32), (0.5, 64, Precision.FP32),
    ]  # fmt: skip


@pytest.mark.slow
def test_what_is_trained_is_what_a_run_looks_for() -> None:
    for preprocessing in ("", "tf"):
        sweep = replace(SWEEP, precisions=(Precision.FP32,), preprocessing=preprocessing)
        (case,) = cases.cases(sweep.cells(), environment())
        assert [repr(one) for one in to_train(sweep)] == [repr(case.variant)]


@pytest.mark.parametrize("weights", ["random", "none"])
def test_weights_that_were_never_learnt_are_not_fine_tuned(weights: str) -> None:
    sweep = replace(SWEEP, weights=weights, quantizations=("per_channel", "qat"))
    with pytest.raises(RequestError, match=f"qat fine-tunes weights, found {weights} ones; use --weights trained"):
        cases.cases(sweep.cells(), environment())


def test_an_unknown_preprocessing_is_refused() -> None:
    with pytest.raises(UnknownName, match="no preprocessing 'tensorflow'"):
        check(replace(SWEEP, runtimes=("null",), preprocessing="tensorflow"))


def test_an_accuracy_of_images_read_otherwise_is_asked_for_again() -> None:
    of = replace(case(), variant=variant(weights=WeightSource.TRAINED))
    answer = Accuracy(
        case=of, session="s1", epoch="e1", artifact_sha256="f1", dataset="digits", images=600, correct=567
    )
    todays = replace(answer, made_by=made_by(of.variant))
    assert CaseState(case=of, artifact=artifact(), of_any=(answer,)).accuracy is None
    assert CaseState(case=of, artifact=artifact(), of_any=(answer, todays)).accuracy == todays
    assert CaseState(case=of, artifact=artifact(), of_any=(todays, answer)).accuracy is None  # the table shows the last


def test_another_board_under_the_same_name_is_said_with_what_differs() -> None:
    earlier = session(epoch="e1", serial="1000", kernel="Linux 6.6")
    now = environment("e2", serial="2000", kernel="Linux 6.6")
    assert cases.differs(now, [earlier]) == (
        "cpu changed since it was last measured (serial 2000, was 1000): its new rows are separate"
    )
    assert cases.differs(replace(now, epoch="e1"), [earlier]) == ""
    assert cases.differs(replace(now, target="rpi4"), [earlier]) == ""


def test_another_agent_is_said_too() -> None:
    now = replace(environment("e2"), agent_sha256="b")
    assert "(edgebench's agent)" in cases.differs(now, [session(epoch="e1")])


EVERY = Environment(
    target="cpu",
    epoch="e",
    agent_sha256="a",
    facts={"machine": "aarch64", "isa": "asimd"},
    packages={},
    runtimes={
        name: Runtime(name=name, version=version, options=tuple(group[0] for group in groups if group[0]))
        for name, version in (("null", "1"), ("onnxruntime", "1.31.1"), ("openvino", "2026.4.1"), ("torch", ""))
        for groups in (load("runtimes", name).OPTIONS,)
    },
)


@pytest.mark.parametrize(
    ("machine", "of_int8"),
    [({"machine": "x86_64", "isa": "avx2"}, ["onnxruntime", "openvino"]),
     ({"machine": "aarch64", "isa": "asimd"}, ["onnxruntime"])],
)  # fmt: skip
def test_all_runtimes_are_those_of_the_target_that_can_compute_the_network(
    machine: dict[str, str], of_int8: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "tool_version", str)  # as if all tools were installed
    requested = cases.cases(replace(SWEEP, runtimes=(ALL,)).cells(), replace(EVERY, facts=machine))
    by_precision = {
        precision: [case.runtime.name for case in requested if case.variant.precision == precision]
        for precision in (Precision.FP32, Precision.INT8)
    }
    assert by_precision == {Precision.FP32: ["onnxruntime", "openvino"], Precision.INT8: of_int8}
    beside = cases.cases(replace(SWEEP, runtimes=("onnxruntime", ALL)).cells(), replace(EVERY, facts=machine))
    assert set(beside) == set(requested)


@needs_torch
def test_all_runtimes_without_one_that_can_compute_the_network_give_their_reasons() -> None:
    sweep = replace(SWEEP, runtimes=(ALL,), precisions=(Precision.BF16,))
    requested = cases.cases(sweep.cells(), replace(EVERY, facts={"machine": "x86_64"}))
    assert requested and all(engines.refusal(case, EVERY) for case in requested)


def test_all_runtimes_are_requested_of_a_target_as_far_as_they_can_be_had() -> None:
    target = catalogue.target("rpi4")
    requested = engines.requests(replace(SWEEP, targets=("rpi4",), runtimes=(ALL, "litert==2.3.0")), target)
    assert {item.name for item in requested if item.is_optional} == set(target.runtimes) - {"null"}
    assert [item.pinned for item in requested if not item.is_optional] == ["litert==2.3.0"]


def test_a_target_without_a_runtime_is_refused_for_all_runtimes() -> None:
    with pytest.raises(RequestError, match=r"no runtime is installed on target cpu; install onnxruntime there"):
        cases.cases(replace(SWEEP, runtimes=(ALL,)).cells(), replace(EVERY, runtimes={}))


@pytest.mark.lengthy
def test_all_runtimes_of_a_user_s_file_are_those_that_open_its_format(place: Path) -> None:
    write(place / "net.onnx", ("batch", 3, 32, 32))
    sweep = Sweep(models=(Model(name="net.onnx"),), runtimes=(ALL,), calibration="random")
    litert = Runtime(name="litert", version="2.3.0")
    found = cases.cases(
        sweep.cells(),
        replace(EVERY, facts={"machine": "x86_64", "isa": "avx512_vnni"}, runtimes=EVERY.runtimes | {"litert": litert}),
    )
    wanted = product((Precision.FP32, Precision.INT8), ("onnxruntime", "openvino"))
    assert [(case.variant.precision, case.runtime.name) for case in found] == list(wanted)

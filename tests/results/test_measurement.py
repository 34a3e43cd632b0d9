"""From recorded processes to a figure with its interval and verdict, and to how many more it takes."""

from dataclasses import replace

import pytest

from edgebench.results.measurement import endurance, needed, summarize
from edgebench.results.measurement.evidence import Evidence, gather, is_settled, reference_medians
from edgebench.results.measurement.verdict import FIGURES, Verdict, worst
from edgebench.schema.artifact import LayerNoise
from edgebench.schema.case import PRESETS, Purpose, Workload
from edgebench.schema.quantization import Quantization, overflows, saturates
from edgebench.schema.record import Accuracy, Beats, Failure, MemoryMarks, Reference, Run, Window
from edgebench.schema.runtime import Runtime
from edgebench.schema.variant import Precision
from tests.conftest import artifact, case, deployment, run, session

STANDARD = PRESETS["standard"]


def evidence(*runs: Run, **changes: object) -> Evidence:
    return replace(Evidence(case=case(), session=session(), runs=runs, artifact=artifact()), **changes)  # type: ignore[arg-type]


def steady(**changes: object) -> tuple[Run, ...]:
    return tuple(run(1e-3, **changes) for _ in range(6))


def reasons(*runs: Run, **changes: object) -> str:
    return "; ".join(reason.text for reason in summarize(evidence(*runs, **changes)).reasons)


def test_figures_of_another_machine_than_the_target_s_board_are_suspect() -> None:
    known = session()
    facts = {"cpu": "AMD EPYC", "expected_board": "Raspberry Pi 4 Model B"}
    measured = summarize(
        evidence(*steady(), session=replace(known, environment=replace(known.environment, facts=facts)))
    )
    assert {worst(measured.reasons, figure) for figure in FIGURES} == {Verdict.SUSPECT}
    (reason,) = measured.reasons
    assert reason.text == "this machine is AMD EPYC, not Raspberry Pi 4 Model B, which the target's file names"


def test_the_median_is_over_processes_not_over_samples() -> None:
    many = run(samples_s=(5e-3,) * 1000)
    measured = summarize(evidence(*(run(1e-3) for _ in range(5)), *(run(2e-3) for _ in range(3)), many))
    assert measured.p50_s == 1e-3


def test_six_steady_processes_are_valid_and_have_an_interval() -> None:
    measured = summarize(evidence(*steady()))
    assert (measured.verdict, measured.has_interval, measured.reasons) == (Verdict.VALID, True, ())
    assert (measured.low_s, measured.p50_s, measured.high_s) == (1e-3, 1e-3, 1e-3)


def test_below_six_processes_the_range_is_shown_and_flagged() -> None:
    measured = summarize(evidence(run(1e-3), run(3e-3), run(2e-3)))
    assert (measured.low_s, measured.high_s, measured.has_interval) == (1e-3, 3e-3, False)
    assert measured.verdict == Verdict.IMPRECISE
    assert "too few processes: 3" in measured.reasons[0].text


def test_a_wide_interval_is_imprecise_and_says_how_wide() -> None:
    runs = [run(value * 1e-3) for value in (1.0, 1.2, 0.8, 1.1, 0.9, 1.0)]
    measured = summarize(evidence(*runs))
    assert measured.verdict == Verdict.IMPRECISE
    assert measured.reasons[0].text == "interval wider than ±1%"


def test_a_neighbour_on_the_core_widens_the_median_and_not_how_many_beats_it_is() -> None:
    slow = (1.0, 1.5, 1.0, 1.5, 1.4, 1.0)
    runs = [run(1e-3 * by, beats=Beats(workload="b", every=20, took_s=(1e-4 * by,) * 2)) for by in slow]
    measured = summarize(evidence(*runs))
    assert measured.low_s == 1e-3 and measured.high_s == 1.5e-3
    beats = (measured.low_beats, measured.p50_beats, measured.high_beats)
    assert beats == pytest.approx((10, 10, 10))
    assert measured.beat == "b"
    assert measured.beat_s == pytest.approx(1.2e-4)
    assert summarize(evidence(*runs, run(1e-3))).p50_beats is None  # one process has none


def test_a_virtual_machine_may_be_twice_as_wide() -> None:
    runs = tuple(run(value * 1e-3) for value in (1.0, 1.015, 0.985, 1.01, 0.99, 1.0))
    assert summarize(evidence(*runs)).verdict == Verdict.IMPRECISE
    assert summarize(evidence(*runs, session=session(hypervisor="yes"))).verdict == Verdict.VALID


@pytest.mark.parametrize(("cpu_share", "verdict"), [(0.95, 0), (0.8, Verdict.SUSPECT), (0.3, Verdict.INVALID)])
def test_wall_time_above_cpu_time_is_waiting(cpu_share: float, verdict: int) -> None:
    assert summarize(evidence(*steady(cpu_s=0.02 * cpu_share))).verdict == verdict


def test_two_threads_that_use_one_core_are_suspect() -> None:
    runs = steady(case=case(threads=2), cpu_s=0.02 * 1.2)
    assert "threads waited, for a core or for each other: CPU time is 60% of wall time per thread" in reasons(*runs)


def test_two_threads_of_which_one_works_are_suspect_and_still_a_figure() -> None:
    assert summarize(evidence(*steady(case=case(threads=2), cpu_s=0.02 * 0.99))).verdict == Verdict.SUSPECT


def test_a_process_that_used_more_cores_than_its_threads_is_suspect() -> None:
    measured = summarize(evidence(*steady(cpu_s=0.02 * 1.9)))
    assert measured.verdict == Verdict.SUSPECT
    assert measured.reasons[0].text == "used 1.9 cores, more than the requested 1 thread"
    assert reasons(*steady(cpu_s=0.02 * 1.2)) == ""


def test_a_missing_delegate_is_suspect_and_says_why_it_is_slow() -> None:
    assert reasons(*steady(conditions={"delegate": "XNNPACK"})) == ""
    assert reasons(*steady(conditions={"delegate": "none"})) == (
        "no XNNPACK delegate took over: TFLite's own kernels ran, which are slower"
    )


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"others_cpu": 0.7}, "other processes took 0.7 cores meanwhile"),
        ({"steal": 0.12}, "the hypervisor took 12% of the machine meanwhile"),
        ({"conditions": {"swap_used_bytes_before": "0", "swap_used_bytes_after": "4096"}}, "memory was swapped out"),
    ],
)
def test_a_busy_machine_is_suspect(changes: dict[str, object], text: str) -> None:
    measured = summarize(evidence(*steady(**changes)))
    assert measured.verdict == Verdict.SUSPECT
    assert text in measured.reasons[0].text


def test_drift_is_suspect_and_says_how_much() -> None:
    runs = [run(1e-3 * (1 + 0.002 * step)) for step in range(9)]
    assert "drifted +1.6% over 9 processes" in reasons(*runs)


def test_a_governor_that_changes_the_clock_is_suspect() -> None:
    assert "governor powersave" in reasons(*steady(), session=session(governor="powersave"))


def test_a_float_operator_in_an_int8_graph_is_suspect() -> None:
    text = reasons(*steady(), artifact=artifact(float_nodes=("Conv features.0",)))
    assert text == "1 operator of the int8 graph runs in float: Conv features.0"


@pytest.mark.parametrize(
    ("isa", "reduce_range", "verdict"),
    [("avx2", False, Verdict.INVALID), ("avx2", True, 0), ("avx2 avx_vnni", False, 0)],
)
def test_8_bit_weights_without_vnni_or_reduce_range_are_invalid(isa: str, reduce_range: bool, verdict: int) -> None:
    for activations in ("uint8", "int8"):
        card = artifact(quantization=Quantization(activations=activations, reduce_range=reduce_range))
        assert summarize(evidence(*steady(), artifact=card, session=session(isa=isa))).verdict == verdict


def test_what_is_no_onnx_file_or_runs_on_a_gpu_does_not_overflow() -> None:
    facts = {"machine": "x86_64", "isa": "avx2"}
    assert overflows(Quantization(), "onnx", facts)
    assert not overflows(Quantization(), "tflite", facts)
    assert not overflows(Quantization(), "onnx", facts | {"device": "cuda"})
    assert not overflows(Quantization(weights="uint8"), "onnx", facts)
    assert not overflows(None, "onnx", facts)


def test_only_x86_saturates() -> None:
    assert not saturates({"machine": "aarch64", "isa": "asimd"})
    assert saturates({"machine": "x86_64"})


def test_memory_is_the_growth_by_loading_and_the_highest_peak() -> None:
    marks = MemoryMarks(baseline_bytes=50, load_peak_bytes=900, loaded_bytes=80, run_peak_bytes=100)
    measured = summarize(evidence(run(purpose=Purpose.MEMORY, samples_s=(), memory=marks), *steady()))
    assert (measured.model_bytes, measured.peak_bytes, measured.processes) == (30, 900, 6)


def test_samples_of_memory_runs_never_enter_a_latency() -> None:
    marks = MemoryMarks(baseline_bytes=1, load_peak_bytes=1, loaded_bytes=1, run_peak_bytes=1)
    slow = run(purpose=Purpose.MEMORY, samples_s=(9.0,), memory=marks)
    assert summarize(evidence(slow, *steady())).p50_s == 1e-3


def test_settled_only_at_a_look_unless_all_processes_are_spent() -> None:
    assert is_settled([1.0] * 6, STANDARD, 0.01)
    assert not is_settled([1.0] * 7, STANDARD, 0.01)
    assert not is_settled([1.0] * 5, STANDARD, 0.01)
    assert is_settled([float(value) for value in range(30)], STANDARD, 0.01)


def test_runs_of_another_epoch_or_artifact_are_set_aside_and_counted() -> None:
    stale = run(9e-3, epoch="e0"), run(9e-3, artifact_sha256="f0")
    (only,) = gather([session(), deployment(), *stale, *steady()])
    assert (len(only.runs), only.set_aside) == (6, 2)
    assert summarize(only).p50_s == 1e-3


def test_a_failure_stands_until_a_later_session_succeeds() -> None:
    failure = Failure(case=case(), session="s1", epoch="e1", stage="summarize", reason="it crashed")
    (only,) = gather([session(), failure])
    assert summarize(only).verdict == Verdict.FAILED
    (only,) = gather([session(), failure, session(id="s2"), deployment(session="s2"), *steady(session="s2")])
    assert summarize(only).verdict == Verdict.VALID


def test_an_accuracy_of_another_artifact_is_not_shown() -> None:
    stale = Accuracy(
        case=case(), session="s0", epoch="e1", artifact_sha256="f0", dataset="digits", images=600, correct=1
    )
    (only,) = gather([session(), stale, deployment(), *steady()])
    assert only.accuracy is None


def test_runs_of_an_older_artifact_never_stand_under_a_newer_one() -> None:
    newer = deployment(artifact(sha256="f2"), session="s2")
    (only,) = gather([session(), deployment(), *steady(), session(id="s2"), newer])
    assert (only.runs, only.set_aside, only.artifact) == ((), 6, newer.artifact)
    text = "not measured: its session was interrupted before this case, or still runs, and earlier 6 processes ran"
    assert summarize(only).reasons[0].text == f"{text} a file other than the one deployed last"


def answered(agreement: float, sqnr_db: float | None, images: int = 600) -> Accuracy:
    """The answers of an int8 file, of which a share is the float parent's."""
    return Accuracy(
        case=case(), session="s1", epoch="e1", artifact_sha256="f1", dataset="digits", images=images, correct=1,
        parent_sha256="p1", agreement=agreement, sqnr_db=sqnr_db,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("agreement", "sqnr_db", "images", "verdict"),
    [
        (0.10, -3.0, 600, Verdict.INVALID),
        (0.40, 5.0, 600, Verdict.INVALID),
        (0.95, -1.0, 600, Verdict.INVALID),  # the interval of the answers says nothing of a noise above the signal
        (0.40, 5.0, 10, Verdict.VALID),  # of ten images 4 that agree are no evidence
        (0.60, 5.0, 600, Verdict.VALID),
        (1.00, None, 600, Verdict.VALID),
    ],
)
def test_answers_that_are_mostly_not_the_float_parents_are_invalid(
    agreement: float, sqnr_db: float | None, images: int, verdict: Verdict
) -> None:
    card = artifact(quantization=Quantization())
    assert (
        summarize(evidence(*steady(), artifact=card, accuracy=answered(agreement, sqnr_db, images))).verdict == verdict
    )


def test_sixteen_bits_can_collapse_too() -> None:
    half = replace(case(), variant=replace(case().variant, precision=Precision.FP16))
    seen = summarize(evidence(*steady(), accuracy=replace(answered(0.1, -3.0), case=half)))
    assert seen.verdict == Verdict.INVALID
    assert seen.reasons[0].text.startswith("fp16 collapsed: 10% of its answers equal its float parent's")
    assert seen.reasons[0].text.endswith(": try fp32")


def test_a_float_file_cannot_collapse() -> None:
    assert summarize(evidence(*steady(), accuracy=answered(0.1, -3.0))).verdict == Verdict.VALID


@pytest.mark.parametrize(
    ("how", "advice"),
    [
        (Quantization(granularity="per_tensor"), "per_channel or per_tensor+equalized"),
        (Quantization(), "per_channel+percentile or qat"),
        (Quantization(range_method="percentile"), "qat"),
        (Quantization(aware=True, calibration="digits"), "the data set's own images or per_channel+percentile"),
    ],
)
def test_a_collapse_names_the_worst_layer_and_the_next_scheme(how: Quantization, advice: str) -> None:
    layers = (
        LayerNoise(name="stem", operator="Conv", sqnr_db=38.0, lost_db=12.0),
        LayerNoise(name="blocks.3", operator="Conv", sqnr_db=2.0, lost_db=30.0),
        LayerNoise(name="classifier", operator="Gemm", sqnr_db=1.0, lost_db=1.0),
    )
    text = reasons(*steady(), artifact=artifact(quantization=how, layers=layers), accuracy=answered(0.1, 1.04))
    assert text == (
        "int8 collapsed: 10% of its answers equal its float parent's, its outputs have an SQNR of 1.0 dB,"
        f" the layer that loses most is blocks.3, a Conv: try {advice}"
    )


def test_float_operators_come_with_their_share_of_the_multiply_adds() -> None:
    card = artifact(float_nodes=("Conv stem",), integer_share=0.91)
    assert reasons(*steady(), artifact=card) == (
        "1 operator of the int8 graph runs in float, 9% of the multiply-adds: Conv stem"
    )


def test_a_runtime_that_inspects_its_own_graph_is_believed_and_the_format_is_not() -> None:
    card, facts = artifact(float_nodes=("Conv stem",), integer_share=0.91), {"float_operators": "2"}
    at_openvino = replace(case(), runtime=Runtime(name="openvino", version="2026.4.1", options=("f32",)))
    runs = tuple(replace(item, case=at_openvino, conditions={**item.conditions, **facts}) for item in steady())
    named = {"integer_share": "0.750000", "float_operator_names": "Convolution a, FullyConnected b"}
    full = tuple(replace(item, conditions={**item.conditions, **named}) for item in runs)
    assert [reasons(*of, artifact=card, case=at_openvino) for of in (steady(), runs, full)] == [
        "",
        "2 operators of the int8 graph run in float",
        "2 operators of the int8 graph run in float, 25% of the multiply-adds: Convolution a, FullyConnected b",
    ]


def sustained(*windows: Window) -> Run:
    return replace(run(), purpose=Purpose.SUSTAINED, samples_s=(), windows=windows)


def window(at_s: float, median_s: float, **conditions: str) -> Window:
    return Window(at_s=at_s, iterations=100, median_s=median_s, conditions=conditions)


HEATED = sustained(
    window(5.0, 0.010, temperature_c="48.0", clock_mhz="1800", firmware_clock_mhz="1800"),
    window(300.0, 0.012, temperature_c="80.5", clock_mhz="1800", firmware_clock_mhz="1500", clock_lowered="throttled"),
    window(550.0, 0.018, temperature_c="82.0", clock_mhz="1800", firmware_clock_mhz="1000", clock_lowered="throttled"),
    window(600.0, 0.020, temperature_c="81.0", clock_mhz="1800", firmware_clock_mhz="1000", clock_lowered="nothing"),
)


def test_a_sustained_run_gives_its_first_seconds_its_end_and_what_heat_did() -> None:
    found = endurance(HEATED)
    assert (found.lasted_s, found.burst_s, found.sustained_s) == (600.0, 0.010, 0.019)
    assert (found.hottest_c, found.slowest_mhz, found.lowered) == (82.0, 1000.0, ("throttled",))


def test_a_machine_that_says_nothing_of_heat_has_speeds_only() -> None:
    found = endurance(sustained(window(20.0, 0.010), window(40.0, 0.011)))
    assert (found.burst_s, found.sustained_s, found.hottest_c, found.slowest_mhz) == (0.010, 0.011, None, None)


def test_a_sustained_run_comes_last_and_once() -> None:
    asked = replace(session(), sustained_s=600.0)
    done = (*steady(), *(replace(run(), purpose=Purpose.MEMORY) for _ in range(2)))
    assert list(needed(done, session())) == []
    assert list(needed(done, asked)) == [Purpose.SUSTAINED]
    assert list(needed((*done, HEATED), asked)) == []
    assert list(needed((*done, HEATED), replace(asked, sustained_s=900.0))) == [Purpose.SUSTAINED]


def test_a_sustained_run_never_enters_a_latency_nor_its_verdict() -> None:
    (alone,) = gather([session(), deployment(), *steady()])
    (heated,) = gather([session(), deployment(), *steady(), HEATED])
    assert (heated.runs, heated.sustained) == (alone.runs, (HEATED,))
    assert replace(summarize(heated), endurance=None) == summarize(alone)


def test_an_interval_that_a_shared_core_widened_says_so() -> None:
    slow = (1.0, 1.5, 1.0, 1.5, 1.4, 1.0)
    runs = [run(1e-3 * by, beats=Beats(workload="b", every=20, took_s=(1e-4 * by,) * 2)) for by in slow]
    assert reasons(*runs) == "interval wider than ±1%, but not in reference beats: the whole core was slower at times"


def test_beats_stand_beside_the_reference_workloads() -> None:
    reference = run(2e-3, case=Reference(workload=Workload.COMPUTE, target="cpu"))
    beating = run(beats=Beats(workload="b", every=20, took_s=(1e-4, 3e-4, 2e-4)))
    assert reference_medians([reference, beating, run()]) == {"compute": [2e-3], "beat b": [2e-4]}

"""GPU targets without a GPU: what is refused, what the driver says, and what the verdict makes of it."""

from dataclasses import replace
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy
import pytest

from edgebench.agent import device, gpu
from edgebench.agent.runtimes import onnxruntime
from edgebench.deploy.connections.null import Here
from edgebench.deploy.survey import survey
from edgebench.export import export, formats
from edgebench.export.formats import onnx as format
from edgebench.foundation.errors import RequestError
from edgebench.measure.plan import cases as plan
from edgebench.networks import build
from edgebench.results.measurement import evidence, summarize, verdict
from edgebench.results.reports import comparison
from edgebench.results.table import rows
from edgebench.results.table.columns import flat
from edgebench.results.table.notes import machine
from edgebench.results.table.row import Row
from edgebench.schema import throttle
from edgebench.schema.case import Purpose
from edgebench.schema.quantization import Quantization
from edgebench.schema.record import Deployment, MemoryMarks, Run, Session
from edgebench.schema.runtime import Runtime, RuntimeRequest
from edgebench.schema.target import Target
from edgebench.schema.variant import Precision
from tests.conftest import CPU, artifact, case, environment, needs_torch, run, session, variant
from tests.support.command import cli
from tests.support.networks import awake

CUDA, TENSORRT = onnxruntime.CUDA, onnxruntime.TENSORRT
NO_DRIVER = "edgebench: no CUDA device on this target (driver not found); see targets/gpu.toml\n"
no_driver = pytest.mark.skipif(gpu.why_missing() != "driver not found", reason="there is an NVIDIA driver here")


@pytest.mark.lengthy
@needs_torch
@no_driver
def test_without_a_driver_the_gpu_target_is_refused_before_anything_runs(place: Path) -> None:
    done = cli("run", "--target", "gpu", "--model", "mobilenet_v1")
    assert (done.returncode, done.stderr, done.stdout) == (2, NO_DRIVER, "")
    assert list(place.iterdir()) == []


class Driver:
    """libcuda.so.1 with a status and a number of devices."""

    def __init__(self, status: int, devices: int) -> None:
        self._status, self._devices = status, devices

    def cuInit(self, flags: int) -> int:
        return self._status

    def cuDeviceGetCount(self, count: Any) -> int:
        count._obj.value = self._devices
        return 0


@pytest.mark.parametrize(
    ("status", "devices", "why"),
    [
        (0, 1, ""),
        (0, 0, "driver found, but no device"),
        (100, 0, "driver found, but no device"),
        (803, 0, "driver error 803"),
    ],
)
def test_why_there_is_no_device_is_told(status: int, devices: int, why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ctypes.CDLL", lambda name: Driver(status, devices))
    assert gpu.why_missing() == why


@pytest.mark.lengthy
def test_a_target_whose_device_is_missing_is_no_target(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu, "why_missing", lambda: "driver found, but no device")
    target = Target(name="gpu", board="b", connection="null", runtimes=("null",), device="cuda")
    with pytest.raises(RequestError, match=r"no CUDA device on this target \(driver found, but no device\)"):
        survey(Here(), target, "a")


@pytest.mark.lengthy
def test_on_a_gpu_target_the_words_that_mean_a_gpu_are_the_usual_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu, "why_missing", lambda: "")
    target = Target(name="gpu", board="b", connection="null", runtimes=("onnxruntime", "torch", "null"), device="cuda")
    found = survey(Here(), target, "a")
    assert {name: one.options for name, one in found.runtimes.items()} == {
        "onnxruntime": (CUDA,),
        "torch": ("eager", "cuda"),
        "null": (),
    }
    assert found.facts["device"] == "cuda"


def on(name: str, words: str, device: str = "cuda") -> Runtime:
    """What a target with a device makes of a runtime's words."""
    found = environment(device=device) if device == "cuda" else environment()
    usual = {"torch": ("eager", device), "onnxruntime": (CUDA if device == "cuda" else CPU[0],)}[name]
    one = replace(found, runtimes={name: Runtime(name=name, version="1", options=usual)})
    return plan._runtime(RuntimeRequest.parse(words), one)


def test_a_gpu_target_may_be_told_to_use_its_cpu_and_not_the_other_way_round() -> None:
    assert on("torch", "torch+compile").options == ("compile", "cuda")
    assert on("torch", "torch+cpu").options == ("eager", "cpu")
    assert on("onnxruntime", f"onnxruntime+{TENSORRT}").options == (TENSORRT,)
    with pytest.raises(RequestError, match=r'torch\+cuda computes on cuda, but target cpu on cpu; .*device = "cuda"'):
        on("torch", "torch+cuda", "cpu")


def int8(**how: Any) -> Any:
    return replace(variant(), precision=Precision.INT8, quantization=Quantization(**how))


def test_int8_on_a_gpu_needs_tensorrt_and_its_scheme() -> None:
    assert onnxruntime.refuses(int8(), (CUDA,)).startswith("onnxruntime's CUDA provider has no integer convolution")
    assert "use --quantization s8s8+symmetric" in onnxruntime.refuses(int8(), (TENSORRT,))
    assert onnxruntime.refuses(int8(activations="int8", symmetric=True), (TENSORRT,)) == ""
    assert onnxruntime.refuses(int8(), CPU) == ""
    assert onnxruntime.refuses(variant(), (CUDA, "tf32")) == ""
    assert "leave it out" in onnxruntime.refuses(variant(), (*CPU, "tf32"))


def test_the_usual_int8_of_tensorrt_is_one_that_it_computes() -> None:
    scheme = plan._scheme(Runtime(name="onnxruntime", version="1", options=(TENSORRT,)))
    assert (scheme.activations, scheme.weights, scheme.symmetric) == ("int8", "int8", True)
    assert plan._scheme(Runtime(name="onnxruntime", version="1", options=CPU)) == Quantization()


def test_the_device_of_a_request_is_that_of_its_words() -> None:
    assert device({"runtime": "torch", "options": ["compile", "cuda"]}) == "cuda"
    assert device({"runtime": "onnxruntime", "options": [TENSORRT]}) == "cuda"
    assert device({"runtime": "null", "options": []}) == device({"reference": "compute"}) == "cpu"


@pytest.mark.slow
def test_a_provider_that_is_not_there_is_a_failure_and_no_fallback() -> None:
    from edgebench.foundation import cache

    if CUDA in onnxruntime._available():
        pytest.skip("onnxruntime-gpu is installed")
    path = str(cache.path_of(export(variant(), "onnx", print)))
    with (
        pytest.warns(UserWarning, match="is not in available provider names"),
        pytest.raises(RuntimeError, match=f"wanted onnxruntime's {CUDA}, found {CPU[0]}: install onnxruntime-gpu"),
    ):
        onnxruntime.open(path, threads=1, batch=1, options=(CUDA,))


@pytest.mark.parametrize(
    ("provider", "available", "advice"),
    [
        (CUDA, CPU, "install onnxruntime-gpu in place of onnxruntime"),
        (
            CUDA,
            (CUDA, *CPU),
            "install CUDA's libraries and cuDNN's: pip install 'onnxruntime-gpu[cuda,cudnn]'",
        ),
        (TENSORRT, (TENSORRT, CUDA, *CPU), "install TensorRT's libraries"),
    ],
)
def test_what_to_install_depends_on_what_is_there(provider: str, available: tuple[str, ...], advice: str) -> None:
    with pytest.raises(RuntimeError) as refused:
        onnxruntime.require(provider, CPU, available)
    assert str(refused.value) == f"wanted onnxruntime's {provider}, found {CPU[0]}: {advice}"


@pytest.mark.slow
@pytest.mark.gpu
@pytest.mark.skipif(bool(gpu.why_missing()), reason=f"no CUDA device: {gpu.why_missing()}")
def test_a_graph_on_a_gpu_answers_as_on_the_cpu_and_rounds_its_products_only_when_told(place: Path) -> None:
    if CUDA not in onnxruntime._available():
        pytest.skip("onnxruntime-gpu is not installed")
    of, images = variant("resnet18", 1.0, 64), numpy.random.default_rng(0).uniform(-1, 1, (8, 3, 64, 64))
    images = images.astype(numpy.float32)
    format.write(place / "net.onnx", of, build.channels(of), lambda: awake(build.build(of), images))

    def answered(*options: str) -> Any:
        session = onnxruntime.open(str(place / "net.onnx"), threads=1, batch=1, options=options)
        assert options == CPU or "fallback" not in session.facts()
        return numpy.frombuffer(session.infer(images.tobytes(), images.shape), "<f4")

    rounded = answered(CUDA, "tf32")  # first: what CUDA's libraries are told when they start holds for good
    wanted, exact = answered(*CPU), answered(CUDA)
    errors = [abs(found - wanted).max() / abs(wanted).max() for found in (exact, rounded)]
    assert errors[0] < 1e-5 < 1e-4 < errors[1]


@pytest.mark.slow
def test_operators_that_ran_on_the_cpu_are_found_in_a_profile() -> None:
    from edgebench.foundation import cache

    path = str(cache.path_of(export(variant(), "onnx", print)))
    feed = {"images": numpy.zeros((1, 3, 32, 32), numpy.float32)}
    events = onnxruntime._profiled(path, CPU[0], 1, lambda session: session.run(None, feed), tf32=False)
    found = onnxruntime.fallback(events)
    assert int(found[f"operators_on_{CPU[0]}"]) > 10
    assert "Conv" in found["fallback"]


@pytest.mark.slow
def test_a_device_session_answers_as_a_plain_one_and_tells_where_it_ran() -> None:
    """On the CPU provider, which stands for a device here."""
    from edgebench.foundation import cache

    path = str(cache.path_of(export(variant(), "onnx", print)))
    plain = onnxruntime.open(path, threads=1, batch=1, options=CPU)
    apart = onnxruntime.DeviceSession(plain._session, 1, path, CPU[0], tf32=False)
    apart.run()
    images = numpy.zeros((1, 3, 32, 32), numpy.float32)
    assert apart.infer(images.tobytes(), images.shape) == plain.infer(images.tobytes(), images.shape)
    assert "Conv" in apart.facts()["fallback"]
    assert plain.facts() == {}


def test_arithmetic_on_shapes_is_no_fallback() -> None:
    events = [
        {"cat": "Node", "args": {"provider": provider, "op_name": operator}}
        for provider, operator in ((CUDA, "Conv"), (CUDA, "Gemm"), (CPU[0], "Shape"), (CPU[0], "Gather"))
    ]
    assert onnxruntime.fallback([{"cat": "Session"}, *events]) == {
        f"operators_on_{CUDA}": "2",
        f"operators_on_{CPU[0]}": "2",
    }


@pytest.mark.parametrize(
    ("bits", "words"),
    [
        (0x0, "nothing"),
        (0x1, "idle"),
        (0x4, "power cap"),
        (0x48, "hardware slowdown, thermal slowdown by hardware"),
        (0x88, "hardware slowdown, power brake"),
        (0x24, "power cap, thermal slowdown by software"),
        (0x1001, "idle, unknown 0x1000"),
    ],
)
def test_throttle_bits_are_words(bits: int, words: str) -> None:
    assert throttle.words(bits, throttle.GPU) == words


class NotSupported(Exception):
    """What NVML raises for a sensor that a board does not have."""


def refuse(*arguments: object) -> object:
    raise NotSupported


def test_nvml_is_read_in_units_and_a_missing_sensor_is_left_out() -> None:
    nvml = SimpleNamespace(
        NVML_CLOCK_SM=1, NVML_CLOCK_MEM=2, NVML_TEMPERATURE_GPU=0, NVML_PERF_POLICY_THERMAL=1,
        nvmlDeviceGetClockInfo=lambda handle, kind: {1: 1980, 2: 2619}[kind],
        nvmlDeviceGetPowerUsage=lambda handle: 118_334,
        nvmlDeviceGetTemperature=lambda handle, sensor: 34,
        nvmlDeviceGetMemoryInfo=lambda handle: SimpleNamespace(total=150_754_820_096, used=1_048_576),
        nvmlDeviceGetCurrentClocksEventReasons=lambda handle: 0x4,
        nvmlDeviceGetViolationStatus=refuse,
        nvmlDeviceGetName=lambda handle: "NVIDIA H200",
        nvmlSystemGetDriverVersion=lambda: "570.86.15",
        nvmlDeviceGetMaxClockInfo=refuse,
        nvmlDeviceGetEnforcedPowerLimit=lambda handle: 700_000,
    )  # fmt: skip
    assert gpu.answered(gpu._conditions(nvml, object()), NotSupported) == {
        "gpu_clock_mhz": "1980", "gpu_memory_clock_mhz": "2619", "gpu_power_w": "118.3", "gpu_temperature_c": "34",
        "gpu_used_bytes": "1048576", "gpu_throttle": "power cap",
    }  # fmt: skip
    assert gpu.answered(gpu._identity(nvml, object()), NotSupported) == {
        "gpu": "NVIDIA H200", "gpu_driver": "570.86.15", "gpu_power_limit_w": "700",
        "gpu_memory_bytes": "150754820096",
    }  # fmt: skip


WATCHED = {"gpu_throttle_before": "idle", "gpu_throttle_after": "nothing"}


UNWATCHED = "the GPU's clock was not monitored"


def found(runs: list[Run]) -> dict[str, str]:
    """The reasons that runs on a GPU give, with the verdict of each."""
    seen = evidence.Evidence(case=case(), session=session(device="cuda"), runs=tuple(runs), artifact=artifact())
    return {one.text: one.verdict.name for one in verdict.reasons(seen)}


@pytest.mark.parametrize(
    ("conditions", "reasons"),
    [
        (WATCHED, {}),
        ({}, {f"{UNWATCHED}: NVML gave no answer, it needs nvidia-ml-py on the target": "SUSPECT"}),
        ({"gpu_power_w_after": "90.0"}, {f"{UNWATCHED}: its driver does not report it": "SUSPECT"}),
        (WATCHED | {"gpu_throttle_after": "power cap"}, {"the GPU lowered its clock: power cap": "SUSPECT"}),
        (WATCHED | {"gpu_throttle_after": "power brake"}, {"the GPU lowered its clock: power brake": "INVALID"}),
        (
            WATCHED | {"gpu_throttle_before": "idle, thermal slowdown by software"},
            {"the GPU lowered its clock: thermal slowdown by software": "INVALID"},
        ),
        (
            WATCHED | {"gpu_too_hot_ns_before": "5", "gpu_too_hot_ns_after": "9"},
            {"the GPU lowered its clock: thermal slowdown meanwhile": "INVALID"},
        ),
        (
            WATCHED | {"fallback": "Conv, Gemm"},
            {"requested CPUExecutionProvider, but the CPU ran operators: Conv, Gemm": "INVALID"},
        ),
        (WATCHED | {"kernel_s": "0.000900"}, {}),
        (WATCHED | {"kernel_s": "0.001200"}, {}),  # with the gaps between them, on a host that was faster before
        (
            WATCHED | {"kernel_s": "0.002000"},
            {"inference took 50% of the time of its own kernels: is something not synchronised?": "INVALID"},
        ),
    ],
)
def test_what_the_gpu_said_decides_what_its_number_is_worth(
    conditions: dict[str, str], reasons: dict[str, str]
) -> None:
    assert found([run(conditions=conditions, cpu_s=0.001)] * 6) == reasons  # the host waits: no reason to complain


TOLD = {
    "kernel_s": "0.000900", "transfer_s": "0.000050", "gpu_allocated_peak_bytes": "31457280",
    "gpu_reserved_peak_bytes": "41943040",
}  # fmt: skip
LOOKED_AT = {"gpu_used_bytes_before": "1048576", "gpu_used_bytes_after": "525336576"}
COLUMNS = ("kernel_ms", "transfer_ms", "device_peak_mib", "device_used_mib")


def row(conditions: dict[str, str], where: Session) -> Row:
    """The row of six processes that measured time and one that measured memory."""
    marks = MemoryMarks(baseline_bytes=0, load_peak_bytes=1, loaded_bytes=1, run_peak_bytes=1)
    runs = [run(conditions=conditions)] * 6
    weighed = run(purpose=Purpose.MEMORY, samples_s=(), memory=marks, conditions=conditions)
    seen = evidence.Evidence(case=case(), session=where, runs=(*runs, weighed), artifact=artifact())
    return rows.row(seen, summarize(seen))


@pytest.mark.parametrize(
    ("conditions", "figures"),
    [
        (WATCHED, (None, None, None, None)),
        (WATCHED | LOOKED_AT, (None, None, None, 500.0)),  # onnxruntime has no events of its own
        (WATCHED | TOLD, (0.9, 0.05, 30.0, None)),  # nobody could ask NVML
        (WATCHED | TOLD | LOOKED_AT, (0.9, 0.05, 30.0, 500.0)),
    ],
)
def test_a_row_has_the_device_s_own_times_and_memory_as_far_as_they_are_known(
    conditions: dict[str, str], figures: tuple[float | None, ...]
) -> None:
    found = row(conditions, session(device="cuda"))
    assert [flat(found)[name] for name in COLUMNS] == pytest.approx(figures)


def test_an_emulator_s_device_times_are_nobody_s() -> None:
    found = row(TOLD | LOOKED_AT, session(emulator="qemu-aarch64"))
    assert [flat(found)[name] for name in COLUMNS] == [None] * 4


def test_the_device_s_columns_are_shown_where_a_row_has_them() -> None:
    rows = [row(conditions, session(device="cuda")) for conditions in (WATCHED | TOLD, WATCHED)]
    shown, plain = comparison.columns(rows), comparison.columns(rows[1:])
    added = [column for column in shown if column not in plain]
    assert [column.heading for column in added] == ["kernel ms", "transfer ms", "device peak MiB"]
    assert [[column.cell(one) for column in added] for one in rows] == [["0.900", "0.050", "30.0"], ["-", "-", "-"]]


def at_batches(*medians_s: float, macs: float) -> list[dict[str, str]]:
    """The reasons at batch 64, 128, ... with these times."""
    cases = [replace(case(), batch=64 * 2**step) for step in range(len(medians_s))]
    card = artifact(macs=round(macs))
    records: list[Any] = [session(*cases)]
    for one, median_s in zip(cases, medians_s, strict=True):
        records.append(Deployment(case=one, session="s1", epoch="e1", artifact=card))
        records += [run(median_s, case=one)] * 6
    return [{one.text: one.verdict.name for one in verdict.reasons(seen)} for seen in evidence.gather(records)]


UNCHANGED = {"doubling the batch left the time unchanged: is something not synchronised?": "SUSPECT"}


@pytest.mark.parametrize(
    ("medians_s", "macs", "reasons"),
    [
        ((0.010, 0.019, 0.037), 15.5e9, [{}, {}, {}]),
        ((0.010, 0.0101, 0.020), 15.5e9, [{}, {}, {}]),  # 64 images of 15.5 GMAC are fewer than 1 TMAC
        ((0.010, 0.0101, 0.020), 16e9, [{}, UNCHANGED, {}]),
        ((0.010, 0.010, 0.010), 16e9, [{}, UNCHANGED, UNCHANGED]),
        ((0.010, 0.010, 0.010), 0.3e9, [{}, {}, {}]),  # a small network may wait for the host at any batch
    ],
)
def test_a_large_network_that_takes_no_longer_for_twice_the_images_is_suspect(
    medians_s: tuple[float, ...], macs: float, reasons: list[dict[str, str]]
) -> None:
    assert at_batches(*medians_s, macs=macs) == reasons


def test_the_half_of_another_environment_is_not_compared() -> None:
    one, other = replace(case(), batch=1), replace(case(), batch=2)
    records = [session(one), replace(session(other, id="s2"), environment=environment("e2"))]
    assert [seen.halved for seen in evidence.gather(records)] == [(), ()]


def test_a_report_names_the_gpu_that_computed() -> None:
    facts = {"cpu": "a CPU", "device": "cuda", "gpu": "NVIDIA H200", "gpu_driver": "580.159.04"}
    facts |= {"gpu_memory_bytes": "150754820096", "gpu_power_limit_w": "700"}
    assert "NVIDIA H200 (140 GiB, at most 700 W, driver 580.159.04)" in machine(facts)
    assert "a GPU of unknown name" in machine({"device": "cuda"})
    assert "GPU" not in machine({"cpu": "a CPU"})


@pytest.mark.usefixtures("no_version_is_remembered")
def test_onnxruntime_of_a_gpu_is_onnxruntime_to_who_writes_files(monkeypatch: pytest.MonkeyPatch) -> None:
    installed = {"onnxruntime-gpu": "1.31.1", "torch": "2.13.0+cu130"}

    def version(name: str) -> str:
        if name not in installed:
            raise PackageNotFoundError(name)
        return installed[name]

    def distributions(name: str) -> list[SimpleNamespace]:
        return [SimpleNamespace(version=installed[name])] if name in installed else []

    monkeypatch.setattr(formats, "version", version)
    monkeypatch.setattr(onnxruntime, "metadata", SimpleNamespace(distributions=distributions, version=version))
    assert [formats.tool_version(name) for name in ("onnxruntime", "torch")] == ["1.31.1", "2.13.0+cu130"]
    with pytest.raises(PackageNotFoundError, match="onnx"):
        formats.tool_version("onnx")

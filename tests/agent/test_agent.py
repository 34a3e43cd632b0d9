"""The bundle, as it travels: run by a bare Python, on its own, by hand."""

import hashlib
import json
import subprocess
import sys
from base64 import b64decode
from math import ceil
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

from edgebench.agent import machine, reference, timing
from edgebench.agent.__main__ import MARK
from edgebench.deploy.bundle import bundle

BARE = (sys.executable, "-I", "-S")  # no site packages: whatever the agent needs, it carries


def ask(request: dict[str, Any], *python: str) -> Any:
    done = subprocess.run(
        [*(python or BARE), str(bundle()[0])], input=json.dumps(request), capture_output=True, text=True, check=True
    )
    (line,) = [line for line in done.stdout.splitlines() if line.startswith(MARK)]
    return json.loads(line.removeprefix(MARK))


@pytest.fixture
def null_artifact(place: Path) -> str:
    path = place / "null.json"
    path.write_text(json.dumps({"delay_s": 0.0, "classes": 3}))
    return str(path)


def measuring(path: str, **changes: Any) -> dict[str, Any]:
    return {
        "do": "measure", "purpose": "latency", "runtime": "null", "path": path, "threads": 1, "batch": 1, "options": [],
        "warmup_s": 0.5, "warmup_iterations": 10, "iterations": None, "least_iterations": 5, "most_iterations": 200,
    } | changes  # fmt: skip


@pytest.mark.lengthy
def test_the_bundle_measures_on_bare_python(null_artifact: str) -> None:
    value = ask(measuring(null_artifact))["value"]
    assert len(value["samples_s"]) == 200
    assert min(value["samples_s"]) >= 0
    assert sum(value["samples_s"]) <= value["wall_s"]
    assert value["start_s"] > 0


@pytest.mark.lengthy
def test_a_small_workload_beats_between_the_samples_of_a_network(place: Path) -> None:
    path = place / "slow.json"
    path.write_text(json.dumps({"delay_s": 0.002, "classes": 3}))
    seen = ask(measuring(str(path), iterations=10))["value"]
    beats = seen["beats"]
    assert beats["workload"] == reference.BEAT
    assert len(beats["took_s"]) == 1 + ceil(len(seen["samples_s"]) / beats["every"]) > 2
    assert min(beats["took_s"]) > 0


@pytest.mark.lengthy
def test_the_iterations_asked_for_are_the_iterations_done(null_artifact: str) -> None:
    assert len(ask(measuring(null_artifact, iterations=7))["value"]["samples_s"]) == 7


@pytest.mark.lengthy
def test_a_delay_is_measured_as_long_as_it_is(place: Path) -> None:
    path = place / "slow.json"
    path.write_text(json.dumps({"delay_s": 0.01, "classes": 3}))
    samples = ask(measuring(str(path), iterations=5))["value"]["samples_s"]
    assert min(samples) >= 0.01


@pytest.mark.lengthy
def test_the_bundle_marks_memory_on_bare_python(null_artifact: str) -> None:
    memory = ask(measuring(null_artifact, purpose="memory"))["value"]["memory"]
    assert 0 < memory["baseline_bytes"] <= memory["load_peak_bytes"] < 200 * 2**20
    assert memory["loaded_bytes"] <= memory["run_peak_bytes"] + 2**20


@pytest.mark.lengthy
@pytest.mark.parametrize("workload", ["compute", "memory"])
def test_the_bundle_times_the_reference_workloads_on_bare_python(workload: str) -> None:
    request = measuring("", iterations=5, warmup_s=0.01) | {"reference": workload}
    value = ask(request)["value"]
    assert len(value["samples_s"]) == 5
    assert value["beats"]["workload"] == reference.BEAT
    assert len(value["beats"]["took_s"]) > 2


@pytest.mark.lengthy
def test_the_bundle_infers_on_bare_python(null_artifact: str, place: Path) -> None:
    inputs = place / "images.f32"
    inputs.write_bytes(bytes(4 * 5 * 2))
    request = measuring(null_artifact, inputs=str(inputs), shape=[5, 2], batch=2) | {"do": "infer"}
    assert ask(request)["value"]["count"] == 5
    into_file = ask(request | {"outputs": str(place / "outputs.f32")})["value"]
    assert into_file["count"] == 5 and "outputs" not in into_file
    assert into_file["inputs_sha256"] == hashlib.sha256(bytes(4 * 5 * 2)).hexdigest()
    assert (place / "outputs.f32").read_bytes() == b64decode(ask(request)["value"]["outputs"])


def test_pixels_are_normalised_on_the_target_from_the_offset_on(place: Path) -> None:
    import numpy

    from edgebench.agent import infer
    from edgebench.schema.normalization import Normalization

    pixels = numpy.random.default_rng(0).integers(0, 256, (7, 3, 4, 4), numpy.uint8)
    pixels.tofile(place / "pixels")
    how = {"divisor": 255.0, "mean": [0.4, 0.5, 0.6], "deviation": [0.2, 0.3, 0.4], "grey": True}
    request = {"shape": [5, 3, 4, 4], "batch": 2, "depth": "uint8", "normalization": how}
    with (place / "pixels").open("rb") as stream:
        stream.seek(2 * 48)
        seen = [numpy.frombuffer(data, "f4").reshape(shape).copy() for data, shape in infer._pixels(stream, request)]
    assert [part.shape for part in seen] == [(2, 1, 4, 4), (2, 1, 4, 4), (1, 1, 4, 4)]
    assert numpy.concatenate(seen).tobytes() == Normalization(**how).apply(pixels[2:]).tobytes()  # type: ignore[arg-type]


@pytest.mark.lengthy
def test_the_bundle_tells_facts_on_bare_python() -> None:
    value = ask({"do": "facts", "runtimes": ["null", "onnxruntime"]})["value"]
    assert value["runtimes"]["null"]["version"] == "1"
    assert value["runtimes"]["onnxruntime"]["version"] == ""  # not installed where there are no site packages
    assert value["machine"]["kernel"].startswith("Linux")


@pytest.mark.lengthy
def test_an_unknown_request_is_answered_not_crashed() -> None:
    assert ask({"do": "dance"}) == {
        "ok": False,
        "error": "ValueError: no request 'dance' (has facts, infer, measure, probe, profile, trial, unpack)",
    }


@pytest.mark.lengthy
def test_what_a_runtime_prints_never_reaches_the_protocol(null_artifact: str, place: Path) -> None:
    noisy = place / "noisy.py"
    noisy.write_text(
        "import os, sys\n"
        f"sys.path.insert(0, {str(bundle()[0])!r})\n"
        "import edgebench.agent.runtimes.null as null\n"
        "open_quietly = null.open\n"
        "def open_loudly(*args, **kwargs):\n"
        f"    print('{MARK} nonsense', flush=True); os.write(1, b'more nonsense')\n"
        "    return open_quietly(*args, **kwargs)\n"
        "null.open = open_loudly\n"
        "from edgebench.agent.__main__ import main\n"
        "main()\n"
    )
    done = subprocess.run(
        [*BARE, str(noisy)], input=json.dumps(measuring(null_artifact)), capture_output=True, text=True, check=True
    )
    assert "nonsense" not in done.stdout
    assert "nonsense" in done.stderr


def test_the_same_sources_make_the_same_bytes() -> None:
    from edgebench.deploy.bundle import _zip

    assert _zip() == _zip()


def test_the_bundle_is_small_and_holds_no_compiled_file() -> None:
    path, _ = bundle()
    assert path.stat().st_size < 260_000
    assert all(name.endswith(".py") for name in ZipFile(path).namelist())


@pytest.mark.lengthy
def test_a_damaged_bundle_is_made_again() -> None:
    path, digest = bundle()
    path.write_bytes(b"damaged")
    assert bundle() == (path, digest)
    assert ask({"do": "facts", "runtimes": ["null"]})["ok"]


@pytest.mark.parametrize(("iteration_s", "count"), [(0.002, 155), (0.010, 69), (1.0, 7), (1e-6, 200), (100.0, 5)])
def test_the_iterations_follow_the_two_level_cost_rule(iteration_s: float, count: int) -> None:
    assert timing.iterations(start_s=1.05, iteration_s=iteration_s, least=5, most=200) == count


@pytest.mark.lengthy
def test_every_call_is_a_sample_and_the_collector_rests_meanwhile() -> None:
    import gc

    seen: list[bool] = []
    with timing.resting_collector():
        samples = timing.sample(lambda: seen.append(gc.isenabled()), 25)
    assert (len(samples), seen) == (25, [False] * 25)
    assert gc.isenabled()


def test_warm_up_meets_both_minima() -> None:
    calls: list[None] = []
    timing.warm_up(lambda: calls.append(None), least_s=0.0, least_iterations=12)
    assert len(calls) == 12
    timing.warm_up(lambda: calls.append(None), least_s=0.02, least_iterations=1)
    assert len(calls) > 100


@pytest.mark.lengthy
def test_reference_workloads_do_what_they_say() -> None:
    assert reference.open("compute")() is not None
    reference.open("memory")()


@pytest.mark.lengthy
def test_peak_memory_is_reset_before_it_is_read() -> None:
    ballast = bytearray(64 * 2**20)
    assert machine.peak_bytes() >= 64 * 2**20
    del ballast
    machine.reset_peak()
    assert machine.peak_bytes() <= machine.resident_bytes() + 2**20


def test_the_machine_is_known_by_its_cpu_kernel_and_python() -> None:
    assert {"cores", "kernel", "python", "machine"} <= set(machine.identity())
    assert float(machine.conditions()["load_1min"]) >= 0

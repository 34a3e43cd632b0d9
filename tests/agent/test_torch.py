"""torch as a runtime: what its file holds, what it computes, what it refuses; from the bundle, as it travels."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy
import pytest

from edgebench.agent.__main__ import MARK
from edgebench.agent.runtimes import torch as runtime
from edgebench.deploy.bundle import bundle
from edgebench.export.formats import onnx
from edgebench.export.formats import torch as format
from edgebench.foundation.shelf import load
from edgebench.networks import build
from edgebench.schema.quantization import Quantization
from edgebench.schema.variant import Precision, Variant
from tests.conftest import CPU, variant
from tests.support.networks import awake

slow = pytest.mark.slow
EAGER = ("eager", "cpu")


def missing_gpu() -> str:
    from edgebench.agent import gpu

    return gpu.why_missing()


# torch.compile says that TF32 is there and off, which is meant, and that a part of torch itself is deprecated.
quietly = pytest.mark.filterwarnings("ignore:TensorFloat32 tensor cores", "ignore:`torch.jit.script_method`")
gpu = pytest.mark.gpu
needs_gpu = pytest.mark.skipif(bool(missing_gpu()), reason=f"no CUDA device: {missing_gpu()}")


@pytest.fixture
def images() -> Any:
    return numpy.random.default_rng(0).uniform(-1, 1, (5, 3, 32, 32)).astype(numpy.float32)


def network(of: Variant) -> Any:
    shape = (32, build.channels(of), of.resolution, of.resolution)
    return awake(build.build(of), numpy.random.default_rng(1).uniform(-1, 1, shape).astype(numpy.float32))


def written(of: Variant, place: Path) -> str:
    format.write(place / "net.safetensors", of, build.channels(of), lambda: network(of))
    return str(place / "net.safetensors")


def error(found: Any, wanted: Any) -> float:
    """Over the largest output."""
    return float(abs(found - wanted).max() / abs(wanted).max())


def outputs(path: str, images: Any, *, options: tuple[str, ...] = EAGER, batch: int = 2) -> Any:
    session = runtime.open(path, threads=1, batch=batch, options=options)
    return numpy.frombuffer(session.infer(images.tobytes(), images.shape), "<f4").reshape(len(images), -1)


@slow
@pytest.mark.parametrize("name", ["mobilenet_v1", "mobilenet_v2", "lenet5", "lenet5_1998", "resnet18"])
@pytest.mark.parametrize("options", [EAGER, ("eager", "channels_last", "cpu")])
def test_the_network_that_is_built_again_computes_what_the_one_that_was_written_does(
    name: str, options: tuple[str, ...], images: Any, place: Path
) -> None:
    import torch

    of = variant(name, 1.0, 32)
    images = images[:, : build.channels(of)].copy()
    with torch.inference_mode():
        wanted = network(of)(torch.from_numpy(images)).numpy()
    assert error(outputs(written(of, place), images, options=options), wanted) < 1e-5


@slow
@pytest.mark.parametrize("name", ["mobilenet_v1", "mobilenet_v2"])
def test_torch_and_onnxruntime_answer_alike(name: str, images: Any, place: Path) -> None:
    of = variant(name, 0.25, 32)
    onnx.write(place / "net.onnx", of, build.channels(of), lambda: network(of))
    session = load("runtimes", "onnxruntime").open(str(place / "net.onnx"), threads=1, batch=5, options=CPU)
    wanted = numpy.frombuffer(session.infer(images.tobytes(), images.shape), "<f4").reshape(5, -1)
    assert error(outputs(written(of, place), images), wanted) < 1e-4


@slow
@pytest.mark.parametrize(("precision", "tolerance"), [(Precision.FP16, 0.05), (Precision.BF16, 0.3)])
def test_sixteen_bits_halve_the_file_and_cost_little(
    precision: Precision, tolerance: float, images: Any, place: Path
) -> None:
    of = variant("mobilenet_v1", 0.25, 32)
    path = written(of, place)
    whole, wanted = Path(path).stat().st_size, outputs(path, images)
    path = written(replace(of, precision=precision), place)
    assert Path(path).stat().st_size < 0.6 * whole
    assert error(outputs(path, images), wanted) < tolerance


@slow
def test_an_answer_that_sixteen_bits_do_not_hold_is_a_failure(images: Any, place: Path) -> None:
    path = written(replace(variant("mobilenet_v1", 0.25, 32), precision=Precision.FP16), place)
    with pytest.raises(OverflowError, match=r"outputs in torch.float16 are not finite: use --precision fp32"):
        outputs(path, images * numpy.float32(1e9))


@slow
def test_the_file_names_what_to_build_and_holds_no_pickle(place: Path) -> None:
    from safetensors import safe_open

    with safe_open(written(variant("mobilenet_v2", 0.35, 64), place), framework="pt") as file:
        assert file.metadata() == {
            "architecture": "mobilenet_v2", "width": "0.35", "resolution": "64", "classes": "10", "precision": "fp32",
        }  # fmt: skip


@slow
@pytest.mark.parametrize("threads", [2, 1])  # and one again for who comes after: sums of two differ in the last digit
def test_it_computes_with_the_threads_it_is_told(threads: int, place: Path) -> None:
    import torch

    runtime.open(written(variant(), place), threads=threads, batch=1, options=EAGER)
    assert torch.get_num_threads() == threads
    assert torch.get_num_interop_threads() == 1


@slow
@pytest.mark.parametrize("option", ["", "tf32"])
def test_tf32_is_what_was_asked_for_and_never_a_default(option: str, place: Path) -> None:
    import torch

    runtime.open(written(variant(), place), threads=1, batch=1, options=("eager", "cpu", option))
    assert torch.backends.cudnn.allow_tf32 == torch.backends.cuda.matmul.allow_tf32 == bool(option)


def test_int8_is_refused_with_what_computes_it() -> None:
    int8 = replace(variant(), precision=Precision.INT8, quantization=Quantization())
    assert format.refuses(int8).startswith("torch has no int8 convolution on CUDA")
    assert format.refuses(int8).endswith("use --runtime onnxruntime")
    assert [format.refuses(replace(variant(), precision=one)) for one in format._TYPES] == [""] * 3


@pytest.mark.parametrize(
    ("precision", "options", "reason"),
    [
        ("fp32", ("eager", "channels_last", "cpu"), ""),
        ("fp32", ("cuda_graphs", "cuda", "tf32"), ""),
        ("fp16", ("compile", "cuda"), ""),
        ("fp32", ("cuda_graphs", "cpu"), "torch has cuda_graphs on CUDA only: use --target gpu"),
        ("fp32", ("eager", "cpu", "tf32"), "torch has tf32 on CUDA only: use --target gpu"),
        (
            "bf16",
            ("eager", "cuda", "tf32"),
            "tf32 rounds the products of fp32, but the precision is bf16: leave it out",
        ),
    ],
)
def test_words_that_mean_nothing_together_are_refused(precision: str, options: tuple[str, ...], reason: str) -> None:
    assert runtime.refuses(replace(variant(), precision=Precision(precision)), options) == reason


def ask(place: Path, path: str, options: tuple[str, ...], **environment: str) -> Any:
    """Measure in the bundle, as a target does."""
    request = {
        "do": "measure", "purpose": "latency", "runtime": "torch", "path": path, "threads": 2, "batch": 1,
        "options": options, "warmup_s": 0.0, "warmup_iterations": 1, "iterations": 5, "least_iterations": 5,
        "most_iterations": 5,
    }  # fmt: skip
    own = {"TORCHINDUCTOR_CACHE_DIR": str(place / "compiled")}
    done = subprocess.run(
        [sys.executable, "-I", str(bundle()[0])],
        input=json.dumps(request), capture_output=True, text=True, check=True, env=os.environ | own | environment,
    )  # fmt: skip
    return json.loads(done.stdout.splitlines()[-1].removeprefix(MARK))


@slow
def test_the_bundle_builds_the_network_and_compiles_it_while_it_loads(place: Path) -> None:
    path = written(variant("mlp", 1.0, 28), place)
    value = ask(place, path, ("compile", "cpu"))["value"]
    assert len(value["samples_s"]) == 5
    assert value["load_s"] > 10 * value["first_s"]
    assert (place / "compiled").is_dir()
    assert not {"kernel_s", "transfer_s", "gpu_allocated_peak_bytes"} & set(value["conditions"])  # no device of its own


@slow
def test_without_a_compiler_compile_is_a_failure_that_names_it(place: Path) -> None:
    reply = ask(place, written(variant("lenet5", 1.0, 32), place), ("compile", "cpu"), PATH=str(place))
    assert reply["error"].startswith("RuntimeError: torch.compile: InvalidCxxCompiler: No working C++ compiler found")


@slow
@gpu
@needs_gpu
@quietly
@pytest.mark.parametrize("option", ["eager", "compile", "cuda_graphs"])
@pytest.mark.parametrize(("precision", "tolerance"), [("fp32", 1e-3), ("fp16", 0.1), ("bf16", 0.5)])
def test_a_gpu_answers_as_the_cpu_does(option: str, precision: str, tolerance: float, images: Any, place: Path) -> None:
    of = variant("mobilenet_v1", 0.25, 32)
    wanted = outputs(written(of, place), images)
    path = written(replace(of, precision=Precision(precision)), place)
    assert error(outputs(path, images, options=(option, "cuda")), wanted) < tolerance


@slow
@gpu
@needs_gpu
@pytest.mark.parametrize("option", ["eager", "cuda_graphs"])
def test_a_gpu_run_waits_for_its_kernels(option: str, place: Path) -> None:
    from time import perf_counter

    session = runtime.open(written(variant("vgg11", 1.0, 224), place), threads=1, batch=16, options=(option, "cuda"))
    for _ in range(5):
        session.run()
    started = perf_counter()
    session.run()
    spent, facts = perf_counter() - started, session.facts()
    assert spent > 0.9 * float(facts["kernel_s"])
    assert int(facts["gpu_allocated_peak_bytes"]) > 400e6  # 133 million parameters

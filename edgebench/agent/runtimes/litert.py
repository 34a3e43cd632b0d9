"""LiteRT, TensorFlow Lite's successor: its interpreter with the XNNPACK delegate, or its CompiledModel."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from ctypes import CDLL
from functools import partial
from importlib import metadata
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import TYPE_CHECKING, Any

from edgebench.agent.runtimes._compiled import CompiledFedSession, CompiledSession
from edgebench.agent.runtimes._tflite import FedSession, InferenceSession, session

if TYPE_CHECKING:
    from edgebench.schema.variant import Variant

COMPILED, REFERENCE, WEIGHT_CACHE, GPU = "compiled", "reference", "weight_cache", "gpu"

FORMAT = "tflite"
NEEDS = ("ai-edge-litert",)
OPTIONS = (("", COMPILED, REFERENCE), ("", WEIGHT_CACHE), ("", GPU))
DEVICES: dict[str, str] = {}
SCHEMES: dict[str, str] = {}
NO_PROFILE = "LiteRT reports no operator times to Python; its C++ tool benchmark_model --enable_op_profiling does"
WARMS_UP = True

VULKAN = "libvulkan.so.1"
READ, WRITTEN = "read", "written"  # what a process did with the weight cache


def version() -> str:
    """Return the installed package's version without importing it."""
    return metadata.version(NEEDS[0])


def prepare() -> None:
    """Import the engine and its dependencies."""
    import ai_edge_litert.interpreter  # noqa: F401
    import numpy  # noqa: F401


def prepare_for(options: Sequence[str]) -> None:
    """Import LiteRT's CompiledModel if it is requested."""
    if COMPILED in options:
        import ai_edge_litert.compiled_model  # noqa: F401


def refuses(variant: Variant, options: Sequence[str]) -> str:
    """Return why these options are refused; LiteRT computes everything that the format can contain."""
    if alone := [option for option in (WEIGHT_CACHE, GPU) if option in options and COMPILED not in options]:
        return f"{alone[0]} is an option of LiteRT's CompiledModel: use --runtime litert+{COMPILED}+{alone[0]}"
    if WEIGHT_CACHE in options and GPU in options:
        return f"{WEIGHT_CACHE} holds weights for the CPU's kernels: leave it or {GPU} out"
    return ""


def open(
    path: str, *, threads: int, batch: int, options: Sequence[str], feed: Mapping[str, Any] | None = None
) -> InferenceSession | FedSession | CompiledFedSession:
    """Load a file with exactly `threads` threads.

    With the option `weight_cache`, XNNPACK's file of packed weights lies beside the artifact; the first process that
    opens the artifact writes this file, and later processes read it.

    Raises:
        RuntimeError: there is no usable GPU, or the weight cache cannot be written.
    """
    if COMPILED in options:
        return _compiled(path, threads, batch, options, feed)
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    kernels = {"experimental_op_resolver_type": OpResolverType.BUILTIN_REF} if REFERENCE in options else {}
    return session(Interpreter(path, num_threads=threads, **kernels), batch, feed)


def _compiled(
    path: str, threads: int, batch: int, options: Sequence[str], feed: Mapping[str, Any] | None
) -> CompiledSession | CompiledFedSession:
    is_on_gpu = GPU in options
    cached = _cache_file(path) if WEIGHT_CACHE in options else None
    use = WRITTEN if cached and not cached.exists() else READ
    model = _model_on_gpu(path) if is_on_gpu else _model(path, threads, cached)
    facts = partial(_facts, model, path, threads, cached, use)
    if feed:
        return CompiledFedSession(model, batch, feed, facts)
    return CompiledSession(model, batch, path, facts, is_on_gpu=is_on_gpu)


def _model(path: str, threads: int, cached: Path | None) -> Any:
    """Compile a file for the CPU, with a weight cache if its path is given."""
    from ai_edge_litert.compiled_model import CompiledModel, CpuOptions, HardwareAccelerator, Options

    cpu = CpuOptions(num_threads=threads, xnnpack_weight_cache_path=str(cached or ""))
    return CompiledModel.from_file(path, options=Options(HardwareAccelerator.CPU, cpu_options=cpu))


def _model_on_gpu(path: str) -> Any:
    """Compile a file for the GPU alone, in float32; nothing falls back to the CPU.

    Raises:
        RuntimeError: there is no usable GPU, or the GPU cannot compute an operator.
    """
    from ai_edge_litert.compiled_model import CompiledModel, GpuOptions, HardwareAccelerator, Options

    options = Options(HardwareAccelerator.GPU, gpu_options=GpuOptions(enforce_f32=True))
    try:
        model = CompiledModel.from_file(path, options=options)
    except RuntimeError as error:
        raise RuntimeError(f"wanted a GPU for LiteRT's WebGPU accelerator, found {_without_gpu()}") from error
    if not model.is_fully_accelerated():
        raise RuntimeError(f"wanted all operators on the GPU, found some that it cannot compute: leave +{GPU} out")
    return model


def _without_gpu() -> str:
    try:
        CDLL(VULKAN)
    except OSError:
        return f"no {VULKAN} on this machine: install the GPU's Vulkan driver, or leave +{GPU} out"
    return f"none that it can use, or a graph that it cannot compile: leave +{GPU} out"


def _cache_file(path: str) -> Path:
    """Return the path of an artifact's weight cache; it depends on the file's size and time, and on LiteRT.

    Raises:
        RuntimeError: files cannot be written beside the artifact.
    """
    status, folder = Path(path).stat(), Path(path).parent
    if not os.access(folder, os.W_OK):
        raise RuntimeError(f"wanted a weight cache in {folder}, which is not writable: leave +{WEIGHT_CACHE} out")
    stamp = f"{status.st_size:x}-{status.st_mtime_ns:x}"
    return folder / f"{Path(path).stem}.{version()}-{stamp}.xnnpack_cache"


def _facts(model: Any, path: str, threads: int, cached: Path | None, use: str) -> dict[str, str]:
    """Return whether accelerators compute all operators, and what the process did with the weight cache.

    `empty_cache_s` is how many seconds longer a load takes with an empty cache than with a full one; this process times
    both loads.
    """
    facts = {"fully_accelerated": "yes" if model.is_fully_accelerated() else "no"}
    if not cached:
        return facts
    with TemporaryDirectory() as scratch:
        extra_s = _load_s(path, threads, Path(scratch) / cached.name) - _load_s(path, threads, cached)
    return facts | {
        "weight_cache": use,
        "weight_cache_bytes": str(cached.stat().st_size if cached.exists() else 0),
        "empty_cache_s": f"{extra_s:.6f}",
    }


def _load_s(path: str, threads: int, cached: Path) -> float:
    started = perf_counter()
    _model(path, threads, cached)
    return perf_counter() - started

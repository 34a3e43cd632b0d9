"""ncnn on the processor, with the files that pnnx writes: a network's description (.param) and its weights (.bin).

An artifact holds both files: first the weights, because ncnn reads weights from the beginning of a file, then a zip
with the description. So ncnn loads an artifact without unpacking it first.
"""

from __future__ import annotations

import re
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import ZipFile

from edgebench.agent.runtimes._onnx import noise
from edgebench.agent.runtimes.onnxruntime import scores

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgebench.schema.variant import Variant

FORMAT = "ncnn"
NEEDS = ("ncnn",)
OPTIONS = (("", "fp16"),)  # ncnn's own default is fp16, which changes the outputs
DEVICES: dict[str, str] = {}
SCHEMES: dict[str, str] = {}
NO_PROFILE = "ncnn's packages are built without its option NCNN_BENCHMARK, which prints the time of each layer"
WARMS_UP = True
GLIBC = {"aarch64": "2.28", "x86_64": "2.28"}

PARAM = "model.param"  # name of the description in an artifact's zip
HALVES = ("use_fp16_packed", "use_fp16_storage", "use_fp16_arithmetic")
BRAIN_FLOATS = ("use_bf16_packed", "use_bf16_storage")
HEADER_LINES = 2  # lines of a description before its first layer: a magic number, and numbers of layers and blobs
ALIKE = 1e-3  # outputs that differ by at most this share of the largest output differ by rounding only
_SIZES = "210"  # keys of the channels, the height and the width in the layer `Input`
_TASKS = Path("/proc/self/task")  # one entry for each thread of this process


class InferenceSession:
    """A loaded network and one batch of images."""

    def __init__(self, net: Any, shape: tuple[int, ...], threads: int, running: int) -> None:
        self._net, self._threads, self._running = net, threads, running
        (self._input,) = net.input_names()
        self._names = sorted(net.output_names(), key=lambda name: int(re.sub(r"\D", "", name) or 0))
        self._images = noise(shape, "")
        self._taken = _taken(self._images)

    def run(self) -> None:
        """Run the network on the batch; the outputs are in host memory on return.

        Raises:
            RuntimeError: memory ran out, or this version of ncnn or a layer takes only one image at a time.
        """
        if self._taken is None:
            raise RuntimeError(f"ncnn {version()} takes one image at a time, found {len(self._images)}: use --batch 1")
        self._made = self._computed(self._taken)

    def _computed(self, taken: Any) -> list[Any]:
        extractor = self._net.create_extractor()
        extractor.input(self._input, taken)
        made = [extractor.extract(name) for name in self._names]
        if failed := [f"{name} (code {code})" for name, (code, _) in zip(self._names, made, strict=True) if code]:
            advice = "" if taken is not self._taken or len(self._images) == 1 else " of a batch: use --batch 1"
            raise RuntimeError(f"ncnn cannot compute output {', '.join(failed)}{advice}")
        return [values for _, values in made]

    def outputs(self) -> dict[str, Any]:
        """Return every output of the last run by its name, as arrays (N, ...)."""
        return {name: self._array(values) for name, values in zip(self._names, self._made, strict=True)}

    def _array(self, values: Any) -> Any:
        """Copy an output to an array (N, ...).

        Raises:
            RuntimeError: the output does not have one part per image.
        """
        import numpy

        count = len(self._images)
        if count == 1:
            return numpy.array(values)[None]
        if values.n != count:
            raise RuntimeError(f"ncnn made outputs of {values.n} of {count} images: use --batch 1")
        return numpy.stack([numpy.array(values.batch(image)) for image in range(count)])

    def infer(self, data: bytes | memoryview, shape: tuple[int, ...], classes: int = 0) -> bytes:
        """Run the network on float32 inputs of `shape` (N, C, R, R), image by image; return the scores as float32.

        Some layers take only one image at a time.
        """
        import numpy

        images = numpy.frombuffer(data, dtype="<f4").reshape(shape)
        answers: bytes = numpy.concatenate([self._answer(image, classes) for image in images]).astype("<f4").tobytes()
        return answers

    def _answer(self, image: Any, classes: int) -> Any:
        """Return the scores of one image, (1, values)."""
        import numpy

        made = self._computed(_taken(image[None]))
        return scores([numpy.array(values)[None] for values in made], 1, classes).reshape(1, -1)

    def facts(self) -> dict[str, str]:
        """Return the number of threads that computed.

        Raises:
            RuntimeError: the number is not the requested one, for example because OMP_THREAD_LIMIT is set; or the
                outputs of a batch differ from those of its images.
        """
        started, pool = _threads() - self._running, _threads() - _others()
        used = max(started, min(pool, self._threads - 1)) + 1  # OpenMP's threads outlive the session that started them
        if used != self._threads:
            raise RuntimeError(f"wanted {self._threads} threads, found {used} in ncnn; use --threads {used}")
        if len(self._images) > 1:
            self._require_alike()
        return {"inference_threads": str(used)}

    def _require_alike(self) -> None:
        """Refuse a batch whose outputs differ from those of its images one by one; some layers compute batches wrongly.

        Raises:
            RuntimeError: an output differs by more than rounding.
        """
        import numpy

        every = sum(values[0].size for values in self.outputs().values())
        together = numpy.concatenate([values.reshape(len(values), -1) for values in self.outputs().values()], 1)
        alone = numpy.concatenate([self._answer(image, every) for image in self._images])
        if not numpy.allclose(together, alone, rtol=0, atol=ALIKE * abs(alone).max()):
            raise RuntimeError("ncnn computes other outputs for a batch than for its images alone: use --batch 1")


def _taken(images: Any) -> Any:
    """Copy a batch of images to ncnn's own memory, which is aligned; return None if ncnn takes one image at a time."""
    import ncnn

    if len(images) == 1:
        return ncnn.Mat(images[0]).clone()
    return ncnn.Mat(images, 0).clone() if hasattr(ncnn.Mat, "batch") else None


def version() -> str:
    """Return the installed package's version without importing it."""
    return metadata.version(NEEDS[0])


def prepare() -> None:
    """Import the engine and its dependencies."""
    import ncnn  # noqa: F401
    import numpy  # noqa: F401


def refuses(variant: Variant, options: Sequence[str]) -> str:
    """Refuse nothing, because the plug-in of the format already refuses what ncnn cannot compute."""
    return ""


def open(path: str, *, threads: int, batch: int, options: Sequence[str]) -> InferenceSession:
    """Load a network with exactly `threads` threads, in fp32 throughout unless the option `fp16` is set.

    Raises:
        RuntimeError: ncnn cannot load the file, or the processor has no instructions for the requested type.
    """
    prepare()  # before threads are counted, because importing numpy starts threads
    import ncnn

    running, _ = _threads(), _others()
    net, description, halves = ncnn.Net(), param(path), "fp16" in options
    _require_halves(halves)
    _set_up(net.opt, threads, halves=halves)
    if net.load_param_mem(description) or net.load_model(path):
        unknown = ", ".join(dict.fromkeys(kind for kind in kinds(description) if ncnn.layer_to_index(kind) < 0))
        why = f"it has no layer {unknown}" if unknown else "it is damaged, or needs another version"
        raise RuntimeError(f"ncnn {version()} cannot load this file: {why}")
    return InferenceSession(net, (batch, *image_shape(description)), threads, running)


def param(path: str) -> str:
    """Return the description of an artifact's network, in ncnn's text format."""
    with ZipFile(path) as packed:
        return packed.read(PARAM).decode()


def weights_bytes(path: str) -> int:
    """Return the size of the weights at the beginning of an artifact."""
    with ZipFile(path) as packed:
        return packed.getinfo(PARAM).header_offset


def kinds(description: str) -> list[str]:
    """Return the type of each layer of a description."""
    return [line.split()[0] for line in description.splitlines()[HEADER_LINES:] if line.strip()]


def image_shape(description: str) -> tuple[int, ...]:
    """Return the shape of one image, (C, R, R), which the description's layer `Input` states."""
    line = next(line for line in description.splitlines() if line.startswith("Input "))
    sizes = dict(word.split("=") for word in line.split() if "=" in word)
    return tuple(int(sizes[key]) for key in _SIZES)


def _set_up(options: Any, threads: int, *, halves: bool) -> None:
    """Set the number of threads, and the types in which ncnn stores and computes; older versions lack some options."""
    import ncnn

    ncnn.set_omp_dynamic(0)  # otherwise OpenMP may start fewer threads on a busy machine
    options.num_threads = threads
    for name in filter(lambda name: hasattr(options, name), (*HALVES, *BRAIN_FLOATS)):
        setattr(options, name, halves and name in HALVES)


def _require_halves(wanted: bool) -> None:
    """Refuse fp16 on a processor on which ncnn would ignore the option.

    Raises:
        RuntimeError: an ARM processor lacks 16-bit arithmetic, or an x86 processor lacks conversions to 16 bits.
    """
    import ncnn

    if wanted and not (ncnn.cpu_support_arm_asimdhp() or ncnn.cpu_support_x86_avx2()):
        raise RuntimeError("wanted fp16, found a processor without instructions for 16-bit floats: leave +fp16 out")


def _threads() -> int:
    """Return the number of threads of this process."""
    return len([*_TASKS.iterdir()])


@cache
def _others() -> int:
    """Return the number of threads that this process had before ncnn started any."""
    return _threads()

"""ExecuTorch with its XNNPACK delegate, by its Python binding, which needs torch in the same process.

ExecuTorch's requirements contradict edgebench's, so it has an environment of its own beside the installed packages.
"""

from __future__ import annotations

from importlib import import_module, metadata
from typing import TYPE_CHECKING, Any

from edgebench.agent.runtimes._onnx import noise
from edgebench.agent.runtimes.onnxruntime import scores

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from edgebench.schema.variant import Variant

FORMAT = "pte"
NEEDS = ("executorch", "torch")
ENVIRONMENT = (
    "executorch==1.5.1",
    "flatbuffers==25.12.19",
    "ruamel.yaml==0.19.1",
    "tabulate==0.10.0",
    "torchao==0.18.0",
)
OPTIONS: tuple[tuple[str, ...], ...] = ()
DEVICES: dict[str, str] = {}
SCHEMES: dict[str, str] = {}
NO_PROFILE = "ExecuTorch gives operator times to its developer tools only, which edgebench does not install"
WARMS_UP = True

METHOD = "forward"  # the method of a program that computes the network


class InferenceSession:
    """A loaded program, which takes one image at a time."""

    def __init__(self, program: Any, threads: int, batch: int) -> None:
        import torch

        self._program, self._threads, self._batch = program, threads, batch
        shape = program.method_meta(METHOD).input_tensor_meta(0).sizes()
        self._image = (torch.from_numpy(noise(tuple(shape), "")),)

    def run(self) -> None:
        """Copy the image into the program's memory, and compute; the outputs stay in the program's memory.

        Raises:
            RuntimeError: a batch of several images is requested, or the program fails.
        """
        if self._batch != 1:
            raise RuntimeError(f"ExecuTorch's files take one image at a time, found {self._batch}: use --batch 1")
        self._program.run_method(METHOD, self._image, clone_outputs=False)

    def infer(self, data: bytes | memoryview, shape: tuple[int, ...], classes: int = 0) -> bytes:
        """Run the program on float32 inputs of `shape` (N, C, R, R), image by image; return the scores as float32."""
        import numpy
        import torch

        images = torch.frombuffer(bytearray(data), dtype=torch.float32).reshape(shape)
        answers: bytes = numpy.concatenate([self._answer(image[None], classes) for image in images]).tobytes()
        return answers

    def _answer(self, image: Tensor, classes: int) -> Any:
        """Return the scores of one image, (1, values)."""
        outputs = [output.numpy() for output in self._program.run_method(METHOD, (image,))]
        return scores(outputs, 1, classes).reshape(1, -1).astype("<f4")

    def facts(self) -> dict[str, str]:
        """Return the number of threads that computed.

        Raises:
            RuntimeError: the number is not the requested one.
        """
        if (used := _binding()._threadpool_get_thread_count()) != self._threads:
            raise RuntimeError(f"wanted {self._threads} threads, found {used} in ExecuTorch; use --threads {used}")
        return {"inference_threads": str(used)}


def version() -> str:
    """Return the installed package's version without importing it."""
    return metadata.version(NEEDS[0])


def prepare() -> None:
    """Import the binding, and torch, whose libraries the binding needs."""
    _binding()


def _binding() -> Any:
    """Import the compiled binding; its documented module would also import all of ExecuTorch's exporter."""
    import torch  # noqa: F401

    try:
        return import_module("executorch.extension.pybindings._C")
    except ModuleNotFoundError:  # the name before ExecuTorch 1.5
        return import_module("executorch.extension.pybindings._portable_lib")


def refuses(variant: Variant, options: Sequence[str]) -> str:
    """Refuse nothing, because the plug-in of the format already refuses what a program cannot contain."""
    return ""


def open(path: str, *, threads: int, batch: int, options: Sequence[str]) -> InferenceSession:
    """Load a program, and give ExecuTorch's pool of threads exactly `threads` threads, this one included.

    Raises:
        RuntimeError: ExecuTorch cannot load the file.
    """
    binding = _binding()
    binding._unsafe_reset_threadpool(threads)
    return InferenceSession(binding._load_for_executorch(path), threads, batch)

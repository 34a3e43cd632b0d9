"""torch on CPU or CUDA: the network is rebuilt from its weights file and run eagerly, compiled or as a CUDA graph."""

from __future__ import annotations

from importlib import metadata
from statistics import median
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor, nn

    from edgebench.schema.variant import Variant

    Network = Callable[[Tensor], Tensor]

FORMAT = "torch"
NEEDS = (
    "torch",
    "filelock",
    "fsspec",
    "jinja2",
    "markupsafe",
    "mpmath",
    "networkx",
    "safetensors",
    "sympy",
    "typing-extensions",
)
OPTIONS = (("eager", "compile", "cuda_graphs"), ("", "channels_last"), ("cpu", "cuda"), ("", "tf32"))
DEVICES = {"cpu": "cpu", "cuda": "cuda"}
SCHEMES: dict[str, str] = {}
NO_PROFILE = "torch's profiler is not supported; run the same network with --runtime onnxruntime to see its operators"
WARMS_UP = True

SEED = 0  # seed of the images for timing
EVENT_ITERATIONS = 20  # after the samples, this many runs are timed by the clock of the device
CAPTURE_WARM_UP = 3  # runs before a CUDA graph is captured, as torch's documentation recommends


class InferenceSession:
    """A network and one batch of images; both are in host memory."""

    def __init__(self, network: Network, images: Tensor) -> None:
        self._network, self._images = network, images

    def run(self) -> None:
        """Run the network on the batch; its outputs are in host memory on return."""
        import torch

        with torch.inference_mode():
            self._outputs = self._network(self._images)

    def infer(self, data: bytes | memoryview, shape: tuple[int, ...], classes: int = 0) -> bytes:
        """Run the network on float32 inputs of `shape` (N, C, R, R), batch by batch.

        Every batch is full, because a compiled network takes one batch size only.

        Raises:
            OverflowError: an output exceeds the range of a 16-bit float.
        """
        import torch

        images = torch.frombuffer(bytearray(data), dtype=torch.float32).reshape(shape)
        outputs = torch.cat([self._answer(part) for part in torch.split(images, len(self._images))])
        if self._images.dtype != torch.float32 and not outputs.isfinite().all():
            raise OverflowError(f"outputs in {self._images.dtype} are not finite: use --precision fp32")
        return outputs.numpy().tobytes()

    def _answer(self, part: Tensor) -> Tensor:
        self._images[: len(part)] = part
        self.run()
        return self._outputs[: len(part)].clone().float()

    def facts(self) -> dict[str, str]:
        """Return no facts, because on a CPU the agent measures everything without the session's help."""
        return {}


class CudaSession(InferenceSession):
    """A network on a GPU; every run copies images and outputs through pinned memory."""

    def __init__(self, network: Network, images: Tensor, classes: int, *, captured: bool) -> None:
        import torch

        super().__init__(network, images.pin_memory())
        self._on_device = torch.empty_like(images, device="cuda")
        self._outputs = torch.empty(len(images), classes, dtype=images.dtype, pin_memory=True)
        if captured:
            with torch.inference_mode():
                self._network = _captured(network, self._on_device)

    def run(self) -> None:
        """Copy the batch to the GPU, run the network, copy its outputs back; the last copy waits for all steps."""
        import torch

        with torch.inference_mode():
            self._on_device.copy_(self._images, non_blocking=True)
            self._outputs.copy_(self._network(self._on_device))

    def facts(self) -> dict[str, str]:
        """Return the median times of kernels and of transfers, and the allocator's peak.

        The time of kernels includes the gaps between them.
        """
        import torch

        laps = [self._lap() for _ in range(EVENT_ITERATIONS)]
        return {
            "kernel_s": f"{median(compute for _, compute, _ in laps):.9f}",
            "transfer_s": f"{median(send + fetch for send, _, fetch in laps):.9f}",
            "gpu_allocated_peak_bytes": str(torch.cuda.max_memory_allocated()),
            "gpu_reserved_peak_bytes": str(torch.cuda.max_memory_reserved()),
        }

    def _lap(self) -> tuple[float, float, float]:
        """Return the seconds to send the images, to run the network and to fetch the outputs."""
        import torch

        marks = [torch.cuda.Event(enable_timing=True) for _ in range(4)]  # type: ignore[no-untyped-call]
        with torch.inference_mode():
            marks[0].record()
            self._on_device.copy_(self._images, non_blocking=True)
            marks[1].record()
            outputs = self._network(self._on_device)
            marks[2].record()
            self._outputs.copy_(outputs, non_blocking=True)
            marks[3].record()
        torch.cuda.synchronize()
        sent, computed, fetched = (marks[at].elapsed_time(marks[at + 1]) / 1e3 for at in range(3))
        return sent, computed, fetched


def version() -> str:
    """Return the version of the installed package and its build (`+cpu`, `+cu130`), without importing the package."""
    return metadata.version("torch")


def prepare() -> None:
    """Import the engine and the reader of its files."""
    import safetensors  # noqa: F401
    import torch  # noqa: F401


def refuses(variant: Variant, options: Sequence[str]) -> str:
    """Return why these options are refused for the variant; an empty text if they are accepted.

    Options are refused if one of them works on a GPU only and `cuda` is not selected, or if TF32 is requested for a
    network that does not compute in fp32.
    """
    if "cuda" not in options and (only := {"cuda_graphs", "tf32"} & set(options)):
        return f"torch has {' and '.join(sorted(only))} on CUDA only: use --target gpu"
    if "tf32" in options and variant.precision != "fp32":
        return f"tf32 rounds the products of fp32, but the precision is {variant.precision}: leave it out"
    return ""


def open(path: str, *, threads: int, batch: int, options: Sequence[str]) -> InferenceSession:
    """Build the network from the file's metadata and weights; then compile or capture it if the options say so."""
    import torch

    _set_up(threads, tf32="tf32" in options)
    device = "cuda" if "cuda" in options else "cpu"
    layout = torch.channels_last if "channels_last" in options else torch.contiguous_format
    network, shape, classes = _built(path)
    network = network.to(device, memory_format=layout)  # type: ignore[call-overload]
    images = _noise((batch, *shape), next(network.parameters()).dtype).contiguous(memory_format=layout)
    ready = _compiled(network, images.to(device)) if "compile" in options else network
    if device == "cpu":
        return InferenceSession(ready, images)
    return CudaSession(ready, images, classes, captured="cuda_graphs" in options)


def _set_up(threads: int, *, tf32: bool) -> None:
    import torch

    torch.set_num_threads(threads)
    if torch.get_num_interop_threads() != 1:  # torch allows setting the number of threads only once
        torch.set_num_interop_threads(1)
    # By default, cuDNN rounds the products of fp32 convolutions to TF32, so both of torch's flags are always set.
    torch.backends.cuda.matmul.allow_tf32 = tf32
    torch.backends.cudnn.allow_tf32 = tf32


def _built(path: str) -> tuple[nn.Module, tuple[int, int, int], int]:
    """Return the network with the file's weights, the shape of one image and the number of classes."""
    from safetensors import safe_open

    from edgebench.foundation.shelf import literal, load
    from edgebench.networks.build import outline, padded

    with safe_open(path, framework="pt") as file:
        fields: dict[str, str] = file.metadata()
        state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # `file` is not a dictionary
    name, resolution, classes = fields["architecture"], int(fields["resolution"]), int(fields["classes"])
    network = outline(name, float(fields["width"]), classes=classes, resolution=resolution)
    network.load_state_dict(state, assign=True)
    network = padded(network, name, resolution, fields.get("padding", ""))
    shape = load("architectures", name).CHANNELS, resolution, resolution
    if not literal("architectures", name, "TASK"):
        return network, shape, classes
    return _joined(network, shape)


def _joined(network: nn.Module, shape: tuple[int, int, int]) -> tuple[nn.Module, tuple[int, int, int], int]:
    """Return a network that joins its outputs into one array (N, values), and the number of values per image."""
    import torch

    class Joined(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, images: Tensor) -> Tensor:
            return torch.cat([output.flatten(1) for output in self.network(images)], 1)

    joined = Joined().eval()
    with torch.inference_mode():
        values = joined(torch.zeros(1, *shape, dtype=next(network.parameters()).dtype)).shape[1]
    return joined, shape, values


def _noise(shape: tuple[int, ...], precision: Any) -> Tensor:
    """Draw images in the range of normalized images, without denormals and zeros, which would change the speed."""
    import torch

    return torch.empty(shape).uniform_(-1, 1, generator=torch.Generator().manual_seed(SEED)).to(precision)


def _compiled(network: nn.Module, images: Tensor) -> Network:
    """Compile the network for this batch size in this process only: worker processes would still run during timing.

    Raises:
        RuntimeError: compilation fails, for example without a C++ compiler.
    """
    import torch
    from torch._inductor import config

    config.compile_threads = 1
    compiled: Network = torch.compile(network, dynamic=False)
    try:
        with torch.inference_mode():
            compiled(images)
    except torch._dynamo.exc.TorchDynamoException as error:
        reason = " ".join(str(error).partition("\n\nSet TORCHDYNAMO")[0].split())
        raise RuntimeError(f"torch.compile: {reason[:300]}") from error
    return compiled


def _captured(network: Network, images: Tensor) -> Network:
    """Capture the kernels in a CUDA graph that always reads this `images` tensor; return a function that replays it."""
    import torch

    side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(CAPTURE_WARM_UP):
            network(images)
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        outputs = network(images)

    def replay(_: Tensor) -> Tensor:
        graph.replay()
        return outputs

    return replay

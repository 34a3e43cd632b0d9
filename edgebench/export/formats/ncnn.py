"""Files for ncnn: pnnx folds the batch norms of a traced torch network, and converts it to a description and weights.

The artifact holds both; `agent.runtimes.ncnn` says how. Each new file is run once, and its outputs must equal torch's.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import warnings
from base64 import b64decode
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from edgebench.agent.__main__ import MARK
from edgebench.agent.runtimes.ncnn import FORMAT, PARAM
from edgebench.foundation.errors import CaseError
from edgebench.schema.quantization import Quantization
from edgebench.schema.variant import Precision

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch import Tensor, nn

    from edgebench.schema.variant import Variant

SUFFIX = ".ncnn"
SCHEME = Quantization()
TOOLS = ("torch", "pnnx", "ncnn")

TOLERANCE = 1e-2  # a share of the largest output; rounding changed the outputs of an untrained Inception-v3 by 1.3e-3
SEED = 0  # of the random image on which a new file is run
UNUSED = ("pnnxparam", "pnnxbin", "pnnxpy", "pnnxonnx", "ncnnpy")  # other files that pnnx would write
_REASON_CHARACTERS = 200


def refuses(variant: Variant) -> str:
    """Refuse int8, because ncnn's packages lack its quantizer; refuse 16-bit floats, which only the runtime sets."""
    if variant.precision == Precision.FP32:
        return ""
    if variant.precision == Precision.INT8:
        return (
            "ncnn's int8 files are made by its programs ncnn2table and ncnn2int8, which its packages lack: use"
            " --runtime onnxruntime or litert for int8"
        )
    return f"ncnn files are written in fp32, not {variant.precision}: use --runtime ncnn+fp16 --precision fp32"


def write(path: Path, variant: Variant, channels: int, network: Callable[[], nn.Module]) -> None:
    """Write the variant's network in float.

    Raises:
        CaseError: pnnx or ncnn cannot convert the network, or the outputs of ncnn differ from torch's.
    """
    shape = (1, channels, variant.resolution, variant.resolution)
    with TemporaryDirectory() as scratch:
        image, outputs = _traced(network(), shape, Path(scratch) / "network.pt")
        _convert(Path(scratch), shape)
        pack((Path(scratch) / "model.param").read_text(encoding="utf-8"), Path(scratch) / "model.bin", path, shape)
        _require_same(path, shape, image, outputs, Path(scratch) / "image")


def _traced(network: nn.Module, shape: tuple[int, ...], path: Path) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Trace a network and write it to a file of TorchScript; return a random image and the network's outputs."""
    import torch

    image = torch.empty(shape).uniform_(-1, 1, generator=torch.Generator().manual_seed(SEED))
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore", DeprecationWarning)
        # A TracerWarning says that a size becomes a constant, which is intended.
        warnings.simplefilter("ignore", torch.jit.TracerWarning)  # type: ignore[attr-defined]
        traced: Any = torch.jit.trace(network, image, check_trace=False)  # type: ignore[no-untyped-call]
        traced.save(str(path))
        outputs = network(image)
    return image, outputs if isinstance(outputs, tuple) else (outputs,)


def _convert(folder: Path, shape: tuple[int, ...]) -> None:
    """Convert the file of TorchScript in a folder to `model.param` and `model.bin`.

    Raises:
        CaseError: pnnx fails; the message has the last line that it printed.
    """
    import pnnx

    sizes = f"inputshape=[{','.join(map(str, shape))}]f32"
    outputs = ("ncnnparam=model.param", "ncnnbin=model.bin", *(f"{name}={os.devnull}" for name in UNUSED))
    done = subprocess.run(
        [pnnx.EXEC_PATH, "network.pt", sizes, "fp16=0", *outputs],
        cwd=folder,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    if done.returncode or not (folder / "model.param").exists() or not (folder / "model.bin").exists():
        last = (done.stderr.strip().splitlines() or ["nothing"])[-1]
        raise CaseError(f"pnnx cannot convert this network (exit code {done.returncode}): {last[:_REASON_CHARACTERS]}")


def pack(description: str, weights: Path, path: Path, shape: tuple[int, ...]) -> None:
    """Write an artifact: the weights, then a zip with the description; equal contents give equal bytes.

    The shape of an image, (C, R, R) after the batch's size, is added to the description's layer `Input`.
    """
    _, channels, height, width = shape
    sizes = f" 0={width} 1={height} 2={channels}"
    described = re.sub(r"^Input .*$", lambda line: line.group().rstrip() + sizes, description, count=1, flags=re.M)
    buffer = BytesIO()
    with ZipFile(buffer, "w", ZIP_DEFLATED) as packed:
        packed.writestr(ZipInfo(PARAM), described, ZIP_DEFLATED)
    path.write_bytes(weights.read_bytes() + buffer.getvalue())


def _require_same(
    path: Path, shape: tuple[int, ...], image: Tensor, outputs: tuple[Tensor, ...], scratch: Path
) -> None:
    """Refuse a file whose outputs for an image differ from torch's; a separate process runs ncnn, which can crash.

    Raises:
        CaseError: ncnn cannot load or run the file, or an output differs from torch's by more than rounding.
    """
    import numpy

    wanted = numpy.concatenate([output.numpy().ravel() for output in outputs])
    scratch.write_bytes(image.numpy().tobytes())
    request = {"do": "infer", "runtime": FORMAT, "path": str(path), "options": (), "threads": 1, "batch": 1}
    request |= {"inputs": str(scratch), "shape": shape, "classes": wanted.size}
    found = numpy.frombuffer(b64decode(_answered(request)["outputs"]), "<f4")
    if found.size != wanted.size:
        raise CaseError(f"pnnx converts this network wrongly: ncnn computes {found.size} outputs, torch {wanted.size}")
    worst = float(numpy.nan_to_num(abs(found - wanted), nan=numpy.inf).max() / (abs(wanted).max() or 1))
    if worst > TOLERANCE:
        raise CaseError(f"pnnx converts this network wrongly: an output differs by {worst:.1%} of the largest output")


def _answered(request: Mapping[str, Any]) -> Any:
    """Return the value of the agent's answer.

    Raises:
        CaseError: the agent's process died, or its answer is an error.
    """
    done = subprocess.run(
        [sys.executable, "-P", "-m", "edgebench.agent"],
        input=json.dumps(request),
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        check=False,
    )
    line = next((line for line in done.stdout.splitlines() if line.startswith(MARK)), "")
    if not line:
        raise CaseError(f"ncnn cannot run the file that pnnx wrote: its process ended with code {done.returncode}")
    answer = json.loads(line.removeprefix(MARK))
    if not answer["ok"]:
        raise CaseError(f"ncnn cannot run the file that pnnx wrote: {answer['error']}")
    return answer["value"]

"""ExecuTorch programs: XNNPACK's delegate computes what it can; PT2E quantizes the torch network to int8.

The program is made by a process of its own in ExecuTorch's environment, which pip fetches on first use. A program takes
one image. Each new float program is run once, and its outputs must equal torch's.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings
from pathlib import Path
from shutil import move
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from zipfile import ZipFile

from edgebench.agent import machine
from edgebench.agent.runtimes.executorch import ENVIRONMENT, NEEDS
from edgebench.deploy.wheels import gather, platform
from edgebench.export.formats import Written, unlike
from edgebench.foundation import cache
from edgebench.foundation.errors import CaseError
from edgebench.schema.quantization import Quantization
from edgebench.schema.variant import Precision

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy import float32
    from numpy.typing import NDArray
    from torch import nn

    from edgebench.schema.artifact import OutputNoise
    from edgebench.schema.variant import Variant

    Images = Callable[[], Iterator[NDArray[float32]]]

SUFFIX = ".pte"
SCHEME = Quantization(activations="int8")
TOOLS = ("torch",)
PINS = dict(package.split("==") for package in ENVIRONMENT)

_REASON_CHARACTERS = 200


def refuses(variant: Variant) -> str:
    """Refuse inputs other than images, int8 schemes that XNNPACK lacks, and 16-bit floats."""
    if variant.feed:
        return "ExecuTorch's programs are made only from networks that take images: use --runtime onnxruntime"
    if variant.precision not in (Precision.FP32, Precision.INT8):
        return f"pte files are written in fp32 and int8, not {variant.precision}: use --runtime torch"
    return unlike(variant.quantization, SCHEME, "XNNPACK") if variant.quantization else ""


def write(path: Path, variant: Variant, channels: int, network: Callable[[], nn.Module]) -> None:
    """Write the variant's network in float.

    Raises:
        CaseError: torch or ExecuTorch cannot convert the network, or the program's outputs differ from torch's.
    """
    _lowered(path, variant, channels, network(), {})


def write_int8_of(
    path: Path, variant: Variant, channels: int, network: Callable[[], nn.Module], calibration: Images
) -> Written:
    """Write the int8 form of the variant's network; report which operators compute in float.

    Raises:
        CaseError: there are no images, or torch or ExecuTorch cannot convert the network.
    """
    import numpy

    assert variant.quantization
    images = list(calibration())
    if not images:
        raise CaseError("no calibration images: without them, int8 ranges cannot be found")
    given = {"images": numpy.concatenate(images), "granularity": numpy.array(variant.quantization.granularity)}
    report = _lowered(path, variant, channels, network(), given)
    share = report["integer_macs"] / report["macs"] if report["macs"] else None
    return Written(float_nodes=tuple(report["floats"]), integer_share=share)


def compared(parent: Path, path: Path, quantization: Quantization, calibration: Images) -> tuple[OutputNoise, ...]:
    """Compare an int8 program's outputs with the outputs of its float parent, on the calibration images."""
    import numpy

    from edgebench.export.formats.onnx.outputs import Gap

    with TemporaryDirectory() as folder:
        numpy.savez(Path(folder) / "given.npz", images=numpy.concatenate([*calibration()]))
        (wanted, found) = (_answers(Path(folder), program) for program in (parent, path))
    gaps = [Gap() for _ in wanted]
    for gap, of_float, of_int8 in zip(gaps, wanted, found, strict=True):
        gap.add(of_float, of_int8)
    return tuple(gap.noise_of(f"output {place}", is_scores=False, trap=(0.0, "")) for place, gap in enumerate(gaps))


def _answers(folder: Path, program: Path) -> list[NDArray[float32]]:
    """Return each output of a program for all images."""
    import numpy

    _run("answers.py", folder, program)
    with numpy.load(folder / "answers.npz") as answers:
        return [answers[name] for name in answers.files]


def _lowered(path: Path, variant: Variant, channels: int, network: nn.Module, given: dict[str, Any]) -> Any:
    """Export a network by torch, let a process lower and quantize it, and return the report of that process."""
    import numpy
    import torch

    image = torch.zeros(1, channels, variant.resolution, variant.resolution)
    with TemporaryDirectory() as scratch:
        folder = Path(scratch)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.export.save(torch.export.export(network.eval(), (image,)), folder / "network.pt2")
        numpy.savez(folder / "given.npz", **given)
        _run("lower.py", folder)
        move(folder / "network.pte", path)
        return json.loads((folder / "report.json").read_text(encoding="utf-8"))


def _run(script: str, folder: Path, *arguments: Path) -> None:
    """Run a program of this package in ExecuTorch's environment.

    Raises:
        CaseError: the program fails; the message has the last line that it wrote.
        RequestError: pip does not find ExecuTorch's environment.
    """
    packages = gather(NEEDS[0], PINS[NEEDS[0]], platform(machine.identity()))
    with TemporaryDirectory() as environment:
        with ZipFile(cache.path_of(packages)) as archive:
            archive.extractall(environment)
        program = Path(__file__).with_name(script)
        done = subprocess.run(
            [sys.executable, "-P", "-W", "ignore", program, folder, *arguments],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            env=os.environ | {"PYTHONPATH": os.pathsep.join((environment, *sys.path))},
            check=False,
        )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["nothing"])[-1]
        raise CaseError(f"ExecuTorch cannot convert this network: {last[:_REASON_CHARACTERS]}")

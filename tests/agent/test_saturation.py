"""U8S8 on an x86 CPU without VNNI, which qemu stands in for: its products overflow, those of 7-bit weights do not."""

import platform
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy
import pytest
from numpy.typing import NDArray

from edgebench import export
from edgebench.agent import machine
from edgebench.foundation import cache
from edgebench.schema.quantization import parse
from edgebench.schema.variant import Precision, WeightSource
from tests.conftest import variant
from tests.support.images import split

IMAGES = 16
EMULATOR = shutil.which("qemu-x86_64")
INFER = """
import sys
from pathlib import Path
from edgebench.foundation.shelf import load
path, count, side = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
session = load("runtimes", "onnxruntime").open(path, threads=1, batch=1, options=["CPUExecutionProvider"])
Path(sys.argv[5]).write_bytes(session.infer(Path(sys.argv[4]).read_bytes(), (count, 3, side, side)))
"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(platform.machine() != "x86_64", reason="saturation is x86's"),
    pytest.mark.skipif(EMULATOR is None, reason="qemu-x86_64 is not installed: apt-get install qemu-user"),
    pytest.mark.skipif("vnni" not in machine.identity().get("isa", ""), reason="this CPU has no VNNI to compare with"),
]


def answers(path: Path, folder: Path, *emulator: str) -> NDArray[numpy.float32]:
    """What the file answers to the first test images, on this CPU or an emulated one."""
    of = variant("mobilenet_v1", 0.25, 32)
    images, outputs = folder / "images.f32", folder / "outputs.f32"
    images.write_bytes(split(of, "test").read(range(IMAGES)).tobytes())
    arguments = [path, IMAGES, of.resolution, images, outputs]
    command = [*emulator, sys.executable, "-c", INFER, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr
    return numpy.fromfile(outputs, "<f4").reshape(IMAGES, -1)


@pytest.mark.parametrize(("scheme", "is_same"), [("per_channel", False), ("per_channel+reduce_range", True)])
def test_u8s8_saturates_without_vnni_unless_its_range_is_reduced(scheme: str, is_same: bool, tmp_path: Path) -> None:
    of = variant("mobilenet_v1", 0.25, 32, weights=WeightSource.TRAINED)
    int8 = replace(of, precision=Precision.INT8, quantization=parse(scheme))
    path = cache.path_of(export.export(int8, "onnx", lambda _: None))
    with_vnni = answers(path, tmp_path)
    without = answers(path, tmp_path, str(EMULATOR), "-cpu", "Haswell")
    assert numpy.array_equal(with_vnni, without) == is_same

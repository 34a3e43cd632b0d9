"""Files for ncnn: they have torch's outputs, the same network gives the same bytes, and the rest is refused."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy
import pytest

from edgebench.agent.runtimes import ncnn as runtime
from edgebench.export.formats import ncnn
from edgebench.foundation.errors import CaseError
from edgebench.foundation.shelf import names
from edgebench.networks import build
from edgebench.schema.names import native_side
from edgebench.schema.quantization import Quantization
from edgebench.schema.variant import Precision, Variant
from tests.conftest import variant

if TYPE_CHECKING:
    from torch import nn

NAMES = ("lenet5", "mobilenet_v2", "mobilenet_v1_det")
needs_pnnx = pytest.mark.skipif(not (find_spec("pnnx") and find_spec("ncnn")), reason="needs edgebench[ncnn]")
NEAR = 1e-4  # a share of the largest output


def asked(name: str) -> Variant:
    """The network at a small side and width."""
    side = next(side for side in (32, 64, 96, 128, 224, native_side(name)) if build.accepts(name, side))
    of = variant(name, 0.25 if name.startswith("mobilenet") else 1.0, side)
    return replace(of, weights="random")


def written(folder: Path, of: Variant, network: nn.Module) -> Path:
    path = folder / f"{of.architecture}.ncnn"
    ncnn.write(path, of, build.channels(of), lambda: network)
    return path


def worst(path: Path, of: Variant, network: nn.Module) -> float:
    """The largest difference from torch's outputs, as a share of the largest output."""
    import torch

    shape = (3, build.channels(of), of.resolution, of.resolution)
    images = numpy.random.default_rng(1).uniform(-1, 1, shape).astype("<f4")
    with torch.inference_mode():
        outputs = network(torch.from_numpy(images))
    made = [*outputs] if isinstance(outputs, tuple) else [outputs]
    wanted: Any = numpy.concatenate([output.reshape(len(images), -1).numpy() for output in made], 1)
    session = runtime.open(str(path), threads=1, batch=1, options=())
    answers = session.infer(images.tobytes(), images.shape, wanted.shape[1])
    found = numpy.frombuffer(answers, "<f4").reshape(len(images), -1)
    return float(abs(found - wanted).max() / abs(wanted).max())


@pytest.mark.slow
@needs_pnnx
@pytest.mark.parametrize("name", NAMES)
def test_a_converted_network_has_torch_s_outputs_and_no_batch_norm(name: str, tmp_path: Path) -> None:
    of = asked(name)
    network = build.build(of, "")
    path = written(tmp_path, of, network)
    assert worst(path, of, network) <= NEAR
    assert "BatchNorm" not in runtime.kinds(runtime.param(str(path)))
    assert runtime.image_shape(runtime.param(str(path))) == (build.channels(of), of.resolution, of.resolution)
    if name == "lenet5":
        assert written(tmp_path / "..", of, network).read_bytes() == path.read_bytes()


@pytest.mark.slow
@pytest.mark.heavy
@needs_pnnx
@pytest.mark.parametrize("name", [name for name in names("architectures") if name != "null"])
def test_every_network_has_torch_s_outputs(name: str, tmp_path: Path) -> None:
    of = asked(name)
    network = build.build(of, "")
    assert worst(written(tmp_path, of, network), of, network) <= NEAR


@pytest.mark.slow
@needs_pnnx
def test_a_network_that_ncnn_lacks_a_layer_for_is_one_line(tmp_path: Path) -> None:
    import torch

    class Sorted(torch.nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return torch.cummax(images.flatten(1), 1).values

    with pytest.raises(CaseError, match=r"^ncnn cannot run the file that pnnx wrote: .*it has no layer [^\n]+$"):
        ncnn.write(tmp_path / "net.ncnn", asked("lenet5"), 1, Sorted)


@pytest.mark.slow
@needs_pnnx
def test_other_outputs_than_torch_s_are_refused(tmp_path: Path) -> None:
    import torch

    of, image = asked("lenet5"), torch.zeros(1, 1, 32, 32)
    path, scratch = written(tmp_path, of, build.build(of, "")), tmp_path / "image"
    for outputs, reason in ((torch.ones(1, 10), "an output differs by"), (torch.ones(1, 9), "10 outputs, torch 9")):
        with pytest.raises(CaseError, match=f"^pnnx converts this network wrongly: .*{reason}"):
            ncnn._require_same(path, (1, 1, 32, 32), image, (outputs,), scratch)


def test_only_fp32_is_written() -> None:
    of = variant("lenet5", 1.0, 32)
    assert ncnn.refuses(of) == ""
    of_int8 = replace(of, precision=Precision.INT8, quantization=Quantization())
    assert ncnn.refuses(of_int8).endswith("which its packages lack: use --runtime onnxruntime or litert for int8")
    assert ncnn.refuses(replace(of, precision=Precision.BF16)).startswith("ncnn files are written in fp32, not bf16: ")

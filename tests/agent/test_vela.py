"""vela as a compiler: which operators and multiply-adds it places on the NPU, and what it refuses in one line."""

from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy
import pytest

from edgebench.agent.runtimes import vela
from edgebench.deploy.targets import catalogue
from edgebench.schema import compilation
from edgebench.schema.runtime import RuntimeRequest
from edgebench.schema.variant import Precision
from tests.conftest import variant
from tests.hostile.flat import (
    ADD,
    CONV,
    CUSTOM,
    DENSE,
    DEPTHWISE,
    SOFTMAX,
    TRANSPOSED,
    Flat,
    Operator,
    constant,
    write,
)

lengthy = pytest.mark.lengthy
needs_vela = pytest.mark.skipif(not find_spec("ethosu"), reason="vela is not installed: edgebench[vela]")
NPUS = ("ethos_u55", "ethos_u65", "ethos_u85")
SIDE = (1, 8, 8, 4)


def tensor(name: str, dtype: str = "int8", shape: tuple[int, ...] = SIDE) -> Flat:
    return Flat(name=name, shape=shape, dtype=dtype, scale=0.05 if dtype == "int8" else 0.0)


def chain(path: Path, *codes: int, dtype: str = "int8", batch: int = 1) -> str:
    """A file of operators, each of which takes the result of the one before it."""
    tensors = [tensor(f"t{place}", dtype, (batch, *SIDE[1:])) for place in range(len(codes) + 1)]
    steps: list[Operator] = [
        (code, [f"t{place}"] * (1 + (code == ADD)), [f"t{place + 1}"]) for place, code in enumerate(codes)
    ]
    return str(write(path, tensors, steps, "t0", f"t{len(codes)}"))


def compiled(path: str, *options: str) -> compilation.Compilation:
    facts = vela.compile(path, batch=1, options=options or ("ethos-u55-128",))
    assert compilation.fault(facts) == ""
    return compilation.read(facts)


@needs_vela
@lengthy
@pytest.mark.parametrize(
    ("codes", "on_npu", "left"),
    [
        ((ADD, ADD), 2, ""),
        ((ADD, CUSTOM), 1, "Frobnicate"),
        ((CUSTOM, ADD, CUSTOM), 1, "Frobnicate"),
        ((CUSTOM,), 0, "Frobnicate"),
    ],
)
def test_operators_that_the_npu_lacks_are_left_to_the_processor(
    tmp_path: Path, codes: tuple[int, ...], on_npu: int, left: str
) -> None:
    report = compiled(chain(tmp_path / "x.tflite", *codes))
    assert (report.npu_operators, report.operators, report.host_operator_names) == (on_npu, len(codes), left)


@needs_vela
@lengthy
def test_a_file_in_float_has_nothing_on_the_npu(tmp_path: Path) -> None:
    report = compiled(chain(tmp_path / "x.tflite", ADD, ADD, dtype="float32"))
    assert (report.npu_operators, report.operators, report.host_operator_names) == (0, 2, "ADD")


@needs_vela
@lengthy
@pytest.mark.parametrize("accelerator", vela.DEVICES)
def test_every_configuration_compiles_and_is_recorded(tmp_path: Path, accelerator: str) -> None:
    report = compiled(chain(tmp_path / "x.tflite", ADD), accelerator)
    system, mode = vela.SYSTEMS[vela.DEVICES[accelerator]]
    assert report.configuration == f"{accelerator}, {system}, {mode}, optimised for performance"
    assert report.npu_operators == 1
    assert (report.sram_bytes or 0) + (report.dram_bytes or 0) > 0


@needs_vela
@lengthy
@pytest.mark.parametrize("mode", [mode for mode in vela.OPTIONS[1] if mode])
def test_every_memory_mode_compiles_or_is_refused_in_one_line(tmp_path: Path, mode: str) -> None:
    file = chain(tmp_path / "x.tflite", ADD)
    assert f", {mode}, optimised for size" in compiled(file, "ethos-u65-256", mode, "size").configuration
    if mode.startswith("Dedicated"):  # the memory beside the SRAM of a usual Ethos-U55 cannot be written
        with pytest.raises(RuntimeError, match=r"^vela [\d.]+ cannot compile this file: Error: Invalid [^\n]+$"):
            compiled(file, "ethos-u55-128", mode)


@needs_vela
@lengthy
def test_another_batch_and_a_file_that_is_no_model_are_refused_in_one_line(tmp_path: Path) -> None:
    file = chain(tmp_path / "x.tflite", ADD, batch=4)
    with pytest.raises(RuntimeError, match=r"^vela compiles the batch of the file, 4, found 1: use --batch 4$"):
        vela.compile(file, batch=1, options=("ethos-u55-128",))
    with pytest.raises(RuntimeError, match=r"^vela [\d.]+ cannot compile this file: [^\n]+$"):
        vela._run(["--output-dir", str(tmp_path), str(tmp_path / "none.tflite")])


def weights(*shape: int) -> Any:
    return numpy.ones(shape, numpy.int8)


@needs_vela
@lengthy
@pytest.mark.parametrize(
    ("code", "data", "held", "outputs", "macs"),
    [
        (CONV, SIDE, (6, 3, 3, 4), (1, 8, 8, 6), 8 * 8 * 6 * 3 * 3 * 4),
        (DEPTHWISE, SIDE, (1, 3, 3, 4), (1, 4, 4, 4), 4 * 4 * 4 * 3 * 3),
        (DENSE, (1, 20), (7, 20), (1, 7), 7 * 20),
        (SOFTMAX, (1, 20), (7, 20), (1, 20), 0),
    ],
)
def test_multiply_adds_are_those_of_the_file(
    tmp_path: Path, code: int, data: tuple[int, ...], held: tuple[int, ...], outputs: tuple[int, ...], macs: int
) -> None:
    tensors = [tensor("x", shape=data), constant("w", weights(*held), scale=0.1), tensor("y", shape=outputs)]
    file = write(tmp_path / "x.tflite", tensors, [(code, ["x", "w"], ["y"])], "x", "y")
    assert [count for _, count in vela.operators(file.read_bytes(), 1)] == [macs]


@needs_vela
@lengthy
def test_multiply_adds_of_a_transposed_convolution_are_those_of_its_inputs(tmp_path: Path) -> None:
    shape = Flat(name="shape", shape=(4,), dtype="int32", values=numpy.array([1, 16, 16, 6], numpy.int32))
    tensors = [tensor("x"), shape, constant("w", weights(6, 2, 2, 4), scale=0.1), tensor("y", shape=(1, 16, 16, 6))]
    file = write(tmp_path / "x.tflite", tensors, [(TRANSPOSED, ["shape", "w", "x"], ["y"])], "x", "y")
    assert list(vela.operators(file.read_bytes(), 1)) == [("TRANSPOSE_CONV", 8 * 8 * 4 * 6 * 2 * 2)]


@pytest.mark.parametrize("precision", Precision)
def test_only_integers_are_compiled(precision: Precision) -> None:
    reason = vela.refuses(replace(variant(), precision=precision), ())
    assert (reason == "") == (precision == Precision.INT8)
    assert (
        precision == Precision.INT8
        or reason == f"an Ethos-U computes integers, found {precision}: use --precision int8"
    )


@pytest.mark.parametrize("name", NPUS)
def test_a_shipped_npu_has_a_configuration_of_its_own_kind(name: str) -> None:
    target = catalogue.target(name)
    usual = [option for option, device in vela.DEVICES.items() if device == target.device]
    chosen = RuntimeRequest(name="vela").resolve(vela.OPTIONS, usual)
    assert target.compiles_only
    assert chosen == (usual[0],)
    assert vela.configuration(chosen)[1:3] == vela.SYSTEMS[target.device]

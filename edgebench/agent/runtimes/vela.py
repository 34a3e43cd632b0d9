"""vela, Arm's compiler for the Ethos-U NPUs of microcontrollers: it compiles TFLite files, and nothing runs them."""

from __future__ import annotations

import csv
import io
from contextlib import redirect_stdout
from importlib import metadata
from math import prod
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from edgebench.schema.variant import Variant

FORMAT = "tflite"
NEEDS = ("ethos-u-vela",)
COMPILES_ONLY = True
DEVICES = {  # the first configuration of a device is the one that its target uses
    "ethos-u55-128": "ethos-u55",
    "ethos-u55-32": "ethos-u55",
    "ethos-u55-64": "ethos-u55",
    "ethos-u55-256": "ethos-u55",
    "ethos-u65-256": "ethos-u65",
    "ethos-u65-512": "ethos-u65",
    "ethos-u85-256": "ethos-u85",
    "ethos-u85-128": "ethos-u85",
    "ethos-u85-512": "ethos-u85",
    "ethos-u85-1024": "ethos-u85",
    "ethos-u85-2048": "ethos-u85",
}
_DEDICATED = ("Dedicated_Sram", "Dedicated_Sram_256KB", "Dedicated_Sram_384KB", "Dedicated_Sram_512KB")
OPTIONS: tuple[tuple[str, ...], ...] = (
    tuple(DEVICES),
    ("", "Sram_Only", "Shared_Sram", *_DEDICATED),  # a memory mode in place of the device's usual mode
    ("", "size"),  # vela optimises for speed, or with `size` for little memory
)
SCHEMES: dict[str, str] = {}
NO_PROFILE = "vela only compiles, and no Ethos-U is at hand that could run the result"
WARMS_UP = False

CONFIGURATION = "Arm/vela.ini"  # a file that comes with vela
SYSTEMS = {  # device -> vela's defaults: the system, which sets clock and bandwidths, and the memory mode
    "ethos-u55": ("Ethos_U55_High_End_Embedded", "Shared_Sram"),
    "ethos-u65": ("Ethos_U65_Client_Server", "Dedicated_Sram_384KB"),
    "ethos-u85": ("Ethos_U85_SYS_DRAM_Mid", "Dedicated_Sram_384KB"),
}
ON_NPU = "ethos-u"  # in a compiled file, a custom operator that stands for consecutive operators on the NPU
_KIB = 1024
_IMAGES = 4  # dimensions of a batch of images
_NAMED = 8  # at most this many types of operators on the host's processor are named


def version() -> str:
    """Return the installed package's version without importing it."""
    return metadata.version(NEEDS[0])


def prepare() -> None:
    """Import the compiler and its dependencies."""
    import ethosu.vela.vela  # noqa: F401


def refuses(variant: Variant, options: Sequence[str]) -> str:
    """Refuse float networks, because an Ethos-U computes only integers."""
    if variant.precision == "int8":
        return ""
    return f"an Ethos-U computes integers, found {variant.precision}: use --precision int8"


def compile(path: str, *, batch: int, options: Sequence[str]) -> dict[str, str]:
    """Compile a TFLite file for the requested Ethos-U; return where its operators run and how much memory they use.

    Raises:
        RuntimeError: vela cannot compile the file, or the file's batch size is not `batch`.
    """
    accelerator, system, mode, goal = configuration(options)
    command = ["--accelerator-config", accelerator, "--config", CONFIGURATION, "--system-config", system]
    command += ["--memory-mode", mode, "--optimise", goal]
    with TemporaryDirectory() as folder:
        file = Path(folder) / "model.tflite"
        file.write_bytes(Path(path).read_bytes())
        before = list(operators(file.read_bytes(), batch))
        _run([*command, "--output-dir", folder, str(file)])
        after = list(operators((file.parent / "model_vela.tflite").read_bytes(), batch))
        with (file.parent / f"model_summary_{system}.csv").open(encoding="utf-8", newline="") as table:
            memory = next(csv.DictReader(table))
    left = [(kind, macs) for kind, macs in after if kind != ON_NPU]
    named = list(dict.fromkeys(kind for kind, _ in left))
    return {
        "configuration": f"{accelerator}, {system}, {mode}, optimised for {goal.lower()}",
        "operators": str(len(before)),
        "npu_operators": str(len(before) - len(left)),
        "macs": str(sum(macs for _, macs in before)),
        "npu_macs": str(sum(macs for _, macs in before) - sum(macs for _, macs in left)),
        "host_operator_names": ", ".join(named[:_NAMED]),
        "sram_bytes": _bytes(memory, "sram"),
        "flash_bytes": _bytes(memory, "on_chip_flash", "off_chip_flash"),
        "dram_bytes": _bytes(memory, "dram"),
    }


def configuration(options: Sequence[str]) -> tuple[str, str, str, str]:
    """Return vela's accelerator configuration, system configuration, memory mode and optimisation strategy."""
    accelerator = next(option for option in options if option in DEVICES)
    system, usual = SYSTEMS[DEVICES[accelerator]]
    mode = next((option for option in options if option and option in OPTIONS[1]), usual)
    return accelerator, system, mode, "Size" if "size" in options else "Performance"


def _run(arguments: Sequence[str]) -> None:
    from ethosu.vela import vela

    status, said = "", io.StringIO()
    try:
        with redirect_stdout(said):
            status = "" if not vela.main(arguments) else "\n"
    except (Exception, SystemExit) as error:  # vela's core in C++ raises exceptions of its own
        status = f"\n{getattr(error, 'data', error)}"
    if status:
        raise RuntimeError(f"vela {version()} cannot compile this file: {_last(f'{said.getvalue()}{status}')}")


def _last(text: str) -> str:
    """Return the last line of vela's messages, because its errors come last."""
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "it gave no reason")


def operators(content: bytes, batch: int) -> Iterator[tuple[str, int]]:
    """Yield the type and the multiply-adds of each operator of a TFLite file.

    Raises:
        RuntimeError: the batch size of the file's inputs is not `batch`.
    """
    from ethosu.vela.tflite.BuiltinOperator import BuiltinOperator
    from ethosu.vela.tflite.Model import Model

    model, names = Model.GetRootAsModel(content, 0), {number: name for name, number in vars(BuiltinOperator).items()}
    for graph in map(model.Subgraphs, range(model.SubgraphsLength())):
        shapes = [_shape(graph, int(index)) for index in graph.InputsAsNumpy()]
        if batch not in (sizes := {shape[0] for shape in shapes if len(shape) == _IMAGES}) and sizes:
            raise RuntimeError(
                f"vela compiles the batch of the file, {min(sizes)}, found {batch}: use --batch {min(sizes)}"
            )
        for operator in map(graph.Operators, range(graph.OperatorsLength())):
            code = model.OperatorCodes(operator.OpcodeIndex())
            kind = names.get(max(code.BuiltinCode(), code.DeprecatedBuiltinCode()), "UNKNOWN")
            yield (code.CustomCode().decode() if kind == "CUSTOM" else kind), _macs(kind, graph, operator)


def _shape(graph: Any, index: int) -> tuple[int, ...]:
    tensor = graph.Tensors(index)
    return tuple(map(int, tensor.ShapeAsNumpy())) if tensor.ShapeLength() else ()


def _macs(kind: str, graph: Any, operator: Any) -> int:
    """Return the multiply-adds of a convolution or a matrix product; 0 for all other operators."""
    shapes = [_shape(graph, int(index)) for index in operator.InputsAsNumpy()]
    outputs = _shape(graph, int(operator.OutputsAsNumpy()[0]))
    match kind:
        case "CONV_2D":  # weights: (O, height, width, I)
            return prod(outputs) * prod(shapes[1][1:])
        case "CONV_3D":  # weights: (depth, height, width, I, O)
            return prod(outputs) * prod(shapes[1][:4])
        case "DEPTHWISE_CONV_2D":  # weights: (1, height, width, O)
            return prod(outputs) * prod(shapes[1][1:3])
        case "TRANSPOSE_CONV":  # inputs: the shape of the outputs, weights (O, height, width, I), and data
            return prod(shapes[2]) * prod(shapes[1][:3])
        case "FULLY_CONNECTED":  # weights: (O, I)
            return prod(outputs) * shapes[1][-1]
        case "BATCH_MATMUL":  # either matrix can be transposed
            return prod(outputs) * prod(shapes[0][-2:]) // outputs[-2]
    return 0


def _bytes(memory: dict[str, str], *areas: str) -> str:
    """Return the bytes used in areas of memory; vela's table is in KiB."""
    return str(round(sum(float(memory[f"{area}_memory_used"]) for area in areas) * _KIB))

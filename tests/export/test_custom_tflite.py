"""TFLite files that somebody gives: read by offsets alone, never run; a cut one says so wherever it is cut."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from edgebench.cli import reader
from edgebench.cli.options import SweepOptions
from edgebench.export import custom
from edgebench.foundation.errors import RequestError
from edgebench.measure.plan import cases
from edgebench.schema.variant import Precision
from tests.conftest import environment, needs_tflite_runtime

flatbuffers: Any = pytest.importorskip("flatbuffers")

DENSE, CUSTOM = 9, 32
FLOAT32, STRING, INT8 = 0, 5, 9


def build(
    path: Path,
    shape: tuple[int, ...] = (1, 4, 4, 3),
    *,
    kind: int = FLOAT32,
    operator: int = DENSE,
    signature: tuple[int, ...] = (),
) -> Path:
    """A file of one dense layer from an image to five scores."""
    b = flatbuffers.Builder(0)

    def table(*fields: tuple[str, Any]) -> int:
        b.StartObject(len(fields))
        for slot, (how, value) in enumerate(fields):
            getattr(b, f"Prepend{how}Slot")(slot, value, 0)
        return int(b.EndObject())

    def vector(values: list[int] | tuple[int, ...], how: str = "Int32") -> int:
        b.StartVector(4, len(values), 4)
        for value in reversed(values):
            getattr(b, f"Prepend{how}")(value)
        return int(b.EndVector())

    def tensor(name: str, dims: tuple[int, ...], buffer: int, of: int, open: tuple[int, ...] = ()) -> int:
        text, sizes, signed = b.CreateString(name), vector(dims), vector(open) if open else 0
        unset = [("UOffsetTRelative", 0), ("Int8", 0), ("UOffsetTRelative", 0)]
        return table(
            ("UOffsetTRelative", sizes), ("Int8", of), ("Uint32", buffer), ("UOffsetTRelative", text), *unset,
            ("UOffsetTRelative", signed),
        )  # fmt: skip

    def tables(*places: int) -> int:
        return vector(places, "UOffsetTRelative")

    size = shape[-1] * shape[-2] * shape[-3]
    tensors = tables(
        tensor("image", shape, 0, kind, signature), tensor("weights", (5, size), 1, kind),
        tensor("scores", (1, 5), 0, kind),
    )  # fmt: skip
    steps = tables(table(("Uint32", 0), ("UOffsetTRelative", vector((0, 1))), ("UOffsetTRelative", vector((2,)))))
    offsets = [("UOffsetTRelative", one) for one in (tensors, vector((0,)), vector((2,)), steps)]
    name = b.CreateString("Frobnicate")
    code = table(("Int8", operator), ("UOffsetTRelative", name), ("Int32", 1), ("Int32", operator))
    weights = b.CreateByteVector(bytes(size * 5 * (4 if kind == FLOAT32 else 1)))
    buffers = tables(table(), table(("UOffsetTRelative", weights)))
    parts = [tables(code), tables(table(*offsets)), b.CreateString("net"), buffers]
    b.Finish(table(("Uint32", 3), *(("UOffsetTRelative", one) for one in parts)), b"TFL3")
    path.write_bytes(b.Output())
    return path


def test_a_file_says_what_it_takes_and_costs(place: Path) -> None:
    card = custom.adopt(str(build(place / "net.tflite")), "")
    assert (card.layout, card.channels, card.resolution, card.classes) == ("NHWC", 3, 4, 5)
    assert (card.params, card.macs, card.precision, card.dtype) == (240, 240, Precision.FP32, "float32")
    assert card.sha256 == card.content_sha256
    assert custom.adopt("net.tflite", "image:1x4x4x3").classes == 5


@pytest.mark.lengthy
@needs_tflite_runtime
def test_the_interpreter_reads_the_same(place: Path) -> None:
    """In a process of its own: two builds of TFLite in one may end it."""
    code = (
        "from tflite_runtime.interpreter import Interpreter\n"
        f"opened = Interpreter({str(build(place / 'net.tflite'))!r}); opened.allocate_tensors()\n"
        "print([one['shape'].tolist() for one in (opened.get_input_details()[0], opened.get_output_details()[0])])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[[1, 4, 4, 3], [1, 5]]\n"


def test_a_file_of_8_bits_is_int8_as_it_is(place: Path) -> None:
    card = custom.adopt(str(build(place / "net.tflite", kind=INT8)), "")
    assert (card.precision, card.dtype) == (Precision.INT8, "int8")


def test_an_open_batch_axis_is_settled_by_nobody(place: Path) -> None:
    assert custom.adopt(str(build(place / "net.tflite", signature=(-1, 4, 4, 3))), "").resolution == 4


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"kind": STRING}, "input image is of string, wanted numbers: float32, float16,"),
        ({"operator": CUSTOM}, "operator Frobnicate is a custom one, which no runtime here has; convert the model"),
        ({"signature": (1, -1, -1, 3)}, r"input image is 1x\?x\?x3; give its size"),
    ],
)
def test_what_does_not_fit_is_refused(place: Path, how: dict[str, Any], message: str) -> None:
    with pytest.raises(RequestError, match=message):
        custom.adopt(str(build(place / "net.tflite", **how)), "")


@pytest.mark.lengthy
def test_a_file_that_is_cut_off_is_refused_wherever_it_is_cut(place: Path) -> None:
    whole = build(place / "net.tflite").read_bytes()
    for size in range(1, len(whole) - 1, 7):
        (place / "cut.tflite").write_bytes(whole[:size])
        try:
            custom.adopt("cut.tflite", "")
        except RequestError as error:
            assert "TFLite file" in str(error) or "cut.tflite: wanted" in str(error), size  # noqa: PT017


def test_other_runtimes_refuse_it_in_one_line(place: Path) -> None:
    build(place / "net.tflite")
    asked = reader.sweep("", SweepOptions(model="net.tflite", runtime="onnxruntime"))
    with pytest.raises(RequestError, match="net.tflite is for runtimes that open tflite, but onnxruntime opens"):
        list(cases.cases(asked.cells(), environment()))

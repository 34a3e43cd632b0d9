"""What is in a model's file is said without running it, in little time and memory."""

import json
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy
import pytest

from edgebench.analysis import inspect as shown
from edgebench.export import custom
from edgebench.export.custom.inspect import inspect
from edgebench.export.formats.onnx.skim import outline
from edgebench.foundation.errors import RequestError
from tests.hostile import flat
from tests.hostile.colours import DATA
from tests.hostile.graphs import floats, node
from tests.hostile.test_any_model import GRAPHS, REFUSED, TFLITE, F, save
from tests.hostile.test_counts import LIGHT, LIGHT_COSTS
from tests.support.command import cli

pytestmark = pytest.mark.slow  # each input is opened in a process of its own


def facts(name: str, asked: str = "") -> dict[str, Any]:
    """The first table of the answer, for machines."""
    return dict(shown.sheets(name, asked)[0].records[0])


@pytest.mark.parametrize("name", GRAPHS)
def test_what_is_said_of_a_graph_is_what_a_run_finds(place: Path, name: str) -> None:
    (nodes, inputs, outputs, held), asked, _ = GRAPHS[name]
    path = save(place / "net.onnx", nodes, inputs, outputs, held)
    card, found = custom.adopt(str(path), asked), inspect(str(path), asked)
    assert (found.precision, found.given, found.way.is_classifier) == (card.precision, card.given, False)
    assert (found.cost.params, found.cost.macs) == (card.params, card.macs)
    assert [port.name for port in found.inputs] == [port[0] for port in inputs]
    assert [port.name for port in found.outputs] == [port[0] for port in outputs]
    assert sum(found.operators.values()) >= len(nodes) and not found.way.refusal


@pytest.mark.parametrize("name", TFLITE)
def test_what_is_said_of_a_tflite_file_is_what_a_run_finds(place: Path, name: str) -> None:
    graphs, signature, asked, _ = TFLITE[name]
    flat.write_graphs(place / "net.tflite", graphs)
    card, found = custom.adopt(f"net.tflite{signature}", asked), inspect(f"net.tflite{signature}", asked)
    assert (found.precision, found.cost.params, found.cost.macs) == (card.precision, card.params, card.macs)
    assert card.feed and [port.name for port in found.inputs] == [entry.name for entry in card.feed.inputs]


@pytest.mark.parametrize("file", sorted(LIGHT.glob("*.onnx")), ids=lambda file: file.stem)
def test_the_light_models_of_onnx_cost_the_same_without_a_runtime(file: Path) -> None:
    found = inspect(str(file))
    assert (found.cost.params, found.cost.macs) == LIGHT_COSTS[file.stem.removeprefix("light_")]
    assert found.way.is_classifier


OF_THE_FILE = (
    "strings", "complex", "a sequence", "an optional", "no rank", "no values", "10^9 values", "10^9 values inside",
    "an operator that nobody has",
)  # fmt: skip


@pytest.mark.parametrize("name", OF_THE_FILE)
def test_what_cannot_be_measured_is_still_looked_into(place: Path, name: str) -> None:
    write, asked, message = REFUSED[name]
    write(place / "net.onnx")
    found = inspect("net.onnx", asked)
    assert message in found.way.refusal and found.operators
    assert facts("net.onnx", asked)["run"] is None


@pytest.mark.parametrize("name", REFUSED)
def test_what_a_run_refuses_is_refused_here(place: Path, name: str) -> None:
    write, asked, message = REFUSED[name]
    write(place / "net.onnx")
    found = verdict("net.onnx", asked)
    assert found.startswith("--input") if name == "an open axis" else message in found


def verdict(name: str, asked: str = "") -> str:
    """What is said of whether and how a file can be measured; empty if it can."""
    try:
        way = inspect(name, asked).way
    except RequestError as error:
        return str(error)
    return way.refusal or ("" if way.shapes or not way.asked else f"--input {way.asked[0]}")


@pytest.mark.parametrize(
    "file", sorted(path for path in DATA.iterdir() if path.suffix in (".onnx", ".tflite")), ids=str
)
def test_files_of_others_can_be_measured_where_that_is_said(file: Path, place: Path) -> None:
    try:
        custom.adopt(str(file), "")
        refusal = ""
    except RequestError as error:
        refusal = str(error)
    assert bool(verdict(str(file))) == bool(refusal)


@pytest.mark.parametrize("name", ["open sides", "open sides without names", "an axis of two inputs", "two inputs"])
def test_the_command_that_is_shown_is_one_that_works(place: Path, name: str) -> None:
    import shlex

    (nodes, inputs, outputs, held), _, _ = GRAPHS[name]
    save(place / "net.onnx", nodes, inputs, outputs, held)
    said = facts("net.onnx")["run"]
    parts = shlex.split(said)
    asked = ",".join(shape for option, shape in pairwise(parts) if option == "--input")
    assert parts[:4] == ["edgebench", "run", "--model", "net.onnx"]
    assert custom.adopt("net.onnx", asked).feed


def test_a_file_of_several_signatures_says_how_to_choose(place: Path) -> None:
    flat.write_graphs(place / "net.tflite", TFLITE["the signature encode"][0])
    told = facts("net.tflite")
    assert told["signatures"] == ("encode", "decode") and "use --model net.tflite:encode" in told["refusal"]
    assert facts("net.tflite:decode")["run"] == (
        "edgebench run --model net.tflite:decode --precision fp32 --runtime litert"
    )


@pytest.mark.parametrize(
    "name",
    ["cut.onnx", "picture.onnx", "gone.onnx", "net.pt", "cut.tflite", "empty.onnx", "empty.tflite", "folder.onnx"],
)
def test_what_is_no_model_is_one_line(place: Path, name: str) -> None:
    if name.startswith("empty"):
        (place / name).touch()
    elif name.startswith("folder"):
        (place / name).mkdir()
    elif name != "gone.onnx":
        whole = DATA / f"{'qcdq.onnx' if name.endswith('.onnx') else 'unit.tflite'}"
        (place / name).write_bytes(whole.read_bytes()[:-2000] if "cut" in name else b"\x89PNG\r\n")
    with pytest.raises(RequestError) as caught:
        inspect(name)
    assert "\n" not in str(caught.value)


def test_an_outline_has_all_but_the_values_of_weights(place: Path) -> None:
    import onnx

    nodes = [node("MatMul", ["x", "w"], "m"), node("Add", ["m", "b"], "y")]
    held = {"w": floats(64, 32), "b": floats(32)}
    path = save(place / "net.onnx", nodes, [("x", F, (1, 64))], [("y", F, (1, 32))], held)
    whole, light = onnx.load(path), outline(path)
    assert [one.raw_data for one in light.graph.initializer] == [b"", whole.graph.initializer[1].raw_data]
    whole.graph.initializer[0].ClearField("raw_data")
    assert whole == light


def test_100_mb_are_looked_into_quickly_and_in_little_memory(place: Path) -> None:
    wide = 1448
    nodes = [node("MatMul", [f"y{place}" if place else "x", f"w{place}"], f"y{place + 1}") for place in range(12)]
    held = {f"w{place}": numpy.zeros((wide, wide), "f4") for place in range(12)}
    path = save(place / "net.onnx", nodes, [("x", F, ("n", wide))], [("y12", F, None)], held)
    assert path.stat().st_size > 100e6
    script = """
import sys, time
from pathlib import Path
from edgebench.cli import app
app(["inspect", "net.onnx", "--format", "json"], standalone_mode=False)
peak_kib = next(line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line)
print(peak_kib, time.process_time())
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    *answer, used = done.stdout.splitlines()
    assert json.loads(answer[0])["model"][0]["macs"] == 12 * wide * wide
    peak_kib, spent_s = map(float, used.split())
    assert peak_kib * 1024 <= 1.5 * path.stat().st_size and spent_s <= 2


def test_the_command_prints_tables_and_json(place: Path) -> None:
    (nodes, inputs, outputs, held), _, _ = GRAPHS["several outputs"]
    save(place / "net.onnx", nodes, inputs, outputs, held)
    done = cli("inspect", "net.onnx")
    assert done.returncode == 0 and "edgebench run --model net.onnx --precision fp32" in done.stdout, done.stderr
    made = cli("inspect", "net.onnx", "--format", "csv", "--table", "operators").stdout
    assert made.splitlines()[0] == "operator,count"

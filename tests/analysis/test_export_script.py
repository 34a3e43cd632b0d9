"""A row as a script: it opens the row's file as the agent does, feeds it the same values, and needs no edgebench."""

import ast
import json
import os
import re
import subprocess
import sys
from base64 import b64decode
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy
import pytest

from edgebench.agent import answer, open_session
from edgebench.analysis.export_script import rendered, script
from edgebench.deploy import Deployed
from edgebench.export import custom, export
from edgebench.export.custom import data
from edgebench.foundation import cache, escape
from edgebench.foundation.errors import RequestError
from edgebench.foundation.shelf import load, names
from edgebench.results.journal import Journal
from edgebench.results.measurement.evidence import Evidence
from edgebench.schema.artifact import Artifact
from edgebench.schema.cards import CustomModel
from edgebench.schema.case import Case
from edgebench.schema.feed import Feed, Input
from edgebench.schema.record import Deployment
from edgebench.schema.runtime import Runtime
from tests import ROOT
from tests.conftest import CPU, artifact, run, session, variant
from tests.export.test_custom_onnx import write
from tests.export.test_custom_tflite import build
from tests.hostile import flat
from tests.hostile.test_any_model import GRAPHS, TFLITE, deployed, written
from tests.hostile.test_text import WORDS
from tests.support.command import cli
from tests.support.scripts import names_of

pytestmark = pytest.mark.slow  # each script runs in processes of its own

DATA = ROOT / "tests" / "hostile" / "data"
MODULES = {name: name for name in ("onnxruntime", "openvino", "ncnn", "tflite_runtime")} | {"litert": "ai_edge_litert"}
OF_OPENVINO = ("bfloat16", "float16", "several outputs", "inputs of several types", "an input that is an output")


def row_of(card: CustomModel, runtime: str = "onnxruntime", *, batch: int = 1, fed: Any = None) -> Case:
    """A model's row in `results/mine`, of one process, with its artifact in the cache."""
    pytest.importorskip(MODULES[runtime])
    engine, own = load("runtimes", runtime), deployed(card).variant
    if fed and own.feed:
        own = replace(own, feed=replace(own.feed, data=fed.name, data_sha256=fed.sha256))
    used = Runtime(name=runtime, version=engine.version(), options=usual(runtime))
    case = Case(variant=own, runtime=used, target="cpu", threads=1, batch=batch)
    keep(case, export(own, engine.FORMAT, lambda _: None))
    return case


def usual(runtime: str) -> tuple[str, ...]:
    """The options of a runtime that apply if none is asked for."""
    return tuple(group[0] for group in load("runtimes", runtime).OPTIONS if group[0])


def row_of_shelf(runtime: str, name: str, *, batch: int = 1, **changes: Any) -> Case:
    """A row of a network of the shelf, for a runtime whose files only the shelf's networks become."""
    pytest.importorskip("torch")
    pytest.importorskip(MODULES[runtime])
    engine, own = load("runtimes", runtime), replace(variant(name, 1.0 if name == "lenet5" else 0.25, 32), **changes)
    used = Runtime(name=runtime, version=engine.version(), options=usual(runtime))
    case = Case(variant=own, runtime=used, target="cpu", threads=1, batch=batch)
    keep(case, export(own, engine.FORMAT, lambda _: None))
    return case


def keep(case: Case, made: Artifact) -> None:
    folder = Path("results/mine")
    folder.mkdir(parents=True, exist_ok=True)
    journal = Journal(folder)
    journal.append(session(case, preset="quick"))
    journal.append(Deployment(case=case, session="s1", epoch="e1", artifact=made))
    journal.append(run(case=case, preset="quick", artifact_sha256=made.sha256))


def text_of(case: Case) -> str:
    return script(f"results/mine:{words_of(case)}")


def words_of(case: Case) -> str:
    return f"{case.variant} {case.runtime.name} batch={case.batch}"


def agents(case: Case, text: str) -> dict[str, Any]:
    """Every output of the agent, by its name, for what it feeds in a measurement."""
    path, *arrays = names_of(saved(text))["FILES"]
    where = Deployed(variant=case.variant, path=path, sha256="", data="".join(arrays))
    request = json.loads(json.dumps(where.request(case.runtime, case.threads, case.batch)))
    if case.variant.feed:
        reply = answer(request | {"do": "infer"})
        assert reply["ok"], reply
        return {
            name: numpy.frombuffer(b64decode(made["values"]), made["dtype"]).reshape(made["shape"])
            for name, made in reply["value"]["outputs"].items()
        }
    opened = open_session(request)
    opened.run()
    if hasattr(opened, "outputs"):
        return dict(opened.outputs())
    return {output["name"]: opened._interpreter.get_tensor(output["index"]) for output in opened._outputs}


def saved(text: str) -> Path:
    Path("row.py").write_text(text)
    return Path("row.py")


def the_same(case: Case) -> None:
    """The script's one inference makes what the agent's does, but for bfloat16, which numpy lacks."""
    text = text_of(case)
    infer, outputs = names_of(saved(text))["opened"]()
    infer()
    wanted, made = agents(case, text), outputs()
    assert made.keys() == wanted.keys() or (made.keys() < wanted.keys() and "bfloat16" in str(case.variant.feed))
    assert all(values.dtype == wanted[name].dtype for name, values in made.items())
    for name, values in made.items():
        numpy.testing.assert_array_equal(values, wanted[name])


@pytest.mark.parametrize("name", GRAPHS)
def test_the_script_of_any_onnx_graph_feeds_and_makes_what_the_agent_does(place: Path, name: str) -> None:
    the_same(row_of(written(place, name)[0]))


@pytest.mark.parametrize("name", OF_OPENVINO)
def test_the_script_of_any_onnx_graph_for_openvino_makes_what_the_agent_does(place: Path, name: str) -> None:
    the_same(row_of(written(place, name)[0], "openvino"))


@pytest.mark.parametrize("batch", [1, 3])
def test_the_script_of_a_network_for_ncnn_makes_what_the_agent_does(place: Path, batch: int) -> None:
    the_same(row_of_shelf("ncnn", "lenet5", batch=batch))


@pytest.mark.parametrize("runtime", ["litert", "tflite_runtime"])
@pytest.mark.parametrize("name", TFLITE)
def test_the_script_of_any_tflite_graph_feeds_and_makes_what_the_agent_does(
    place: Path, name: str, runtime: str
) -> None:
    graphs, signature, wanted, _ = TFLITE[name]
    flat.write_graphs(place / "net.tflite", graphs)
    the_same(row_of(custom.adopt(f"net.tflite{signature}", wanted), runtime))


@pytest.mark.parametrize("batch", [1, 3])
def test_the_script_of_a_classifier_makes_what_the_agent_does(place: Path, batch: int) -> None:
    write(place / "net.onnx")
    write(place / "pixels.onnx", ("n", 8, 8, 3), dtype="UINT8")
    for name, runtime in (("net.onnx", "onnxruntime"), ("pixels.onnx", "onnxruntime"), ("pixels.onnx", "openvino")):
        the_same(row_of(custom.adopt(name, ""), runtime, batch=batch))


@pytest.mark.parametrize("runtime", ["litert", "tflite_runtime"])
@pytest.mark.parametrize("name", ["float", "unit.tflite", "int8u.tflite", "dynamic.tflite"])
def test_the_script_of_a_tflite_classifier_makes_what_the_agent_does(place: Path, name: str, runtime: str) -> None:
    path = build(place / "net.tflite") if name == "float" else DATA / name
    the_same(row_of(custom.adopt(str(path), ""), runtime))


def test_the_script_feeds_the_arrays_of_a_folder(place: Path) -> None:
    card, _ = written(place, "inputs of several types")
    (place / "fed").mkdir()
    numpy.save(place / "fed" / "x.npy", numpy.array([[1, 2, 3, 4]], "f4"))
    numpy.save(place / "fed" / "mask.npy", numpy.array([[True, False, True, False]]))
    case = row_of(card, fed=data.adopt("fed", card))
    the_same(case)
    _, outputs = started(text_of(case))
    assert outputs == {"y": [1, 0, 3, 0]}


def started(text: str) -> tuple[str, dict[str, Any]]:
    """Run a script as its user does; return the line of its p50 and the first values of each output."""
    command = [sys.executable, "-I", str(saved(text))]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | {"PYTHONPATH": "x"})
    assert done.returncode == 0, done.stderr
    begun = re.findall(r"^output (.*) begins with (.*)$", done.stdout, re.MULTILINE)
    return done.stdout.splitlines()[-1], {ast.literal_eval(name): ast.literal_eval(value) for name, value in begun}


def imported(text: str) -> set[str]:
    nodes = [*ast.walk(ast.parse(text))]
    plain = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    parts = [str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)]
    return {name.partition(".")[0] for name in (*plain, *parts)} - sys.stdlib_module_names


@pytest.mark.parametrize("runtime", MODULES)
def test_the_script_runs_on_numpy_and_the_runtime_alone_and_says_where_its_p50_lies(place: Path, runtime: str) -> None:
    if (format := load("runtimes", runtime).FORMAT) == "ncnn":
        case = row_of_shelf(runtime, "lenet5")
    else:
        (write if format == "onnx" else build)(place / f"net.{format}")
        case = row_of(custom.adopt(f"net.{format}", ""), runtime)
    text = text_of(case)
    assert imported(text) == {"numpy", MODULES[runtime]}
    line, outputs = started(text)
    found = re.fullmatch(r"p50 ([\d.]+) ms, (in|out)side the row's 1\.000000 ms \[1\.000000, 1\.000000\]", line)
    assert found and (found[2] == "in") == (float(found[1]) == 1)
    assert outputs == {name: values.ravel()[:5].tolist() for name, values in agents(case, text).items()}


def test_another_file_in_the_place_of_the_measured_one_is_refused(place: Path) -> None:
    write(place / "net.onnx")
    text = text_of(row_of(custom.adopt("net.onnx", "")))
    for path in ("absent.onnx", "other.onnx"):
        (place / "other.onnx").write_bytes(b"other")
        (known,) = names_of(saved(text))["FILES"]
        saved(text.replace(repr(known), repr(path)))
        done = subprocess.run([sys.executable, "-I", "row.py"], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == f"wanted the file that was measured at '{path}', found none or another; correct FILES\n"


def test_a_row_whose_artifact_left_the_cache_is_to_be_measured_again(place: Path) -> None:
    write(place / "net.onnx", ("n", 3, 16, 16))
    case = row_of(custom.adopt("net.onnx", ""))
    for card in cache.cards(Artifact):
        if card.of == case.variant:
            cache.path_of(card).unlink()
    done = cli("export-script", f"results/mine:{words_of(case)}", "-o", "row.py")
    assert done.returncode == 2 and not Path("row.py").exists()
    assert done.stderr == (
        f"edgebench: wanted the artifact of {case} in the cache, found none with its hash; measure it again\n"
    )


def other_rows() -> list[tuple[str, tuple[str, ...], str]]:
    """Every runtime and device that has no script."""
    rest = [name for name in names("runtimes") if name not in MODULES]
    devices = load("runtimes", "onnxruntime").DEVICES
    cuda = [option for option, device in devices.items() if device != "cpu"]
    return [(name, (), f"found one of {name}") for name in rest] + [("onnxruntime", (one,), one) for one in cuda]


@pytest.mark.parametrize(("runtime", "options", "message"), other_rows())
def test_a_row_without_a_script_is_refused_in_one_line(
    runtime: str, options: tuple[str, ...], message: str, place: Path
) -> None:
    case = replace(hostile("net"), runtime=Runtime(name=runtime, version="1", options=options))
    keep(case, artifact())
    with pytest.raises(
        RequestError, match=f"wanted a row of onnxruntime, litert, openvino, ncnn, tflite_runtime .*{message}"
    ):
        script(f"results/mine:{words_of(case)}")


def hostile(text: str) -> Case:
    """A row in which every word is somebody else's."""
    kinds = ("float32", "int8", "bool", "bfloat16", f"float{text}")
    entries = tuple(Input(name=f"{text}{kind}", dtype=kind, shape=(0, 2), low=-1.0, high=1.0) for kind in kinds)
    fed = Feed(inputs=entries, signature=text)
    own = replace(variant(), architecture=text, classes=0, resolution=0, weights="own", feed=fed)
    runtime = Runtime(name="onnxruntime", version=text, options=CPU)
    return Case(variant=own, runtime=runtime, target="cpu", threads=1, batch=1)


QUOTES = {"quotes": '\'"""\\', "end": "\\", "braces": "{{ 7 * 7 }}{% raw %}", "code": "'\nimport os\nos.abort()\n'''"}


@pytest.mark.parametrize("text", [*WORDS.values(), *QUOTES.values()])
def test_text_of_others_is_a_literal_of_python_and_no_code(text: str) -> None:
    written = escape.python(text)
    assert ast.literal_eval(written) == text
    assert written.isascii() and written.isprintable() and "##" not in written


@pytest.mark.parametrize("runtime", MODULES)
@pytest.mark.parametrize("text", [*WORDS.values(), *QUOTES.values()])
def test_a_script_of_hostile_words_is_the_same_code(text: str, runtime: str) -> None:
    """Only its strings differ from those of a harmless one."""
    assert without_strings(script_of_words(text, runtime)) == without_strings(script_of_words("net", runtime))


def script_of_words(text: str, runtime: str) -> str:
    case = hostile(text)
    case = replace(case, runtime=replace(case.runtime, name=runtime, options=usual(runtime)))
    row = Evidence(case=case, session=session(case), runs=(run(case=case),), artifact=artifact())
    return rendered(row, [artifact(file=text, sha256=text)])


class _Emptied(ast.NodeTransformer):
    def visit_Constant(self, node: ast.Constant) -> ast.Constant:
        return ast.Constant("") if isinstance(node.value, str) else node

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.JoinedStr:
        return node


def without_strings(code: str) -> str:
    return ast.dump(_Emptied().visit(ast.parse(code)))

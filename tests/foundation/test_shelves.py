"""Every shelf: each plug-in offers what its contract lists, and one that does not is refused by name."""

import ast
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

import edgebench
from edgebench.deploy.targets import catalogue
from edgebench.foundation import shelf
from edgebench.foundation.errors import UnknownName
from edgebench.measure.plan import sweeps
from edgebench.schema.names import task
from edgebench.schema.runtime import RuntimeRequest
from edgebench.schema.variant import Precision
from tests.conftest import variant
from tests.support.command import process

PACKAGE = Path(edgebench.__file__).parent
PLUGINS = [(name, plugin) for name in shelf.SHELVES for plugin in shelf.names(name) if name != "architectures"]


def contract(name: str) -> ModuleType:
    return import_module(f"edgebench.{shelf.SHELVES[name].place}")


def promised(name: str) -> set[str]:
    package = contract(name)
    offers = (*package.OFFERS, *getattr(package, "MAY_OFFER", ()))
    return {name for offer in offers for name in offer.split(" or ")}


@pytest.mark.parametrize(("name", "plugin"), PLUGINS)
def test_every_plugin_offers_what_its_shelf_promises(name: str, plugin: str) -> None:
    assert shelf.load(name, plugin).__doc__  # loading refuses one that lacks something


@pytest.mark.parametrize("name", shelf.SHELVES)
def test_every_shelf_says_in_words_what_each_of_its_promises_is(name: str) -> None:
    words = set(re.findall(r"\w+", contract(name).__doc__ or ""))
    assert promised(name) <= words


READS = {"load": None, "load_plugin": None, "family": "datasets"}  # functions that give a plug-in, and of which shelf


def plugin_call(node: ast.AST) -> str | None:
    """The shelf that a call takes a plug-in from."""
    if not isinstance(node, ast.Call):
        return None
    name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
    if name not in READS:
        return None
    first = node.args[0] if node.args else None
    named = first.value if isinstance(first, ast.Constant) and first.value in shelf.SHELVES else None
    return READS[name] or named


def read_of_plugins(function: ast.AST) -> Iterator[tuple[str, str]]:
    """Each attribute that a function reads of a plug-in, with the shelf."""
    held = dict[str, str]()
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and (name := plugin_call(node.value)):
            held[node.targets[0].id] = name
    for node in ast.walk(function):
        if isinstance(node, ast.Attribute):
            owner = held.get(node.value.id) if isinstance(node.value, ast.Name) else plugin_call(node.value)
            if owner:
                yield owner, node.attr
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "literal":
            of, _, constant = node.args
            if isinstance(of, ast.Constant) and isinstance(constant, ast.Constant):
                yield str(of.value), str(constant.value)


@pytest.mark.lengthy
def test_the_program_reads_nothing_of_a_plugin_that_its_shelf_does_not_promise() -> None:
    read = set[tuple[str, str]]()
    takes_one = re.compile(rf"\b({'|'.join(READS)}|literal)\(")
    for text in (text for file in PACKAGE.rglob("*.py") if takes_one.search(text := file.read_text())):
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef):
                read |= set(read_of_plugins(node))
    assert {name for name, _ in read} >= {"architectures", "datasets", "formats", "runtimes", "reports"}
    assert {(name, attribute) for name, attribute in read if attribute not in promised(name)} == set()


@pytest.mark.slow
def test_a_plugin_that_lacks_something_is_refused_in_one_line(place: Path) -> None:
    shelves = Path(shutil.copytree(PACKAGE, place / "edgebench")) / "networks" / "architectures"
    whole = (shelves / "mlp.py").read_text()
    (shelves / "mine.py").write_text(whole.replace("CLASSES = ", "OUTPUTS = ").replace('"mlp"', '"mine"'))
    done = process("describe", "mine", PYTHONPATH=str(place))
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "edgebench/networks/architectures/mine.py: wanted SOURCE, " in done.stderr
    assert done.stderr.endswith("found no CLASSES; see edgebench/networks/architectures/__init__.py\n")


@pytest.mark.parametrize("plugin", shelf.names("formats"))
def test_a_format_that_does_not_refuse_int8_writes_it(plugin: str) -> None:
    module = shelf.load("formats", plugin)
    asked = replace(variant("null", 1.0), precision=Precision.INT8, quantization=module.SCHEME)
    writers = [name for name in ("write_int8", "write_int8_of") if hasattr(module, name)]
    assert len(writers) == (module.refuses(asked) == "")


@pytest.mark.slow
@pytest.mark.parametrize("plugin", shelf.names("architectures"))
def test_every_architecture_offers_what_its_shelf_promises(plugin: str) -> None:
    module = shelf.load("architectures", plugin)
    assert module.__doc__
    assert shelf.literal("architectures", plugin, "CHANNELS") == module.CHANNELS


@pytest.mark.parametrize("name", shelf.SHELVES)
def test_every_shelf_has_a_null_plugin(name: str) -> None:
    assert "null" in shelf.names(name)


def test_an_unknown_name_says_what_there_is_and_what_was_meant() -> None:
    with pytest.raises(UnknownName) as caught:
        shelf.load("runtimes", "onnxruntim")
    known = "executorch, litert, ncnn, onnxruntime, openvino, tflite_runtime, torch, vela"
    assert str(caught.value) == f"no runtime 'onnxruntim' (has {known}); did you mean 'onnxruntime'?"


@pytest.mark.parametrize("name", shelf.names("runtimes"))
def test_every_word_of_a_runtime_that_means_something_is_one_that_it_can_be_told(name: str) -> None:
    runtime = shelf.load("runtimes", name)
    words = {word for group in runtime.OPTIONS for word in group}
    assert {*runtime.DEVICES, *runtime.SCHEMES} <= words
    assert bool(set(runtime.DEVICES.values()) - {"cpu", "cuda"}) == hasattr(runtime, "compile")


@pytest.mark.parametrize("name", catalogue.targets())
def test_every_target_is_read_and_names_what_exists(name: str) -> None:
    target = catalogue.target(name)
    assert target.connection in shelf.names("connections")
    assert set(target.runtimes) <= set(shelf.names("runtimes"))


@pytest.mark.parametrize("name", sorted(path.stem for path in sweeps.SHIPPED.glob("*.toml")))
def test_every_shipped_sweep_names_what_exists(name: str) -> None:
    cells = list(sweeps.sweep(name).cells())
    assert {cell.model for cell in cells} <= set(shelf.names("architectures"))
    assert {RuntimeRequest.parse(cell.runtime).name for cell in cells} <= set(shelf.names("runtimes"))
    assert {cell.target for cell in cells} <= set(catalogue.targets())


def test_the_shipped_sweeps_have_the_size_they_are_named_for() -> None:
    assert len(list(sweeps.sweep("default").cells())) == 16
    assert len(list(sweeps.sweep("grid").cells())) == 2 * 38


def test_the_default_sweep_is_of_detectors_whose_metric_depends_on_its_axes_and_tradeoff_adds_a_resolution() -> None:
    cells, more = (list(sweeps.sweep(name).cells()) for name in ("default", "tradeoff"))
    assert {(cell.dataset, task(cell.model)) for cell in cells} == {("scenes", "detection")}
    assert [cell for cell in more if cell.resolution != 160] == cells
    assert {cell.resolution for cell in more} - {cell.resolution for cell in cells} == {160}


@pytest.mark.lengthy
def test_listing_every_shelf_imports_no_heavy_library() -> None:
    code = (
        "import sys; from edgebench import pipeline; from edgebench.cli import reader, terminal\n"
        "from edgebench.foundation import shelf\n"
        f"[shelf.names(name) for name in {list(shelf.SHELVES)}]\n"
        "print(*sorted({'torch', 'onnx', 'onnxruntime', 'pandas', 'numpy', 'sklearn'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""

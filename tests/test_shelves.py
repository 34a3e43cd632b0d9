import subprocess
import sys
from dataclasses import replace
from types import ModuleType

import pytest

from edgebench.deploy.targets import catalogue
from edgebench.foundation import shelf
from edgebench.foundation.errors import UnknownName
from edgebench.measure.plan import sweeps
from edgebench.schema.runtime import RuntimeRequest
from edgebench.schema.variant import Precision
from tests.conftest import variant

PROMISED = {
    "architectures": ("SOURCE", "NAMES", "RESOLUTIONS", "CHANNELS", "WIDTHS", "accepts", "build"),
    "nightly.bulletins": ("FILE", "render"),
    "connections": ("open",),
    "datasets": ("CLASSES", "SOURCE", "PLACE", "PREPROCESSING", "AUGMENTATION", "NOTE", "TOOLS", "open"),
    "formats": ("SUFFIX", "SCHEME", "TOOLS", "refuses", "write"),
    "reports": ("FILE", "render"),
    "runtimes": (
        "FORMAT",
        "NEEDS",
        "OPTIONS",
        "DEVICES",
        "SCHEMES",
        "NO_PROFILE",
        "WARMS_UP",
        "version",
        "prepare",
        "refuses",
        "open",
    ),
}
PLUGINS = [(name, plugin) for name in PROMISED for plugin in shelf.names(name) if name != "architectures"]


@pytest.mark.parametrize(("name", "plugin"), PLUGINS)
def test_every_plugin_offers_what_its_shelf_promises(name: str, plugin: str) -> None:
    assert_offers(shelf.load(name, plugin), PROMISED[name])


@pytest.mark.parametrize("plugin", shelf.names("formats"))
def test_a_format_that_does_not_refuse_int8_writes_it(plugin: str) -> None:
    module = shelf.load("formats", plugin)
    asked = replace(variant("null", 1.0), precision=Precision.INT8, quantization=module.SCHEME)
    assert hasattr(module, "write_int8") == (module.refuses(asked) == "")


@pytest.mark.slow
@pytest.mark.parametrize("plugin", shelf.names("architectures"))
def test_every_architecture_offers_what_its_shelf_promises(plugin: str) -> None:
    module = shelf.load("architectures", plugin)
    assert_offers(module, PROMISED["architectures"])
    assert shelf.literal("architectures", plugin, "CHANNELS") == module.CHANNELS


def assert_offers(module: ModuleType, promised: tuple[str, ...]) -> None:
    assert [name for name in promised if not hasattr(module, name)] == []
    assert module.__doc__


@pytest.mark.parametrize("name", PROMISED)
def test_every_shelf_has_a_null_plugin(name: str) -> None:
    assert "null" in shelf.names(name)


def test_an_unknown_name_says_what_there_is_and_what_was_meant() -> None:
    with pytest.raises(UnknownName) as caught:
        shelf.load("runtimes", "onnxruntim")
    known = "litert, null, onnxruntime, tflite_runtime, torch"
    assert str(caught.value) == f"no runtime 'onnxruntim' (has {known}); did you mean 'onnxruntime'?"


@pytest.mark.parametrize("name", shelf.names("runtimes"))
def test_every_word_of_a_runtime_that_means_something_is_one_that_it_can_be_told(name: str) -> None:
    runtime = shelf.load("runtimes", name)
    words = {word for group in runtime.OPTIONS for word in group}
    assert {*runtime.DEVICES, *runtime.SCHEMES} <= words
    assert set(runtime.DEVICES.values()) <= {"cpu", "cuda"}


@pytest.mark.parametrize("name", catalogue.targets())
def test_every_target_is_read_and_names_what_exists(name: str) -> None:
    target = catalogue.target(name)
    assert target.connection in shelf.names("connections")
    assert set(target.runtimes) <= set(shelf.names("runtimes"))


@pytest.mark.parametrize("name", ["default", "grid", "heavy"])
def test_every_shipped_sweep_names_what_exists(name: str) -> None:
    cells = list(sweeps.sweep(name).cells())
    assert {cell.model for cell in cells} <= set(shelf.names("architectures"))
    assert {RuntimeRequest.parse(cell.runtime).name for cell in cells} <= set(shelf.names("runtimes"))
    assert {cell.target for cell in cells} <= set(catalogue.targets())


def test_the_shipped_sweeps_have_the_size_they_are_named_for() -> None:
    assert len(list(sweeps.sweep("default").cells())) == 16
    assert len(list(sweeps.sweep("grid").cells())) == 2 * 38


def test_listing_every_shelf_imports_no_heavy_library() -> None:
    code = (
        "import sys; from edgebench import pipeline; from edgebench.cli import reader, terminal\n"
        "from edgebench.foundation import shelf\n"
        f"[shelf.names(name) for name in {list(PROMISED)}]\n"
        "print(*sorted({'torch', 'onnx', 'onnxruntime', 'pandas', 'numpy', 'sklearn'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""

"""Plug-ins of the user's own: where they are found, what is refused, and that they travel to a target."""

import sys
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from zipfile import ZipFile

import pytest

from edgebench.agent import measure
from edgebench.analysis import plugins
from edgebench.deploy.bundle import _own, bundle
from edgebench.deploy.targets import catalogue
from edgebench.foundation import outside, shelf
from edgebench.foundation.errors import InvalidPlugin, RequestError
from edgebench.foundation.progress import warn

NULL = (Path(measure.__file__).parent / "runtimes" / "null.py").read_text()


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder; the shelves know the user's plug-ins of no other test."""
    (working := tmp_path / "working").mkdir()
    monkeypatch.chdir(working)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setattr(outside, "_beside", [])
    warn.cache_clear()
    return working


def put(place: Path, name: str, text: str = NULL, folder: str = "runtimes") -> Path:
    path = place / "plugins" / folder / f"{name}.py"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_a_plugin_in_the_working_folder_is_named_before_it_runs(
    elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = put(elsewhere, "own_here", f'{NULL}\nprint("runs")\n')
    assert "own_here" in shelf.names("runtimes")
    assert shelf.files("runtimes") == {"own_here": path}
    assert shelf.literal("runtimes", "own_here", "FORMAT") == "null"
    assert capsys.readouterr() == ("", "")
    assert shelf.load("runtimes", "own_here").FORMAT == "null"
    assert capsys.readouterr() == ("runs\n", "edgebench: runs your own runtime plugins/runtimes/own_here.py\n")
    shelf.load("runtimes", "own_here")
    assert capsys.readouterr() == ("", "")


def test_a_plugin_beside_a_sweep_is_found_and_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = put(tmp_path / "elsewhere", "own_beside")
    outside.look_beside("default")
    assert "own_beside" not in shelf.names("runtimes")
    outside.look_beside(str(tmp_path / "elsewhere" / "sweep.toml"))
    shelf.load("runtimes", "own_beside")
    assert capsys.readouterr().err == f"edgebench: runs your own runtime {path}\n"


def test_a_plugin_in_the_configuration_folder_is_found_and_needs_no_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(tmp_path / "config" / "edgebench", "own_configured")
    shelf.load("runtimes", "own_configured")
    assert capsys.readouterr().err == ""


def test_a_plugin_of_an_installed_package_is_found_by_its_entry_point(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "shop_engine.py").write_text(NULL)
    (info := tmp_path / "shop-1.dist-info").mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: shop\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[edgebench.runtimes]\nshop = shop_engine\n")
    monkeypatch.syspath_prepend(tmp_path)
    outside.installed.cache_clear()
    shelf._with_those_in.cache_clear()
    try:
        assert version("shop") == "1"
        assert shelf.files("runtimes") == {"shop": tmp_path / "shop_engine.py"}
        assert shelf.load("runtimes", "shop").FORMAT == "null"
        assert "edgebench/agent/runtimes/shop.py" in _own()
    finally:
        monkeypatch.undo()
        outside.installed.cache_clear()
        shelf._with_those_in.cache_clear()


@pytest.mark.parametrize(("folder", "name"), [("runtimes", "litert"), ("architectures", "mlp"), ("reports", "html")])
def test_a_name_that_edgebench_has_is_refused(elsewhere: Path, folder: str, name: str) -> None:
    path = put(elsewhere, name, "", folder)
    with pytest.raises(InvalidPlugin, match=rf"called {name}, found another in {path.parent}; rename that one"):
        shelf.names(folder)


@pytest.mark.lengthy
def test_every_shelf_takes_plugins(elsewhere: Path) -> None:
    for name in shelf.SHELVES:
        path = put(elsewhere, "own_of_every", '"""Mine."""\n', name)
        assert "own_of_every" in shelf.names(name)
        assert shelf.module(name, "own_of_every") == str(path.with_suffix(""))
        with pytest.raises(InvalidPlugin, match=rf"^{path}: wanted .*, found no "):
            shelf.load(name, "own_of_every")


@pytest.mark.lengthy
def test_a_runtime_travels_under_the_hash_of_the_bundle_with_what_lies_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = bundle()[1]
    (elsewhere := tmp_path / "other").mkdir()
    monkeypatch.chdir(elsewhere)
    text = f"from edgebench.agent.runtimes._helper_of_mine import X\n{NULL}"
    put(elsewhere, "own_travels", text)
    put(elsewhere, "_helper_of_mine", "from edgebench.foundation.units import MIB\nX = MIB\n")
    assert "_helper_of_mine" not in shelf.names("runtimes")
    path, digest = bundle()
    with ZipFile(path) as archive:
        assert archive.read("edgebench/agent/runtimes/own_travels.py").decode() == text
        assert "edgebench/agent/runtimes/_helper_of_mine.py" in archive.namelist()
        assert "edgebench/foundation/units.py" in archive.namelist()
    assert digest != before
    assert "own_travels" in catalogue.target("rpi4").runtimes


def faults(path: Path) -> dict[str, str]:
    return {fault.field: fault.found for fault in plugins.check(path)}


@pytest.mark.parametrize(
    ("before", "after", "field", "found"),
    [
        ("WARMS_UP = False", "", "WARMS_UP", "none"),
        ("OPTIONS: tuple[tuple[str, ...], ...] = ()", "OPTIONS = []", "OPTIONS", "[], a list"),
        ("batch: int, options", "options", "open", "open("),
        ("def version()", "def version(of)", "version", "version(of)"),
        ('return "1"', "return 1", "version", "1"),
        ('FORMAT = "null"', 'FORMAT = "nul"', "FORMAT", "'nul'"),
        ("SCHEMES: dict[str, str] = {}", 'SCHEMES = {"x": "s8s8"}', "SCHEMES", "x"),
        ('NO_PROFILE = "the null runtime has no operators"', 'NO_PROFILE = ""', "profile", "neither"),
        ("self._answer * shape[0]", "self._answer", "infer", "3 values, a bytes"),
        ("return {}", "return {1: 2}", "facts", "{1: 2}"),
        ("import json", "import jason", "import", "No module named 'jason'"),
    ],
)
def test_a_runtime_that_does_not_meet_the_contract_is_told_the_field(
    elsewhere: Path, before: str, after: str, field: str, found: str
) -> None:
    assert before in NULL
    assert found in faults(put(elsewhere, "mine", NULL.replace(before, after)))[field]


def test_a_runtime_that_meets_the_contract_has_no_faults(elsewhere: Path) -> None:
    assert faults(put(elsewhere, "mine")) == {}
    assert "edgebench.agent.runtimes.mine" not in sys.modules


@pytest.mark.parametrize(
    ("name", "plugin"),
    [(name, item) for name in shelf.SHELVES for item in shelf.names(name) if name != "architectures"],
)
def test_every_plugin_of_edgebench_meets_its_contract(name: str, plugin: str) -> None:
    assert list(plugins._faults(name, shelf.load(name, plugin))) == []


@pytest.mark.lengthy
@pytest.mark.parametrize("name", ["onnxruntime", "openvino", "ncnn", "litert", "vela"])
def test_a_runtime_of_edgebench_runs_the_smallest_file_of_its_format(name: str) -> None:
    runtime = shelf.load("runtimes", name)
    pytest.importorskip(
        {"litert": "ai_edge_litert", "vela": "ethosu"}.get(name, name), reason=f"{name} is not installed"
    )
    assert list(plugins._of_runtime(runtime)) == []


def test_an_engine_that_changes_the_images_is_told() -> None:
    session = SimpleNamespace(run=lambda: None, infer=lambda data, *_: bytes(len(data)), facts=dict)
    (fault,) = plugins._of_session(session, "onnx")
    assert fault.field == "infer" and "the images unchanged" in fault.wanted


@pytest.mark.parametrize("path", ["plugins/runtimes/none.py", "plugins/engines/mine.py", "mine.py", "plugins/runtimes"])
def test_a_file_that_is_on_no_shelf_is_refused(elsewhere: Path, path: str) -> None:
    put(elsewhere, "mine", folder="engines")
    with pytest.raises(RequestError, match=r"^wanted the file of a plug-in in a folder called architectures, .* found"):
        plugins.check(Path(path))

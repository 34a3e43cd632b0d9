"""Imports only go down, and what travels to a target needs nothing that stays at home."""

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from edgebench.deploy import TRAVELS

PACKAGE = Path(__file__).parent.parent / "edgebench"
LINTER = Path(sys.executable).with_name("lint-imports")


def test_imports_only_go_down() -> None:
    done = subprocess.run([LINTER, "--no-cache"], cwd=PACKAGE.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def imported(path: Path) -> set[str]:
    """The modules of this package that a file names in its imports, by their first word below `edgebench`."""
    found = set[str]()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("edgebench."):
            found.add(node.module.split(".")[1])
        if isinstance(node, ast.ImportFrom) and node.module == "edgebench":
            found |= {alias.name for alias in node.names}
    return found


def test_what_travels_needs_nothing_that_stays() -> None:
    files = [file for name in TRAVELS for file in (PACKAGE / name).glob("*.py")]
    files += [PACKAGE / f"{name}.py" for name in TRAVELS if (PACKAGE / f"{name}.py").exists()]
    assert {word for file in files for word in imported(file)} <= set(TRAVELS)


@pytest.mark.parametrize("name", TRAVELS)
def test_what_travels_imports_third_party_libraries_only_inside_functions(name: str) -> None:
    if name == "architectures":  # imported by `build` alone, inside a function
        return
    place = PACKAGE / name
    for file in place.glob("*.py") if place.is_dir() else [place.with_suffix(".py")]:
        for node in ast.parse(file.read_text()).body:
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert {one.split(".")[0] for one in names} <= {"edgebench", *sys.stdlib_module_names}, file


def test_the_wheel_ships_targets_and_sweeps_and_runs_in_an_empty_directory(place: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    shutil.copytree(PACKAGE.parent, source, ignore=shutil.ignore_patterns(".*", "results", "tests", "__pycache__"))
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(source)]
    subprocess.run(build, capture_output=True, check=True)
    (wheel,) = tmp_path.glob("*.whl")
    unpacked = tmp_path / "unpacked"
    shutil.unpack_archive(wheel, unpacked, "zip")
    code = (
        f"import sys; sys.path.insert(0, {str(unpacked)!r})\n"
        "import edgebench; assert edgebench.__file__.startswith(sys.path[0])\n"
        "from edgebench import store\n"
        "print(store.target('cpu').board, len(list(store.sweep('grid').wanted())))\n"
        "from edgebench.reports import Table, html\n"
        "print(html.render(Table(title='t', rows=(), notes=())).splitlines()[0])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=place)
    assert done.stdout == "this machine 76\n<!doctype html>\n"

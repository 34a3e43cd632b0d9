"""Imports only go down, and what travels to a target needs nothing that stays at home."""

import ast
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterable
from pathlib import Path

import grimp
import pytest

from edgebench.cli.guide import pages
from edgebench.deploy.bundle import ROOTS, closure
from tests import ROOT

PACKAGE = ROOT / "edgebench"
TRAVELS = {"agent", "foundation", "images", "networks", "schema", "tasks"}
LINTER = Path(sys.executable).with_name("lint-imports")


@pytest.mark.lengthy
def test_imports_only_go_down() -> None:
    done = subprocess.run([LINTER, "--no-cache"], cwd=PACKAGE.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def modules(files: Iterable[Path]) -> set[str]:
    names = {".".join(("edgebench", *file.relative_to(PACKAGE).with_suffix("").parts)) for file in files}
    return {name.removesuffix(".__init__") for name in names}


@pytest.mark.lengthy
def test_the_bundle_is_the_import_closure_of_the_agent_and_holds_nothing_else() -> None:
    graph = grimp.build_graph("edgebench", exclude_type_checking_imports=True, cache_dir=None)
    roots = {one for root in ROOTS for one in (root, *graph.find_descendants(root))}
    wanted = roots.union(*(graph.find_upstream_modules(one) for one in roots))
    parents = {name.rsplit(".", count)[0] for name in wanted for count in range(1, name.count("."))}
    assert modules(closure()) == wanted | parents - {"edgebench"}
    assert {name.split(".")[1] for name in wanted} == TRAVELS


@pytest.mark.parametrize("file", closure(), ids=lambda file: str(file.relative_to(PACKAGE)))
def test_what_travels_imports_third_party_libraries_only_inside_functions(file: Path) -> None:
    if file.parent.name == "architectures":  # imported by `build` alone, inside a function
        return
    for node in ast.parse(file.read_text()).body:
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        assert {one.split(".")[0] for one in names} <= {"edgebench", *sys.stdlib_module_names}, file


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an sdist, and the wheel that is built of it and nothing else."""
    folder = tmp_path_factory.mktemp("release")
    build = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(PACKAGE.parent)]
    subprocess.run(build, capture_output=True, check=True)
    return folder


@pytest.mark.slow
def test_the_sdist_has_what_a_release_is_made_of_and_no_results(release: Path) -> None:
    (path,) = release.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        files = {name.partition("/")[2] for name in archive.getnames()}
    tops = {name.partition("/")[0] for name in files}
    assert {"targets/rpi4.toml", "edgebench/pipeline.py", "pyproject.toml", "README.md", "LICENSE"} <= files
    assert not {"results", "tests"} & tops
    assert path.stat().st_size < 6 * 2**20  # 5 MB of it are the bases of detectors


@pytest.mark.slow
def test_the_wheel_ships_targets_and_sweeps_and_runs_in_an_empty_directory(
    release: Path, place: Path, tmp_path: Path
) -> None:
    (wheel,) = release.glob("*.whl")
    unpacked = tmp_path / "unpacked"
    shutil.unpack_archive(wheel, unpacked, "zip")
    assert running(unpacked, place) == f"this machine 76\n{' '.join(pages())}\n<!doctype html>\n"


@pytest.mark.slow
def test_the_sdist_alone_runs_in_an_empty_directory(release: Path, place: Path, tmp_path: Path) -> None:
    (path,) = release.glob("*.tar.gz")
    shutil.unpack_archive(path, tmp_path / "unpacked", filter="data")
    (unpacked,) = (tmp_path / "unpacked").iterdir()
    assert running(unpacked, place) == f"this machine 76\n{' '.join(pages())}\n<!doctype html>\n"


def running(unpacked: Path, place: Path) -> str:
    """Print with the package of a folder what takes its targets, its sweeps and its templates."""
    code = (
        f"import sys; sys.path.insert(0, {str(unpacked)!r})\n"
        "import edgebench; assert edgebench.__file__.startswith(sys.path[0])\n"
        "from edgebench.deploy.targets import catalogue; from edgebench.measure.plan import sweeps\n"
        "print(catalogue.target('cpu').board, len(list(sweeps.sweep('grid').cells())))\n"
        "from edgebench.results.reports import html; from edgebench.results.table.row import Table\n"
        "from edgebench.cli import guide; print(*guide.pages())\n"
        "print(html.render(Table(title='t', rows=(), notes=())).splitlines()[0])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=place)
    return done.stdout

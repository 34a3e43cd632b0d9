"""The pages are run: their commands by this file, the README's two that start from nothing by `.ci/run`."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.util import find_spec
from itertools import chain
from pathlib import Path

import numpy
import pytest
import yaml
from packaging.requirements import Requirement
from typer.main import get_command

from edgebench import __version__, nightly
from edgebench.cli import app
from edgebench.deploy import emulation
from edgebench.nightly import history
from edgebench.results.journal import JOURNAL
from edgebench.results.measurement.verdict import Verdict
from tests import GOLDEN, ROOT
from tests.export.test_any_int8 import sequence, tokens
from tests.export.test_custom_onnx import NETS, write
from tests.hostile.graphs import node
from tests.hostile.test_any_model import F, save
from tests.nightly.test_nightly import SWEEP
from tests.support import annotated
from tests.support.command import cli
from tests.support.nights import history_with_a_regression

FILES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "edgebench").rglob("*.md"))]
PAGES = {str(file.relative_to(ROOT)): file.read_text() for file in FILES}
FIRST = PAGES["README.md"]
TABLE = FIRST.partition("<!-- first table -->")[2].partition("<!-- end -->")[0]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PYTHONS = re.findall(r"Python :: (3\.\d+)", " ".join(PROJECT["classifiers"]))
CONSTRAINTS = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
COLUMNS = [
    "target",
    "architecture",
    "width",
    "resolution",
    "precision",
    "quantization",
    "weights",
    "runtime",
    "runtime_version",
    "runtime_options",
    "runtime_packages",
    "preset",
    "threads",
    "batch",
    "params",
    "macs",
    "file_mib",
    "build_s",
    "export_s",
    "quantize_s",
    "measure_s",
    "load_ms",
    "first_ms",
    "p50_ms",
    "p50_low_ms",
    "p50_high_ms",
    "p90_ms",
    "kernel_ms",
    "transfer_ms",
    "speedup",
    "speedup_low",
    "speedup_high",
    "processes",
    "samples",
    "model_mib",
    "peak_mib",
    "device_peak_mib",
    "device_used_mib",
    "instructions_m",
    "lasted_s",
    "burst_ms",
    "sustained_ms",
    "hottest_c",
    "slowest_mhz",
    "top1",
    "top1_low",
    "top1_high",
    "top5",
    "top5_low",
    "top5_high",
    "images",
    "answered_by",
    "spot_images",
    "spot_difference",
    "dataset",
    "preprocessing",
    "parent_top1",
    "only_parent",
    "only_this",
    "mcnemar_p",
    "images_needed",
    "agreement",
    "sqnr_db",
    "integer_share",
    "worst_layer",
    "worst_layer_sqnr_db",
    "published_top1",
    "verdict",
    "reasons",
]


def blocks(language: str) -> list[str]:
    """Every block of a language on any page."""
    return [block for page in PAGES.values() for block in re.findall(rf"```{language}\n(.*?)```", page, re.DOTALL)]


def commands() -> list[str]:
    """Every `edgebench ...` line of the pages' console blocks, without its remark, each once."""
    lines = [line.removeprefix("$ ") for block in blocks("console") for line in block.splitlines()]
    return [*dict.fromkeys(line.split("  #")[0].rstrip() for line in lines if line.startswith("edgebench "))]


def test_the_pages_document_commands() -> None:
    assert len(commands()) >= 5


def test_a_command_that_a_page_mentions_exists() -> None:
    known = set(getattr(get_command(app), "commands", ()))
    mentioned = {name for page in PAGES.values() for name in re.findall(r"`edgebench ([a-z][a-z-]*)", page)}
    assert mentioned - known == set()


def draw_photos(folder: Path) -> None:
    """The images of a reader who has some to train on and some to test on."""
    from PIL import Image

    for part in ("train", "val"):
        for name, colour in (("cat", "black"), ("dog", "white")):
            (folder / part / name).mkdir(parents=True)
            for number in range(20):
                Image.new("RGB", (40 + number, 40), colour).save(folder / part / name / f"{number}.png")


def draw_inputs(place: Path) -> None:
    """The recorded inputs of a reader whose models take no images of a data set."""
    sequence(place).rename(place / "encoder.onnx")
    tokens(place)
    save(place / "backbone.onnx", [node("Sigmoid", ["x"], "y")], [("x", F, [1, 4])], [("y", F, [1, 4])])
    save(place / "head.onnx", [node("Softmax", ["y"], "z")], [("y", F, [1, 4])], [("z", F, [1, 4])])
    shape = {"rows": numpy.array([0, 14, 48], "i8")}
    made = [node("GlobalAveragePool", ["x"], "mean"), node("Expand", ["mean", "sides"], "wide")]
    made += [node("Reshape", ["wide", "rows"], "y")]
    shape["sides"] = numpy.array([1, 3, 14, 16], "i8")
    save(place / "yolo.onnx", made, [("x", F, ["n", 3, 64, 64])], [("y", F, ["n", 14, 48])], shape)
    (place / "annotated").mkdir()
    annotated.coco(place / "annotated", annotated.drawn(4))
    (place / "frames").mkdir()
    for number in range(40):
        numpy.save(place / "frames" / f"{number}.npy", numpy.full((1, 3, 48, 320), number / 40, "f4"))


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory, shared_cache: Path) -> Path:
    """Make a folder with all that the documented commands read: images, models, histories and results."""
    place = tmp_path_factory.mktemp("prepared")
    (sweep,) = (text for text in blocks("toml") if "[[models]]" in text)
    (place / "my.toml").write_text(sweep)
    draw_photos(place / "photos")
    write(place / "net.onnx", ("batch", 3, 64, 64))
    write(place / "detector.onnx", ("batch", 3, 48, 320))
    draw_inputs(place)
    (place / "nets.py").write_text(NETS)
    (place / "nightly.toml").write_text(SWEEP)
    for night in history_with_a_regression(20, "mobilenet_v1-0.25@96/fp32 onnxruntime cpu threads=1 batch=1").nights:
        history.write_night(place / "results" / "nightly", night)
    for name in ("default", "shard-1", "shard-2", "all"):
        (place / "results" / name).mkdir()
        (place / "results" / name / JOURNAL).write_bytes((GOLDEN / JOURNAL).read_bytes())
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        patch.setenv("EDGEBENCH_CACHE", str(shared_cache))
        patch.setenv("EDGEBENCH_LOCK", str(tmp_path_factory.mktemp("lock") / "lock"))
        assert cli("run", "--model", "net.onnx", "--precision", "fp32", "--preset", "quick", "--name", "mine").stdout
    return place


@pytest.mark.slow
@pytest.mark.parametrize("line", commands())
def test_a_documented_command_works(line: str, prepared: Path, place: Path) -> None:
    """As written; a `run` with --dry-run on top, so that only its request is met."""
    if "tflite_runtime" in line and not find_spec("tflite_runtime"):
        pytest.skip("needs tflite-runtime, which is for Linux and Python up to 3.11")
    if "rpi4_emulated" in line and (lacking := emulation.missing()):
        pytest.skip(f"needs {', '.join(lacking)}")
    arguments = shlex.split(line)[1:]
    shutil.copytree(prepared, place, dirs_exist_ok=True)
    dry = ["--dry-run"] if arguments[0] == "run" and "--dry-run" not in arguments else []
    done = cli(*arguments, *dry)
    was_busy = arguments[:2] == ["nightly", "nightly.toml"] and "waited for a core" in " ".join(done.stdout.split())
    assert done.returncode == (3 if was_busy else 0), done.stderr


def outputs() -> list[tuple[str, str]]:
    """The pages' `edgebench ...`: followed by a block of what it prints."""
    shown = (re.findall(r"`edgebench ([^`]*)`:\n\n```text\n(.*?)```", page, re.DOTALL) for page in PAGES.values())
    return [*chain(*shown)]


def test_the_pages_show_what_commands_print() -> None:
    assert {command.split()[0] for command, _ in outputs()} == {"choose", "compare", "lint"}
    assert len(outputs()) == len(blocks("text"))


@pytest.mark.lengthy
@pytest.mark.parametrize(("command", "shown"), outputs(), ids=lambda text: text.split()[0])
def test_what_a_page_shows_is_what_is_printed(command: str, shown: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    done = cli(*command.split())
    printed = done.stdout.splitlines()
    assert [line for line in shown.splitlines() if not any(one.startswith(line) for one in printed)] == []


@pytest.mark.lengthy
def test_the_documented_python_works(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    golden = place / "results" / "default"
    golden.mkdir(parents=True)
    (golden / JOURNAL).write_bytes((GOLDEN / JOURNAL).read_bytes())
    for night in history_with_a_regression(2, "mobilenet_v1-0.25@96/fp32 onnxruntime cpu threads=1 batch=1").nights:
        history.write_night(place / "results" / "nightly", night)
    for code in blocks("python"):
        exec(compile(code, "page", "exec"), {})
        assert "mobilenet" in capsys.readouterr().out


def test_the_documented_limits_are_read(place: Path) -> None:
    (limits,) = (text for text in blocks("toml") if "[[limits]]" in text)
    (place / "nightly.toml").write_text(SWEEP + limits)
    assert [limit.figure for limit in nightly.limits_of("nightly.toml").members] == ["peak memory", "", "p90"]


def cells(table: str) -> list[list[str]]:
    """A Markdown table's rows, the headings first; what marks the best row is left out."""
    lines = [line for line in table.splitlines() if line.startswith("| ") and "---" not in line]
    return [
        [cell.strip().replace("*", "").replace("\xa0", " ") for cell in line.strip("|").split("|")] for line in lines
    ]


def valid_rows() -> Iterator[tuple[str, ...]]:
    """The VALID rows of the results in this repository, in the columns of the README's first table."""
    for file in ROOT.glob("results/*/comparison.md"):
        for group in file.read_text().split("\n## ")[1:]:
            headings, *rows = cells(group)
            for row in (dict(zip(headings, row, strict=True)) for row in rows if Verdict.VALID.name in row):
                row = {heading: cell.rstrip("*") for heading, cell in row.items()}  # the best of a precision
                p50 = f"{row['p50 ms']} {row['[95 %] or (range)']}"
                accuracy = row.get("mAP %") or row["top-1 %"]
                yield row["network"], row["precision"], p50, accuracy, row["int8 x"], row["file MiB"]


def test_the_readmes_first_table_is_of_valid_rows_in_results() -> None:
    headings, *rows = cells(TABLE)
    assert (len(headings), len(rows)) == (6, 5)
    assert {tuple(row) for row in rows} <= set(valid_rows())


def test_the_readme_is_a_first_page() -> None:
    assert FIRST.count("\n") <= 200


def test_the_readmes_install_command_is_the_one_that_starts_from_nothing() -> None:
    from_nothing = [line for line in FIRST.splitlines() if re.match(r"python\S* -m venv ", line)]
    (install,) = re.findall(r"^\$ (pip install .*)$", FIRST, re.MULTILINE)
    assert len(from_nothing) == 2
    assert f"{install} " in from_nothing[0]


def test_the_readme_links_to_the_guide_of_every_station() -> None:
    (sentence,) = [line for line in FIRST.splitlines() if line.startswith("    schema -> ")]
    assert [name for name in re.findall(r"\w+", sentence) if f"[{name}](edgebench/{name}/README.md)" not in FIRST] == []


@pytest.mark.lengthy
@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd-analyze")
def test_the_documented_units_are_ones_that_systemd_takes(place: Path) -> None:
    (text,) = blocks("ini")
    units = dict(re.findall(r"# (edgebench\.\w+)\n(.*?)(?=\n# |\Z)", text, re.DOTALL))
    assert set(units) == {"edgebench.service", "edgebench.timer"}
    for name, unit in units.items():
        (place / name).write_text(unit.replace("%h/bench/.venv/bin/edgebench", sys.executable))
    done = subprocess.run(
        ["systemd-analyze", "verify", *map(str, sorted(units))], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("command", ["nightly", "gate"])
def test_a_documented_workflow_is_yaml_whose_step_bash_takes(command: str) -> None:
    workflows = {workflow["name"]: workflow for workflow in map(yaml.safe_load, blocks("yaml"))}
    *_, step = workflows[command]["jobs"][command]["steps"]
    assert f"edgebench {command} nightly.toml" in step["run"]
    assert subprocess.run(["bash", "-n"], input=step["run"], text=True, check=False).returncode == 0


@pytest.mark.lengthy
def test_the_documented_workflow_of_shards_is_yaml_and_runs_every_shard_by_commands_that_exist() -> None:
    workflow = next(workflow for workflow in map(yaml.safe_load, blocks("yaml")) if workflow["name"] == "shards")
    measure, merge = workflow["jobs"]["measure"], workflow["jobs"]["merge"]
    shards = measure["strategy"]["matrix"]["shard"]
    steps = [step["run"] for job in (measure, merge) for step in job["steps"] if "run" in step]
    lines = [line for step in steps for line in step.splitlines()]
    texts = {line.replace("${{ matrix.shard }}", str(shard)) for line in lines for shard in shards}
    requested = {word for text in texts for word in shlex.split(text) if re.fullmatch(r"\d+/\d+", word)}
    assert requested == {f"{shard}/{len(shards)}" for shard in shards}
    for text in texts:
        program, name, *arguments = shlex.split(text.partition(">>")[0])
        command = getattr(get_command(app), "commands", {})[name]
        assert program == "edgebench" and command.make_context(name, arguments).params
        assert subprocess.run(["bash", "-n"], input=text, text=True, check=False).returncode == 0


def test_every_column_is_documented() -> None:
    assert [name for name in COLUMNS if f"`{name}`" not in PAGES["edgebench/results/README.md"]] == []


def test_every_exit_code_is_documented() -> None:
    assert all(f"\n| {code} |" in PAGES["edgebench/cli/README.md"] for code in (0, 1, 2, 3, 129, 130, 143))


def test_constraints_pin_every_dependency() -> None:
    wanted = [*PROJECT["dependencies"], *chain(*PROJECT["optional-dependencies"].values())]
    names = {Requirement(line).name for line in wanted} - {PROJECT["name"]}
    pinned = {Requirement(line).name for line in CONSTRAINTS}
    assert {canonical(name) for name in names} <= {canonical(name) for name in pinned}


@pytest.mark.parametrize("platform", ["linux", "darwin"])
@pytest.mark.parametrize("python", PYTHONS)
def test_constraints_pin_what_the_project_asks_for_on_every_python_it_names(python: str, platform: str) -> None:
    """Exactly one version of each; tflite-runtime, where it is, goes with numpy 1."""
    machine = {"python_version": python, "sys_platform": platform}
    pins = {line.name: line for line in map(Requirement, CONSTRAINTS) if applies(line, machine)}
    assert len(pins) == sum(applies(line, machine) for line in map(Requirement, CONSTRAINTS))
    wanted = [line for line in map(Requirement, PROJECT["dependencies"]) if applies(line, machine)]
    for line in wanted:
        (pin,) = next(one for name, one in pins.items() if canonical(name) == canonical(line.name)).specifier
        assert line.specifier.contains(pin.version), line
    has_tflite_runtime = "tflite-runtime" in {line.name for line in wanted}
    assert (
        has_tflite_runtime == (pins["numpy"].specifier.contains("1.26.4")) == ((python, platform) == ("3.11", "linux"))
    )


def applies(line: Requirement, machine: dict[str, str]) -> bool:
    return line.marker is None or line.marker.evaluate(machine)


def test_the_commands_that_start_from_nothing_start_with_python3_and_the_readme_says_which() -> None:
    commands = re.findall(r"^python3 -m venv .*", FIRST, re.MULTILINE)
    assert len(commands) == 2
    assert f"with Python {PYTHONS[0]} to {PYTHONS[-1]}:" in FIRST
    assert f"less than {PYTHONS[0]} or more than {PYTHONS[-1]}" in FIRST
    assert f">={PYTHONS[0]}" == PROJECT["requires-python"]


def canonical(name: str) -> str:
    return name.lower().replace("_", "-")


def test_the_changelog_knows_this_version() -> None:
    assert f"## {__version__}" in (ROOT / "CHANGELOG.md").read_text()


def test_a_citation_names_this_version_and_no_person() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert (citation["title"], citation["version"]) == (PROJECT["name"], __version__)
    assert citation["license"] == PROJECT["license"]
    assert citation["authors"] == [{"name": "The edgebench developers"}]


@pytest.mark.parametrize("kind", ["bug", "feature"])
def test_an_issue_asks_for_what_the_doctor_says(kind: str) -> None:
    template = (ROOT / ".github" / "ISSUE_TEMPLATE" / f"{kind}.md").read_text()
    assert set(yaml.safe_load(template.split("---")[1])) == {"name", "about", "labels"}
    assert "edgebench doctor" in template


def kept() -> list[str]:
    """Every file of the repository."""
    return subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()


@pytest.mark.lengthy
def test_no_file_names_a_machine_path() -> None:
    texts = [ROOT / name for name in kept() if name.endswith((".md", ".toml", ".py", ".txt", ".jsonl", ".csv"))]
    assert [str(path) for path in texts if f"{ROOT.parent}/" in path.read_text()] == []


@pytest.mark.parametrize("page", [*PAGES, "CHANGELOG.md", "SECURITY.md"])
def test_what_a_page_links_to_is_in_the_repository(page: str) -> None:
    linked, files = re.findall(r"\]\((?!\w+:|#)([^)#\s]+)", (ROOT / page).read_text()), kept()
    places = {link: os.path.relpath((ROOT / page).parent / link, ROOT) for link in linked}
    assert [link for link, place in places.items() if place not in files] == []

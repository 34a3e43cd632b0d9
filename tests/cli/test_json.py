"""Every command that prints JSON prints one document, of plain values under documented keys."""

import csv
import json
import re
import shutil
from collections.abc import Iterator, Mapping
from io import StringIO
from math import inf, isfinite, nan
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from edgebench.analysis import evaluate, published
from edgebench.cli import app
from edgebench.cli.guide import pages
from edgebench.foundation import cache
from edgebench.foundation.sheet import as_json, document
from edgebench.results.table.choice import Quantity
from edgebench.results.table.columns import COLUMNS
from edgebench.schema.cards import Weights
from tests import ROOT
from tests.analysis.test_evaluate import ANSWERED, CARD
from tests.conftest import make_cache
from tests.deploy.test_targets import needs_ssh
from tests.support.board import board
from tests.support.command import cli
from tests.test_pipeline import NULL, SMALL

RESULTS = ROOT / "results"
MODELS = ROOT / "tests" / "hostile" / "data"
LATENCIES = ROOT / "edgebench" / "networks" / "published" / "latency.csv"
RUNTIME = ROOT / "edgebench" / "agent" / "runtimes" / "null.py"
MADE = ("mobilenet_v1-0.25@32/int8", "results/small:mobilenet_v1-0.25@32/int8")  # by `made`
RUN_NULL = ("run", "--target", "null", "--preset", "quick", *NULL)
CASES: dict[
    str, list[tuple[str, ...]]
] = {  # what to run of each command; more than one where its document has more than one shape
    "run": [(*RUN_NULL,), (*RUN_NULL, "--dry-run"), ("run", *SMALL, "--sustained", "1s", "--precision", "fp32")],
    "train": [("train", "--model", "lenet5", "--resolution", "32", "--epochs", "1")],
    "weights": [("weights",)],
    "report": [("report", "small"), ("report", "schemes")],
    "describe": [
        ("describe", "vgg16"),
        ("describe", "mobilenet_v1", "--width", "0.5"),
        ("describe", "--all"),
    ],
    "inspect": [("inspect", str(MODELS / "qcdq.onnx")), ("inspect", str(MODELS / "unit.tflite"))],
    "evaluate": [("evaluate", MADE[0])],
    "choose": [
        ("choose", "small", "--max-p90", "700us", "--min-agreement", "90"),
        ("choose", "small", "--max-p90", "100us"),
        ("choose", "small", "--objective", "latency", "--min-top1", "97"),
        ("choose", "--published", "rpi4", "--max-latency", "20ms", "--max-macs", "300M"),
    ],
    "compare": [("compare", "small", "schemes"), ("compare", "small", "--published")],
    "predict": [("predict", "grid", "--width", "0.6")],
    "why": [("why", "small:mobilenet_v1-0.25@64/int8", "small:mobilenet_v1-0.25@64/fp32"), ("why", MADE[1])],
    "lint": [("lint", "small"), ("lint", str(LATENCIES))],
    "published": [("published",), ("published", "--target", "rpi4")],
    "doctor": [("doctor",)],
    "cache": [("cache",), ("cache", "weights", "--max", "1GiB"), ("cache", "pixels", "--clear")],
    "targets": [("targets",)],
    "targets check": [("targets", "check", "cpu"), ("targets", "check", "null")],
    "targets prepare": [],  # needs a board: below
    "gate": [],  # needs a repository: tests/nightly/test_gate.py
    "nightly bisect": [],  # needs versions or commits: tests/nightly/test_bisect.py
    "nightly run": [("nightly", "run", "null.toml")],
    "nightly report": [("nightly", "report", "unchanged")],
    "plugins": [("plugins",)],
    "plugins check": [("plugins", "check", str(RUNTIME)), ("plugins", "check", "runtimes/lacking.py")],
    "nightly replay": [("nightly", "replay", "nights")],
}
FOLDERS = {"small": "x86_vm", "schemes": "x86_vm_int8", "grid": "epyc_vm_grid", "nights": "epyc_vm_nights"}
FOLDERS |= {"unchanged": "epyc_vm_unchanged"}
NIGHT = """targets = ["null"]\nruntimes = ["null"]\nprecisions = ["fp32"]\nresolutions = [1]\nweights = "none"
dataset = "null"\npreset = "quick"\n[[models]]\nname = "null"\n[[limits]]\nfigure = "latency"\nbudget = "1 us"\n"""
SLOW = ("run", "train", "evaluate", "predict", "why", "nightly replay", "nightly run", "doctor")  # need torch, or time
LENGTHY = ("describe", "targets check", "compare")
WORDS_ALONE = {"before", "after", "this", "other", "version", "runtime_version"}  # even where they look like numbers


def leaves(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Every command by its words, groups that answer by themselves among them."""
    yield " ".join(path), command
    for name, inner in getattr(command, "commands", {}).items():
        yield from leaves(inner, (*path, name))


def options(command: Any) -> list[str]:
    """The options by which a command prints JSON."""
    named = {option.name: option for option in command.params}
    found = ["--json"] if "json" in named else []
    format = named.get("format")
    return [*found, "--format=json"] if format and "json" in getattr(format, "help", "") else found


PRINTS_JSON = {name: way for name, command in leaves(get_command(app)) if (way := options(command))}


def runs() -> Iterator[Any]:
    for name, ways in PRINTS_JSON.items():
        for arguments in CASES[name]:
            for way in ways:
                marks = [pytest.mark.slow] if name in SLOW else [pytest.mark.lengthy] if name in LENGTHY else []
                yield pytest.param(
                    name, (*arguments, way), marks=marks, id=f"{name} {' '.join(arguments[1:])} {way}"[:60]
                )


def documented(command: str) -> set[str]:
    """The keys that the page has of a command, and of every command."""
    every, *sections = pages()["json"].read_text().split("\n## ")
    (section,) = (section for section in sections if command in section.splitlines()[0].split(", "))
    return {*re.findall(r"`(\w+)`", every), *re.findall(r"`(\w+)`", section)}


def objects(value: object) -> Iterator[Mapping[str, Any]]:
    """Every object of a document; what is neither an object, a list nor a plain value fails."""
    assert value is None or isinstance(value, (str, int, float, bool, list, dict))
    assert not isinstance(value, float) or isfinite(value)
    if isinstance(value, dict):
        yield value
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from objects(part)


def columns(value: object) -> Iterator[tuple[str, list[object]]]:
    """Every key of every list of objects, with its values from top to bottom."""
    for found in objects(value):
        for rows in (part for part in found.values() if isinstance(part, list)):
            records = [row for row in rows if isinstance(row, dict)]
            for key in dict.fromkeys(key for record in records for key in record):
                yield key, [record[key] for record in records if record.get(key) is not None]


def looks_like_a_number(value: object) -> bool:
    try:
        return isinstance(value, str) and isfinite(float(value))
    except ValueError:
        return False


def one_document(command: str, printed: str) -> dict[str, Any]:
    """Read what was printed as the one document that it must be, and check all that holds of every document."""
    answer: dict[str, Any] = json.loads(printed, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert (answer["version"], answer["command"]) == (1, command)
    assert {key for found in objects(answer) for key in found} - documented(command) == set()
    assert [key for found in objects(answer) for key in found if not re.fullmatch(r"[a-z][a-z0-9_]*", key)] == []
    for key, values in columns(answer):
        kinds = {"number" if isinstance(value, (int, float)) else type(value).__name__ for value in values}
        assert len(kinds) <= 1, f"{key} is of {kinds}"
        assert key in WORDS_ALONE or not any(map(looks_like_a_number, values)), f"{key} has numbers as words"
    return answer


@pytest.fixture(scope="module")
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache of this file's own: what other files make answers to the same names."""
    return make_cache(tmp_path_factory, "documents")


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory, shared_cache: Path) -> Path:
    """Measure a small network once; its artifacts are in the cache of this file."""
    place = tmp_path_factory.mktemp("measured")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        for name, value in (("EDGEBENCH_CACHE", shared_cache), ("EDGEBENCH_LOCK", place / "lock")):
            patch.setenv(name, str(value))
        assert cli("run", *SMALL, "--name", "small").returncode == 0
    return place / "results" / "small"


@pytest.fixture
def made(request: pytest.FixtureRequest, place: Path) -> None:
    """What the commands read: folders of results, weights in the cache; and a measured file, where torch may run."""
    for name, folder in FOLDERS.items():
        shutil.copytree(RESULTS / folder, place / name)
    (place / "runtimes").mkdir()
    (place / "runtimes" / "lacking.py").write_text(RUNTIME.read_text().replace("WARMS_UP", "WARM"))
    card = Weights(file="net.pt", sha256="a" * 64, dataset="", recipe="given", classes=10, top1=0.0, images=0)
    cache.put("net", card)
    (place / "null.toml").write_text(NIGHT)
    command = request.node.callspec.params["command"]
    if command in ("evaluate", "why") and "slow" in request.keywords:
        shutil.copytree(request.getfixturevalue("measured"), place / "results" / "small")
    if command == "doctor":
        request.getfixturevalue("tried_once")


def test_every_command_that_prints_json_is_run_here() -> None:
    assert set(PRINTS_JSON) == set(CASES)


@pytest.mark.parametrize(("command", "arguments"), [*runs()])
def test_a_command_prints_one_document_of_plain_values_under_documented_keys(
    command: str, arguments: tuple[str, ...], made: None
) -> None:
    quiet = ["--quiet"] if command in ("run", "train", "evaluate", "why", "nightly run") else []
    done = cli(*arguments, *quiet)
    codes = (0, 1, 3) if command == "nightly run" else (0, 1)  # 3 if the machine was too busy to measure
    assert (done.returncode in codes, done.stderr) == (True, "")
    assert done.stdout.count("\n") == 1
    one_document(command, done.stdout)


@needs_ssh
@pytest.mark.slow
def test_what_was_brought_to_a_board_is_one_document(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with board(tmp_path / "board") as there:
        Path("targets").mkdir()
        text = f'board = "here"\nconnection = "ssh"\nruntimes = ["onnxruntime"]\npython = "{there.python}"\n'
        Path("targets/loop.toml").write_text(text)
        monkeypatch.setenv("PATH", f"{there.folder}/bin", prepend=":")
        asked = ("--runtime", "onnxruntime==1.31.0", "--quiet", "--format", "json")
        done = cli("targets", "prepare", "loop", "--address", there.address, *asked)
    assert done.stderr == f"edgebench: targets/loop.toml in this folder runs {there.python} as its Python\n"
    (brought,) = one_document("targets prepare", done.stdout)["rows"]
    assert (brought["runtime"], brought["version"]) == ("onnxruntime", "1.31.0")


def test_all_that_is_known_of_an_int8_file_is_documented() -> None:
    answer = one_document("evaluate", as_json("evaluate", document(evaluate.sheets(CARD, ANSWERED))))
    assert answer["parent"][0]["images_needed"] == 32963
    assert [row["sqnr_db"] for row in answer["layers"]] == [20.0, 38.0, None]


@pytest.mark.parametrize("quantity", Quantity)
def test_every_quantity_of_a_choice_is_documented(quantity: Quantity) -> None:
    assert any(key.startswith(f"{quantity}_") for key in documented("choose"))


@pytest.mark.parametrize("command", ["run", "report"])
def test_rows_have_the_columns_of_the_csv_file(command: str) -> None:
    assert set(COLUMNS) - documented(command) == set()


@pytest.mark.parametrize("value", [nan, inf, -inf])
def test_what_is_not_finite_is_null(value: float) -> None:
    answer = json.loads(as_json("x", {"rows": [{"p50_ms": value}], "limit": value}))
    assert answer == {"version": 1, "command": "x", "rows": [{"p50_ms": None}], "limit": None}


MOBILENET = ("describe", "mobilenet_v1", "--width", "0.5")


@pytest.mark.parametrize("table", ["", "layers", "separable_pairs", "multipliers"])
def test_csv_is_one_table_the_first_or_the_one_that_is_named(table: str) -> None:
    printed = cli(*MOBILENET, "--format", "csv", "--table", table).stdout
    answer = json.loads(cli(*MOBILENET, "--format", "json").stdout)
    rows = list(csv.DictReader(StringIO(printed)))
    assert [[*row] for row in rows] == [[*record] for record in answer[table or "layers"]]
    assert [row["macs"] for row in rows if "macs" in row] == [
        str(record["macs"]) for record in answer[table or "layers"] if "macs" in record
    ]


def test_a_table_that_a_command_has_not_is_refused_with_those_that_it_has() -> None:
    done = cli(*MOBILENET, "--format", "csv", "--table", "layer")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert (
        "no table 'layer' (has layers, separable_pairs, multipliers, fields, memory, sharing); did you mean"
        in done.stderr
    )


def test_one_table_alone_is_shown_in_every_format() -> None:
    done = cli("published", "--table", "quantization", "--format", "md")
    assert done.stdout.count("\n## ") == 0
    assert done.stdout.startswith(f"## {published.TITLES['quantization']}")
    answer = json.loads(cli("published", "--table", "quantization", "--format", "json").stdout)
    assert [*answer] == ["version", "command", "title", "quantization", "notes"]


@pytest.mark.parametrize("command", [("evaluate", "nothing"), ("why", "nothing")])
def test_a_table_that_cannot_be_is_refused_before_anything_runs(command: tuple[str, ...]) -> None:
    done = cli(*command, "--table", "layrs")
    assert (done.returncode, done.stdout, done.stderr.partition(" 'layrs'")[0]) == (2, "", "edgebench: no table")


def test_totals_are_for_people() -> None:
    answer = json.loads(cli("describe", "lenet5", "--format", "json").stdout)
    assert "total" not in {row["layer"] for row in answer["layers"]}
    assert "| total " in cli("describe", "lenet5", "--format", "md").stdout
    assert sum(row["params"] for row in answer["layers"]) == 61706

"""Tables on narrow terminals: nothing wider than the terminal, nothing cut, rows distinct, what was asked for kept."""

import re
from importlib.util import find_spec
from pathlib import Path
from shutil import copytree
from typing import Any
from unittest.mock import patch

import pytest
from typer.main import get_command

from edgebench.cli import app, layout, terminal
from edgebench.foundation.sheet import IDENTITY, OBJECTIVE, Column, FormattedColumn, Sheet
from edgebench.nightly.bisect import report
from edgebench.results.table.row import Table
from tests import GOLDEN, ROOT
from tests.cli.test_json import RUNTIME, leaves
from tests.hostile import graphs
from tests.nightly.test_bisect import walk
from tests.support.command import cli

WIDTHS = (60, 80, 100, 120, 200)
COMMANDS = (
    ("report", str(GOLDEN)),
    ("report", str(ROOT / "results" / "three_ways")),  # with rows of an emulated board
    ("choose", str(GOLDEN), "--max-p90", "50ms"),
    ("choose", "--published", "rpi4", "--max-latency", "20ms", "--min-top1", "60"),
    ("compare", str(GOLDEN), str(GOLDEN)),
    ("compare", str(GOLDEN), "--published"),
    ("lint", str(GOLDEN)),
    ("published",),
    ("describe", "vgg16"),
    ("describe", "--all"),
    ("predict", str(ROOT / "results" / "x86_vm"), "grid"),
    ("targets",),
    ("targets", "check", "null"),
    ("plugins",),
    ("cache",),
    ("weights",),
)


@pytest.fixture(scope="module")
def sheets(tmp_path_factory: pytest.TempPathFactory) -> list[Sheet]:
    """Return every sheet that the commands print; each command runs once."""
    printed, lock = list[Sheet](), str(tmp_path_factory.mktemp("lock") / "lock")  # not that of this machine
    with patch.object(terminal, "_print", lambda sheet, *_: printed.append(sheet)):
        for command in COMMANDS:
            if command[0] != "predict" or find_spec("torch"):  # it plans files that torch writes
                assert cli(*command, EDGEBENCH_LOCK=lock).returncode in (0, 1), command
    return [*printed, report.sheet(walk(".x.++?", every=True))]


NULL = ("--model", "null", "--runtime", "null", "--dataset", "null", "--weights", "none", "--preset", "quick")
# Commands that measure, train or open files in other processes, in the order in which they can run.
LONG = (
    ("run", "--target", "null", "--name", "null", *NULL),
    ("run", "--model", "lenet5", "--preset", "quick", "--weights", "random", "--name", "lenet"),
    ("run", "--model", "lenet5", "--dry-run"),
    ("evaluate", "results/lenet:int8"),
    ("why", "results/lenet:int8"),
    ("take", "results/lenet:int8", "taken"),
    ("inspect", "net.onnx"),
    ("nightly", "report", "results/nights"),
    ("nightly", "replay", "results/nights"),
    ("datasets", "show", "digits"),
    ("doctor",),
    ("plugins", "check", str(RUNTIME)),
)


NO_TABLE = {  # what commands print that no test here lays out
    "train": "the table of `weights`",
    "gate": "a comment in Markdown, for a forge",
    "guide": "a page; tests/cli/test_guide.py has the width of the list",
    "cluster worker": "progress only",
    "nightly run": "the table of `nightly report`",
    "nightly bisect": "its table is one of `sheets`, because a walk takes long",
    **dict.fromkeys(("nightly accept", "nightly ack", "nightly assign", "nightly invalid"), "the names it applies to"),
    **dict.fromkeys(("figures", "repair", "merge", "nightly export"), "the paths that it wrote"),
    "targets prepare": "the table of `targets check`, for a board",
    "export-script": "a script",
}


def test_every_command_is_laid_out_here_or_prints_no_table() -> None:
    names = {name for name, command in leaves(get_command(app)) if name and not is_only_a_group(command)}
    words = [(" ".join(command[:2]), command[0]) for command in (*COMMANDS, *LONG)]
    laid_out = {next(name for name in candidates if name in names) for candidates in words}
    assert names - laid_out == set(NO_TABLE)


def is_only_a_group(command: Any) -> bool:
    """Whether a command, such as `nightly`, only has other commands."""
    return bool(getattr(command, "commands", {})) and not command.invoke_without_command


@pytest.mark.slow
@pytest.mark.usefixtures("tried_once")
def test_the_commands_that_take_long_fit_every_width_too(place: Path) -> None:
    ends = [graphs.node("GlobalAveragePool", ["features"], "pooled"), graphs.node("Flatten", ["pooled"], "scores")]
    nodes = [graphs.node("Conv", ["image", "w"], "features"), *ends]
    graphs.write(place / "net.onnx", nodes, {"w": graphs.floats(10, 3, 3, 3)}, shape=(1, 3, 96, 96), classes=10)
    copytree(ROOT / "results" / "epyc_vm_nights", place / "results" / "nights")
    printed, really = list[Sheet](), terminal._print

    def printing(sheet: Sheet, *more: Any) -> None:
        printed.append(sheet)
        really(sheet, *more)

    with patch.object(terminal, "_print", printing):
        for command in LONG:
            done = cli(*command, COLUMNS="60")
            assert done.returncode in (0, 1), (command, done.stderr)
            assert max(map(layout.cells, done.stdout.splitlines()), default=0) <= 60, command
    for width in WIDTHS:
        test_no_line_of_any_command_is_wider_than_the_terminal(printed, width)
        test_no_figure_and_no_name_of_any_command_is_cut(printed, width)
        test_rows_that_differ_look_different_and_what_was_asked_for_is_shown(printed, width)


def laid_out(sheet: Sheet, width: int) -> layout.Laid:
    return layout.lay_out([terminal._shown(column) for column in sheet.columns], width)


@pytest.mark.lengthy
@pytest.mark.parametrize("width", WIDTHS)
def test_no_line_of_any_command_is_wider_than_the_terminal(sheets: list[Sheet], width: int) -> None:
    for sheet in sheets:
        assert max(map(layout.cells, laid_out(sheet, width).lines)) <= width, sheet.title


@pytest.mark.lengthy
@pytest.mark.parametrize("width", WIDTHS)
def test_no_figure_and_no_name_of_any_command_is_cut(sheets: list[Sheet], width: int) -> None:
    """Each cell that the table is about stands whole in it, or above it; only intervals may be left out."""
    for sheet in sheets:
        laid = laid_out(sheet, width)
        words = set(re.findall(r"[^\s,.]+(?:[.,][^\s,.]+)*", " ".join((laid.above, *laid.lines))))
        for column in sheet.columns:
            if column.rank > OBJECTIVE or column.heading in laid.left_out:
                continue
            for cell in column.cells:
                figure = re.sub(r" [\[(][^\])]*[\])]", "", cell) if column.heading in laid.without_intervals else cell
                missing = {*re.findall(r"[^\s,.]+(?:[.,][^\s,.]+)*", figure)} - words - {"-"}
                assert not missing, (sheet.title, column.heading, cell)


@pytest.mark.lengthy
@pytest.mark.parametrize("width", WIDTHS)
def test_rows_that_differ_look_different_and_what_was_asked_for_is_shown(sheets: list[Sheet], width: int) -> None:
    for sheet in sheets:
        laid = laid_out(sheet, width)
        for column in sheet.columns:
            assert column.rank > OBJECTIVE or column.heading not in laid.left_out, (sheet.title, column.heading)
        assert not any("…" in line for line in laid.lines)
        identity = [column.cells for column in sheet.columns if column.rank <= IDENTITY]
        names = [*zip(*identity, strict=True)] if identity else []
        if len(set(names)) == len(names) and len(names) > 1:
            text = " ".join(" ".join(laid.lines).split())
            assert len({line for line in laid.lines if line.strip()}) >= len(names), text[:500]


def columns(**cells: tuple[str, ...]) -> list[FormattedColumn]:
    """Return columns by name: `name_` identifies, `asked` is the objective, all others are details in their order."""
    ranks = {"name": IDENTITY, "asked": OBJECTIVE}
    return [
        FormattedColumn(
            heading=heading, cells=texts, align="left" if heading in ("name", "prose") else "right",
            rank=ranks.get(heading, place + 2),
        )
        for place, (heading, texts) in enumerate(cells.items())
    ]  # fmt: skip


def test_a_constant_is_said_once_above_and_an_empty_column_goes_first() -> None:
    given = columns(name=("a", "b"), asked=("1.25", "2.50"), same=("7", "7"), none=("-", "-"))
    laid = layout.lay_out(given, 14)
    assert laid.above == "In all rows: same 7."
    assert laid.left_out == ()
    assert [line.split() for line in laid.lines if "─" not in line] == [["name", "asked"], ["a", "1.25"], ["b", "2.50"]]


def test_the_least_ranked_column_goes_next_and_is_named() -> None:
    given = columns(name=("a", "b"), asked=("1", "2"), near=("3", "4"), far=("5", "6"))
    assert layout.lay_out(given, 18).left_out == ("far",)
    assert layout.lay_out(given, 12).left_out == ("near", "far")


def test_an_interval_goes_before_a_figure_does() -> None:
    given = columns(name=("a", "b"), asked=("1.5 [1.2, 1.9]*", "2.5 [2.2, 2.9] "))
    assert layout.lay_out(given, 40).without_intervals == ()
    laid = layout.lay_out(given, 12)
    assert laid.without_intervals == ("asked",)
    assert laid.lines[-2:] == ("a      1.5*", "b      2.5 ")


def test_rows_of_equal_names_are_told_apart_by_the_next_setting() -> None:
    given = columns(name=("net", "net"), asked=("1.5", "1.5"), figure=("0.25", "0.75"), threads=("1", "4"))
    laid = layout.lay_out(given, 13)
    assert "figure" in laid.left_out and "threads" not in laid.left_out
    assert len(set(laid.lines)) == len(laid.lines)


def test_prose_wraps_and_a_long_name_stands_above_its_figures() -> None:
    wrapped = layout.lay_out([
        FormattedColumn(heading="name", cells=("a", "b"), align="left", rank=IDENTITY),
        FormattedColumn(heading="what", cells=("one two three four five six", "seven"), align="left", rank=OBJECTIVE),
    ], 24)  # fmt: skip
    assert wrapped.lines[2:] == ("a     one two three four", "      five six          ", "b     seven             ")
    stacked = layout.lay_out(columns(name=("a long name", "another name"), asked=("1.25", "2.50")), 14)
    assert [*map(str.strip, stacked.lines)] == ["name", "asked", "─────", "a long name", "1.25", "another name", "2.50"]


def test_a_single_row_that_does_not_fit_is_a_block_with_all_it_has() -> None:
    laid = layout.lay_out(columns(name=("net",), asked=("1.25",), more=("7",), none=("-",)), 12)
    assert laid.lines == ("net", "  asked  1.25", "  more   7") or all(len(line) <= 12 for line in laid.lines)
    assert {"net", "1.25", "7"} <= set(" ".join(laid.lines).split())


@pytest.mark.lengthy
@pytest.mark.parametrize("width", [80, 120])
def test_what_is_left_out_is_said_with_the_command_that_shows_it(width: int) -> None:
    done = cli("report", str(GOLDEN), COLUMNS=str(width))
    said = " ".join(done.stdout.split())
    assert f"Left out at a width of {width}: " in said
    assert f"`COLUMNS=1000 edgebench report {GOLDEN} | less -S` shows them." in said
    assert max(map(len, done.stdout.splitlines())) <= width


def test_columns_of_a_sheet_keep_their_order() -> None:
    ranks = {"a": 4, "b": 0, "c": 3, "d": 1}
    numbers = tuple(Column[int].figure(name, lambda item: item, rank=rank) for name, rank in ranks.items())
    laid = layout.lay_out(Sheet.of("t", numbers, range(100, 103)).columns, 13)
    assert laid.lines[0].split() == ["b", "c", "d"]


def test_a_run_that_ended_before_its_first_process_names_no_page(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.show_table(Table(title="mine", rows=(), notes=()))
    assert capsys.readouterr().out.strip() == "Nothing was measured, so there is no table and no page."

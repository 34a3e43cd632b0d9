"""Slips of hand in tables, sweeps and options are said in one line; none is read as something else."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgebench.analysis import lint
from edgebench.analysis.lint import dialect
from edgebench.analysis.lint.reading import MOST_CHARACTERS
from tests.support.command import cli

HEADING = "architecture,width,resolution,precision,p50_ms,top1"
ROW = "net,1,128,fp32,10,60"


def table(place: Path, *lines: str) -> Path:
    path = place / "t.csv"
    path.write_text("\n".join([*lines, ""]))
    return path


def refused(*words: str) -> str:
    """Run a command that cannot be met; return its one line."""
    done = cli(*words)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert not done.stdout
    return str(done.stderr)


@pytest.mark.parametrize("row", ["net,0.5,128,fp32,9,5,60", "net,0,5,128,fp32,9,60", "net,0.5,128,fp32", "net"])
def test_a_row_whose_cells_are_not_those_of_the_heading_is_left_out_and_named(row: str, place: Path) -> None:
    (finding,) = lint.review(table(place, HEADING, ROW, row), "").findings
    assert (finding.rule, finding.lines) == ("cells", (3,))


@pytest.mark.parametrize("row", [f"{ROW},", f"{ROW},,,", "net,1,128,fp32,10,"])
def test_empty_cells_at_the_end_are_no_slip(row: str, place: Path) -> None:
    review = lint.review(table(place, HEADING, row), "")
    assert (review.rows, review.findings) == (1, ())


@pytest.mark.parametrize(("name", "columns"), [("p50_ms", ""), ("width", ""), ("ms", "p50_ms=ms")])
def test_a_column_that_is_there_twice_is_refused(name: str, columns: str, place: Path) -> None:
    heading = HEADING.replace("p50_ms", name) if columns else HEADING
    path = table(place, f"{heading},{name}", f"{ROW},5")
    assert f"one column {name}, found 2" in refused("lint", str(path), "--columns", columns)


def test_a_column_that_nobody_reads_may_be_there_twice(place: Path) -> None:
    assert not lint.review(table(place, f"{HEADING},note,note", f"{ROW},a,b"), "").findings


@pytest.mark.parametrize("cell", ["1_0", "1_000.5", "1_0,5"])
def test_pythons_own_notation_is_no_number(cell: str, place: Path) -> None:
    with pytest.raises(ValueError, match="could not convert"):
        dialect.number(cell, ";")
    path = table(place, HEADING.replace(",", ";"), f"net;1;128;fp32;{cell};60")
    assert [finding.rule for finding in lint.review(path, "").findings] == ["no number"]


@pytest.mark.parametrize("before", ["", f"{HEADING}\n"])
def test_a_line_without_end_is_refused_before_it_takes_all_memory(before: str, place: Path) -> None:
    path = place / "sparse.csv"
    path.write_text(before)
    with path.open("ab") as stream:
        stream.truncate(1 << 38)
    assert f"a line of more than {MOST_CHARACTERS} characters" in refused("lint", str(path))


@pytest.mark.parametrize("text", ["a = {0}{1}", "models = {0}{1}"])
def test_a_sweep_of_too_many_brackets_is_refused(text: str, place: Path) -> None:
    path = place / "deep.toml"
    path.write_text(text.format("[" * 5000, "]" * 5000))
    assert "too many to read" in refused("run", str(path), "--dry-run")


@pytest.mark.parametrize(
    "words",
    [
        ("describe", "lenet5", "--resolution", "0"),
        ("describe", "lenet5", "--classes", "0"),
        ("run", "--model", "lenet5", "--weights", "random", "--classes", "0", "--dry-run"),
    ],
)
def test_nothing_is_not_the_default(words: tuple[str, ...]) -> None:
    refused(*words)


@pytest.mark.parametrize("share", ["0.65", "1", "1.0", " 0.5 ", ".9"])
@pytest.mark.parametrize("flag", ["--min-top1", "--min-map", "--min-agreement"])
def test_a_share_that_may_be_per_cent_or_a_fraction_is_refused(flag: str, share: str) -> None:
    per_cent = float(share) * 100
    assert f"{flag}: wanted per cent, found {share!r}; write {per_cent:g} or " in refused("choose", "x", flag, share)


@pytest.mark.parametrize("size", ["1Mb", "64 Mib", "800Kb", "2Gib"])
@pytest.mark.parametrize("flag", ["--max-file", "--max-peak"])
def test_bits_are_no_bytes(flag: str, size: str) -> None:
    assert f"wanted a size in bytes such as {size[:-1]}B, found {size!r}" in refused("choose", "x", flag, size)

"""The page's figures: what is drawn, what is withheld, and that it is said."""

import re
from dataclasses import replace
from itertools import product
from math import nan
from pathlib import Path
from random import Random
from types import ModuleType
from xml.etree import ElementTree

import pytest

from edgebench.foundation import shelf
from edgebench.foundation.errors import RequestError
from edgebench.results import FIGURES, draw_figures, drawing, folders
from edgebench.results.reports import dumbbells, footprint, heat_maps, pareto
from edgebench.results.reports._figures import MOST_LINES, named, numbered
from edgebench.results.table import choice
from edgebench.results.table.ranking import fastest, most_accurate
from edgebench.results.table.row import Row, Table
from tests import GOLDEN, ROOT
from tests.support.rows import changed

HOLE = {"p50_ms": None, "p50_low_ms": None, "p50_high_ms": None, "top1": None, "processes": 0, "peak_mib": None}


@pytest.fixture(scope="module")
def measured() -> Table:
    return folders.read(ROOT / "results" / "x86_vm")


def row(of: Table, **changes: object) -> Row:
    """A fast float row, changed."""
    figures = {"p50_ms": 1.0, "p50_low_ms": 0.9, "p50_high_ms": 1.1, "top1": 90.0, "top1_low": 88.0, "top1_high": 92.0}
    plain = {"precision": "fp32", "quantization": "", "verdict": "VALID", "processes": 9, "reasons": ""}
    float_row = next(one for one in of.rows if one.setup.precision == "fp32")
    return changed(float_row, **(figures | plain | changes))


def rows(*of: Row) -> dict[int, Row]:
    return dict(enumerate(of))


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_is_well_formed_and_draws_every_measured_row(name: str, measured: Table) -> None:
    root = ElementTree.fromstring(shelf.load("reports", name).render(measured))
    drawn = {int(element.attrib["data-row"]) for element in root.iter() if "data-row" in element.attrib}
    assert drawn == set(range(len(measured.rows)))


@pytest.mark.parametrize("name", FIGURES)
def test_rows_without_figures_or_worth_nothing_are_drawn_by_none_as_if_they_were_something(
    name: str, measured: Table
) -> None:
    failed = row(measured, verdict="FAILED", reasons="export: <b>no</b>", file_mib=None, **HOLE)
    emulated = row(measured, verdict="EMULATED", file_mib=None, **HOLE | {"instructions_m": 8.0})
    figure = shelf.load("reports", name)
    panel = figure.draw(rows(failed, emulated))
    assert panel.body == ""
    assert panel.notes[0].startswith("Not drawn: ")
    ElementTree.fromstring(figure.render(replace(measured, rows=(failed, emulated))))


@pytest.mark.parametrize("name", FIGURES)
def test_what_is_no_number_stays_out_of_a_figure(name: str, measured: Table) -> None:
    odd = row(measured, p50_ms=nan, p50_low_ms=nan, p50_high_ms=nan, top1=nan, peak_mib=nan, width=0.75)
    others = (row(measured), row(measured, width=0.5), row(measured, precision="int8", p50_ms=0.5))
    assert "nan" not in shelf.load("reports", name).draw(rows(odd, *others)).body


def test_the_pareto_plot_says_how_many_rows_it_leaves_out(measured: Table) -> None:
    panel = pareto.draw(rows(row(measured), row(measured, verdict="INVALID"), row(measured, top1=None)))
    assert panel.notes[-1].startswith("Not drawn: 2 of 3 rows")


def test_the_front_is_the_one_that_choose_finds(measured: Table) -> None:
    random = Random(1)
    some = {}
    for number in range(120):
        p50, top1 = random.choice([0.5, 1.0, random.uniform(0.3, 3)]), random.choice([90.0, random.uniform(60, 99)])
        width, points = random.uniform(0, 0.2), random.uniform(0, 4)
        ends = {"p50_low_ms": p50 * (1 - width), "p50_high_ms": p50 * (1 + width)}
        shares = {"top1_low": top1 - points, "top1_high": min(100.0, top1 + points)}
        some[number] = row(measured, p50_ms=p50, top1=top1, architecture=f"net{number}", **ends, **shares)
    candidates = {number: _candidate(one) for number, one in some.items()}
    wanted = {id(one) for one in choice.front(list(candidates.values()))}
    assert set(pareto.front(some)) == {number for number, one in candidates.items() if id(one) in wanted}
    assert 1 < len(wanted) < len(some)


def _candidate(row: Row) -> choice.Candidate:
    assert row.metric
    figures = {choice.Quantity.LATENCY: pareto._latency(row), choice.Quantity.TOP1: row.metric}
    return choice.Candidate(name="", figures=figures)


def test_a_tie_is_on_the_front_and_what_is_beaten_beyond_the_intervals_is_not(measured: Table) -> None:
    best, tie = row(measured), row(measured, p50_ms=1.05, top1=89.5)
    beaten = row(measured, p50_ms=2.0, p50_low_ms=1.9, p50_high_ms=2.1, top1=89.0)
    assert pareto.front(rows(best, tie, beaten)) == [0, 1]


def test_each_int8_row_is_paired_with_its_own_float_twin(measured: Table) -> None:
    int8 = {"precision": "int8", "quantization": "per_channel"}
    lonely, threads = row(measured, width=0.75, **int8), row(measured, threads=2, **int8)
    found = rows(row(measured, **int8), row(measured), lonely, threads, row(measured, width=0.5))
    assert dumbbells.pairs(found) == [(1, 0)]


def test_a_speed_up_is_shown_with_its_interval_or_the_lack_of_one(measured: Table) -> None:
    twin = row(measured)
    int8 = row(measured, precision="int8", speedup=2.0, speedup_low=1.8, speedup_high=2.2)
    assert "2.00× [1.80, 2.20]" in dumbbells.draw(rows(twin, int8)).body
    assert "no interval" in dumbbells.draw(rows(twin, row(measured, precision="int8"))).body


def test_rows_at_the_same_place_of_a_map_are_counted(measured: Table) -> None:
    same = (row(measured), row(measured, p50_ms=2.0), row(measured, width=0.5))
    body = heat_maps.draw(rows(*same)).body
    assert ">1.000 +1<" in body
    assert "2.000" not in body


@pytest.mark.parametrize("width", ["7cm", "8.5cm", "85 mm", "3.3in", "12cm", "240pt"])
def test_the_smallest_text_of_a_heat_map_is_legible_at_a_width_on_paper(width: str, measured: Table) -> None:
    grid = {
        number: row(measured, width=alpha, resolution=side, precision=precision)
        for number, (alpha, side, precision) in enumerate(product((0.25, 0.5), (64, 96, 128), ("fp32", "int8")))
    }
    drawn = heat_maps.draw(grid, drawing.room(width))
    value, unit = re.fullmatch(r"([\d.]+) ?(\w+)", width).groups()  # type: ignore[union-attr]
    points = float(value) * {"cm": 72 / 2.54, "mm": 7.2 / 2.54, "in": 72, "pt": 1}[unit]
    assert 11 * points / max(drawn.width, 320) >= 6.5
    assert heat_maps.draw(grid).width == 560


def test_a_given_model_has_no_map_for_its_width_is_nobodys_choice(measured: Table) -> None:
    own = [row(measured, weights="own", resolution=side) for side in (64, 96)]
    assert heat_maps.draw(rows(*own)).body == ""


@pytest.mark.lengthy
@pytest.mark.parametrize("figure", [dumbbells, footprint])
def test_a_figure_with_a_line_a_row_ends_somewhere_and_says_so(figure: ModuleType, measured: Table) -> None:
    many = [
        row(measured, resolution=32 + side, precision=precision) for side in range(99) for precision in ("fp32", "int8")
    ]
    panel = figure.draw(rows(*many))
    assert f"the first {MOST_LINES} of" in panel.notes[0]
    assert panel.height < 2000


def test_the_best_are_the_fastest_and_the_most_accurate_and_what_ties_with_them(measured: Table) -> None:
    best = row(measured)
    tie = row(measured, p50_ms=1.15, p50_low_ms=1.05, p50_high_ms=1.2, top1=91.9, top1_low=90.5, top1_high=93.0)
    slow = row(measured, p50_ms=3.0, p50_low_ms=2.9, p50_high_ms=3.1, top1=60.0, top1_low=58.0, top1_high=62.0)
    interim_every = row(measured, p50_ms=0.1, p50_low_ms=0.1, p50_high_ms=0.1, processes=3)
    invalid = row(measured, p50_ms=0.1, p50_low_ms=0.1, p50_high_ms=0.1, top1=99.0, verdict="INVALID")
    assert fastest([best, tie, slow, interim_every, invalid]) == {best, tie}
    assert most_accurate([best, tie, slow, invalid]) == {best, tie}
    assert fastest([]) == most_accurate([interim_every, invalid][1:]) == frozenset()


def test_rows_keep_their_place_in_the_table_through_the_groups(measured: Table) -> None:
    table = replace(measured, rows=(row(measured), row(measured, threads=2), row(measured, width=0.75)))
    assert [list(found) for _, found in numbered(table)] == [[0, 2], [1]]


@pytest.mark.lengthy
def test_a_figure_for_a_paper_has_its_width_and_no_words_of_its_own(place: Path) -> None:
    (place / "x").mkdir()
    (place / "x" / "runs.jsonl").write_bytes((GOLDEN / "runs.jsonl").read_bytes())
    for path in draw_figures(place / "x", "svg", width="8.5cm", is_bare=True):
        root = ElementTree.fromstring(path.read_text())
        box = [float(number) for number in root.attrib["viewBox"].split()]
        assert root.attrib["width"] == "8.5cm"
        assert float(root.attrib["height"].removesuffix("cm")) == pytest.approx(8.5 * box[3] / box[2], rel=1e-3)
        assert not [text for text in root.iter() if text.attrib.get("class") in ("head", "note")]
    with pytest.raises(RequestError, match="wanted a width such as 8.5cm"):
        draw_figures(place / "x", "svg", width="wide")


def test_figures_are_written_beside_the_table(place: Path) -> None:
    (place / "x").mkdir()
    (place / "x" / "runs.jsonl").write_bytes((GOLDEN / "runs.jsonl").read_bytes())
    written = draw_figures(place / "x", "svg")
    assert [path.name for path in written] == [
        "pareto.svg",
        "macs.svg",
        "heat_maps.svg",
        "dumbbells.svg",
        "footprint.svg",
    ]
    assert all(path.read_text().startswith("<svg") for path in written)


def test_names_of_several_schemes_leave_out_the_options_that_all_share(measured: Table) -> None:
    schemes = ("per_channel+reduce_range", "per_tensor+reduce_range", "per_channel+reduce_range+qat")
    rows = [row(measured, precision="int8", quantization=scheme) for scheme in schemes]
    ends = [name.split(" int8 ")[1] for name in map(named(rows, 60), rows)]
    assert ends == ["per_channel", "per_tensor", "per_channel+qat"]

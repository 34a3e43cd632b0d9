"""The page as text: everything is in it, nothing is asked for, and what names hold stays words."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from edgebench.results import folders
from edgebench.results.reports import html
from edgebench.results.reports.comparison import TOP1
from edgebench.results.table.notes import method
from edgebench.results.table.ranking import ranked
from edgebench.results.table.row import Background, Machine, Row, Table
from tests import GOLDEN, ROOT
from tests.support.rows import changed

EVIL = '</script><img src=x onerror="alert(1)">&<b>'
VOID = {"meta", "link", "br", "img", "input"}


class Reader(HTMLParser):
    """The rows' cells, the opened elements and the addresses of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.rows: list[tuple[dict[str, str | None], list[str]]] = []
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self._is_in_cell = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.tags.append(tag)
        self.addresses += [found[name] or "" for name in ("src", "href", "action", "data", "srcset") if name in found]
        if tag == "tr":
            self.rows.append((found, []))
        if tag in ("td", "th") and self.rows:
            self.rows[-1][1].append("")
            self._is_in_cell = True

    def handle_data(self, data: str) -> None:
        if self._is_in_cell and self.rows and self.rows[-1][1]:
            self.rows[-1][1][-1] += data.strip()

    def handle_endtag(self, tag: str) -> None:
        self._is_in_cell = self._is_in_cell and tag != "table"

    @property
    def cases(self) -> list[tuple[dict[str, str | None], list[str]]]:
        return [(found, cells) for found, cells in self.rows if "data-row" in found]


@pytest.fixture(scope="module")
def measured() -> tuple[Table, Background]:
    return folders.study(ROOT / "results" / "x86_vm")


def failed(of: Row, **changes: object) -> Row:
    hole = {"p50_ms": None, "p50_low_ms": None, "p50_high_ms": None, "rank": None, "processes": 0}
    return changed(of, **(hole | {"verdict": "FAILED", "reasons": "export: no such operator"} | changes))


@pytest.mark.lengthy
def test_every_row_is_there_with_its_verdict_and_reasons(measured: tuple[Table, Background]) -> None:
    table, background = measured
    page = Reader(html.render(table, background))
    assert sorted(int(found["data-row"] or "") for found, _ in page.cases) == list(range(len(table.rows)))
    for found, cells in page.cases:
        row = table.rows[int(found["data-row"] or "")]
        assert cells[1] == row.setup.network
        assert row.verdict in cells
        assert cells[-1] == row.reasons


@pytest.mark.lengthy
def test_the_page_asks_nobody_for_anything(measured: tuple[Table, Background]) -> None:
    text = html.render(*measured)
    page = Reader(text)
    assert [one for one in page.addresses if not one.startswith(("#", "data:"))] == []
    assert "default-src 'none'" in text
    assert re.findall(r"@import|url\(|fetch\(|XMLHttpRequest|//cdn", text) == []


def test_what_names_and_reasons_hold_stays_words(measured: tuple[Table, Background]) -> None:
    table, background = measured
    row = changed(table.rows[0], architecture=EVIL, target=EVIL, reasons=EVIL, dataset=EVIL)
    machine = Machine(title=EVIL, asked=EVIL, facts={EVIL: EVIL}, packages={EVIL: EVIL})
    evil = Background(lines=background.lines[:1], machines=(machine,), methods=(EVIL,))
    text = html.render(replace(table, title=EVIL, rows=(row,), notes=(EVIL,)), evil)
    page = Reader(text)
    assert "img" not in page.tags
    assert page.tags.count("script") == 3
    assert page.cases[0][1][-1] == EVIL
    assert 'onerror="' not in text


@pytest.mark.lengthy
def test_rows_are_grouped_by_precision_and_the_best_of_each_is_marked(measured: tuple[Table, Background]) -> None:
    table, background = measured
    page = Reader(html.render(table, background))
    titles = [cells[0] for found, cells in page.rows if found.get("class") == "heading"]
    assert [title.split(" · ")[0] for title in titles] == ["fp32", "int8"]
    assert html.render(table, background).count("<b>") > len(titles)
    assert all(f"<b>{row.latency.p50_ms:.3f}</b>" in html.render(table, background) for row in table.rows[:2])


def test_a_failed_row_stands_below_and_says_why(measured: tuple[Table, Background]) -> None:
    table, _ = measured
    rows = tuple(row for _, row in ranked([failed(table.rows[1]), table.rows[1], changed(table.rows[1], width=0.5)]))
    page = Reader(html.render(replace(table, rows=rows)))
    assert [found["data-verdict"] for found, _ in page.cases] == ["IMPRECISE", "IMPRECISE", "FAILED"]
    assert page.cases[-1][1][-1] == "export: no such operator"


def test_rows_that_are_the_same_are_all_shown(measured: tuple[Table, Background]) -> None:
    table, _ = measured
    page = Reader(html.render(replace(table, rows=tuple(replace(table.rows[0]) for _ in range(3)))))
    assert len(page.cases) == 3


@pytest.mark.lengthy
def test_rows_beyond_those_at_once_wait_in_a_template(measured: tuple[Table, Background]) -> None:
    table, _ = measured
    many = tuple(changed(table.rows[1], resolution=32 + side) for side in range(html.AT_ONCE + 7))
    text = html.render(replace(table, rows=many))
    before, _, after = text.partition('<template id="rest">')
    assert (before.count('<tr class="row'), after.count('<tr class="row')) == (html.AT_ONCE, 7)


def test_the_samples_of_each_row_are_those_of_its_own_processes(measured: tuple[Table, Background]) -> None:
    table, background = measured
    (found,) = re.findall(r'id="processes">(.*?)</script>', html.render(table, background))
    processes = json.loads(found)
    assert [len(one) for one in processes] == [row.latency.processes for row in table.rows]
    for row, runs in zip(table.rows, processes, strict=True):
        medians = sorted(run[3] for run in runs)
        assert row.latency.p50_ms is not None
        assert medians[0] * 0.99 <= row.latency.p50_ms <= medians[-1] * 1.01
        assert all(run == sorted(run) for run in runs)


def test_an_empty_table_is_a_page_that_says_so() -> None:
    text = html.render(Table(title="t", rows=(), notes=()))
    assert "No measurements yet." in text


def test_a_journal_of_an_older_version_is_shown(measured: tuple[Table, Background]) -> None:
    golden = GOLDEN
    assert json.loads((golden / "runs.jsonl").read_text().splitlines()[0])["version"] < 2
    table, background = folders.study(golden)
    assert len(Reader(html.render(table, background)).cases) == len(table.rows) > 0


def test_how_it_was_measured_is_said_of_every_preset() -> None:
    assert method("standard").startswith("standard: stops after 6, 9, 12, 16, 20, 30 processes")
    assert "too few for an interval" in method("quick")


def test_what_rows_say_in_other_ways_has_tables_of_its_own(measured: tuple[Table, Background]) -> None:
    table, _ = measured
    slow = {"lasted_s": 600.0, "burst_ms": 1.0, "sustained_ms": 1.5}
    rows = (table.rows[1], changed(table.rows[1], runtime="torch", **slow))
    page = Reader(html.render(replace(table, rows=rows)))
    headings = [cells for found, cells in page.rows if cells[:2] == ["network", "precision"]]
    assert [cells[-1] for cells in headings] == ["torch 1.31.1 CPUExecutionProvider", "MHz"]


def test_reasons_are_said_once_with_their_rows_the_worst_first(measured: tuple[Table, Background]) -> None:
    table, _ = measured
    of_v2 = next(
        one for one in table.rows if one.setup.architecture == "mobilenet_v2" and one.setup.precision == "fp32"
    )
    others = [one for one in table.rows if one != of_v2]
    rows = (*others[:6], failed(of_v2), replace(others[6], verdict="VALID", reasons=""))
    said = re.findall(r'<li class="(\w+)">.*?</span> (.*)', html.render(replace(table, rows=rows)))
    assert [verdict for verdict, _ in said] == ["FAILED", "IMPRECISE"]
    assert said[0][1] == "mobilenet_v2 0.35 @64 fp32: export: no such operator"
    assert said[1][1].startswith("all rows but mobilenet_v2 0.35 @64 fp32, ")
    assert said[1][1].endswith(": interval wider than ±2%")


def test_of_many_reasons_the_worst_are_said_and_the_rest_counted(measured: tuple[Table, Background]) -> None:
    table, _ = measured
    rows = tuple(changed(table.rows[1], resolution=32 + n, reasons=f"reason {n}") for n in range(30))
    said = re.findall(r"<li class=.*</span> (.*)", html.render(replace(table, rows=rows)))
    assert len(said) == html.MOST_REASONS + 1
    assert said[-1] == "10 more rows: their reasons are in the table"


def test_without_accuracies_the_page_draws_latency_against_multiply_adds(measured: tuple[Table, Background]) -> None:
    table = measured[0]
    bare = replace(table, rows=tuple(changed(row, top1=None, top5=None) for row in table.rows))
    lead = html.render(bare).partition('<div class="lead">')[2].partition("</figure>")[0]
    assert "<figcaption>Latency against multiply-adds</figcaption>" in lead and "<svg" in lead
    assert 'class="canvas"></div>' not in html.render(bare)


@pytest.mark.parametrize("verdict", ["INVALID", "FAILED"])
@pytest.mark.parametrize("kind", ["time_verdict", "accuracy_verdict", "memory_verdict"])
def test_a_verdict_strikes_out_the_figures_that_it_is_on_and_no_others(
    measured: tuple[Table, Background], kind: str, verdict: str
) -> None:
    kinds = dict.fromkeys(("time_verdict", "accuracy_verdict", "memory_verdict"), "VALID")
    row = changed(measured[0].rows[0], verdict=verdict, **{**kinds, kind: verdict})
    text = html.render(replace(measured[0], rows=(row,)), measured[1])
    struck = re.findall(r'<td class="struck">(?:<b>)?([^<]*)', text)
    figures = {
        "time_verdict": f"{row.latency.p50_ms:.3f}",
        "accuracy_verdict": TOP1.cell(row).partition(" ")[0],
        "memory_verdict": f"{row.memory.peak_mib:.1f}",
    }
    for of, figure in figures.items():
        assert any(cell.startswith(figure) for cell in struck) == (of == kind), (of, figure, struck)

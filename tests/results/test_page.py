"""The page in a browser without a network: it loads in silence, sorts, filters, answers to a pointer, stays quick."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest

from edgebench.results import folders
from edgebench.results.reports import html
from edgebench.results.table.row import Background, Table
from tests import ROOT
from tests.support.rows import changed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page, ViewportSize

    Scheme = Literal["light", "dark"]

CHROMIUM = shutil.which("chromium")
DESKTOP: ViewportSize = {"width": 1440, "height": 900}
PHONE: ViewportSize = {"width": 390, "height": 844}
ROWS = "#rows tr.row"
pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def measured() -> tuple[Table, Background]:
    """A real table, of which one row is suspect."""
    table, background = folders.study(ROOT / "results" / "x86_vm")
    first, *others = table.rows
    return replace(table, rows=(replace(first, verdict="SUSPECT"), *others)), background


TIMEOUT_MS = 300_000  # ends a hung test and says nothing of speed


class Visit:
    """A page that was opened, and what it asked for or complained of."""

    def __init__(self, browser: Browser, path: Path, viewport: ViewportSize, scheme: Scheme = "light") -> None:
        self.asked: list[str] = []
        self.complaints: list[str] = []
        context = browser.new_context(viewport=viewport, color_scheme=scheme, offline=True)
        context.set_default_timeout(TIMEOUT_MS)
        self.page: Page = context.new_page()
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.goto(path.as_uri())

    def column(self, heading: str) -> list[str]:
        place = self.page.locator("#rows thead th").all_inner_texts().index(heading) + 1
        return list(self.page.locator(f"{ROWS} td:nth-child({place})").all_inner_texts())

    def sort(self, heading: str) -> None:
        self.page.locator("#rows thead").get_by_role("button", name=heading, exact=True).click()


@pytest.fixture
def visit(browser: Browser, measured: tuple[Table, Background], tmp_path: Path) -> Iterator[Visit]:
    path = tmp_path / "report.html"
    path.write_text(html.render(*measured))
    visit = Visit(browser, path, DESKTOP)
    yield visit
    assert visit.asked == [path.as_uri()]  # nothing but itself, not even an icon
    assert visit.complaints == []
    visit.page.context.close()


def numbers(cells: list[str]) -> list[float]:
    return [float(cell) for cell in cells]


def test_all_rows_are_shown_grouped_by_precision(visit: Visit) -> None:
    assert visit.page.locator(ROWS).count() == 16
    assert visit.page.locator("#rows .heading").count() == 2
    assert visit.page.inner_text("#count") == "16 of 16 rows"


def test_a_heading_sorts_up_and_down_within_groups_and_across_all(visit: Visit) -> None:
    visit.page.select_option("#together", "")
    assert visit.page.locator("#rows .heading").count() == 0
    visit.sort("p50 ms")
    up = numbers(visit.column("p50 ms"))
    assert up == sorted(up)
    visit.sort("p50 ms")
    assert numbers(visit.column("p50 ms")) == sorted(up, reverse=True)
    visit.page.select_option("#together", "precision")
    down = numbers(visit.column("p50 ms"))
    assert [down[:8], down[8:]] == [sorted(down[:8], reverse=True), sorted(down[8:], reverse=True)]


def test_the_first_click_sorts_the_best_first_and_ranks_are_those_of_the_rows_together(visit: Visit) -> None:
    visit.page.select_option("#together", "precision")
    ranks = visit.column("#")
    assert [ranks[place].rstrip("=") for place in (0, 8)] == ["1", "1"]
    visit.page.select_option("#together", "")
    whole = sorted(int(rank.rstrip("=")) for rank in visit.column("#"))
    assert len(whole) == 16 and whole[-1] > 8
    visit.sort("SQNR dB")
    down = numbers(visit.column("SQNR dB")[:8])
    assert down == sorted(down, reverse=True)
    heights = {box["height"] for row in visit.page.locator(ROWS).all() if (box := row.bounding_box())}
    assert max(heights) - min(heights) <= 1


def test_rows_without_a_figure_go_last_either_way(visit: Visit) -> None:
    visit.page.select_option("#together", "")
    for _ in range(2):
        visit.sort("SQNR dB")
        assert visit.column("SQNR dB")[8:] == ["-"] * 8


def test_words_and_menus_filter_rows_and_points(visit: Visit) -> None:
    visit.page.fill("#words", "V2 @96")
    assert visit.page.inner_text("#count") == "4 of 16 rows"
    assert {name.split(" @")[1] for name in visit.column("network")} == {"96"}
    assert visit.page.locator(".drawing [data-row].off:has(.bar)").count() == 12
    visit.page.select_option("#precision", "int8")
    assert visit.column("precision") == ["int8 per_channel"] * 2
    visit.page.fill("#words", "nothing like it")
    assert visit.page.inner_text("#count") == "0 of 16 rows"
    visit.page.fill("#words", "")
    visit.page.select_option("#precision", "")
    visit.page.select_option("#verdict", "SUSPECT")
    assert visit.column("verdict") == ["SUSPECT"]


def test_hovering_a_point_shows_its_whole_row(visit: Visit, measured: tuple[Table, Background]) -> None:
    point = visit.page.locator("svg [data-row='3']:has(.whisker) .mark").first
    point.scroll_into_view_if_needed()
    point.hover()
    said = visit.page.inner_text("#tip")
    row = measured[0].rows[3]
    cells = visit.page.locator("#rows tr[data-row='3'] td").all_inner_texts()
    assert [cell for cell in cells if cell not in said] == []
    assert row.setup.network in said
    assert row.reasons in said


def test_a_row_opens_to_the_samples_of_its_processes_and_closes(
    visit: Visit, measured: tuple[Table, Background]
) -> None:
    row = visit.page.locator("#rows tr[data-row='2']")
    row.click()
    assert visit.page.locator(".detail svg .middle").count() == measured[0].rows[2].latency.processes
    row.focus()
    visit.page.keyboard.press("Enter")
    assert visit.page.locator(".detail").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_no_page_is_wider_than_its_window_and_words_stand_out_from_it(
    browser: Browser, measured: tuple[Table, Background], tmp_path: Path, viewport: ViewportSize, scheme: Scheme
) -> None:
    path = tmp_path / "report.html"
    path.write_text(html.render(*measured))
    page = Visit(browser, path, viewport, scheme).page
    assert page.evaluate("document.documentElement.scrollWidth") == viewport["width"]
    colours = page.evaluate("(({color, backgroundColor}) => [color, backgroundColor])(getComputedStyle(document.body))")
    ink, paper = (sum(map(int, colour[4:-1].split(","))) for colour in colours)
    assert (ink < paper) == (scheme == "light")
    page.context.close()


def test_it_prints_every_section_on_paper(visit: Visit, tmp_path: Path) -> None:
    assert visit.page.pdf(prefer_css_page_size=True).startswith(b"%PDF")
    visit.page.emulate_media(media="print")
    assert visit.page.locator("#controls").is_hidden()
    assert visit.page.evaluate("getComputedStyle(document.querySelector('.scroll')).overflow") == "visible"


def test_markup_in_names_stays_words(browser: Browser, measured: tuple[Table, Background], tmp_path: Path) -> None:
    evil = '<img src=x onerror="document.title=1">'
    row = changed(measured[0].rows[1], architecture=evil, target=evil, reasons=evil)
    path = tmp_path / "evil.html"
    path.write_text(html.render(replace(measured[0], title=evil, rows=(row, changed(row, threads=2)))))
    visit = Visit(browser, path, DESKTOP)
    visit.page.locator(".drawing .mark").first.hover()
    visit.page.locator(ROWS).first.click()
    assert visit.page.locator("img").count() == 0
    assert evil in visit.page.inner_text("#tip")
    assert visit.page.title() == f"{evil} · edgebench"
    assert (visit.asked, visit.complaints) == ([path.as_uri()], [])
    visit.page.context.close()


def test_ten_thousand_rows_are_found_though_few_are_in_the_document(
    browser: Browser, measured: tuple[Table, Background], tmp_path: Path
) -> None:
    rows = tuple(
        changed(row, architecture=f"net{place}", threads=1 + place % 50)
        for place in range(625)
        for row in measured[0].rows
    )
    path = tmp_path / "large.html"
    path.write_text(html.render(replace(measured[0], rows=rows)))
    visit = Visit(browser, path, DESKTOP)
    assert visit.page.locator(ROWS).count() == html.AT_ONCE
    assert visit.page.inner_text("#count") == f"10000 of 10000 rows, the first {html.AT_ONCE} shown: scroll for more"
    visit.page.fill("#words", "net624 int8")
    assert visit.page.inner_text("#count") == "8 of 10000 rows"
    visit.page.fill("#words", "")
    visit.page.locator("#rows tbody tr").last.scroll_into_view_if_needed()
    visit.page.locator(ROWS).nth(html.AT_ONCE).wait_for()
    assert visit.complaints == []
    visit.page.context.close()

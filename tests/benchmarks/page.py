"""A page of 10,000 rows -> how large it is, how long it takes to write, to paint first, to sort and to filter.

python -m tests.benchmarks.page
"""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from math import log
from pathlib import Path
from random import Random
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

from playwright.sync_api import Page, sync_playwright

from edgebench.results import folders
from edgebench.results.reports import html
from edgebench.results.table.ranking import ranked, sped
from edgebench.results.table.row import Background, Row, Table
from tests import ROOT
from tests.support.rows import changed

ROWS, GROUPS, VISITS = 10_000, 40, 7
RESULTS = ROOT / "results" / "x86_vm"
PAINT = "performance.getEntriesByName('first-contentful-paint')[0].startTime"
# Until the next frame after a step is drawn.
STEP = "() => new Promise(done => {{ const start = performance.now(); {step}; requestAnimationFrame(() => setTimeout(() => done(performance.now() - start))) }})"  # noqa: E501
SORT = "document.querySelectorAll('#rows thead button')[3].click()"
FILTER = "const words = document.getElementById('words'); words.value = 'v2 int8'; words.dispatchEvent(new Event('input', {bubbles: true}))"  # noqa: E501


def drawn(row: Row, place: int, random: Random) -> Row:
    """A row with figures of its own, in one of the groups."""
    p50 = 10 ** random.uniform(-0.5, 2)
    width, top1 = random.uniform(0.005, 0.1), 70 + 8 * log(1 + p50) + random.uniform(-4, 4)
    return changed(
        row,
        target=f"board{place % GROUPS}",
        width=round(0.1 + place // GROUPS % 25 * 0.05, 2),
        resolution=32 * (1 + place // GROUPS // 25),
        p50_ms=p50,
        p50_low_ms=p50 * (1 - width),
        p50_high_ms=p50 * (1 + width),
        top1=top1,
        top1_low=top1 - 2,
        top1_high=top1 + 2,
    )


def large() -> tuple[Table, Background]:
    """The recorded table, grown."""
    table, background = folders.study(RESULTS)
    random, count = Random(1), len(table.rows)
    rows = [drawn(table.rows[place % count], place, random) for place in range(ROWS)]
    ordered = tuple(sped(row for _, row in ranked(rows)))
    lines = tuple(background.lines[place % count] for place in range(ROWS))
    return replace(table, rows=ordered), replace(background, lines=lines)


def visits(path: Path) -> Iterator[tuple[float, float, float]]:
    """Open the page again and again; yield first paint, a sort and a filter, ms."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for _ in range(VISITS):
            page = browser.new_page(viewport={"width": 1440, "height": 900})
            page.goto(path.as_uri())
            yield page.evaluate(PAINT), step(page, SORT), step(page, FILTER)
            page.close()


def step(page: Page, script: str) -> float:
    """Take a step; return the milliseconds until it is drawn."""
    return float(page.evaluate(STEP.format(step=script)))


def main() -> None:
    """Write a page, visit it, print medians with their ranges."""
    table, background = large()
    start = perf_counter()
    text = html.render(table, background)
    print(f"{len(table.rows)} rows: {len(text.encode()) / 1e6:.1f} MB, rendered in {perf_counter() - start:.1f} s")
    with TemporaryDirectory() as folder:
        path = Path(folder) / html.FILE
        path.write_text(text)
        for name, values in zip(("first paint", "sort", "filter"), zip(*visits(path), strict=True), strict=True):
            print(f"{name}: {median(values):.0f} ms ({min(values):.0f} to {max(values):.0f})")


if __name__ == "__main__":
    main()

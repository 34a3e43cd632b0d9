"""The night as one self-contained HTML file: a row per configuration with its recent nights, the worst first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgebench.foundation.escape import html
from edgebench.foundation.units import counted
from edgebench.nightly.bulletins.markdown import COLUMNS
from edgebench.nightly.summary import NIGHTS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edgebench.nightly.summary import Bulletin, Point, SummaryLine

FILE = "index.html"
WIDTH, HEIGHT = 240, 28  # size of a sparkline, in pixels
LEAST_SPAN = 0.05  # a sparkline's axis spans at least this share of the latency, so that mere noise looks small
STYLE = """
:root{color-scheme:light dark}
body{font:14px/1.4 system-ui,sans-serif;margin:1.5rem;max-width:110rem}
h1{font-size:1.2rem;margin:0 0 .3rem}h2{font-size:1rem;margin:1rem 0 .3rem}
table{border-collapse:collapse;margin:.6rem 0}
td,th{padding:.15rem .6rem;text-align:left;border-bottom:1px solid #8884;vertical-align:middle}
td:nth-child(6){white-space:nowrap}td.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
.REGRESSION{color:#c62828;font-weight:600}.INVALID,.MISSING{color:#b26a00;font-weight:600}
.IMPROVEMENT{color:#2e7d32;font-weight:600}.HOST_CHANGE,.UNDERPOWERED{color:#b26a00}
.band{fill:#8886}.line{fill:none;stroke:currentColor}.epoch{stroke:#1565c0}.accepted{stroke:#2e7d32;stroke-width:2}
.key{opacity:.7;font-size:12px}
"""


def render(bulletin: Bulletin) -> str:
    """Return the page: configurations that need attention come first; a folded list contains the others."""
    attention, known = bulletin.needs_attention, bulletin.known
    calm = [line for line in bulletin.lines if line.is_calm]
    night = bulletin.night
    parts = [
        f"<h1>{html(bulletin.headline)}</h1>",
        f"<p>{html(night.started_at)}, sweep {html(night.sweep)}. The history has {counted(bulletin.nights, 'night')}."
        f" Measuring took {night.measured_s:.0f} s of this night's {night.spent_s:.0f} s.</p>",
        "".join(f"<p>{html(cause)}</p>" for cause in bulletin.causes),
        _table(attention) if attention else "",
        f"<h2>Known from earlier nights</h2>{_table(known)}" if known else "",
        f"<details><summary>{counted(len(calm), 'unchanged configuration')}</summary>{_table(calm)}</details>"
        if calm
        else "",
        f'<p class="key">Each line shows the last {NIGHTS} nights of a configuration: its latency relative to the'
        " reference workload, as change from the median of these nights. The band is the 95 % interval; a gap is a"
        " night without a measurement. A blue mark is a changed host or component, a green mark an accepted night."
        " “finds ± %” is the smallest change that this night detects with a power of 80 %.</p>",
        *(f"<p>{html(note)}</p>" for note in bulletin.notes),
    ]
    head = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{html(bulletin.headline)}</title>'
    return f"{head}<style>{STYLE}</style><body>{''.join(parts)}</body></html>\n"


def _table(lines: Sequence[SummaryLine]) -> str:
    texts = (*(column.heading for column in COLUMNS), f"last {NIGHTS} nights")
    headings = "".join(f"<th>{html(text)}</th>" for text in texts)
    return f"<table><tr>{headings}</tr>{''.join(map(_row, lines))}</table>"


def _row(line: SummaryLine) -> str:
    verdict = line.entry.verdict
    written = "".join(
        f"<td{' class=n' if column.align == 'right' else ''}>{html(column.cell(line))}</td>" for column in COLUMNS[1:]
    )
    changed = html("; ".join(line.entry.changed))
    return f'<tr title="{changed}"><td class="{verdict}">{verdict}</td>{written}<td>{sparkline(line.points)}</td></tr>'


def sparkline(points: Sequence[Point]) -> str:
    """Draw nights as SVG: a line in a band, interrupted at gaps; marks show when the host or a component changed."""
    ends = [end for point in points if point.change is not None for end in (point.change, point.low, point.high)]
    values = [end for end in ends if end is not None]
    if not values:
        return ""
    reach = max(LEAST_SPAN / 2, *map(abs, values))
    step = WIDTH / max(1, len(points) - 1)

    def at(place: int, value: float) -> str:
        return f"{place * step:.1f},{HEIGHT / 2 * (1 - value / reach):.1f}"

    marks = "".join(_mark(point, place * step) for place, point in enumerate(points))
    drawn = "".join(_piece(piece, at) for piece in _pieces(points))
    return f'<svg width="{WIDTH}" height="{HEIGHT}" role="img"><title>± {reach:.1%}</title>{drawn}{marks}</svg>'


def _mark(point: Point, x: float) -> str:
    kind = "accepted" if point.note else "epoch" if point.is_epoch else ""
    title = html(f"{point.started_at[:10]} {point.note or 'host or components changed'}")
    line = f'<line class="{kind}" x1="{x:.1f}" x2="{x:.1f}" y1="0" y2="{HEIGHT}"><title>{title}</title></line>'
    return line if kind else ""


def _pieces(points: Sequence[Point]) -> list[list[tuple[int, Point]]]:
    """Split the nights at the gaps (nights without a measurement) into runs of consecutive measured nights."""
    pieces: list[list[tuple[int, Point]]] = [[]]
    for place, point in enumerate(points):
        if point.change is None:
            pieces.append([])
        else:
            pieces[-1].append((place, point))
    return [piece for piece in pieces if piece]


def _piece(piece: list[tuple[int, Point]], at: Callable[[int, float], str]) -> str:
    banded = [
        (place, point.low, point.high) for place, point in piece if point.low is not None and point.high is not None
    ]
    upper = [at(place, high) for place, _, high in banded]
    lower = [at(place, low) for place, low, _ in reversed(banded)]
    band = f'<polygon class="band" points="{" ".join(upper + lower)}"/>' if len(banded) > 1 else ""
    middle = [at(place, point.change or 0.0) for place, point in piece]
    if len(middle) == 1:
        x, y = middle[0].split(",")
        return f'{band}<circle cx="{x}" cy="{y}" r="1.5"/>'
    return f'{band}<polyline class="line" points="{" ".join(middle)}"/>'

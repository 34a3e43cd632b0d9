"""The style and the drawings of a history's pages: sparklines of recent nights, and the chart of a whole history."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgebench.foundation.escape import html
from edgebench.foundation.units import milliseconds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from edgebench.nightly.summary import Point

WIDTH, HEIGHT = 240, 36  # size of a sparkline, in units of its drawing, which is scaled to the width of its place
LEAST_SPAN = 0.05  # a sparkline's axis spans at least this share of the latency, so that mere noise looks small
MARKED = 8  # a sparkline explains at most this many marks of changed hosts or components by tooltips
CHART_WIDTH, CHART_HEIGHT, LEFT, BOTTOM, TOP = 900, 260, 70, 24, 8  # a chart, and the space for its axes' labels
STYLE = """
:root{--paper:#fff;--ink:#1b2630;--muted:#5a6873;--rule:#dfe4e8;--good:#00715a;--doubt:#8a5a00;--bad:#a3321f;
--mark:#0072b2;color-scheme:light dark}
@media (prefers-color-scheme:dark){:root{--paper:#111519;--ink:#e6eaed;--muted:#9dabb6;--rule:#2b343b;--good:#43c9a3;
--doubt:#e6b455;--bad:#f28b78;--mark:#56b4e9}}
*{box-sizing:border-box}
body{margin:0 auto;padding:1.5rem clamp(1rem,3vw,3rem);max-width:80rem;background:var(--paper);color:var(--ink);
font:15px/1.5 system-ui,sans-serif}
h1{font-size:1.5rem;margin:0 0 .4rem;overflow-wrap:anywhere}h2{font-size:1.15rem;margin:1.8rem 0 .5rem}
a{color:inherit;text-decoration-color:var(--muted)}p{max-width:80ch;margin:.4rem 0}
.muted{color:var(--muted);font-size:.85rem}
article{border-top:1px solid var(--rule);padding:.7rem 0;display:grid;gap:.2rem 1.5rem;
grid-template-columns:minmax(0,1fr) minmax(0,18rem)}
article h3{font-size:1rem;margin:0;overflow-wrap:anywhere;grid-column:1/-1}
article ul{margin:0;padding-left:1.1rem}article .words{min-width:0;overflow-wrap:anywhere}
@media (max-width:45rem){article{grid-template-columns:minmax(0,1fr)}}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}.wide{overflow-x:auto}
td,th{padding:.15rem .8rem .15rem 0;text-align:left;border-top:1px solid var(--rule);vertical-align:top}
.hint{display:none}@media (max-width:45rem){.hint{display:block}}
td.n,th.n,.nights :is(td,th){text-align:right;white-space:nowrap}th{white-space:nowrap}
.nights :is(td,th):is(:nth-child(-n+2),:last-child){text-align:left}.nights td:last-child{white-space:normal}
td.name{overflow-wrap:anywhere;min-width:12rem}
.REGRESSION{color:var(--bad);font-weight:600}.INVALID,.MISSING,.HOST_CHANGE,.UNDERPOWERED{color:var(--doubt)}
.IMPROVEMENT{color:var(--good);font-weight:600}
svg{display:block;width:100%;height:auto;max-width:60rem;overflow:visible}svg.spark{max-width:18rem}
.chart svg{min-width:40rem}
svg text{fill:var(--muted);font-size:11px}.axis{stroke:var(--rule)}
.band{fill:var(--muted);opacity:.3}.line{fill:none;stroke:currentColor}.dot{fill:currentColor}
.epoch{stroke:var(--mark)}.accepted{stroke:var(--good);stroke-width:2}
.change{stroke:var(--doubt);stroke-width:3;stroke-dasharray:5 3}
"""


def document(title: str, parts: Sequence[str]) -> str:
    """Return an HTML document that loads no other file."""
    head = '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    return f"{head}<title>{html(title)}</title><style>{STYLE}</style><body>{''.join(parts)}</body></html>\n"


def sparkline(points: Sequence[Point], *, has_axis: bool = True) -> str:
    """Draw nights as SVG: a line in a band, interrupted at gaps; marks show when the host or a component changed.

    With an axis, the first day, the last day and the range of the axis are written below the line, and the band of the
    intervals is drawn. Without an axis, the SVG text is as short as possible, because a page can have hundreds of them.
    """
    ends = [end for point in points if point.change is not None for end in (point.change, point.low, point.high)]
    values = [end for end in ends if end is not None]
    if not values:
        return ""
    reach = max(LEAST_SPAN / 2, *map(abs, values))
    step = WIDTH / max(1, len(points) - 1)

    digits = 1 if has_axis else 0

    def at(place: int, value: float) -> str:
        return f"{place * step:.0f},{HEIGHT / 2 * (1 - value / reach):.{digits}f}"

    marks = _marks(points, step, has_axis=has_axis)
    changes = (None if point.change is None else (point.change, point.low, point.high) for point in points)
    measured = [(place, *values) if values else None for place, values in enumerate(changes)]
    drawn = "".join(_run(run, at, has_band=has_axis) for run in _runs(measured))
    labels = _days(points, reach) if has_axis else ""
    height = HEIGHT + 14 if has_axis else HEIGHT
    view = f'<svg class="spark" viewBox="0 0 {WIDTH} {height}" role="img">'
    return f"{view}<title>± {reach:.1%}</title>{drawn}{marks}{labels}</svg>"


def _marks(points: Sequence[Point], step: float, *, has_axis: bool) -> str:
    """Draw the marks of a sparkline; if it has many marks of changed hosts or components, join or omit these."""
    changes = [place for place, point in enumerate(points) if point.is_epoch and not point.note]
    is_marked = len(changes) <= MARKED
    shown = [(place, point) for place, point in enumerate(points) if point.note or (point.is_epoch and is_marked)]
    lines = "".join(_mark(point, place * step, HEIGHT) for place, point in shown)
    path = "".join(f"M{place * step:.0f} 0v{HEIGHT}" for place in changes)
    return lines if is_marked or not has_axis else f'{lines}<path class="epoch" d="{path}"/>'


def _days(points: Sequence[Point], reach: float) -> str:
    y = HEIGHT + 12
    first, last = map(html, _moments(points[0], points[-1]))
    return (
        f'<text x="0" y="{y}">{first}</text><text x="{WIDTH / 2}" y="{y}" text-anchor="middle">± {reach:.1%}</text>'
        f'<text x="{WIDTH}" y="{y}" text-anchor="end">{last}</text>'
    )


def _moments(*points: Point) -> list[str]:
    """Return the day of each point, or, if all have the same day, the time of day."""
    days = [point.started_at[:10] for point in points]
    return days if len(set(days)) > 1 or len(days) == 1 else [point.started_at[11:16] for point in points]


def chart(
    points: Sequence[Point],
    latencies: Sequence[tuple[float, float | None, float | None] | None],
    changes: Mapping[int, str],
) -> str:
    """Draw the p50 of every night with its interval as SVG, in ms; a tooltip on each point states its values.

    `latencies` has p50, low and high of each point in ms, or None for a night without a measurement. `changes` has the
    change points by their places, in words for their tooltips.
    """
    known = [value for values in latencies if values for value in values if value is not None]
    if not known:
        return ""
    top, step = 1.05 * max(known), (CHART_WIDTH - LEFT) / max(1, len(points) - 1)
    height = CHART_HEIGHT - BOTTOM

    def at(place: int, value: float) -> str:
        return f"{LEFT + place * step:.1f},{height * (1 - value / top):.1f}"

    marks = "".join(_line("change", words, LEFT + place * step, height) for place, words in changes.items())
    marks += "".join(_mark(point, LEFT + place * step, height) for place, point in enumerate(points))
    measured = [(place, *values) if values else None for place, values in enumerate(latencies)]
    drawn = "".join(_run(run, at, has_band=True) for run in _runs(measured))
    dots = "".join(_dot(points[night[0]], night, at) for night in measured if night)
    box = f"0 -{TOP} {CHART_WIDTH} {CHART_HEIGHT + TOP}"
    view = f'<svg viewBox="{box}" role="img"><title>p50 in ms, by night</title>'
    return f"{view}{_axes(points, top)}{drawn}{marks}{dots}</svg>"


_Night = tuple[int, float, float | None, float | None]  # place on the axis, value, and ends of its interval


def _dot(point: Point, night: _Night, at: Callable[[int, float], str]) -> str:
    place, value, low, high = night
    interval = "" if low is None or high is None else f" [{milliseconds(low)}, {milliseconds(high)}]"
    x, y = at(place, value).split(",")
    title = html(f"{point.started_at[:10]}: {milliseconds(value)} ms{interval}")
    return f'<circle class="dot" cx="{x}" cy="{y}" r="2.5"><title>{title}</title></circle>'


def _axes(points: Sequence[Point], top: float) -> str:
    height = CHART_HEIGHT - BOTTOM
    lines = [(value, height * (1 - value / top)) for value in (0.0, top / 2, top)]
    levels = "".join(
        f'<line class="axis" x1="{LEFT}" x2="{CHART_WIDTH}" y1="{y:.1f}" y2="{y:.1f}"/>'
        f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{milliseconds(value)} ms</text>'
        for value, y in lines
    )
    places = list(dict.fromkeys((0, len(points) // 2, len(points) - 1)))
    anchors = {0: "start", len(points) - 1: "end"}
    step = (CHART_WIDTH - LEFT) / max(1, len(points) - 1)
    days = "".join(
        f'<text x="{LEFT + place * step:.1f}" y="{CHART_HEIGHT - 6}" text-anchor="{anchors.get(place, "middle")}">'
        f"{html(moment)}</text>"
        for place, moment in zip(places, _moments(*(points[place] for place in places)), strict=True)
    )
    return levels + days


def _mark(point: Point, x: float, height: float) -> str:
    kind = "accepted" if point.note else "epoch" if point.is_epoch else ""
    words = f"{point.started_at[:10]} {point.note or 'host or components changed'}"
    return _line(kind, words, x, height) if kind else ""


def _line(kind: str, words: str, x: float, height: float) -> str:
    title = html(words)
    return f'<line class="{kind}" x1="{x:.1f}" x2="{x:.1f}" y1="0" y2="{height}"><title>{title}</title></line>'


def _runs(nights: Sequence[_Night | None]) -> Iterator[list[_Night]]:
    """Yield the runs of consecutive measured nights."""
    run = list[_Night]()
    for night in (*nights, None):
        if night:
            run.append(night)
        elif run:
            yield run
            run = list[_Night]()


def _run(nights: Sequence[_Night], at: Callable[[int, float], str], *, has_band: bool) -> str:
    banded = [(place, low, high) for place, _, low, high in nights if low is not None and high is not None]
    upper = [at(place, high) for place, _, high in banded]
    lower = [at(place, low) for place, low, _ in reversed(banded)]
    is_drawn = has_band and len(banded) > 1
    band = f'<polygon class="band" points="{" ".join(upper + lower)}"/>' if is_drawn else ""
    middle = [at(place, value) for place, value, _, _ in nights]
    if len(middle) == 1:
        x, y = middle[0].split(",")
        return f'{band}<circle class="dot" cx="{x}" cy="{y}" r="1.5"/>'
    return f'{band}<polyline class="line" points="{" ".join(middle)}"/>'

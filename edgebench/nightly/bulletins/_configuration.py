"""The page of one configuration: its figures tonight, a chart of its whole history, and a table of all its nights."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from edgebench.foundation.escape import html
from edgebench.foundation.units import milliseconds
from edgebench.nightly.bulletins._change_points import change_points
from edgebench.nightly.bulletins._drawing import chart, document
from edgebench.nightly.rule.figures import FIGURES, described
from edgebench.nightly.summary import Point

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from edgebench.nightly.night import Entry, Night
    from edgebench.nightly.rule.figures import Figure
    from edgebench.nightly.summary import Shown, SummaryLine

FOLDER = "configurations"
DIGITS = 12  # a page is named by this number of hexadecimal digits of the hash of the configuration's name


def address(name: str) -> str:
    """Return the path of a configuration's page, relative to the history's folder."""
    return f"{FOLDER}/{sha256(name.encode(errors='surrogateescape')).hexdigest()[:DIGITS]}.html"


def render(line: SummaryLine, nights: Sequence[Shown]) -> str:
    """Return the page of a configuration, the latest night first in its table; `nights` are all nights, in order."""
    entry = line.entry
    latencies = [_latency(found) if found and found.is_measured else None for _, found in nights]
    changes = _changes(nights, latencies)
    told = "".join(
        f"<li>{html(text)}</li>"
        for text in (*map(described, line.findings), *line.causes, *filter(None, [line.states, entry.why]))
    )
    return document(
        entry.name,
        [
            f'<p class="muted"><a href="../index.html">All configurations</a></p><h1>{html(entry.name)}</h1>',
            f'<p><span class="{entry.verdict}">{entry.verdict}</span> {html(nights[-1][0].started_at[:10])}</p>',
            f"<ul>{told}</ul>" if told else "",
            '<p class="muted hint">The chart and the table are wider than the screen: move them sideways.</p>',
            '<div class="wide chart">',
            chart(line.every_night or _unmeasured(nights), latencies, changes),
            "</div>",
            '<p class="muted">The median latency (p50) of each night, with its 95 % interval. A blue line is a changed'
            " host or component, a green line an accepted night.</p>",
            _explained(changes.values()),
            _table([(night, found) for night, found in reversed(nights) if found]),
        ],
    )


def _unmeasured(nights: Sequence[Shown]) -> tuple[Point, ...]:
    """Return a point without a value for every night, for a configuration that the last night did not measure."""
    return tuple(Point(started_at=night.started_at, change=None) for night, _ in nights)


_Latency = tuple[float, float | None, float | None]  # p50 in ms, and the ends of its interval


def _changes(nights: Sequence[Shown], latencies: Sequence[_Latency | None]) -> dict[int, str]:
    """Return the change points of p50 in words, by their places: `2026-05-17: +10.0% (1.000 ms -> 1.100 ms)`."""
    return {
        change.place: f"{nights[change.place][0].started_at[:10]}: {change.after / change.before - 1:+.1%}"
        f" ({milliseconds(change.before)} ms -> {milliseconds(change.after)} ms)"
        for change in change_points([latency and latency[0] for latency in latencies])
    }


def _explained(changes: Collection[str]) -> str:
    if not changes:
        return ""
    items = "".join(f"<li>{html(change)}</li>" for change in changes)
    return (
        '<p class="muted">A dashed line is a change point, a night from which on the latency has another level. The'
        f' library ruptures finds these; they do not influence any verdict:</p><ul class="muted">{items}</ul>'
    )


def _latency(entry: Entry) -> _Latency | None:
    """Return p50 in ms and the ends of its interval; None if there are no latencies."""
    if entry.figures.p50_s is None:
        return None
    low, high = entry.figures.p50_interval_s
    return entry.figures.p50_s * 1e3, low and low * 1e3, high and high * 1e3


def _table(nights: list[tuple[Night, Entry]]) -> str:
    """Return a table with a row per night, and a column per figure that any night has."""
    shown = [
        (name, figure)
        for name, figure in FIGURES.items()
        if any(figure.value(entry.figures) is not None for _, entry in nights)
    ]
    headings = "".join(f"<th>{html(name)}</th>" for name, _ in shown)
    rows = "".join(
        f"<tr>{''.join(_cells(night, entry, [figure for _, figure in shown]))}</tr>" for night, entry in nights
    )
    head = f"<tr><th>night</th><th>verdict</th>{headings}<th>what changed</th></tr>"
    return f'<h2>Nights</h2><div class="wide"><table class="nights">{head}{rows}</table></div>'


def _cells(night: Night, entry: Entry, figures: Sequence[Figure]) -> Iterator[str]:
    yield f"<td>{html(night.started_at[:16].replace('T', ' '))}</td>"
    yield f'<td class="{entry.verdict}">{entry.verdict}</td>'
    for figure in figures:
        value = figure.value(entry.figures)
        yield f"<td>{'' if value is None else html(figure.show(value))}</td>"
    yield f"<td>{html('; '.join(entry.changed))}</td>"

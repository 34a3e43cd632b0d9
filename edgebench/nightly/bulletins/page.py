"""The history as pages of HTML: an overview of the last night, the worst first, and a page for each configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgebench.foundation.escape import html
from edgebench.foundation.units import counted, milliseconds
from edgebench.nightly.bulletins._configuration import address
from edgebench.nightly.bulletins._configuration import render as configuration
from edgebench.nightly.bulletins._drawing import document, sparkline
from edgebench.nightly.rule.figures import size, values
from edgebench.nightly.summary import NIGHTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from edgebench.nightly.summary import Bulletin, SummaryLine

FILE = "index.html"
CARDS = 30  # at most this many configurations of a list have a card (a box with details); others get a row
MOST_CHARACTERS = 200  # a table shows at most this many characters of a reason
KEY = (
    f"Each line shows the last {NIGHTS} nights of a configuration: its latency relative to the reference workload, as"
    " change from the median of these nights. The band is the 95 % interval; a gap is a night without a measurement. A"
    " blue line is a changed host or component, a green line an accepted night. “finds ± %” is the smallest change that"
    " this night detects with a power of 80 %."
)

LEGEND = f'<p class="muted">{html(KEY)}</p>'
HINT = '<p class="muted hint">The table is wider than the screen: move it sideways.</p>'


def render(bulletin: Bulletin) -> str:
    """Return the overview: configurations that need attention come first; the unchanged ones are in a folded list."""
    others = "".join(f"<h2>{html(other.of_its_own)}</h2>{''.join(_parts(other))}" for other in bulletin.others)
    title = f"<h1>{html(bulletin.headline)}</h1>"
    has_lines = any(each.needs_attention or each.known for each in (bulletin, *bulletin.others))
    return document(bulletin.headline, [title, *_parts(bulletin), others, LEGEND if has_lines else ""])


def pages(bulletin: Bulletin) -> Iterator[tuple[str, str]]:
    """Yield the path and the text of the page of every configuration."""
    for each in (bulletin, *bulletin.others):
        entries = [(night, {entry.name: entry for entry in night.entries}) for night in each.history.nights]
        for line in each.lines:
            name = line.entry.name
            yield address(name), configuration(line, [(night, by_name.get(name)) for night, by_name in entries])


def _parts(bulletin: Bulletin) -> Iterator[str]:
    night, known = bulletin.night, bulletin.known
    calm = [line for line in bulletin.lines if line.is_calm]
    yield (
        f"<p>{html(_moment(night.started_at))}, sweep {html(night.sweep)}. The history has"
        f" {counted(bulletin.nights, 'night')}. Measuring took {night.measured_s:.0f} s of this night's"
        f" {night.spent_s:.0f} s.</p>"
    )
    yield from (f"<p>{html(cause)}</p>" for cause in bulletin.causes)
    yield from _cards(bulletin.needs_attention)
    if known:
        yield f"<h2>Known from earlier nights</h2>{''.join(_cards(known))}"
    if calm:
        summary = f"<summary>{counted(len(calm), 'unchanged configuration')}</summary>"
        yield f"<details>{summary}{HINT}{_table(calm)}{'' if bulletin.needs_attention or known else LEGEND}</details>"
    yield from (f'<p class="muted">{html(note)}</p>' for note in bulletin.notes)


def _moment(started_at: str) -> str:
    """Return a night's start as `2026-11-27 01:51 UTC`, from `2026-11-27T01:51:18+00:00`; keep other texts."""
    day, _, time = started_at.partition("T")
    return f"{day} {time[:5]} UTC" if time.endswith("+00:00") else started_at


def _cards(lines: Sequence[SummaryLine]) -> Iterator[str]:
    """Yield the first lines as cards, and a table of the others, because a page of hundreds of cards is slow."""
    yield from map(_card, lines[:CARDS])
    if others := lines[CARDS:]:
        rows = "".join(map(_brief, others))
        yield f'<h3>{counted(len(others), "further configuration")}</h3><div class="wide"><table>{rows}</table></div>'


def _brief(line: SummaryLine) -> str:
    """Return the row of a changed configuration without a card: its verdict, and its most severe change."""
    entry, worst = line.entry, line.worst
    change = f"{worst.figure} {size(worst)}" if worst else entry.why
    name = f'<a href="{address(entry.name)}">{html(entry.name)}</a>'
    return (
        f'<tr><td class="{entry.verdict}">{entry.verdict}</td><td class="name">{name}</td>'
        f"<td>{html(change[:MOST_CHARACTERS])}</td></tr>"
    )


def _card(line: SummaryLine) -> str:
    """Return a changed configuration: its verdict, every change with its values, the causes and the recent nights."""
    entry = line.entry
    told = "".join(f"<li>{html(text)}</li>" for text in _told(line))
    name = f'<a href="{address(entry.name)}">{html(entry.name)}</a>'
    words = f'<div class="words"><ul>{told}</ul></div>' if told else '<div class="words"></div>'
    title = f'<h3><span class="{entry.verdict}">{entry.verdict}</span> {name}</h3>'
    hashes = html("; ".join(entry.changed))  # a tooltip, because the list shows the causes without hashes
    return f'<article title="{hashes}">{title}{words}<div>{sparkline(line.points)}</div></article>'


def _told(line: SummaryLine) -> Iterator[str]:
    for change in line.findings:
        interval = "" if change.low is None or change.high is None else f" [{change.low:+.1%}, {change.high:+.1%}]"
        pairs = f", {counted(change.pairs, 'pair')}, p = {change.p:.1g}" if change.p is not None else ""
        yield f"{change.figure} {size(change)}{interval}: {values(change)}{pairs}"
    if line.states:
        yield line.states
    yield from line.causes
    if line.entry.why:
        yield line.entry.why
    if line.entry.detectable is not None:
        yield f"finds ± {line.entry.detectable:.1%}"


def _table(lines: Sequence[SummaryLine]) -> str:
    numbers = '<th class="n">p50 ms</th><th class="n">finds ± %</th>'
    head = f"<tr><th>configuration</th>{numbers}<th>last {NIGHTS} nights</th></tr>"
    return f'<div class="wide"><table>{head}{"".join(map(_row, lines))}</table></div>'


def _row(line: SummaryLine) -> str:
    entry = line.entry
    p50_s, detectable = entry.figures.p50_s, entry.detectable
    why = f'<div class="muted">{html(entry.why[:MOST_CHARACTERS])}</div>' if entry.why else ""
    return (
        f'<tr><td class="name"><a href="{address(entry.name)}">{html(entry.name)}</a>{why}</td>'
        f'<td class="n">{milliseconds(None if p50_s is None else p50_s * 1e3)}</td>'
        f'<td class="n">{"-" if detectable is None else f"{detectable * 100:.1f}"}</td>'
        f"<td>{sparkline(line.points, has_axis=False)}</td></tr>"
    )

"""The night as Markdown for the summary of a GitHub job, within GitHub's limit of 1024 KiB per step."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgebench.foundation import escape
from edgebench.foundation.sheet import IDENTITY, OBJECTIVE, Column, Sheet, markdown
from edgebench.foundation.units import counted, milliseconds
from edgebench.nightly.rule.figures import size, values

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edgebench.nightly.summary import Bulletin, SummaryLine

FILE = "summary.md"
ROWS = 20  # maximum number of rows in the table; index.html and night.json have all configurations
MOST_BYTES = 1_000_000  # GitHub drops a whole summary that is larger than 1024 KiB
NOTES = 10


def render(bulletin: Bulletin) -> str:
    """Return the headline and a table of the configurations that need attention, the worst first."""
    lines = bulletin.needs_attention
    causes = "".join(f"- {escape.markdown_line(cause)}\n" for cause in bulletin.causes[:NOTES])
    title, headline = escape.markdown(bulletin.night.started_at), escape.markdown(bulletin.headline)
    head = f"# Nightly {title}\n\n**{headline}.** {_ending(bulletin)}\n"
    notes = "".join(
        f"\n- {escape.markdown_line(note)}" for note in (*bulletin.others_in_words, *bulletin.notes)[:NOTES]
    )
    told = "".join(f"\n- {escape.markdown_line(reminder)}" for reminder in bulletin.reminders[:ROWS])
    known = f"\nKnown from earlier nights:\n{told}" if told else ""
    text = "\n".join((head, causes, _table(lines) if lines else "", known, notes)).rstrip() + "\n"
    return text.encode()[:MOST_BYTES].decode(errors="ignore")


def _ending(bulletin: Bulletin) -> str:
    measured, spent = f"{bulletin.night.measured_s:.0f} s", f"{bulletin.night.spent_s:.0f} s"
    return f"The history has {counted(bulletin.nights, 'night')}. Measuring took {measured} of this night's {spent}."


def _table(lines: list[SummaryLine]) -> str:
    more = (
        (f"{counted(len(lines) - ROWS, 'more configuration', 'is')} in index.html and night.json.",)
        if len(lines) > ROWS
        else ()
    )
    return markdown(Sheet.of("What changed", COLUMNS, lines[:ROWS], more))


def _interval(line: SummaryLine) -> str:
    worst = line.worst
    if worst is None or worst.low is None or worst.high is None:
        return "-"
    return f"[{worst.low:+.1%}, {worst.high:+.1%}]"


def _p50(line: SummaryLine) -> str:
    p50_s = line.entry.figures.p50_s
    return milliseconds(None if p50_s is None else p50_s * 1e3)


def _detectable(line: SummaryLine) -> str:
    return "-" if line.entry.detectable is None else f"{line.entry.detectable * 100:.1f}"


def _evidence(line: SummaryLine) -> Iterator[str]:
    """Yield the most severe change's evidence (or why there is none), and after it a list of the other changes."""
    if (worst := line.worst) and worst.p is not None:
        on = f" on {worst.confirmed_at[:10]}" if worst.confirmed_at else ""
        yield f"{counted(worst.pairs, 'pair')}{on}, p = {worst.p:.1g}"
    elif line.entry.why:
        yield line.entry.why
    if others := ", ".join(f"{change.figure} {size(change)}" for change in line.findings[1:]):
        yield f"also {others}"


COLUMNS: tuple[Column[SummaryLine], ...] = (
    Column.text("verdict", lambda line: str(line.entry.verdict), OBJECTIVE),
    Column.text("configuration", lambda line: line.entry.name, IDENTITY),
    Column.text("figure", lambda line: line.worst.figure if line.worst else "-", IDENTITY),
    Column.number("change", lambda line: size(line.worst) if line.worst else "-", OBJECTIVE),
    Column.number("[95 %]", _interval, OBJECTIVE),
    Column.text("before -> after", lambda line: values(line.worst) if line.worst else "-", OBJECTIVE),
    Column.text("state", lambda line: line.states or "-", OBJECTIVE),
    Column.number("p50 ms", _p50),
    Column.number("finds ± %", _detectable),
    Column.text("evidence", lambda line: "; ".join(_evidence(line))),
    Column.text("changed", lambda line: "; ".join(line.causes)),
)

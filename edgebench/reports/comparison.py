"""The table people read, as Markdown: aligned, with units and intervals, a group a target, runtime and threads."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import groupby

from edgebench.reports import Row, Table
from edgebench.units import millions, milliseconds, number

FILE = "comparison.md"


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A heading with its unit, and how a row fills it."""

    heading: str
    cell: Callable[[Row], str]
    is_text: bool = False


def _interval(row: Row) -> str:
    if row.p50_low_ms is None:
        return "-"
    brackets = "[]" if row.processes >= 6 else "()"  # round ones: least and largest process, no interval
    return f"{brackets[0]}{milliseconds(row.p50_low_ms)}, {milliseconds(row.p50_high_ms)}{brackets[1]}"


def _half_width(row: Row) -> str:
    if not row.p50_ms or row.p50_low_ms is None or row.p50_high_ms is None:
        return "-"
    return number((row.p50_high_ms - row.p50_low_ms) / 2 / row.p50_ms * 100, 1)


def _top1(row: Row) -> str:
    return "-" if row.top1 is None else f"{row.top1:.1f} [{row.top1_low:.1f}, {row.top1_high:.1f}]"


def _rank(row: Row) -> str:
    return "-" if row.rank is None else f"{row.rank}{'=' if row.tied else ''}"


COLUMNS = (
    Column(heading="#", cell=_rank),
    Column(heading="network", cell=lambda row: f"{row.architecture} {row.width:g} @{row.resolution}", is_text=True),
    Column(heading="precision", cell=lambda row: row.precision, is_text=True),
    Column(heading="p50 ms", cell=lambda row: milliseconds(row.p50_ms)),
    Column(heading="95 % interval", cell=_interval),
    Column(heading="± %", cell=_half_width),
    Column(heading="p90 ms", cell=lambda row: milliseconds(row.p90_ms)),
    Column(heading="top-1 %", cell=_top1),
    Column(heading="agree %", cell=lambda row: number(row.agreement, 1)),
    Column(heading="load ms", cell=lambda row: milliseconds(row.load_ms)),
    Column(heading="peak MiB", cell=lambda row: number(row.peak_mib, 1)),
    Column(heading="file MiB", cell=lambda row: number(row.file_mib, 2)),
    Column(heading="params M", cell=lambda row: millions(row.params, 2)),
    Column(heading="MACs M", cell=lambda row: millions(row.macs, 1)),
    Column(heading="n", cell=lambda row: str(row.processes)),
    Column(heading="verdict", cell=lambda row: row.verdict, is_text=True),
)


def group_title(row: Row) -> str:
    """Name what the rows of a group share."""
    threads = f"{row.threads} thread{'s' if row.threads > 1 else ''}"
    return f"{row.target} · {row.runtime} {row.runtime_version} · {threads} · batch {row.batch} · {row.preset}"


def groups(table: Table) -> Iterator[tuple[str, list[Row]]]:
    """Split the rows, which are in order, by target, runtime, threads, batch and preset."""
    for title, rows in groupby(table.rows, group_title):
        yield title, list(rows)


def why(rows: list[Row]) -> Iterator[str]:
    """Say why rows are not VALID; what several rows share is said once."""
    named = defaultdict[str, list[str]](list)
    for row in rows:
        for reason in filter(None, row.reasons.split("; ")):
            named[reason].append(f"{row.architecture} {row.width:g} @{row.resolution} {row.precision}")
    for reason, names in named.items():
        yield f"{'all rows' if len(names) == len(rows) > 1 else ', '.join(names)}: {reason}"


def render(table: Table) -> str:
    """Write a heading, the groups, the reasons and the notes."""
    parts = [f"# {table.title}", ""]
    for title, rows in groups(table):
        parts += [f"## {title}", "", *_lines(rows), ""]
        parts += [f"- {_escape(line)}" for line in why(rows)]
        parts += [""]
    return "\n".join([*parts, *(f"{_escape(note)}\n" for note in table.notes)])


def _escape(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


def _lines(rows: list[Row]) -> Iterator[str]:
    cells = [[column.heading for column in COLUMNS]]
    cells += [[_escape(column.cell(row)) for column in COLUMNS] for row in rows]
    widths = [max(3, *(len(line[index]) for line in cells)) for index in range(len(COLUMNS))]  # a rule takes `--:`
    rule = [
        "-" * width if column.is_text else "-" * (width - 1) + ":"
        for column, width in zip(COLUMNS, widths, strict=True)
    ]
    for line in (cells[0], rule, *cells[1:]):
        padded = (
            cell.ljust(width) if column.is_text else cell.rjust(width)
            for cell, column, width in zip(line, COLUMNS, widths, strict=True)
        )
        yield f"| {' | '.join(padded)} |"

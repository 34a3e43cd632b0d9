"""The table people read, as Markdown: aligned, with units and intervals, a group a target, runtime and threads."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from itertools import groupby

from edgebench.appraisal import SIGNIFICANT
from edgebench.reports import Row, Table
from edgebench.sheet import Sheet, escape, markdown
from edgebench.stats import LEAST_FOR_INTERVAL
from edgebench.units import millions, milliseconds, number

FILE = "comparison.md"


def _interval(row: Row) -> str:
    if row.p50_low_ms is None:
        return "-"
    brackets = "[]" if row.processes >= LEAST_FOR_INTERVAL else "()"  # else the least and largest process
    return f"{brackets[0]}{milliseconds(row.p50_low_ms)}, {milliseconds(row.p50_high_ms)}{brackets[1]}"


def _half_width(row: Row) -> str:
    if not row.p50_ms or row.p50_low_ms is None or row.p50_high_ms is None:
        return "-"
    return number((row.p50_high_ms - row.p50_low_ms) / 2 / row.p50_ms * 100, 1)


def _top1(row: Row) -> str:
    return "-" if row.top1 is None else f"{row.top1:.1f} [{row.top1_low:.1f}, {row.top1_high:.1f}]"


def _change(row: Row) -> str:
    if row.top1 is None or row.parent_top1 is None or row.mcnemar_p is None:
        return "-"
    return f"{row.top1 - row.parent_top1:+.1f}{'' if row.mcnemar_p < SIGNIFICANT else ' ='}"


def _rank(row: Row) -> str:
    return "-" if row.rank is None else f"{row.rank}{'=' if row.tied else ''}"


def _precision(row: Row) -> str:
    return f"{row.precision} {row.quantization}".rstrip()


CELLS: dict[str, Callable[[Row], str]] = {
    "#": _rank,
    "network": lambda row: f"{row.architecture} {row.width:g} @{row.resolution}",
    "precision": _precision,
    "p50 ms": lambda row: milliseconds(row.p50_ms),
    "[95 %] or (range)": _interval,
    "± %": _half_width,
    "p90 ms": lambda row: milliseconds(row.p90_ms),
    "top-1 %": _top1,
    "Δ top-1": _change,
    "agree %": lambda row: number(row.agreement, 1),
    "SQNR dB": lambda row: number(row.sqnr_db, 1),
    "Minstr": lambda row: number(row.instructions_m, 2),
    "load ms": lambda row: milliseconds(row.load_ms),
    "peak MiB": lambda row: number(row.peak_mib, 1),
    "file MiB": lambda row: number(row.file_mib, 2),
    "params M": lambda row: millions(row.params, 2),
    "MACs M": lambda row: millions(row.macs, 1),
    "n": lambda row: str(row.processes),
    "verdict": lambda row: row.verdict,
}
TEXTS = frozenset({"network", "precision", "verdict"})
WHERE_SOME_HAVE = {"Minstr": lambda row: row.instructions_m is not None}  # columns that most tables do without


def group_title(row: Row) -> str:
    """Name what the rows of a group share."""
    threads = f"{row.threads} thread{'s' if row.threads > 1 else ''}"
    weights = f"trained on {row.dataset}" if row.weights == "trained" else f"{row.dataset}, weights {row.weights}"
    runtime = " ".join(filter(None, (row.runtime, row.runtime_version, row.runtime_options)))
    return f"{row.target} · {runtime} · {threads} · batch {row.batch} · {weights} · {row.preset}"


def sheets(table: Table) -> Iterator[Sheet]:
    """Lay out the rows, which are in order: a sheet for those that compare, its epoch where a target has several."""
    epochs = {(row.target, row.epoch) for row in table.rows}
    for _, group in groupby(table.rows, lambda row: row.group):
        rows = list(group)
        is_alone = sum(target == rows[0].target for target, _ in epochs) == 1
        cells = {name: cell for name, cell in CELLS.items() if any(map(WHERE_SOME_HAVE.get(name, bool), rows))}
        yield Sheet(
            title=group_title(rows[0]) + ("" if is_alone else f" · epoch {rows[0].epoch}"),
            headings=tuple(cells),
            rows=tuple(tuple(cell(row) for cell in cells.values()) for row in rows),
            texts=TEXTS,
            notes=tuple(why(rows)),
        )


def why(rows: list[Row]) -> Iterator[str]:
    """Say why rows are not VALID; what several rows share is said once."""
    named = defaultdict[str, list[str]](list)
    for row in rows:
        for reason in filter(None, row.reasons.split("; ")):
            named[reason].append(f"{row.architecture} {row.width:g} @{row.resolution} {_precision(row)}")
    for reason, names in named.items():
        yield f"{'all rows' if len(names) == len(rows) > 1 else ', '.join(names)}: {reason}"


def render(table: Table) -> str:
    """Write a heading, the groups with their reasons, and the notes."""
    notes = [f"{escape(note)}\n" for note in table.notes]
    return "\n".join([f"# {table.title}", "", *map(markdown, sheets(table)), *notes])

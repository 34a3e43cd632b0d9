"""The table people read, as Markdown: aligned, with units and intervals, a group a target, runtime and threads."""

from collections import defaultdict
from collections.abc import Callable, Iterator

from edgebench.appraisal import SIGNIFICANT
from edgebench.reports import Row, Table, together
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
    "network": lambda row: row.network,
    "precision": _precision,
    "p50 ms": lambda row: milliseconds(row.p50_ms),
    "[95 %] or (range)": _interval,
    "± %": _half_width,
    "p90 ms": lambda row: milliseconds(row.p90_ms),
    "top-1 %": _top1,
    "Δ top-1": _change,
    "agree %": lambda row: number(row.agreement, 1),
    "SQNR dB": lambda row: number(row.sqnr_db, 1),
    "load ms": lambda row: milliseconds(row.load_ms),
    "peak MiB": lambda row: number(row.peak_mib, 1),
    "file MiB": lambda row: number(row.file_mib, 2),
    "params M": lambda row: millions(row.params, 2),
    "MACs M": lambda row: millions(row.macs, 1),
    "n": lambda row: str(row.processes),
    "verdict": lambda row: row.verdict,
}
TEXTS = frozenset({"network", "precision", "verdict"})


def group_title(row: Row) -> str:
    """Name what the rows of a group share."""
    threads = f"{row.threads} thread{'s' if row.threads > 1 else ''}"
    runtime = " ".join(filter(None, (row.runtime, row.runtime_version, row.runtime_options)))
    return f"{row.target} · {runtime} · {threads} · batch {row.batch} · {_weights(row)} · {row.preset}"


def _weights(row: Row) -> str:
    if row.is_own:
        return "given models"
    return f"trained on {row.dataset}" if row.weights == "trained" else f"{row.dataset}, weights {row.weights}"


def sheets(table: Table) -> Iterator[Sheet]:
    """Lay out the rows, which are in order: a sheet for those that compare, its epoch where a target has several."""
    epochs = {(row.target, row.epoch) for row in table.rows}
    for rows in together(table.rows):
        is_alone = sum(target == rows[0].target for target, _ in epochs) == 1
        title = group_title(min(rows, key=lambda row: row.is_own))
        yield Sheet(
            title=title if is_alone else f"{title} · epoch {rows[0].epoch}",
            headings=tuple(CELLS),
            rows=tuple(tuple(cell(row) for cell in CELLS.values()) for row in rows),
            texts=TEXTS,
            notes=(*why(rows), *_given(rows)),
        )


def why(rows: list[Row]) -> Iterator[str]:
    """Say why rows are not VALID; what several rows share is said once."""
    named = defaultdict[str, list[str]](list)
    for row in rows:
        for reason in filter(None, row.reasons.split("; ")):
            named[reason].append(f"{row.network} {_precision(row)}")
    for reason, names in named.items():
        yield f"{'all rows' if len(names) == len(rows) > 1 else ', '.join(names)}: {reason}"


def _given(rows: list[Row]) -> Iterator[str]:
    """Say of given models what their answers are of, where the title speaks of the shelf's."""
    for network, dataset in dict.fromkeys((row.network, row.dataset) for row in rows if row.is_own and row.images):
        yield f"{network}: a given model; its answers are of {dataset}"


def render(table: Table) -> str:
    """Write a heading, the groups with their reasons, and the notes."""
    notes = [f"{escape(note)}\n" for note in table.notes]
    return "\n".join([f"# {table.title}", "", *map(markdown, sheets(table)), *notes])

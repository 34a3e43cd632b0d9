"""The comparison as aligned Markdown tables with units and intervals, one per group of comparable rows."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache

from edgebench.foundation import escape
from edgebench.foundation.sheet import IDENTITY, OBJECTIVE, Column, Sheet, markdown
from edgebench.foundation.stats import LEAST_FOR_INTERVAL
from edgebench.foundation.units import counted, millions, milliseconds, number
from edgebench.networks import published
from edgebench.results.table.across import Across, runtime
from edgebench.results.table.across import across as across_runtimes
from edgebench.results.table.parts import Setup
from edgebench.results.table.ranking import by_precision, fastest, most_accurate, together
from edgebench.results.table.row import NOTHING, Background, Row, Table
from edgebench.schema.names import CLASSIFICATION

FILE = "comparison.md"
_BREAKS = re.compile(r"(?<=\d) (?=[\[(])|(?<=,) (?=[-\d])")  # the blanks in `1.2 [1.1, 1.3]`
MOST_NAMED = 4  # a reason names about this many of its rows, and gives only the number of the others


def _interval(row: Row) -> str:
    latency = row.latency
    if latency.p50_low_ms is None:
        return "-"
    brackets = "[]" if latency.processes >= LEAST_FOR_INTERVAL else "()"  # () marks the range of the processes' medians
    return f"{brackets[0]}{milliseconds(latency.p50_low_ms)}, {milliseconds(latency.p50_high_ms)}{brackets[1]}"


def _half_width(row: Row) -> str:
    latency = row.latency
    if not latency.p50_ms or latency.p50_low_ms is None or latency.p50_high_ms is None or latency.processes == 1:
        return "-"  # the range of a single process has no width, which would look like a time that is exactly known
    return number((latency.p50_high_ms - latency.p50_low_ms) / 2 / latency.p50_ms * 100, 1)


def _top1(row: Row) -> str:
    return "-" if row.top1 is None else f"{row.top1.value:.1f} [{row.top1.low:.1f}, {row.top1.high:.1f}]"


def _metric(name: str, heading: str) -> tuple[Column[Row], Column[Row]]:
    """Return two columns of a task: its chief metric with the interval, and the difference to the float parent."""

    def cell(row: Row) -> str:
        figure = row.quality.metrics.get(name)
        return "-" if figure is None else f"{figure.value:.1f} [{figure.low:.1f}, {figure.high:.1f}]"

    def change(row: Row) -> str:
        return "-" if row.fidelity.change is None or name not in row.quality.metrics else _change(row)

    return _OfRow.number(f"{heading} %", cell, OBJECTIVE), _OfRow.number(f"Δ {heading}", change, rank=10)


def _change(row: Row) -> str:
    if row.change is None:
        return "-"
    points, is_significant = row.change
    return f"{points:+.1f}{'' if is_significant else ' ='}"


def _counted(whole: int | None, least: int | None, digits: int) -> str:
    """Return a count in millions; if not everything could be counted, return the lower bound."""
    return f">= {millions(least, digits)}" if whole is None and least else millions(whole, digits)


def _rank(row: Row) -> str:
    return "-" if row.standing.rank is None else f"{row.standing.rank}{'=' if row.standing.tied else ''}"


def _speedup(row: Row) -> str:
    speedup = row.standing.speedup
    return "-" if speedup is None else f"{speedup.value:.2f} [{speedup.low:.2f}, {speedup.high:.2f}]"


def _on_board(row: Row) -> str | None:
    """Return the lowest latency published for the row's network on the emulated board; None if none was published.

    Latencies with the row's number of threads are preferred.
    """
    setup = row.setup
    network = setup.architecture, setup.width, setup.resolution, setup.precision
    cited = [
        (cited.mean_ms if cited.p50_ms is None else cited.p50_ms, cited)
        for cited in published.latencies()
        if network == (cited.architecture, cited.width, cited.resolution, cited.precision)
        if setup.target.startswith(cited.target) and not cited.reservation
    ]
    known = [(value, cited) for value, cited in cited if value is not None]
    if not known:
        return None
    value, nearest = min(known, key=lambda pair: (pair[1].threads != setup.threads, pair[0]))
    threads = f", {nearest.threads} threads" if nearest.threads else ""
    return f"{milliseconds(value)} ms, {published.runtime(nearest)}{threads}"


_OfRow = Column[Row]  # a high `rank` means less important: a narrow terminal drops such a column first
RANK = _OfRow.number("#", _rank, OBJECTIVE)
NETWORK = _OfRow.text("network", lambda row: row.setup.network, IDENTITY)
PRECISION = _OfRow.text("precision", lambda row: row.setup.scheme, IDENTITY)
P50 = _OfRow.number("p50 ms", lambda row: milliseconds(row.latency.p50_ms), OBJECTIVE)
INTERVAL = _OfRow.number("[95 %] or (range)", _interval, OBJECTIVE)
HALF_WIDTH = _OfRow.number("± %", _half_width, rank=5)
P90 = _OfRow.number("p90 ms", lambda row: milliseconds(row.latency.p90_ms), rank=16)
PRE = _OfRow.number("pre ms", lambda row: milliseconds(row.around.pre_ms), rank=16)
POST = _OfRow.number("post ms", lambda row: milliseconds(row.around.post_ms), rank=16)
TOTAL = _OfRow.number("total ms", lambda row: milliseconds(row.around.total_p50_ms), rank=6)
SHARE = _OfRow.number("runtime %", lambda row: number(row.around.runtime_share, 0), rank=18)
FPS = _OfRow.number("fps", lambda row: number(row.around.fps, 0), rank=17)
KERNEL = _OfRow.number("kernel ms", lambda row: milliseconds(row.latency.kernel_ms), rank=6)
TRANSFER = _OfRow.number("transfer ms", lambda row: milliseconds(row.latency.transfer_ms), rank=19)
SPEEDUP = _OfRow.number("int8 x", _speedup, OBJECTIVE)
TOP1 = _OfRow.number("top-1 %", _top1, OBJECTIVE)
PUBLISHED = _OfRow.number("published %", lambda row: number(row.quality.published_top1, 1), rank=21)
CHANGE = _OfRow.number("Δ top-1", lambda row: "-" if row.top1 is None or row.fidelity.change else _change(row), rank=10)
MAP, MAP_CHANGE = _metric("map", "mAP")
MIOU, MIOU_CHANGE = _metric("miou", "mIoU")
IOU, IOU_CHANGE = _metric("iou", "IoU")
AGREEMENT = _OfRow.number("agree %", lambda row: number(row.fidelity.agreement, 1), rank=12)
SQNR = _OfRow.number("SQNR dB", lambda row: number(row.fidelity.sqnr_db, 1), rank=11)
INSTRUCTIONS = _OfRow.number("Minstr", lambda row: number(row.cost.instructions_m, 2), OBJECTIVE)
FEWER = _OfRow.number("int8 x Minstr", lambda row: number(row.standing.instruction_ratio, 2), OBJECTIVE)
ON_BOARD = _OfRow.text("published on the board", _on_board, OBJECTIVE)
NPU_OPERATORS = _OfRow.number("NPU operators %", lambda row: number(row.compiled.npu_operator_share, 1), OBJECTIVE)
NPU_MACS = _OfRow.number("NPU MACs %", lambda row: number(row.compiled.npu_mac_share, 1), OBJECTIVE)
SRAM = _OfRow.number("SRAM KiB", lambda row: number(row.compiled.sram_kib, 1), OBJECTIVE)
FLASH = _OfRow.number("flash KiB", lambda row: number(row.compiled.flash_kib, 1), OBJECTIVE)
DRAM = _OfRow.number("DRAM KiB", lambda row: number(row.compiled.dram_kib or None, 1), rank=6)
LOAD = _OfRow.number("load ms", lambda row: milliseconds(row.latency.load_ms), rank=20)
PEAK = _OfRow.number("peak MiB", lambda row: number(row.memory.peak_mib, 1), rank=8)
DEVICE_PEAK = _OfRow.number("device peak MiB", lambda row: number(row.memory.device_peak_mib, 1), rank=7)
DEVICE_USED = _OfRow.number("device used MiB", lambda row: number(row.memory.device_used_mib, 1), rank=18)
FILE_SIZE = _OfRow.number("file MiB", lambda row: number(row.cost.file_mib, 2), rank=15)
PARAMS = _OfRow.number("params M", lambda row: _counted(row.cost.params, row.cost.params_at_least, 2), rank=17)
MACS = _OfRow.number("MACs M", lambda row: _counted(row.cost.macs, row.cost.macs_at_least, 1), rank=14)
PROCESSES = _OfRow.number("n", lambda row: str(row.latency.processes), rank=13)
VERDICT = _OfRow.text("verdict", lambda row: row.verdict, OBJECTIVE)
COLUMNS = (
    RANK, NETWORK, PRECISION, P50, INTERVAL, HALF_WIDTH, P90, PRE, POST, TOTAL, SHARE, FPS, KERNEL, TRANSFER, SPEEDUP,
    TOP1, PUBLISHED, CHANGE, MAP, MAP_CHANGE, MIOU, MIOU_CHANGE, IOU, IOU_CHANGE, AGREEMENT, SQNR, INSTRUCTIONS, LOAD,
    PEAK, DEVICE_PEAK, DEVICE_USED, FILE_SIZE, PARAMS, MACS, PROCESSES, VERDICT,
)  # fmt: skip
# The first columns of a table of rows that an emulator ran, or that a compiler compiled; they contain no times.
EMULATED = (RANK, NETWORK, PRECISION, INSTRUCTIONS, FEWER, ON_BOARD)
COMPILED = (NETWORK, PRECISION, NPU_OPERATORS, NPU_MACS, SRAM, FLASH, DRAM)
SELDOM = (
    PUBLISHED,
    PRE,
    POST,
    TOTAL,
    SHARE,
    FPS,
    KERNEL,
    TRANSFER,
    INSTRUCTIONS,
    DEVICE_PEAK,
    DEVICE_USED,
)  # a column that is shown only if a row has a value in it
OF_TASKS = {  # the columns of each task, the chief metric first
    "classification": (TOP1, CHANGE),
    "detection": (MAP, MAP_CHANGE),
    "segmentation": (MIOU, MIOU_CHANGE),
    "localization": (IOU, IOU_CHANGE, TOP1),
}
# The columns on which the verdict on the times bears, that on the accuracy, and that on the memory.
TIMES = frozenset((P50, INTERVAL, HALF_WIDTH, P90, PRE, POST, TOTAL, SHARE, FPS, KERNEL, TRANSFER, SPEEDUP, LOAD))
ACCURACIES = frozenset((AGREEMENT, SQNR, *(column for columns in OF_TASKS.values() for column in columns)))
MEMORIES = frozenset((PEAK, DEVICE_PEAK, DEVICE_USED))
BEST = (
    "*: the fastest or the most accurate row of its precision, and all rows whose intervals overlap with its interval"
)


def group_title(row: Row) -> str:
    """Return the title of a group: the settings that its rows share."""
    setup = row.setup
    threads = counted(setup.threads, "thread")
    return f"{setup.place} · {runtime(row)} · {threads} · batch {setup.batch} · {_weights(setup)} · {setup.preset}"


def _weights(setup: Setup) -> str:
    if setup.is_custom:
        return "user-supplied models"
    return f"trained on {setup.dataset}" if setup.weights == "trained" else f"{setup.dataset}, weights {setup.origin}"


def groups(table: Table) -> Iterator[tuple[str, list[Row]]]:
    """Split the rows into comparable groups with titles.

    A title names the task if the rows have several tasks, and the epoch if its target has several epochs.
    """
    places, tasks = _places(table), {row.setup.task for row in table.rows}
    for rows in together(table.rows):
        title = group_title(min(rows, key=lambda row: row.setup.is_custom))
        task = f" · {rows[0].setup.task}" if len(tasks) > 1 else ""
        yield title + task + _in_epoch(places, rows[0].setup), rows


def _places(table: Table) -> set[tuple[str, str]]:
    """Return all pairs of a target and one of its epochs."""
    return {(row.setup.target, row.setup.epoch) for row in table.rows}


def _in_epoch(places: Iterable[tuple[str, str]], setup: Setup) -> str:
    """Return the words for an epoch in a title; an empty text if the table has only one epoch of that target."""
    has_others = any(target == setup.target and epoch != setup.epoch for target, epoch in places)
    board = f" · board {setup.board}" if setup.board else ""
    return f" · epoch {setup.epoch}{board}" if has_others else ""


def sheets(table: Table) -> Iterator[Sheet]:
    """Yield one titled table with notes per group of comparable rows."""
    for title, rows in groups(table):
        best = _best(rows)
        notes = (*([BEST] if any(best.values()) else []), *why(rows), *_custom(rows))
        shown = [_starred(column, best.get(column, frozenset())) for column in columns(rows)]
        yield Sheet.of(title, shown, rows, notes)


def columns(rows: Iterable[Row]) -> tuple[Column[Row], ...]:
    """Return the columns that have values in these rows; for rows without times, in another order."""
    ordered = list(rows)
    empty = [column for column in SELDOM if all(column.cell(row) == "-" for row in ordered)]
    tasks = {row.setup.task for row in ordered} or {CLASSIFICATION}
    of_tasks = {column for task in tasks for column in OF_TASKS.get(task, ())}
    empty += [column for columns in OF_TASKS.values() for column in columns if column not in of_tasks]
    if first := _untimed(ordered):
        shown = (*first, *(column for column in COLUMNS if column not in (*empty, *first)))
        has_value = {column: any(column.cell(row) not in ("-", "0") for row in ordered) for column in shown}
        return tuple(column for column in shown if has_value[column] or column == first[0])
    return tuple(column for column in COLUMNS if column not in empty)


def _untimed(rows: Sequence[Row]) -> tuple[Column[Row], ...]:
    """Return the first columns of rows that have other figures than times; an empty tuple for rows with times."""
    if any(row.latency.p50_ms for row in rows):
        return ()
    if any(row.compiled.compiled_for for row in rows):
        return COMPILED
    return EMULATED if any(row.cost.instructions_m for row in rows) else ()


def _best(rows: list[Row]) -> dict[Column[Row], frozenset[Row]]:
    """Return, for the latency and for the chief metric, each precision's best row and the rows that tie with it."""
    parts = by_precision(rows).values()
    return {
        P50: frozenset[Row]().union(*map(fastest, parts)),
        **dict.fromkeys(chief(rows), frozenset[Row]().union(*map(most_accurate, parts))),
    }


def chief(rows: Iterable[Row]) -> tuple[Column[Row], ...]:
    """Return the chief metric's column for each task among the rows."""
    tasks = {row.setup.task for row in rows}
    return tuple(columns[0] for task, columns in OF_TASKS.items() if task in tasks)


def _starred(column: Column[Row], best: frozenset[Row]) -> Column[Row]:
    """Mark the best rows with a star; a blank after the other rows keeps the digits aligned."""
    if not best:
        return column
    return replace(column, cell=lambda row: f"{column.cell(row)}{'*' if row in best else ' '}")


def across(table: Table) -> Iterator[Sheet]:
    """Yield tables with a row per variant and a column per runtime, for variants that ran on several runtimes."""
    places = _places(table)
    for several in across_runtimes(table.rows):
        first = next(iter(several[0].rows.values())).setup
        yield replace(_across(first, several), title=_title(first) + _in_epoch(places, first))


def _title(setup: Setup) -> str:
    threads = counted(setup.threads, "thread")
    return f"{setup.place} · {threads} · batch {setup.batch} · {setup.preset} · p50 ms by runtime"


def _across(first: Setup, several: Sequence[Across]) -> Sheet:
    runtimes = sorted({name for variant in several for name in variant.rows})
    return Sheet.of(_title(first), (*_VARIANT, *map(_timed, runtimes)), several)


_VARIANT: tuple[Column[Across], ...] = (
    Column.text("network", lambda variant: variant.network, IDENTITY),
    Column.text("precision", lambda variant: variant.scheme, IDENTITY),
)


def _timed(runtime: str) -> Column[Across]:
    """Return the column of latencies on one runtime."""

    def cell(variant: Across) -> str:
        row = variant.rows.get(runtime)
        p50_ms = row.latency.p50_ms if row else None
        return "-" if row is None or p50_ms is None else f"{milliseconds(p50_ms)} {_interval(row)}"

    return Column.number(runtime, cell, OBJECTIVE)


def endurance(table: Table) -> Iterator[Sheet]:
    """Yield tables of the latency under sustained load, for rows in which it was measured."""
    places = _places(table)
    for rows in together(table.rows):
        if sustained := [row for row in rows if row.sustained.lasted_s]:
            title = f"{group_title(sustained[0])} · sustained load{_in_epoch(places, sustained[0].setup)}"
            note = "burst: the first 15 s from a cool start; sustained: the last fifth; °C: maximum; MHz: minimum."
            yield Sheet.of(title, ENDURANCE, sustained, (note,))


def _minutes(row: Row) -> str:
    return number(row.sustained.lasted_s / 60 if row.sustained.lasted_s else None, 1)


def _slowdown(row: Row) -> str:
    burst_ms, sustained_ms = row.sustained.burst_ms, row.sustained.sustained_ms
    return number(sustained_ms / burst_ms if sustained_ms and burst_ms else None, 2)


ENDURANCE = (
    NETWORK,
    PRECISION,
    _OfRow.number("min", _minutes),
    _OfRow.number("burst ms", lambda row: milliseconds(row.sustained.burst_ms), OBJECTIVE),
    _OfRow.number("sustained ms", lambda row: milliseconds(row.sustained.sustained_ms), OBJECTIVE),
    _OfRow.number("sustained x", _slowdown, OBJECTIVE),
    _OfRow.number("°C", lambda row: number(row.sustained.hottest_c, 1)),
    _OfRow.number("MHz", lambda row: number(row.sustained.slowest_mhz, 0)),
)


def why(rows: list[Row]) -> Iterator[str]:
    """Yield each reason for a verdict once, with the rows that share it."""
    sharing = defaultdict[str, list[Row]](list)
    for row in rows:
        for reason in filter(None, row.reasons.split("; ")):
            sharing[reason].append(row)
    for reason, some in sharing.items():
        yield f"{which(some, rows)}: {reason}"


def which(some: Sequence[Row], rows: Sequence[Row]) -> str:
    """Return a short phrase that says which of `rows` are in the subset `some`."""
    known = set(map(id, some))
    others = [row for row in rows if id(row) not in known]
    precisions = {str(row.setup.precision) for row in some}
    if not others and len(rows) > 1:
        return "all rows"
    if len(some) > 1 and len(precisions) == 1 and precisions.isdisjoint(str(row.setup.precision) for row in others):
        return f"all {next(iter(precisions))} rows"
    if len(others) <= MOST_NAMED < len(some):
        return f"all rows but {', '.join(row.setup.title for row in others)}"
    more = [counted(len(some) - MOST_NAMED, "more row")] if len(some) > MOST_NAMED + 1 else []
    named = some[:MOST_NAMED] if more else some
    return ", ".join([*(row.setup.title for row in named), *more])


def _custom(rows: list[Row]) -> Iterator[str]:
    """Name the data set of each user-supplied model, because the title of a group may name another data set."""
    custom = [row.setup for row in rows if row.setup.is_custom and row.quality.images]
    for network, dataset in dict.fromkeys((setup.network, setup.dataset) for setup in custom):
        yield f"{network}: a user-supplied model, evaluated on {dataset}"


@lru_cache(maxsize=1)
def every_sheet(table: Table) -> tuple[Sheet, ...]:
    """Return all tables: the groups, then latencies by runtime and latencies under sustained load.

    The result is cached, because files and the terminal show it.
    """
    return (*sheets(table), *beside(table))


@lru_cache(maxsize=1)
def beside(table: Table) -> tuple[Sheet, ...]:
    """Return the further tables: latencies by runtime, and latencies under sustained load."""
    return (*across(table), *endurance(table))


def render(table: Table, background: Background = NOTHING) -> str:
    """Write the title, all tables and the notes."""
    return _written(table)


def _for_forge(sheet: Sheet) -> Sheet:
    """Fit a table to a code-hosting site's narrow page: move the verdict beside the latency; do not break intervals."""
    columns = sorted(sheet.columns, key=lambda column: column.heading == VERDICT.heading)
    if INTERVAL.heading in sheet.headings and columns[-1].heading == VERDICT.heading:
        columns.insert(sheet.headings.index(INTERVAL.heading) + 1, columns.pop())
    return replace(sheet, columns=tuple(replace(column, cells=(*map(_unbroken, column.cells),)) for column in columns))


def _unbroken(cell: str) -> str:
    """Join a number and its interval by no-break spaces."""
    return _BREAKS.sub("\N{NO-BREAK SPACE}", cell) if cell[-2:].rstrip("* ").endswith((")", "]")) else cell


@lru_cache(maxsize=1)
def _written(table: Table) -> str:
    """Write the report; the result is cached, because two files contain this text."""
    notes = [f"{escape.markdown_line(note)}\n" for note in table.notes]
    tables = [markdown(_for_forge(sheet)) for sheet in every_sheet(table)]
    return "\n".join([f"# {escape.markdown(table.title)}", "", *tables, *notes])

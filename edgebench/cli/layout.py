"""Formatted columns and a terminal's width -> the lines of a table, in which no text is cut and no two rows look alike.

If a table is too wide, it is narrowed step by step. First, values that all rows share move to a sentence above the
table, and empty columns are left out. Then the least important columns, which have the highest `rank`, are left out.
Then the intervals next to figures are left out, and long texts are wrapped. If the columns that identify a row leave no
room for the row's figures, these columns are printed on a separate line above the figures. If the table is still too
wide, each row becomes a block with a line for each cell.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from itertools import islice, zip_longest
from typing import TYPE_CHECKING

from edgebench.foundation.sheet import IDENTITY, OBJECTIVE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from edgebench.foundation.sheet import FormattedColumn

WIDE, NARROW, INDENT = 3, 2, 2  # blanks between columns, between columns in a narrow table, and before an indented line
EDGES = 2  # total number of blanks at both ends of a line, if there is room for them
LEAST_PROSE = 16  # least width of wrapped prose; narrower prose is harder to read than a block
LONGEST_NAME = 32  # greatest width of a name; a longer text is treated as prose
EMPTY = ("", "-")
_WITH_INTERVAL = re.compile(r"(?P<figure>.*[^\s,]) [\[(][^\[\]()]*[\])](?P<mark>[* ]?)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Laid:
    """The lines of a table.

    Attributes:
        above: a sentence with the values that all rows share.
        left_out: headings of columns that are not shown.
        without_intervals: headings of columns whose figures are shown without their intervals.
    """

    lines: tuple[str, ...]
    above: str = ""
    left_out: tuple[str, ...] = ()
    without_intervals: tuple[str, ...] = ()


def lay_out(columns: Sequence[FormattedColumn], width: int) -> Laid:
    """Lay out columns of equal length within a width, which is given in terminal cells."""
    if table_width(columns, WIDE) + EDGES <= width:
        return Laid(lines=tuple(_grid(columns, WIDE, has_edges=True)))
    if not _height(columns):
        return Laid(lines=("(no rows)",))
    if _height(columns) == 1:
        return Laid(lines=tuple(_blocks(columns, width)))
    kept, above = _without_constants(columns)
    shown, stacked = _fitted(_told_apart(kept), width)
    headings = {column.heading for column in shown}
    whole = {column.heading: column.cells for column in kept}
    lines = _stack(shown, width) if stacked else _grid(shown, NARROW) if shown else _blocks(kept, width)
    return Laid(
        lines=tuple(lines),
        above=above,
        left_out=tuple(column.heading for column in kept if shown and column.heading not in headings),
        without_intervals=tuple(
            column.heading
            for column in shown
            if column.align == "right" and column.cells != whole[column.heading] and not _is_wrapped(column)
        ),
    )


def _fitted(columns: Sequence[FormattedColumn], width: int) -> tuple[list[FormattedColumn], bool]:
    """Return the columns that fit, or an empty list, and whether each row's figures go on a line below its names."""
    if side_by_side := _fit(columns, width):
        return side_by_side, False
    identity = [column for column in columns if column.rank <= IDENTITY]
    below = _fit([column for column in columns if column.rank > IDENTITY], width - INDENT) if identity else []
    return [*identity, *below] if below else [], bool(below)


def _fit(columns: Sequence[FormattedColumn], width: int) -> list[FormattedColumn]:
    """Return the required columns, and others while there is room; an empty list if the required columns do not fit."""
    needed = [column for column in columns if column.rank <= OBJECTIVE]
    shown = {column.heading: column for column in needed}
    if table_width(needed) > width:
        shown = {column.heading: _brief(column) for column in needed}
        if table_width([*shown.values()]) > width:
            return _wrapped(needed, width)
    for column in sorted(columns, key=lambda column: column.rank):
        more = shown | {column.heading: column}
        if table_width([*more.values()]) <= width:
            shown = more
        elif column.rank > OBJECTIVE:
            break  # without this column, no less important column (with a higher rank) is shown
    return [shown[column.heading] for column in columns if column.heading in shown]


def _brief(column: FormattedColumn) -> FormattedColumn:
    """Return a column of figures without the interval behind each figure; a column of intervals alone is unchanged."""
    if column.align == "left":
        return column
    matches = [_WITH_INTERVAL.fullmatch(cell) for cell in column.cells]
    pairs = zip(matches, column.cells, strict=True)
    return replace(column, cells=tuple(match["figure"] + match["mark"] if match else cell for match, cell in pairs))


def _wrapped(columns: Sequence[FormattedColumn], width: int) -> list[FormattedColumn]:
    """Wrap the widest columns of prose until the table fits; return an empty list if it cannot fit."""
    prose = {place for place, column in enumerate(columns) if column.rank > IDENTITY and column.align == "left"}
    widths = [column_width(column) for column in columns]
    least = [max(LEAST_PROSE, *(cells(word) for word in _words(column))) for column in columns]
    while sum(widths) + NARROW * (len(widths) - 1) > width:
        if not (narrowable := [place for place in prose if widths[place] > least[place]]):
            return []
        widths[max(narrowable, key=lambda place: widths[place])] -= 1
    return [
        replace(column, cells=tuple("\n".join(wrap(cell, room)) for cell in column.cells)) if place in prose else column
        for place, (column, room) in enumerate(zip(columns, widths, strict=True))
    ]


def _words(column: FormattedColumn) -> Iterator[str]:
    for text in (column.heading, *column.cells):
        yield from text.split() or [""]


def _is_wrapped(column: FormattedColumn) -> bool:
    return any("\n" in cell for cell in column.cells)


def _without_constants(columns: Sequence[FormattedColumn]) -> tuple[list[FormattedColumn], str]:
    """Return the columns whose values differ, and a sentence that states the values of the constant columns."""
    kept = [column for column in columns if len({*map(str.strip, column.cells)}) > 1]
    constant = [column for column in columns if column not in kept and column.cells[0].strip() not in EMPTY]
    said = ", ".join(f"{column.heading} {column.cells[0].strip()}".strip() for column in constant)
    return kept or [*columns], f"In all rows: {said}." if said and kept else ""


def _told_apart(columns: Sequence[FormattedColumn]) -> list[FormattedColumn]:
    """Add columns to those that identify a row, the most important first, until different rows look different."""
    identity = [column for column in columns if column.rank <= IDENTITY]
    distinct, more = _distinct(identity), set[str]()
    candidates = [column for column in columns if column.rank > OBJECTIVE and _is_a_setting(column)]
    for column in sorted(candidates, key=lambda column: column.rank):
        if distinct < _height(columns) and (better := _distinct([*identity, column])) > distinct:
            identity.append(column)
            more.add(column.heading)
            distinct = better
    return [replace(column, rank=IDENTITY) if column.heading in more else column for column in columns]


def _is_a_setting(column: FormattedColumn) -> bool:
    """Return whether the cells are names or counts, which can identify a row; figures and prose cannot."""
    if column.align == "left":
        return max(map(cells, column.cells)) <= LONGEST_NAME
    return all(cell.isdigit() or cell in EMPTY for cell in column.cells)


def _distinct(columns: Sequence[FormattedColumn]) -> int:
    """Return how many rows can be told apart by these columns."""
    return len(set(zip(*(column.cells for column in columns), strict=True)))


def _height(columns: Sequence[FormattedColumn]) -> int:
    return len(columns[0].cells) if columns else 0


def cells(text: str) -> int:
    """Return the width of a text in terminal cells."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def column_width(column: FormattedColumn) -> int:
    """Return the width of the widest line of a column."""
    lines = "\n".join((column.heading, *column.cells)).split("\n")
    return max(map(len if all(map(str.isascii, lines)) else cells, lines))


def table_width(columns: Sequence[FormattedColumn], gap: int = NARROW) -> int:
    """Return the width of columns side by side, with `gap` blanks between them."""
    return sum(map(column_width, columns)) + gap * max(0, len(columns) - 1)


def wrap(text: str, width: int) -> list[str]:
    """Break a text at blanks into lines of at most `width` terminal cells; break a word only if it is wider."""
    lines, room = [""], max(1, width)
    for word in text.split():
        if lines[-1] and cells(lines[-1]) + 1 + cells(word) <= room:
            lines[-1] += f" {word}"
            continue
        if lines[-1]:
            lines.append("")
        for letter in word if cells(word) > room else [word]:
            if lines[-1] and cells(lines[-1]) + cells(letter) > room:
                lines.append("")
            lines[-1] += letter
    return lines


def _grid(columns: Sequence[FormattedColumn], gap: int, *, has_edges: bool = False) -> Iterator[str]:
    """Yield the headings, a horizontal line and the rows; a row with a wrapped cell takes several lines."""
    widths = [*map(column_width, columns)]
    edge, whole = " " * has_edges, table_width(columns, gap)
    blank = " " * (whole + 2 * has_edges)
    yield from [blank] * has_edges
    for number, row in enumerate(zip(*((column.heading, *column.cells) for column in columns), strict=True)):
        for line in zip_longest(*(cell.split("\n") for cell in row), fillvalue=""):
            padded = map(_padded, line, columns, widths)
            yield f"{edge}{(' ' * gap).join(padded)}{edge}"
        if number == 0:
            yield f"{edge}{'─' * whole}{edge}"
    yield from [blank] * has_edges


def _padded(text: str, column: FormattedColumn, width: int) -> str:
    room = " " * (width - cells(text))
    return text + room if column.align == "left" else room + text


def _stack(columns: Sequence[FormattedColumn], width: int) -> Iterator[str]:
    """Yield each row in two parts: the cells that identify it, and below them its figures."""
    identity = [column for column in columns if column.rank <= IDENTITY]
    figures = [column for column in columns if column.rank > IDENTITY]
    below = (" " * INDENT + line for line in _grid(figures, NARROW))
    yield from wrap(_joined([column.heading for column in identity]), width)
    yield from islice(below, 2)
    for place in range(_height(columns)):
        yield from wrap(_joined([column.cells[place] for column in identity]), width)
        yield from islice(below, max(column.cells[place].count("\n") + 1 for column in figures))


def _blocks(columns: Sequence[FormattedColumn], width: int) -> Iterator[str]:
    """Yield each row as a block: the cells that identify the row, then a line for each other cell that is not empty."""
    identity = [column for column in columns if column.rank <= IDENTITY]
    others = [column for column in columns if column.rank > IDENTITY]
    label = max((cells(column.heading) for column in others), default=0) + NARROW
    for place in range(_height(columns)):
        yield from [""] * bool(place)
        yield from wrap(_joined([column.cells[place] for column in identity]), width)
        for column in others:
            if (text := column.cells[place].strip()) not in EMPTY:
                yield from _labelled(column.heading, text, label, width)


def _labelled(heading: str, text: str, label: int, width: int) -> Iterator[str]:
    """Yield a heading with the text beside it; if there is too little room, wrap the two as one text."""
    room = width - INDENT - label
    if room < min(LEAST_PROSE, cells(text)):
        yield from (" " * INDENT + line for line in wrap(f"{heading} {text}", width - INDENT))
        return
    beside = heading + " " * (label - cells(heading))
    for line in wrap(text, room):
        yield " " * INDENT + beside + line
        beside = " " * label


def _joined(names: Sequence[str]) -> str:
    return ", ".join(name.strip() for name in names if name.strip() not in EMPTY)

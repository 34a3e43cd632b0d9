"""Columns and items -> a sheet (a table), written for people in Markdown and LaTeX, and for programs in CSV and JSON.

Tables on the terminal are printed from sheets, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import isfinite
from typing import Generic, Literal, TypeAlias, TypeVar

from edgebench.foundation import escape

T = TypeVar("T")
Number = TypeVar("Number", bound=float | None)
Value: TypeAlias = "str | float | Sequence[Value] | Mapping[str, Value] | None"
Align = Literal["left", "right"]
VERSION = 1  # version of the layout of all JSON documents
# Ranks of columns: the higher a column's number, the less important it is, and the sooner a narrow terminal omits it.
IDENTITY, OBJECTIVE, DETAIL = 0, 1, 2


def _or_dash(value: object) -> str:
    return "-" if value is None else str(value)


def _key(heading: str) -> str:
    return heading.lower().replace("%", "per_cent").replace("-", "").replace(" ", "_")


@dataclass(frozen=True, slots=True, kw_only=True)
class Column(Generic[T]):
    """One column of a sheet (a table): its functions turn a row's item into a cell for people and values for programs.

    Attributes:
        heading: the column's title, with the unit.
        rank: IDENTITY if the column names the row, OBJECTIVE if it is the sheet's main figure, DETAIL or a higher
            number for less important columns. If a terminal is too narrow, columns are left out from the highest number
            down to DETAIL, and from right to left where numbers are equal.
        fields: the column's keys in CSV and JSON, each with a function that returns the key's value; a key ends with
            the unit, as in `p50_low_ms`.
    """

    heading: str
    cell: Callable[[T], str]
    align: Align
    rank: int = DETAIL
    fields: tuple[tuple[str, Callable[[T], Value]], ...] = ()

    @classmethod
    def text(
        cls, heading: str, words: Callable[[T], str | None], rank: int = DETAIL, **fields: Callable[[T], Value]
    ) -> Column[T]:
        """Make a column of words, aligned to the left; None is shown as a dash.

        Without `fields`, CSV and JSON contain the same words as the table for people.
        """
        own = {_key(heading): lambda item: words(item) or None}
        return cls(
            heading=heading,
            cell=lambda item: _or_dash(words(item)),
            align="left",
            rank=rank,
            fields=(*(fields or own).items(),),
        )

    @classmethod
    def number(
        cls, heading: str, cell: Callable[[T], str], rank: int = DETAIL, **fields: Callable[[T], Value]
    ) -> Column[T]:
        """Make a column of formatted numbers, such as intervals, aligned to the right."""
        return cls(heading=heading, cell=cell, align="right", rank=rank, fields=(*fields.items(),))

    @classmethod
    def figure(
        cls,
        heading: str,
        value: Callable[[T], Number],
        show: Callable[[Number], str] = _or_dash,
        rank: int = DETAIL,
        *,
        key: str = "",
    ) -> Column[T]:
        """Make a column of numbers, which the function `show` formats; without a `key`, the heading becomes the key."""
        return cls.number(heading, lambda item: show(value(item)), rank, **{key or _key(heading): value})

    def format(self, items: Iterable[T]) -> FormattedColumn:
        """Return this column with a formatted cell for each item."""
        return FormattedColumn(
            heading=self.heading, cells=tuple(map(self.cell, items)), align=self.align, rank=self.rank
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FormattedColumn:
    """A column with its formatted cells, from top to bottom; `rank` has the same meaning as in `Column`."""

    heading: str
    cells: tuple[str, ...]
    align: Align
    rank: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """A fact, shown as one row of a sheet of facts; it has a text for people, and keyed values for programs."""

    what: str
    text: str
    values: Mapping[str, Value]

    @classmethod
    def of(cls, what: str, text: str, **values: Value) -> Fact:
        """Return a fact with a name, a text for people, and values; each value's key ends with the value's unit."""
        return cls(what=what, text=text, values=values)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """A table ready to be shown.

    Attributes:
        name: the table's key in a JSON document, and its name for the option `--table`.
        fields: for each key of CSV and JSON, the values from top to bottom.
        conclusion: the notes that say what the table shows; a terminal prints them last.
        method: the notes that say how the table was computed; a terminal prints a reference to the guide instead.
    """

    title: str
    columns: tuple[FormattedColumn, ...]
    notes: tuple[str, ...] = ()
    name: str = "rows"
    fields: Mapping[str, tuple[Value, ...]] = field(default_factory=dict)
    conclusion: tuple[str, ...] = ()
    method: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        title: str,
        columns: Iterable[Column[T]],
        items: Iterable[T],
        notes: Iterable[str] = (),
        *,
        name: str = "rows",
        totals: Iterable[T] = (),
    ) -> Sheet:
        """Make a sheet with a row per item; output for people ends with further rows, one for each of `totals`."""
        columns, items = tuple(columns), tuple(items)
        shown = (*items, *totals)
        return cls(
            title=title,
            columns=tuple(column.format(shown) for column in columns),
            notes=tuple(notes),
            name=name,
            fields={key: tuple(map(value, items)) for column in columns for key, value in column.fields},
        )

    @classmethod
    def of_facts(
        cls, title: str, columns: Iterable[Column[Fact]], facts: Iterable[Fact], notes: Iterable[str] = (), *, name: str
    ) -> Sheet:
        """Make a sheet of facts: for people, a row per fact; for programs, one record with the values of all facts."""
        facts = tuple(facts)
        values = {key: (value,) for fact in facts for key, value in fact.values.items()}
        return replace(cls.of(title, columns, facts, notes, name=name), fields=values)

    def closed(self, conclusion: Iterable[str], method: Iterable[str] = ()) -> Sheet:
        """Return the sheet with two kinds of notes added in front: what the table shows, and how it was computed."""
        told, how = tuple(conclusion), tuple(method)
        return replace(self, notes=(*told, *how, *self.notes), conclusion=told, method=how)

    @property
    def records(self) -> tuple[Mapping[str, Value], ...]:
        """The rows for programs; each row is a mapping from key to value."""
        return tuple(dict(zip(self.fields, values, strict=True)) for values in zip(*self.fields.values(), strict=True))

    @property
    def headings(self) -> tuple[str, ...]:
        """The headings, from left to right."""
        return tuple(column.heading for column in self.columns)

    @property
    def rows(self) -> tuple[tuple[str, ...], ...]:
        """The rows for people; each row is a tuple of cells, from left to right."""
        return tuple(zip(*(column.cells for column in self.columns), strict=True))


def markdown(sheet: Sheet) -> str:
    """Write an aligned Markdown table with its title and notes."""
    notes = ["", *(f"- {escape.markdown_line(note)}" for note in sheet.notes)] if sheet.notes else []
    return "\n".join([f"## {escape.markdown(sheet.title)}", "", *_lines(sheet), *notes]) + "\n"


def _lines(sheet: Sheet) -> Iterator[str]:
    columns = [_padded(column) for column in sheet.columns]
    for cells in zip(*columns, strict=True):
        yield f"| {' | '.join(cells)} |"


def _padded(column: FormattedColumn) -> Iterator[str]:
    """Pad a column's heading, the rule below the heading, and the column's cells to the same width."""
    heading, *cells = map(escape.markdown, (column.heading, *column.cells))
    width = max(3, *map(len, (heading, *cells)))  # the shortest rule is `--:`
    is_text = column.align == "left"
    rule = "-" * width if is_text else "-" * (width - 1) + ":"
    return (cell.ljust(width) if is_text else cell.rjust(width) for cell in (heading, rule, *cells))


def as_csv(sheet: Sheet) -> str:
    """Write keys and values as CSV; None is an empty cell."""
    return escape.csv_text((sheet.fields, *(map(_csv_cell, record.values()) for record in sheet.records)))


def _csv_cell(value: Value) -> Value:
    return "; ".join(map(str, value)) if isinstance(value, (list, tuple)) else value


def latex(sheet: Sheet) -> str:
    r"""Write a LaTeX table as wide as the text, with notes below; LaTeX needs `\usepackage{booktabs,graphicx}`."""
    alignment = "".join(column.align[0] for column in sheet.columns)
    lines = [" & ".join(map(escape.latex, cells)) + r" \\" for cells in (sheet.headings, *sheet.rows)]
    notes = [rf"\par\footnotesize {escape.latex(note)}" for note in sheet.notes]
    return "\n".join(
        (
            r"\begin{table}",
            rf"\caption{{{escape.latex(sheet.title)}}}",
            r"\resizebox{\textwidth}{!}{%",
            rf"\begin{{tabular}}{{{alignment}}}",
            r"\toprule",
            lines[0],
            r"\midrule",
            *lines[1:],
            r"\bottomrule",
            r"\end{tabular}}",
            *notes,
            r"\end{table}",
            "",
        )
    )


def document(sheets: Sequence[Sheet]) -> dict[str, Value]:
    """Return sheets as one JSON object: the first sheet's title, each sheet's rows under its name, and all notes."""
    tables = {sheet.name: sheet.records for sheet in sheets}
    return {"title": sheets[0].title, **tables, "notes": [note for sheet in sheets for note in sheet.notes]}


def as_json(command: str, fields: Mapping[str, Value], *, is_ascii: bool = False) -> str:
    """Write a command's answer as one JSON document on one line; a number that is not finite becomes null.

    With `is_ascii`, all non-ASCII characters are escaped, for a stream that cannot encode them.
    """
    answer = {"version": VERSION, "command": command} | {key: _plain(value) for key, value in fields.items()}
    return escape.json_text(answer, is_ascii=is_ascii) + "\n"


def _plain(value: Value) -> Value:
    if isinstance(value, float) and not isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {key: _plain(part) for key, part in value.items()}
    return value if value is None or isinstance(value, (str, int, float)) else [_plain(part) for part in value]

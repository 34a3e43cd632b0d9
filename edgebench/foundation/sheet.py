"""Columns and items -> Markdown, CSV, LaTeX or JSON text; what every table that people read is made of."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from io import StringIO
from typing import Generic, Literal, TypeVar

T = TypeVar("T")
Align = Literal["left", "right"]
IDENTITY, OBJECTIVE, DETAIL = 0, 1, 2  # ranks of columns; above them come those that are left out first


@dataclass(frozen=True, slots=True, kw_only=True)
class Column(Generic[T]):
    """One column of a sheet, and how its cell is made from an item.

    Attributes:
        heading: with the unit.
        rank: IDENTITY names the row, OBJECTIVE is what the sheet is about, DETAIL is the rest. Of what is ranked above,
            a narrow terminal leaves out the highest rank first, and of equal ranks the rightmost.
    """

    heading: str
    cell: Callable[[T], str]
    align: Align
    rank: int = DETAIL

    @classmethod
    def text(cls, heading: str, cell: Callable[[T], str], rank: int = DETAIL) -> Column[T]:
        """Make a column of words, which are aligned to the left."""
        return cls(heading=heading, cell=cell, align="left", rank=rank)

    @classmethod
    def number(cls, heading: str, cell: Callable[[T], str], rank: int = DETAIL) -> Column[T]:
        """Make a column of numbers, which are aligned to the right."""
        return cls(heading=heading, cell=cell, align="right", rank=rank)

    def format(self, items: Iterable[T]) -> FormattedColumn:
        """Format a cell for each item."""
        return FormattedColumn(
            heading=self.heading, cells=tuple(map(self.cell, items)), align=self.align, rank=self.rank
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FormattedColumn:
    """A column with its cells, from top to bottom; `rank` as in `Column`."""

    heading: str
    cells: tuple[str, ...]
    align: Align
    rank: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """A table ready to be shown."""

    title: str
    columns: tuple[FormattedColumn, ...]
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, title: str, columns: Iterable[Column[T]], items: Iterable[T], notes: Iterable[str] = ()) -> Sheet:
        """Lay out items, one row each."""
        items = tuple(items)
        return cls(title=title, columns=tuple(column.format(items) for column in columns), notes=tuple(notes))

    @property
    def headings(self) -> tuple[str, ...]:
        """The headings, from left to right."""
        return tuple(column.heading for column in self.columns)

    @property
    def rows(self) -> tuple[tuple[str, ...], ...]:
        """The cells, row by row."""
        return tuple(zip(*(column.cells for column in self.columns), strict=True))


def escape(text: str) -> str:
    """Keep Markdown from reading a cell as markup."""
    return text.replace("|", "\\|").replace("<", "&lt;")


def markdown(sheet: Sheet) -> str:
    """Write an aligned Markdown table with its title and notes."""
    notes = ["", *(f"- {escape(note)}" for note in sheet.notes)] if sheet.notes else []
    return "\n".join([f"## {escape(sheet.title)}", "", *_lines(sheet), *notes]) + "\n"


def _lines(sheet: Sheet) -> Iterator[str]:
    columns = [_padded(column) for column in sheet.columns]
    for cells in zip(*columns, strict=True):
        yield f"| {' | '.join(cells)} |"


def _padded(column: FormattedColumn) -> Iterator[str]:
    """Pad heading, rule and cells to one width."""
    heading, *cells = map(escape, (column.heading, *column.cells))
    width = max(3, *map(len, (heading, *cells)))  # a rule takes `--:`
    is_text = column.align == "left"
    rule = "-" * width if is_text else "-" * (width - 1) + ":"
    return (cell.ljust(width) if is_text else cell.rjust(width) for cell in (heading, rule, *cells))


def as_csv(sheet: Sheet) -> str:
    """Write headings and rows as CSV."""
    text = StringIO()
    csv.writer(text, lineterminator="\n").writerows((sheet.headings, *sheet.rows))
    return text.getvalue()


# What LaTeX would read as a command, and letters that its usual fonts lack.
_LATEX = str.maketrans(
    {
        "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
        "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
        "|": r"\textbar{}", '"': r"\textquotedbl{}", "±": r"$\pm$", "×": r"$\times$", "·": r"$\cdot$", "Δ": r"$\Delta$",
        "α": r"$\alpha$", "ρ": r"$\rho$", "≤": r"$\leq$", "≥": r"$\geq$", "²": r"$^2$", "…": r"\ldots{}", "[": "{[}",
        "]": "{]}", "*": r"$^*$",
    }
)  # fmt: skip


def latex_escape(text: str) -> str:
    """Keep LaTeX from reading words as commands; a bracket that begins a row would be an argument of the last one."""
    return " ".join(text.translate(_LATEX).split())


def latex(sheet: Sheet) -> str:
    r"""Write a LaTeX table as wide as the text, for `\usepackage{booktabs,graphicx}`, its notes below it."""
    alignment = "".join(column.align[0] for column in sheet.columns)
    lines = [" & ".join(map(latex_escape, cells)) + r" \\" for cells in (sheet.headings, *sheet.rows)]
    notes = [rf"\par\footnotesize {latex_escape(note)}" for note in sheet.notes]
    return "\n".join(
        (
            r"\begin{table}",
            rf"\caption{{{latex_escape(sheet.title)}}}",
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


def as_json(sheet: Sheet) -> str:
    """Write one JSON object: title, rows by heading, notes."""
    rows = [dict(zip(sheet.headings, row, strict=True)) for row in sheet.rows]
    return json.dumps({"title": sheet.title, "rows": rows, "notes": sheet.notes}, ensure_ascii=False) + "\n"

"""Headings and cells -> Markdown, CSV, LaTeX or JSON text; what every table that people read is made of."""

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from io import StringIO


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """A table ready to be shown.

    Attributes:
        headings: one a column, with its unit; columns named in `texts` are aligned to the left.
        rows: a cell a heading, formatted.
    """

    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    texts: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()


def escape(text: str) -> str:
    """Keep Markdown from reading a cell as markup."""
    return text.replace("|", "\\|").replace("<", "&lt;")


def markdown(sheet: Sheet) -> str:
    """Write an aligned Markdown table with its title and notes."""
    notes = ["", *(f"- {escape(note)}" for note in sheet.notes)] if sheet.notes else []
    return "\n".join([f"## {escape(sheet.title)}", "", *_lines(sheet), *notes]) + "\n"


def _lines(sheet: Sheet) -> Iterator[str]:
    cells = [[escape(cell) for cell in row] for row in (sheet.headings, *sheet.rows)]
    widths = [max(3, *map(len, column)) for column in zip(*cells, strict=True)]  # a rule takes `--:`
    left = [heading in sheet.texts for heading in sheet.headings]
    rule = ["-" * width if is_text else "-" * (width - 1) + ":" for width, is_text in zip(widths, left, strict=True)]
    for row in (cells[0], rule, *cells[1:]):
        padded = (
            cell.ljust(width) if is_text else cell.rjust(width)
            for cell, width, is_text in zip(row, widths, left, strict=True)
        )
        yield f"| {' | '.join(padded)} |"


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
    columns = "".join("l" if heading in sheet.texts else "r" for heading in sheet.headings)
    lines = [" & ".join(map(latex_escape, cells)) + r" \\" for cells in (sheet.headings, *sheet.rows)]
    notes = [rf"\par\footnotesize {latex_escape(note)}" for note in sheet.notes]
    return "\n".join(
        (
            r"\begin{table}",
            rf"\caption{{{latex_escape(sheet.title)}}}",
            r"\resizebox{\textwidth}{!}{%",
            rf"\begin{{tabular}}{{{columns}}}",
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

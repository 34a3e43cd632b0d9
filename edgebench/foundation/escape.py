"""Text of unknown origin -> the same text, escaped so that an output format treats no part of it as a command.

Names, messages and labels come from files, boards and folders, and may contain anything. Text stays as it is while it
is read and processed; it is escaped only when it is written, by the function of this module for the output format.
"""

from __future__ import annotations

import csv
import html as markup
import json
import re
from functools import lru_cache
from io import StringIO
from typing import TYPE_CHECKING, Any
from unicodedata import category

if TYPE_CHECKING:
    from collections.abc import Iterable

_COMMANDING = ("Cc", "Cf", "Cs")  # control, format (such as bidi overrides) and surrogate characters
_BLANKS = "\t\n\v\f\r\x85\u2028\u2029"
# What CI systems take for commands in a log: `##[group]` and `##vso[` anywhere, `::error` where a line starts.
_ANYWHERE = re.compile(r"#(?=#\w*\[)")
_AT_START = re.compile(r"(?<!\S):(?=:)")
# Spreadsheets take a cell for a formula if it begins with `=`, `+`, `-` or `@`, also after a blank.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "::")
_QUOTE = "'"  # tells a spreadsheet that the rest of the cell is text
_MARKDOWN = re.compile(
    r"[|`]"
    r"|\\(?=[!-/:-@\[-`{-~])"  # a backslash that Markdown would read as an escape of the next character
    r"|(?<=\])[(\[:]"  # the character that follows `]` in a link, a reference or a definition
    # Marks of emphasis. A star after a number is not escaped, because edgebench marks the best values with a star.
    r"|(?<!\w)[*_](?!\s|$|: )|(?<=[^\s\d\]])\*(?!\s|$)|(?<=\w)_(?!\w)"
    r"|~(?=~)|:(?=//)|(?<!\S):(?=:)|(?<=www)\."
)
_FIGURES = re.compile(r"[0-9 .,+%=-]*(?:\[[0-9 .,-]*\])? ?")  # most cells contain only numbers, and need no escapes
_OPENING = re.compile(r"^(?=[#>~=]|[-+*](?:\s|$|[-+*]))|^(?<!\d)(\d+)(?=[.)](?:\s|$))")  # start of a Markdown block
# Characters that LaTeX would read as commands, and characters that LaTeX's usual fonts lack.
_LATEX = str.maketrans(
    {
        "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
        "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
        "|": r"\textbar{}", '"': r"\textquotedbl{}", "±": r"$\pm$", "×": r"$\times$", "·": r"$\cdot$", "Δ": r"$\Delta$",
        "α": r"$\alpha$", "ρ": r"$\rho$", "≤": r"$\leq$", "≥": r"$\geq$", "²": r"$^2$", "…": r"\ldots{}", "[": "{[}",
        "]": "{]}", "*": r"$^*$",
    }
)  # fmt: skip


def plain(text: str) -> str:
    r"""Write control characters, bidi overrides and lone surrogates as escapes such as `\x1b`.

    Line ends and tabs become blanks. The marks `##[` and `##vso[`, which CI systems read as commands, are escaped, too.
    """
    shown = text if text.isprintable() else "".join(map(_shown, text))
    return _ANYWHERE.sub(r"\\x23", shown) if "##" in shown else shown


def _shown(character: str) -> str:
    if character in _BLANKS:
        return " "
    # Unicode's noncharacters are escaped, too, because XML forbids them.
    commands = category(character) in _COMMANDING or ord(character) & 0xFFFE == 0xFFFE
    return character.encode("unicode_escape").decode() if commands else character


def terminal(text: str) -> str:
    """Write text as one line for a terminal or log; whatever a CI system would take for a command is escaped."""
    shown = plain(text)
    return _AT_START.sub(r"\\x3a", shown) if "::" in shown else shown


def markdown(text: str) -> str:
    """Write text for a cell or a line of Markdown."""
    if _FIGURES.fullmatch(text):
        return text
    escaped = _MARKDOWN.sub(r"\\\g<0>", plain(text))
    return re.sub(r"&(?=#?\w+;)", "&amp;", escaped).replace("<", "&lt;")


def markdown_line(text: str) -> str:
    """Write text for the start of a line of Markdown, where it could open a heading, a list or a quotation."""
    return _OPENING.sub(r"\1\\", markdown(text))


def html(text: str) -> str:
    """Write text for HTML, SVG or XML, also for quoted attributes; `plain` replaces characters that XML 1.0 forbids."""
    return markup.escape(plain(text))


def latex(text: str) -> str:
    """Write text for LaTeX; brackets are escaped, too, because after a table row LaTeX reads `[` as an option."""
    return " ".join(plain(text).translate(_LATEX).split()).replace("::", "{:}:")


def command_text(text: str) -> str:
    """Write text for the message of a GitHub workflow command; the message may have several lines."""
    return "%0A".join(plain(line).replace("%", "%25") for line in text.splitlines())


def command_property(text: str) -> str:
    """Write text for a property of a GitHub workflow command, such as its title."""
    return command_text(text).replace(":", "%3A").replace(",", "%2C")


def python(text: str) -> str:
    """Write text as a Python string literal on one line of ASCII; quotes, line ends and the like are escaped."""
    return re.sub(r"#(?=#)", r"\\x23", ascii(text))


def json_text(value: Any, indent: int | None = None, *, is_ascii: bool = False) -> str:
    """Write JSON on one line, or indented; only characters that the function `plain` would replace are escaped.

    With `is_ascii`, all non-ASCII characters are escaped, too, for a stream that cannot encode them.
    """
    text = json.dumps(value, ensure_ascii=is_ascii, indent=indent)
    text = re.sub(
        r"[^\n -~]", lambda letter: letter[0] if letter[0].isprintable() else json.dumps(letter[0])[1:-1], text
    )
    return _ANYWHERE.sub(r"\\u0023", text)


def csv_text(rows: Iterable[Iterable[object]]) -> str:
    """Write CSV; None is an empty cell.

    A `'` is put before text that a spreadsheet would take for a formula; numbers are written unchanged.
    """
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([_csv_cell(value) if isinstance(value, str) else value for value in row] for row in rows)
    return text.getvalue()


@lru_cache(maxsize=10_000)  # most texts of a table are in many of its rows
def _csv_cell(value: str) -> str:
    # A formula that already begins with `'` gets another `'`, because `from_csv` removes one.
    is_command = value.lstrip(" '").startswith(_FORMULA)
    return _QUOTE + plain(value) if is_command else plain(value)


def from_csv(cell: str) -> str:
    """Return a CSV cell's text; remove the `'` with which `csv_text` or a spreadsheet marked the cell as text."""
    is_marked = cell.startswith(_QUOTE) and cell.lstrip(" '").startswith(_FORMULA)
    return cell[1:] if is_marked else cell

"""A table's bytes -> its encoding, what parts its cells, and what a cell's number is, as spreadsheets write them."""

from __future__ import annotations

import codecs
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_MARKS = (  # that of 32 bits begins as that of 16 does
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
COMMA = ","
_SEPARATORS = (COMMA, ";", "\t")


def encoding(path: Path) -> str:
    """Tell an encoding by its byte order mark; UTF-8 without one."""
    with path.open("rb") as stream:
        start = stream.read(4)
    return next((name for mark, name in _MARKS if start.startswith(mark)), "utf-8-sig")


def separator(heading: str) -> str:
    """Tell what parts the cells of a table by its first line: the comma, semicolon or tab that is there most often."""
    bare = re.sub(r'"[^"]*"', "", heading)
    return max(_SEPARATORS, key=bare.count)


def number(cell: str, separator: str) -> float:
    """Read a number with a point or, where that cannot mean thousands, a decimal comma.

    Raises:
        ValueError: it is none, or may be two: `1,234` in a table whose cells commas part.
    """
    text = cell.strip()
    if "_" in text:  # Python's own notation, which `float` takes; in a table it is a slip
        raise ValueError(f"could not convert {cell!r} to a number")
    if COMMA not in text:
        return float(text)
    if re.fullmatch(r"[+-]?\d{1,3}(,\d{3})+\.\d+", text):  # 1,234.5
        return float(text.replace(COMMA, ""))
    if re.fullmatch(r"[+-]?\d{1,3}(\.\d{3})+,\d+", text):  # 1.234,5
        return float(text.replace(".", "").replace(COMMA, "."))
    is_ambiguous = separator == COMMA and re.fullmatch(r"[+-]?[1-9]\d{0,2},\d{3}", text)
    if is_ambiguous or text.count(COMMA) > 1:
        raise ValueError(f"{cell!r} may be two numbers")
    return float(text.replace(COMMA, "."))

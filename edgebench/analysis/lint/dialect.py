"""A table's bytes -> its encoding, its separator, and the numbers in its cells, in any form that spreadsheets use."""

from __future__ import annotations

import codecs
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_MARKS = (  # tested before UTF-16, because the mark of UTF-32 begins with the mark of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
COMMA = ","
_SEPARATORS = (COMMA, ";", "\t")


def encoding(path: Path) -> str:
    """Return the encoding that the byte order mark names.

    Without a mark, return UTF-16 if one of the first two bytes is 0, and UTF-8 otherwise.
    """
    with path.open("rb") as stream:
        start = stream.read(4)
    marked = next((name for mark, name in _MARKS if start.startswith(mark)), "")
    return marked or ("utf-16-le" if start[1:2] == b"\0" else "utf-16-be" if start[:1] == b"\0" else "utf-8-sig")


def separator(heading: str) -> str:
    """Return the separator of a table: the most frequent of comma, semicolon and tab in its first line."""
    bare = re.sub(r'"[^"]*"', "", heading)
    return max(_SEPARATORS, key=bare.count)


def number(cell: str, separator: str) -> float:
    """Read a number with a decimal point, or with a decimal comma if the comma cannot separate thousands.

    Raises:
        ValueError: the cell is not a number, or can mean two different numbers: `1,234` in a table separated by commas.
    """
    text = cell.strip()
    if "_" in text:  # `float` accepts 1_000 as Python does, but in a table it is a typing error
        raise ValueError(f"could not convert {cell!r} to a number")
    if COMMA not in text:
        return float(text)
    if re.fullmatch(r"[+-]?\d{1,3}(,\d{3})+\.\d+", text):  # 1,234.5
        return float(text.replace(COMMA, ""))
    if re.fullmatch(r"[+-]?\d{1,3}(\.\d{3})+,\d+", text):  # 1.234,5
        return float(text.replace(".", "").replace(COMMA, "."))
    is_ambiguous = separator == COMMA and re.fullmatch(r"[+-]?[1-9]\d{0,2},\d{3}", text)
    if is_ambiguous or text.count(COMMA) > 1:
        raise ValueError(f"{cell!r} may mean two numbers")
    return float(text.replace(COMMA, "."))

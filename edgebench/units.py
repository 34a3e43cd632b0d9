"""Figures and times -> text, and times as people write them -> seconds: the only formatters."""

import re

from edgebench.errors import RequestError

MIB = 1024 * 1024
_SECONDS = {"ms": 1e-3, "s": 1.0, "": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}


def number(value: float | None, digits: int) -> str:
    """Format a figure with a fixed number of decimals; a dash where there is none."""
    return "-" if value is None else f"{value:.{digits}f}"


def milliseconds(value_ms: float | None) -> str:
    """Format a latency to about four significant digits."""
    return number(value_ms, 3 if value_ms is None or value_ms < 10 else 2 if value_ms < 100 else 1)


def millions(count: int | None, digits: int) -> str:
    """Format a count of parameters or multiply-adds in millions."""
    return number(None if count is None else count / 1e6, digits)


def duration(seconds: float) -> str:
    """Format a waiting time: `42 s`, `3 min 05 s`, `2 h 10 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def parse_duration(text: str) -> float:
    """Read `90`, `90s`, `3m`, `1.5h` or `250ms` as seconds.

    Raises:
        RequestError: the text is not a positive time.
    """
    found = re.fullmatch(r"\s*([0-9]*\.?[0-9]+)\s*([a-z]*)\s*", text.lower())
    if not found or found[2] not in _SECONDS or float(found[1]) <= 0:
        raise RequestError(f"wanted a time such as 90s, 3m or 1h, found {text!r}")
    return float(found[1]) * _SECONDS[found[2]]

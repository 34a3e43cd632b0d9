"""Seconds, bytes, counts and shares as text, and times as people write them: the only formatters."""

import re

from edgebench.errors import RequestError

MIB = 1024 * 1024
_SECONDS = {"ms": 1e-3, "s": 1.0, "": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}


def milliseconds(seconds: float | None, empty: str = "-") -> str:
    """Format a latency in milliseconds, to about four significant digits."""
    if seconds is None:
        return empty
    value = seconds * 1e3
    return f"{value:.{3 if value < 10 else 2 if value < 100 else 1}f}"


def mebibytes(size_bytes: float | None, empty: str = "-") -> str:
    """Format a size in MiB with two decimals below 10 and one above."""
    if size_bytes is None:
        return empty
    value = size_bytes / MIB
    return f"{value:.{2 if value < 10 else 1}f}"


def millions(count: float | None, empty: str = "-") -> str:
    """Format a count of parameters or multiply-adds in millions."""
    if count is None:
        return empty
    return f"{count / 1e6:.{2 if count < 1e8 else 1}f}"


def percent(share: float | None, empty: str = "-") -> str:
    """Format a share in [0, 1] as per cent with one decimal and no sign."""
    return empty if share is None else f"{share * 100:.1f}"


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

"""Numbers and times -> text, and text with units -> numbers.

All of edgebench formats its numbers with these functions.
"""

import re

from edgebench.foundation.errors import RequestError

KIB = 1024
MIB = 1024 * KIB
_SECONDS = {"us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}

_BYTES = {"b": 1, "kb": 1e3, "kib": 1024, "mb": 1e6, "mib": MIB, "gb": 1e9, "gib": 1024 * MIB}
_PLURAL = {"is": "are", "has": "have", "takes": "take", "was": "were", "lacks": "lack", "ties": "tie"}
_COUNTS = {"": 1.0, "k": 1e3, "m": 1e6, "g": 1e9}


def number(value: float | None, digits: int) -> str:
    """Format a number with a given number of decimals; None becomes a dash."""
    return "-" if value is None else f"{value:.{digits}f}"


def counted(count: int, noun: str, verb: str = "") -> str:
    """Format a count with its noun, whose plural has an `s` or `es`, and with `is` or `has` if that verb is given."""
    text = noun if count == 1 else f"{noun}{'es' if noun.endswith(('s', 'x', 'ch')) else 's'}"
    return f"{count} {text} {verb if count == 1 else _PLURAL[verb]}" if verb else f"{count} {text}"


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
    return _positive(text, _SECONDS, "a time such as 90s, 3m or 1h")


def parse_latency(text: str) -> float:
    """Read `50ms`, `800us`, `1.2s` or `50` as milliseconds, which is the unit of tables.

    Raises:
        RequestError: the text is not a positive time.
    """
    units = {unit: seconds * 1e3 for unit, seconds in _SECONDS.items()} | {"": 1.0}
    return _positive(text, units, "a time such as 50ms; a number without a unit is in ms")


def parse_size(text: str, *, needs_unit: bool = False) -> float:
    """Read `64MiB`, `5 MB`, `800kB` or `64` as bytes; a number without a unit is in MiB, the unit of tables.

    Bits (`5 Mb`) are refused.

    Raises:
        RequestError: the text is not a positive size, or has no unit although it needs one.
    """
    if bits := re.fullmatch(r"(.*[0-9\s][KMG]i?)b\s*", text):
        raise RequestError(f"wanted a size in bytes such as {bits[1].strip()}B, found {text[:40]!r}, which is in bits")
    if needs_unit:
        return _positive(text, _BYTES, "a size with its unit such as 64MiB")
    return _positive(text, _BYTES | {"": MIB}, "a size such as 64MiB; a number without a unit is in MiB")


def parse_count(text: str) -> float:
    """Read `300M`, `1.2G` or `569000000` as a count, such as of parameters.

    Raises:
        RequestError: the text is not a positive count.
    """
    return _positive(text, _COUNTS, "a count such as 300M")


def parse_share(text: str) -> float:
    """Read `65`, `65.5` or `65%` as per cent.

    Raises:
        RequestError: the text is not a share above 0 and up to 100 %.
    """
    share = _positive(text, {"": 1.0, "%": 1.0}, wanted := "a share such as 65 or 65%, more than 0 and at most 100")
    if share > 100:
        raise RequestError(f"wanted {wanted}, found {text!r}")
    return share


def parse_metric(text: str) -> float:
    """Read `65`, `65.5` or `65%` as per cent; `0.65` is refused, because it may be meant as 65 % or as 0.65 %.

    Raises:
        RequestError: the text is not a share above 0 and up to 100 %, or is at most 1 and has no `%`.
    """
    if (share := parse_share(text)) <= 1 and "%" not in text:
        raise RequestError(f"wanted per cent, found {text!r}; write {100 * share:g} or {share:g}%")
    return share


def _positive(text: str, units: dict[str, float], wanted: str) -> float:
    quantity = re.fullmatch(r"\s*([0-9]*\.?[0-9]+)\s*([a-zµ%]*)\s*", text.lower())
    if not quantity or quantity[2] not in units or float(quantity[1]) <= 0:
        raise RequestError(f"wanted {wanted}, found {text[:40]!r}")
    return float(quantity[1]) * units[quantity[2]]

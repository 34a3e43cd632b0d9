"""Sizes, times and shares as words: read from what people write, written as they read."""

from collections.abc import Callable
from functools import partial

import pytest

from edgebench.foundation import units
from edgebench.foundation.errors import RequestError


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("3m", 180), ("1.5h", 5400), ("250ms", 0.25), (" 2 min ", 120)]
)
def test_times_are_read_as_people_write_them(text: str, seconds: float) -> None:
    assert units.parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "soon", "3 weeks", "-1s", "0", "1e400s", "nan"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(RequestError, match="wanted a time such as 90s, 3m or 1h"):
        units.parse_duration(text)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (59.6, "1 min 00 s"), (185, "3 min 05 s"), (7800, "2 h 10 min")]
)
def test_waiting_times_are_short(seconds: float, text: str) -> None:
    assert units.duration(seconds) == text


@pytest.mark.parametrize(
    ("read", "text", "value"),
    [
        (units.parse_latency, "50ms", 50),
        (units.parse_latency, "1.2 s", 1200),
        (units.parse_latency, "20 ms", 20),
        (units.parse_latency, "20", 20),
        (units.parse_latency, "800us", 0.8),
        (units.parse_size, "64MiB", 64 * units.MIB),
        (units.parse_size, "5 MB", 5e6),
        (units.parse_size, "5", 5 * units.MIB),
        (units.parse_size, "800kb", 8e5),
        (units.parse_count, "300M", 3e8),
        (units.parse_count, "1.2g", 1.2e9),
        (units.parse_share, "65.5 %", 65.5),
    ],
)
def test_quantities_are_read_as_people_write_them(read: Callable[[str], float], text: str, value: float) -> None:
    assert read(text) == pytest.approx(value)


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (units.parse_latency, "50%"),
        (units.parse_latency, "0ms"),
        (units.parse_latency, "5MiB"),
        (partial(units.parse_size, needs_unit=True), "64"),
        (units.parse_size, "-1MB"),
        (units.parse_size, "nan MB"),
        (units.parse_count, "many"),
        (units.parse_share, "100.1"),
        (units.parse_share, "0"),
    ],
)
def test_a_quantity_without_its_unit_or_beyond_its_scale_is_refused(read: Callable[[str], float], text: str) -> None:
    with pytest.raises(RequestError, match="wanted a"):
        read(text)


@pytest.mark.parametrize(
    ("count", "noun", "verb", "text"),
    [
        (0, "row", "", "0 rows"),
        (1, "row", "is", "1 row is"),
        (2, "row", "is", "2 rows are"),
        (1, "process", "", "1 process"),
        (3, "process", "", "3 processes"),
        (2, "class", "has", "2 classes have"),
        (1, "more finding", "was", "1 more finding was"),
        (12, "more finding", "was", "12 more findings were"),
    ],
)
def test_singular_and_plural_agree(count: int, noun: str, verb: str, text: str) -> None:
    assert units.counted(count, noun, verb) == text

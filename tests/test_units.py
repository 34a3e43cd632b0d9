import pytest

from edgebench import units
from edgebench.errors import RequestError


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

"""What a small file makes a library do is bounded: memory, time, and what is unpacked; it is refused in one line."""

import resource
from pathlib import Path

import pytest

from edgebench.export import custom
from edgebench.foundation import bounded
from edgebench.foundation.bounded import Bounds, ChildError, OutOfBounds
from edgebench.foundation.errors import RequestError
from tests.hostile.bombs import BOMBS

pytestmark = [pytest.mark.slow, pytest.mark.fresh]  # each input is opened in a process of its own

LITTLE = Bounds(memory_bytes=2**29, time_s=20.0)
ENDLESS = ("long_loop", "nested", "empty_nodes")  # whose bound is of time


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EDGEBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("bomb", [name for name in BOMBS if name not in ENDLESS])
def test_a_small_file_that_takes_all_memory_is_refused_in_one_line(
    bomb: str, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(custom, "LEAST_MEMORY_BYTES", 2**30)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(RequestError) as refused:
        custom.adopt(str(BOMBS[bomb](place / "bomb.onnx")), "")
    assert "\n" not in str(refused.value)
    assert str(refused.value).startswith("bomb.onnx")
    assert str(place) not in str(refused.value)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2**18  # KiB: this process took none of it
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < 3 * 2**20


def test_a_small_file_that_never_ends_is_refused_in_one_line(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(custom, "LEAST_TIME_S", 4.0)
    with pytest.raises(RequestError, match=r"bomb\.onnx, .*wanted an answer within 4 s, found none"):
        custom.adopt(str(BOMBS["long_loop"](place / "bomb.onnx")), "")


def spend(mib: int) -> int:
    return len(bytearray(mib * 2**20))


def spin() -> None:
    while True:
        pass


def crash() -> None:
    import ctypes

    ctypes.string_at(0)


def chatter() -> str:
    print("not an answer")
    return "answer"


def refuse() -> None:
    raise RequestError("wanted a, found b; do c")


def stumble() -> None:
    raise KeyError("x")


@pytest.mark.parametrize(
    ("function", "given", "error", "words"),
    [
        ("spend", {"mib": 2048}, OutOfBounds, "wanted at most 0.5 GiB of memory, found more"),
        ("crash", {}, OutOfBounds, "wanted an answer, found a crash (SIGSEGV)"),
        ("refuse", {}, RequestError, "wanted a, found b; do c"),
        ("stumble", {}, ChildError, "KeyError: 'x'"),
    ],
)
def test_a_child_says_what_came_of_its_work(
    function: str, given: dict[str, int], error: type[Exception], words: str
) -> None:
    with pytest.raises(error) as raised:
        bounded.call(f"{__name__}:{function}", given, LITTLE)
    assert words in str(raised.value)


def test_a_child_answers_and_what_libraries_print_is_no_answer() -> None:
    assert bounded.call(f"{__name__}:chatter", {}, LITTLE) == "answer"
    assert bounded.call(f"{__name__}:spend", {"mib": 64}, LITTLE) == 64 * 2**20


def test_a_child_that_never_ends_is_ended() -> None:
    with pytest.raises(OutOfBounds, match="wanted an answer within 1 s, found none"):
        bounded.call(f"{__name__}:spin", {}, Bounds(memory_bytes=2**29, time_s=1.0))

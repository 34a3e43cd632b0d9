"""Iterators in threads of their own: their items as they come, their errors at the end, and their end when stopped."""

import threading
from collections.abc import Callable, Generator
from contextlib import closing

import pytest

from edgebench.foundation import ending
from edgebench.foundation.together import together


def counting(name: str, count: int, *, fails: bool = False) -> Generator[str, None, None]:
    for number in range(count):
        yield f"{name}{number}"
    if fails:
        raise ValueError(name)


@pytest.mark.parametrize("names", ["", "a", "ab", "abcdefgh"])
def test_all_items_arrive_in_the_order_of_each_iterator(names: str) -> None:
    items = list(together([counting(name, 5) for name in names]))
    assert sorted(items) == sorted(f"{name}{number}" for name in names for number in range(5))
    for name in names:
        assert [item for item in items if item[0] == name] == [f"{name}{number}" for number in range(5)]


@pytest.mark.parametrize("count", [1, 3])
def test_an_iterator_goes_on_only_when_its_item_was_dealt_with(count: int) -> None:
    written = list[str]()

    def source(name: str) -> Generator[str, None, None]:
        for number in range(3):
            yield f"{name}{number}"
            assert f"{name}{number}" in written

    for item in together([source(str(name)) for name in range(count)]):
        written.append(item)
    assert len(written) == 3 * count


def test_an_iterator_that_fails_stops_no_other_and_its_error_comes_last() -> None:
    seen = list[str]()
    with pytest.raises(ValueError, match="a"):  # noqa: PT012
        for item in together([counting("a", 1, fails=True), counting("b", 9)]):
            seen.append(item)
    assert len(seen) == 10


def waiting(begin: threading.Event, closed: list[str], wait: Callable[[], None]) -> Generator[str, None, None]:
    try:
        yield "first"
        begin.set()
        wait()
        yield "never"
    finally:
        closed.append(threading.current_thread().name)


def by_pause() -> None:
    ending.pause(60.0)


def by_semaphore() -> None:
    semaphore = threading.Semaphore(0)
    with ending.on_stop(semaphore.release):
        semaphore.acquire()
    ending.require_going()


@pytest.mark.parametrize("wait", [by_pause, by_semaphore])
@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_an_error_of_the_caller_ends_what_all_iterators_wait_for(
    wait: Callable[[], None], error: type[BaseException]
) -> None:
    begun, closed = [threading.Event() for _ in range(3)], list[str]()
    sources = [waiting(begin, closed, wait) for begin in begun]
    with pytest.raises(error), closing(together(sources)) as items:  # noqa: PT012
        for _ in range(3):
            assert next(items) == "first"
        begun[0].wait(10)
        begun[1].wait(10)
        raise error
    assert len(closed) == 3
    assert threading.main_thread().name not in closed, "an iterator was closed by a thread other than its own"
    ending.require_going()  # what comes later is not stopped


def test_what_begins_after_the_stop_ends_at_once() -> None:
    ended = list[BaseException]()

    def late() -> None:
        by_pause()

    def work() -> None:
        try:
            late()
        except KeyboardInterrupt as interruption:
            ended.append(interruption)

    thread = threading.Thread(target=work)
    thread.start()
    ending.stop([thread])
    assert len(ended) == 1

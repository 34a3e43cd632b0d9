"""Several iterators -> their items as they come; each iterator runs in a thread of its own."""

from __future__ import annotations

from dataclasses import dataclass
from queue import SimpleQueue
from threading import Semaphore, Thread
from typing import TYPE_CHECKING, Generic, TypeVar

from edgebench.foundation import ending

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Item(Generic[T]):
    """An item, and the semaphore for which its iterator waits until the caller has dealt with the item."""

    value: T
    dealt_with: Semaphore


@dataclass(frozen=True, slots=True, kw_only=True)
class _End:
    """The end of an iterator, with the exception that ended it; None for a regular end."""

    error: BaseException | None


def together(sources: Sequence[Generator[T, None, None]]) -> Generator[T, None, None]:
    """Yield the items of all iterators as they come.

    After an item, its iterator goes on only when the caller asks for the next item. So each iterator sees the effects
    of what the caller did with its item, as if it were the only iterator. A single iterator runs in the calling thread.
    An iterator that raises an exception does not stop the others: the first exception is raised when all have ended.
    If the caller is interrupted or closes this generator, all iterators are stopped.
    """
    if len(sources) < 2:
        for source in sources:
            yield from source
        return
    items, errors = SimpleQueue[_Item[T] | _End](), list[BaseException]()
    threads = [Thread(target=_run, args=(source, items), daemon=True) for source in sources]
    try:
        for thread in threads:
            thread.start()
        left = len(threads)
        while left:
            item = items.get()
            if isinstance(item, _End):
                left -= 1
                errors += [item.error] if item.error else []
            else:
                yield item.value
                item.dealt_with.release()
    except BaseException:
        ending.stop(threads)
        raise
    if errors:
        raise errors[0]


def _run(source: Generator[T, None, None], items: SimpleQueue[_Item[T] | _End]) -> None:
    dealt_with, error = Semaphore(0), None
    try:
        for value in source:
            items.put(_Item(value=value, dealt_with=dealt_with))
            with ending.on_stop(dealt_with.release):
                dealt_with.acquire()
            ending.require_going()
    except BaseException as raised:  # also an interruption, which `ending.stop` raises in this thread
        error = raised
    try:
        source.close()  # in this thread, because the iterator may hold a lock of this thread
    finally:
        items.put(_End(error=error))

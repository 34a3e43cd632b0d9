"""Rows, and filters of a command such as `--width 0.25,0.5` -> the rows that match. All commands filter alike."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, TypeVar

from edgebench.foundation.errors import RequestError, require

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The wanted values of each property of a row, as comma lists; an empty text accepts every value."""

    model: str = ""
    width: str = ""
    resolution: str = ""
    precision: str = ""
    runtime: str = ""
    target: str = ""
    threads: str = ""

    @property
    def given(self) -> dict[str, tuple[str, ...]]:
        """The wanted values of each property that the filters restrict."""
        wanted = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: _parts(text) for name, text in wanted.items() if text}

    def select(self, items: Iterable[T], of: Callable[[T], Any], where: str) -> list[T]:
        """Return the items that match; `of` maps an item to the object with its `architecture`, `width` and so on.

        Raises:
            UnknownName: a wanted value does not exist in any item; the message lists the values that exist.
            RequestError: each wanted value exists, but no item matches all filters.
        """
        every = [*items]
        left = every
        for name, wanted in self.given.items():
            known = {_value(of(item), name) for item in every} - {""}
            for value in wanted:
                require(f"{name} in {where}", _plain(value, name), sorted(known, key=_in_order))
            left = [item for item in left if _value(of(item), name) in {_plain(value, name) for value in wanted}]
        if every and not left:
            asked = " ".join(f"--{name} {','.join(wanted)}" for name, wanted in self.given.items())
            found = "rows with each value, but no row with all of them"
            raise RequestError(f"wanted a row of {where} with {asked}, found {found}; drop one")
        return left


ALL = Selection()


def _parts(text: str) -> tuple[str, ...]:
    parts = tuple(part.strip() for part in text.split(",") if part.strip())
    if not parts:
        raise RequestError(f"wanted a comma list as a filter, found {text!r}; name a value")
    return parts


def _value(item: Any, name: str) -> str:
    """Return a property of a row as text; an empty text if the row does not have the property."""
    value = getattr(item, "architecture" if name == "model" else name, None)
    return "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _plain(text: str, name: str) -> str:
    """Return a wanted value in the form that rows use: `0.50` becomes the width `0.5`."""
    try:
        return f"{float(text):g}" if name == "width" else text
    except ValueError:
        return text


def _in_order(text: str) -> tuple[float, str]:
    return (float(text), "") if text.replace(".", "", 1).isdecimal() else (float("inf"), text)

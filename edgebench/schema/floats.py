"""Floats of a record, such as the times of a process, stored in 8 bytes each; in a tuple, each needs 32."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler
    from pydantic_core import CoreSchema


class _Packed(array):  # type: ignore[type-arg]  # in Python 3.11 the class cannot be subscripted
    """An array of floats that equals a tuple of the same floats, as a record built by code has one."""

    __hash__ = None

    def __eq__(self, other: object) -> bool:
        return tuple(self) == tuple(other) if isinstance(other, (tuple, array)) else NotImplemented


def _packed(values: Sequence[float]) -> _Packed:
    return _Packed("d", values)


class _Pack:
    """A mark that makes pydantic check a tuple of floats, as the record's class demands, and then pack it."""

    def __get_pydantic_core_schema__(self, _: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        from pydantic_core import core_schema

        checked = handler.generate_schema(tuple[float, ...])
        written = core_schema.plain_serializer_function_ser_schema(tuple, return_schema=checked)
        return core_schema.no_info_after_validator_function(_packed, checked, serialization=written)


Floats = Annotated[Sequence[float], _Pack()]

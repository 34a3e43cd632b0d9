"""A shard's number, `2/8`, and the cases of a session -> the cases of that shard, chosen by their content alone."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgebench.foundation.errors import RequestError
from edgebench.schema.variant import as_float, identity

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edgebench.schema.case import Case

MOST_SHARDS = 10_000
_NOT_OF_NETWORK = ("precision", "quantization")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """A fixed part of the cases of a sweep, `number` of `count`; every case is in exactly one of the `count` shards."""

    number: int = 1
    count: int = 1

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    def of(self, cases: Iterable[Case]) -> tuple[Case, ...]:
        """Return the shard's cases; whether a case is among them does not depend on the other cases or on their order.

        A network's float and int8 cases are in the same shard, so that they are measured in the same rounds, and the
        speed-up of int8 compares two times of one machine. Cases that differ only in the runtime's version or options
        are in the same shard, too, because these can depend on the machine.
        """
        return tuple(case for case in cases if _place(case, self.count) == self.number - 1)


ALL = Shard()


def parse(text: str) -> Shard:
    """Read `2/8` as a shard; an empty text is the shard of all cases.

    Raises:
        RequestError: the text is not the number of a shard, a slash, and the number of shards.
    """
    if not text:
        return ALL
    found = re.fullmatch(r"([0-9]{1,6})/([0-9]{1,6})", text, re.ASCII)
    number, count = map(int, found.groups()) if found else (0, 0)
    if not 1 <= number <= count <= MOST_SHARDS:
        raise RequestError(
            f"wanted a shard such as 2/8, from 1/8 to 8/8, and at most {MOST_SHARDS} shards, found {text[:40]!r}"
        )
    return Shard(number=number, count=count)


def _place(case: Case, count: int) -> int:
    """Return the index of a case's shard: the remainder of a hash of the case's content."""
    if count == 1:
        return 0
    network = {name: text for name, text in identity(as_float(case.variant)).items() if name not in _NOT_OF_NETWORK}
    content = [network, case.runtime.name, case.target, case.threads, case.batch]
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).digest()
    return int.from_bytes(digest[:8], "big") % count

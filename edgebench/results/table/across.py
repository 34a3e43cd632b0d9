"""Rows -> the same network on several runtimes, under equal conditions."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

from edgebench.foundation.errors import RequestError
from edgebench.schema.quantization import Quantization, parse

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from edgebench.results.table.row import Row

Key = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Across:
    """A network in one precision on several runtimes.

    Attributes:
        scheme: the precision; for int8 also the scheme, or the schemes of the runtimes if these differ.
        rows: the row of each runtime, by the runtime's name with its version and options.
    """

    network: str
    scheme: str
    rows: Mapping[str, Row]


def runtime(row: Row) -> str:
    """Return the runtime with its version and options."""
    setup = row.setup
    return " ".join(filter(None, (setup.runtime, setup.runtime_version, setup.runtime_options)))


def across(rows: Iterable[Row]) -> list[tuple[Across, ...]]:
    """Group rows by their conditions; return, for each group, the networks that ran on several runtimes.

    Networks without any time, which were only compiled or failed, are left out.

    int8 schemes are paired across runtimes if they differ only in the integer types, which each file format sets.
    """
    conditions: dict[Key, list[Row]] = defaultdict(list)
    for row in rows:
        setup = row.setup
        shared = (setup.target, setup.epoch, str(setup.threads), str(setup.batch), setup.preset, setup.dataset)
        conditions[shared].append(row)
    return [several for alike in conditions.values() if (several := tuple(_several(alike)))]


def _several(rows: Sequence[Row]) -> list[Across]:
    alike: dict[Key, list[Row]] = defaultdict(list)
    for row in rows:
        setup = row.setup
        weights = setup.weights, setup.weights_sha256
        alike[setup.network, *weights, setup.precision, _shared(setup.quantization)].append(row)
    parts = [part for group in alike.values() for part in _apart(group)]
    return [_across(part) for part in parts if len(part) > 1 and any(row.latency.p50_ms for row in part)]


def _apart(rows: Sequence[Row]) -> list[list[Row]]:
    """Return the rows as one group; if a runtime has several rows, return one group for each int8 scheme."""
    if len({runtime(row) for row in rows}) == len(rows):
        return [list(rows)]
    parts: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        parts[row.setup.scheme].append(row)
    return list(parts.values())


def _across(rows: Sequence[Row]) -> Across:
    setups = [row.setup for row in rows]
    schemes = " / ".join(dict.fromkeys(setup.quantization for setup in setups))
    return Across(
        network=setups[0].network,
        scheme=f"{setups[0].precision} {schemes}".rstrip(),
        rows={runtime(row): row for row in rows},
    )


@lru_cache(maxsize=1000)  # thousands of rows share a few schemes
def _shared(quantization: str) -> str:
    """Return a scheme's text without the options that a runtime's file format or the processor sets."""
    if not quantization:
        return ""
    usual = Quantization()
    try:
        scheme = parse(quantization)
    except RequestError:  # such as the scheme of a file that was supplied in int8
        return quantization
    types = replace(scheme, activations=usual.activations, weights=usual.weights)
    return str(replace(types, symmetric=False, reduce_range=False))

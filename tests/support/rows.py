"""Rows of a table, changed by the columns of `comparison.csv`."""

from dataclasses import fields, replace
from typing import Any, TypeVar

from edgebench.foundation.stats import Ratio
from edgebench.results.table.choice import Figure
from edgebench.results.table.columns import COLUMNS, DETECTION, METRICS, OTHERS, flat
from edgebench.results.table.row import Row

Part = TypeVar("Part")
Interval = TypeVar("Interval", Figure, Ratio)


def changed(row: Row, **columns: Any) -> Row:
    """The row with other values in some columns; a figure without ends of its interval is exact."""
    assert columns.keys() <= set(COLUMNS), columns.keys() - set(COLUMNS)
    values = flat(row) | columns
    metrics = {name: metric for name in (*METRICS, *DETECTION, *OTHERS) if (metric := _figure(Figure, name, values))}
    return Row(
        setup=_part(row.setup, columns),
        cost=_part(row.cost, columns),
        latency=_part(row.latency, columns),
        memory=_part(row.memory, columns),
        sustained=_part(row.sustained, columns),
        quality=_part(row.quality, columns | {"metrics": metrics}),
        fidelity=_part(row.fidelity, columns),
        int8=_part(row.int8, columns),
        verdict=values["verdict"],
        reasons=values["reasons"],
        around=_part(row.around, columns),
        time_verdict=columns.get("time_verdict", ""),
        accuracy_verdict=columns.get("accuracy_verdict", ""),
        memory_verdict=columns.get("memory_verdict", ""),
        standing=_part(row.standing, columns | {"speedup": _figure(Ratio, "speedup", values)}),
    )


def _part(part: Part, columns: dict[str, Any]) -> Part:
    names = {field.name for field in fields(part)}  # type: ignore[arg-type]
    return replace(part, **{name: value for name, value in columns.items() if name in names})  # type: ignore[type-var]


def _figure(kind: type[Interval], name: str, values: dict[str, Any]) -> Interval | None:
    value, low, high = (values.get(f"{name}{end}") for end in ("", "_low", "_high"))
    if value is None:
        return None
    return kind(value=value, low=value if low is None else low, high=value if high is None else high)

"""Peak memory and file size as SVG: one panel per group, two bars per row."""

from collections.abc import Callable, Mapping

from edgebench.foundation.units import counted, number
from edgebench.results.drawing import MARGIN, Panel, label, legend, mark
from edgebench.results.reports._figures import MOST_LINES, WIDTH, has, named, stacked, withheld
from edgebench.results.table.ranking import by_precision
from edgebench.results.table.row import NOTHING, Background, Row, Table

FILE = "footprint.svg"
TITLE = "Memory and size"
TOP, LINE, LEFT, THICK = 46.0, 19.0, 262.0, 11.0
LONGEST = 40  # largest number of characters of a name that fit into its column
WIDE = 96.0  # length of the longest bar of each kind, in pixels
KINDS: dict[str, tuple[float, int, Callable[[Row], float | None]]] = {
    "peak memory, MiB": (LEFT, 1, lambda row: row.memory.peak_mib),
    "file, MiB": (LEFT + WIDE + 56, 2, lambda row: row.cost.file_mib),
}


def render(table: Table, background: Background = NOTHING) -> str:
    """Draw all groups, one below the other."""
    return stacked(table, draw)


def draw(rows: Mapping[int, Row]) -> Panel:
    """Draw two bars per row; memory and file size have separate scales, both from 0."""
    having = {place: row for place, row in rows.items() if any(has(of(row)) for _, _, of in KINDS.values())}
    if not having:
        return withheld(TITLE, "no row has a peak memory or a file size")
    shown = dict(list(having.items())[:MOST_LINES])
    most = {kind: max(filter(has, map(of, shown.values())), default=0.0) for kind, (_, _, of) in KINDS.items()}
    name = named(shown.values(), LONGEST)
    body = (
        *(label(kind, left, TOP - 10, class_="title") for kind, (left, _, _) in KINDS.items()),
        *(_line(place, row, name(row), most, TOP + LINE * index) for index, (place, row) in enumerate(shown.items())),
        legend(by_precision(shown.values()), WIDTH - MARGIN, 16),
    )
    rest = f" Drawn: the first {len(shown)} of {counted(len(having), 'row')}." if len(shown) < len(having) else ""
    notes = (f"Peak memory: maximum resident memory of the process and its runtime while loading and running.{rest}",)
    return Panel(title=TITLE, width=WIDTH, height=TOP + LINE * len(shown) + 6, body="".join(body), notes=notes)


def _line(place: int, row: Row, name: str, most: Mapping[str, float], y: float) -> str:
    parts = [label(name, MARGIN, y + THICK - 1, class_="name")]
    for kind, (left, digits, of) in KINDS.items():
        value = of(row)
        wide = WIDE * value / most[kind] if has(value) else 0.0
        parts.append(mark("rect", class_="bar", x=left, y=y, width=wide, height=THICK, rx=1.5) if wide else "")
        parts.append(
            label(number(value if has(value) else None, digits), left + wide + 5, y + THICK - 1, class_="tick")
        )
    return mark("g", *parts, class_=row.setup.precision, data_row=place)

"""A journal of measurement records -> a table -> reports.

The modules of these steps are, in order:

    journal -> measurement (statistics and verdicts of one case) -> table (rows, ranks, notes) -> reports.

The module `folders` applies all steps to a results folder; `drawing` writes SVG for all figures, and `upgrade` reads
journals of older versions.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from edgebench.foundation import collector, files
from edgebench.foundation.errors import RequestError
from edgebench.foundation.shelf import load as load_plugin
from edgebench.results import drawing
from edgebench.results.folders import study
from edgebench.results.reports._figures import stacked
from edgebench.results.table.row import Background, Table
from edgebench.results.table.selection import ALL, Selection

if TYPE_CHECKING:
    from collections.abc import Callable

WRITTEN = ("comparison", "csv", "html", "readme")
FIGURES = ("pareto", "macs", "heat_maps", "dumbbells", "footprint")


def write_reports(folder: Path, refused: Callable[[str], None] | None = None) -> tuple[Table, Background]:
    """Compute the table and the data behind it from the folder's journal; write the reports into the folder.

    If a report cannot be written, `refused` is called with the reason; without `refused`, an error is raised.

    Raises:
        InvalidFile: the folder has no journal, or the journal cannot be read.
        RequestError: a report cannot be written, and there is no `refused`.
    """
    with collector.paused():
        table, background = study(folder)
        _write(folder, table, background, refused)
    return table, background


def _write(folder: Path, table: Table, background: Background, refused: Callable[[str], None] | None) -> None:
    try:
        for name in WRITTEN:
            report = load_plugin("reports", name)
            content = report.render(table, background).encode()
            files.write(folder / report.FILE, content, "free disk space; `edgebench report` writes it again")
    except RequestError as error:
        if not refused:
            raise
        refused(str(error))


def draw_figures(
    folder: Path, format: str, selection: Selection = ALL, width: str = "", *, is_bare: bool = False
) -> list[Path]:
    """Write the page's figures as separate files into the folder; return their paths.

    Raises:
        RequestError: the width is not a length, the file format cannot be made, or a file cannot be written.
        InvalidFile: the folder has no journal, or the journal cannot be read.
        UnknownName: no row matches the selection.
    """
    from edgebench.results.reports import dumbbells, footprint, heat_maps, macs, pareto

    drawing.check(format)
    table, _ = study(folder, selection)
    written = []
    for figure in (pareto, macs, heat_maps, dumbbells, footprint):
        written.append((folder / figure.FILE).with_suffix(f".{format}"))
        draw = partial(heat_maps.draw, room=drawing.room(width)) if figure is heat_maps else figure.draw
        drawn = drawing.sized(stacked(table, draw, is_bare=is_bare), width)
        files.write(written[-1], drawing.convert(drawn, format), "free disk space")
    return written

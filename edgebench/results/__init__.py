"""What was seen -> what it means -> the table -> the files that show it.

    journal -> measurement (statistics and verdicts of one case) -> table (rows, ranks, notes) -> reports

`folders` goes that way for a whole results folder; `drawing` is the SVG that every figure is drawn with, and `upgrade`
reads journals of older versions.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from edgebench.foundation import files
from edgebench.foundation.collector import paused_collector
from edgebench.foundation.errors import RequestError
from edgebench.foundation.shelf import load as load_plugin
from edgebench.results import drawing
from edgebench.results.folders import study
from edgebench.results.table.row import Background, Table

if TYPE_CHECKING:
    from collections.abc import Callable

WRITTEN = ("comparison", "csv", "html", "readme")
FIGURES = ("pareto", "heat_maps", "dumbbells", "footprint")


def write_reports(folder: Path, refused: Callable[[str], None] | None = None) -> tuple[Table, Background]:
    """Compute the table from the journal, and what lies behind it; write its reports beside it.

    With `refused` a folder that cannot be written is no error: it is called with the reason.

    Raises:
        InvalidFile: the folder has no journal, or one that cannot be read.
        RequestError: a report cannot be written.
    """
    with paused_collector():  # all of ten thousand rows are in use
        table, background = study(folder)
        _write(folder, table, background, refused)
    return table, background


def _write(folder: Path, table: Table, background: Background, refused: Callable[[str], None] | None) -> None:
    try:
        for name in WRITTEN:
            report = load_plugin("reports", name)
            content = report.render(table, background).encode()
            files.write(folder / report.FILE, content, "free space; `edgebench report` writes it again")
    except RequestError as error:
        if not refused:
            raise
        refused(str(error))


def draw_figures(folder: Path, format: str) -> list[Path]:
    """Write the page's figures into the folder as files of their own; return these.

    Raises:
        RequestError: the form cannot be made, or a file cannot be written.
        InvalidFile: the folder has no journal, or one that cannot be read.
    """
    drawing.check(format)
    table, background = study(folder)
    written = []
    for name in FIGURES:
        figure = load_plugin("reports", name)
        written.append((folder / figure.FILE).with_suffix(f".{format}"))
        files.write(written[-1], drawing.convert(figure.render(table, background), format), "free space")
    return written

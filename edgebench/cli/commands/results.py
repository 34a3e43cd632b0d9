"""Render the reports of a results folder again, or write its figures for a paper."""

from typing import Annotated

import typer

from edgebench.cli.options import Json, Results, resolved
from edgebench.foundation.errors import RequestError, require


def report(
    results: Results,
    format: Annotated[str, typer.Option(help="Output: table, md, csv, latex, json or pytest-benchmark.")] = "table",
    json: Json = False,
) -> None:
    """Render a results folder's tables and its page again from its journal."""
    from edgebench.cli import terminal
    from edgebench.results import write_reports

    format = resolved(format, json=json)
    require("format", format, terminal.REPORT_FORMATS)
    table, background = write_reports(results)
    if format == terminal.BENCHMARK and not table.rows:
        raise RequestError(f"wanted a measured case in {results}, found none; run a sweep of that name first")
    terminal.show_report(table, format, background)


def figures(
    results: Results,
    format: Annotated[str, typer.Option(help="svg, png or pdf.")] = "svg",
) -> None:
    """Write the figures of a results folder's page as files for a paper, into the folder."""
    from edgebench.results import draw_figures

    for path in draw_figures(results, format):
        typer.echo(path)

"""Render the reports of a results folder again, or write its figures for a paper."""

from typing import Annotated

import typer

from edgebench.cli.options import Json, Results, resolved
from edgebench.foundation import escape
from edgebench.foundation.errors import require


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
    table, background = write_reports(results, terminal.warn)
    terminal.show_report(table, format, background, str(results))


def repair(results: Results) -> None:
    """Rewrite a damaged journal or nightly history with its valid records; keep the originals beside it."""
    from edgebench.nightly import history
    from edgebench.results.repair import repair as repaired

    if (results / history.NIGHTS).is_dir():
        renamed = history.set_aside(results)
        for path, reason in renamed:
            typer.echo(f"{reason}; kept as {path.name}")
        if not renamed:
            typer.echo(f"{results}: all nights and acceptances can be read; nothing was changed")
        return
    done = repaired(results)
    for reason in done.reasons:
        typer.echo(f"set aside {reason}")
    what = f"{done.aside} lines left out; the original is {done.original}" if done.original else "nothing was changed"
    typer.echo(f"{results}: {done.kept} valid records; {what}")


def figures(
    results: Results,
    format: Annotated[str, typer.Option(help="svg, png or pdf.")] = "svg",
) -> None:
    """Write the figures of a results folder's page as files for a paper, into the folder."""
    from edgebench.results import draw_figures

    for path in draw_figures(results, format):
        typer.echo(escape.terminal(str(path)))

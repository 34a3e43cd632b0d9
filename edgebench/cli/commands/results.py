"""Render a results folder's reports again, repair or merge journals, or write figures for a paper."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgebench.cli.options import (
    WIDTH,
    Json,
    OnlyModels,
    OnlyPrecisions,
    OnlyResolutions,
    OnlyRuntimes,
    OnlyTargets,
    OnlyThreads,
    OnlyWidths,
    Results,
    resolved,
)
from edgebench.foundation import escape
from edgebench.foundation.errors import RequestError, require
from edgebench.foundation.units import counted

if TYPE_CHECKING:
    from edgebench.results.table.selection import Selection


def report(
    results: Results,
    format: Annotated[
        str, typer.Option(help="Output format: table, md, csv, latex, json or pytest-benchmark.")
    ] = "table",
    model: OnlyModels = "",
    width: OnlyWidths = "",
    resolution: OnlyResolutions = "",
    precision: OnlyPrecisions = "",
    runtime: OnlyRuntimes = "",
    target: OnlyTargets = "",
    threads: OnlyThreads = "",
    json: Json = False,
) -> None:
    """Render a results folder's tables and its page again from its journal; with filters, only print matching rows."""
    from edgebench.cli import terminal
    from edgebench.foundation import collector
    from edgebench.results.table.selection import Selection

    format = resolved(format, json=json)
    require("format", format, terminal.REPORT_FORMATS)
    selection = Selection(
        model=model, width=width, resolution=resolution, precision=precision, runtime=runtime, target=target,
        threads=threads,
    )  # fmt: skip
    with collector.paused():
        _report(results, format, selection)


def _report(results: Path, format: str, selection: "Selection") -> None:
    from edgebench.cli import terminal
    from edgebench.results import write_reports
    from edgebench.results.folders import study

    table, background = study(results, selection) if selection.given else write_reports(results, terminal.warn)
    terminal.show_report(table, format, background, str(results))


def repair(results: Results) -> None:
    """Rewrite a damaged journal or nightly history with only its valid records; keep the original files beside it."""
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
    what = (
        f"{counted(done.aside, 'line')} left out; the original is {done.original}"
        if done.original
        else "nothing was changed"
    )
    typer.echo(f"{results}: {counted(done.kept, 'valid record')}; {what}")


def merge(
    results: Annotated[list[Path], typer.Argument(help="Results folders of one sweep, such as those of its shards.")],
    name: Annotated[str, typer.Option(help="Name of the new or existing folder under results/.")] = "",
) -> None:
    """Join the journals of results folders in one folder, each record once; the given folders are only read."""
    from edgebench.cli import terminal
    from edgebench.results.merge import merge as merged

    if not name:
        raise RequestError("wanted a name for the merged results, found none; add --name all")
    done = merged(results, name)
    for reason in done.reasons:
        typer.echo(escape.terminal(f"left out {reason}"))
    for conflict in done.conflicts:
        terminal.warn(escape.terminal(conflict))
    changes = [f"{done.new} of them new"] if done.new else ["nothing was changed"]
    changes += [f"{counted(done.aside, 'line')} left out"] if done.aside else []
    changes += [f"the damaged journal is now {done.original}"] if done.original else []
    typer.echo(f"results/{name}: {counted(done.records, 'record')}; {'; '.join(changes)}")


def figures(
    results: Results,
    format: Annotated[str, typer.Option(help="Format of the files: svg, png or pdf.")] = "svg",
    bare: Annotated[
        bool, typer.Option("--bare", help="Leave out title and caption, for a paper that has its own.")
    ] = False,
    model: OnlyModels = "",
    width: Annotated[
        str, typer.Option(*WIDTH, help="Only rows of these widths α; or a width of the figures with its unit: 8.5cm.")
    ] = "",
    resolution: OnlyResolutions = "",
    precision: OnlyPrecisions = "",
    runtime: OnlyRuntimes = "",
    target: OnlyTargets = "",
    threads: OnlyThreads = "",
) -> None:
    """Write the figures of a results folder's page into the folder, as files for a paper."""
    from edgebench.results import draw_figures
    from edgebench.results.table.selection import Selection

    on_paper, width = (width, "") if width[-1:].isalpha() else ("", width)
    selection = Selection(
        model=model, width=width, resolution=resolution, precision=precision, runtime=runtime, target=target,
        threads=threads,
    )  # fmt: skip
    for path in draw_figures(results, format, selection, on_paper, is_bare=bare):
        typer.echo(escape.terminal(str(path)))

"""The commands that list the user's own plug-ins, and check one."""

from pathlib import Path
from typing import Annotated

import typer

from edgebench.cli.exit_codes import FOUND
from edgebench.cli.options import Format
from edgebench.foundation.errors import require

app = typer.Typer(invoke_without_command=True, help="List your own plug-ins; check one.")


@app.callback()
def _plugins(context: typer.Context, format: Format = "table") -> None:
    from edgebench.analysis import plugins
    from edgebench.cli import terminal

    if not context.invoked_subcommand:
        terminal.show_sheets("plugins", [plugins.listed()], format)


@app.command()
def check(
    file: Annotated[Path, typer.Argument(help="The file of a plug-in, such as plugins/runtimes/mine.py.")],
    format: Format = "table",
) -> None:
    """Run a plug-in and compare it with the contract of its shelf; exit with 1 if it does not meet the contract."""
    from edgebench.analysis import plugins
    from edgebench.cli import terminal

    require("format", format, terminal.FORMATS)
    faults = plugins.check(file)
    terminal.show_sheets("plugins check", [plugins.sheet(file, faults)], format)
    raise typer.Exit(FOUND if faults else 0)

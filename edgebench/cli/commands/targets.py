"""The commands that list targets, check one, or prepare one."""

from typing import Annotated

import typer

from edgebench.cli.options import Address, Format, Quiet, TargetName
from edgebench.foundation.errors import require

app = typer.Typer(invoke_without_command=True, help="List the targets; check or prepare a target.")


@app.callback()
def _targets(context: typer.Context, format: Format = "table") -> None:
    from edgebench.cli import terminal
    from edgebench.deploy import targets as boards

    if not context.invoked_subcommand:
        terminal.show_sheets("targets", [boards.listed()], format)


@app.command()
def check(
    target: TargetName,
    address: Address = "",
    format: Format = "table",
    quiet: Quiet = False,
) -> None:
    """Show a target and its state, and how to remove what would disturb a measurement.

    Runtimes that a run would copy there are tried on the target's processor, which is emulated on this machine.
    """
    from edgebench.cli import terminal
    from edgebench.deploy import targets as boards
    from edgebench.deploy.targets import checkup

    require("format", format, terminal.FORMATS)
    with terminal.progress(quiet=quiet) as show:
        reports = boards.check(target, address, show)
    terminal.show_sheets("targets check", [*map(checkup.sheet, reports)], format)


@app.command()
def prepare(
    target: TargetName,
    address: Address = "",
    runtime: Annotated[
        str, typer.Option(help="Runtimes: onnxruntime, litert==2.3.0; default: all that are missing.")
    ] = "",
    format: Format = "table",
    quiet: Quiet = False,
) -> None:
    """Copy runtimes to a board; this machine downloads the packages, so the board needs no pip and no network.

    Before anything is copied, each runtime is tried on the board's processor, which is emulated on this machine.
    """
    from edgebench.cli import terminal
    from edgebench.deploy import targets as boards

    require("format", format, terminal.FORMATS)
    with terminal.progress(quiet=quiet) as show:
        brought = boards.prepare(target, address, runtime, show)
    terminal.show_sheets("targets prepare", brought, format)

"""The commands of a nightly."""

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from edgebench.cli.exit_codes import EPILOG_OF_NIGHTLY
from edgebench.cli.options import Quiet

HISTORY = Path("results/nightly")
History = Annotated[Path, typer.Argument(help="Folder of the nights.")]


class _Nights(TyperGroup):
    """Commands of a nightly: a word that is none of them is a sweep to run."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Let `nightly nightly.toml` be `nightly run nightly.toml`."""
        is_run = bool(args) and args[0] not in (*self.commands, "-h", "--help")
        return super().parse_args(ctx, ["run", *args] if is_run else args)


app = typer.Typer(
    cls=_Nights,
    no_args_is_help=True,
    help="Measure a sweep every night, cry only when something broke: nightly nightly.toml --history results/nightly.",
    epilog=EPILOG_OF_NIGHTLY,
)


@app.command()
def run(
    sweep: Annotated[str, typer.Argument(help="A sweep: nightly.toml, or a shipped one.")],
    history: Annotated[Path, typer.Option(help="Folder of the nights.")] = HISTORY,
    address: Annotated[str, typer.Option(help="Where the sweep's only target is.")] = "",
    quiet: Quiet = False,
) -> None:
    """Measure a night, confirm what is suspect, add it to the history and write its reports. The usual command."""
    from edgebench import nightly
    from edgebench.cli import terminal
    from edgebench.measure.plan import sweeps

    with terminal.progress(quiet=quiet) as show:
        bulletin = nightly.run(sweeps.sweep(sweep), history, show, address)
    terminal.show_bulletin(bulletin)
    raise typer.Exit(nightly.exit_code(bulletin.night))


@app.command()
def accept(
    history: History = HISTORY,
    reason: Annotated[str, typer.Option(help="Why the change is meant; it is kept.")] = "",
    night: Annotated[str, typer.Option(help="A night's id or the start of its file's name; else the last.")] = "",
    configuration: Annotated[
        list[str] | None, typer.Option(help="One configuration; may be repeated; else all.")
    ] = None,
) -> None:
    """Let a night be what later ones are compared with."""
    from edgebench import nightly

    accepted = nightly.accept(history, reason, night, tuple(configuration or ()))
    typer.echo(f"accepted night {accepted.night}: {accepted.reason}")


@app.command()
def report(history: History = HISTORY) -> None:
    """Write the last night's reports again."""
    from edgebench import nightly
    from edgebench.cli import terminal

    terminal.show_bulletin(nightly.report(history, terminal.warn))


@app.command()
def replay(
    history: Annotated[Path | None, typer.Argument(help="Folder of the nights.")] = None,
    profile: Annotated[str, typer.Option(help="Instead: a simulated machine: quiet, pi or vm.")] = "",
    inject: Annotated[float, typer.Option(min=1.0, help="Slowdown whose discovery is counted.")] = 1.05,
    seed: Annotated[int, typer.Option(help="Of what is drawn; else the one that quoted figures have.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Decide a history again: its false alarms per 1,000 configuration-nights, and its power by delay."""
    from edgebench.cli import terminal
    from edgebench.nightly import replay

    rehearsal = replay.rehearse(history, profile, inject, seed)
    if json:
        terminal.show_json("nightly replay", replay.fields(rehearsal))
    else:
        terminal.show_sheets("nightly replay", [replay.sheet(rehearsal)])

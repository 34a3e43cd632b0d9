"""The commands of a nightly run, which measures a sweep every night and reports regressions."""

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from edgebench.cli.exit_codes import EPILOG_OF_NIGHTLY
from edgebench.cli.options import Quiet
from edgebench.foundation import escape, outside

HISTORY = Path("results/nightly")
History = Annotated[Path, typer.Argument(help="Folder with the history of nights.")]


class _Nights(TyperGroup):
    """The nightly commands. A first word that is not the name of a command is taken as the sweep to run."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Let `nightly nightly.toml` mean `nightly run nightly.toml`."""
        is_run = bool(args) and args[0] not in (*self.commands, "-h", "--help")
        return super().parse_args(ctx, ["run", *args] if is_run else args)


app = typer.Typer(
    cls=_Nights,
    no_args_is_help=True,
    help="Measure a sweep every night, alarm only on regressions: nightly nightly.toml --history results/nightly.",
    epilog=EPILOG_OF_NIGHTLY,
)


@app.command()
def run(
    sweep: Annotated[str, typer.Argument(help="A sweep: nightly.toml, or a shipped one.")],
    history: Annotated[Path, typer.Option(help="Folder with the history of nights.")] = HISTORY,
    address: Annotated[str, typer.Option(help="Address of the target, for a sweep with only one.")] = "",
    quiet: Quiet = False,
) -> None:
    """Measure a night, confirm suspected changes, add the night to the history and write its reports (the default)."""
    from edgebench import nightly
    from edgebench.cli import terminal
    from edgebench.measure.plan import sweeps

    with terminal.progress(quiet=quiet) as show:
        outside.look_beside(sweep)
        bulletin = nightly.run(sweeps.sweep(sweep), history, show, address)
    terminal.show_bulletin(bulletin)
    raise typer.Exit(nightly.exit_code(bulletin))


@app.command()
def accept(
    history: History = HISTORY,
    reason: Annotated[str, typer.Option(help="Why the change is intended; the history keeps it.")] = "",
    night: Annotated[str, typer.Option(help="A night's id or the start of its file name; default: the last.")] = "",
    configuration: Annotated[
        list[str] | None, typer.Option(help="Accept only this configuration; may be repeated; default: all.")
    ] = None,
    code: Annotated[
        str, typer.Option(help="Accept code instead: this agent or package of the history may run here.")
    ] = "",
) -> None:
    """Accept a night's changes, so that later nights are compared with it; or let code of the history run here."""
    from edgebench import nightly

    if code:
        typer.echo(f"accepted code {nightly.accept_code(history, code, reason)}: {reason}")
        return
    accepted = nightly.accept(history, reason, night, tuple(configuration or ()))
    typer.echo(escape.terminal(f"accepted night {accepted.night}: {accepted.reason}"))


Changed = Annotated[str, typer.Argument(help="A changed configuration: its name, a part of it, or a pattern with *.")]
Reason = Annotated[str, typer.Option(help="The reason, which the history keeps.")]
Link = Annotated[str, typer.Option(help="Address of an issue or a discussion.")]
OfHistory = Annotated[Path, typer.Option("--history", help="Folder with the history of nights.")]


@app.command()
def ack(case: Changed, history: OfHistory = HISTORY, reason: Reason = "", link: Link = "") -> None:
    """Acknowledge a change of the last night; later nights mention it, but do not fail because of it."""
    _decide(history, "acknowledged", case, reason, link=link)


@app.command()
def assign(
    case: Changed,
    to: Annotated[str, typer.Option(help="The person who takes care of the change.")],
    history: OfHistory = HISTORY,
    reason: Reason = "",
    link: Link = "",
) -> None:
    """Assign a change of the last night to a person; later nights mention it, but do not fail because of it."""
    _decide(history, "assigned", case, reason, to, link)


@app.command()
def invalid(case: Changed, reason: Reason, history: OfHistory = HISTORY, link: Link = "") -> None:
    """Mark a change of the last night as not real; later nights mention it, but do not fail because of it."""
    _decide(history, "invalid", case, reason, link=link)


def _decide(history: Path, state: str, case: str, reason: str, person: str = "", link: str = "") -> None:
    from edgebench import nightly
    from edgebench.nightly.night import State

    decision = nightly.decide(history, State(state), case, reason, person, link)
    for name in decision.configurations:
        typer.echo(escape.terminal(f"{decision.state}: {name}"))


@app.command()
def report(history: History = HISTORY) -> None:
    """Write the last night's reports again."""
    from edgebench import nightly
    from edgebench.cli import terminal

    terminal.show_bulletin(nightly.report(history, terminal.warn))


@app.command()
def replay(
    history: Annotated[Path | None, typer.Argument(help="Folder with the history of nights.")] = None,
    profile: Annotated[str, typer.Option(help="Replay a simulated machine instead: quiet, pi or vm.")] = "",
    inject: Annotated[
        float, typer.Option(min=1.0, help="Factor of a simulated slowdown, to count how often it is found.")
    ] = 1.05,
    seed: Annotated[int, typer.Option(help="Seed of the random draws; the default gives the guide's figures.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Replay a history; show false alarms per 1,000 configuration-nights, and how soon a slowdown is found."""
    from edgebench.cli import terminal
    from edgebench.nightly import replay

    rehearsal = replay.rehearse(history, profile, inject, seed)
    if json:
        terminal.show_json("nightly replay", replay.fields(rehearsal))
    else:
        terminal.show_sheets("nightly replay", [replay.sheet(rehearsal)])

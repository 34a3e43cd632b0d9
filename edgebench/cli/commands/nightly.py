"""The commands of a nightly run, which measures a sweep every night and reports regressions."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from edgebench.cli.exit_codes import EPILOG_OF_NIGHTLY
from edgebench.cli.options import Quiet
from edgebench.foundation import escape, outside

if TYPE_CHECKING:
    from edgebench.nightly.rule.limits import Limits
    from edgebench.nightly.summary import Bulletin
    from edgebench.schema.sweep import Sweep

HISTORY = Path("results/nightly")
GATE = Path("results/gate")
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
    wait: Annotated[str, typer.Option(help="How long to wait for a target that is in use: 30m; default: none.")] = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only list the cases, what is cached, and the expected time.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the night as JSON.")] = False,
    quiet: Quiet = False,
) -> None:
    """Measure a sweep tonight, confirm suspected changes, store the night and write its reports (the default)."""
    from edgebench import nightly, pipeline
    from edgebench.cli import terminal

    requested, limits, wait_s = _read(sweep, wait)
    if dry_run:
        with terminal.progress(quiet=quiet) as show:
            forecasts = pipeline.forecast(requested, show, address)
        terminal.show_forecast(forecasts, json=json)
        return
    with terminal.progress(quiet=quiet) as show:
        bulletin = nightly.run(requested, history, show, address, limits=limits, wait_s=wait_s)
    _show("nightly run", bulletin, json=json)
    raise typer.Exit(nightly.exit_code(bulletin))


def _read(sweep: str, wait: str) -> "tuple[Sweep, Limits, float]":
    """Return the sweep and the limits of a file, and the time in seconds to wait for a busy target."""
    from edgebench import nightly
    from edgebench.foundation.units import parse_duration
    from edgebench.measure.plan import sweeps

    outside.look_beside(sweep)
    return sweeps.sweep(sweep), nightly.limits_of(sweep), parse_duration(wait) if wait else 0.0


def _show(command: str, bulletin: "Bulletin", *, json: bool) -> None:
    from edgebench.cli import terminal
    from edgebench.nightly.bulletins.json import document

    if json:
        terminal.show_json(command, document(bulletin))
    else:
        terminal.show_bulletin(bulletin)


@app.command()
def accept(
    history: History = HISTORY,
    reason: Annotated[str, typer.Option(help="Why the change is intended; the history keeps it.")] = "",
    night: Annotated[str, typer.Option(help="A night's id or the start of its file name; default: the last.")] = "",
    configuration: Annotated[
        list[str] | None, typer.Option(help="Accept only this configuration; may be repeated; default: all.")
    ] = None,
    code: Annotated[
        str, typer.Option(help="Instead of a night, accept code: let this agent or package of the history run here.")
    ] = "",
) -> None:
    """Accept a night's changes, so that later nights are compared with it; or let code of the history run here."""
    from edgebench import nightly

    if code:
        typer.echo(f"accepted code {nightly.accept_code(history, code, reason)}: {reason}")
        return
    accepted = nightly.accept(history, reason, night, tuple(configuration or ()))
    typer.echo(escape.terminal(f"accepted night {accepted.night}: {accepted.reason}"))


def gate(
    sweep: Annotated[str, typer.Argument(help="A nightly sweep: nightly.toml.")],
    base: Annotated[str, typer.Option(help="The git revision to compare with: main, origin/main, HEAD~1.")],
    folder: Annotated[Path, typer.Option(help="Folder of the measurements; a revision is measured once.")] = GATE,
    address: Annotated[str, typer.Option(help="Address of the target, for a sweep with only one.")] = "",
    wait: Annotated[str, typer.Option(help="How long to wait for a target that is in use: 30m; default: none.")] = "",
    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    quiet: Quiet = False,
) -> None:
    """Compare the working tree with a git revision in pairs of processes, and print a comment for a pull request."""
    from edgebench import nightly
    from edgebench.cli import terminal
    from edgebench.nightly import gate

    requested, limits, wait_s = _read(sweep, wait)
    with terminal.progress(quiet=quiet) as show:
        head = gate.begin_head(gate.measure_base(sweep, base, folder, show, address, wait))
        bulletin = nightly.run(requested, head, show, address, limits=limits, wait_s=wait_s)
    if json:
        _show("gate", bulletin, json=True)
    else:
        for line in gate.comment(bulletin, base).splitlines():
            typer.echo(escape.terminal(line))
    raise typer.Exit(nightly.exit_code(bulletin))


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
def report(
    history: History = HISTORY,
    json: Annotated[bool, typer.Option("--json", help="Print the night as JSON.")] = False,
) -> None:
    """Write the last night's reports again."""
    from edgebench import nightly
    from edgebench.cli import terminal

    _show("nightly report", nightly.report(history, terminal.warn), json=json)


@app.command()
def export(
    folder: Annotated[Path, typer.Argument(help="The folder to write: one CSV file per configuration, otava.yaml.")],
    history: OfHistory = HISTORY,
) -> None:
    """Write the history as CSV files, with the configuration of Apache Otava, which finds changes in such series."""
    from edgebench.nightly import frame

    count = frame.write_csv(history, folder)
    typer.echo(f"{folder}: {count} CSV file{'s' * (count != 1)} and {frame.CONFIGURATION}")


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

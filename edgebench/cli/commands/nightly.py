"""The commands of a nightly run, which measures a sweep every night and reports regressions."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from edgebench.cli.exit_codes import EPILOG_OF_NIGHTLY
from edgebench.cli.options import Quiet
from edgebench.foundation import escape, outside
from edgebench.foundation.errors import RequestError

if TYPE_CHECKING:
    from edgebench.nightly.rule.limits import Limits
    from edgebench.nightly.summary import Bulletin
    from edgebench.schema.sweep import Sweep

HISTORY = Path("results/nightly")
GATE = Path("results/gate")
BISECT = Path("results/bisect")
NOT_FOUND = 3  # exit code of a bisection that does not find the first slower step
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
    leave_out: Annotated[
        list[str] | None, typer.Option(hidden=True, help="A configuration that is not measured; may be repeated.")
    ] = None,
    steps: Annotated[bool, typer.Option("--steps", hidden=True, help="Only print the steps, for a gate.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the night as JSON.")] = False,
    quiet: Quiet = False,
) -> None:
    """Measure a sweep tonight, confirm suspected changes, store the night and write its reports (the default)."""
    from edgebench import nightly, pipeline
    from edgebench.cli import terminal
    from edgebench.nightly import gate as gate_of_revision

    requested, limits, wait_s = _read(sweep, wait)
    if dry_run:
        with terminal.progress(quiet=quiet) as show:
            forecasts = pipeline.forecast(requested, show, address)
        terminal.show_forecast(forecasts, json=json)
        return
    with terminal.progress(quiet=quiet) as shown:
        show = (lambda event: print(gate_of_revision.as_line(event), flush=True)) if steps else shown
        bulletin = nightly.run(
            requested, history, show, address, limits=limits, wait_s=wait_s, left_out=leave_out or ()
        )
    if not steps:
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
    base: Annotated[
        str, typer.Option(help="The git revision to compare with: main, origin/main, HEAD~1; with --head, a folder.")
    ],
    sweep: Annotated[str, typer.Argument(help="A nightly sweep: nightly.toml; leave it out with --head.")] = "",
    head: Annotated[
        Path | None, typer.Option(help="Compare two results folders, --base and this one, without measuring.")
    ] = None,
    folder: Annotated[Path, typer.Option(help="Folder of the measurements; a revision is measured once.")] = GATE,
    address: Annotated[str, typer.Option(help="Address of the target, for a sweep with only one.")] = "",
    wait: Annotated[str, typer.Option(help="How long to wait for a target that is in use: 30m; default: none.")] = "",
    time_limit: Annotated[
        str, typer.Option(help="Limit on the expected time: 10m; the least informative configurations are left out.")
    ] = "",
    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    quiet: Quiet = False,
) -> None:
    """Compare the working tree with a git revision in pairs of processes, and print a comment for a pull request."""
    from edgebench import nightly
    from edgebench.cli import terminal
    from edgebench.foundation.units import parse_duration
    from edgebench.nightly import gate

    if head is not None:
        _require_folders_alone(sweep, address, wait, time_limit)
        _gate_of_folders(Path(base), head, json=json)
    if not sweep:
        raise RequestError("wanted a nightly sweep such as nightly.toml, or --head with a second results folder")
    limit_s = parse_duration(time_limit) if time_limit else 0.0
    request = gate.Request(
        sweep=sweep, revision=base, folder=folder, address=address, wait=wait, limit_s=limit_s
    )  # fmt: skip
    with terminal.progress(quiet=quiet) as show:
        bulletin = nightly.compare_with_revision(request, *_read(sweep, wait), show)
    if json:
        _show("gate", bulletin, json=True)
    else:
        _echo(gate.comment(bulletin, base))
    raise typer.Exit(nightly.exit_code(bulletin))


def _require_folders_alone(*options: str) -> None:
    if any(options):
        raise RequestError("wanted --base and --head alone, which compare two results folders; leave other options out")


def _gate_of_folders(base: Path, head: Path, *, json: bool) -> None:
    """Judge the results folder `head` against the results folder `base`; print the comment and end the command."""
    from edgebench.analysis.compare import gate
    from edgebench.analysis.compare.folders import contrast
    from edgebench.cli import terminal

    comparison = contrast(base, head)
    if json:
        terminal.show_json("gate", gate.fields(comparison))
    else:
        _echo(gate.comment(comparison))
    raise typer.Exit(gate.exit_code(comparison))


def _echo(text: str) -> None:
    for line in text.splitlines():
        typer.echo(escape.terminal(line))


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
def bisect(
    case: Annotated[
        str,
        typer.Argument(
            help="A configuration of the history (as for ack), or a model file; with --git, its path in a checkout."
        ),
    ],
    good: Annotated[str, typer.Option(help="The last version that is fast: 1.29.0, 1.29.x; with --git, a revision.")],
    bad: Annotated[str, typer.Option(help="A later version that is slow; with --git, a revision.")],
    runtime: Annotated[str, typer.Option(help="The runtime; default: the configuration's, or onnxruntime.")] = "",
    git: Annotated[
        Path | None, typer.Option(help="Walk the commits of this repository instead of the versions of the runtime.")
    ] = None,
    build: Annotated[
        str, typer.Option(help="With --git: the command that writes the model file, run in a checkout of each commit.")
    ] = "",
    history: OfHistory = HISTORY,
    target: Annotated[str, typer.Option(help="Where to measure a model file; default: cpu.")] = "",
    address: Annotated[str, typer.Option(help="Address of the target.")] = "",
    threads: Annotated[int, typer.Option(min=1, help="Threads per inference of a model file.")] = 1,
    input: Annotated[str, typer.Option(help="Input shape of a model file with open axes: 1x3x224x224.")] = "",
    every: Annotated[bool, typer.Option("--every", help="Measure every step, to see more than one change.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only list the steps.")] = False,
    wait: Annotated[str, typer.Option(help="How long to wait for a target that is in use: 30m; default: none.")] = "",
    folder: Annotated[Path, typer.Option(help="Folder of the report and of the samples.")] = BISECT,
    json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
    quiet: Quiet = False,
) -> None:
    """Find the first version of a runtime, or the first commit, that is slower; exit code 3 if it is not found."""
    from edgebench.cli import terminal
    from edgebench.foundation.units import parse_duration
    from edgebench.nightly import bisect
    from edgebench.nightly.bisect import report

    request = bisect.Request(
        case=case, good=good, bad=bad, runtime=runtime, history=history, folder=folder, repository=git, build=build,
        target=target, address=address, threads=threads, shape=input, every=every, is_dry=dry_run,
        wait_s=parse_duration(wait) if wait else 0.0,
    )  # fmt: skip
    with terminal.progress(quiet=quiet) as show:
        walk = bisect.bisect(request, show)
    if json:
        terminal.show_json(report.COMMAND, report.fields(walk))
    else:
        terminal.show_sheets(report.COMMAND, [report.sheet(walk)])
    raise typer.Exit(0 if walk.first or dry_run else NOT_FOUND)


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

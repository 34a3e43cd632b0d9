"""The arguments of a command -> one call of another package -> exit code: this package computes nothing itself.

`commands` has the commands, and `options` has the options that several commands share. `reader` turns options into a
sweep, `terminal` prints results, and `layout` fits tables into a terminal's width. `streams` prepares standard output
and standard error. `exit_codes` defines the exit codes: 0 answered, 1 failed or nothing found, 2 refused, 130
interrupted.
"""

import sys
from functools import cached_property
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

from edgebench import __version__
from edgebench.cli import exit_codes, guide, streams
from edgebench.cli.commands import analysis, cache, cluster, datasets, nightly, plugins, results, run, targets
from edgebench.foundation import ending, escape
from edgebench.foundation.errors import EdgebenchError
from edgebench.foundation.progress import warn

COMMANDS = (
    run.run,
    run.train,
    run.weights,
    results.report,
    results.figures,
    results.repair,
    results.merge,
    analysis.describe,
    analysis.inspect,
    analysis.evaluate,
    analysis.choose,
    analysis.compare,
    analysis.predict,
    analysis.why,
    analysis.export_script,
    analysis.take,
    analysis.lint,
    analysis.published,
    analysis.doctor,
    cache.cache,
)


class _Commands(TyperGroup):
    """All commands. The exit code shows which signal interrupted a command; typer's code would be that of Ctrl-C."""

    def invoke(self, ctx: Any) -> Any:
        """Run a command; if it is interrupted, say so in its last line."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as interruption:
            raise typer.Exit(_interrupted(interruption)) from interruption


class _Program(typer.Typer):
    """The command line. Its parser is built only once, even if one process runs several commands."""

    @cached_property
    def parser(self) -> Any:
        """The parser of every command."""
        return get_command(self)

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        """Run the command that the arguments name."""
        named = {"prog_name": "edgebench"}  # the same name however the program was started
        return self.parser(*arguments, **named | options)


app = _Program(
    cls=_Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Measure vision networks on the machines they are meant for: latency, memory, accuracy, int8 against float.",
    epilog=exit_codes.EPILOG,
)
for command in COMMANDS:
    app.command(epilog="\n\n".join(("Examples:", *run.EXAMPLES)) if command is run.run else None)(command)
app.command("guide")(guide.show)
app.command("gate", epilog=exit_codes.EPILOG_OF_NIGHTLY)(nightly.gate)
app.add_typer(datasets.app, name="datasets")
app.add_typer(cluster.app, name="cluster")
app.add_typer(targets.app, name="targets")
app.add_typer(plugins.app, name="plugins")
app.add_typer(nightly.app, name="nightly")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"edgebench {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None: ...


def main() -> None:
    """Run the command line; print an expected error as one line on standard error."""
    warn.cache_clear()
    streams.prepare()
    streams.keep_libraries_quiet()
    try:
        streams.require_decoded(sys.argv)
        with ending.heeded():
            _run()
    except EdgebenchError as error:
        _end(str(error), exit_codes.REFUSED)
    except KeyboardInterrupt as interruption:
        sys.exit(_interrupted(interruption))
    except streams.OutputLost as lost:
        if lost.is_closed_pipe:
            sys.exit(0)
        _end(f"cannot write to standard output: {lost}; free disk space or write elsewhere", exit_codes.REFUSED)
    except Exception as error:
        from edgebench.foundation import bugs

        _end(bugs.sentence(error), exit_codes.BUG)


def _run() -> None:
    """Run the command; flush its output before returning or failing."""
    try:
        app()
    finally:
        sys.stdout.flush()


def _interrupted(interruption: KeyboardInterrupt) -> int:
    """Say in a last line that a command was interrupted; return its exit code."""
    sys.stdout.flush()
    typer.echo(ending.sentence_of(interruption), err=True)
    return exit_codes.ended_by(ending.signal_of(interruption))


def _end(text: str, code: int) -> None:
    typer.echo(escape.terminal(f"edgebench: {' '.join(text.split())}"), err=True)
    sys.exit(code)

"""argv -> one call -> exit code: no logic, no numbers.

`commands` has the commands, `options` what they share, `reader` turns options into a sweep, `terminal` prints, and
`exit_codes` says what they mean: 0 answered, 1 failed or nothing found, 2 refused, 130 interrupted.
"""

import os
import sys
import warnings
from contextlib import suppress
from typing import Annotated

import typer

from edgebench import __version__
from edgebench.cli import exit_codes, guide
from edgebench.cli.commands import analysis, cache, datasets, nightly, results, run, targets
from edgebench.foundation import escape
from edgebench.foundation.errors import EdgebenchError
from edgebench.foundation.progress import warn

COMMANDS = (
    run.run,
    run.train,
    run.weights,
    results.report,
    results.figures,
    results.repair,
    analysis.describe,
    analysis.inspect,
    analysis.evaluate,
    analysis.choose,
    analysis.compare,
    analysis.predict,
    analysis.why,
    analysis.lint,
    analysis.published,
    analysis.doctor,
    cache.cache,
)
app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Measure vision networks on the machines they are meant for: latency, memory, accuracy, int8 against float.",
    epilog=exit_codes.EPILOG,
)
for command in COMMANDS:
    app.command()(command)
app.command("guide")(guide.show)
app.add_typer(datasets.app, name="datasets")
app.add_typer(targets.app, name="targets")
app.add_typer(nightly.app, name="nightly")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"edgebench {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show it.")] = False,
) -> None: ...


def main() -> None:
    """Run the command line; an expected error is one line on standard error."""
    warn.cache_clear()
    _keep_libraries_quiet()
    try:
        app()
    except EdgebenchError as error:
        typer.echo(escape.terminal(f"edgebench: {' '.join(str(error).split())}"), err=True)
        sys.exit(exit_codes.REFUSED)
    except KeyboardInterrupt:
        sys.exit(exit_codes.INTERRUPTED)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)
    except Exception as error:
        from edgebench.foundation import bugs

        typer.echo(escape.terminal(f"edgebench: {bugs.sentence(error)}"), err=True)
        sys.exit(exit_codes.BUG)


def _keep_libraries_quiet() -> None:
    """Let nobody but us write to standard error: libraries' warnings, and what their C++ prints, help no user.

    Warnings are shown to those who ask for them with `python -W` or PYTHONWARNINGS.
    """
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
    with suppress(AttributeError, OSError, ValueError):  # it is closed, or somebody's own stream
        if not sys.stderr or sys.stderr.fileno() != 2:
            return
        ours = os.dup(2)
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 2)
        os.close(quiet)
        encoding, errors = sys.stderr.encoding, sys.stderr.errors
        sys.stderr = os.fdopen(ours, "w", buffering=1, encoding=encoding, errors=errors)

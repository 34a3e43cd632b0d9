"""argv -> one call -> exit code: no logic, no numbers.

`commands` has the commands, `options` what they share, `reader` turns options into a sweep, `terminal` prints, and
`exit_codes` says what they mean: 0 answered, 1 failed or nothing found, 2 refused, 130 interrupted.
"""

import sys
from typing import Annotated

import typer

from edgebench import __version__
from edgebench.cli import exit_codes, guide
from edgebench.cli.commands import analysis, datasets, nightly, results, run, targets
from edgebench.foundation.errors import EdgebenchError

COMMANDS = (
    run.run,
    run.train,
    run.weights,
    results.report,
    results.figures,
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
    try:
        app()
    except EdgebenchError as error:
        typer.echo(f"edgebench: {' '.join(str(error).split())}", err=True)
        sys.exit(exit_codes.REFUSED)
    except KeyboardInterrupt:
        sys.exit(exit_codes.INTERRUPTED)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)

"""The command of a machine that makes files for the sessions of other machines."""

import os
import socket
from typing import Annotated

import typer

from edgebench.cli.options import Quiet

app = typer.Typer(no_args_is_help=True, help="Make files for the sessions of other machines.")


@app.callback()
def _cluster() -> None: ...


@app.command()
def worker(
    scheduler: Annotated[str, typer.Argument(help="The scheduler: tls://host:8786, or tcp://127.0.0.1:8786.")],
    name: Annotated[
        str, typer.Option(help="Name of the worker in messages; default: the machine's and a number.")
    ] = "",
    threads: Annotated[str, typer.Option(help="Threads of the process that makes files; default: one per core.")] = "",
    quiet: Quiet = False,
) -> None:
    """Train and export for the sessions of a scheduler, one file at a time, until the scheduler ends."""
    from edgebench.cli import reader, terminal
    from edgebench.measure.builders.worker import serve

    name = name or f"{socket.gethostname()}-{os.getpid()}"
    with terminal.progress(quiet=quiet) as show:
        serve(scheduler, name, reader.count("threads", threads or str(len(os.sched_getaffinity(0)))), show)

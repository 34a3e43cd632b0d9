"""The command line as tests run it: inside their own process, or in a process of its own where that is what counts."""

import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from subprocess import CompletedProcess
from unittest.mock import patch

from edgebench.cli import main

EDGEBENCH = (sys.executable, "-m", "edgebench")


def cli(*arguments: str, **environment: str) -> CompletedProcess[str]:
    """Run the command line here: what it imported once is not imported again. A warning or a bug of it is raised."""
    command, stdout, stderr = ["edgebench", *arguments], StringIO(), StringIO()
    code = 0
    with (
        patch.object(sys, "argv", command),
        patch.dict(os.environ, environment),
        redirect_stdout(stdout),
        redirect_stderr(stderr),
    ):
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
    return CompletedProcess(command, code, stdout.getvalue(), stderr.getvalue())


def process(*arguments: str, **environment: str) -> CompletedProcess[str]:
    """Run the command line as a shell does."""
    return subprocess.run(
        [*EDGEBENCH, *arguments], capture_output=True, text=True, env=os.environ | environment, check=False
    )

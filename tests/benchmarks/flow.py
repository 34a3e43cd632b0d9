"""A command -> the wings that its data goes through, and how often it changes wings.

`python -m tests.benchmarks.flow` prints that of a run, an export, a night and two choices, each in a process of its own
and an empty folder; `python -m tests.benchmarks.flow run` prints one of them.

The rule: take the files of the package in the order in which a function of each is first called, in this process and
not by an import. A file counts as its wing. Leave out `schema` and `foundation`, which every wing uses. A change is a
file whose wing differs from that of the file before it.
"""

from __future__ import annotations

import subprocess
import sys
from contextlib import chdir, contextmanager
from inspect import CO_OPTIMIZED
from itertools import groupby
from os import environ
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import edgebench
from edgebench.agent import hold
from edgebench.analysis import choose
from edgebench.analysis.choose.request import Request
from edgebench.cli.exit_codes import REFUSED
from edgebench.export import export
from edgebench.schema.quantization import Quantization
from edgebench.schema.variant import Precision, Variant, WeightSource
from tests import ROOT
from tests.nightly.test_nightly import SWEEP
from tests.support.command import cli

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

PACKAGE = Path(edgebench.__file__).parent
USED_BY_ALL = ("schema", "foundation")
PLACES = ("EDGEBENCH_CACHE", "XDG_CONFIG_HOME", "XDG_STATE_HOME")  # of files made before, settings and locks of boards
SHELF = ("--model", "null", "--runtime", "null", "--dataset", "null", "--weights", "none", "--resolution", "1")


@contextmanager
def entered(files: list[Path]) -> Iterator[None]:
    """Add the package's files to `files` in the order in which a function of each is first called."""
    known = set[str]()

    def note(frame: FrameType, event: str, _: Any) -> None:
        name = frame.f_code.co_filename
        is_new = event == "call" and name.startswith(str(PACKAGE)) and name not in known
        if is_new and frame.f_code.co_flags & CO_OPTIMIZED and not is_importing(frame):  # else the body of a class
            known.add(name)
            files.append(Path(name).relative_to(PACKAGE))

    sys.setprofile(note)
    try:
        yield
    finally:
        sys.setprofile(None)


def is_importing(frame: FrameType | None) -> bool:
    """Tell whether an import is under way."""
    while frame and not frame.f_code.co_filename.startswith("<frozen importlib"):
        frame = frame.f_back
    return frame is not None


def wings(files: list[Path]) -> list[str]:
    """Return the wings of the files in turn, one for each row of files of the same wing."""
    wings = (file.parts[0].removesuffix(".py") for file in files)
    return [wing for wing, _ in groupby(wing for wing in wings if wing not in USED_BY_ALL)]


def command(*arguments: str) -> None:
    """Call the command line; a busy machine may make a night INVALID, which changes no wing."""
    done = cli(*arguments)
    assert done.returncode != REFUSED, done.stderr


def run() -> None:
    """Measure the null network in float and int8 on this machine."""
    command("run", "--target", "cpu", "--preset", "quick", *SHELF)


def export_int8() -> None:
    """Write an int8 file of LeNet-5, and its float parent before it."""
    variant = Variant(
        architecture="lenet5",
        width=1.0,
        resolution=32,
        precision=Precision.INT8,
        classes=10,
        weights=WeightSource.RANDOM,
        dataset="digits",
        quantization=Quantization(),
    )
    export(variant, "onnx", lambda _: None)


def night() -> None:
    """Measure a night after another one."""
    command("nightly", "run", "nightly.toml")


def before_night() -> None:
    """Measure the other one."""
    Path("nightly.toml").write_text(SWEEP)
    night()


def choice() -> None:
    """Choose among published rows."""
    choose.answer((), "rpi4", Request())


def choice_of_folder() -> None:
    """Choose among the rows of a results folder, which is read for it."""
    choose.answer((ROOT / "results" / "x86_vm",), "", Request())


FLOWS = {"run": run, "export": export_int8, "night": night, "choice": choice, "choice_of_folder": choice_of_folder}
PREPARATIONS = {"night": before_night}


def surroundings(place: str) -> dict[str, str]:
    """Return variables that keep a flow, which takes no timing, apart from other runs on this machine."""
    return dict.fromkeys(PLACES, place) | {hold.VARIABLE: f"{place}/edgebench.lock"}


def show(name: str) -> None:
    """Print a flow's files and wings."""
    files = list[Path]()
    with TemporaryDirectory() as place, chdir(place), patch.dict(environ, surroundings(place)):
        PREPARATIONS.get(name, lambda: None)()
        with entered(files):
            FLOWS[name]()
    passed = wings(files)
    print(f"{name}: {len(passed) - 1} changes of wing, {len(files)} files", *passed)
    print(" ", *files, "\n")


def main() -> None:
    """Show the flows that are named, or all; each in a process of its own, because what is cached is not entered."""
    names = sys.argv[1:] or list(FLOWS)
    if len(names) == 1:
        show(*names)
        return
    for name in names:
        subprocess.run([sys.executable, "-m", "tests.benchmarks.flow", name], check=True)


if __name__ == "__main__":
    main()

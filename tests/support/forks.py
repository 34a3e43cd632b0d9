"""Many command lines, each in surroundings of its own: a process that has imported everything forks for each of them.

Standard input has a list of jobs as JSON, `{"arguments": [...], "streams": {"1": "full"}, "environment": {...}}`;
standard output has a list of `[exit code, standard output, standard error]`. A stream may be closed, full, or a pipe
that nobody reads.
"""

import io
import json
import os
import sys
import traceback
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

ENOUGH = 30  # jobs, for which importing everything first pays


def warmed_up() -> None:
    """Import what commands import when they run."""
    import jinja2
    import pydantic
    import rich.console
    import rich.progress
    import rich.table
    import typer.rich_utils

    import edgebench.analysis.choose
    import edgebench.analysis.compare.folders
    import edgebench.analysis.doctor
    import edgebench.analysis.lint
    import edgebench.analysis.predict
    import edgebench.cli.terminal
    import edgebench.nightly.replay
    import edgebench.pipeline
    import edgebench.results.folders

    # pydantic imports its parts when they are first used
    pydantic.TypeAdapter(dict[str, int]).validate_json("{}")
    assert jinja2 and rich and typer and edgebench
    _work_out_once()


def _work_out_once() -> None:
    """Compute what each command would compute alike: the parser, plug-ins, the agent's files, decoders, templates."""
    from edgebench.cli import app
    from edgebench.deploy.bundle import closure
    from edgebench.foundation import shelf
    from edgebench.networks import published
    from edgebench.results import WRITTEN, folders

    assert app.parser and published.references() and published.detections() and published.quantized()
    for name in shelf.SHELVES:
        shelf.names(name)
    closure()
    for folder in Path("results").glob("*/runs.jsonl"):
        table, background = folders.study(folder.parent)
        for name in WRITTEN:
            shelf.load("reports", name).render(table, background)


def run(job: dict[str, Any]) -> tuple[int, str, str]:
    with TemporaryFile() as output, TemporaryFile() as errors:
        if not (child := os.fork()):
            os._exit(_child(job, {1: output.fileno(), 2: errors.fileno()}))
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        texts = []
        for file in (output, errors):
            file.seek(0)
            texts.append(file.read().decode("utf-8", "backslashreplace"))
        return code, texts[0], texts[1]


def _child(job: dict[str, Any], files: dict[int, int]) -> int:
    os.environ.update(job["environment"])
    sys.argv = ["edgebench", *job["arguments"]]
    encoding = sys.stdout.encoding
    for handle, file in files.items():
        _redirect(handle, file, job["streams"].get(str(handle), ""), encoding)
    try:
        from edgebench.cli import main

        main()
    except SystemExit as end:
        return _flushed(end.code if isinstance(end.code, int) else int(bool(end.code)))
    except BaseException:
        traceback.print_exc()
        return 99
    return _flushed(0)


def _redirect(handle: int, file: int, kind: str, encoding: str) -> None:
    """Put a stream in place as the interpreter does when it starts."""
    name = {1: "stdout", 2: "stderr"}[handle]
    if kind == "closed":
        os.close(handle)
        setattr(sys, name, None)
        return
    if kind == "full":
        file = os.open("/dev/full", os.O_WRONLY)
    elif kind == "pipe":
        reader, file = os.pipe()
        os.close(reader)
    os.dup2(file, handle)
    raw = io.FileIO(handle, "w", closefd=False)
    raw.name = f"<{name}>"
    errors = "backslashreplace" if handle == 2 else "strict"
    setattr(sys, name, io.TextIOWrapper(io.BufferedWriter(raw), encoding=encoding, errors=errors))


def _flushed(code: int) -> int:
    try:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
    except Exception:  # what the interpreter says of a stream that it cannot flush when it ends
        return 120
    return code


if __name__ == "__main__":
    jobs = json.loads(Path("jobs.json").read_text(encoding="utf-8"))
    import edgebench.cli
    import edgebench.cli.terminal  # noqa: F401

    if len(jobs) > ENOUGH:
        warmed_up()
    Path("answers.json").write_text(json.dumps([run(job) for job in jobs]), encoding="utf-8")

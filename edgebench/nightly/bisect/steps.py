"""The versions of a runtime, or the commits of a repository -> the steps of a walk, and their installation on a target.

A step is a model file with a runtime. In a walk over versions, all steps have the same file. In a walk over commits,
each commit is checked out into a folder of its own, and a command builds its file there.
"""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from edgebench.deploy import Deployed, unpack
from edgebench.deploy.survey import bring
from edgebench.deploy.wheels import gather, platform, public, versions
from edgebench.foundation import cache, escape
from edgebench.foundation.errors import CaseError, RequestError
from edgebench.measure import open_session
from edgebench.measure.rounds import Job
from edgebench.measure.stage import exported
from edgebench.nightly.arms import Arm
from edgebench.nightly.git import checked_out, commit_of, git
from edgebench.schema.runtime import RuntimeRequest
from edgebench.schema.sweep import Model, Sweep
from edgebench.schema.variant import Precision

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edgebench.deploy import Held
    from edgebench.foundation.progress import Show
    from edgebench.schema.case import Case
    from edgebench.schema.environment import Environment
    from edgebench.schema.record import Run, Session

SERIES = re.compile(r"\.[x*]$")  # ends a text that names a series of versions, such as 1.29.x
LISTED = 12  # an error message lists this many versions, the newest ones
COMMIT_DIGITS, SUBJECT = 10, 50  # a commit's label has so many digits of its hash, and characters of its message


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A file that is measured: its case, its path on this machine and its hash."""

    case: Case
    file: Path
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A step of a walk.

    Attributes:
        label: the version, or the commit's abbreviated hash; `words` is the commit's message, shortened.
        prepare: function that downloads the runtime or builds the file, and returns the file to measure; it does not
            use the target.
        version: the version of the runtime; empty for the version that the target has.
    """

    label: str
    prepare: Callable[[], Subject]
    version: str = ""
    words: str = ""


def of_versions(subject: Subject, environment: Environment, good: str, bad: str) -> tuple[Step, ...]:
    """Return a step for each version of the subject's runtime, from `good` to `bad`.

    Raises:
        RequestError: the package index lacks an end, or the good end is not the older one.
    """
    runtime, target = subject.case.runtime.name, platform(environment.facts)
    chosen = between(versions(runtime, target), good, bad, runtime)

    def prepare(version: str) -> Subject:
        gather(runtime, version, target)
        return subject

    return tuple(
        Step(label=version, version=version, prepare=lambda version=version: prepare(version))  # type: ignore[misc]
        for version in chosen
    )


def between(known: Sequence[str], good: str, bad: str, runtime: str) -> tuple[str, ...]:
    """Return the versions from `good` to `bad`; `known` lists all versions, the oldest first.

    Raises:
        RequestError: an end is unknown, or the good end is not the older one.
    """
    first, last = (known.index(meant(known, text, runtime)) for text in (good, bad))
    if first >= last:
        raise RequestError(
            f"wanted a good version that is older than the bad one, found good {known[first]} and bad {known[last]}"
        )
    return tuple(known[first : last + 1])


def meant(known: Sequence[str], text: str, runtime: str) -> str:
    """Return the version that a text names: exactly this version, or else the newest of the series, such as 1.29.x.

    Raises:
        RequestError: there is no such version.
    """
    wanted = public(text.strip())
    if wanted in known:
        return wanted
    series = f"{SERIES.sub('', wanted)}."
    of_series = [version for version in known if version.startswith(series)]
    if not of_series:
        listed = ", ".join(known[-LISTED:])
        raise RequestError(f"no version {text[:40]!r} of {runtime} for this target; available are {listed}")
    return of_series[-1]


def of_commits(
    repository: Path, good: str, bad: str, build: str, file: str, adopt: Callable[[Path], Subject], logs: Path
) -> tuple[Step, ...]:
    """Return a step for each commit from `good` to `bad`, along the first parents.

    `build` is the command that writes the model file, whose path `file` is relative to the top of the checkout. `adopt`
    turns a path into the file to measure. The output of each build is kept in the folder `logs`.

    Raises:
        RequestError: the folder is no repository, a commit is missing, or the bad end does not come after the good end.
    """
    first, last = (commit_of(revision, repository) for revision in (good, bad))
    git("merge-base", "--is-ancestor", first, last, refused=f"{good} is not before {bad}", folder=repository)
    listed = git(
        *("log", "--reverse", "--first-parent", "--format=%H %s", f"{first}..{last}"),
        refused="cannot list the commits",
        folder=repository,
    )
    if not listed:
        raise RequestError(f"wanted a bad commit after the good one, found {bad} and {good}, which are the same commit")
    subject = git("log", "-1", "--format=%H %s", first, refused="cannot read the commit", folder=repository)

    def prepare(commit: str) -> Subject:
        with checked_out(commit, repository) as tree:
            return adopt(_built(tree, build, file, logs / f"{commit[:COMMIT_DIGITS]}.log"))

    return tuple(
        Step(
            label=commit[:COMMIT_DIGITS],
            words=escape.plain(words)[:SUBJECT],
            prepare=lambda commit=commit: prepare(commit),  # type: ignore[misc]
        )
        for commit, _, words in (line.partition(" ") for line in (subject, *listed.splitlines()))
    )


def _built(tree: Path, build: str, file: str, log: Path) -> Path:
    """Run the build command in a checkout; return the path of the file that it wrote.

    Raises:
        CaseError: the command failed, or did not write the file.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        done = subprocess.run(  # noqa: S602  # the user's own command
            build, shell=True, cwd=tree, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, check=False
        )
    if done.returncode:
        said = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:]
        last = f": {escape.plain(said[0])[:200]}" if said else ""
        raise CaseError(f"the build command failed with exit code {done.returncode}{last}")
    if not (tree / file).is_file():
        raise CaseError(f"the build command wrote no file {file}")
    return tree / file


def adopted(
    path: Path, runtime: str, environment: Environment, show: Show, *, threads: int, shape: str
) -> tuple[Subject, Session]:
    """Copy a model file to the cache; return it as the file to measure, with a session that can measure it.

    `shape` states the shapes of the inputs if the file leaves axes open, such as `1x3x224x224`.

    Raises:
        RequestError, CaseError: the model or the runtime cannot be used.
    """
    sweep = Sweep(
        models=(Model(name=os.fspath(path)),),
        targets=(environment.target,),
        runtimes=(runtime,),
        precisions=(Precision.FP32,),
        threads=(threads,),
        input=shape,
        preset="nightly",
    )
    session = open_session(sweep, environment)
    (case,) = session.cases
    artifact = exported(case, case.variant, environment, show)
    return Subject(case=case, file=cache.path_of(artifact), sha256=artifact.sha256), session


def installed(step: Step, subject: Subject, held: Held, environment: Environment, name: str, runs: list[Run]) -> Arm:
    """Install a step on a target; return it as one side of pairs.

    `runs` are earlier runs; the new processes use the number of iterations of these runs.

    Raises:
        CaseError, RequestError: the runtime or the file could not be installed.
    """
    connection, runtime, packages, files = held.connection, subject.case.runtime, "", ""
    if version := step.version or (public(runtime.version) if runtime.packages else ""):
        request = RuntimeRequest(name=runtime.name, version=version)
        brought, files = bring(request, connection, held.target, environment.facts)
        runtime = replace(brought, options=runtime.options)
        packages = unpack(connection, request, platform(environment.facts))
    deployed = Deployed(
        variant=subject.case.variant,
        path=connection.push(subject.file, subject.sha256),
        sha256=subject.sha256,
        packages=packages,
        runtime_files=files,
    )
    job = Job(case=replace(subject.case, runtime=runtime), deployed=deployed, runs=list(runs))
    return Arm(name=name, job=job, connection=connection)

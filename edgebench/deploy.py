"""Agent bundle, artifacts and runtimes' packages -> a target, by content hash."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from edgebench import cache, engine
from edgebench.connections import Connection
from edgebench.engine import Engine
from edgebench.errors import CaseError
from edgebench.record import Artifact, Environment
from edgebench.shelf import load
from edgebench.spec import Runtime, Target, Variant
from edgebench.wheels import Platform, gather, platform, public

# The floors from `agent` down; a test runs them alone to prove that they need nothing above.
TRAVELS = (
    "agent",
    "ahead",
    "architectures",
    "build",
    "errors",
    "normalization",
    "quantization",
    "runtimes",
    "shelf",
    "spec",
    "throttle",
)
_PACKAGE = Path(__file__).parent
UNPACK_S = 300.0  # a slow card takes 100 MB
_EPOCH = (1980, 1, 1, 0, 0, 0)  # zip's first day: the same sources give the same bytes
# Read by whatever Python a board has, before the first line that an older one cannot read.
_MAIN = """import sys
if sys.version_info < (3, 11):
    found = "wanted Python 3.11 or newer on the target, found %d.%d; install one" % sys.version_info[:2]
    print('\\nedgebench-answer {"ok": false, "error": "%s, or name another as `python` in its file"}' % found)
    sys.exit()
from edgebench.agent.__main__ import main
main()
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployed:
    """An artifact on a target: whose it is, where it lies there, its hash, and where its runtime's own packages lie."""

    variant: Variant
    path: str
    sha256: str
    packages: str = ""

    def request(self, runtime: Runtime, threads: int, batch: int) -> dict[str, Any]:
        """Say what the agent is to open, and how: the same words whatever is asked of it."""
        return {
            "runtime": runtime.name,
            "options": runtime.options,
            "path": self.path,
            "packages": self.packages,
            "threads": threads,
            "batch": batch,
        }


def bundle() -> tuple[Path, str]:
    """Write the agent as one zip that Python runs; return its path and hash, identical for identical sources."""
    content = _zip()
    digest = hashlib.sha256(content).hexdigest()
    path = cache.folder("agent") / f"edgebench-agent-{digest[:16]}.pyz"
    if not path.exists() or cache.sha256(path) != digest:
        cache.write(path, content)
    return path, digest


@contextmanager
def connect(target: Target) -> Iterator[tuple[Connection, str]]:
    """Open the target's connection with the agent on it; give it and the agent's hash, and close it."""
    path, digest = bundle()
    connection: Connection = load("connections", target.connection).open(target, path)
    try:
        yield connection, digest
    finally:
        connection.close()


def install(
    connection: Connection, artifact: Artifact, variant: Variant, runtime: Runtime, environment: Environment
) -> Deployed:
    """Put a variant's artifact on the target, with the packages of the runtime that is to open it.

    Raises:
        CaseError: the file is no longer what its card says.
        RequestError: the runtime's version does not exist, or has no wheel for the target.
        AgentError: its packages could not be unpacked.
    """
    packages = _furnish(connection, runtime, environment)
    if not cache.is_intact(artifact):
        raise CaseError(f"{artifact.file} in the cache changed after it was made; run again to make it anew")
    path = connection.push(cache.path_of(artifact), artifact.sha256)
    return Deployed(variant=variant, path=path, sha256=artifact.sha256, packages=packages)


def _furnish(connection: Connection, runtime: Runtime, environment: Environment) -> str:
    """Bring a runtime's packages to the target; return their folder there, empty for a runtime it has itself."""
    if not runtime.packages:
        return ""
    bare = replace(runtime, options=())
    named = next(name for name, one in environment.runtimes.items() if replace(one, options=()) == bare)
    asked = engine.parse(named)
    asked = replace(asked, version=asked.version or public(runtime.version))
    return unpack(connection, asked, platform(environment.facts))


@lru_cache
def unpack(connection: Connection, asked: Engine, machine: Platform) -> str:
    """Push a pinned runtime's packages, and let the agent unpack them; return their folder there."""
    packages = gather(asked.name, asked.version, machine)
    pushed = connection.push(cache.path_of(packages), packages.sha256)
    folder: str = connection.run({"do": "unpack", "path": pushed}, timeout_s=UNPACK_S)["folder"]
    return folder


def _zip() -> bytes:
    buffer = BytesIO()
    with ZipFile(buffer, "w", ZIP_DEFLATED) as archive:
        for name, text in [("__main__.py", _MAIN), *_sources()]:
            archive.writestr(ZipInfo(name, _EPOCH), text, ZIP_DEFLATED)
    return buffer.getvalue()


def _sources() -> list[tuple[str, str]]:
    files = [_PACKAGE / "__init__.py"]
    for name in TRAVELS:
        folder = _PACKAGE / name
        files += sorted(folder.glob("*.py")) if folder.is_dir() else [folder.with_suffix(".py")]
    return [(f"edgebench/{file.relative_to(_PACKAGE)}", file.read_text()) for file in files]

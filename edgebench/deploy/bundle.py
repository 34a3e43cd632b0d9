"""Pack the agent and all modules that it imports into one zip, which Python runs; equal sources give equal bytes."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator
from functools import cache as once
from io import BytesIO
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo, is_zipfile

from edgebench.agent import lifeline
from edgebench.foundation import cache, files, outside, shelf

SHELVES = ("architectures", "decoders", "runtimes", "tasks")  # shelves of which the agent imports plug-ins
# Packages whose modules the agent imports by name at run time: the handlers of its requests, and its plug-ins.
ROOTS = ("edgebench.agent", "edgebench.networks.architectures", "edgebench.tasks")
_PARTS = ("body", "orelse", "finalbody", "handlers", "cases")  # the fields of a syntax node that hold statements
_PACKAGE = Path(__file__).parents[1]
_EPOCH = (1980, 1, 1, 0, 0, 0)  # zip's earliest date, fixed so that the same sources give the same bytes
# Even an old Python can parse this code, which runs before the first import that needs a newer Python.
_MAIN = """import sys
if sys.version_info < (3, 11):
    found = "wanted Python 3.11 or newer on the target, found %d.%d; install one" % sys.version_info[:2]
    print('\\nedgebench-answer {"ok": false, "error": "%s, or name another as `python` in the target file"}' % found)
    sys.exit()
from edgebench.agent.__main__ import main
main()
"""


def bundle() -> tuple[Path, str]:
    """Write the agent as one zip that Python runs; return its path and hash."""
    content = _zip()
    digest = hashlib.sha256(content).hexdigest()
    path = _built(digest)
    if not cache.has_hash(path, digest):
        files.write(path, content)
    files.used(path)
    return path, digest


def was_built_here(digest: str) -> bool:
    """Return whether this installation of edgebench built the bundle; the cache has the bundles that it built."""
    return bundle()[1] == digest or cache.has_hash(_built(digest), digest)


def _built(digest: str) -> Path:
    return files.folder("agent") / f"edgebench-agent-{digest[:16]}.pyz"


def ends_with_host(path: Path) -> bool:
    """Return whether the agent in a bundle ends by itself as soon as the host's process ends.

    Agents of older versions do not end by themselves. Such agents read their input to its end before they answer, so
    the host must close their input.
    """
    if not is_zipfile(path):
        return False
    with ZipFile(path) as archive:
        return f"edgebench/{Path(lifeline.__file__).relative_to(_PACKAGE)}" in archive.namelist()


def _zip() -> bytes:
    buffer = BytesIO()
    with ZipFile(buffer, "w", ZIP_DEFLATED) as archive:
        for name, text in [("__main__.py", _MAIN), *_sources()]:
            archive.writestr(ZipInfo(name, _EPOCH), text, ZIP_DEFLATED)
    return buffer.getvalue()


def _sources() -> list[tuple[str, str]]:
    """Return pairs for the agent's files: the file's path in the bundle, and the file's text."""
    sources = [(f"edgebench/{file.relative_to(_PACKAGE)}", file.read_text(encoding="utf-8")) for file in closure()]
    own = [(name, file.read_text(encoding="utf-8")) for name, file in _own().items()]
    return [("edgebench/__init__.py", (_PACKAGE / "__init__.py").read_text(encoding="utf-8")), *sources, *own]


def _own() -> dict[str, Path]:
    """Map paths in the bundle to the user's own plug-ins and to the files beside them, which they can import."""
    found = dict[str, Path]()
    for name in SHELVES:
        folder = f"edgebench/{shelf.SHELVES[name].place.replace('.', '/')}"
        plugins = {plugin: file for plugin, file in shelf.files(name).items() if file.suffix == ".py"}
        beside = [file for place in outside.folders(name) for file in sorted(place.glob("*.py"))]
        found |= {f"{folder}/{file.name}": file for file in beside}
        found |= {f"{folder}/{plugin}.py": file for plugin, file in plugins.items() if file not in beside}
    return found


def closure() -> tuple[Path, ...]:
    """List the files of `ROOTS` and all files of this package that they import, directly or not.

    Imports inside functions are followed, too, and the imports of the user's own plug-ins.
    """
    return _closure(tuple(_own().values()))


@once
def _closure(own: tuple[Path, ...]) -> tuple[Path, ...]:
    left, files = [file for root in ROOTS for file in _below(root)], set[Path]()
    left += [path for file in own for module in _imports(file) for path in _with_parents(module) if path.exists()]
    while left:
        file = left.pop()
        if file not in files:
            files.add(file)
            left += [path for module in _imports(file) for path in _with_parents(module)]
    return tuple(sorted(files))


def _file(module: str) -> Path:
    place = _PACKAGE.joinpath(*module.split(".")[1:])
    return place / "__init__.py" if place.is_dir() else place.with_suffix(".py")


def _below(root: str) -> Iterator[Path]:
    return _file(root).parent.rglob("*.py")


def _with_parents(module: str) -> Iterator[Path]:
    """Yield the files of a module and of its parent packages except `edgebench`; Python imports the parents first."""
    names = module.split(".")
    return (_file(".".join(names[:count])) for count in range(2, len(names) + 1))


def _imports(file: Path) -> Iterator[str]:
    """Yield the modules of this package that a file imports at run time; skip imports under TYPE_CHECKING."""
    for module, names in _statements(file.read_text(encoding="utf-8")):
        full = [f"{module}.{name}" for name in names]
        yield from (name if _file(name).exists() else module for name in full)


@once
def _statements(source: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return each of the file's imports from this package: the module and the imported names.

    The result is cached, because the same source is read many times.
    """
    left: list[ast.AST] = [ast.parse(source)]
    statements = []
    while left:
        match left.pop():
            case ast.If(test=ast.Name(id="TYPE_CHECKING"), orelse=otherwise):
                left += otherwise
            case ast.ImportFrom(module=str(module), names=names) if module.partition(".")[0] == "edgebench":
                statements.append((module, tuple(alias.name for alias in names)))
            case node:  # imports are statements, so expressions, which are most of the nodes, are not visited
                left += [child for part in _PARTS for child in getattr(node, part, ())]
    return tuple(statements)

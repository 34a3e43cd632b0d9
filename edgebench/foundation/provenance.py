"""Settings and source code that determine a file's content -> hashes of them, which form the file's cache key."""

from __future__ import annotations

import functools
import hashlib
import re
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from edgebench.foundation.shelf import SHELVES

if TYPE_CHECKING:
    from collections.abc import Mapping


_PACKAGE = Path(__file__).parents[1]


def key(parts: Mapping[str, str]) -> str:
    """Hash everything that determines a file's content into 16 hexadecimal digits."""
    text = "\n".join(f"{name}={value}" for name, value in sorted(parts.items()))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@functools.cache  # each case needs the version several times, and reading a package's metadata takes 2 ms
def version(package: str) -> str:
    """Return the version of an installed package.

    Raises:
        PackageNotFoundError: the package is not installed.
    """
    return metadata.version(package)


@functools.cache
def source(*modules: str) -> str:
    """Hash the source of modules; for a plug-in, include the other plug-ins of its folder that it imports.

    A module is given by its path below the package, such as `export/formats/onnx`; a folder is allowed, too. The hash
    has 16 hexadecimal digits.
    """
    digest = hashlib.sha256()
    for module in sorted(set().union(*map(_with_neighbours, modules))):
        for file in _files(module):
            digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def _files(module: str) -> list[Path]:
    """List the source files of a module: its one file or, for a folder, all files in the folder."""
    folder = _PACKAGE / module
    return sorted(folder.glob("*.py")) if folder.is_dir() else [folder.with_suffix(".py")]


def _with_neighbours(module: str) -> set[str]:
    """Return a module; if it is a plug-in, add the plug-ins of its folder that it imports, directly or indirectly."""
    shelf, _, _ = module.rpartition("/")
    place, modules, left = shelf.replace("/", "."), set[str](), {module}
    while left:
        modules.add(current := left.pop())
        if place in {shelf.place for shelf in SHELVES.values()}:
            text = "".join(file.read_text(encoding="utf-8") for file in _files(current))
            imported = re.findall(rf"^from edgebench\.{place}\.(\w+) import", text, re.MULTILINE)
            left |= {f"{shelf}/{name}" for name in imported} - modules
    return modules

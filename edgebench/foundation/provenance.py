"""What shaped a file -> the key that it is kept under: hashes of words and of this package's own sources."""

from __future__ import annotations

import functools
import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


_PACKAGE = Path(__file__).parents[1]


def key(parts: Mapping[str, str]) -> str:
    """Hash everything that shapes a file into 16 hexadecimal digits."""
    text = "\n".join(f"{name}={value}" for name, value in sorted(parts.items()))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@functools.cache
def source(*modules: str) -> str:
    """Hash the source of modules of this package, by path (`formats/onnx`), with what they use of their shelf."""
    digest = hashlib.sha256()
    for module in sorted(set().union(*map(_with_neighbours, modules))):
        for file in _files(module):
            digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def _files(module: str) -> list[Path]:
    """List a module's files: one, or those of its folder."""
    folder = _PACKAGE / module
    return sorted(folder.glob("*.py")) if folder.is_dir() else [folder.with_suffix(".py")]


def _with_neighbours(module: str) -> set[str]:
    shelf, _, _ = module.rpartition("/")
    text = "".join(file.read_text() for file in _files(module))
    used = re.findall(rf"^from edgebench\.{shelf.replace('/', '.')}\.(\w+) import", text, re.MULTILINE) if shelf else []
    return {module}.union(*(_with_neighbours(f"{shelf}/{name}") for name in used))

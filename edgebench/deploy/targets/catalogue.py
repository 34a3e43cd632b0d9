"""Names -> the targets that their TOML files describe, with the addresses that this machine knows."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgebench.foundation import toml
from edgebench.foundation.errors import RequestError, require
from edgebench.foundation.shelf import load
from edgebench.schema.target import Target

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


_PACKAGE = Path(__file__).parents[2]
SHIPPED = (_PACKAGE / "targets", _PACKAGE.parent / "targets")  # in a wheel, in a checkout


def _files() -> dict[str, Path]:
    return toml.files("targets", *SHIPPED)


def targets() -> tuple[str, ...]:
    """List the targets that a name can stand for."""
    return tuple(_files())


def target(name: str) -> Target:
    """Read a target; its file's stem is its name, and `$EDGEBENCH_<NAME>_ADDRESS` comes before the file's address.

    Raises:
        UnknownName, InvalidFile
    """
    files = _files()
    require("target", name, files, may_be_empty=False)
    read = toml.read(files[name], Target, name, check_content=partial(_refuse_name, name))
    return replace(read, address=os.environ.get(address_variable(name)) or read.address)


def address_variable(name: str) -> str:
    """Name the environment variable that holds a target's address."""
    return f"EDGEBENCH_{name.upper()}_ADDRESS"


def targets_of(names: Sequence[str], address: str = "") -> tuple[Target, ...]:
    """Read the targets of a sweep; an address is that of the only one.

    Raises:
        UnknownName, InvalidFile
        RequestError: an address and several targets, or one that has none.
    """
    found = tuple(map(target, names))
    if not address:
        return found
    if len(found) != 1:
        raise RequestError(f"wanted one target with --address, found {len(found)}: {', '.join(names)}")
    if load("connections", found[0].connection).ADDRESS == "":
        raise RequestError(f"target {names[0]} is reached without an address; leave --address out")
    return (replace(found[0], address=address),)


def _refuse_name(name: str, content: Mapping[str, Any]) -> None:
    if "name" in content:
        raise RequestError(f"name: a target is named by its file, {name}")

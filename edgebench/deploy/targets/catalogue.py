"""Names -> targets, read from their TOML files, with addresses from environment variables."""

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
    """List the names of all known targets."""
    return tuple(_files())


def target(name: str) -> Target:
    """Read a target's file, named by its stem; `$EDGEBENCH_<NAME>_ADDRESS` takes precedence over the file's address.

    Raises:
        UnknownName, InvalidFile
    """
    files = _files()
    require("target", name, files)
    read = toml.read(files[name], Target, name, check_content=partial(_refuse_name, name))
    return replace(read, address=os.environ.get(address_variable(name)) or read.address)


def address_variable(name: str) -> str:
    """Return the name of the environment variable for a target's address."""
    return f"EDGEBENCH_{name.upper()}_ADDRESS"


def targets_of(names: Sequence[str], address: str = "") -> tuple[Target, ...]:
    """Read the targets of a sweep; `address` replaces the address of its only target.

    Raises:
        UnknownName, InvalidFile
        RequestError: an address with several targets, or with a target that needs none.
    """
    chosen = tuple(map(target, names))
    if not address:
        return chosen
    if len(chosen) != 1:
        raise RequestError(f"wanted one target with --address, found {len(chosen)}: {', '.join(names)}")
    if load("connections", chosen[0].connection).ADDRESS == "":
        raise RequestError(f"target {names[0]} is reached without an address; leave --address out")
    return (replace(chosen[0], address=address),)


def _refuse_name(name: str, content: Mapping[str, Any]) -> None:
    if "name" in content:
        raise RequestError(f"name: a target is named by its file, {name}")

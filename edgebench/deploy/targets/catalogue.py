"""Find targets by name: read their TOML files, and take their addresses from environment variables if these are set."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgebench.foundation import shelf, toml
from edgebench.foundation.errors import RequestError, require
from edgebench.foundation.progress import warn
from edgebench.schema.target import MEASURED, Target

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


_PACKAGE = Path(__file__).resolve().parents[2]
HERE = "targets"  # the folder of the user's own targets
SHIPPED = (_PACKAGE / "targets", _PACKAGE.parent / "targets")  # the folder in a wheel, and in a checkout


def _files() -> dict[str, Path]:
    return toml.files(HERE, *SHIPPED)


def targets() -> tuple[str, ...]:
    """List the names of all known targets."""
    return tuple(_files())


def target(name: str) -> Target:
    """Read the file of a target; `$EDGEBENCH_<NAME>_ADDRESS` takes precedence over the address in the file.

    If the target stands for several boards, `address` is the address of the first board, and `addresses` lists all.

    Raises:
        UnknownName, InvalidFile
    """
    files = _files()
    require("target", name, files)
    read = toml.read(files[name], Target, name, check_content=partial(_refuse_name, name), check_value=_require_device)
    own = (plugin for plugin in shelf.files("runtimes") if _only_compiles(plugin) == read.compiles_only)
    runtimes = tuple(dict.fromkeys((*read.runtimes, *own)))  # the user's own runtimes can be requested on every target
    return _at(replace(read, runtimes=runtimes), os.environ.get(address_variable(name), ""))


def _at(target: Target, addresses: str) -> Target:
    """Return the target with these addresses, separated by commas; an empty text keeps the addresses of its file."""
    given = tuple(address.strip() for address in addresses.split(",") if address.strip())
    every = tuple(dict.fromkeys(given)) or target.addresses or (target.address,)
    return replace(target, address=every[0], addresses=every if len(every) > 1 else ())


def chosen(name: str) -> Target:
    """Read the file of a target before its use; if the file is in ./targets, warn of what the file changes.

    Raises:
        UnknownName, InvalidFile
    """
    wanted, path = target(name), _files()[name]
    if path.parent == Path(HERE) and path.parent.resolve() not in SHIPPED:  # in a checkout, ./targets is shipped
        is_shipped = any((folder / path.name).exists() for folder in SHIPPED)
        parts = (
            f"replaces the shipped target {name}" if is_shipped else "",
            f"connects to {', '.join(wanted.addresses or (wanted.address,))}"
            if wanted.address and wanted.connection == "ssh"
            else "",
            f"runs {wanted.python} as its Python" if wanted.python else "",
        )
        if any(parts):
            warn(f"{path} in this folder {' and '.join(filter(None, parts))}")
    return wanted


def address_variable(name: str) -> str:
    """Return the name of the environment variable for a target's address."""
    return f"EDGEBENCH_{name.upper()}_ADDRESS"


def targets_of(names: Sequence[str], address: str = "") -> tuple[Target, ...]:
    """Read the targets of a sweep, one per board; `address` replaces the addresses of the sweep's only target.

    Raises:
        UnknownName, InvalidFile
        RequestError: an address is given for several targets, or for a target that needs none.
    """
    wanted = tuple(map(chosen, names))
    if not address:
        return tuple(board for target in wanted for board in boards(target))
    if len(wanted) != 1:
        raise RequestError(f"wanted one target with --address, found {len(wanted)}: {', '.join(names)}")
    if shelf.load("connections", wanted[0].connection).ADDRESS == "":
        raise RequestError(f"target {names[0]} is reached without an address; leave --address out")
    return boards(_at(wanted[0], address))


def boards(target: Target) -> tuple[Target, ...]:
    """Return the boards of a target, each with its own address."""
    if not target.addresses:
        return (target,)
    return tuple(
        replace(target, address=address, addresses=(), number=number)
        for number, address in enumerate(target.addresses, 1)
    )


def _require_device(target: Target) -> None:
    """Refuse a device that is neither `cpu` nor `cuda`, nor known to a compiler among the target's runtimes."""
    if target.compiles_only:
        known = [name for name in target.runtimes if name in shelf.names("runtimes")]
        devices = {device for name in known for device in (shelf.literal("runtimes", name, "DEVICES") or {}).values()}
        require("device", target.device, (*MEASURED, *sorted(devices - {*MEASURED})))


def _only_compiles(runtime: str) -> bool:
    return bool(shelf.literal("runtimes", runtime, "COMPILES_ONLY"))


def _refuse_name(name: str, content: Mapping[str, Any]) -> None:
    if "name" in content:
        raise RequestError(f"name: a target has the name of its file, {name}; leave this key out")
    if "number" in content:
        raise RequestError("number: edgebench counts the addresses itself; leave this key out")
    if "address" in content and "addresses" in content:
        raise RequestError("wanted address or addresses, found both; leave one out")
    addresses = content.get("addresses")
    if isinstance(addresses, list) and len(set(map(str, addresses))) < max(1, len(addresses)):
        raise RequestError("addresses: wanted at least one, and each address once; remove the others")

"""A folder of plug-ins: its names, and one of them by name; the only plug-in mechanism."""

import ast
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pkgutil import iter_modules
from types import ModuleType
from typing import Any

from edgebench.foundation.errors import require

_NOUNS = {
    "architectures": "model",
    "connections": "connection",
    "datasets": "data set",
    "formats": "format",
    "nightly.bulletins": "bulletin",
    "reports": "report",
    "runtimes": "runtime",
}
PLACES = {  # below `edgebench`; the short name is what records, TOML files and the command line may hold
    "architectures": "networks.architectures",
    "datasets": "images.datasets",
    "formats": "export.formats",
    "reports": "results.reports",
    "connections": "deploy.connections",
    "runtimes": "agent.runtimes",
    "nightly.bulletins": "nightly.bulletins",
}


@cache
def _plugins(shelf: str) -> dict[str, str]:
    """Map each name to the module that offers it: a file's own name, or what its literal `NAMES` says.

    Files are read, not imported: an architecture would import torch.
    """
    found, place = dict[str, str](), f"edgebench.{PLACES[shelf]}"
    for module in iter_modules(import_module(place).__path__):
        if module.name.startswith("_"):  # what plug-ins share
            continue
        full = f"{place}.{module.name}"
        found |= dict.fromkeys(_literal(full, "NAMES") or (module.name,), full)
    return found


@cache
def _literal(module: str, constant: str) -> Any:
    loader: Any = getattr(find_spec(module), "loader", None)
    for statement in ast.parse(loader.get_source(module)).body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if name == constant:
                return ast.literal_eval(value)
    return None


def names(shelf: str) -> tuple[str, ...]:
    """List what a shelf offers without importing any of it."""
    return tuple(sorted(_plugins(shelf)))


def module(shelf: str, name: str) -> str:
    """Return the module that offers a name, below `edgebench`: `networks/architectures/vgg` for vgg16.

    Raises:
        UnknownName: there is none.
    """
    return _module(shelf, name).removeprefix("edgebench.").replace(".", "/")


def _module(shelf: str, name: str) -> str:
    require(_NOUNS[shelf], name, names(shelf), may_be_empty=False)
    return _plugins(shelf)[name]


def literal(shelf: str, name: str, constant: str) -> Any:
    """Read a constant of one plug-in without importing it; None where it has none that is a literal.

    Raises:
        UnknownName: there is no such file.
    """
    return _literal(_module(shelf, name), constant)


def load(shelf: str, name: str) -> ModuleType:
    """Import one plug-in.

    Raises:
        UnknownName: there is no such file.
    """
    return import_module(_module(shelf, name))

"""A folder of plug-ins: its names, and one of them by name; the only plug-in mechanism."""

import ast
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pkgutil import iter_modules
from types import ModuleType
from typing import Any, NamedTuple

from edgebench.foundation.errors import InvalidPlugin, require


class Shelf(NamedTuple):
    """A folder of plug-ins, below `edgebench`, and what one of them is called in a message.

    The folder's `__init__` says in words what a plug-in offers, and lists it: `OFFERS`, and `MAY_OFFER` for the rest.
    """

    place: str
    noun: str


SHELVES = {  # the short name is what records, TOML files and the command line may hold
    "architectures": Shelf("networks.architectures", "model"),
    "connections": Shelf("deploy.connections", "connection"),
    "datasets": Shelf("images.datasets", "data set"),
    "formats": Shelf("export.formats", "format"),
    "nightly.bulletins": Shelf("nightly.bulletins", "bulletin"),
    "reports": Shelf("results.reports", "report"),
    "runtimes": Shelf("agent.runtimes", "runtime"),
}


def _package(shelf: str) -> ModuleType:
    return import_module(f"edgebench.{SHELVES[shelf].place}")


@cache
def _plugins(shelf: str) -> dict[str, str]:
    """Map each name to the module that offers it: a file's own name, or what its literal `NAMES` says.

    Files are read, not imported: an architecture would import torch.
    """
    found, package = dict[str, str](), _package(shelf)
    for module in iter_modules(package.__path__):
        if module.name.startswith("_"):  # what plug-ins share
            continue
        full = f"{package.__name__}.{module.name}"
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
    require(SHELVES[shelf].noun, name, names(shelf), may_be_empty=False)
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
        InvalidPlugin: the file lacks something that every plug-in of its shelf offers.
    """
    return _checked(shelf, _module(shelf, name))


@cache
def _checked(shelf: str, module: str) -> ModuleType:
    plugin, package = import_module(module), _package(shelf)
    if missing := [name for name in package.OFFERS if not hasattr(plugin, name)]:
        file, contract = (one.replace(".", "/") for one in (module, package.__name__))
        raise InvalidPlugin(
            f"{file}.py: wanted {', '.join(package.OFFERS)}, found no {', '.join(missing)}; see {contract}/__init__.py"
        )
    return plugin

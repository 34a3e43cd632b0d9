"""A shelf (a folder of plug-ins) -> the names of its plug-ins; a name -> the imported plug-in.

edgebench has no other mechanism for plug-ins.
"""

import ast
from contextlib import suppress
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pkgutil import iter_modules
from types import ModuleType
from typing import Any, NamedTuple

from edgebench.foundation.errors import InvalidPlugin, require


class Shelf(NamedTuple):
    """A folder of plug-ins.

    The folder's `__init__.py` describes what a plug-in defines: `OFFERS` lists the required names, and `MAY_OFFER` the
    optional names.

    Attributes:
        place: the folder's package, without the leading `edgebench.`.
        noun: the word for one plug-in of this shelf in error messages.
    """

    place: str
    noun: str


SHELVES = {  # each key is the short name by which records, TOML files and the command line refer to a shelf
    "architectures": Shelf("networks.architectures", "model"),
    "connections": Shelf("deploy.connections", "connection"),
    "datasets": Shelf("images.datasets", "data set"),
    "decoders": Shelf("tasks.detection.decoders", "decoder"),
    "formats": Shelf("export.formats", "format"),
    "nightly.bulletins": Shelf("nightly.bulletins", "bulletin"),
    "reports": Shelf("results.reports", "report"),
    "runtimes": Shelf("agent.runtimes", "runtime"),
    "tasks": Shelf("tasks", "task"),
}


def _package(shelf: str) -> ModuleType:
    return import_module(f"edgebench.{SHELVES[shelf].place}")


@cache
def _plugins(shelf: str) -> dict[str, str]:
    """Map each plug-in's name to its module; a file that lists no `NAMES` is one plug-in, named like the file.

    Files are parsed, not imported, because importing an architecture would also import torch, which is slow.
    """
    plugins, package = dict[str, str](), _package(shelf)
    for module in iter_modules(package.__path__):
        if module.name.startswith("_"):  # a module with code that several plug-ins share
            continue
        full = f"{package.__name__}.{module.name}"
        plugins |= dict.fromkeys(_literal(full, "NAMES") or (module.name,), full)
    return plugins


@cache
def _literal(module: str, constant: str) -> Any:
    loader: Any = getattr(find_spec(module), "loader", None)
    for statement in ast.parse(loader.get_source(module)).body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if name == constant:
                with suppress(ValueError):  # the value is computed, so only an import can give it
                    return ast.literal_eval(value)
    return None


@cache
def names(shelf: str) -> tuple[str, ...]:
    """List the names of a shelf's plug-ins without importing any of them."""
    return tuple(sorted(_plugins(shelf)))


def module(shelf: str, name: str) -> str:
    """Return the path of a plug-in's module, relative to the package: `networks/architectures/vgg` for vgg16.

    Raises:
        UnknownName: the shelf has no such name.
    """
    return _module(shelf, name).removeprefix("edgebench.").replace(".", "/")


def _module(shelf: str, name: str) -> str:
    if name not in (plugins := _plugins(shelf)):
        require(SHELVES[shelf].noun, name, names(shelf))
    return plugins[name]


def literal(shelf: str, name: str, constant: str) -> Any:
    """Return a constant from a plug-in's source, which is parsed, not imported; None if it is missing or computed.

    Raises:
        UnknownName: the shelf has no such name.
    """
    return _literal(_module(shelf, name), constant)


def load(shelf: str, name: str) -> ModuleType:
    """Import a plug-in.

    Raises:
        UnknownName: the shelf has no such name.
        InvalidPlugin: the file does not define a name that its shelf requires.
    """
    return _checked(shelf, _module(shelf, name))


@cache
def _checked(shelf: str, module: str) -> ModuleType:
    plugin, package = import_module(module), _package(shelf)
    if missing := [name for name in package.OFFERS if not hasattr(plugin, name)]:
        file, contract = (name.replace(".", "/") for name in (module, package.__name__))
        raise InvalidPlugin(
            f"{file}.py: wanted {', '.join(package.OFFERS)}, found no {', '.join(missing)}; see {contract}/__init__.py"
        )
    return plugin

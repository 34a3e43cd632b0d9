"""A shelf (a folder of plug-ins) -> the names of its plug-ins; a name -> the imported plug-in.

edgebench has no other mechanism for plug-ins. `outside` finds the user's own plug-ins, which join the shelves.
"""

import ast
from contextlib import suppress
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType
from typing import Any, NamedTuple

from edgebench.foundation import outside
from edgebench.foundation.errors import InvalidPlugin, require


class Shelf(NamedTuple):
    """A folder of plug-ins.

    The folder's `__init__.py` describes what a plug-in defines: `OFFERS` lists the required names, and `MAY_OFFER` the
    optional names. The entry `open or compile` requires one of the two names.

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


PACKAGES = "an installed package"


def _package(shelf: str) -> ModuleType:
    """Import a shelf's package; Python finds the user's plug-ins in it, too."""
    package = import_module(f"edgebench.{SHELVES[shelf].place}")
    package.__path__ = [package.__path__[0], *map(str, outside.folders(shelf))]
    return package


def _plugins(shelf: str) -> dict[str, str]:
    """Map each plug-in's name to its module, sorted by name; a file without `NAMES` is one plug-in with its name."""
    return _with_those_in(shelf, outside.folders(shelf))


@cache
def _with_those_in(shelf: str, _: tuple[Path, ...]) -> dict[str, str]:
    package = _package(shelf)
    own, *others = (dict(_in_folder(package.__name__, folder)) for folder in package.__path__)
    for place, found in (*zip(package.__path__[1:], others, strict=True), (PACKAGES, outside.installed(shelf))):
        if taken := sorted(own.keys() & found.keys()):
            noun = SHELVES[shelf].noun
            raise InvalidPlugin(f"wanted one {noun} called {taken[0]}, found another in {place}; rename that one")
        own |= found
    return dict(sorted(own.items()))


@cache
def _in_folder(package: str, folder: str) -> tuple[tuple[str, str], ...]:
    """Return the name and the module of each plug-in in a folder.

    Files are parsed, not imported, because importing an architecture would also import torch, which is slow.
    """
    plugins = dict[str, str]()
    for module in iter_modules([folder]):
        if module.name.startswith("_"):  # a module with code that several plug-ins share
            continue
        full = f"{package}.{module.name}"
        plugins |= dict.fromkeys(_literal(full, "NAMES") or (module.name,), full)
    return tuple(plugins.items())


def _origin(module: str) -> str:
    """Return the path of a module's file, without importing the module."""
    spec = find_spec(module)
    return str(spec.origin) if spec else module


@cache
def _literal(module: str, constant: str) -> Any:
    loader: Any = getattr(find_spec(module), "loader", None)
    if constant not in (source := loader.get_source(module)):  # most plug-ins; every process on a target asks them all
        return None
    for statement in ast.parse(source).body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if name == constant:
                with suppress(ValueError):  # the value is computed, so only an import can give it
                    return ast.literal_eval(value)
    return None


def names(shelf: str) -> tuple[str, ...]:
    """List the names of a shelf's plug-ins without importing any of them."""
    return tuple(_plugins(shelf))


def module(shelf: str, name: str) -> str:
    """Return the path of a plug-in's module, relative to the package: `networks/architectures/vgg` for vgg16.

    The path of a user's own plug-in is absolute. No path has a suffix.

    Raises:
        UnknownName: the shelf has no such name.
    """
    full = _module(shelf, name)
    if own := files(shelf).get(name):
        return str(own.with_suffix(""))
    return full.removeprefix("edgebench.").replace(".", "/")


def files(shelf: str) -> dict[str, Path]:
    """Return the file of each of the user's own plug-ins of a shelf, by the plug-in's name."""
    if not outside.folders(shelf) and not outside.installed(shelf):
        return {}
    package = Path(_package(shelf).__path__[0])
    paths = {name: Path(_origin(module)) for name, module in _plugins(shelf).items()}
    return {name: path for name, path in paths.items() if not path.is_relative_to(package)}


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


def offered(plugin: ModuleType, required: str) -> str:
    """Return which alternative of a required name, `open or compile`, a plug-in defines; an empty text if none."""
    return next((name for name in required.split(" or ") if hasattr(plugin, name)), "")


def load(shelf: str, name: str) -> ModuleType:
    """Import a plug-in.

    Raises:
        UnknownName: the shelf has no such name.
        InvalidPlugin: the file does not define a name that its shelf requires.
    """
    return _checked(shelf, _module(shelf, name))


@cache
def _checked(shelf: str, module: str) -> ModuleType:
    package, file = _package(shelf), Path(_origin(module))
    if outside.is_on_host() and outside.is_unnamed(file):
        from edgebench.foundation.progress import warn  # only here, because the agent imports this file

        shown = file.relative_to(Path.cwd()) if file.is_relative_to(Path.cwd()) else file
        warn(f"runs your own {SHELVES[shelf].noun} {shown}")
    plugin = import_module(module)
    if missing := [name for name in package.OFFERS if not offered(plugin, name)]:
        own, contract = (name.replace(".", "/") for name in (module, package.__name__))
        path = f"{own}.py" if file.is_relative_to(package.__path__[0]) else str(file)
        raise InvalidPlugin(
            f"{path}: wanted {', '.join(package.OFFERS)}, found no {', '.join(missing)}; see {contract}/__init__.py"
        )
    return plugin

"""A folder of plug-ins: its names, and one of them by name; the only plug-in mechanism."""

from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType

from edgebench.errors import UnknownName

_NOUNS = {
    "architectures": "model",
    "connections": "connection",
    "datasets": "data set",
    "formats": "format",
    "reports": "report",
    "runtimes": "runtime",
}


def names(shelf: str) -> tuple[str, ...]:
    """List the plug-ins of `edgebench/<shelf>/` without importing any of them."""
    package = import_module(f"edgebench.{shelf}")
    return tuple(sorted(module.name for module in iter_modules(package.__path__)))


def require(shelf: str, name: str) -> None:
    """Refuse a name that is not on the shelf.

    Raises:
        UnknownName: there is no such file; the message suggests the nearest.
    """
    if name not in (known := names(shelf)):
        raise UnknownName(_NOUNS[shelf], name, known)


def load(shelf: str, name: str) -> ModuleType:
    """Import one plug-in.

    Raises:
        UnknownName: there is no such file.
    """
    require(shelf, name)
    return import_module(f"edgebench.{shelf}.{name}")

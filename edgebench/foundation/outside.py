"""The user's own plug-ins: files in folders called `plugins/<shelf>`, and modules of installed packages.

Such a folder is in the working folder, beside a sweep's file or in the configuration folder. On a target there is
nothing to look for, because the bundle contains the plug-ins beside those of edgebench.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

FOLDER = "plugins"
GROUP = "edgebench."  # beginning of an entry point's group; the shelf's name follows, as in `edgebench.runtimes`


@cache
def is_on_host() -> bool:
    """Return whether this is edgebench itself and not the agent's bundle, which Python runs as a zip."""
    return Path(__file__).is_file()


def look_beside(sweep: str) -> None:
    """Look for plug-ins beside the file of a sweep, too; the name of a sweep that is no file changes nothing."""
    place = Path(sweep).resolve().parent
    if sweep.endswith(".toml") and place != Path.cwd() and str(place) not in _beside:
        _beside.append(str(place))


_beside: list[str] = []


def folders(shelf: str) -> tuple[Path, ...]:
    """Return the existing folders of the user's plug-ins for a shelf; the one in the working folder comes first."""
    if not is_on_host():
        return ()
    here = os.getcwd()  # noqa: PTH109 - a text, because making a Path would take most of the time
    return _folders(shelf, here, tuple(_beside))


@cache  # because reports ask dozens of times per row; for the same reason the key has texts, which are hashed once
def _folders(shelf: str, here: str, beside: tuple[str, ...]) -> tuple[Path, ...]:
    from platformdirs import user_config_path

    every = (Path(here), *map(Path, beside), user_config_path("edgebench"))
    return tuple(folder for place in every if (folder := place / FOLDER / shelf).is_dir())


def is_unnamed(file: Path) -> bool:
    """Return whether a file is a plug-in in the working folder or beside a sweep, which a command runs unasked."""
    return any(file.is_relative_to(Path(place, FOLDER)) for place in (str(Path.cwd()), *_beside))


@cache
def installed(shelf: str) -> dict[str, str]:
    """Map the names of a shelf's plug-ins in installed packages to their modules."""
    if not is_on_host():
        return {}
    from importlib.metadata import entry_points  # only here, because targets import this file, too

    return {point.name: point.value for point in entry_points(group=GROUP + shelf)}

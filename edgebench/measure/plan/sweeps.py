"""Read and write TOML files of sweeps; a sweep lists what to measure."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgebench.foundation import shelf, toml
from edgebench.foundation.errors import UnknownName, require
from edgebench.foundation.files import write
from edgebench.foundation.progress import warn
from edgebench.images.catalogue import calibrating, title
from edgebench.schema import names
from edgebench.schema.quantization import DATA, RANDOM, renamed
from edgebench.schema.sweep import Sweep

if TYPE_CHECKING:
    from collections.abc import Mapping

SHIPPED = Path(__file__).parent / "shipped"
HERE = "sweeps"  # folder of the user's own sweeps
SWEEP = "sweep.toml"
QUANTITIES = ("time_limit", "budget", "sustained")
SCHEMES = "quantizations"  # a sweep's int8 schemes
LIMITS = "limits"  # blocks of a nightly sweep that only the nightly wing reads


def sweep(name: str) -> Sweep:
    """Read a sweep; `name` is the path of a TOML file, or the name of a sweep that is shipped or in `./sweeps`.

    Raises:
        UnknownName: there is no sweep of this name.
        InvalidFile: the file is not a valid sweep.
    """
    path = file(name)
    if not name.endswith(".toml") and path.parent == Path(HERE) and (SHIPPED / path.name).exists():
        warn(f"{path} in this folder replaces the shipped sweep {name}")
    return _read(path, path.stem)


def file(name: str) -> Path:
    """Return the path of a sweep's file; the file of a path that ends in `.toml` need not exist.

    Raises:
        UnknownName: there is no sweep of this name.
    """
    if name.endswith(".toml"):
        return Path(name)
    files = toml.files(HERE, SHIPPED)
    if name not in files and (names.is_custom(name) or name in shelf.names("architectures")):
        option = f"--model {shlex.quote(name)}"
        raise UnknownName("sweep", name, tuple(files), advice=f"name a model in a sweep's file, or as {option}")
    require("sweep", name, files)
    return files[name]


def _read(path: Path, name: str) -> Sweep:
    """Read the file of a sweep; warn if the file runs Python code, because users cannot see this in their command."""
    read = toml.read(path, Sweep, name, select=_but_limits, check_value=_check_cells, quantities=QUANTITIES)
    for model in read.models:
        if names.is_custom(model.name) and not names.is_model_file(model.name):
            warn(f"{path} runs the Python code {model.name}")
    return read


def _but_limits(content: Mapping[str, Any]) -> Mapping[str, Any]:
    return {key: value for key, value in content.items() if key != LIMITS}


def _check_cells(sweep: Sweep) -> None:
    """Refuse impossible widths and resolutions, which the constructor of a cell checks."""
    list(sweep.cells())


def write_sweep(folder: Path, sweep: Sweep) -> None:
    """Write the sweep to the results folder, as a TOML file that `run` can read.

    Raises:
        RequestError: the disk is full or the folder cannot be written.
    """
    write(folder / SWEEP, _toml(sweep).encode(), "free disk space, or run in a folder that you may write to")


def is_kept(folder: Path, sweep: Sweep) -> bool:
    """Return whether the folder holds the results of exactly this sweep."""
    try:
        return (folder / SWEEP).read_bytes() == _toml(sweep).encode()
    except OSError:
        return False


def _toml(sweep: Sweep) -> str:
    from tomli_w import dumps

    def plain(value: Any) -> Any:
        if isinstance(value, tuple):
            return [plain(item) for item in value]
        return str(value) if isinstance(value, str) else value

    fields = {name: plain(getattr(sweep, name)) for name in sweep.__slots__ if name not in ("models", "name")}
    models = [
        {name: plain(value) for name in model.__slots__ if (value := getattr(model, name)) is not None}
        for model in sweep.models
    ]
    for block in (fields, *models):
        # Results contain no paths of this machine, only names; data sets and models are found again by name.
        block |= {key: title(value) for key, value in block.items() if key == "dataset"}
        block |= {key: names.title(value) for key, value in block.items() if key == "name"}
        block |= {key: _named(value) for key, value in block.items() if key == "calibration" and value}
        block |= {
            key: Path(value).name for key, value in block.items() if key in ("input_data", "weights_dir") and value
        }
        block |= {key: [renamed(words, _named) for words in value] for key, value in block.items() if key == SCHEMES}
    set_fields = {key: value for key, value in fields.items() if value not in ("", None) and value is not False}
    return dumps(set_fields | {"models": models})


def _named(calibration: str) -> str:
    """Return the name of the calibration images, without the path."""
    if calibration == RANDOM or calibration.startswith(DATA):
        return calibration if calibration == RANDOM else DATA + Path(calibration.removeprefix(DATA)).name
    return title(calibrating(calibration))

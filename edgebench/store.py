"""targets/*.toml, sweeps and results/ <-> values."""

from __future__ import annotations

import hashlib
import json
import os
import re
import tomllib
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from edgebench import cache, own
from edgebench.catalogue import calibrating, title
from edgebench.errors import Busy, InvalidFile, RequestError, UnknownName
from edgebench.quantization import renamed
from edgebench.shelf import load
from edgebench.spec import Sweep, Target

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from pydantic import ValidationError

T = TypeVar("T")

_PACKAGE = Path(__file__).parent
RESULTS = Path("results")
SWEEP = "sweep.toml"
SCHEMES = "quantizations"  # of a sweep


def _config() -> Path:
    from platformdirs import user_config_path

    return user_config_path("edgebench")


def _shelves(kind: str) -> tuple[Path, ...]:
    """Where TOML files of a kind are looked up: here, the user's, the shipped ones (in a wheel or a checkout)."""
    return Path(kind), _config() / kind, _PACKAGE / kind, _PACKAGE.parent / kind


def _files(kind: str) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for shelf in _shelves(kind):
        for path in sorted(shelf.glob("*.toml")):
            found.setdefault(path.stem, path)
    return found


def targets() -> tuple[str, ...]:
    """List the targets that a name can stand for."""
    return tuple(_files("targets"))


def target(name: str) -> Target:
    """Read a target; its file's stem is its name, and `$EDGEBENCH_<NAME>_ADDRESS` comes before the file's address.

    Raises:
        UnknownName, InvalidFile
    """
    files = _files("targets")
    if name not in files:
        raise UnknownName("target", name, tuple(files))
    read = _read_toml(files[name], Target, name, check_content=partial(_refuse_name, name))
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


def sweep(name: str) -> Sweep:
    """Read a sweep: a path to a TOML file, or the name of a shipped one.

    Raises:
        UnknownName, InvalidFile
    """
    if name.endswith(".toml"):
        path = Path(name)
        return _read_toml(path, Sweep, path.stem, check_value=_check_cells)
    files = _files("sweeps")
    if name not in files:
        raise UnknownName("sweep", name, tuple(files))
    return _read_toml(files[name], Sweep, name, check_value=_check_cells)


def _refuse_name(name: str, content: Mapping[str, Any]) -> None:
    if "name" in content:
        raise RequestError(f"name: a target is named by its file, {name}")


def _check_cells(sweep: Sweep) -> None:
    """Refuse widths and resolutions that cannot be: making a cell checks its size."""
    list(sweep.wanted())


def _read_toml(
    path: Path,
    kind: type[T],
    name: str,
    *,
    check_content: Callable[[Mapping[str, Any]], None] = lambda _: None,
    check_value: Callable[[T], None] = lambda _: None,
) -> T:
    """Read a value that its file names, and refuse what one of the checks refuses with a RequestError.

    Raises:
        InvalidFile: with the path, and the line where pydantic knows the key.
    """
    from pydantic import TypeAdapter, ValidationError

    try:
        text = path.read_text()
        content = tomllib.loads(text)
        check_content(content)
        content = {"name": name} | content
        # By way of JSON, where a list may be a tuple and a string an enum though types are strict.
        value: T = TypeAdapter(kind).validate_json(json.dumps(content, default=str))
        check_value(value)
    except OSError as error:
        raise InvalidFile(f"cannot read {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidFile(f"{path}: not TOML: {error}") from error
    except ValidationError as error:
        raise InvalidFile(_explain(path, text, error)) from error
    except RequestError as error:
        raise InvalidFile(f"{path}: {error}") from error
    return value


def _explain(path: Path, text: str, error: ValidationError) -> str:
    """Say the file, line and key of the first thing that is wrong."""
    first = error.errors()[0]
    where = [part for part in first["loc"] if isinstance(part, (str, int))]
    key = ".".join(str(part) for part in where)
    said = {"unexpected_keyword_argument": "unknown key", "missing": "missing", "missing_argument": "missing"}
    problem = said.get(first["type"]) or f"{first['msg']}, found {first['input']!r}"
    return f"{path}:{_line(text, where)}: {key}: {problem}"


def _line(text: str, where: list[str | int]) -> int:
    """Find the line of a key, inside the right `[[block]]` where there are several; 1 where it is not there."""
    lines, start = text.splitlines(), 0
    if len(where) > 1 and isinstance(where[1], int):
        blocks = [number for number, line in enumerate(lines) if re.match(rf"\s*\[\[\s*{where[0]}\s*\]\]", line)]
        start = blocks[where[1]] if where[1] < len(blocks) else 0
    keys = [part for part in where if isinstance(part, str)]
    for number, line in enumerate(lines[start:], start + 1):
        if re.match(rf"\s*\[*\s*\"?{re.escape(keys[-1])}\"?\s*[\]=.]", line):
            return number
    return start + 1


def write_sweep(folder: Path, sweep: Sweep) -> None:
    """Keep the request beside its answers, as the TOML that asks for it again.

    Raises:
        RequestError: the disk is full or the folder cannot be written.
    """
    cache.write(folder / SWEEP, _toml(sweep).encode(), "free space, or run in a folder you may write")


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
        # No result holds a machine's path; the name finds what was named before.
        block |= {key: title(value) for key, value in block.items() if key == "dataset"}
        block |= {key: own.title(value) for key, value in block.items() if key == "name"}
        block |= {key: _named(value) for key, value in block.items() if key == "calibration" and value}
        block |= {key: [renamed(words, _named) for words in value] for key, value in block.items() if key == SCHEMES}
    return dumps({key: value for key, value in fields.items() if value != ""} | {"models": models})


def _named(calibration: str) -> str:
    """Return what the images that calibrate are called wherever they lie."""
    return title(calibrating(calibration))


@contextmanager
def lock(name: str, label: str = "") -> Iterator[None]:
    """Hold a machine or a results folder for this process; a refusal calls it by its label.

    Raises:
        Busy: another process holds it.
        RequestError: locks cannot be kept.
    """
    from filelock import FileLock, Timeout
    from platformdirs import user_state_path

    path = user_state_path("edgebench") / f"{hashlib.sha256(name.encode()).hexdigest()[:16]}.lock"
    owner = path.with_suffix(".owner")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        held = FileLock(path)
        held.acquire(timeout=0)
    except Timeout:
        who = owner.read_text() if owner.exists() else "another process"
        text = f"{label or name} is in use by {who}: two at once would disturb each other; run again when it ends"
        raise Busy(text) from None
    except OSError as error:
        raise RequestError(f"cannot keep a lock in {path.parent}: {error.strerror}; set XDG_STATE_HOME") from error
    with held:
        with suppress(OSError):  # whose it is is a courtesy; the lock holds without
            owner.write_text(f"process {os.getpid()} since {datetime.now():%H:%M}")
        yield


def results_folder(name: str) -> Path:
    """Make `results/<name>/`.

    Raises:
        RequestError: the name is no folder's name, or the folder cannot be made or written.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        raise RequestError(f"wanted a name of letters, digits, '.', '_' and '-' for the results, found {name!r}")
    folder = RESULTS / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RequestError(f"cannot make {folder}: {error.strerror}; run in a folder you may write") from error
    if not os.access(folder, os.W_OK):
        raise RequestError(f"cannot write {folder}: Permission denied; run in a folder you may write")
    return folder

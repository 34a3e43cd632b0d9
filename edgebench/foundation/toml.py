"""A TOML file -> a checked value, or a one-line error with file, line and key.

Another function finds TOML files by name.
"""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from edgebench.foundation.errors import InvalidFile, RequestError, nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pydantic import ValidationError


T = TypeVar("T")
UNKNOWN_KEY = "unexpected_keyword_argument"  # pydantic's name of this error


def files(kind: str, *shipped: Path) -> dict[str, Path]:
    """Find the TOML files in `./<kind>`, the user's configuration folder and the `shipped` folders; map names to paths.

    If several folders have a file of the same name, the file in the first folder is used.
    """
    from platformdirs import user_config_path

    paths: dict[str, Path] = {}
    for folder in (Path(kind), user_config_path("edgebench") / kind, *shipped):
        for path in sorted(folder.glob("*.toml")):
            paths.setdefault(path.stem, path)
    return paths


def read(
    path: Path,
    kind: type[T],
    name: str,
    *,
    select: Callable[[Mapping[str, Any]], Mapping[str, Any]] = lambda content: content,
    check_content: Callable[[Mapping[str, Any]], None] = lambda _: None,
    check_value: Callable[[T], None] = lambda _: None,
    quantities: Sequence[str] = (),
) -> T:
    """Read a TOML file, and convert its content to a value of type `kind`.

    `select` returns the keys of the file that belong to the value. Keys in `quantities` take a text with a unit, such
    as `90s`, or a plain number. `check_content` is called before the conversion, and `check_value` after it; either
    refuses the file by raising RequestError. `name` becomes the value's name, unless the file states another name.

    Raises:
        InvalidFile: the file is refused; the message names the file, and also the line if the error is about a key.
    """
    from pydantic import TypeAdapter, ValidationError

    try:
        text = path.read_text(encoding="utf-8-sig")  # some editors begin a file with a byte order mark
        content = tomllib.loads(text)
        check_content(content)
        selected = select(content)
        texts = {key: _as_text(selected[key]) for key in quantities if key in selected}
        content = {"name": name, **selected, **texts}
        # The content passes through JSON, because pydantic's strict mode reads tuples and enums only from JSON.
        value: T = TypeAdapter(kind).validate_json(json.dumps(content, default=str))
        check_value(value)
    except OSError as error:
        raise InvalidFile(f"cannot read {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidFile(f"{path}: not TOML: {error}") from error
    except RecursionError as error:
        raise InvalidFile(f"{path}: wanted at most a few levels of nested brackets, found too many to read") from error
    except ValidationError as error:
        raise InvalidFile(_explain(path, text, kind, error)) from error
    except RequestError as error:
        raise InvalidFile(f"{path}: {error}") from error
    return value


def _as_text(value: object) -> object:
    """Return a number as text, and any other value as it is."""
    return str(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else value


def _explain(path: Path, text: str, kind: type, error: ValidationError) -> str:
    """Describe the first error: file, line, key and problem; for an unknown key, name the most similar known key."""
    errors = error.errors()  # a key that is mistyped is unknown, and possibly missing: the first says more
    first = next((each for each in errors if each["type"] == UNKNOWN_KEY), errors[0])
    where = [part for part in first["loc"] if isinstance(part, (str, int))]
    key = ".".join(str(part) for part in where)
    problems = {UNKNOWN_KEY: "unknown key", "missing": "missing", "missing_argument": "missing"}
    problem = problems.get(first["type"]) or f"{first['msg']}, found {first['input']!r}"
    if first["type"] == UNKNOWN_KEY:
        known = _keys(kind, where[:-1])
        problem += nearest(str(where[-1]), known) or f" (has {', '.join(known)})"
    return f"{path}:{_line(text, where)}: {key}: {problem}"


def _keys(kind: type, where: list[str | int]) -> list[str]:
    """List the keys that a value of type `kind` has at a place, such as `models`, 0."""
    from pydantic import TypeAdapter

    schema = TypeAdapter(kind).json_schema()
    place: dict[str, Any] = schema
    for part in where:
        place = place.get("items", {}) if isinstance(part, int) else place.get("properties", {}).get(part, {})
        place = schema["$defs"][reference.rpartition("/")[2]] if (reference := place.get("$ref")) else place
    return list(place.get("properties", {}))


def _line(text: str, where: list[str | int]) -> int:
    """Return the line number, from 1, of a key in a `[[block]]`, or of the block if the key is not found."""
    lines, start = text.splitlines(), 0
    if len(where) > 1 and isinstance(where[1], int):
        blocks = [number for number, line in enumerate(lines) if re.match(rf"\s*\[\[\s*{where[0]}\s*\]\]", line)]
        start = blocks[where[1]] if where[1] < len(blocks) else 0
    keys = [part for part in where if isinstance(part, str)]
    for number, line in enumerate(lines[start:], start + 1):
        if re.match(rf"\s*\[*\s*\"?{re.escape(keys[-1])}\"?\s*[\]=.]", line):
            return number
    return start + 1

"""A TOML file -> a checked value, or one line that says what is wrong and where; and which files a name finds."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from edgebench.foundation.errors import InvalidFile, RequestError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pydantic import ValidationError


T = TypeVar("T")


def files(kind: str, *shipped: Path) -> dict[str, Path]:
    """Map each name to its TOML file: in the folder of that kind here, in the user's configuration, or shipped."""
    from platformdirs import user_config_path

    found: dict[str, Path] = {}
    for shelf in (Path(kind), user_config_path("edgebench") / kind, *shipped):
        for path in sorted(shelf.glob("*.toml")):
            found.setdefault(path.stem, path)
    return found


def read(
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

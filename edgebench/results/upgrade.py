"""A journal's line from an older version -> the same line in the current format; no measurement is lost."""

from __future__ import annotations

import json
from typing import Any

RENAMED = {"scheme": "granularity"}  # version 1 stored the granularity of a quantization as `scheme`


def upgraded(line: bytes) -> bytes:
    """Return the line in the format of version 2; a line of another version is returned unchanged."""
    if line.startswith(b'{"version":2,'):
        return line
    try:
        content = json.loads(line)
        is_older = isinstance(content, dict) and content.get("version") == 1
        return json.dumps(_renamed(content) | {"version": 2}).encode() if is_older else line
    except (ValueError, RecursionError):  # the line is damaged; the reader of the journal reports that
        return line


def _renamed(value: Any) -> Any:
    """Rename the fields of every quantization in the line."""
    if isinstance(value, list):
        return [_renamed(one) for one in value]
    if not isinstance(value, dict):
        return value
    inner = {key: _renamed(one) for key, one in value.items()}
    if isinstance(scheme := inner.get("quantization"), dict):
        inner["quantization"] = {RENAMED.get(key, key): one for key, one in scheme.items()}
    return inner

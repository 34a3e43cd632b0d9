"""The test pictures on which networks err most, in a results folder: one file per artifact, `pictures/<hash>.json`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from edgebench.foundation import files
from edgebench.foundation.errors import RequestError

if TYPE_CHECKING:
    from pathlib import Path

FOLDER = "pictures"


def write(folder: Path, artifact_sha256: str, album: dict[str, Any]) -> None:
    """Write an artifact's pictures.

    Raises:
        RequestError: the folder cannot be written.
    """
    try:
        files.make(folder / FOLDER)
    except OSError as error:
        raise RequestError(f"cannot make {folder / FOLDER}: {error.strerror}; free disk space") from error
    files.write(_file(folder, artifact_sha256), json.dumps(album, separators=(",", ":")).encode(), "free disk space")


def read(folder: Path, artifact_sha256: str) -> dict[str, Any] | None:
    """Return an artifact's pictures; None if the file with these pictures is missing or damaged."""
    try:
        album = json.loads(_file(folder, artifact_sha256).read_bytes())
    except (OSError, ValueError):
        return None
    return album if isinstance(album, dict) and isinstance(album.get("pictures"), list) else None


def _file(folder: Path, artifact_sha256: str) -> Path:
    return folder / FOLDER / f"{artifact_sha256[:16]}.json"

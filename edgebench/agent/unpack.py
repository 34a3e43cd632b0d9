"""An unpack request -> the folder of the packages in a pushed zip, unpacked once."""

import os
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import Any
from zipfile import ZipFile


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Unpack the zip at `path` into a folder beside it; an existing folder is complete."""
    archive = Path(request["path"])
    folder = archive.with_suffix("")
    if not folder.is_dir():
        scratch = Path(mkdtemp(dir=archive.parent))
        try:
            with ZipFile(archive) as packed:
                packed.extractall(scratch)
            scratch.chmod(0o755)
            os.sync()  # a power cut must not leave the folder without what is in its files
            scratch.rename(folder)
        finally:
            rmtree(scratch, ignore_errors=True)
    return {"folder": str(folder)}

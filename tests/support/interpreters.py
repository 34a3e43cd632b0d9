"""Other Pythons of this machine, and environments of edgebench without torch on them."""

import shutil
import subprocess
from pathlib import Path


def interpreter(version: str) -> str:
    """Return a Python such as `3.12` that starts, which a version manager's stand-in may not; empty without one."""
    name = f"python{version}"
    managed = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/{name}"))
    for path in [shutil.which(name), *map(str, managed)]:
        if path and subprocess.run([path, "-c", ""], capture_output=True, check=False).returncode == 0:
            return path
    return ""

"""`counter.c` -> the plugin with which qemu counts the instructions of a process, compiled on first use."""

import subprocess
from hashlib import sha256
from pathlib import Path

from filelock import FileLock

from edgebench.agent.counter import VARIABLE
from edgebench.foundation import files
from edgebench.foundation.errors import RequestError

SOURCE = Path(__file__).parent / "counter.c"
FIRST_OF_API_2 = 9  # QEMU 9 takes no plugin of an older API, QEMU 7 and 8 none of a newer one


def path(qemu: int) -> Path:
    """Return the plugin for a major version of qemu, from the cache or compiled now.

    Raises:
        RequestError: it does not compile.
    """
    words = (f"-DAPI={2 if qemu >= FIRST_OF_API_2 else 1}", f'-DVARIABLE="{VARIABLE}"')
    key = sha256(SOURCE.read_bytes() + " ".join(words).encode()).hexdigest()[:16]
    made = files.folder("emulation") / f"counter-{key}.so"
    with FileLock(made.with_suffix(".lock")):
        if not made.exists():
            _compile(words, made)
    return made


def _compile(words: tuple[str, ...], made: Path) -> None:
    scratch = made.with_suffix(".making")
    command = ["gcc", "-O2", "-Wall", "-Werror", "-shared", "-fPIC", *words, "-o", str(scratch), str(SOURCE)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = next((line for line in done.stderr.splitlines() if "error" in line), "nothing")
        raise RequestError(
            f"wanted {SOURCE.name} compiled, to count instructions; gcc said: {said[:200]};"
            " use apt-get install gcc libc6-dev"
        )
    scratch.replace(made)

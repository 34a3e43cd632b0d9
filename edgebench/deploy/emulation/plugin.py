"""`counter.c` -> the qemu plugin that counts a process's instructions, compiled on first use."""

import subprocess
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

from filelock import FileLock

from edgebench.agent.counter import VARIABLE
from edgebench.foundation import cache, files
from edgebench.foundation.errors import RequestError

SOURCE = Path(__file__).parent / "counter.c"
FIRST_OF_API_2 = 9  # QEMU 9 accepts only plugins of API 2; QEMU 7 and 8 accept only plugins of API 1


def path(qemu: int) -> Path:
    """Return the path of the plugin for a major version of qemu; compile it if it is not cached.

    Raises:
        RequestError: the plugin does not compile.
    """
    words = (f"-DAPI={2 if qemu >= FIRST_OF_API_2 else 1}", f'-DVARIABLE="{VARIABLE}"')
    key = sha256(SOURCE.read_bytes() + " ".join(words).encode()).hexdigest()[:16]
    library = files.folder("emulation") / f"counter-{key}.so"
    kept_hash = library.with_suffix(".seal")
    with FileLock(files.lock_file(library.with_suffix(".lock"))):
        kept = cache.read(kept_hash)
        if not kept or not cache.has_hash(library, str(kept.get("sha256"))):
            with TemporaryDirectory(dir=library.parent, prefix=files.SCRATCH) as scratch:
                _compile(words, made := Path(scratch) / library.name)
                cache.write_sealed(kept_hash, {"sha256": files.sha256(made)})
                files.settle(made, library)
    files.used(library)
    return library


def _compile(words: tuple[str, ...], scratch: Path) -> None:
    command = ["gcc", "-O2", "-Wall", "-Werror", "-shared", "-fPIC", *words, "-o", str(scratch), str(SOURCE)]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace", check=False)
    if done.returncode:
        reason = next((line for line in done.stderr.splitlines() if "error" in line), "nothing")
        raise RequestError(
            f"wanted {SOURCE.name} compiled, to count instructions; gcc said: {reason[:200]};"
            " use apt-get install gcc libc6-dev"
        )

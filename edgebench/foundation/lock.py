"""A name -> a lock that gives this process a machine or a results folder for itself."""

from __future__ import annotations

import hashlib
import os
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import TYPE_CHECKING

from edgebench.foundation.errors import Busy, RequestError

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def lock(name: str, label: str = "") -> Iterator[None]:
    """Lock a machine or a results folder for this process; error messages call it `label`, else `name`.

    Raises:
        Busy: another process holds the lock.
        RequestError: the lock file cannot be created.
    """
    from filelock import FileLock, Timeout
    from platformdirs import user_state_path

    path = user_state_path("edgebench") / f"{hashlib.sha256(name.encode()).hexdigest()[:16]}.lock"
    owner = path.with_suffix(".owner")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file_lock = FileLock(path)
        file_lock.acquire(timeout=0)
    except Timeout:
        who = owner.read_text() if owner.exists() else "another process"
        text = f"{label or name} is in use by {who}: two at once would disturb each other; run again when it ends"
        raise Busy(text) from None
    except OSError as error:
        raise RequestError(f"cannot keep a lock in {path.parent}: {error.strerror}; set XDG_STATE_HOME") from error
    with file_lock:
        with suppress(OSError):  # the owner's name only helps the user; the lock works without it
            owner.write_text(f"process {os.getpid()} since {datetime.now():%H:%M}")
        yield

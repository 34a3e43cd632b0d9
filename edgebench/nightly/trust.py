"""The hash of code in a history -> whether the code may run.

Code may run if this installation built it or this user accepted it. A history is data, and anyone who can write to it
could put any program there. So acceptances of code are stored among this user's own files, not in the history.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from edgebench.deploy.bundle import was_built_here
from edgebench.deploy.wheels import gather, public
from edgebench.foundation import cache, files
from edgebench.foundation.errors import CaseError, RequestError
from edgebench.nightly.history import PINNED
from edgebench.schema.cards import Packages

if TYPE_CHECKING:
    from pathlib import Path

    from edgebench.deploy.wheels import Platform
    from edgebench.schema.runtime import Runtime

CODE = (".pyz", ".zip")  # file suffixes of agents and of runtimes' packages
SHORT = 12  # number of hexadecimal digits that identify code


def require_agent(folder: Path, sha256: str) -> None:
    """Refuse an agent from a history, unless this installation built it or this user accepted it.

    Raises:
        CaseError: the agent is refused; the message has the command that accepts it.
    """
    if not (_is_accepted(sha256) or was_built_here(sha256)):
        raise _refusal(folder, "agent", sha256)


def require_packages(folder: Path, sha256: str, runtime: Runtime, target: Platform) -> None:
    """Refuse packages from a history, unless pip downloads equal packages for this runtime or this user accepted them.

    Raises:
        CaseError: the packages are refused; the message has the command that accepts them.
    """
    if _is_accepted(sha256) or any(card.sha256 == sha256 for card in cache.cards(Packages)):
        return
    with suppress(RequestError):  # pip does not find this version any more
        if gather(runtime.name, public(runtime.version), target).sha256 == sha256:
            return
    raise _refusal(folder, f"packages of {runtime.name}", sha256)


def _refusal(folder: Path, what: str, sha256: str) -> CaseError:
    return CaseError(
        f"the accepted environment has its own {what}, {sha256[:SHORT]}, which this"
        f" installation did not make, and unknown code from a history is not run; if you know its origin, accept it by:"
        f' edgebench nightly accept {folder} --code {sha256[:SHORT]} --reason "..."'
    )


def accept(folder: Path, code: str, reason: str) -> str:
    """Allow code of a history to run for this user; return its full hash.

    Raises:
        RequestError: the history lacks this code, the code is damaged, or the acceptance cannot be stored.
    """
    known = [file for file in (folder / PINNED).glob("*") if file.suffix in CODE]
    meant = [file for file in known if re.fullmatch(rf"[0-9a-f]{{{SHORT},64}}", code) and file.stem.startswith(code)]
    if len(meant) != 1:
        listed = ", ".join(sorted(file.stem[:SHORT] for file in known)) or "none"
        raise RequestError(f"wanted the hash of one agent or package in {folder}, found {code!r} (it has {listed})")
    if files.sha256(meant[0]) != meant[0].stem:
        raise RequestError(f"{PINNED}/{meant[0].name} is damaged; restore it from a copy of the history")
    path = _acceptance(meant[0].stem)
    fields = {"accepted_at": datetime.now(UTC).isoformat(timespec="seconds"), "history": str(folder), "reason": reason}
    try:
        path.parent.mkdir(0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise RequestError(f"cannot create {path.parent}: {error.strerror}; set XDG_STATE_HOME") from error
    files.write(path, json.dumps(fields).encode(), "free disk space or set XDG_STATE_HOME")
    return meant[0].stem


def _is_accepted(sha256: str) -> bool:
    return _acceptance(sha256).is_file()


def _acceptance(sha256: str) -> Path:
    from platformdirs import user_state_path

    return user_state_path("edgebench") / "accepted-code" / f"{sha256}.json"

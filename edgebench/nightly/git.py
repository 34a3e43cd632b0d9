"""git, run in a folder: its answers, and commits checked out into temporary folders."""

from __future__ import annotations

import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from edgebench.foundation import escape
from edgebench.foundation.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Iterator

ADVICE = "run it in a clone of the repository that has this revision, such as after git fetch"


def git(*arguments: str, refused: str, folder: Path | None = None) -> str:
    """Run git in a folder, by default in the working folder, and return what it prints.

    Raises:
        RequestError: git failed, or is not installed; the message begins with `refused` if git failed.
    """
    try:
        done = subprocess.run(
            ["git", *arguments],  # noqa: S607  # the user's own git
            check=False,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            cwd=folder,
        )
    except OSError as error:
        found = f"cannot run git: {error.strerror}"
        is_git = isinstance(error, FileNotFoundError) and (folder is None or folder.is_dir())
        raise RequestError(f"{found}; install git" if is_git else f"{found}: {folder}; name a repository") from error
    if done.returncode:
        reason = escape.plain(done.stderr.strip().partition("\n")[0])
        raise RequestError(f"{refused}{': ' if reason else ''}{reason}; {ADVICE}")
    return done.stdout.strip()


def commit_of(revision: str, folder: Path | None = None) -> str:
    """Return the hash of the commit that a revision names.

    Raises:
        RequestError: this is no git repository, or it has no such revision.
    """
    wanted = ("rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
    return git(*wanted, refused=f"no revision {revision!r}", folder=folder)


@contextmanager
def checked_out(commit: str, folder: Path | None = None) -> Iterator[Path]:
    """Check a commit out into a temporary folder, which is removed at the end."""
    with tempfile.TemporaryDirectory(prefix="edgebench-") as scratch:
        tree = Path(scratch) / "tree"
        add = ("worktree", "add", "--quiet", "--detach", str(tree), commit)
        git(*add, refused=f"cannot check out {commit}", folder=folder)
        try:
            yield tree
        finally:
            git("worktree", "remove", "--force", str(tree), refused=f"cannot remove {tree}", folder=folder)

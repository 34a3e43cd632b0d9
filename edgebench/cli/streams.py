"""Standard streams, possibly closed, on a full disk or limited to ASCII -> streams to which every command can write.

Progress goes to standard error, so a failed write is ignored there. The command's result goes to standard output, so
the first failed write raises `OutputLost` there.
"""

import codecs
import io
import os
import sys
import warnings
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, cast

from edgebench.foundation.errors import RequestError

ESCAPED = "edgebench-escaped"
# Replacements for characters that the encoding of a stream lacks; other missing characters are escaped, as \u00e9.
_LETTERS = {
    "×": "x", "±": "+-", "·": "-", "–": "-", "—": "-", "…": "...", "→": "->", "°": " deg", "≤": "<=", "≥": ">=",
    "≈": "~", "−": "-", "“": '"', "”": '"', "‘": "'", "’": "'", "α": "alpha", "ρ": "rho", "Δ": "delta", "µ": "u",
}  # fmt: skip


class OutputLost(Exception):
    """Standard output cannot be written: the disk is full, or its reader has ended (which is not an error)."""

    def __init__(self, reason: OSError) -> None:
        super().__init__(reason.strerror)
        self.is_closed_pipe = isinstance(reason, BrokenPipeError)


class _Stream(io.RawIOBase):
    """A writable file descriptor; after an error it accepts and discards all output."""

    def __init__(self, handle: int, *, is_answer: bool) -> None:
        self._handle, self._is_answer, self._is_lost = handle, is_answer, False

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._handle

    def isatty(self) -> bool:
        return os.isatty(self._handle)

    def write(self, content: "bytes | bytearray | memoryview", /) -> int:  # type: ignore[override]
        if not self._is_lost:
            try:
                return os.write(self._handle, content)
            except OSError as error:
                self._is_lost = True
                if self._is_answer:
                    raise OutputLost(error) from error
        return len(content)


def prepare() -> None:
    """Connect closed standard streams to /dev/null, and let the others write any character.

    Streams that a caller replaced are left unchanged.
    """
    codecs.register_error(ESCAPED, _escaped)
    if not os.environ.get("COLUMNS", "1").strip("0"):  # 0 means that the width is unknown; rich would print nothing
        del os.environ["COLUMNS"]
    for handle, name in enumerate(("stdin", "stdout", "stderr")):
        stream = getattr(sys, name)
        if stream is None:
            _open(handle)
            setattr(sys, name, open(handle, "r" if handle == 0 else "w", encoding="utf-8", closefd=False))  # noqa: SIM115
        elif handle and type(stream) is io.TextIOWrapper and stream.name == f"<{name}>":
            setattr(sys, name, _reopened(handle, stream, is_answer=handle == 1))


def _open(handle: int) -> None:
    """Connect a closed descriptor to /dev/null, before a file that is opened later gets the descriptor's number."""
    with suppress(OSError):
        os.fstat(handle)
        return
    opened = os.open(os.devnull, os.O_RDWR)
    if opened != handle:
        os.dup2(opened, handle)
        os.close(opened)


def keep_libraries_quiet() -> None:
    """Silence libraries on standard error: neither their warnings nor the output of their C++ code helps users.

    `python -W` or PYTHONWARNINGS shows the warnings.
    """
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
    if type(sys.stderr) is io.TextIOWrapper and sys.stderr.fileno() == 2:  # no caller has replaced it
        ours, quiet = os.dup(2), os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 2)
        os.close(quiet)
        sys.stderr = _reopened(ours, sys.stderr, is_answer=False)


def _reopened(handle: int, stream: io.TextIOWrapper, *, is_answer: bool) -> io.TextIOWrapper:
    raw = _Stream(handle, is_answer=is_answer)
    is_interactive = not is_answer or raw.isatty()
    buffer: Any = io.BufferedWriter(cast("Any", raw))  # typeshed requires methods that only files have
    return io.TextIOWrapper(buffer, encoding=stream.encoding, errors=ESCAPED, line_buffering=is_interactive)


def _escaped(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    letters = error.object[error.start : error.end]
    return "".join(_LETTERS.get(letter) or _code(letter) for letter in letters), error.end


def _code(letter: str) -> str:
    """Return a character escaped as in JSON: the UTF-16 code units in hexadecimal."""
    units = letter.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[place] << 8 | units[place + 1]:04x}" for place in range(0, len(units), 2))


def require_decoded(arguments: Iterable[str]) -> None:
    """Refuse arguments that this locale cannot decode, because they can be neither stored nor shown.

    Raises:
        RequestError: an argument has bytes that are not valid in the locale's encoding.
    """
    for argument in arguments:
        if any("\ud800" <= letter <= "\udfff" for letter in argument):
            shown = argument.encode("ascii", "backslashreplace").decode()
            raise RequestError(
                f"wanted arguments in {sys.getfilesystemencoding()}, found {shown!r}; set LC_ALL=C.UTF-8, or rename it"
            )

"""The tree of errors. Every message says what was wanted, what was found and what to do.

    EdgebenchError
    |-- RequestError      the request cannot be met: refused before anything runs, exit code 2
    |   |-- UnknownName       no such plug-in, target or sweep; suggests the nearest
    |   |-- InvalidFile       a TOML file or journal that cannot be read: file, line, key
    |   |-- InvalidPlugin     a plug-in that lacks a name that its shelf requires
    |   |-- Busy              another process uses the target or the results folder
    |   `-- Unreachable       the target does not answer, or no longer does; measurements so far are kept
    `-- CaseError         one case failed: recorded as a Failure, the sweep goes on
        `-- AgentError        the process on the target died, hung or gave an unreadable answer

Any other exception is a bug and keeps its traceback.
"""

import re
from collections.abc import Iterable
from difflib import get_close_matches

# How onnxruntime, TFLite and torch begin: a code, the source file and its line, the function with its arguments.
_OF_CPP = (
    r"\[ONNXRuntimeError\] : \d+ : \w+ : ",
    r"Load model from \S+ (?:failed:\s*)?",
    r"(?<!\S)\S*\.(?:h|hpp|hh|cc|cpp|cxx|c|cu|cuh):\d+:?\s*",
    r"(?<!\S)\w+::[\w:<>~]+\([^()]*(?:\([^()]*\)[^()]*)*\)(?: const)?:?\s*",
)


class EdgebenchError(Exception):
    """Root of all errors that edgebench raises on purpose."""


class RequestError(EdgebenchError):
    """The request cannot be met; nothing was run."""


class UnknownName(RequestError):
    """An unknown name: `no runtime 'onx' (has null, onnxruntime); did you mean ...?`."""

    def __init__(self, noun: str, wanted: str, known: tuple[str, ...]) -> None:
        near = get_close_matches(wanted, known, n=1)
        hint = f"; did you mean '{near[0]}'?" if near else ""
        super().__init__(f"no {noun} '{wanted}' (has {', '.join(known) or 'none'}){hint}")


class InvalidFile(RequestError):
    """A file with invalid content: `sweep.toml:7: models.0.width: unknown key`."""


class InvalidPlugin(RequestError):
    """A plug-in that lacks a name that its shelf requires: the file, and the missing name."""


class Busy(RequestError):
    """Another process holds the target or the results folder."""


class Unreachable(RequestError):
    """The target does not answer; measurements so far are kept."""


class CaseError(EdgebenchError):
    """One case cannot be built, exported, measured or evaluated; other cases go on."""


class AgentError(CaseError):
    """The agent's process died, ran out of time, or its answer could not be read.

    Attributes:
        returncode: exit code of a process that ended without an answer; None if it answered or was still running.
        last_line: the last line that it printed on standard error.
    """

    def __init__(self, message: str, *, returncode: int | None = None, last_line: str = "") -> None:
        super().__init__(message)
        self.returncode, self.last_line = returncode, last_line


def shown(text: str) -> str:
    """Return a text as one line, with `?` in place of each character that a terminal would execute."""
    return "".join(character if character.isprintable() else "?" for character in " ".join(text.split()))


def in_words(error: BaseException) -> str:
    """Return a library's error as one line without its C++ source locations; describe a missing key or index in
    words.
    """
    text = " ".join(str(error).split())
    if isinstance(error, KeyError):
        return f"{text} is missing"
    if isinstance(error, IndexError):
        return f"it points beyond an end: {text}"
    for pattern in _OF_CPP:
        text = re.sub(pattern, "", text)
    return f"{type(error).__name__}: {text}"


def require(noun: str, name: str, known: Iterable[str], *, may_be_empty: bool = False) -> None:
    """Refuse an unknown name; with `may_be_empty` an empty name passes, such as a filter that selects everything.

    Raises:
        UnknownName: the name is not known; the message lists those that are, and suggests the nearest.
    """
    known = tuple(known)
    if name not in known and not (may_be_empty and not name):
        raise UnknownName(noun, name, known)

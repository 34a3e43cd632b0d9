"""The tree of errors; every message says what was wanted, what was found and what to do.

    EdgebenchError
    |-- RequestError      the request cannot be met: refused before anything runs, exit code 2
    |   |-- UnknownName       no such plug-in, target or sweep; suggests the nearest
    |   |-- InvalidFile       a TOML or journal that cannot be read: file, line, key
    |   |-- InvalidPlugin     a plug-in that lacks what its shelf promises
    |   |-- Busy              somebody else is measuring there
    |   `-- Unreachable       the target is not there, or no longer; what was measured is kept
    `-- CaseError         one case failed: recorded as a Failure, the sweep goes on
        `-- AgentError        the process on the target died, hung or answered nonsense

Anything else that is raised is a bug and keeps its traceback.
"""

import re
from collections.abc import Iterable
from difflib import get_close_matches

# How onnxruntime, TFLite and torch begin: a code, the source file and its line, the function with its arguments.
_OF_CPP = (
    r"\[ONNXRuntimeError\] : \d+ : \w+ : ",
    r"(?<!\S)\S*\.(?:h|hpp|hh|cc|cpp|cxx|c|cu|cuh):\d+:?\s*",
    r"(?<!\S)\w+::[\w:<>~]+\([^()]*(?:\([^()]*\)[^()]*)*\)(?: const)?:?\s*",
)


class EdgebenchError(Exception):
    """Root of everything edgebench raises on purpose."""


class RequestError(EdgebenchError):
    """The request cannot be met; nothing was run."""


class UnknownName(RequestError):
    """A name that nothing answers to: `no runtime 'onx' (has null, onnxruntime); did you mean ...?`."""

    def __init__(self, noun: str, wanted: str, known: tuple[str, ...]) -> None:
        near = get_close_matches(wanted, known, n=1)
        hint = f"; did you mean '{near[0]}'?" if near else ""
        super().__init__(f"no {noun} '{wanted}' (has {', '.join(known) or 'none'}){hint}")


class InvalidFile(RequestError):
    """A file that does not say what it should: `sweep.toml:7: models.0.width: unknown key`."""


class InvalidPlugin(RequestError):
    """A plug-in that lacks something that every plug-in of its shelf offers: the file, and what is missing."""


class Busy(RequestError):
    """Another process holds the target or the results folder."""


class Unreachable(RequestError):
    """The target does not answer; what was measured until then is kept."""


class CaseError(EdgebenchError):
    """One case cannot be built, exported, measured or evaluated; the others can."""


class AgentError(CaseError):
    """The agent's process died, ran out of time, or its answer could not be read.

    Attributes:
        returncode: how it ended without an answer; None where it gave one, or still ran.
        said: the last it printed elsewhere.
    """

    def __init__(self, message: str, *, returncode: int | None = None, said: str = "") -> None:
        super().__init__(message)
        self.returncode, self.said = returncode, said


def in_words(error: BaseException) -> str:
    """Return what a library raised, in one line without its C++ sources; a key that it missed is said to be missing."""
    text = " ".join(str(error).split())
    if isinstance(error, KeyError):
        return f"{text} is missing"
    if isinstance(error, IndexError):
        return f"it points beyond an end: {text}"
    for pattern in _OF_CPP:
        text = re.sub(pattern, "", text)
    return f"{type(error).__name__}: {text}"


def require(noun: str, name: str, known: Iterable[str]) -> None:
    """Refuse a name that is not known; no name asks for nothing.

    Raises:
        UnknownName
    """
    if name and name not in (known := tuple(known)):
        raise UnknownName(noun, name, known)

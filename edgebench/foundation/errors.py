"""The hierarchy of exceptions. Every message says what was wanted, what was found and what to do.

    EdgebenchError
    |-- RequestError      the request cannot be met; nothing is run, and the exit code is 2
    |   |-- UnknownName       no plug-in, target or sweep has this name; the message suggests the nearest name
    |   |-- InvalidFile       a TOML file or journal cannot be read; the message has file, line and key
    |   |-- InvalidPlugin     a plug-in lacks a name that all plug-ins of its folder must define
    |   |-- Busy              another process uses the target or the results folder
    |   `-- Unreachable       the target does not answer, or stopped answering; earlier measurements are kept
    `-- CaseError         one case failed; it is recorded as a Failure, and the sweep goes on
        `-- AgentError        the process on the target died, hung or gave an unreadable answer

Any other exception is a bug and keeps its traceback.
"""

import re
from collections.abc import Iterable, Sequence

# Patterns of what is cut from error messages of C++ libraries: error codes, paths, and names of functions.
_OF_CPP = (
    r"\[ONNXRuntimeError\] : \d+ : \w+ : ",
    r"Load model from \S+ (?:failed:\s*)?",
    r"(?<!\S)\S*\.(?:h|hpp|hh|cc|cpp|cxx|c|cu|cuh):\d+:?\s*",
    r"(?<!\S)\w+::[\w:<>~]+\([^()]*(?:\([^()]*\)[^()]*)*\)(?: const)?:?\s*",
)

FOR_TESTS = "null"  # every folder of plug-ins has one of this name, which exists to test edgebench


class EdgebenchError(Exception):
    """Root of all errors that edgebench raises on purpose."""


class RequestError(EdgebenchError):
    """The user's request cannot be met, so nothing was run."""


class UnknownName(RequestError):
    """A name that does not exist: `no runtime 'onx' (has onnxruntime, torch); did you mean ...?`.

    `advice` replaces the nearest known name where the user evidently means something else.
    """

    def __init__(self, noun: str, wanted: str, known: tuple[str, ...], advice: str = "") -> None:
        usable = for_users(known)
        end = f"; {advice}" if advice else nearest(wanted, usable)
        super().__init__(f"no {noun} '{wanted}' (has {', '.join(usable) or 'none'}){end}")


class InvalidFile(RequestError):
    """A file with invalid content: `sweep.toml:7: models.0.width: unknown key`."""


class InvalidPlugin(RequestError):
    """A plug-in does not define a required name; the message states the plug-in's file and the missing name."""


class Busy(RequestError):
    """Another process uses the target or the results folder."""


class Unreachable(RequestError):
    """A target that does not answer; earlier measurements are kept."""


class CaseError(EdgebenchError):
    """A case that cannot be built, exported, measured or evaluated; the sweep goes on with the other cases."""


class AgentError(CaseError):
    """A process of the agent (edgebench's program on the target) died, hung or gave an unreadable answer.

    Attributes:
        returncode: the exit code, if the process ended without an answer; None if it answered or was still running.
        last_line: the last line that the process printed on standard error.
    """

    def __init__(self, message: str, *, returncode: int | None = None, last_line: str = "") -> None:
        super().__init__(message)
        self.returncode, self.last_line = returncode, last_line


def shown(text: str) -> str:
    """Return a text as one line; each control character, which a terminal could take as a command, becomes `?`."""
    return "".join(character if character.isprintable() else "?" for character in " ".join(text.split()))


def in_words(error: BaseException) -> str:
    """Return a library's error as one line, without C++ source locations.

    For a KeyError, the line says which key is missing; for an IndexError, that an index is too large.
    """
    text = " ".join(str(error).split())
    if isinstance(error, KeyError):
        return f"{text} is missing"
    if isinstance(error, IndexError):
        return f"an index is too large: {text}"
    for pattern in _OF_CPP:
        text = re.sub(pattern, "", text)
    return f"{type(error).__name__}: {text}"


def for_users(names: Iterable[str]) -> tuple[str, ...]:
    """Return the names that users are offered: all but that of the plug-ins for tests."""
    return tuple(name for name in names if name != FOR_TESTS)


def nearest(wanted: str, known: Sequence[str]) -> str:
    """Return a hint with the known name that is most like the wanted one; an empty text if none is."""
    from difflib import get_close_matches  # the agent, which imports this file, seldom needs it

    near = get_close_matches(wanted.lower(), known, n=1)
    return f"; did you mean '{near[0]}'?" if near else ""


def require(noun: str, name: str, known: Iterable[str], *, may_be_empty: bool = False) -> None:
    """Refuse an unknown name; with `may_be_empty`, an empty name is accepted, as in a filter that selects everything.

    Raises:
        UnknownName: the name is not known; the message lists the known names and suggests the nearest one.
    """
    known = tuple(known)
    if name not in known and not (may_be_empty and not name):
        raise UnknownName(noun, name, known)

"""Words such as `onnxruntime==1.23.2` or `torch+compile` -> the runtime asked for, and what it is told."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from edgebench.foundation.errors import RequestError, UnknownName
from edgebench.schema import STRICT

JOIN, PIN = "+", "=="

Groups = Sequence[Sequence[str]]  # of words, of which one holds; see `runtimes.OPTIONS`


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """A runtime as a person asks for it; without a version, as it is installed on the target."""

    name: str
    version: str = ""
    words: tuple[str, ...] = ()

    @property
    def pinned(self) -> str:
        """What an installation of it is called: its name, and the version asked for."""
        return f"{self.name}{PIN}{self.version}" if self.version else self.name

    def options(self, groups: Groups, usual: Sequence[str] = ()) -> tuple[str, ...]:
        """Return the word that holds in each group: the one asked for, else the usual one, else the first.

        Raises:
            RequestError: a word that is in no group, or two of one.
        """
        known = tuple(word for group in groups for word in group if word)
        for word in self.words:
            if word not in known:
                raise UnknownName(f"option of runtime {self.name}", word, known)
        chosen = [self._chosen(group, usual) for group in groups]
        return tuple(word for word in chosen if word)

    def _chosen(self, group: Sequence[str], usual: Sequence[str]) -> str:
        asked = [word for word in dict.fromkeys(self.words) if word in group]
        if len(asked) > 1:
            raise RequestError(f"runtime {self.name} is either {' or '.join(asked)}, found both; leave one out")
        return next(iter((*asked, *(word for word in usual if word in group), *group)))


def parse(text: str) -> Engine:
    """Read a runtime's name, the version it is pinned to, and the options joined to it.

    Raises:
        RequestError: there is no name, or an option without a word.
    """
    named, *words = (part.strip() for part in text.split(JOIN))
    name, pin, version = named.partition(PIN)
    if not re.fullmatch(r"\w+", name) or not all(words) or (pin and not re.fullmatch(r"\d[\w.]*", version)):
        raise RequestError(f"wanted a runtime such as onnxruntime==1.23.2 or torch+compile, found {text[:60]!r}")
    return Engine(name=name, version=version, words=tuple(words))


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """An inference engine as it is on a target: `onnxruntime 1.31.1`.

    Attributes:
        packages: `name==version` of everything it runs with, where it was brought there for this sweep at the version
            asked for; empty where it is the target's own.
    """

    __pydantic_config__: ClassVar = STRICT

    name: str
    version: str
    options: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()

    def __str__(self) -> str:
        return " ".join((self.name, self.version, *self.options))

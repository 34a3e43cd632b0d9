"""An inference engine: as a person asks for one, `onnxruntime==1.23.2` or `torch+compile`, and as it is on a target."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from edgebench.foundation.errors import RequestError, require
from edgebench.schema import STRICT

JOIN, PIN = "+", "=="

OptionGroups = Sequence[Sequence[str]]  # of each group one option holds; see `agent.runtimes.OPTIONS`


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeRequest:
    """A runtime as a person asks for it; without a version, as it is installed on the target."""

    name: str
    version: str = ""
    options: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> "RuntimeRequest":
        """Parse `name[==version][+option...]`.

        Raises:
            RequestError: there is no name, or an empty option.
        """
        named, *options = (part.strip() for part in text.split(JOIN))
        name, pin, version = named.partition(PIN)
        if not re.fullmatch(r"\w+", name) or not all(options) or (pin and not re.fullmatch(r"\d[\w.]*", version)):
            raise RequestError(f"wanted a runtime such as onnxruntime==1.23.2 or torch+compile, found {text[:60]!r}")
        return cls(name=name, version=version, options=tuple(options))

    @property
    def pinned(self) -> str:
        """What an installation of it is called: its name, and the requested version."""
        return f"{self.name}{PIN}{self.version}" if self.version else self.name

    def resolve(self, groups: OptionGroups, usual: Sequence[str] = ()) -> tuple[str, ...]:
        """Return the option that holds in each group: the requested one, else the usual one, else the first.

        Raises:
            RequestError: an option is in no group, or two are in one.
        """
        known = tuple(option for group in groups for option in group if option)
        for option in self.options:
            require(f"option of runtime {self.name}", option, known, may_be_empty=False)
        chosen = [self._chosen(group, usual) for group in groups]
        return tuple(option for option in chosen if option)

    def _chosen(self, group: Sequence[str], usual: Sequence[str]) -> str:
        requested = [option for option in dict.fromkeys(self.options) if option in group]
        if len(requested) > 1:
            raise RequestError(f"runtime {self.name} is either {' or '.join(requested)}, found both; leave one out")
        return next(iter((*requested, *(option for option in usual if option in group), *group)))


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

"""A runtime (inference engine), as a user requests it, `onnxruntime==1.23.2`, and as it is installed on a target."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from edgebench.foundation.errors import RequestError, require
from edgebench.schema import STRICT

JOIN, PIN = "+", "=="
ALL = "all"  # in a request: every runtime of the target that can compute the network

OptionGroups = Sequence[Sequence[str]]  # a runtime runs with exactly one option of each group; see `agent.runtimes`


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeRequest:
    """A requested runtime.

    Attributes:
        version: the requested version; empty for the version that is installed on the target.
        is_optional: whether the target is measured without the runtime if there are no wheels for the target.
    """

    name: str
    version: str = ""
    options: tuple[str, ...] = ()
    is_optional: bool = False

    def __str__(self) -> str:
        return JOIN.join((self.pinned, *self.options))

    @classmethod
    def parse(cls, text: str) -> "RuntimeRequest":
        """Parse `name[==version][+option...]`.

        Raises:
            RequestError: the name is missing, the version is malformed, or an option is empty.
        """
        named, *options = (part.strip() for part in text.split(JOIN))
        name, pin, version = named.partition(PIN)
        if not re.fullmatch(r"\w+", name) or not all(options) or (pin and not re.fullmatch(r"\d[\w.]*", version)):
            raise RequestError(f"wanted a runtime such as onnxruntime==1.23.2 or torch+compile, found {text[:60]!r}")
        return cls(name=name, version=version, options=tuple(options))

    @property
    def pinned(self) -> str:
        """The name with the requested version, `onnxruntime==1.23.2`; the name alone if no version was requested."""
        return f"{self.name}{PIN}{self.version}" if self.version else self.name

    def resolve(self, groups: OptionGroups, usual: Sequence[str] = ()) -> tuple[str, ...]:
        """Return one option of each group: the requested one, or else the one in `usual`, or else the group's first.

        Raises:
            RequestError: a requested option is in no group, or two requested options are in the same group.
        """
        known = tuple(option for group in groups for option in group if option)
        for option in self.options:
            require(f"option of runtime {self.name}", option, known)
        chosen = [self._chosen(group, usual) for group in groups]
        return tuple(option for option in chosen if option)

    def _chosen(self, group: Sequence[str], usual: Sequence[str]) -> str:
        requested = [option for option in dict.fromkeys(self.options) if option in group]
        if len(requested) > 1:
            raise RequestError(f"runtime {self.name} takes either {' or '.join(requested)}, found both; leave one out")
        return next(iter((*requested, *(option for option in usual if option in group), *group)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """A runtime (inference engine) on a target, as text `onnxruntime 1.31.1`.

    Attributes:
        packages: the packages that are copied to the target to get a requested version, each as `name==version`; empty
            if the target's own installation is used.
    """

    __pydantic_config__: ClassVar = STRICT

    name: str
    version: str
    options: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()

    def __str__(self) -> str:
        return " ".join((self.name, self.version, *self.options))

"""The files that are needed -> in which order they can be made, and how often each is tried."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar

from edgebench import export as exporting
from edgebench import train as training
from edgebench.foundation import cache
from edgebench.schema import STRICT
from edgebench.schema.variant import Variant, as_float

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from edgebench.foundation.progress import Show
    from edgebench.schema.artifact import Artifact
    from edgebench.schema.cards import Weights

MOST_TRIES = 2  # if a process ends while it makes a file, the file is tried once more


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file to make: a variant in a format; without a format, the trained weights of a float variant."""

    __pydantic_config__: ClassVar = STRICT

    variant: Variant
    format: str = ""

    @property
    def activity(self) -> str:
        """The activity that the progress shows while the file is made."""
        return "export" if self.format else "train"

    @property
    def subject(self) -> str:
        """The file's name in the progress."""
        return str(self.variant) if self.format else training.name_of(self.variant)

    @property
    def sources(self) -> Iterator[File]:
        """Yield the files from which this one is made, the last step first."""
        if self.format:
            yield replace(self, variant=as_float(self.variant))
            yield File(variant=as_float(self.variant))
        else:
            yield File(variant=replace(self.variant, resolution=training.BASE_RESOLUTION))


def find(file: File) -> Artifact | Weights | None:
    """Return the card of the file if the cache has an intact copy; otherwise None."""
    if not file.format:
        return training.find(file.variant)
    artifact = exporting.find(file.variant, file.format)
    return artifact if artifact and cache.is_intact(artifact) else None


def make(file: File, show: Show) -> None:
    """Make a file in the cache if the cache lacks it.

    Raises:
        CaseError: the network cannot be trained, or not be written in the format.
    """
    if file.format:
        exporting.export(file.variant, file.format, show)
    elif not find(file):
        training.train(file.variant, show)


@dataclass(kw_only=True)
class Work:
    """The files that are not made yet.

    Attributes:
        ready: files that can be made now.
        waiting: for each file that is not made yet, the files that are to be made from it.
        tries: how often a process ended while it made a file.
    """

    ready: list[File] = field(default_factory=list)
    waiting: dict[File, list[File]] = field(default_factory=lambda: defaultdict(list))
    tries: dict[File, int] = field(default_factory=lambda: defaultdict(int))

    @classmethod
    def of(cls, files: Iterable[File]) -> Work:
        """Return the work of making files; a file waits for the file it is made from, if that is to be made, too."""
        work, every = cls(), dict.fromkeys(files)
        for file in every:
            source = next((source for source in file.sources if source != file and source in every), None)
            (work.waiting[source] if source else work.ready).append(file)
        return work

    def finish(self, file: File) -> None:
        """Note that a file is made, so that the files that wait for it can be made."""
        self.ready = self.waiting.pop(file, []) + self.ready

    def drop(self, file: File) -> None:
        """Leave a file, and those that wait for it, to their cases."""
        for other in self.waiting.pop(file, []):
            self.drop(other)

    def try_again(self, file: File) -> bool:
        """Note that a process ended while it made a file; return whether the file is tried again."""
        self.tries[file] += 1
        if self.tries[file] < MOST_TRIES:
            self.ready.insert(0, file)
            return True
        self.drop(file)
        return False

    def again(self, file: File) -> str:
        """Try a file again, if it may be, after its process ended; say in words what happens to it."""
        return "it is made again" if self.try_again(file) else "its case will make it"

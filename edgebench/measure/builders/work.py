"""What is needed -> in which order it can be made, and how often each piece is tried.

A piece is a file (trained weights, an exported model) or an evaluation of a model file on this host.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar

from edgebench import export as exporting
from edgebench import train as training
from edgebench.foundation import cache
from edgebench.foundation.errors import CaseError
from edgebench.foundation.progress import Step
from edgebench.measure import stage
from edgebench.measure.evaluate import FloatAnswers, on_host, stand_in
from edgebench.schema import STRICT
from edgebench.schema.variant import Variant, as_float, parent

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from edgebench.foundation.cache import FileCard
    from edgebench.foundation.progress import Show

MOST_TRIES = 2  # if a process ends while it makes a piece, the piece is tried once more
_float_answers = FloatAnswers()  # of this process: the int8 files of a network are evaluated after its float file


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
    def sources(self) -> Iterator[Piece]:
        """Yield the files from which this one is made, the last step first."""
        if self.format:
            yield replace(self, variant=as_float(self.variant))
            yield File(variant=as_float(self.variant))
        else:
            yield File(variant=replace(self.variant, resolution=training.BASE_RESOLUTION))

    def find(self) -> FileCard | None:
        """Return the card of the file if the cache has an intact copy; otherwise None."""
        if not self.format:
            return training.find(self.variant)
        artifact = exporting.find(self.variant, self.format)
        return artifact if artifact and cache.is_intact(artifact) else None

    def make(self, show: Show) -> None:
        """Make the file in the cache if the cache lacks it.

        Raises:
            CaseError: the network cannot be trained, or not be written in the format.
        """
        if self.format:
            exporting.export(self.variant, self.format, show)
        elif not self.find():
            training.train(self.variant, show)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """An evaluation to make of a model file on this host."""

    __pydantic_config__: ClassVar = STRICT

    question: on_host.Question

    @property
    def activity(self) -> str:
        """The activity that the progress shows meanwhile."""
        return "evaluate"

    @property
    def variant(self) -> Variant:
        """The variant that is evaluated."""
        return self.question.variant

    @property
    def format(self) -> str:
        """The format of the file that is evaluated."""
        return self.question.format

    @property
    def subject(self) -> str:
        """The network's name in the progress."""
        return str(self.variant)

    @property
    def sources(self) -> Iterator[Piece]:
        """Yield the file and, for int8, the evaluation of the float file, whose answers are needed again."""
        yield File(variant=self.variant, format=self.format)
        if float_variant := parent(self.variant):
            yield File(variant=float_variant, format=self.format)
            yield Evaluation(question=replace(self.question, variant=float_variant))

    def find(self) -> FileCard | None:
        """Return the card of the evaluation if the cache has one; otherwise None."""
        float_variant = parent(self.variant)
        own = exporting.find(self.variant, self.format)
        other = exporting.find(float_variant, self.format) if float_variant else None
        if not own or bool(float_variant) != bool(other):
            return None
        return on_host.find(self.question, on_host.Files(own=own, parent=other))

    def make(self, show: Show) -> None:
        """Evaluate the file.

        Raises:
            CaseError: this machine is of another kind, or the file could not be run.
        """
        question = self.question
        host = stand_in.named(question.host, question.runtime)
        if host is None:
            raise CaseError(f"wanted a machine that evaluates as {question.host}, found another")
        files = stage.files_of(question.case, host.environment, show)
        show(Step(activity=self.activity, subject=self.subject))
        on_host.evaluated(question, files, host, _float_answers)


Piece = File | Evaluation


@dataclass(kw_only=True)
class Work:
    """The pieces that are not made yet.

    Attributes:
        ready: pieces that can be made now.
        lacking: for each piece that must wait, how many of the pieces that it is made from are not made yet.
        waiting: for each piece that is not made yet, the pieces that are to be made from it.
        tries: how often a process ended while it made a piece.
    """

    ready: list[Piece] = field(default_factory=list)
    lacking: dict[Piece, int] = field(default_factory=dict)
    waiting: dict[Piece, list[Piece]] = field(default_factory=lambda: defaultdict(list))
    tries: dict[Piece, int] = field(default_factory=lambda: defaultdict(int))

    @classmethod
    def of(cls, pieces: Iterable[Piece]) -> Work:
        """Return the work of making pieces; a piece waits for those it is made from, if these are to be made, too."""
        work, every = cls(), dict.fromkeys(pieces)
        for piece in every:
            sources = [source for source in piece.sources if source != piece and source in every]
            if sources:
                work.lacking[piece] = len(sources)
            else:
                work.ready.append(piece)
            for source in sources:
                work.waiting[source].append(piece)
        return work

    def finish(self, piece: Piece) -> None:
        """Note that a piece is made; the pieces for which nothing else is missing come next."""
        freed = list[Piece]()
        for other in self.waiting.pop(piece, []):
            if other in self.lacking:
                self.lacking[other] -= 1
                if not self.lacking[other]:
                    del self.lacking[other]
                    freed.append(other)
        self.ready = freed + self.ready

    def drop(self, piece: Piece) -> None:
        """Leave a piece, and those that wait for it, to their cases."""
        for other in self.waiting.pop(piece, []):
            if self.lacking.pop(other, 0):
                self.drop(other)

    def try_again(self, piece: Piece) -> bool:
        """Note that a process ended while it made a piece; return whether the piece is tried again."""
        self.tries[piece] += 1
        if self.tries[piece] < MOST_TRIES:
            self.ready.insert(0, piece)
            return True
        self.drop(piece)
        return False

    def again(self, piece: Piece) -> str:
        """Try a piece again, if it may be, after its process ended; say in words what happens to it."""
        return "it is made again" if self.try_again(piece) else "its case will make it"

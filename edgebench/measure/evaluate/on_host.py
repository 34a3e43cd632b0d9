"""A model file, a runtime of a host and the test images -> their accuracy, evaluated once and kept in the cache.

The host evaluates in place of a board, or for itself before it measures. The result is used only on a machine of the
same kind with the same version of the runtime, so it does not matter which process or worker evaluated.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import cache as remembered
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from edgebench.deploy import install
from edgebench.foundation import cache, provenance
from edgebench.foundation.shelf import load, module
from edgebench.images.splits import split
from edgebench.measure import evaluate
from edgebench.measure.evaluate import album, reference
from edgebench.schema import STRICT
from edgebench.schema.case import Case
from edgebench.schema.record import Accuracy
from edgebench.schema.runtime import Runtime
from edgebench.schema.sound import fault
from edgebench.schema.variant import Variant, parent

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic import TypeAdapter

    from edgebench.measure.evaluate import FloatAnswers
    from edgebench.measure.evaluate.stand_in import StandIn
    from edgebench.schema.artifact import Artifact


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Which variant is evaluated with which runtime.

    Attributes:
        channels: the number of channels of the network's input: 3, or 1 for grey images.
        host: the machine and the runtime in words, as in `StandIn`; a machine of another kind does not answer.
    """

    __pydantic_config__: ClassVar = STRICT

    variant: Variant
    runtime: Runtime
    threads: int
    channels: int
    host: str

    @classmethod
    def of(cls, case: Case, host: StandIn, channels: int) -> Question:
        """Return the question that a host answers in place of a case's target."""
        return cls(variant=case.variant, runtime=host.runtime, threads=case.threads, channels=channels, host=str(host))

    @property
    def case(self) -> Case:
        """The case that the host runs."""
        return Case(variant=self.variant, target="", runtime=self.runtime, threads=self.threads, batch=1)

    @property
    def format(self) -> str:
        """The format of the file that is evaluated."""
        return str(load("runtimes", self.runtime.name).FORMAT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """The file that is evaluated, and the float file with which it is compared; None for a float file."""

    own: Artifact
    parent: Artifact | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluated:
    """A JSON file in the cache with an accuracy and, for boxes and maps, the album of the largest errors."""

    __pydantic_config__: ClassVar = STRICT
    FOLDER: ClassVar = "evaluations"  # name of the cache subfolder for these cards

    file: str
    sha256: str


@remembered
def _adapter() -> TypeAdapter[Accuracy]:
    from pydantic import TypeAdapter

    return TypeAdapter(Accuracy)


def find(question: Question, files: Files) -> Evaluated | None:
    """Return the evaluation of these files by today's code; None if the cache has no intact and plausible one."""
    card = cache.find_intact(_stem(question, files), Evaluated)
    return card if card and _is_answer(card, question, files) else None


def evaluated(question: Question, files: Files, host: StandIn, float_answers: FloatAnswers) -> Evaluated:
    """Return the evaluation of these files, from the cache or by a host.

    Raises:
        CaseError: a file could not be run.
    """
    make = partial(_make, question, files, host, float_answers)
    return find(question, files) or cache.keep(_stem(question, files), ".json", Evaluated, make)


def accuracy(card: Evaluated) -> Accuracy:
    """Return the accuracy of an evaluation, for no session yet, and put its album into the cache."""
    content = _content(card)
    answer = _accuracy(content)
    if content["album"]:
        cache.write_sealed(album.place(answer.artifact_sha256), content["album"])
    return answer


def _content(card: Evaluated) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(cache.path_of(card).read_bytes())
    return content


def _accuracy(content: dict[str, Any]) -> Accuracy:
    return _adapter().validate_json(json.dumps(content["accuracy"]))


def _is_answer(card: Evaluated, question: Question, files: Files) -> bool:
    """Return whether an evaluation, which a worker may have sent, answers this question."""
    try:
        answer = _accuracy(_content(card))
    except (ValueError, KeyError, TypeError, OSError):
        return False
    of = answer.case, answer.artifact_sha256, answer.parent_sha256, answer.made_by
    wanted = question.case, files.own.sha256, _parent_sha256(files), evaluate.made_by(question.variant)
    return of == wanted and not fault(answer)


def _parent_sha256(files: Files) -> str:
    return files.parent.sha256 if files.parent else ""


def _stem(question: Question, files: Files) -> str:
    """Return the name of an evaluation in the cache, without suffix; it depends on everything that the result does."""
    parts = {
        "question": repr(question),
        "file": files.own.sha256,
        "parent": _parent_sha256(files),
        "made_by": evaluate.made_by(question.variant),
        "source": provenance.source(
            *(f"measure/evaluate/{name}" for name in ("album", "on_host", "reference")),
            module("runtimes", question.runtime.name),
        ),
    }
    return f"evaluation-{provenance.key(parts)}"


def _make(question: Question, files: Files, host: StandIn, float_answers: FloatAnswers, path: Path) -> Evaluated:
    case, float_variant = question.case, parent(question.variant)
    images = split(case.variant, "test", question.channels)
    there = partial(install, host.connection, runtime=question.runtime, environment=host.environment)
    own = there(files.own, case.variant)
    other = there(files.parent, float_variant) if files.parent and float_variant else None
    counted, outputs = evaluate.evaluate(case, images, own, other, host.connection, float_answers)
    counted = replace(counted, **reference.figures(files.own, case.variant, images, outputs))
    content = {
        "accuracy": json.loads(_adapter().dump_json(counted)),
        "album": cache.read(album.place(files.own.sha256)),
    }
    path.write_text(json.dumps(content), encoding="utf-8")
    return Evaluated(file="", sha256="")

"""Make a case ready to be measured: put its artifact (the file to run) on the target, and evaluate it.

The steps are export, install and evaluate.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from time import monotonic
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from edgebench.deploy import Deployed, install
from edgebench.deploy.survey import require_answer
from edgebench.export import export
from edgebench.foundation import bugs
from edgebench.foundation.errors import CaseError
from edgebench.foundation.progress import Notice, Show, Step
from edgebench.foundation.shelf import load
from edgebench.images.splits import split
from edgebench.measure import around, evaluate
from edgebench.measure.evaluate import FloatAnswers, on_host, reference, stand_in
from edgebench.measure.plan import engines
from edgebench.measure.rounds import Job
from edgebench.schema.record import Deployment, Failure
from edgebench.schema.variant import parent as parent_of

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from edgebench.deploy.connections import Connection
    from edgebench.measure.evaluate.stand_in import StandIn
    from edgebench.measure.plan.state import CaseState
    from edgebench.measure.workshop import Made
    from edgebench.schema.artifact import Artifact
    from edgebench.schema.case import Case
    from edgebench.schema.environment import Environment
    from edgebench.schema.record import Accuracy, Record, Session
    from edgebench.schema.variant import Variant


NO_FAILURES: Mapping[Case, Exception] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Prepares the cases of a session on the session's target.

    Attributes:
        float_answers: the outputs of the last float artifact, because outputs of int8 artifacts are compared with them.
        made: a future for each case, done when another thread has made its file; other cases are exported here.
        bench: a lock that is held while this machine evaluates in place of a board.
        failures: the errors of cases whose export has already failed.
    """

    session: Session
    connection: Connection
    show: Show
    float_answers: FloatAnswers = field(default_factory=FloatAnswers)
    made: Mapping[Case, Made] = field(default_factory=dict)
    bench: AbstractContextManager[Any] = field(default_factory=nullcontext)
    failures: Mapping[Case, Exception] = field(default_factory=dict)

    def ready(self, state: CaseState) -> Generator[Record, None, Job | None]:
        """Export, install and evaluate a case; yield the new records; return a job, or None if the case failed."""
        case, session = state.case, self.session
        if error := self.failures.get(case):
            yield self._failure(case, "export", error)
            return None
        try:
            if case in self.made:
                self.made[case].result()
            artifact, deployed = self._deployed(case)
        except Exception as bug:  # a bug in edgebench makes only this case fail, and the row says so
            yield self._failure(case, "export", bug)
            return None
        yield Deployment(case=case, session=session.id, epoch=session.environment.epoch, artifact=artifact)
        state = state.of(artifact)
        if state.needs_evaluation:
            started = monotonic()
            yield (evaluated := self._evaluated(state, artifact, deployed))
            if isinstance(evaluated, Failure):
                require_answer(self.connection, session.environment.target, monotonic() - started)
        around = self._around(state)
        return Job(case=case, deployed=deployed, around=around, runs=list(state.runs))

    def _around(self, state: CaseState) -> dict[str, Any]:
        """Return the fields that make a request time the steps around inference; no fields if these are not timed."""
        variant = state.case.variant
        if not state.times_stages:
            return {}
        try:
            return around.request(variant, state.channels, self.connection, is_whole=self.session.stages)
        except CaseError as error:
            self.show(Notice(text=f"{variant}: the steps before and after inference are not timed: {error}"))
            return {}

    def accuracy(self, case: Case, artifact: Artifact, deployed: Deployed, channels: int) -> Accuracy:
        """Evaluate a case on its target; for some boards, evaluate on this host, and check a few outputs on the board.

        `channels` is the number of channels of the network's input: 3, or 1 for grey images.

        Raises:
            CaseError: the case or its float parent could not be run.
        """
        host, session = stand_in.find(case, self.connection), self.session
        if host:
            answer = self._of_host(host, case, deployed, channels)
        else:
            answer = self._of_target(case, artifact, deployed, channels)
        return replace(answer, case=case, session=session.id, epoch=session.environment.epoch)

    def _of_host(self, host: StandIn, case: Case, deployed: Deployed, channels: int) -> Accuracy:
        """Evaluate on this host in place of a board, and check a few outputs on the board."""
        self.show(Step(activity="evaluate", subject=str(case.variant)))
        question = on_host.Question.of(case, host, channels)
        with self.bench:
            files = files_of(question.case, host.environment, self.show)
            answer = on_host.accuracy(on_host.evaluated(question, files, host, self.float_answers))
            copy = install(host.connection, files.own, case.variant, host.runtime, host.environment)
        images = split(case.variant, "test", channels)
        return replace(answer, spot=stand_in.spot_check(case, images, deployed, copy, self.connection, host))

    def _of_target(self, case: Case, artifact: Artifact, deployed: Deployed, channels: int) -> Accuracy:
        """Evaluate on the target, unless it is this machine and another process of it has done so before."""
        variant, environment = parent_of(case.variant), self.session.environment
        files = on_host.Files(own=artifact, parent=exported(case, variant, environment, self.show) if variant else None)
        itself = stand_in.itself(case, self.connection, environment)
        if itself and (known := on_host.find(on_host.Question.of(case, itself, channels), files)):
            return on_host.accuracy(known)
        self.show(Step(activity="evaluate", subject=str(case.variant)))
        parent = None
        if variant and files.parent:
            parent = install(self.connection, files.parent, variant, case.runtime, environment)
        images = split(case.variant, "test", channels)
        answer, outputs = evaluate.evaluate(case, images, deployed, parent, self.connection, self.float_answers)
        return replace(answer, **reference.figures(artifact, case.variant, images, outputs))

    def _deployed(self, case: Case) -> tuple[Artifact, Deployed]:
        artifact = exported(case, case.variant, self.session.environment, self.show)
        return artifact, install(self.connection, artifact, case.variant, case.runtime, self.session.environment)

    def _evaluated(self, state: CaseState, artifact: Artifact, deployed: Deployed) -> Record:
        try:
            return self.accuracy(state.case, artifact, deployed, state.channels)
        except Exception as error:  # after a bug, only this case fails
            return self._failure(state.case, "evaluate", error)

    def _failure(self, case: Case, stage: str, error: Exception) -> Failure:
        epoch = self.session.environment.epoch
        return Failure(case=case, session=self.session.id, epoch=epoch, stage=stage, reason=bugs.reason(error))


def files_of(case: Case, environment: Environment, show: Show) -> on_host.Files:
    """Return the artifact of a case, and the float artifact with which it is compared.

    Raises:
        CaseError: as for `exported`.
    """
    parent = parent_of(case.variant)
    return on_host.Files(
        own=exported(case, case.variant, environment, show),
        parent=exported(case, parent, environment, show) if parent else None,
    )


def exported(case: Case, variant: Variant, environment: Environment, show: Show) -> Artifact:
    """Return the variant's artifact in the format of the case's runtime.

    Raises:
        CaseError: the runtime or its machine cannot compute the variant, the artifact cannot be written, or a
            user-supplied model does not support the case.
    """
    if reason := engines.refusal(replace(case, variant=variant), environment):
        raise CaseError(reason)
    return export(variant, load("runtimes", case.runtime.name).FORMAT, show)

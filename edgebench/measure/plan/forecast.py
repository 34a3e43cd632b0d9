"""The states of a session's cases -> a rough estimate of the time that the session takes, for `--dry-run` only."""

from collections.abc import Sequence
from dataclasses import dataclass

from edgebench import train
from edgebench.measure.plan.state import CaseState, Progress
from edgebench.schema.case import PRESETS, Case
from edgebench.schema.record import Session
from edgebench.schema.variant import WeightSource

# Typical seconds for one training, one export and one process on two cores of a 2.5 GHz x86 server.
TRAIN_S, EXPORT_S, PROCESS_S = 25.0, 3.0, 1.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """The work of a session, and the estimated time for it.

    Attributes:
        work: each case with its next step in words.
        prepare_s, measure_s: rough estimates of the time to train and export, and of the time to measure.
    """

    target: str
    work: tuple[tuple[Case, str], ...]
    prepare_s: float
    measure_s: float


def forecast(session: Session, states: Sequence[CaseState]) -> Forecast:
    """Estimate the time of a session from the typical times above."""
    open_cases = [state for state in states if state.progress == Progress.OPEN and not state.refusal]
    processes = PRESETS[session.preset].interim_analyses[-1] * len(open_cases)
    measure_s = processes * PROCESS_S
    untrained = {
        (variant.architecture, variant.width, variant.resolution)
        for state in open_cases
        if (variant := state.case.variant).weights == WeightSource.TRAINED and not train.find(variant)
    }
    return Forecast(
        target=session.environment.target,
        work=tuple((state.case, _needs(state)) for state in states),
        prepare_s=TRAIN_S * len(untrained) + EXPORT_S * sum(state.artifact is None for state in open_cases),
        measure_s=min(measure_s, session.time_limit_s or measure_s),
    )


def _needs(state: CaseState) -> str:
    if state.refusal:
        return f"nothing, because it cannot be measured: {state.refusal}"
    if state.progress != Progress.OPEN:
        return f"nothing, because it is {state.progress}"
    if state.artifact:
        return f"measuring ({len(state.runs)} runs so far); its artifact is cached"
    variant = state.case.variant
    return "export" if variant.weights != WeightSource.TRAINED or train.find(variant) else "training"

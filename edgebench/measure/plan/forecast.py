"""What a session would do -> how long that might take: a rough guess, for `--dry-run` only."""

from collections.abc import Sequence
from dataclasses import dataclass

from edgebench import train
from edgebench.measure.plan.custom import refusal
from edgebench.measure.plan.state import CaseState, Progress
from edgebench.schema.case import PRESETS, Case
from edgebench.schema.record import Session
from edgebench.schema.variant import WeightSource

# What one step took on two cores of a 2.5 GHz x86 server, seconds.
TRAIN_S, EXPORT_S, PROCESS_S = 25.0, 3.0, 1.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What a session would do and about how long it would take, seconds; the time is a rough guess.

    Attributes:
        work: each case, and what it still needs.
    """

    target: str
    work: tuple[tuple[Case, str], ...]
    prepare_s: float
    measure_s: float


def forecast(session: Session, known: Sequence[CaseState]) -> Forecast:
    """Guess from what comparable steps took on two cores of a 2.5 GHz x86 server."""
    open_cases = [one for one in known if one.progress == Progress.OPEN and not refusal(one.case)]
    processes = PRESETS[session.preset].interim_analyses[-1] * len(open_cases)
    measure_s = processes * PROCESS_S
    untrained = {
        (variant.architecture, variant.width, variant.resolution)
        for one in open_cases
        if (variant := one.case.variant).weights == WeightSource.TRAINED and not train.find(variant)
    }
    return Forecast(
        target=session.environment.target,
        work=tuple((one.case, _needs(one)) for one in known),
        prepare_s=TRAIN_S * len(untrained) + EXPORT_S * sum(one.artifact is None for one in open_cases),
        measure_s=min(measure_s, session.time_limit_s or measure_s),
    )


def _needs(known: CaseState) -> str:
    if reason := refusal(known.case):
        return f"nothing: it cannot be measured: {reason}"
    if known.progress != Progress.OPEN:
        return f"nothing: it is {known.progress}"
    if known.artifact:
        return f"measuring ({len(known.runs)} runs so far); its artifact is cached"
    return (
        "export" if known.case.variant.weights != WeightSource.TRAINED or train.find(known.case.variant) else "training"
    )

"""Evidence -> what a number is worth: reasons, the worst of which is its verdict."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from statistics import median

from edgebench import stats
from edgebench.evidence import Evidence, half_width, process_medians
from edgebench.record import Run

# This project's own proposals, each a share unless its name says otherwise.
WAITED_SUSPECT, WAITED_INVALID = 0.9, 0.5  # CPU time over wall time and thread
OTHERS_CORES = 0.25  # CPU time that other processes took, in cores
STEAL = 0.05  # of all cores' time
DRIFT = 0.01  # of the median, from the first process to the last
CHANGING_GOVERNORS = ("powersave", "ondemand", "conservative", "schedutil")


class Verdict(IntEnum):
    """What a number is worth; the worst of its reasons decides."""

    VALID = 0
    IMPRECISE = 1
    SUSPECT = 2
    INVALID = 3
    FAILED = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why a number is worth less than VALID."""

    verdict: Verdict
    text: str


def reasons(evidence: Evidence) -> tuple[Reason, ...]:
    """Run every check; nothing found is VALID."""
    return tuple(reason for check in CHECKS for reason in check(evidence))


def _failed(evidence: Evidence) -> Iterator[Reason]:
    for failure in evidence.failures:
        yield Reason(verdict=Verdict.FAILED, text=f"{failure.stage}: {failure.reason}")


def _few(evidence: Evidence) -> Iterator[Reason]:
    count = len(evidence.timed)
    if not count and not evidence.failures:
        why = "no time was left" if evidence.has_stopped else "it was interrupted before"
        yield Reason(verdict=Verdict.FAILED, text=f"not measured: {why}")
    elif count and count < stats.LEAST_FOR_INTERVAL:
        text = f"too few processes: {count}, an interval needs {stats.LEAST_FOR_INTERVAL}: min-max shown"
        yield Reason(verdict=Verdict.IMPRECISE, text=text)


def _wide(evidence: Evidence) -> Iterator[Reason]:
    width, allowed = half_width(process_medians(evidence.timed)), evidence.allowed_half_width
    if width is not None and width > allowed:
        yield Reason(verdict=Verdict.IMPRECISE, text=f"interval wider than ±{allowed:.0%}")


def _waited(evidence: Evidence) -> Iterator[Reason]:
    shares = [run.cpu_s / run.wall_s / _threads(run) for run in evidence.timed if run.wall_s]
    share = median(shares) if shares else 1.0
    if share < WAITED_SUSPECT:
        verdict = Verdict.INVALID if share < WAITED_INVALID else Verdict.SUSPECT
        yield Reason(verdict=verdict, text=f"waited for a core: CPU time is {share:.0%} of wall time a thread")


def _threads(run: Run) -> int:
    return getattr(run.case, "threads", 1)


def _load(evidence: Evidence) -> Iterator[Reason]:
    if evidence.timed and (others := median(run.others_cpu for run in evidence.timed)) > OTHERS_CORES:
        yield Reason(verdict=Verdict.SUSPECT, text=f"other processes took {others:.1f} cores meanwhile")
    if evidence.timed and (steal := median(run.steal for run in evidence.timed)) > STEAL:
        yield Reason(verdict=Verdict.SUSPECT, text=f"the hypervisor took {steal:.0%} of the machine meanwhile")


def _drift(evidence: Evidence) -> Iterator[Reason]:
    medians = process_medians(evidence.timed)
    if stats.trend_is_significant(medians):
        drift = stats.theil_sen(medians) * (len(medians) - 1) / median(medians)
        if abs(drift) > DRIFT:
            yield Reason(verdict=Verdict.SUSPECT, text=f"drifted {drift:+.1%} over {len(medians)} processes")


def _clock(evidence: Evidence) -> Iterator[Reason]:
    governor = evidence.session.environment.facts.get("governor", "")
    if evidence.timed and governor in CHANGING_GOVERNORS:
        yield Reason(verdict=Verdict.SUSPECT, text=f"governor {governor}: the clock may change, set performance")


def _swap(evidence: Evidence) -> Iterator[Reason]:
    used = [
        int(run.conditions.get("swap_used_bytes_after", 0)) - int(run.conditions.get("swap_used_bytes_before", 0))
        for run in evidence.runs
    ]
    if any(growth > 0 for growth in used):
        yield Reason(verdict=Verdict.SUSPECT, text="memory was swapped out meanwhile")


def _float_fallback(evidence: Evidence) -> Iterator[Reason]:
    if evidence.artifact and (nodes := evidence.artifact.float_nodes):
        text = f"{len(nodes)} operators of the int8 graph run in float: {', '.join(nodes[:3])}"
        yield Reason(verdict=Verdict.SUSPECT, text=text)


def _saturation(evidence: Evidence) -> Iterator[Reason]:
    quantization = evidence.artifact.quantization if evidence.artifact else None
    if quantization and quantization.saturating and saturates(evidence.session.environment.facts):
        text = "U8S8 without reduce_range saturates on an x86 CPU without VNNI: its answers are wrong"
        yield Reason(verdict=Verdict.INVALID, text=text)


def saturates(facts: dict[str, str]) -> bool:
    """Tell whether this CPU's 8-bit products of uint8 and int8 overflow 16 bits: x86 without VNNI."""
    x86 = facts.get("machine") in ("x86_64", "AMD64", "i686")
    return x86 and not {"avx512_vnni", "avx_vnni"} & set(facts.get("isa", "").split())


CHECKS: tuple[Callable[[Evidence], Iterator[Reason]], ...] = (
    _failed,
    _few,
    _wide,
    _waited,
    _load,
    _drift,
    _clock,
    _swap,
    _float_fallback,
    _saturation,
)

"""The times of pairs of a step and the good end -> a finding, by the rule of a night.

A step is slower if its pairs confirm a slowdown as on any night; an early interim analysis requires a smaller p-value.
The step is not slower if the interval of its change lies below the change of the bad end. If neither is shown, more
pairs are run; after the largest number of pairs, the finding stays unclear. This module does no I/O.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import expm1, log1p
from typing import TYPE_CHECKING

from edgebench.nightly.bisect.walk import Finding
from edgebench.nightly.rule.confirm import compare_pairs
from edgebench.nightly.rule.figures import LATENCY
from edgebench.nightly.rule.thresholds import RULE, Rule

if TYPE_CHECKING:
    from edgebench.nightly.night import PairedTimes


# An early interim analysis requires a p-value below this share of the rule's limit, so that these analyses together
# add few errors.
EARLY = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """A measured step: its finding, and the change of its latency against the good end.

    Attributes:
        change: relative change of the latency; `low` and `high` are the ends of its 95 % interval.
        p: one-sided p-value of a slowdown.
        good_s, step_s: median latency of the good end and of the step in these pairs, seconds.
        why: why the step was skipped, or why no pairs were necessary.
    """

    finding: Finding
    change: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    pairs: int = 0
    good_s: float | None = None
    step_s: float | None = None
    why: str = ""


def interim_analyses(rule: Rule = RULE) -> tuple[int, ...]:
    """Return the numbers of pairs after which the pairs are weighed; the last one is the largest number of pairs."""
    usual = range(rule.interim_every, rule.pairs, rule.interim_every)
    noisy = range(rule.pairs, rule.noisy_pairs, rule.noisy_interim_every)
    return tuple(dict.fromkeys((*usual, *noisy, rule.noisy_pairs)))


def weigh(times: PairedTimes, bad: Evidence | None, rule: Rule = RULE) -> Evidence:
    """Return the finding that the pairs so far allow; `bad` is the evidence on the bad end; None to weigh that end.

    If there were fewer than `rule.noisy_pairs` pairs, the finding UNCLEAR means that more pairs are necessary.
    """
    import numpy

    good, step = LATENCY.logs(times)
    if not good:
        return Evidence(finding=Finding.UNCLEAR, pairs=times.pairs, why="a latency is zero")
    effect = compare_pairs(numpy.array([good]), numpy.array([step]))
    is_whole, pairs = times.pairs >= rule.pairs, (rule.pairs, rule.noisy_pairs)
    p = rule.confirmation(is_noisy=times.pairs > rule.pairs)[1] * (1.0 if times.pairs in pairs else EARLY)
    is_slower = bool(effect.is_slower(p, rule.effect)[0])
    may_be_slower = bool(effect.is_slower(rule.futile_p, rule.futile_effect)[0])
    limit = max(log1p(rule.effect), log1p(bad.low) if bad and bad.low is not None else 0.0)
    is_clear = effect.change[0] <= log1p(rule.effect) or times.pairs >= rule.noisy_pairs
    is_below = bool(effect.high[0] < limit) and is_clear and (is_whole or not may_be_slower)
    finding = Finding.SLOWER if is_slower else Finding.NOT_SLOWER if is_below else Finding.UNCLEAR
    return Evidence(
        finding=finding,
        change=expm1(effect.change[0]),
        low=expm1(effect.low[0]),
        high=expm1(effect.high[0]),
        p=float(effect.slower_p[0]),
        pairs=times.pairs,
        good_s=float(numpy.median(times.accepted.latencies_s)),
        step_s=float(numpy.median(times.tonight.latencies_s)),
    )

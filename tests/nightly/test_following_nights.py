"""Several nights, one after the other: what a regression is the night after, on another host, with another model."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest

from edgebench.nightly.night import Acceptance, Entry, Figures, History, Outcome, PairedTimes
from edgebench.nightly.rule.judge import NEW_COMPONENTS, examine, is_open, judge
from edgebench.nightly.rule.thresholds import RULE
from tests.nightly.test_judge import paired_times
from tests.support.nights import HOST, NAME, STACK, entry, figures, night, quiet_history, slower

ELSEWHERE = HOST | {"kernel": "Linux 6.2"}
NOISY, QUIET = 0.08, 0.004  # deviation between processes


def components(model: int = 1, runtime: int = 1) -> dict[str, str]:
    return STACK | {"model": f"m{model}", "runtime": f"engine {runtime}.0"}


@dataclass
class Story:
    """Nights as they are measured, examined, paired and judged, but for the measuring."""

    history: History = field(default_factory=lambda: quiet_history(20))
    pairs: int = 0  # that the last night took

    @property
    def number(self) -> int:
        return len(self.history.nights)

    def night(
        self,
        components: dict[str, str],
        level: float = 0.0,
        *,
        found: float | None = None,
        facts: dict[str, str] = HOST,
        process: float = QUIET,
        of: Figures | None = None,
        why_not: str = "",
    ) -> Entry:
        """Take a night whose level is changed by a share, and whose pairs show that, or what they `found`."""
        seen = of or figures(slower(level), self.number, process=process)
        tonight = night(self.number, entry(figures=seen, components=components), facts=facts)
        (screened,) = examine(tonight, self.history)
        times = {}
        self.pairs = 0
        if screened.calls_for_pairs:
            wanted, _ = RULE.confirmation(is_noisy=screened.is_noisy)
            taken = paired_times(level if found is None else found, pairs=wanted, process=process)
            early = paired_times(level if found is None else found, pairs=RULE.interim_every, process=process)
            if screened.may_stop_early and not is_open(early):
                taken = early
            times[NAME] = PairedTimes(why_not=why_not) if why_not else taken
            self.pairs = times[NAME].pairs
        judged = judge(tonight, [screened], times)
        self.history = replace(self.history, nights=(*self.history.nights, judged))
        return judged.entries[0]

    def accept(self) -> None:
        """Accept the last night."""
        last = self.history.nights[-1]
        accepted = Acceptance(id="a", accepted_at=last.started_at, night=last.id, configurations=(), reason="meant")
        self.history = replace(self.history, acceptances=(accepted,))

    def verdicts(self) -> list[Outcome]:
        return [one.entries[0].verdict for one in self.history.nights[20:]]


@pytest.mark.lengthy
def test_a_runtime_that_is_slower_is_found_on_each_host_and_one_that_is_not_is_not_held_against_another() -> None:
    story = Story(history=quiet_history(40))
    nights = [
        replace(one, hosts={"cpu": ELSEWHERE}) if place % 2 else one for place, one in enumerate(story.history.nights)
    ]
    story.history = History(nights=tuple(nights))
    for facts, change in ((HOST, 0.0), (ELSEWHERE, 0.1), (HOST, 0.0), (ELSEWHERE, 0.1)):
        found = story.night(components(runtime=2), change, facts=facts)
        assert found.verdict == (Outcome.REGRESSION if change else Outcome.OK), found
    assert story.night(components(model=2, runtime=2), 0.05, facts=HOST).verdict == Outcome.REGRESSION


@pytest.mark.lengthy
def test_a_regression_elsewhere_is_compared_here() -> None:
    story = Story()
    for _ in range(5):
        story.night(components(), facts=ELSEWHERE)
    assert story.night(components(runtime=2), 0.1, facts=ELSEWHERE).verdict == Outcome.REGRESSION
    assert story.night(components(runtime=2), 0.1).verdict == Outcome.REGRESSION
    assert story.pairs == RULE.pairs


def test_models_of_a_slower_runtime_are_slower_too_whatever_ran_between() -> None:
    story = Story()
    assert story.night(components(20, runtime=2), 0.1).verdict == Outcome.REGRESSION
    assert story.night(components(21)).verdict == Outcome.OK
    for model in (22, 23):
        assert story.night(components(model, runtime=2), 0.1).verdict == Outcome.REGRESSION


@pytest.mark.lengthy
def test_a_slower_model_is_not_what_later_ones_of_its_runtime_are_measured_by() -> None:
    story = Story()
    assert story.night(components(1, runtime=2)).verdict == Outcome.OK
    assert story.night(components(2, runtime=2), 0.1).verdict == Outcome.REGRESSION
    assert story.night(components(1, runtime=2)).verdict == Outcome.OK
    assert story.night(components(4, runtime=2), 0.05).verdict == Outcome.REGRESSION
    assert story.night(components(5, runtime=2), 0.05).verdict == Outcome.REGRESSION
    assert story.night(components(6, runtime=2)).verdict == Outcome.OK


def test_a_runtime_that_a_noisy_host_could_say_too_little_of_is_screened_with_every_model_and_found() -> None:
    story = Story()
    story.history = History(
        nights=tuple(
            replace(one, entries=(replace(one.entries[0], figures=figures(0.0, place, process=NOISY)),))
            for place, one in enumerate(story.history.nights)
        )
    )
    first = story.night(components(20, runtime=2), found=0.0, process=NOISY)
    assert (first.offset, story.pairs) == (None, RULE.noisy_pairs)
    (second,) = examine(
        night(21, entry(figures=figures(0.0, 21, process=NOISY), components=components(21, runtime=2))), story.history
    )
    assert NEW_COMPONENTS not in second.why and len(second.past.levels) == 21
    assert story.night(components(22, runtime=2), 0.3, process=NOISY).verdict == Outcome.REGRESSION


def test_a_load_that_was_confirmed_says_nothing_of_what_a_noisy_host_hid_of_the_latency() -> None:
    story, upgraded = Story(), components(runtime=2)
    tonight = night(20, entry(figures=figures(0.0, 20, process=NOISY), components=upgraded))
    (screened,) = examine(tonight, story.history)
    screened = replace(screened, is_noisy=True)
    pairs = paired_times(pairs=RULE.noisy_pairs, process=NOISY)
    faster = replace(
        pairs,
        accepted=replace(pairs.accepted, load_s=tuple(0.04 + 1e-5 * k for k in range(RULE.noisy_pairs))),
        tonight=replace(pairs.tonight, load_s=tuple(0.02 + 1e-5 * k for k in range(RULE.noisy_pairs))),
    )
    judged = judge(tonight, [screened], {NAME: faster})
    assert [one.figure for one in judged.entries[0].findings] == ["load"]
    assert judged.entries[0].offset is None
    story.history = replace(story.history, nights=(*story.history.nights, judged))
    again = story.night(upgraded, 0.3)
    assert {one.figure: one.verdict for one in again.findings} == {
        "latency": Outcome.REGRESSION,
        "load": Outcome.IMPROVEMENT,
    }
    assert [bool(one.confirmed_at) for one in again.findings] == [False, True]


def test_a_smaller_file_hides_neither_what_could_not_be_confirmed_nor_a_change_of_the_host() -> None:
    smaller = replace(figures(slower(0.2), 20), file_bytes=900_000)
    found = Story().night(components(runtime=2), of=smaller, why_not="no wheel of engine 1.0")
    assert (found.verdict, [one.figure for one in found.findings]) == (Outcome.INVALID, ["file size"])
    assert found.why.endswith("not confirmed: no wheel of engine 1.0")

    story = Story()
    assert story.night(components(runtime=2), -0.1).verdict == Outcome.IMPROVEMENT
    assert story.night(components(runtime=2), -0.1).verdict == Outcome.IMPROVEMENT
    assert story.night(components(runtime=2), 0.3).verdict == Outcome.HOST_CHANGE
    assert story.pairs == 0


def test_an_improvement_is_one_with_every_model_of_its_runtime_and_ends_with_it() -> None:
    story = Story()
    story.night(components(1, runtime=2), -0.1)
    story.night(components(2, runtime=2), -0.1)
    story.night(components(3, runtime=2), 0.0)
    assert story.verdicts() == [Outcome.IMPROVEMENT, Outcome.IMPROVEMENT, Outcome.OK]


def test_what_could_not_be_confirmed_stays_so_and_can_be_accepted() -> None:
    story = Story()
    for _ in range(2):
        assert story.night(components(runtime=2), why_not="no module named onnxruntime").verdict == Outcome.INVALID
    story.accept()
    assert story.night(components(runtime=2)).verdict == Outcome.OK
    assert story.pairs == 0


def test_a_runtime_and_a_host_that_change_at_once_are_compared_to_the_end() -> None:
    story = Story()
    found = story.night(components(runtime=2), facts=ELSEWHERE)
    assert (found.verdict, story.pairs) == (Outcome.HOST_CHANGE, RULE.pairs)
    assert story.night(components(runtime=2), facts=ELSEWHERE).verdict == Outcome.OK
    assert story.pairs == 0


def test_what_was_accepted_on_another_host_is_still_compared_with_the_nights_of_this_one() -> None:
    story = Story()
    story.night(components(runtime=2), facts=ELSEWHERE)
    story.accept()
    assert story.night(components(runtime=2)).verdict == Outcome.OK
    assert story.night(components(runtime=2), 0.5).verdict == Outcome.HOST_CHANGE


def test_without_the_accepted_night_s_file_the_first_that_is_left_is_the_baseline() -> None:
    story = Story()
    story.history = replace(story.history, nights=story.history.nights[1:])
    tonight = night(25, entry(slower(0.3)))
    (found,) = judge(tonight, examine(tonight, story.history), {}).entries
    assert found.verdict == Outcome.HOST_CHANGE
    assert found.why.endswith("% against 19 nights: no component changed")


@pytest.mark.parametrize(("share", "verdict"), [(1.0, Outcome.OK), (1.5, Outcome.REGRESSION)])
def test_memory_is_compared_with_nights_of_the_same_host(share: float, verdict: Outcome) -> None:
    story = Story()
    for factor in (2.0, 2.0, 2.0 * share):
        seen = replace(figures(0.0, story.number), peak_bytes=60e6 * factor)
        found = story.night(components(), of=seen, facts=ELSEWHERE)
    assert found.verdict == verdict


def test_the_model_after_a_slower_one_is_compared_though_a_night_between_could_not_be() -> None:
    story = Story()
    assert story.night(components(2), 0.1).verdict == Outcome.REGRESSION
    assert story.night(components(3), 0.1, why_not="gone").verdict == Outcome.INVALID
    story.night(components(4))
    assert (story.verdicts()[-1], story.pairs) == (Outcome.OK, RULE.pairs)
    assert NEW_COMPONENTS not in story.history.nights[-1].entries[0].why

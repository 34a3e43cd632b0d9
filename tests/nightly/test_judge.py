"""What a night is judged: every verdict from made-up nights and pairs, nothing measured."""

from __future__ import annotations

from dataclasses import replace
from math import exp
from random import Random

import pytest

from edgebench.nightly.night import Acceptance, ArmTimes, Entry, History, Night, Outcome, PairedTimes
from edgebench.nightly.rule.judge import DRIFTED, NEW_COMPONENTS, NEW_HOST, TOO_FEW, WAS_SLOWER, examine, is_open, judge
from edgebench.nightly.rule.thresholds import RULE
from tests.support.nights import HOST, NAME, STACK, entry, figures, night, quiet_history, slower

UPGRADED = STACK | {"runtime": "engine 2.0"}
RETRAINED, AGAIN = STACK | {"model": "m2"}, STACK | {"model": "m3"}


def paired_times(change: float = 0.0, pairs: int = RULE.pairs, process: float = 0.004) -> PairedTimes:
    """Pairs whose second arm takes longer by a share."""
    draw = Random(1)
    accepted = tuple(1e-3 * (1 + draw.gauss(0, process)) for _ in range(pairs))
    tonight = tuple(1e-3 * (1 + change) * (1 + draw.gauss(0, process)) for _ in range(pairs))
    return PairedTimes(accepted=ArmTimes(latencies_s=accepted), tonight=ArmTimes(latencies_s=tonight))


def judged(tonight: Night, history: History, **times: PairedTimes) -> Entry:
    """Judge the night's only configuration, whose pairs, where it calls for any, are `pairs`."""
    screened = examine(tonight, history)
    wanted = {one.entry.name for one in screened if one.calls_for_pairs}
    assert wanted or not times, "nothing calls for pairs"
    return judge(tonight, screened, dict.fromkeys(wanted, times["pairs"]) if times else {}).entries[0]


def why(tonight: Night, history: History) -> tuple[str, ...]:
    (screened,) = examine(tonight, history)
    return screened.why


def test_the_first_night_is_new() -> None:
    assert judged(night(0, entry()), History()).verdict == Outcome.NEW


def test_a_night_like_the_others_is_ok_without_pairs_and_says_what_it_would_have_found() -> None:
    found = judged(night(20, entry()), quiet_history(20))
    assert (found.verdict, found.why) == (Outcome.OK, "")
    assert found.detectable is not None and 0.02 < found.detectable < 0.03


def test_a_slowdown_is_suspect_and_the_same_nights_pairs_confirm_it() -> None:
    tonight, history = night(20, entry(slower(0.05), components=UPGRADED)), quiet_history(20)
    found = judged(tonight, history, pairs=paired_times(0.05))
    (finding,) = found.findings
    assert found.verdict == Outcome.REGRESSION
    assert finding.low is not None and finding.high is not None and finding.p is not None
    assert finding.low < 0.05 < finding.high and finding.p < 2e-6 and finding.pairs == RULE.pairs
    assert found.changed == ("runtime: engine 1.0 -> engine 2.0",)


def test_a_history_that_does_not_say_how_much_it_varies_tells_of_no_change_of_the_host() -> None:
    found = judged(night(3, entry(slower(0.2), components=RETRAINED)), quiet_history(3), pairs=paired_times())
    assert found.verdict == Outcome.OK
    assert found.why.endswith("against 3 nights: pairs found no change")


def test_where_both_arms_have_beats_their_times_over_these_are_compared() -> None:
    """A neighbour that comes and goes hides 5 % from the times and not from their ratio to the beats."""
    draw, raw = Random(3), paired_times(0.05, process=0.15)
    paced = replace(
        raw,
        accepted=replace(raw.accepted, levels=tuple(draw.gauss(2.0, 0.01) for _ in range(raw.pairs))),
        tonight=replace(raw.tonight, levels=tuple(draw.gauss(2.0 + slower(0.05), 0.01) for _ in range(raw.pairs))),
    )
    tonight, history = night(20, entry(slower(0.05), components=RETRAINED)), quiet_history(20)
    assert judged(tonight, history, pairs=raw).verdict == Outcome.HOST_CHANGE
    (finding,) = judged(tonight, history, pairs=paced).findings
    assert finding.verdict == Outcome.REGRESSION
    assert 0.04 < finding.change < 0.06


def test_a_configuration_that_feels_a_neighbour_more_than_the_beats_do_is_screened_at_one_pace() -> None:
    """Half as much again: on nights when the core was shared its ratio is higher, and nothing is wrong with it."""

    def paced(number: int, beat: float, change: float = 0.0) -> Entry:
        calm = entry(change + 0.5 * beat, seed=number).figures
        figures = replace(calm, latencies_s=tuple(exp(ratio + beat) for ratio in calm.ratios), beat="b")
        return entry(verdict=Outcome.OK, since=f"{0:012x}" if number else "", figures=figures)

    nights = [night(number, paced(number, -8.0 + 0.3 * (number % 2))) for number in range(20)]
    history = History(nights=tuple(nights))
    assert why(night(20, paced(20, -7.6)), history) == ()
    (said,) = why(night(20, paced(20, -7.6, slower(0.05))), history)
    assert said.endswith("against 20 nights")


def test_nights_over_another_reference_workload_are_no_history_to_screen_against() -> None:
    paced = entry()
    tonight = night(20, replace(paced, components=RETRAINED, figures=replace(paced.figures, beat="b")))
    assert why(night(20, entry(components=RETRAINED)), quiet_history(20)) == ()
    assert why(tonight, quiet_history(20)) == (TOO_FEW,)


def test_another_model_is_screened_like_any_night_and_paired_where_it_is_suspect() -> None:
    history = quiet_history(20)
    (calm,) = examine(night(20, entry(components=RETRAINED)), history)
    assert (calm.why, calm.calls_for_pairs) == ((), False)
    (slow,) = examine(night(20, entry(slower(0.05), components=RETRAINED)), history)
    assert slow.why[0].endswith("% against 20 nights") and slow.calls_for_pairs
    assert judged(night(20, entry(slower(0.05), components=RETRAINED)), history).verdict == Outcome.INVALID


def test_what_is_the_accepted_environment_byte_by_byte_is_not_paired_with_itself() -> None:
    (slow,) = examine(night(20, entry(slower(0.2))), quiet_history(20))
    assert slow.why[0].endswith("% against 20 nights") and not slow.calls_for_pairs
    found = judged(night(20, entry(slower(0.2))), quiet_history(20))
    assert found.verdict == Outcome.HOST_CHANGE
    assert found.why.endswith("against 20 nights: no component changed")
    (young,) = examine(night(1, entry(slower(0.2))), quiet_history(1))
    assert (young.why, young.calls_for_pairs) == ((), False)


def test_an_improvement_needs_the_same_confirmation() -> None:
    tonight, history = night(20, entry(-slower(0.05), components=RETRAINED)), quiet_history(20)
    assert judged(tonight, history, pairs=paired_times(-0.05)).verdict == Outcome.IMPROVEMENT
    assert judged(tonight, history, pairs=paired_times()).verdict == Outcome.HOST_CHANGE


def test_where_the_accepted_environment_is_as_slow_the_host_changed() -> None:
    found = judged(night(20, entry(slower(0.2), components=RETRAINED)), quiet_history(20), pairs=paired_times())
    assert found.verdict == Outcome.HOST_CHANGE
    assert found.why.endswith("against 20 nights: pairs found no change")


def test_a_suspect_that_could_not_be_paired_is_invalid_and_says_why() -> None:
    tonight = night(20, entry(slower(0.2), components=RETRAINED))
    found = judged(tonight, quiet_history(20), pairs=PairedTimes(why_not="no wheel of engine 1.0"))
    assert found.verdict == Outcome.INVALID
    assert found.why.endswith("not confirmed: no wheel of engine 1.0")


@pytest.mark.parametrize(("between", "paired"), [(0.03, 10), (0.003, 2)])
def test_a_configuration_alone_is_paired_for_ten_nights_or_until_five_per_cent_would_show(
    between: float, paired: int
) -> None:
    for nights in (paired - 1, paired):
        wanted = (TOO_FEW,) if nights < paired else ()
        assert why(night(nights, entry(components=RETRAINED)), quiet_history(nights, between=between)) == wanted


def test_early_on_the_pairs_stay_open_for_what_shows_in_any_figure() -> None:
    assert not is_open(paired_times())
    assert is_open(paired_times(0.03)) and is_open(paired_times(-0.03))
    calm, slow = paired_times(), paired_times(0.3)
    slow_load = replace(
        calm,
        accepted=replace(calm.accepted, load_s=slow.accepted.latencies_s),
        tonight=replace(calm.tonight, load_s=slow.tonight.latencies_s),
    )
    assert is_open(slow_load)
    assert not is_open(PairedTimes(why_not="its accepted environment failed"))


def test_older_nights_are_carried_over_by_all_of_the_pairs() -> None:
    history = quiet_history(20)
    (changed,) = examine(night(20, entry(components=UPGRADED)), history)
    (slow,) = examine(night(20, entry(slower(0.2), components=RETRAINED)), history)
    assert (changed.may_stop_early, slow.may_stop_early) == (False, True)
    tonight = night(20, entry(slower(0.2), components=RETRAINED))
    assert judged(tonight, history, pairs=paired_times(pairs=RULE.interim_every)).offset is None
    assert judged(tonight, history, pairs=paired_times()).offset is not None


def test_a_changed_stack_is_paired_on_its_first_night_and_the_history_is_carried_by_what_the_pairs_measured() -> None:
    history, tonight = quiet_history(20), night(20, entry(slower(0.02), components=UPGRADED))
    assert why(tonight, history) == (NEW_COMPONENTS,)
    first = judge(tonight, examine(tonight, history), {NAME: paired_times(0.02)})
    assert first.entries[0].verdict == Outcome.OK
    assert first.entries[0].offset == pytest.approx(slower(0.02), abs=0.003)
    later = replace(history, nights=(*history.nights, first))
    assert (
        why(night(21, entry(slower(0.02), components=UPGRADED)), later) == ()
    )  # judged by 21 nights, 20 of them carried
    (said,) = why(night(21, entry(0.0, components=UPGRADED)), later)
    assert said.startswith(("-2", "-1"))


def test_another_kernel_is_a_host_change_that_is_named_and_its_history_begins_anew() -> None:
    history, facts = quiet_history(20), HOST | {"kernel": "Linux 6.2"}
    tonight = night(20, entry(slower(0.3)), facts=facts)
    assert why(tonight, history) == (NEW_HOST,)
    first = judge(tonight, examine(tonight, history), {})
    assert first.entries[0].verdict == Outcome.HOST_CHANGE
    assert first.entries[0].changed == ("kernel: Linux 6.1 -> Linux 6.2",)
    assert first.entries[0].why == "kernel: Linux 6.1 -> Linux 6.2: no component changed"
    later = replace(history, nights=(*history.nights, first))
    assert why(night(21, entry(slower(0.3)), facts=facts), later) == ()
    assert why(night(21, entry(slower(0.3), components=RETRAINED), facts=facts), later) == (TOO_FEW,)


def test_a_changed_clock_of_the_processor_is_a_host_change() -> None:
    tonight = night(20, entry(), facts=HOST | {"max_clock_mhz": "1500"})
    assert judged(tonight, quiet_history(20)).changed == ("max_clock_mhz: 1800 -> 1500",)


def test_a_history_from_another_machine_is_no_history_of_this_one() -> None:
    tonight = night(20, entry(slower(3.0)), facts={"cpu": "Other", "kernel": "Linux 6.1"})
    found = judged(tonight, quiet_history(20))
    assert found.verdict == Outcome.HOST_CHANGE
    assert "cpu: Example -> Other" in found.changed


def test_two_runners_in_one_history_are_each_compared_with_their_own_nights() -> None:
    one, other = quiet_history(20), quiet_history(20, first=100)
    moved = tuple(
        replace(each, hosts={"cpu": HOST | {"cpu": "Other"}}, started_at=one.nights[place].started_at[:11] + "05:00:00")
        for place, each in enumerate(other.nights)
    )
    both = History(nights=tuple(sorted((*one.nights, *moved), key=lambda each: each.started_at)))
    (screened,) = examine(night(20, entry()), both)
    assert [id for id, _ in screened.past.levels] == [each.id for each in one.nights]


def test_a_missing_night_is_a_gap_that_changes_nothing() -> None:
    history = quiet_history(25)
    gap = replace(history, nights=history.nights[:10] + history.nights[15:])
    (screened,) = examine(night(25, entry()), gap)
    assert (len(screened.past.levels), screened.why) == (20, ())


def test_nights_are_keyed_by_when_they_started_so_two_on_one_day_are_two() -> None:
    history = quiet_history(20)
    later = replace(history.nights[-1], id="second", started_at=history.nights[-1].started_at.replace("T02", "T03"))
    (screened,) = examine(night(20, entry()), replace(history, nights=(*history.nights, later)))
    assert len(screened.past.levels) == 21


def test_after_a_clock_was_set_back_the_nights_that_start_later_are_no_history() -> None:
    (screened,) = examine(night(12, entry()), quiet_history(20))
    assert len(screened.past.levels) == 12


def regressed(count: int = 20) -> History:
    history = quiet_history(count)
    tonight = night(count, entry(slower(0.1), components=UPGRADED))
    return replace(
        history, nights=(*history.nights, judge(tonight, examine(tonight, history), {NAME: paired_times(0.1)}))
    )


def test_a_regression_that_nobody_accepted_is_no_history_and_stays_one_without_more_pairs() -> None:
    history = regressed()
    for number in (21, 22):
        tonight = night(number, entry(slower(0.1), components=UPGRADED))
        (screened,) = examine(tonight, history)
        assert len(screened.past.levels) == 20
        assert not screened.calls_for_pairs
        after = judge(tonight, [screened], {})
        (finding,) = after.entries[0].findings
        assert finding.verdict == after.entries[0].verdict == Outcome.REGRESSION
        assert finding.confirmed_at == history.nights[20].started_at
        history = replace(history, nights=(*history.nights, after))


def test_a_regression_ends_with_the_accepted_components() -> None:
    found = judged(night(21, entry()), regressed())
    assert (found.verdict, found.findings) == (Outcome.OK, ())


def test_another_model_after_a_slower_one_is_paired_to_the_end_whether_it_looks_slow_or_not() -> None:
    slow, history = night(20, entry(slower(0.1), components=RETRAINED)), quiet_history(20)
    history = replace(history, nights=(*history.nights, judge(slow, examine(slow, history), {NAME: paired_times(0.1)})))
    assert history.nights[-1].entries[0].verdict == Outcome.REGRESSION
    tonight = night(21, entry(components=AGAIN))
    (screened,) = examine(tonight, history)
    assert screened.why == (WAS_SLOWER,)
    assert screened.calls_for_pairs and not screened.may_stop_early
    assert judged(tonight, history, pairs=paired_times()).verdict == Outcome.OK


def test_what_pairs_have_compared_is_not_compared_again() -> None:
    history, tonight = quiet_history(20), night(20, entry(components=UPGRADED))
    first = judge(tonight, examine(tonight, history), {NAME: paired_times()})
    later = replace(history, nights=(*history.nights, first))
    found = judged(night(21, entry(slower(0.2), components=UPGRADED)), later)
    assert found.verdict == Outcome.HOST_CHANGE
    assert found.why.endswith("against 21 nights: earlier pairs compared these components")
    (elsewhere,) = examine(night(21, entry(components=UPGRADED), facts=HOST | {"kernel": "Linux 6.2"}), later)
    assert elsewhere.calls_for_pairs  # nobody compared them there


def test_another_model_of_a_compared_runtime_is_screened_by_what_the_pairs_of_the_other_measured() -> None:
    history, tonight = quiet_history(20), night(20, entry(slower(0.02), components=UPGRADED))
    first = judge(tonight, examine(tonight, history), {NAME: paired_times(0.02)})
    later = replace(history, nights=(*history.nights, first))
    assert why(night(21, entry(slower(0.02), components=UPGRADED | {"model": "m2"})), later) == ()


def test_an_accepted_regression_is_the_new_baseline_and_older_nights_are_carried_to_it() -> None:
    history = regressed()
    accepted = Acceptance(
        id="a", accepted_at="2026-02-01T00:00:00+00:00", night=history.nights[-1].id, configurations=(), reason="meant"
    )
    after = replace(history, acceptances=(accepted,))
    assert why(night(21, entry(slower(0.1), components=UPGRADED)), after) == ()
    (said,) = why(night(21, entry(slower(0.2), components=UPGRADED)), after)
    assert said.endswith("against 21 nights")


@pytest.mark.lengthy
def test_a_creep_that_no_night_shows_is_found_by_comparing_weeks() -> None:
    nights = [
        night(
            number,
            entry(
                figures=figures(0.00135 * number, number, process=0.001),
                verdict=Outcome.OK if number else Outcome.NEW,
                since=f"{0:012x}" if number else "",
            ),
        )
        for number in range(28)
    ]
    found = [
        why(one, History(nights=tuple(nights[:place]))) for place, one in enumerate(nights) if place >= RULE.enough
    ]
    assert found == [()] * 17 + [(DRIFTED,)]


def test_a_noisy_machine_takes_more_pairs_and_says_that_it_is_underpowered() -> None:
    nights = [
        replace(one, entries=(replace(one.entries[0], figures=figures(0.0, place, process=0.08)),))
        for place, one in enumerate(quiet_history(20).nights)
    ]
    history, noisy = History(nights=tuple(nights)), entry(figures=figures(0.0, 99, process=0.08), components=UPGRADED)
    (screened,) = examine(night(20, noisy), history)
    assert screened.is_noisy
    found = judged(night(20, noisy), history, pairs=paired_times(process=0.08, pairs=RULE.noisy_pairs))
    assert found.verdict == Outcome.UNDERPOWERED
    assert found.why.endswith("are detectable here")
    assert found.offset is None
    later = replace(history, nights=(*history.nights, night(20, found)))
    slow = entry(figures=figures(slower(0.3), 98, process=0.08), components=UPGRADED)
    (again,) = examine(night(21, slow), later)
    assert again.why[0].endswith("against 21 nights") and again.calls_for_pairs
    found = judged(night(21, slow), later, pairs=paired_times(0.3, process=0.08, pairs=RULE.noisy_pairs))
    assert found.verdict == Outcome.REGRESSION and found.offset is not None


def test_a_configuration_that_failed_stays_invalid_and_one_that_was_not_measured_missing() -> None:
    for verdict in (Outcome.INVALID, Outcome.MISSING):
        lost = entry(verdict=verdict, why="because")
        assert judged(night(20, lost), quiet_history(20)) == lost


def test_what_is_worth_nothing_says_what_is_another_tonight() -> None:
    lost = entry(verdict=Outcome.INVALID, why="because", components={**STACK, "runtime": "engine 2.0"})
    found = judged(night(20, lost, facts={**HOST, "kernel": "Linux 6.2"}), quiet_history(20))
    assert (found.verdict, found.why, found.offset) == (Outcome.INVALID, "because", None)
    assert found.changed == ("runtime: engine 1.0 -> engine 2.0", "kernel: Linux 6.1 -> Linux 6.2")


@pytest.mark.parametrize(
    ("field", "value", "figure"),
    [
        ("peak_bytes", 62e6, "peak memory"),
        ("file_bytes", 1_002_000, "file size"),
        ("correct", 580, "accuracy"),
    ],
)
def test_figures_without_noise_need_no_statistics(field: str, value: float, figure: str) -> None:
    changed = replace(figures(), **{field: value})  # type: ignore[arg-type]
    found = judged(night(20, entry(figures=changed)), quiet_history(20))
    assert found.verdict == Outcome.REGRESSION
    assert [(one.figure, one.p) for one in found.findings] == [(figure, None)]


@pytest.mark.parametrize(("field", "value"), [("peak_bytes", 60.2e6), ("file_bytes", 1_000_500), ("correct", 588)])
def test_their_least_changes_are_none(field: str, value: float) -> None:
    changed = replace(figures(), **{field: value})  # type: ignore[arg-type]
    assert judged(night(20, entry(figures=changed)), quiet_history(20)).verdict == Outcome.OK


@pytest.mark.parametrize(("after", "verdict"), [(1_002_000, Outcome.REGRESSION), (1_000_500, Outcome.OK)])
def test_instructions_may_grow_by_a_thousandth(after: int, verdict: Outcome) -> None:
    def counted(count: int) -> Entry:
        return entry(figures=replace(figures(), latencies_s=(), ratios=(), instructions=count))

    first = night(0, replace(counted(1_000_000), verdict=Outcome.NEW))
    assert judged(night(1, counted(after)), History(nights=(first,))).verdict == verdict


def test_load_time_is_judged_by_the_pairs_processes() -> None:
    pairs = paired_times()
    cold = replace(
        pairs,
        accepted=replace(pairs.accepted, load_s=(0.02,) * 20),
        tonight=replace(pairs.tonight, load_s=tuple(0.04 + k * 1e-4 for k in range(20))),
    )
    found = judged(night(20, entry(components=UPGRADED)), quiet_history(20), pairs=cold)
    assert [(one.figure, one.verdict) for one in found.findings] == [("load", Outcome.REGRESSION)]


def test_a_slow_load_alone_calls_for_pairs() -> None:
    nights = tuple(
        replace(
            one, entries=(replace(one.entries[0], figures=replace(one.entries[0].figures, load_s=0.02 + k * 1e-5)),)
        )
        for k, one in enumerate(quiet_history(20).nights)
    )
    for components, called in ((STACK, False), (RETRAINED, True)):
        tonight = night(20, entry(figures=replace(figures(), load_s=0.04), components=components))
        (screened,) = examine(tonight, History(nights=nights))
        assert screened.why in (("load +99%",), ("load +100%",))
        assert screened.calls_for_pairs == called

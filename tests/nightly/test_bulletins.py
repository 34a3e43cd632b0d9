"""What is written of a night, from made-up histories: worst first, within every reader's limits."""

import json
import re
import subprocess
import sys
from dataclasses import replace
from functools import cache
from html.parser import HTMLParser
from math import exp
from pathlib import Path
from random import Random

import pytest
from lxml import etree

from edgebench.foundation import shelf
from edgebench.nightly.bulletins import annotations, junit, markdown, page, pytest_benchmark
from edgebench.nightly.bulletins import json as as_json
from edgebench.nightly.bulletins._change_points import change_points
from edgebench.nightly.bulletins._configuration import address
from edgebench.nightly.bulletins._drawing import sparkline
from edgebench.nightly.night import Acceptance, Change, History, Night, Outcome
from edgebench.nightly.summary import NIGHTS, Bulletin, bulletin
from tests.support.nights import HOST, STACK, entry, night, quiet_history, slower

SCHEMA = Path(__file__).with_name("junit.xsd")
FINDING = Change(
    figure="latency", verdict=Outcome.REGRESSION, before=1e-3, after=1.1e-3, change=0.1, low=0.09, high=0.11, p=1e-7,
    pairs=20,
)  # fmt: skip


def history(*verdicts: Outcome, nights: int = 20) -> History:
    past = quiet_history(nights, [f"net-{n}" for n in range(len(verdicts))])
    entries = [
        entry(
            name=f"net-{n}",
            seed=n,
            verdict=one,
            why="because | <b>" if one != Outcome.OK else "",
            findings=(replace(FINDING, change=0.1 + n / 100),) if one == Outcome.REGRESSION else (),
            changed=("runtime: a 1 -> a 2",) if one == Outcome.REGRESSION else (),
            detectable=0.026,
            since=past.nights[0].id,
        )
        for n, one in enumerate(verdicts)
    ]
    return replace(past, nights=(*past.nights, night(nights, *entries)))


@cache
def of(*verdicts: Outcome, nights: int = 20) -> Bulletin:
    return bulletin(history(*verdicts, nights=nights))


EVERY, CALM = tuple(Outcome), (Outcome.OK,) * 300  # nights by the verdicts of their configurations


@pytest.mark.lengthy
@pytest.mark.parametrize("name", shelf.names("nightly.bulletins"))
@pytest.mark.parametrize("found", [EVERY, CALM, ()], ids=["everything", "nothing", "no configuration"])
def test_every_renderer_writes_every_night(name: str, found: tuple[Outcome, ...]) -> None:
    assert isinstance(shelf.load("nightly.bulletins", name).render(of(*found)), str)


def test_the_worst_come_first_and_of_those_the_largest() -> None:
    found = of(Outcome.OK, Outcome.REGRESSION, Outcome.MISSING, Outcome.REGRESSION)
    assert [line.entry.name for line in found.lines] == ["net-3", "net-1", "net-2", "net-0"]
    assert found.headline == "2 REGRESSION, 1 MISSING of 4 configurations"


def test_a_line_says_what_its_worst_finding_rests_on_and_what_else_was_found() -> None:
    standing = replace(FINDING, figure="load", change=0.4, confirmed_at="2026-01-09T02:00:00+00:00")
    line = replace(of(*EVERY).lines[0], entry=replace(of(*EVERY).lines[0].entry, findings=(FINDING, standing)))
    _, _, figure, change, *_, evidence, _ = (column.cell(line) for column in markdown.COLUMNS)
    assert (figure, change) == ("latency", "+10.0%")
    assert evidence == "20 pairs, p = 1e-07; also load +40.0%"


@pytest.mark.lengthy
def test_when_nothing_happened_the_page_and_the_summary_fit_a_screen() -> None:
    assert of(*CALM).headline == "nothing changed: 300 configurations"
    assert len(markdown.render(of(*CALM)).splitlines()) < 10
    shown = re.sub(r"<details>.*</details>", "", page.render(of(*CALM)), flags=re.DOTALL)
    assert "<table>" not in shown
    assert "Each line shows" not in shown and "Each line shows" in page.render(of(*EVERY))


class Strict(HTMLParser):
    """Remembers what an HTML page loads and leaves open."""

    def __init__(self) -> None:
        super().__init__()
        self.open, self.loaded, self.linked = list[str](), list[str](), list[str]()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.loaded += [value or "" for name, value in attributes if name == "src" or (name == "href" and tag != "a")]
        self.linked += [value or "" for name, value in attributes if name == "href" and tag == "a"]
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_pages_need_no_other_file_close_what_they_open_and_link_each_other() -> None:
    found, parser = of(*EVERY, nights=5), Strict()
    parser.feed(page.render(found))
    assert (parser.open, parser.loaded) == ([], [])
    pages = dict(page.pages(found))
    assert sorted(parser.linked) == sorted(pages)
    for text in pages.values():
        parser = Strict()
        parser.feed(text)
        assert (parser.open, parser.loaded, parser.linked) == ([], [], ["../index.html"])


@pytest.mark.lengthy
def test_the_page_of_a_configuration_has_every_night_with_its_values() -> None:
    whole = history(Outcome.REGRESSION, nights=80)
    text = dict(page.pages(bulletin(whole)))[address("net-0")]
    assert text.count('<circle class="dot"') == 81
    assert "<title>2026-03-22: " in text
    assert text.count("<tr>") == 82
    assert "latency +10.0% (1.000 ms -&gt; 1.100 ms)" in text


def with_a_step(seed: int, share: float, step: int, nights: int = 60) -> list[float]:
    """The p50 of noisy nights, in ms; from the night `step` on they are slower."""
    draw = Random(seed)
    return [exp(draw.gauss(0, 0.02) + slower(share) * (place >= step)) for place in range(nights)]


@pytest.mark.lengthy  # imports ruptures
def test_a_planted_step_is_a_change_point_and_noise_is_none() -> None:
    for seed in range(20):
        assert list(change_points(with_a_step(seed, 0.0, 0))) == []
        (found,) = change_points(with_a_step(seed, 0.2, 41))
        assert found.place == 41
        assert found.before == pytest.approx(1, abs=0.02)
        assert found.after == pytest.approx(1.2, abs=0.02)


@pytest.mark.lengthy
def test_a_change_point_is_placed_among_all_nights_and_needs_a_week_on_each_side() -> None:
    gaps = [None, *with_a_step(1, 0.2, 7, 14), None]
    assert [found.place for found in change_points(gaps)] == [8]
    assert list(change_points(gaps[:-2])) == []
    assert list(change_points([1.0] * 20)) == []


@pytest.mark.lengthy
def test_the_page_of_a_configuration_marks_its_change_points() -> None:
    quiet = quiet_history(40, ["net-0"]).nights
    nights = [night(place, entry(slower(0.1), seed=place, name="net-0")) for place in range(40, 60)]
    (text,) = dict(page.pages(bulletin(History(nights=(*quiet, *nights))))).values()
    assert text.count('<line class="change"') == 1
    assert re.search(r"<title>2026-02-10: \+(9|10).\d% \((0.99|1.00)\d ms -&gt; 1.\d+ ms\)</title>", text)
    assert "The library ruptures finds these" in text
    (text,) = dict(page.pages(bulletin(History(nights=quiet)))).values()
    assert '<line class="change"' not in text and "ruptures" not in text


def test_a_merged_history_shows_the_last_night_of_every_sweep_and_machine() -> None:
    def of_place(sweep: str, cpu: str, first: int) -> list[Night]:
        nights = quiet_history(3, [f"{sweep} on {cpu}"], first=first).nights
        return [replace(one, sweep=sweep, hosts={"cpu": HOST | {"cpu": cpu}}) for one in nights]

    lost = replace(night(9, entry(name="a on B", verdict=Outcome.MISSING)), sweep="a", hosts={})
    nights = [*of_place("a", "A", 0), *of_place("b", "A", 3), *of_place("a", "B", 6), lost]
    found = bulletin(History(nights=tuple(nights)))
    assert [line.entry.name for line in found.lines] == ["a on B"]
    assert {line.entry.name for other in found.others for line in other.lines} == {"b on A", "a on A"}
    assert "b on A: nothing changed: 1 configuration" in page.render(found)
    assert "- also in this history: b on A: nothing changed: 1 configuration, see index.html" in markdown.render(found)


def test_a_night_on_another_machine_than_the_target_s_board_says_so() -> None:
    last = night(0, entry(verdict=Outcome.NEW), facts=HOST | {"expected_board": "Raspberry Pi 4 Model B"})
    said = "target cpu: this machine is Example, not Raspberry Pi 4 Model B, which the target's file names"
    assert bulletin(History(nights=(last,))).notes[0] == said


def test_what_changed_without_an_effect_is_said_once() -> None:
    changed = ("runtime: engine 1.0 -> engine 1.1", f"packages: {'0' * 12} -> {'1' * 12}")
    nights = [night(0, entry(), entry(name="other"))]
    nights += [night(number, entry(changed=changed), entry(name="other", changed=changed)) for number in (1, 2)]
    first, second = (bulletin(History(nights=tuple(nights[:count]))).notes for count in (2, 3))
    said = "no effect on 2 configurations was found of what changed: runtime: engine 1.0 -> engine 1.1; packages"
    assert said in first
    assert not any("no effect" in note for note in second)
    larger = Change(figure="file", verdict=Outcome.REGRESSION, before=1.0, after=1.5, change=0.5)
    found = replace(nights[1].entries[0], verdict=Outcome.REGRESSION, findings=(larger,))
    notes = bulletin(History(nights=(nights[0], replace(nights[1], entries=(found,))))).notes
    assert not any("no effect" in note for note in notes)


@pytest.mark.lengthy
@pytest.mark.parametrize("verdict", [Outcome.OK, Outcome.REGRESSION])
def test_a_year_of_three_hundred_configurations_has_small_pages(verdict: Outcome) -> None:
    """Every night has other components; at the end, nothing changed, or everything did."""
    quiet = quiet_history(
        365, [f"net-{n}-1.0@224/int8-per_channel onnxruntime cpu threads=1 batch=1" for n in range(3)]
    )
    nights = [
        replace(
            night,
            entries=tuple(
                replace(
                    entry,
                    components=STACK | {"model": f"{place:012x}"},
                    changed=tuple(f"{name}: {0:012x} -> {place:012x}" for name in ("model", "packages", "harness")),
                )
                for entry in night.entries
            ),
        )
        for place, night in enumerate(quiet.nights)
    ]
    changed = tuple(replace(FINDING, figure=figure) for figure in ("latency", "load", "first inference"))
    entries = [replace(one, verdict=verdict, findings=changed) for one in nights[-1].entries]
    found = bulletin(replace(quiet, nights=(*nights[:-1], replace(nights[-1], entries=tuple(entries)))))
    many = replace(found, lines=tuple(line for _ in range(100) for line in found.lines))
    assert len(page.render(many).encode()) < 300_000
    assert max(len(text.encode()) for _, text in page.pages(found)) < 300_000


def test_the_page_holds_no_markup_of_what_it_is_told() -> None:
    assert "<b>" not in page.render(of(*EVERY))
    assert "because | &lt;b&gt;" in page.render(of(*EVERY))


def test_a_sparkline_has_at_most_sixty_nights_and_is_not_drawn_over_a_gap() -> None:
    whole = history(Outcome.OK, nights=80)
    (line,) = bulletin(whole).lines
    assert len(line.points) == NIGHTS
    gap = replace(whole, nights=(*whole.nights[:50], replace(whole.nights[50], entries=()), *whole.nights[51:]))
    (line,) = bulletin(gap).lines
    assert [point.change is None for point in line.points].count(True) == 1
    drawn = sparkline(line.points)
    assert drawn.count("<polyline") == drawn.count("<polygon") == 2


def test_another_host_is_a_line_and_an_acceptance_is_one_with_its_reason() -> None:
    whole = history(Outcome.OK)
    moved = tuple(
        replace(one, hosts={"cpu": HOST | {"kernel": "Linux 7"}}) if place >= 10 else one
        for place, one in enumerate(whole.nights)
    )
    accepted = Acceptance(
        id="a",
        accepted_at="2026-02-01T00:00:00+00:00",
        night=whole.nights[5].id,
        configurations=(),
        reason="meant <so>",
    )
    (line,) = bulletin(replace(whole, nights=moved, acceptances=(accepted,))).lines
    drawn = sparkline(line.points)
    assert drawn.count('class="epoch"') == drawn.count('class="accepted"') == 1
    assert "meant &lt;so&gt;" in drawn


@pytest.mark.lengthy
def test_the_summary_has_twenty_rows_and_stays_below_githubs_limit() -> None:
    many = markdown.render(of(*[Outcome.REGRESSION] * 300))
    assert len(re.findall(r"^\| REGRESSION", many, re.MULTILINE)) == 20
    assert "280 more configurations are in index.html" in many
    long = bulletin(replace(history(Outcome.INVALID), notes=("x" * 3_000_000,)))
    assert len(markdown.render(long).encode()) < 1024 * 1024


@pytest.mark.lengthy
def test_annotations_are_ten_of_a_kind_on_one_line_each() -> None:
    lines = annotations.render(of(*[Outcome.REGRESSION] * 15, *[Outcome.MISSING] * 15, Outcome.OK)).splitlines()
    assert [line.split(" ")[0] for line in lines] == ["::error"] * 10 + ["::warning"] * 10
    assert all(re.fullmatch(r"::(error|warning|notice) title=[^:,]+::.+", line) for line in lines)


def test_a_line_break_in_a_reason_cannot_start_another_command() -> None:
    evil = history(Outcome.INVALID)
    last = evil.nights[-1]
    told = replace(last, entries=(replace(last.entries[0], why="50%\n::error::mine"),))
    text = annotations.render(bulletin(replace(evil, nights=(*evil.nights[:-1], told))))
    assert text.count("\n") == 1
    assert "50%25%0A::error::mine" in text


@pytest.mark.parametrize("found", [EVERY, CALM, ()], ids=["everything", "nothing", "no configuration"])
def test_junit_keeps_its_schema(found: tuple[Outcome, ...]) -> None:
    schema = etree.XMLSchema(etree.parse(SCHEMA))
    schema.assertValid(etree.fromstring(junit.render(of(*found)).encode()))


def test_junit_fails_for_regressions_alone() -> None:
    suite = etree.fromstring(junit.render(of(*EVERY)).encode())[0]
    counts = {name: suite.get(name) for name in ("tests", "failures", "errors", "skipped")}
    assert counts == {"tests": str(len(Outcome)), "failures": "1", "errors": "2", "skipped": "2"}
    (failure,) = suite.iter("failure")
    assert "latency +17.0%" in failure.get("message") and "runtime: a 1 -> a 2" in failure.get("message")


def test_junit_holds_what_xml_cannot_by_its_number() -> None:
    whole = history(Outcome.INVALID)
    last = whole.nights[-1]
    told = replace(last, entries=(replace(last.entries[0], why="\x1b[31mred"),))
    text = junit.render(bulletin(replace(whole, nights=(*whole.nights[:-1], told))))
    assert r"\x1b[31mred" in etree.fromstring(text.encode())[0][0][0].get("message")


def test_our_json_has_every_configuration_with_its_evidence() -> None:
    found = json.loads(as_json.render(of(*EVERY)))
    assert {one["verdict"] for one in found["night"]["entries"]} == set(Outcome)
    (regression,) = [one for one in found["night"]["entries"] if one["verdict"] == "REGRESSION"]
    assert regression["findings"][0]["p"] == 1e-7


@pytest.mark.slow
def test_pytest_benchmark_compares_two_nights(place: Path) -> None:
    for name in ("one", "two"):
        (place / f"{name}.json").write_text(pytest_benchmark.render(of(Outcome.OK, Outcome.OK)))
    command = [str(Path(sys.executable).with_name("pytest-benchmark")), "compare", "one.json", "two.json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "net-1" in done.stdout


def test_a_configuration_without_times_is_no_benchmark() -> None:
    last: Night = night(0, entry(figures=replace(entry().figures, latencies_s=(), ratios=())))
    assert json.loads(pytest_benchmark.render(bulletin(History(nights=(last,)))))["benchmarks"] == []

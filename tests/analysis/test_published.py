"""Published figures as they are cited: their source, their note, and what a mean is called."""

import json
import re
from dataclasses import replace
from statistics import median
from typing import Any

import pytest

from edgebench.analysis import published
from edgebench.foundation.errors import EdgebenchError
from edgebench.foundation.sheet import as_json, document
from edgebench.networks.published import latencies, title
from edgebench.results.table.selection import Selection
from tests.support.command import cli


@pytest.mark.parametrize("kind", published.KINDS)
def test_every_row_of_every_kind_names_its_source(kind: str) -> None:
    (sheet,) = published.sheets(kind)
    assert sheet.rows
    assert all(row[sheet.headings.index("source")] for row in sheet.rows)


def test_filters_meet() -> None:
    (sheet,) = published.sheets("latency", Selection(model="resnet50", target="rpi4"))
    assert {row[0] for row in sheet.rows} == {"resnet50 1 @224"}
    assert "Raspberry Pi 4 Model B 4GB, 64-bit OS" in sheet.rows[0]


def test_a_board_has_latencies_only() -> None:
    sheets = published.sheets(selection=Selection(target="rpi4"))
    titles = [sheet.title.partition(":")[0] for sheet in sheets]
    assert titles == [published.TITLES[kind] for kind in ("latency", "detection")]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (("speed", "", ""), "no kind of figure 'speed' (has accuracy, latency, detection, quantization)"),
        (("", "mobilenet_v9", ""), "no model in the published figures 'mobilenet_v9' (has alexnet, "),
        (("", "", "rpi44"), "did you mean 'rpi4'?"),
        (("accuracy", "", "rpi4"), "no target in the published figures 'rpi4' (has none)"),
    ],
)
def test_what_nothing_answers_to_is_refused(asked: tuple[str, str, str], said: str) -> None:
    with pytest.raises(EdgebenchError) as refused:
        published.sheets(asked[0], Selection(model=asked[1], target=asked[2]))
    assert said in str(refused.value)


def test_the_command_lists_as_json() -> None:
    done = cli("published", "--kind", "latency", "--model", "mobilenet_v1", "--target", "rpi4", "--format", "json")
    assert done.returncode == 0, done.stderr
    sheets = published.sheets("latency", Selection(model="mobilenet_v1", target="rpi4"))
    assert json.loads(done.stdout) == json.loads(as_json("published", document(sheets)))


def test_published_latencies_end_with_what_int8_brings_in_pairs_that_differ_in_nothing_else() -> None:
    selection = Selection(model="mobilenet_v2", width="0.35", resolution="96", target="rpi4")
    (sheet,) = published.sheets("latency", selection)
    (sentence,) = sheet.conclusion
    found = re.match(r"int8 is ([\d.]+) times as fast as fp32 \(median of (\d+) pairs .* from ([\d.]+) to", sentence)
    assert found and sentence.endswith("on rpi4.")
    same: dict[str, Any] = {
        "precision": "",
        "mean_ms": None,
        "p50_ms": None,
        "p90_ms": None,
        "top1": None,
        "power_w": None,
        "note": "",
    }
    rows = [row for row in latencies() if title(row) == "mobilenet_v2 0.35 @96" and row.target == "rpi4"]
    floats, ints = ([row for row in rows if row.precision == precision] for precision in ("fp32", "int8"))
    both = [(slow, fast) for slow in floats for fast in ints if replace(slow, **same) == replace(fast, **same)]
    times = [(slow.p50_ms or slow.mean_ms, fast.p50_ms or fast.mean_ms) for slow, fast in both]
    pairs = [slow_ms / fast_ms for slow_ms, fast_ms in times if slow_ms and fast_ms]
    assert int(found[2]) == len(pairs)
    assert float(found[1]) == pytest.approx(median(pairs), abs=0.006)
    assert published.sheets("accuracy")[0].conclusion == ()

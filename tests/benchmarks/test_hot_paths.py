"""The code that runs beside every sample or once a journal line, with pytest-benchmark."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy
import pytest
from pydantic import TypeAdapter

from edgebench.agent import timing
from edgebench.agent.runtimes import null
from edgebench.foundation import stats
from edgebench.results import write_reports
from edgebench.results.journal import JOURNAL, Journal, JournalLine
from edgebench.results.measurement import summarize
from edgebench.results.measurement.evidence import gather
from edgebench.results.table import rows
from edgebench.schema.record import VERSION, Session, Stop
from edgebench.tasks import detection
from tests import GOLDEN

SAMPLES = 200


def test_sampling_nothing(benchmark: Any) -> None:
    """What a sample costs beyond the inference: divide by 200."""
    session = null.InferenceSession(delay_s=0.0, classes=10)
    assert len(benchmark(timing.sample, session.run, SAMPLES)) == SAMPLES


def test_reading_a_journal(benchmark: Any) -> None:
    journal = Journal(GOLDEN)
    assert len(benchmark(lambda: list(journal))) == len((GOLDEN / JOURNAL).read_text().splitlines())


def test_computing_a_table(benchmark: Any) -> None:
    records = list(Journal(GOLDEN))
    assert len(benchmark(lambda: [rows.row(one, summarize(one)) for one in gather(records)])) == 3


def grown(folder: Path, rows: int) -> Path:
    """Write a journal of many cases: one case of the golden journal at many widths and numbers of threads."""
    session, *records = Journal(GOLDEN)
    assert isinstance(session, Session)
    case = session.cases[0]
    of_case = [record for record in records if not isinstance(record, (Session, Stop)) and record.case == case]
    cases = [
        replace(case, threads=1 + place % 10, variant=replace(case.variant, width=1 + place // 10 / 1000))
        for place in range(rows)
    ]
    grown = [
        replace(session, cases=tuple(cases)),
        *(replace(record, case=case) for case in cases for record in of_case),
    ]
    adapter = TypeAdapter(JournalLine)
    lines = [adapter.dump_json(JournalLine(version=VERSION, record=record)) for record in grown]
    (folder / JOURNAL).write_bytes(b"\n".join(lines) + b"\n")
    return folder


@pytest.mark.lengthy
def test_reporting_a_thousand_rows(benchmark: Any, tmp_path: Path) -> None:
    """From the journal to all files; ten times as many rows take ten times as long."""
    rows = 3 if benchmark.disabled else 1000
    folder = grown(tmp_path, rows)
    assert len(benchmark.pedantic(write_reports, (folder,), rounds=3)[0].rows) == rows


def test_post_processing_of_a_detector_at_96_pixels(benchmark: Any) -> None:
    """What a target computes after each inference, of 144 cells and 10 classes: at most 0.3 ms on an x86 server."""
    draw = numpy.random.default_rng(1)
    scores, boxes = draw.normal(0, 1, (11, 144)), draw.normal(0, 0.5, (4, 144))
    scores[0] -= 3
    scores[1:] *= 3
    values = numpy.concatenate((scores, boxes)).astype("f4").reshape(1, -1)
    (found,) = benchmark(detection.decode, values, 10, 96)
    assert len(found.scores) == 100


def test_early_stopping_over_six_thousand_samples(benchmark: Any) -> None:
    samples = [float(value % 997) for value in range(6000)]
    assert benchmark(stats.early_stopping_percentile, samples, 0.9) > 890

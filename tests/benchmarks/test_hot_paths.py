"""The code that runs beside every sample or once a journal line, with pytest-benchmark."""

from typing import Any

import numpy

from edgebench.agent import timing
from edgebench.agent.runtimes import null
from edgebench.foundation import stats
from edgebench.results.journal import JOURNAL, Journal
from edgebench.results.measurement import summarize
from edgebench.results.measurement.evidence import gather
from edgebench.results.table import rows
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

"""The code that runs beside every sample or once a journal line, with pytest-benchmark."""

from typing import Any

from edgebench.agent import timing
from edgebench.agent.runtimes import null
from edgebench.foundation import stats
from edgebench.results.journal import JOURNAL, Journal
from edgebench.results.measurement import summarize
from edgebench.results.measurement.evidence import gather
from edgebench.results.table import rows
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


def test_early_stopping_over_six_thousand_samples(benchmark: Any) -> None:
    samples = [float(value % 997) for value in range(6000)]
    assert benchmark(stats.early_stopping_percentile, samples, 0.9) > 890

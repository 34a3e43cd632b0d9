"""What a row says about a weight cache: which processes wrote it, and what an empty one costs."""

from dataclasses import replace

import pytest

from edgebench.results import measurement
from edgebench.results.measurement.evidence import Evidence
from edgebench.results.table import rows
from edgebench.schema.case import Purpose
from edgebench.schema.record import MemoryMarks, Run
from tests.conftest import artifact, case, run, session


def process(use: str, load_s: float, *, loaded_bytes: int = 0) -> Run:
    facts = {"fully_accelerated": "yes", "weight_cache": use, "weight_cache_bytes": "2097152", "empty_cache_s": "0.003"}
    made = replace(run(), load_s=load_s, first_s=load_s, conditions={**run().conditions, **facts})
    if not loaded_bytes:
        return made
    marks = MemoryMarks(
        baseline_bytes=1000, load_peak_bytes=loaded_bytes, loaded_bytes=loaded_bytes, run_peak_bytes=loaded_bytes
    )
    return replace(made, purpose=Purpose.MEMORY, samples_s=(), memory=marks)


def evidence(*runs: Run) -> Evidence:
    return Evidence(case=case(), session=session(), runs=runs, artifact=artifact())


@pytest.mark.parametrize(
    ("uses", "load_s", "whose"),
    [
        (("written", "read", "read"), 0.015, "was written by an earlier process"),
        (("read", "read", "read"), 0.02, "was written by an earlier process"),
        (("written",), 0.05, "was written by the same process"),
    ],
)
def test_loads_are_those_of_processes_that_read_the_cache(uses: tuple[str, ...], load_s: float, whose: str) -> None:
    known = evidence(*(process(use, time_s) for use, time_s in zip(uses, (0.05, 0.01, 0.02), strict=False)))
    measured = measurement.summarize(known)
    assert [measured.load_s, measured.first_s] == pytest.approx([load_s, load_s])
    text = f"the weight cache (2.00 MiB) {whose}; with an empty cache, loading takes 3.00 ms longer"
    assert text in rows.row(known, measured).reasons


def test_memory_is_that_of_processes_that_read_the_cache() -> None:
    known = evidence(process("written", 0.05, loaded_bytes=9000), process("read", 0.01, loaded_bytes=3000))
    assert measurement.summarize(known).model_bytes == 2000


def test_a_model_that_accelerators_take_in_part_is_named() -> None:
    whole = run()
    partial = replace(whole, conditions={**whole.conditions, "fully_accelerated": "no"})
    for each, is_said in ((whole, False), (partial, True)):
        known = evidence(each)
        assert ("not fully accelerated" in rows.row(known, measurement.summarize(known)).reasons) == is_said

"""A case without a number says why: what its journal shows, and never a guess."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from edgebench.results import folders
from edgebench.results.journal import JOURNAL, Journal
from edgebench.schema.record import Failure, Record, Stop
from tests.conftest import artifact, case, deployment, run, session

FIRST, SECOND = case(), case(threads=2)  # the second is measured in every journal, so that there is a table
LIMITED = session(FIRST, SECOND, limit_s=60.0)
PLAIN = session(FIRST, SECOND)
OTHER: tuple[Record, ...] = (replace(deployment(), case=SECOND), *(run(case=SECOND) for _ in range(6)))
FAILED = Failure(case=FIRST, session="s1", epoch="e1", stage="measure", reason="it died")
AGAIN = replace(session(FIRST, id="s2"), started_at="2026-01-02T00:00:00+00:00")
ENDED, EARLY, LATE = (Stop(session="s1", spent_s=spent_s) for spent_s in (70.0, 20.0, 60.0))
UNSOUND = b'{"version":3,"record":{}}'
INTERRUPTED = "its session was interrupted before this case, or still runs"

# By the way in which a case came to have no number: the records, how many unsound lines, and the reason.
WAYS: dict[str, tuple[Sequence[Record], int, str]] = {
    "time ran out": ((LIMITED, LATE), 0, "not measured: no time was left"),
    "the target was lost": (
        (session(FIRST, SECOND), replace(EARLY, lost="target cpu was lost; run the same command to go on")),
        0,
        "not measured: target cpu was lost, run the same command to go on",
    ),
    "time ran out while files were made": ((LIMITED, ENDED), 0, "not measured: no time was left"),
    "time ran out, and lines are unsound": (
        (LIMITED, LATE),
        2,
        "not measured: no time was left, or its lines are invalid (invalid lines in the journal: 2)",
    ),
    "lines are gone where time was left": (
        (LIMITED, EARLY),
        0,
        "not measured: its session ended after 20 s of 1 min 00 s without a valid line of this case",
    ),
    "lines are gone where time was no limit": (
        (PLAIN, ENDED),
        0,
        "not measured: its session ended without a valid line of this case",
    ),
    "all its lines are unsound": (
        (PLAIN, ENDED),
        7,
        "not measured: its session ended without a valid line of this case (invalid lines in the journal: 7)",
    ),
    "interrupted": ((PLAIN,), 0, f"not measured: {INTERRUPTED}"),
    "interrupted under a limit": ((LIMITED,), 0, f"not measured: {INTERRUPTED}"),
    "interrupted, or its end is unsound": (
        (PLAIN,),
        1,
        f"not measured: {INTERRUPTED}, or its lines are invalid (invalid lines in the journal: 1)",
    ),
    "interrupted when continued": ((PLAIN, ENDED, FAILED, AGAIN), 0, f"not measured: {INTERRUPTED}"),
    "the line of its file is gone": (
        (PLAIN, run(), run(round=2), ENDED),
        0,
        "not measured: 2 processes ran a file that the journal does not describe",
    ),
    "its processes opened another file": (
        (LIMITED, deployment(), run(opened_sha256="f9"), LATE),
        0,
        "not measured: 1 process ran a file other than the one deployed",
    ),
    "its processes ran an earlier file": (
        (PLAIN, deployment(), run(), deployment(artifact(sha256="f2")), ENDED),
        0,
        "not measured: 1 process ran a file other than the one deployed last",
    ),
    "an earlier session ran an earlier file": (
        (PLAIN, deployment(), run(), ENDED, AGAIN, deployment(artifact(sha256="f2"), session="s2")),
        0,
        f"not measured: {INTERRUPTED}, and earlier 1 process ran a file other than the one deployed last",
    ),
    "it failed": ((PLAIN, FAILED, ENDED), 0, "measure: it died"),
    "it failed before time ran out": ((LIMITED, FAILED, LATE), 0, "measure: it died"),
}  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
def test_a_case_without_a_number_says_why(way: str, place: Path) -> None:
    records, unsound, reason = WAYS[way]
    journal = Journal(place)
    for record in (*records, *OTHER):
        journal.append(record)
    with (place / JOURNAL).open("ab") as file:
        file.writelines(UNSOUND + b" " * number + b"\n" for number in range(unsound))
    rows = {row.setup.threads: row for row in folders.read(place).rows}
    verdict = "MISSING" if "lost" in way else "FAILED"
    assert (rows[1].verdict, rows[1].latency.p50_ms) == (verdict, None)
    assert rows[1].reasons.split("; ") == [reason, "no accuracy: the weights are random"]
    assert rows[2].latency.p50_ms

"""CPU time is subtracted like from like, and a process that may not use all of a machine says so."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from edgebench.agent import cgroup, machine, measure
from edgebench.results.measurement import summarize
from edgebench.results.measurement.evidence import gather
from edgebench.results.measurement.verdict import Verdict
from edgebench.results.table import notes
from edgebench.schema.environment import lasting
from tests import ROOT
from tests.conftest import case, deployment, environment, run, session

pytestmark = pytest.mark.slow  # each input is opened in a process of its own

DATA = bytes(1 << 20)
CGROUP = Path("/sys/fs/cgroup/cpu")


def work() -> object:
    return sha256(DATA).digest()


def both() -> None:
    work()
    time.sleep(0.02)


BEATS: dict[str, Callable[[], object]] = {"waits": lambda: time.sleep(0.02), "works": work, "does both": both}


@pytest.mark.parametrize("beat", BEATS.values(), ids=BEATS)
@pytest.mark.parametrize("call", [work, both, lambda: time.sleep(0.002)], ids=["works", "does both", "waits"])
def test_cpu_time_less_that_of_the_beats_is_that_of_the_calls(
    call: Callable[[], object], beat: Callable[[], object]
) -> None:
    started = time.process_time()
    for _ in range(12):
        call()
    alone = time.process_time() - started
    seen = measure._sampled(call, 12, 1, 0, beat)
    assert 0 <= seen["cpu_s"] <= seen["wall_s"] + 1e-3
    assert seen["cpu_s"] == pytest.approx(alone, abs=0.01 + alone)


@pytest.mark.parametrize("call", [work, lambda: time.sleep(0.002)], ids=["works", "waits"])
def test_others_have_no_part_of_what_this_process_does(call: Callable[[], object]) -> None:
    assert any(_is_apart(call) for _ in range(5))  # ticks of 10 ms on busy cores may be counted late


def _is_apart(call: Callable[[], object]) -> bool:
    before, mine, started = machine.cpu_seconds(), time.process_time(), time.perf_counter()
    while time.perf_counter() - started < 0.4:
        call()
    others = machine.cpu_seconds()[0] - before[0]
    elapsed_s, mine = time.perf_counter() - started, time.process_time() - mine
    return -0.05 <= others <= elapsed_s * (os.cpu_count() or 1) - mine + 0.1


GROUPS: dict[str, tuple[str, dict[str, str], float | None]] = {
    "v2": ("0::/\n", {"cpu.max": "15000 100000"}, 0.15),
    "v2 without a limit": ("0::/\n", {"cpu.max": "max 100000"}, None),
    "v2, in a service": ("0::/a/b.service\n", {"a/b.service/cpu.max": "150000 100000"}, 1.5),
    "v2, the outer one is less": ("0::/a/b\n", {"a/cpu.max": "50000 100000", "a/b/cpu.max": "max 100000"}, 0.5),
    "v2, the inner one is less": ("0::/a/b\n", {"a/cpu.max": "400000 100000", "a/b/cpu.max": "200000 100000"}, 2.0),
    "v2, the host's path in a container": ("0::/docker/abc\n", {"cpu.max": "100000 100000"}, 1.0),
    "v1": (
        "4:cpu,cpuacct:/x\n0::/\n",
        {"cpu,cpuacct/x/cpu.cfs_quota_us": "15000", "cpu,cpuacct/x/cpu.cfs_period_us": "100000"},
        0.15,
    ),
    "v1 without a limit": ("1:cpu:/\n", {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, None),
    "v1, the host's path": (
        "1:cpu:/docker/abc\n", {"cpu/cpu.cfs_quota_us": "50000", "cpu/cpu.cfs_period_us": "100000"}, 0.5,
    ),
    "v1 with v2 beside it": (
        "1:cpu:/\n0::/x\n",
        {"unified/x/cgroup.procs": "1", "cpu/cpu.cfs_quota_us": "300", "cpu/cpu.cfs_period_us": "200"},
        1.5,
    ),
    "another controller's": ("5:memory:/m\n2:cpuacct:/\n", {"memory/m/cpu.cfs_quota_us": "1"}, None),
    "none": ("", {}, None),
    "nonsense": ("x\n0::/\n::\n", {"cpu.max": "many of them"}, None),
    "no period": ("0::/\n", {"cpu.max": "1000 0"}, None),
}  # fmt: skip


@pytest.mark.parametrize(("own", "files", "cores"), GROUPS.values(), ids=GROUPS)
def test_the_least_quota_of_all_groups_counts(
    own: str, files: dict[str, str], cores: float | None, place: Path
) -> None:
    (place / "proc/self").mkdir(parents=True)
    (place / "proc/self/cgroup").write_text(own)
    for name, text in files.items():
        path = place / "sys/fs/cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    assert cgroup.cpu_quota(place) == cores


FACTS = "import json; from edgebench.agent import machine; print(json.dumps(machine.identity()))"


def identity(limit: str = "pass") -> dict[str, str]:
    """What a process finds that was limited, by a line of Python, before it began."""
    begin = f"import os, sys, pathlib; {limit}; os.execv(sys.executable, [sys.executable, '-c', {FACTS!r}])"
    done = subprocess.run([sys.executable, "-c", begin], capture_output=True, text=True, check=True, cwd=ROOT)
    found: dict[str, str] = json.loads(done.stdout)
    return found


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="one core cannot be narrowed")
def test_a_process_that_may_use_one_core_is_another_machine_and_says_which_core() -> None:
    core = max(os.sched_getaffinity(0))
    free, narrow = identity(), identity(f"os.sched_setaffinity(0, [{core}])")
    assert (narrow["usable_cores"], narrow["cpuset"]) == ("1", str(core))
    assert lasting(free) != lasting(narrow)
    assert f"1 cores, of {narrow['cores']} (cpuset {core})" in notes.machine(narrow)


@pytest.fixture
def limited() -> Iterator[Path]:
    """A control group of this machine with 15 % of a core."""
    group = CGROUP / f"edgebench-test-{os.getpid()}"
    try:
        group.mkdir()
        (group / "cpu.cfs_quota_us").write_text("15000")
    except OSError as error:
        pytest.skip(f"no control group can be made: {error}")
    yield group
    group.rmdir()


def test_a_process_under_a_quota_says_how_much(limited: Path) -> None:
    found = identity(f"pathlib.Path({str(limited / 'cgroup.procs')!r}).write_text(str(os.getpid()))")
    assert found["cpu_quota"] == "0.15"
    assert "CPU quota 0.15 cores" in notes.machine(found)
    assert "cpu_quota" in lasting(found)


@pytest.mark.parametrize(
    ("facts", "threads", "reason"),
    [
        ({}, 1, ""),
        ({}, 4, ""),
        ({"cpu_quota": "1"}, 1, ""),
        ({"cpu_quota": "2.5"}, 2, ""),
        ({"cpu_quota": "0.15"}, 1, "1 thread requested, the CPU quota is 0.15 cores"),
        ({"cpu_quota": "1.5"}, 2, "2 threads requested, the CPU quota is 1.5 cores"),
        ({"usable_cores": "1"}, 2, "2 threads requested, usable cores: 1"),
        ({"usable_cores": "2", "cpu_quota": "2"}, 2, ""),
    ],
)
def test_threads_beyond_what_a_process_may_use_are_suspect(facts: dict[str, str], threads: int, reason: str) -> None:
    of = case(threads=threads)
    steady = [run(case=of, cpu_s=0.02 * threads, round=number) for number in range(6)]
    deployed = replace(deployment(), case=of)
    asked = replace(session(of), environment=environment(**facts))

    (only,) = gather([asked, deployed, *steady])
    measured = summarize(only)
    assert measured.verdict == (Verdict.SUSPECT if reason else Verdict.VALID)
    assert reason in "; ".join(one.text for one in measured.reasons)

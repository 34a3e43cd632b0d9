"""What the host starts ends with it, however it ends; what was measured is kept, and the same command goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edgebench.agent import lifeline
from edgebench.deploy.bundle import bundle, ends_with_host
from edgebench.deploy.connections import local
from edgebench.deploy.exchange import exchange
from edgebench.foundation import ending
from edgebench.foundation.errors import AgentError
from tests.support.command import EDGEBENCH
from tests.test_pipeline import NULL, runs


@pytest.fixture(autouse=True)
def not_under_nohup() -> Iterator[None]:
    """Take signals as a terminal's programs do: nohup, under which a suite may run, has them ignored."""
    before = {number: signal.signal(number, signal.SIG_DFL) for number in ending.SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


SOON_S = 5.0
SUSTAINED = ("run", "--target", "cpu", "--preset", "quick", "--sustained", "60s", "--name", "ended", *NULL)


def until(condition: Callable[[], object], limit_s: float = 60.0) -> bool:
    """Wait for a condition; return whether it came true in time."""
    end = time.monotonic() + limit_s
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)
    return bool(condition())


def children(pid: int) -> list[int]:
    """List the processes that a process started, and those that they started."""
    listed = subprocess.run(["ps", "-eo", "pid,ppid"], capture_output=True, text=True, check=True).stdout
    pairs = [tuple(map(int, line.split())) for line in listed.splitlines()[1:]]
    direct = [child for child, parent in pairs if parent == pid]
    return [*direct, *(each for child in direct for each in children(child))]


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


@contextmanager
def heeding(number: int) -> Iterator[None]:
    """Start processes that heed a signal even where this one ignores it."""
    before = signal.signal(number, signal.SIG_DFL if number != signal.SIGINT else signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(number, before)


def host(number: int = signal.SIGTERM) -> subprocess.Popen[str]:
    with heeding(number):
        return subprocess.Popen(
            [*EDGEBENCH, *SUSTAINED], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
        )


def measuring(process: subprocess.Popen[str]) -> list[int]:
    """Wait until the last process of a run, which lasts for a minute, is under way; return all that was started."""
    assert until(lambda: len(runs("ended")) >= 8)
    time.sleep(1.0)
    assert until(lambda: children(process.pid))  # on a busy machine it starts later
    return children(process.pid)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_writes_the_tables_and_ends_what_was_started(number: int) -> None:
    with host(number) as process:
        started = measuring(process)
        assert started
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
    assert process.returncode == 128 + number
    assert "interrupted: the table shows the cases measured so far" in err
    assert "Traceback" not in err
    assert "null 1 @1" in out
    assert Path("results/ended/comparison.csv").read_text().count("\n") > 1
    assert until(lambda: not any(map(is_running, started)), SOON_S)


@pytest.mark.slow
def test_after_kill_9_the_agent_notices_and_the_same_command_goes_on() -> None:
    with host() as process:
        started = measuring(process)
        process.kill()
        process.communicate()
    assert until(lambda: not any(map(is_running, started)), SOON_S)
    survived = runs("ended")
    with host() as process:
        assert until(lambda: len(children(process.pid)) > 0)
        assert runs("ended")[: len(survived)] == survived
        process.kill()


@pytest.mark.slow
def test_under_nohup_a_hangup_ends_nothing() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        process = subprocess.Popen(
            [*EDGEBENCH, *SUSTAINED], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
    finally:
        signal.signal(signal.SIGHUP, before)
    with process:
        assert until(lambda: len(runs("ended")) >= 2)
        process.send_signal(signal.SIGHUP)
        assert until(lambda: len(runs("ended")) >= 5)
        process.send_signal(signal.SIGTERM)


@pytest.mark.parametrize("first", ending.SIGNALS)
def test_a_second_signal_does_not_cut_the_tables_short(first: signal.Signals) -> None:
    before = {number: signal.getsignal(number) for number in (*ending.SIGNALS, signal.SIGINT)}
    written = False
    with ending.heeded():
        try:
            signal.raise_signal(first)
        except KeyboardInterrupt as interruption:
            for second in before:
                signal.raise_signal(second)
            written = ending.signal_of(interruption) == first
    assert written
    assert {number: signal.getsignal(number) for number in before} == before


# An agent that has a child of its own, as torch's compiler has, and hangs.
WITH_CHILD = f"""
import json, os, subprocess, sys, time
sys.path.insert(0, {str(bundle.__code__.co_filename)!r}.partition("/edgebench/deploy/")[0])
from edgebench.agent import lifeline
request = json.loads(sys.stdin.readline())
if request.get("held"):
    lifeline.end_with_host()
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
open("pids.json", "w").write(json.dumps([os.getpid(), child.pid]))
{{then}}
"""
ENDS = {
    "hangs": "time.sleep(600)",
    "is killed": "os.kill(os.getpid(), 9)",
    "crashes": "os.abort()",
    "exits without an answer": "sys.exit(3)",
    "answers": 'print(\'edgebench-answer {"ok": true, "value": 1}\', flush=True); os._exit(0)',
}


def pids() -> list[int]:
    assert until(lambda: Path("pids.json").exists() and Path("pids.json").read_text())
    return [int(pid) for pid in json.loads(Path("pids.json").read_text())]


@pytest.mark.lengthy
@pytest.mark.parametrize("then", ENDS.values(), ids=ENDS)
def test_the_children_of_an_agent_end_with_it_however_it_ends(then: str) -> None:
    command = [sys.executable, "-c", WITH_CHILD.replace("{then}", then)]
    try:
        assert exchange(command, [b'{"held": true}\n'], timeout_s=2.0, held=True) == 1
    except AgentError:
        assert "answers" not in then
    assert until(lambda: not any(map(is_running, pids())), SOON_S)


@pytest.mark.lengthy
def test_the_children_of_an_agent_end_when_the_host_is_killed() -> None:
    code = (
        "import sys; from edgebench.deploy.exchange import exchange;"
        f" exchange([sys.executable, '-c', {WITH_CHILD.replace('{then}', ENDS['hangs'])!r}],"
        " [b'{\"held\": true}\\n'], timeout_s=60, held=True)"
    )
    with subprocess.Popen([sys.executable, "-c", code]) as process:
        started = pids()
        process.kill()
    assert until(lambda: not any(map(is_running, started)), SOON_S)


@pytest.mark.lengthy
@pytest.mark.parametrize("closed", ["before", "after"])
def test_the_agent_ends_when_its_input_is_closed_before_or_while_it_works(closed: str) -> None:
    request = {"do": "measure", lifeline.HELD: True, "purpose": "latency", "reference": "compute", "iterations": 10**9}
    settings = {"warmup_s": 60.0, "warmup_iterations": 1, "least_iterations": 1, "most_iterations": 1}
    with subprocess.Popen(
        [sys.executable, "-I", bundle()[0]], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as agent:
        assert agent.stdin
        agent.stdin.write(json.dumps(request | settings).encode() + b"\n")
        agent.stdin.flush()
        if closed == "after":
            time.sleep(0.5)
            assert agent.poll() is None
        agent.stdin.close()
        assert agent.wait(SOON_S) == -signal.SIGIO


@pytest.mark.lengthy
def test_an_agent_of_an_older_version_is_asked_as_it_was(tmp_path: Path) -> None:
    older = tmp_path / "older.py"
    older.write_text(
        "import json, sys\nrequest = json.load(sys.stdin)\n"
        "print('edgebench-answer', json.dumps({'ok': True, 'value': sorted(request)}))\n"
    )
    assert not ends_with_host(older)
    assert ends_with_host(bundle()[0])
    assert local.Local(sys.executable, older).run({"do": "facts"}, timeout_s=30) == ["do"]


@pytest.mark.lengthy
def test_a_request_written_by_hand_is_read_to_its_end() -> None:
    request = json.dumps({"do": "facts", "runtimes": ["null"]}, indent=2)
    done = subprocess.run(
        [sys.executable, "-I", bundle()[0]], input=request, capture_output=True, text=True, check=True, env=os.environ
    )
    assert '"ok": true' in done.stdout

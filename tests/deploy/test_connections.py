"""One suite over every way to reach a target, and what can go wrong on the way."""

import hashlib
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

from edgebench.deploy import emulation
from edgebench.deploy.bundle import bundle
from edgebench.deploy.connections import Connection, local, ssh
from edgebench.foundation import shelf
from edgebench.foundation.errors import AgentError
from edgebench.schema.target import Target
from tests.support import board

FACTS = {"do": "facts", "runtimes": ["null"]}
LONG_S = 300.0  # ends a hung test, and no emulated process on a busy machine
# What a connection needs on this host, to start it there: tests of those are slow.
LACKING = {"qemu": emulation.missing(), "ssh": board.missing()}
MARKS: dict[str, list[Any]] = {"local": [pytest.mark.lengthy]} | {
    name: [pytest.mark.slow, pytest.mark.skipif(bool(lacking), reason=f"needs {', '.join(lacking)}")]
    for name, lacking in LACKING.items()
}


@pytest.fixture(scope="module")
def loopback(tmp_path_factory: pytest.TempPathFactory) -> Iterator[board.Board]:
    with board.board(tmp_path_factory.mktemp("loopback") / "board") as there:
        yield there


@pytest.fixture(params=[pytest.param(name, marks=MARKS.get(name, [])) for name in shelf.names("connections")])
def connection(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connection]:
    plugin, address, python = shelf.load("connections", request.param), "", ""
    if plugin.ADDRESS:
        there = request.getfixturevalue("loopback")
        monkeypatch.setenv("PATH", f"{there.folder}/bin", prepend=os.pathsep)
        address, python = there.address, there.python
    target = Target(name="t", board="b", connection=request.param, runtimes=("null",), address=address, python=python)
    opened: Connection = plugin.open(target, bundle()[0])
    yield opened
    opened.close()


def test_it_answers_facts(connection: Connection) -> None:
    assert connection.run(FACTS, timeout_s=LONG_S)["runtimes"]["null"]["version"] == "1"


def other_bundle(place: Path) -> Path:
    """The agent with a null runtime of version 2."""
    path = place / "other.pyz"
    with ZipFile(bundle()[0]) as old, ZipFile(path, "w") as new:
        for name in old.namelist():
            text = old.read(name).decode()
            changed = text.replace('return "1"', 'return "2"') if name.endswith("runtimes/null.py") else text
            new.writestr(name, changed)
    return path


def test_another_agent_answers_on_the_same_way_in(connection: Connection, place: Path) -> None:
    other = connection.with_agent(other_bundle(place))
    versions = [
        each.run(FACTS, timeout_s=LONG_S)["runtimes"]["null"]["version"] for each in (connection, other, connection)
    ]
    assert versions == (["1"] * 3 if other is connection else ["1", "2", "1"])


def test_it_puts_a_file_where_the_agent_reads_it(connection: Connection, place: Path) -> None:
    path = place / "null.json"
    path.write_text(json.dumps({"delay_s": 0.0, "classes": 2}))
    request = {
        "do": "measure", "purpose": "latency", "runtime": "null", "threads": 1, "batch": 1,
        "path": connection.push(path, hashlib.sha256(path.read_bytes()).hexdigest()),
        "options": [], "warmup_s": 0.0, "warmup_iterations": 1, "iterations": 5,
    }  # fmt: skip
    assert len(connection.run(request, timeout_s=LONG_S)["samples_s"]) == 5


def test_an_agents_error_is_a_reason(connection: Connection) -> None:
    with pytest.raises(AgentError, match="no request 'dance'"):
        connection.run({"do": "dance"}, timeout_s=LONG_S)


def agent_that(place: Path, code: str) -> local.Local:
    """A real process of a bundle that does something else than answer."""
    path = place / "bad.pyz"
    with ZipFile(path, "w") as archive:
        archive.writestr("__main__.py", code)
    return local.Local(sys.executable, path)


@pytest.mark.lengthy
@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (
            "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)",
            "the agent was killed by SIGSEGV without an answer",
        ),
        ("import os; os._exit(3)", "the agent exited with code 3 without an answer"),
        ("import os; os._exit(0)", "the agent exited with code 0 without an answer"),
        ("raise ValueError('who')", "its last output: ValueError: who"),
        ("print('edgebench-answer {not json')", "the agent's answer is not JSON"),
        ("import sys; sys.exit('\\x1b[31mred\\x07')", "its last output: ?[31mred?"),
        ("print('x' * 10_000_000)", "exited with code 0 without an answer"),
    ],
)
def test_an_agent_that_dies_or_babbles_is_a_reason(place: Path, code: str, reason: str) -> None:
    with pytest.raises(AgentError) as caught:
        agent_that(place, code).run(FACTS, timeout_s=30)
    assert reason in str(caught.value)
    assert len(str(caught.value)) < 400


@pytest.mark.lengthy
def test_an_agent_that_hangs_is_killed(place: Path) -> None:
    with pytest.raises(AgentError, match="no answer within 1 s and was killed"):
        agent_that(place, "import time; time.sleep(60)").run(FACTS, timeout_s=1)


def test_noise_around_the_answer_is_passed_over(place: Path) -> None:
    code = 'print("Welcome!"); print(); print(\'edgebench-answer {"ok": true, "value": 7}\'); print("bye")'
    assert agent_that(place, code).run(FACTS, timeout_s=30) == 7


def test_a_python_that_is_not_there_is_a_reason(place: Path) -> None:
    with pytest.raises(AgentError, match="cannot start /nowhere/python: No such file"):
        local.Local("/nowhere/python", bundle()[0]).run(FACTS, timeout_s=30)


@pytest.mark.parametrize(
    ("said", "advice"),
    [
        (
            "No ED25519 host key is known for [127.0.0.1]:2222 and you have requested strict checking.\r\n"
            "Host key verification failed.\r\n",
            "its key is not known here yet: connect once with `ssh -p 2222 pi@127.0.0.1`, and compare the fingerprint",
        ),
        (
            "@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\r\nHost key verification failed.\r\n",
            "if the target was reinstalled, remove its old key with `ssh-keygen -R`;"
            " otherwise find out why its key changed",
        ),
    ],
)
def test_an_unknown_key_is_not_taken_for_a_changed_one(said: str, advice: str) -> None:
    target = Target(name="rpi4", board="a board", connection="ssh", runtimes=("null",), address="pi@127.0.0.1:2222")
    assert ssh._refusal(target, said.encode()) == (
        f"cannot reach target rpi4 at pi@127.0.0.1:2222: Host key verification failed; {advice}"
    )

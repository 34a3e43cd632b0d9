"""Files made by the workers of a real scheduler: each verified, whatever happens to a worker or the scheduler."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import chdir, contextmanager
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from time import sleep
from typing import Any

import pytest

from edgebench.deploy.connections.null import Here
from edgebench.export import export
from edgebench.export import find as exported
from edgebench.foundation import files
from edgebench.foundation.progress import Notice, Show, Step
from edgebench.foundation.provenance import version as package
from edgebench.measure import builders
from edgebench.measure.builders import cluster
from edgebench.measure.builders.work import Evaluation, File, Work
from edgebench.measure.evaluate import on_host, stand_in
from edgebench.networks.build import channels
from edgebench.schema.case import Case
from edgebench.schema.quantization import parse
from edgebench.schema.variant import Precision, WeightSource
from tests.conftest import case, make_cache, session, variant
from tests.measure.test_stand_in import INSTALLED
from tests.support.board import free_port
from tests.support.command import cli

dask: Any = pytest.importorskip("dask", reason="distributed is not installed: edgebench[cluster]")
pytestmark = pytest.mark.skipif(not find_spec("distributed"), reason="distributed is not installed: edgebench[cluster]")

SCHEDULER = ("-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--dashboard-address", "127.0.0.1:0")
LIES = """
import json, sys
from edgebench.cli import main
from edgebench.measure.builders import worker
honest = worker.make
def make(*request):
    text, content = honest(*request)
    return text, content + b"!"
worker.make = make
main()
"""
OLD = """
import sys
from edgebench.cli import main
from edgebench.measure.builders import parcel
of_today = parcel.versions()
parcel.versions = lambda: of_today | {"onnx": "1.0.0"}
main()
"""


@dataclass
class Lab:
    """A scheduler and its workers on loopback, each a real process."""

    address: str
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    told: list[Step | Notice] = field(default_factory=list)

    def start(self, name: str, *command: str) -> None:
        with Path(f"{name}.txt").open("wb") as stderr:
            self.processes[name] = subprocess.Popen([sys.executable, *command], stderr=stderr)

    def worker(self, name: str, code: str = "") -> None:
        start = ("-c", code) if code else ("-m", "edgebench")
        self.start(name, *start, "cluster", "worker", self.address, "--name", name, "--threads", "1", "--quiet")

    def kill(self, name: str) -> None:
        self.processes[name].send_signal(signal.SIGKILL)
        self.processes.pop(name).wait()

    def end(self) -> None:
        for name in list(self.processes):
            self.kill(name)

    def notices(self) -> list[str]:
        return [event.text for event in self.told if isinstance(event, Notice)]


@contextmanager
def with_scheduler(protocol: str = "tcp") -> Iterator[Lab]:
    lab = Lab(address=f"{protocol}://127.0.0.1:{free_port()}")
    lab.start("scheduler", *SCHEDULER, "--protocol", protocol, "--port", lab.address.rpartition(":")[2])
    try:
        yield lab
    finally:
        lab.end()


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with chdir(tmp_path_factory.mktemp("scheduler")), with_scheduler() as lab:
        yield lab.address


@pytest.fixture
def lab(scheduler: str) -> Iterator[Lab]:
    lab = Lab(address=scheduler)
    yield lab
    lab.end()


def null(resolution: int) -> File:
    """A file that takes no time; each test has its own, because they share a cache."""
    return File(variant=variant("null", 1.0, resolution, weights=WeightSource.NONE), format="null")


def builder_of(worker: subprocess.Popen[bytes]) -> int:
    """The process in which a worker makes files."""
    children = (path.read_text().split() for path in Path(f"/proc/{worker.pid}/task").glob("*/children"))
    (pid,) = (int(pid) for pid in chain(*children) if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes())
    return pid


def once(act: Callable[[], object], told: list[Step | Notice], kind: type[Step | Notice] = Step) -> Show:
    """Keep what is shown; at the first event of this kind, do something to the lab."""
    acts = [act]

    def show(event: Step | Notice) -> None:
        told.append(event)
        if isinstance(event, kind) and acts:
            acts.pop()()

    return show


@pytest.mark.slow
def test_a_worker_killed_while_it_exports_costs_its_file_once(lab: Lab) -> None:
    lab.worker("first")

    def kill() -> None:
        lab.kill("first")
        lab.worker("second")

    with cluster.connected(lab.address, lab.told.append) as workers:
        os.kill(builder_of(lab.processes["first"]), signal.SIGSTOP)
        workers.make(Work.of([null(32), null(33)]), once(kill, lab.told))
    assert null(32).find() and null(33).find()
    assert lab.notices() == [f"{null(32).subject}: worker first left; it is made again"]


@pytest.mark.slow
def test_after_the_scheduler_is_killed_the_missing_files_are_left_to_their_cases_and_workers_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with with_scheduler() as lab:
        lab.worker("first")

        def kill() -> None:
            lab.kill("scheduler")
            os.kill(builder, signal.SIGCONT)

        with cluster.connected(lab.address, lab.told.append) as workers:
            monkeypatch.setattr(cluster, "NO_WORKERS_S", 1.0)
            os.kill(builder := builder_of(lab.processes["first"]), signal.SIGSTOP)
            workers.make(Work.of([null(34), null(35)]), once(kill, lab.told))
        assert not null(35).find()
        last = f"no worker of {lab.address} can be used; the cases make the files that are missing"
        assert lab.notices()[-1] == last
        assert lab.processes["first"].wait() == 2
        ended = f"edgebench: the scheduler {lab.address} ended; start it and this worker again\n"
        assert Path("first.txt").read_text() == ended


@pytest.mark.slow
def test_a_worker_that_sends_another_content_than_its_hash_says_is_not_used_any_more(lab: Lab) -> None:
    lab.worker("liar", LIES)
    show = once(lambda: lab.worker("honest"), lab.told, Notice)
    with cluster.connected(lab.address, lab.told.append) as workers:
        workers.make(Work.of([null(36), null(37)]), show)
    assert null(36).find() and null(37).find()
    refused, again = lab.notices()
    assert refused.startswith("worker liar is not used any more: wanted null-1@36")
    assert again == f"{null(36).subject}: worker liar sent a wrong file; it is made again"


@pytest.mark.slow
def test_a_worker_with_another_version_of_a_tool_is_refused_by_name_and_a_worker_of_today_is_not(lab: Lab) -> None:
    command = ("run", "--model", "null", "--weights", "none", "--runtime", "null", "--preset", "quick", "--quiet")
    lab.worker("old", OLD)
    done = cli(*command, "--scheduler", lab.address)
    message = f"edgebench: worker old is not used: onnx 1.0.0 instead of {package('onnx')}\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", message)
    assert not Path("results").exists()
    lab.kill("old")
    lab.worker("new")
    done = cli(*command, "--scheduler", lab.address)
    assert done.returncode == 0, done.stderr
    assert Path("results/null/runs.jsonl").exists()


@pytest.mark.slow
def test_an_interrupted_session_ends_what_a_worker_makes_for_it(lab: Lab) -> None:
    def interrupt() -> None:
        cache = environment(builder)[files.HOME_VARIABLE]
        while not any(Path(cache, "weights").glob("*.lock")):  # the training has begun
            sleep(0.1)
        raise KeyboardInterrupt

    lab.worker("first")
    with cluster.connected(lab.address, lab.told.append) as workers:
        builder = builder_of(lab.processes["first"])
        training = File(variant=variant(weights=WeightSource.TRAINED))
        with pytest.raises(KeyboardInterrupt):
            workers.make(Work.of([training]), once(interrupt, lab.told))
        workers.make(Work.of([null(38)]), lab.told.append)
        assert null(38).find() and builder_of(lab.processes["first"]) != builder


def environment(pid: int) -> dict[str, str]:
    """The environment with which a process was started."""
    pairs = Path(f"/proc/{pid}/environ").read_text().split("\0")
    return dict(pair.split("=", 1) for pair in pairs if pair)


@pytest.mark.slow
def test_a_network_trained_exported_and_quantized_over_tls_has_the_bytes_that_one_process_makes(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    configured = certificate(Path.cwd())
    for name, path in configured.items():
        monkeypatch.setenv(f"DASK_{name.upper().replace('.', '__').replace('-', '_')}", path)
    net = variant("lenet5", 1.0, 32, weights=WeightSource.TRAINED)
    quantized = replace(net, precision=Precision.INT8, quantization=parse("per_channel+reduce_range"))
    cases = [replace(case(each), runtime=INSTALLED) for each in (net, quantized)]
    told = list[Step | Notice]()
    monkeypatch.setenv(files.HOME_VARIABLE, str(make_cache(tmp_path_factory, "over-tls")))
    with with_scheduler("tls") as lab, dask.config.set(configured):
        lab.worker("first")
        with builders.opened(1, lab.address, told.append) as workers:
            assert workers
            builders.build([(session(*cases), AsBoard())], (), workers, told.append)
            assert not [event for event in told if isinstance(event, Notice)]
            others = [replace(evaluation(each).question, host="aarch64 asimd") for each in cases]
            workers.make(Work.of(Evaluation(question=question) for question in others), told.append)
    assert [event.text for event in told if isinstance(event, Notice)] == [
        "worker first: lenet5-1@32/fp32 was not made ahead: CaseError: wanted a machine that evaluates as aarch64"
        " asimd, found another"
    ]
    of_worker = [exported(each.variant, "onnx") for each in cases]
    answers = [evaluation(each).find() for each in cases]
    assert all(answers)
    home = make_cache(tmp_path_factory, "here")
    shutil.copytree(files.folder("weights"), home / "weights")
    monkeypatch.setenv(files.HOME_VARIABLE, str(home))
    assert of_worker == [export(each.variant, "onnx", told.append) for each in cases]
    for each, answer in zip(cases, answers, strict=True):
        evaluation(each).make(told.append)
        assert (mine := evaluation(each).find()) and answer and mine.sha256 == answer.sha256


class AsBoard(Here):
    """A connection for which this host evaluates."""

    brings_runtimes = True


def evaluation(of: Case) -> Evaluation:
    host = stand_in.find(of, AsBoard())
    assert host
    return Evaluation(question=on_host.Question.of(of, host, channels(of.variant)))


def certificate(folder: Path) -> dict[str, str]:
    """Make a certificate that is its own authority; return dask's configuration with it."""
    key, cert = str(folder / "key.pem"), str(folder / "cert.pem")
    made = ("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=lab", "-days", "2")
    subprocess.run([*made, "-keyout", key, "-out", cert], check=True, capture_output=True)
    roles = ("scheduler", "worker", "client")
    of_roles = {f"{role}.{kind}": path for role in roles for kind, path in (("key", key), ("cert", cert))}
    return {f"distributed.comm.tls.{name}": path for name, path in {"ca-file": cert, **of_roles}.items()}


@pytest.mark.lengthy
def test_a_scheduler_over_tls_without_a_certificate_is_refused_in_one_line() -> None:
    done = cli("run", "--model", "null", "--weights", "none", "--scheduler", "tls://host:8786")
    message = "wanted distributed.comm.tls.ca-file, client.cert and worker.cert in dask's configuration"
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert message in done.stderr

"""Whether a runtime's packages run on a target's processor: tried before anything is copied, and said in the row."""

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from edgebench.deploy import emulation, trial
from edgebench.deploy.bundle import bundle
from edgebench.deploy.connections import HOST, local
from edgebench.deploy.emulation import Emulator, root
from edgebench.deploy.targets import catalogue, checkup
from edgebench.export.formats import tool_version
from edgebench.foundation.errors import RequestError
from edgebench.foundation.shelf import literal, load, names
from edgebench.schema.cards import Trial
from edgebench.schema.runtime import RuntimeRequest
from tests.deploy.test_checkup import GOOD, RPI4
from tests.support.command import cli

FACTS = {"python": "CPython 3.11.2", "libc": "glibc 2.36", "machine": "aarch64"}
REQUEST = RuntimeRequest(name="onnxruntime", version="1.21.0")
LACKING = emulation.missing()
needs_qemu = pytest.mark.skipif(bool(LACKING), reason=f"needs {', '.join(LACKING)}")
RAN = Trial(emulator="qemu-aarch64 7.2.22 -cpu cortex-a72", passed=("numpy", "import"))
DEAD = replace(
    RAN,
    packages=("numpy==1.26.4", "onnxruntime==1.21.0"),
    passed=("numpy",),
    failed="import",
    signal="SIGILL",
    reason="x",
)


@pytest.mark.parametrize(
    ("midr", "bits", "features", "part"),
    [
        (0x410FD034, (0x8FB, 0), "fp asimd evtstrm crc32 cpuid", "0xd03"),
        (0x410FD083, (0x8FB, 0), "fp asimd evtstrm crc32 cpuid", "0xd08"),
        (
            0x414FD0B1,
            (0x119FFB, 0),
            "fp asimd evtstrm crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp",
            "0xd0b",
        ),
        (0x412FD4F1, (0x3 | 1 << 20 | 1 << 22, 1 << 13), "fp asimd evtstrm asimddp sve i8mm", "0xd4f"),
    ],
)
def test_an_emulated_boards_cpuinfo_is_that_of_its_processor(
    midr: int, bits: tuple[int, ...], features: str, part: str
) -> None:
    first, *_ = root.cpuinfo(midr, bits).split("\n\n")
    fields = dict(line.split("\t: ") for line in first.replace(": 8", "\t: 8").splitlines())
    assert (fields["Features"], fields["CPU part"]) == (features, part)
    assert root.cpuinfo(midr, bits).count("processor") == root.CORES


@pytest.mark.lengthy
@pytest.mark.parametrize(
    ("cpu", "facts", "path", "reason"),
    [
        ("", FACTS, "", "the target's file names no processor: add `cpu`"),
        ("cortex-a72", FACTS | {"machine": "armv7l"}, "", "edgebench emulates aarch64 and x86_64, not armv7l"),
        (
            "cortex-a72",
            FACTS,
            "/nowhere",
            "lacks qemu-user, apt, dpkg: use apt-get install qemu-user apt dpkg",
        ),
        pytest.param("cortex-a999", FACTS, "", "emulates no cortex-a999; qemu-aarch64 -cpu help", marks=needs_qemu),
    ],
)
def test_what_cannot_be_tried_says_why_and_nothing_is_downloaded(
    cpu: str, facts: dict[str, str], path: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if path:
        monkeypatch.setenv("PATH", path)
    found = trial.tried(REQUEST, replace(RPI4, cpu=cpu), facts)
    assert reason in found.reason
    assert str(found) == f"not tried: {found.reason}"
    assert not found.is_illegal


def test_every_shipped_board_names_its_processor() -> None:
    boards = [catalogue.target(name) for name in catalogue.targets()]
    assert all(target.cpu for target in boards if target.connection in ("ssh", "qemu"))


@pytest.mark.parametrize(
    ("result", "text"),
    [
        (RAN, "runs on an emulated cortex-a72 (numpy, import)"),
        (replace(RAN, python="3.11"), "runs on an emulated cortex-a72 (numpy, import), as built for Python 3.11"),
        (DEAD, "onnxruntime==1.21.0 dies of SIGILL on an emulated cortex-a72, in the step import"),
        (replace(DEAD, failed="numpy"), "numpy==1.26.4 dies of SIGILL on an emulated cortex-a72, in the step numpy"),
        (
            replace(DEAD, signal="", reason="ImportError: no"),
            "onnxruntime==1.21.0 fails on an emulated cortex-a72: ImportError: no, in the step import",
        ),
    ],
)
def test_a_trial_is_one_sentence(result: Trial, text: str) -> None:
    assert str(result) == text


def test_only_a_runtime_that_died_of_a_missing_instruction_is_refused() -> None:
    for passing in (RAN, Trial(), replace(DEAD, signal="SIGSEGV"), replace(DEAD, signal="")):
        trial.require_legal(REQUEST, passing)
    with pytest.raises(RequestError, match=r"dies of SIGILL .* it was not copied; use another onnxruntime==\.\.\."):
        trial.require_legal(REQUEST, DEAD)


@pytest.mark.parametrize(
    ("result", "advice"), [(RAN, ""), (Trial(reason="no qemu"), ""), (DEAD, "use another version")]
)
def test_a_check_says_whether_what_it_offers_runs(result: Trial, advice: str) -> None:
    known = replace(GOOD, trials={"onnxruntime": result})
    (found,) = (item for item in checkup.checkup(RPI4, known).findings if item.subject == "runtime onnxruntime")
    assert str(result) in found.found
    assert found.advice.startswith(advice)
    assert bool(found.advice) == bool(advice)


MINE = '''"""An engine that ends its process when it is {when}."""
import os, signal
from edgebench.agent.runtimes.null import *
NEEDS = ("mine",)
def prepare():
    if {when!r} == "imported":
        {how}
def open(path, **more):
    if {when!r} == "opened":
        {how}
    return type("Session", (), {{"run": lambda self: None}})()
'''


@pytest.mark.lengthy
@pytest.mark.parametrize(
    ("when", "how", "failed", "signal", "passed"),
    [
        ("never", "pass", "", "", ("numpy", "import", "fp32")),
        ("imported", "os.kill(os.getpid(), signal.SIGILL)", "import", "SIGILL", ("numpy",)),
        ("opened", "os.abort()", "fp32", "SIGABRT", ("numpy", "import")),
        ("opened", "raise ImportError('no symbol')", "fp32", "", ("numpy", "import")),
        ("imported", "os.kill(os.getpid(), signal.SIGKILL)", "", "", ()),
    ],
)
def test_the_step_in_which_a_process_ends_is_named(
    when: str, how: str, failed: str, signal: str, passed: tuple[str, ...], place: Path
) -> None:
    file = place / "plugins" / "runtimes" / "mine.py"
    file.parent.mkdir(parents=True)
    file.write_text(MINE.format(when=when, how=how))
    request = {"do": "trial", "imports": ["numpy"], "paths": [], "options": []}
    steps = [("numpy", request), ("import", request | {"runtime": "mine"})]
    steps.append(("fp32", steps[-1][1] | {"paths": [str(place)]}))
    with closing(local.open(HOST, bundle()[0])) as host:
        found = trial._steps(RAN, host, steps)
    assert (found.failed, found.signal) == (failed, signal)
    assert failed == "" or found.passed == passed
    assert bool(found.reason) == (when != "never")


def files_of(runtime: str) -> list[Path]:
    """The files of a trial that a runtime can run; none for a compiler."""
    format, compiles_only = (literal("runtimes", runtime, name) for name in ("FORMAT", "COMPILES_ONLY"))
    return [] if compiles_only else sorted(trial.FILES.glob(f"*.{format}"))


@pytest.mark.lengthy
@pytest.mark.parametrize("name", [name for name in names("runtimes") if files_of(name)])
def test_the_files_of_a_trial_run_in_every_runtime_that_reads_their_format(name: str) -> None:
    plugin = load("runtimes", name)
    plugin.prepare()
    options = RuntimeRequest(name=name).resolve(plugin.OPTIONS)
    for file in files_of(name):
        plugin.open(str(file), threads=1, batch=1, options=options).run()


@pytest.mark.slow
@needs_qemu
def test_a_wheel_with_instructions_that_a_pi_4_lacks_is_refused_before_it_is_copied(place: Path) -> None:
    """onnxruntime 1.21.0 ended with an illegal instruction on every Raspberry Pi 4."""
    for _ in range(2):  # the second time, the result is remembered
        done = cli("targets", "prepare", "rpi4_emulated", "--runtime", "onnxruntime==1.21.0", "--quiet")
        assert done.returncode == 2
        text = "onnxruntime==1.21.0 dies of SIGILL on an emulated cortex-a72, in the step import"
        assert text in done.stderr
    ran = cli("run", "--target", "rpi4_emulated", "--model", "lenet5", "--runtime", "onnxruntime==1.21.0")
    assert (ran.returncode, text in ran.stderr) == (2, True)
    newer = trial.tried(
        RuntimeRequest(name="onnxruntime", version=tool_version("onnxruntime")), catalogue.target("rpi4"), FACTS
    )
    assert newer.passed == ("numpy", "import", "fp32", "int8")
    assert Emulator(machine="aarch64", cpu="cortex-a72").is_made()

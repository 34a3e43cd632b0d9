"""Every test works in an empty folder of its own, with caches, locks and settings of its own."""

import ctypes
import gc
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from tempfile import mkdtemp

import pytest
from filelock import FileLock

from edgebench.export.formats import tool_version
from edgebench.schema.artifact import Artifact
from edgebench.schema.case import PRESETS, Case, Purpose
from edgebench.schema.environment import Environment
from edgebench.schema.record import Deployment, Run, Session
from edgebench.schema.runtime import Runtime
from edgebench.schema.variant import Precision, Variant, WeightSource
from tests.support.warm import Warm

CPU = ("CPUExecutionProvider",)  # onnxruntime's options
# Two workers on two cores: a thread a core in each of them would only wait for the others. Read when torch is imported.
os.environ["OMP_NUM_THREADS"] = "1"
# pytest-xdist sets the width of its own terminal in its workers; a test that needs a width sets it.
os.environ.pop("COLUMNS", None)
MEMORY, ROOM_BYTES, PROCESSES_BYTES = Path("/dev/shm"), 8 << 30, 8 << 30


def has_room(folder: Path) -> bool:
    """Whether tests may write into this folder in memory: it takes their files, and programs can be started from it.

    What lies there is taken from the processes: the system would end one of them without a word.
    """
    if not os.access(folder, os.W_OK):
        return False
    here = os.statvfs(folder)
    room = here.f_bavail * here.f_frsize >= ROOM_BYTES and not here.f_flag & os.ST_NOEXEC
    return room and available_bytes() >= ROOM_BYTES + PROCESSES_BYTES


def available_bytes() -> int:
    """Return the memory that new processes and files can take, as the kernel estimates it."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("MemAvailable:"))


gc.disable()  # until all tests are collected: nothing of them is garbage
# Tests make and remove tens of thousands of small files: on a disk that is a tenth of what the fast ones take.
if has_room(MEMORY):
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))


needs_torch = pytest.mark.skipif(not find_spec("torch"), reason="needs torch: a request to write files asks for it")
needs_tflite_runtime = pytest.mark.skipif(
    not find_spec("tflite_runtime"), reason="needs tflite-runtime, which is for Linux and Python up to 3.11"
)
# The files that take over a minute, the longest first. The first installs what the project needs on two Pythons.
LONGEST = (
    *("test_pythons.py", "test_emulation.py", "test_nightly.py", "test_pipeline.py", "test_docs.py"),
    *("test_detectors.py", "test_surroundings.py", "test_prepare.py", "test_json.py", "test_any_int8.py"),
    *("test_any_model.py", "test_custom_models.py", "test_tflite.py", "test_code_from_data.py", "test_cohort.py"),
)
# What a process of a test does: no seconds of warm-up, and so few samples that three processes just have a p90.
BRIEF = {name: replace(settings, warmup_s=0.0, most_iterations=40) for name, settings in PRESETS.items()}
BRIEF_REFERENCE = {"iterations": 5, "warmup_s": 0.0, "warmup_iterations": 1}
DOWNLOADED = ("emulation", "packages")  # what is the same for every test, and kept by hash
DOWNLOADS = dict[Path, Path]()  # where the processes of the suite share it, by cache


@pytest.hookimpl(tryfirst=True)  # before tests are deselected by their markers
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first, then those with slow tests: a worker that ends early goes on, and does not wait."""
    lengthy = [item for item in items if item.get_closest_marker("lengthy")]
    if both := [item.nodeid for item in lengthy if item.get_closest_marker("slow")]:
        raise pytest.UsageError(f"{', '.join(both)}: marked lengthy and slow; choose one of the two")
    for item in lengthy:
        item.add_marker("slow")
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    places = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: (places.get(item.path.name, len(places)), item.path not in slow))


def pytest_collection_finish() -> None:
    """Set aside what stays for good, a million objects: else every collection walks them again."""
    gc.freeze()
    gc.enable()


@pytest.fixture
def no_version_is_remembered() -> Iterator[None]:
    """Let a test change which packages are installed: their versions are otherwise read once per process."""
    tool_version.cache_clear()
    yield
    tool_version.cache_clear()


@pytest.fixture(scope="session")
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cache for all that a process trains or exports: what the tests of a file share is made once."""
    return make_cache(tmp_path_factory, "cache")


def make_cache(factory: pytest.TempPathFactory, name: str) -> Path:
    """Make a cache of which only what was downloaded is shared by all processes of the suite."""
    home = factory.mktemp(name)
    DOWNLOADS[home] = shared_by_all(factory) / "downloaded"
    copy_new(DOWNLOADS[home], home)
    return home


def shared_by_all(factory: pytest.TempPathFactory) -> Path:
    """Return the folder that all processes of the suite share."""
    own = factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


def copy_new(source: Path, goal: Path) -> None:
    """Copy what was downloaded and is not there yet; a cache follows no links."""
    for path in (path for folder in DOWNLOADED for path in sorted((source / folder).glob("*"))):
        place = goal / path.parent.name / path.name
        if os.path.lexists(place) or path.name.startswith("making-") or path.suffix == ".lock":
            continue
        place.parent.mkdir(0o700, parents=True, exist_ok=True)
        scratch = Path(mkdtemp(dir=place.parent, prefix="making-"))
        if path.is_dir():
            shutil.copytree(path, scratch / path.name, symlinks=True)
        else:
            shutil.copy2(path, scratch)
        with suppress(OSError):  # another process was faster
            (scratch / path.name).rename(place)
        shutil.rmtree(scratch)


@pytest.fixture(autouse=True, scope="module")
def brief(request: pytest.FixtureRequest) -> Iterator[None]:
    """Warm up by calls alone and time few of them: most tests ask what is measured, and few how exactly.

    This is for commands that run in this process. A module whose tests need exact times is marked `exact`. How many
    processes are started, and in which order, stays as it is.
    """
    with pytest.MonkeyPatch.context() as patch:
        if not request.node.get_closest_marker("exact"):
            patch.setattr("edgebench.measure.rounds.PRESETS", BRIEF)
            patch.setattr("edgebench.measure.rounds.REFERENCE", BRIEF_REFERENCE)
        yield


@pytest.fixture(scope="session")
def warm() -> Iterator[Warm]:
    """One process that has imported what reads models' files, and forks."""
    process = Warm()
    yield process
    process.close()


@pytest.fixture(autouse=True, scope="module")
def readers(request: pytest.FixtureRequest, warm: Warm) -> Iterator[None]:
    """Open models' files in forks; a module that tests those processes themselves is marked `fresh`."""
    with pytest.MonkeyPatch.context() as patch:
        if not request.node.get_closest_marker("fresh"):
            patch.setattr("edgebench.foundation.bounded.subprocess", warm)
        yield


class SignalStack(ctypes.Structure):
    """The kernel's `stack_t`: the memory on which the main thread handles signals."""

    _fields_ = (("start", ctypes.c_void_p), ("flags", ctypes.c_int), ("size", ctypes.c_size_t))


@pytest.fixture(autouse=True, scope="module")
def no_signal_stack_is_gone() -> Iterator[None]:
    """Fail if objects that ended took the memory along on which signals are handled: the next would kill the worker."""
    yield
    stack = SignalStack()
    assert ctypes.CDLL(None).sigaltstack(None, ctypes.byref(stack)) == 0
    mapped = (line.split(maxsplit=1)[0].split("-") for line in Path("/proc/self/maps").read_text().splitlines())
    assert not stack.start or any(int(start, 16) <= stack.start < int(end, 16) for start, end in mapped)


@pytest.fixture(scope="module")
def tried_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Let all processes of the suite share what the doctor tries: each time takes 15 s of CPU."""
    from edgebench.analysis import doctor

    kept, really = shared_by_all(tmp_path_factory) / "tried", doctor._trial
    kept.mkdir(exist_ok=True)

    def once(code: str, *arguments: str) -> str:
        what = arguments if code == doctor._IMPORT else arguments[:1]  # the rest is a file in a temporary folder
        file = kept / sha256(repr((code, what)).encode()).hexdigest()
        with FileLock(f"{file}.lock"):
            if not file.exists():
                file.write_text(really(code, *arguments))
            return file.read_text()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(doctor, "_trial", once)
        yield


@pytest.fixture(autouse=True)
def place(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shared_cache: Path
) -> Iterator[Path]:
    """Move to an empty folder; point every folder that edgebench writes to at a temporary one."""
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    monkeypatch.setenv("EDGEBENCH_CACHE", str(shared_cache))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("EDGEBENCH_LOCK", str(tmp_path / "lock"))  # else two tests at once would wait for this machine
    yield work
    if request.node.get_closest_marker("slow"):  # no other one downloads
        copy_new(shared_cache, DOWNLOADS[shared_cache])


@pytest.fixture(autouse=True)
def fast_without_torch(request: pytest.FixtureRequest) -> Iterator[None]:
    """Hold the markers to their word: what is fast, or lengthy and no more, does not import torch."""
    marks = {mark.name for mark in request.node.iter_markers()}
    needs_no_torch = "lengthy" in marks or not {"slow", "heavy"} & marks
    was_imported = "torch" in sys.modules
    yield
    assert was_imported or not needs_no_torch or "torch" not in sys.modules, "this test imports torch: mark it slow"


def variant(
    architecture: str = "mobilenet_v2",
    width: float = 0.35,
    resolution: int = 32,
    *,
    weights: WeightSource = WeightSource.RANDOM,
) -> Variant:
    """A float variant on digits."""
    return Variant(
        architecture=architecture,
        width=width,
        resolution=resolution,
        precision=Precision.FP32,
        classes=10,
        weights=weights,
        dataset="digits",
    )


def case(of: Variant | None = None, *, threads: int = 1) -> Case:
    """A case on the cpu target."""
    runtime = Runtime(name="onnxruntime", version="1.31.1", options=CPU)
    return Case(variant=of or variant(), runtime=runtime, target="cpu", threads=threads, batch=1)


def deployment(of: Artifact | None = None, *, session: str = "s1", epoch: str = "e1") -> Deployment:
    """The case's artifact, put on the target."""
    return Deployment(case=case(), session=session, epoch=epoch, artifact=of or artifact())


def environment(epoch: str = "e1", **facts: str) -> Environment:
    """A machine with nothing to complain about, unless `facts` say otherwise."""
    good = {"machine": "x86_64", "isa": "avx2 avx512_vnni", "cpu": "Example", "usable_cores": "4"}
    runtime = case().runtime
    return Environment(
        target="cpu",
        epoch=epoch,
        agent_sha256="a",
        facts=good | {"memory_bytes": "1073741824", "governor": "performance"} | facts,
        packages={},
        runtimes={runtime.name: runtime},
    )


def session(*cases: Case, id: str = "s1", preset: str = "standard", limit_s: float = 0.0, **facts: str) -> Session:
    """A session that set out to answer `cases`."""
    return Session(
        id=id,
        started_at="2026-01-01T00:00:00+00:00",
        edgebench="0.1.0",
        preset=preset,
        time_limit_s=limit_s,
        environment=environment(**facts),
        cases=cases or (case(),),
    )


def run(median_s: float = 1e-3, **changes: object) -> Run:
    """A latency run whose samples are all `median_s`."""
    fields: dict[str, object] = {
        "case": case(),
        "preset": "standard",
        "session": "s1",
        "round": 1,
        "purpose": Purpose.LATENCY,
        "epoch": "e1",
        "artifact_sha256": "f1",
        "started_at": "2026-01-01T00:00:00.000+00:00",
        "start_s": 0.5,
        "load_s": 0.02,
        "first_s": 0.004,
        "samples_s": (median_s,) * 20,
        "wall_s": median_s * 20,
        "cpu_s": median_s * 20,
        "others_cpu": 0.0,
        "steal": 0.0,
        "memory": None,
        "conditions": {},
    }
    return Run(**(fields | changes))  # type: ignore[arg-type]


def artifact(**changes: object) -> Artifact:
    """The card of a float file."""
    fields: dict[str, object] = {
        "variant": str(variant()),
        "format": "onnx",
        "file": "net.onnx",
        "sha256": "f1",
        "size_bytes": 1_048_576,
        "params": 410_000,
        "macs": 1_200_000,
        "weights": WeightSource.TRAINED,
        "weights_sha256": "w1",
        "quantization": None,
        "float_nodes": (),
        "made_by": {},
    }
    return Artifact(**(fields | changes))  # type: ignore[arg-type]

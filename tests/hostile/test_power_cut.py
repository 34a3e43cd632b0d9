"""After a power cut nothing that was reported as measured is lost: only what an fsync brought to the disk is there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from edgebench.nightly import history
from edgebench.results.journal import Journal
from tests.conftest import run, session
from tests.support.nights import quiet_history

WORLD = Path(__file__).parents[1] / "support" / "world.c"
pytestmark = pytest.mark.skipif(not shutil.which("gcc"), reason="needs gcc")

WRITER = """
import os, signal
from pathlib import Path
from edgebench.foundation import cache
from edgebench.nightly import accept, history
from edgebench.results.folders import results_folder
from edgebench.results.journal import Journal
from tests.conftest import artifact, run, session
from tests.support.nights import quiet_history
from dataclasses import replace

journal = Journal(results_folder("x"))
journal.append(session())
for number in range(1, 4):
    journal.append(run(round=number))
nights = [replace(night, entries=tuple(replace(entry, pin="p") for entry in night.entries))
          for night in quiet_history(2).nights]
for night in nights:
    history.begin(Path("results/nightly"), night)
    history.write_night(Path("results/nightly"), night)
accept(Path("results/nightly"), "meant")

def make(path):
    path.write_bytes(b"net" * 10000)
    return artifact()

cache.keep("net", ".onnx", type(artifact()), make)
Path("unsynced").write_text("this is what a power cut takes")
os.kill(os.getpid(), signal.SIGKILL)
"""


def restored(survives: Path, folder: Path, into: Path) -> None:
    """Make the tree that the disk has: entries and contents as they were at their last fsync."""
    into.mkdir()
    entries = survives / str(folder.stat().st_ino)
    for line in entries.read_text().splitlines() if entries.exists() else ():
        inode, _, name = line.partition(" ")
        if (folder / name).is_dir():
            restored(survives, folder / name, into / name)
        else:
            content = survives / inode
            (into / name).write_bytes(content.read_bytes() if content.exists() else b"")


@pytest.mark.slow
def test_what_was_written_survives_a_power_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library, survives, place = tmp_path / "world.so", tmp_path / "survives", tmp_path / "place"
    subprocess.run(["gcc", "-O1", "-shared", "-fPIC", WORLD, "-ldl", "-o", library], check=True)
    survives.mkdir()
    place.mkdir()
    world = {
        "LD_PRELOAD": str(library), "SURVIVES": str(survives), "EDGEBENCH_CACHE": str(place / "cache"),
        "PYTHONPATH": os.pathsep.join(sys.path),
    }  # fmt: skip
    done = subprocess.run([sys.executable, "-c", WRITER], cwd=place, env=os.environ | world, check=False)
    assert done.returncode == -9
    restored(survives, place, tmp_path / "after")
    monkeypatch.chdir(tmp_path / "after")
    monkeypatch.setenv("EDGEBENCH_CACHE", "cache")
    assert list(Journal(Path("results/x"))) == [session(), *(run(round=number) for number in range(1, 4))]
    found = history.read(Path("results/nightly"))
    assert [night.id for night in found.nights] == [night.id for night in quiet_history(2).nights]
    assert ([acceptance.reason for acceptance in found.acceptances], found.notes) == (["meant"], ())
    from edgebench.foundation import cache
    from tests.conftest import artifact

    assert cache.find_intact("net", type(artifact()))
    assert not Path("unsynced").exists()

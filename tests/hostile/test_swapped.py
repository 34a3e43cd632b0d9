"""What ran, and not what was meant: whatever is replaced on disk during a run never gives its time to another row."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from edgebench import pipeline
from edgebench.agent import answer, opened
from edgebench.deploy import Deployed
from edgebench.deploy.answers import Inferred, OfArtifact
from edgebench.deploy.connections import local, null
from edgebench.foundation import files
from edgebench.foundation.errors import AgentError
from edgebench.images.splits import split
from edgebench.measure import evaluate
from edgebench.networks.custom import channels
from edgebench.results.journal import Journal
from edgebench.results.measurement.evidence import gather
from edgebench.schema.record import Run
from edgebench.schema.runtime import Runtime
from tests.conftest import artifact, deployment, run, session, variant
from tests.hostile.test_answers import sweep
from tests.support.spoilt import spoilt_target

OTHER = json.dumps({"delay_s": 0.02, "classes": 10})

# How the artifact of the request becomes another one, once, before or after the agent answered.
PATH, NEW = "r['path']", "r['path'] + '.new'"
SWAPS = {
    "written over": f"open({PATH}, 'w').write(OTHER)",
    "replaced by a rename": f"open({NEW}, 'w').write(OTHER); os.replace({NEW}, {PATH})",
    "replaced by a link": f"open({NEW}, 'w').write(OTHER); os.remove({PATH}); os.symlink({NEW}, {PATH})",
    "written over, of the same size and time": (
        f"s = os.stat({PATH}); t = open({PATH}).read(); open({PATH}, 'w').write(t.replace('0.0', '0.1'));"
        f" os.utime({PATH}, ns=(s.st_atime_ns, s.st_mtime_ns))"
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("swap", SWAPS)
def test_a_swapped_artifact_is_a_failed_row_and_the_others_go_on(
    swap: str, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The spoilt board swaps the file when the second latency process of the case with one thread is asked for."""
    monkeypatch.setenv("EDGEBENCH_CACHE", str(place / "cache"))
    code = (
        f"OTHER = {OTHER!r}\nflag = 'asked'\n"
        "if r['purpose'] == 'latency' and os.path.exists(flag) and not os.path.exists('swapped'):\n"
        f" kept = open(r['path']).read()\n {SWAPS[swap]}\n open('swapped', 'w')\n a = true_answer(r)\n"
        " os.remove(r['path']); open(r['path'], 'w').write(kept)\n"
        "elif r['purpose'] == 'latency':\n open(flag, 'w')\n"
    )
    outcome = pipeline.run(sweep(spoilt_target({("measure", 1): code}), 2), lambda _: None)
    one, two = sorted(outcome.table.rows, key=lambda row: row.setup.threads)
    assert (place / "swapped").exists()
    assert one.verdict == "FAILED" and "did not open the deployed artifact" in one.reasons
    assert two.verdict != "FAILED", two.reasons
    runs = [record for record in Journal(place / "results/x") if isinstance(record, Run) and record.artifact_sha256]
    assert runs and {record.opened_sha256 for record in runs} == {record.artifact_sha256 for record in runs}


def request(path: Path, **more: object) -> dict[str, object]:
    fields = {"do": "measure", "purpose": "latency", "runtime": "null", "threads": 1, "batch": 1, "options": []}
    settings = {"warmup_s": 0.0, "warmup_iterations": 1, "iterations": 5}
    return fields | settings | {"path": str(path)} | more


def null_artifact(place: Path) -> Path:
    path = place / "net.json"
    path.write_text(json.dumps({"delay_s": 0.0, "classes": 10}))
    return path


@pytest.mark.lengthy
def test_an_answer_has_the_hash_of_what_was_opened(place: Path) -> None:
    path = null_artifact(place)
    for purpose in ("latency", "memory"):
        value = answer(request(path, purpose=purpose))["value"]
        assert value["artifact_sha256"] == files.sha256(path)
        assert value["runtime_version"] == "1" and len(value["runtime_files"]) == 64


def write(path: Path) -> None:
    path.write_text(OTHER)


def rename(path: Path) -> None:
    path.with_name("new").write_text(OTHER)
    path.with_name("new").replace(path)


def there_and_back(path: Path) -> None:
    content, status = path.read_bytes(), path.stat()
    path.write_text(OTHER)
    path.write_bytes(content)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def copy_of_itself(path: Path) -> None:
    shutil.copy2(path, path.with_name("new"))
    path.with_name("new").replace(path)


@pytest.mark.parametrize("swap", [write, rename, there_and_back, copy_of_itself])
def test_what_changes_while_a_process_works_is_an_error_even_if_it_is_put_back(
    swap: Callable[[Path], None], place: Path
) -> None:
    path = null_artifact(place)
    report = opened.watch(request(path))
    swap(path)
    with pytest.raises(OSError, match="net.json was replaced or written while this process used it"):
        report()


MEANT = Deployed(variant=variant(), path="p", sha256="a" * 64, runtime_files="f" * 64)
SAME = {"artifact_sha256": "a" * 64, "runtime_version": "1", "runtime_files": "f" * 64}
NULL = Runtime(name="null", version="1")


@pytest.mark.parametrize("key", SAME)
@pytest.mark.parametrize("value", ["", "b" * 64])
def test_the_host_compares_what_was_opened_with_what_it_meant(key: str, value: str, place: Path) -> None:
    own, older = local.Local("python3", place), local.Local("python3", place).with_agent(place)
    MEANT.require(OfArtifact(**SAME), NULL, own)
    with pytest.raises(AgentError, match="did not open the deployed "):
        MEANT.require(OfArtifact(**SAME | {key: value}), NULL, own)
    if value:
        with pytest.raises(AgentError, match="did not open the deployed "):
            MEANT.require(OfArtifact(**SAME | {key: value}), NULL, older)
    else:  # an agent of an accepted night may be older than these hashes
        MEANT.require(OfArtifact(**SAME | {key: value}), NULL, older)


def test_runs_of_another_artifact_than_they_name_do_not_count() -> None:
    here = artifact(sha256="f1")
    runs = [run(round=1), run(round=2, opened_sha256="f1"), run(round=3, opened_sha256="f2")]
    (evidence,) = gather([session(), deployment(here), *runs])
    assert [record.round for record in evidence.runs] == [1, 2]


def package(place: Path, **content: str) -> str:
    """A package whose list of files is there; return the hash of what is installed."""
    info = place / "numpy-1.0.dist-info"
    info.mkdir(exist_ok=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: numpy\nVersion: 1.0\n")
    for name, text in content.items():
        (place / f"{name}.so").write_text(text)
    lines = [f"{name}.so,sha256={hashlib.sha256(text.encode()).hexdigest()},1" for name, text in content.items()]
    (info / "RECORD").write_text("\n".join(lines))
    return opened.runtime("null")["runtime_files"]


def test_the_hash_of_a_runtime_sees_reinstalled_and_overwritten_libraries(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(place))
    first = package(place, core="one")
    assert opened.runtime("null")["runtime_files"] == first
    assert package(place, core="two") != first
    again = package(place, core="one")
    (place / "core.so").write_text("longer")  # while the list of files stays
    assert opened.runtime("null")["runtime_files"] != again


class Blurring(null.Here):
    """A board that reads other pixels than it was given."""

    def run(self, request: object, *, timeout_s: float) -> object:
        path = Path(request["inputs"])  # type: ignore[index]
        content = bytearray(path.read_bytes())
        content[5] ^= 1
        path.write_bytes(bytes(content))
        return super().run(request, timeout_s=timeout_s)  # type: ignore[arg-type]


@pytest.mark.lengthy
def test_pixels_that_change_on_the_way_are_a_failure(place: Path) -> None:
    path = null_artifact(place)
    deployed = Deployed(variant=variant(), path=str(path), sha256=files.sha256(path))
    images = split(deployed.variant, "test", channels(deployed.variant))
    honest = evaluate.answers(images, deployed, NULL, 1, null.Here())
    assert len(honest.inputs_sha256) == 64
    with pytest.raises(AgentError, match="did not read the pixels that it was given"):
        evaluate.answers(images, deployed, NULL, 1, Blurring())


@pytest.mark.parametrize("outputs", [0, 1, 4, 39, 41, 4000])
def test_outputs_of_another_size_are_a_failure(outputs: int, place: Path) -> None:
    file = place / "outputs"
    file.write_bytes(bytes(outputs))
    with pytest.raises(AgentError, match="bytes of outputs, not 40"):
        evaluate._outputs(Inferred(count=1), file, 40)

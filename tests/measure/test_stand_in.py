"""Who answers a test split in a board's place, how the board checks it, and what a difference does to the row."""

import os
from collections.abc import Iterator
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import pytest

import edgebench
from edgebench.deploy import Deployed
from edgebench.deploy.bundle import bundle
from edgebench.deploy.connections import Connection, ssh
from edgebench.export import export
from edgebench.foundation import cache
from edgebench.foundation.cache import path_of
from edgebench.measure.evaluate import on_host, stand_in
from edgebench.results.journal import Journal
from edgebench.results.measurement import summarize
from edgebench.results.measurement.evidence import Evidence
from edgebench.results.measurement.verdict import Verdict, reasons
from edgebench.results.table.row import Row
from edgebench.results.table.rows import row
from edgebench.schema import quantization
from edgebench.schema.case import Case
from edgebench.schema.quantization import Quantization
from edgebench.schema.record import Accuracy, SpotCheck
from edgebench.schema.runtime import Runtime
from edgebench.schema.target import Target
from edgebench.schema.variant import Precision, Variant
from tests.conftest import artifact, case, session, variant
from tests.results.test_measurement import steady
from tests.support.board import Board, board, missing
from tests.support.command import cli
from tests.support.images import split
from tests.tasks.test_classification import FLOAT

SAME = SpotCheck(host="x86_64 avx512_vnni onnxruntime 1.31.1", images=32, agreed=32, difference=0.0)
OTHER = replace(SAME, agreed=20, difference=0.3)
TOML = 'board = "here"\nconnection = "ssh"\nruntimes = ["onnxruntime"]\npython = "{}"\n'
INSTALLED = Runtime(name="onnxruntime", version=version("onnxruntime"), options=("CPUExecutionProvider",))
needs_ssh = pytest.mark.skipif(bool(missing()), reason=f"needs {', '.join(missing())} (openssh-server)")


def evidence(spot: SpotCheck | None) -> Evidence:
    answered = replace(FLOAT, spot=spot)
    return Evidence(case=case(), session=session(), runs=steady(), artifact=artifact(), accuracy=answered)


def shown(of: Evidence) -> Row:
    return row(of, summarize(of))


def test_a_board_that_answers_as_the_host_did_keeps_its_verdict_and_the_row_says_who_answered() -> None:
    told = shown(evidence(SAME))
    quality = told.quality
    assert (told.verdict, quality.answered_by, quality.spot_images, quality.spot_difference) == (
        "VALID",
        "host",
        32,
        0.0,
    )
    alone = shown(evidence(None))
    quality = alone.quality
    assert (alone.verdict, quality.answered_by, quality.spot_images, quality.spot_difference) == (
        "VALID",
        "target",
        None,
        None,
    )


def test_a_board_that_answers_otherwise_makes_the_row_invalid() -> None:
    (found,) = reasons(evidence(OTHER))
    assert found.verdict == Verdict.INVALID
    assert found.text == (
        "the host computed the answers in this board's place, but the board's outputs differ from the host's by 30.0%,"
        " and 12 of 32 images change their class"
    )


@pytest.mark.parametrize(("difference", "verdict"), [(0.015, "VALID"), (0.025, "INVALID")])
def test_integers_may_be_rounded_otherwise_by_a_step(difference: float, verdict: str) -> None:
    quantized = replace(variant(), precision=Precision.INT8, quantization=Quantization())
    seen = evidence(replace(SAME, difference=difference))
    assert shown(replace(seen, case=case(quantized))).verdict == verdict


@pytest.fixture
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Board]:
    with board(tmp_path / "board") as started:
        monkeypatch.setenv("PATH", f"{started.folder}/bin{os.pathsep}{os.environ['PATH']}")
        yield started


@pytest.fixture
def connection(there: Board) -> Iterator[Connection]:
    target = Target(name="b", board="b", connection="ssh", runtimes=(), address=there.address, python=there.python)
    opened = ssh.open(target, bundle()[0])
    yield opened
    opened.close()


def deployed(of: Variant, connection: Connection | None = None) -> Deployed:
    card = export(of, "onnx", print)
    path = connection.push(path_of(card), card.sha256) if connection else str(path_of(card))
    return Deployed(variant=of, path=path, sha256=card.sha256)


@pytest.mark.slow
@needs_ssh
def test_a_spot_check_sees_another_file_there(connection: Connection) -> None:
    of: Case = replace(case(variant("lenet5", 1.0)), runtime=INSTALLED)
    host = stand_in.find(of, connection)
    assert host is not None
    mine, images = deployed(of.variant), split(of.variant, "test")
    same = stand_in.spot_check(of, images, deployed(of.variant, connection), mine, connection, host)
    assert (same.images, same.agreed, same.difference) == (32, 32, 0.0)
    other = deployed(replace(of.variant, architecture="lenet5_1998"), connection)
    unlike = stand_in.spot_check(of, images, replace(other, variant=of.variant), mine, connection, host)
    assert unlike.difference > 0.1


@pytest.mark.slow
@needs_ssh
def test_a_host_whose_integers_overflow_answers_for_nobody(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    quantized = replace(variant(), precision=Precision.INT8, quantization=Quantization())
    of = replace(case(quantized), runtime=INSTALLED)
    for saturates in (False, True):
        monkeypatch.setattr(quantization, "saturates", lambda facts, it=saturates: it)
        assert (stand_in.find(of, connection) is None) == saturates


@pytest.mark.slow
@needs_ssh
def test_a_run_over_ssh_is_answered_here_and_checked_there(there: Board) -> None:
    Path("targets").mkdir()
    Path("targets/loop.toml").write_text(TOML.format(there.python))
    command = "run --target loop --model lenet5 --resolution 32 --precision fp32,int8 --preset quick --jobs 2 --name b"
    done = cli(*command.split(), "--address", there.address)
    assert done.returncode == 0, done.stderr
    assert done.stderr.index("evaluate lenet5-1@32/int8") < done.stderr.index("measure 2 cases")
    kept = {on_host.accuracy(card).artifact_sha256 for card in cache.cards(on_host.Evaluated)}
    evaluated = {record.artifact_sha256 for record in Journal(Path("results/b")) if isinstance(record, Accuracy)}
    assert len(evaluated) == 2 and evaluated <= kept
    table = edgebench.load("results/b")
    assert table.answered_by.tolist() == ["host", "host"]
    assert table.spot_images.tolist() == [32, 32]
    assert table.spot_difference.tolist() == [0.0, 0.0]
    assert table[table.precision == "int8"].agreement.notna().all()
    assert "Accuracies of loop were evaluated on the host" in Path("results/b/comparison.md").read_text()

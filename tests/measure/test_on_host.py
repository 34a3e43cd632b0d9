"""Evaluations by this host: the same as the target's own, and only an answer to the very question is used."""

import json
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from edgebench.deploy import Deployed
from edgebench.deploy.connections.local import Local
from edgebench.deploy.connections.null import Here
from edgebench.foundation import cache
from edgebench.foundation.errors import CaseError
from edgebench.measure import evaluate, stage
from edgebench.measure.builders.work import Evaluation, File, Work
from edgebench.measure.evaluate import FloatAnswers, on_host, stand_in
from edgebench.schema.quantization import parse
from edgebench.schema.runtime import Runtime
from edgebench.schema.variant import Precision, Variant
from tests.conftest import case, session, variant
from tests.measure.test_stand_in import INSTALLED
from tests.support.images import split

FLOAT = variant("lenet5", 1.0, 32)
INT8 = replace(FLOAT, precision=Precision.INT8, quantization=parse("per_channel+reduce_range"))


def question(of: Variant = FLOAT, **changes: Any) -> on_host.Question:
    fields: dict[str, Any] = {
        "variant": of,
        "runtime": INSTALLED,
        "threads": 1,
        "channels": 1,
        "host": "x86_64 onnxruntime 1",
    }
    return on_host.Question(**fields | changes)


def test_an_evaluation_waits_for_its_files_and_int8_comes_right_after_its_float_file() -> None:
    floating, quantized = Evaluation(question=question()), Evaluation(question=question(INT8))
    other = Evaluation(question=question(replace(FLOAT, resolution=64)))
    own, parent = File(variant=INT8, format="onnx"), File(variant=FLOAT, format="onnx")
    work = Work.of([parent, own, quantized, other, floating])
    assert work.ready == [parent, other]
    done = []
    while work.ready:
        done.append(work.ready.pop(0))
        work.finish(done[-1])
    assert done == [parent, own, floating, quantized, other]
    assert not work.lacking and not work.waiting


def test_what_needs_a_file_that_cannot_be_made_is_left_to_its_case() -> None:
    work = Work.of([File(variant=FLOAT, format="onnx"), *(Evaluation(question=question(of)) for of in (FLOAT, INT8))])
    work.drop(work.ready.pop())
    assert not work.ready and not work.lacking and not work.waiting


@pytest.fixture(scope="module")
def answered(shared_cache: Any) -> dict[Variant, on_host.Evaluated]:
    """The evaluations of a float file and of its int8 file, as a builder makes them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EDGEBENCH_CACHE", str(shared_cache))
        made = {}
        for of in (FLOAT, INT8):
            evaluation = Evaluation(question=asked(of))
            evaluation.make(print)
            (made[of],) = (found for found in [evaluation.find()] if isinstance(found, on_host.Evaluated))
    return made


def asked(of: Variant) -> on_host.Question:
    environment, runtime = stand_in._same(INSTALLED.name, INSTALLED.version)
    host = stand_in.StandIn(connection=stand_in.host()[0], environment=environment, runtime=runtime)
    return on_host.Question.of(replace(case(of), runtime=INSTALLED), host, 1)


def files(of: Variant) -> on_host.Files:
    environment, _ = stand_in._same(INSTALLED.name, INSTALLED.version)
    return stage.files_of(asked(of).case, environment, print)


@pytest.mark.slow
@pytest.mark.parametrize("of", [FLOAT, INT8], ids=["float", "int8"])
def test_the_host_finds_what_the_target_finds_and_is_asked_once(
    of: Variant, answered: dict[Variant, on_host.Evaluated], shared_cache: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGEBENCH_CACHE", str(shared_cache))
    given = files(of)
    own, parent = (
        file and Deployed(variant=each, path=str(cache.path_of(file)), sha256=file.sha256)
        for file, each in ((given.own, of), (given.parent, FLOAT))
    )
    assert isinstance(own, Deployed)
    target = asked(of).case
    direct, _ = evaluate.evaluate(target, split(of, "test"), own, parent or None, Here(), FloatAnswers())
    kept = on_host.accuracy(answered[of])
    kept = replace(kept, reference_images=0, reference_agreement=None, reference_sqnr_db=None)
    assert kept == direct
    monkeypatch.setattr(evaluate, "evaluate", None)
    Evaluation(question=asked(of)).make(print)
    assert Evaluation(question=asked(of)).find() == answered[of]


LIES: dict[str, Callable[[dict[str, Any]], object]] = {
    "of another file": lambda fields: fields.update(artifact_sha256="0" * 64),
    "with another float file": lambda fields: fields.update(parent_sha256="1" * 64),
    "of another variant": lambda fields: fields["case"]["variant"].update(resolution=64),
    "with another runtime": lambda fields: fields["case"]["runtime"].update(version="0.1"),
    "by other code": lambda fields: fields.update(made_by="0"),
    "with more correct images than images": lambda fields: fields.update(correct=10**6),
    "without images": lambda fields: fields.update(images=0),
    "with a text for a number": lambda fields: fields.update(agreement="all"),
    "without its case": lambda fields: fields.pop("case"),
}


@pytest.mark.slow
@pytest.mark.parametrize("lie", [*LIES, "no accuracy", "no JSON"])
def test_an_answer_that_is_none_is_not_used(
    lie: str, answered: dict[Variant, on_host.Evaluated], shared_cache: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGEBENCH_CACHE", str(shared_cache))
    true = answered[INT8]
    path = cache.path_of(true)
    before = path.read_bytes()
    content = json.loads(before)
    if lie in LIES:
        LIES[lie](content["accuracy"])
    text = {"no accuracy": "{}", "no JSON": "{"}.get(lie, json.dumps(content))
    try:
        cache.receive(replace(true, sha256=sha256(text.encode()).hexdigest()), text.encode(), replaces=True)
        assert Evaluation(question=asked(INT8)).find() is None
    finally:
        cache.receive(true, before, replaces=True)
    assert Evaluation(question=asked(INT8)).find() == true


@pytest.mark.slow
def test_a_machine_of_another_kind_does_not_answer() -> None:
    other = Evaluation(question=question(host="aarch64 asimd onnxruntime 1.31.1"))
    with pytest.raises(CaseError, match="wanted a machine that evaluates as aarch64 asimd onnxruntime 1.31.1"):
        other.make(print)


@pytest.mark.parametrize(
    ("runtime", "facts", "answers"),
    [
        (INSTALLED, {}, True),
        (replace(INSTALLED, options=("CUDAExecutionProvider",)), {}, False),
        (replace(INSTALLED, packages=("onnxruntime==1.20.0",)), {}, False),
        (INSTALLED, {"device": "ethos-u55"}, False),
    ],
)
def test_a_target_answers_for_itself_beforehand_only_on_its_cpu_with_what_is_installed(
    runtime: Runtime, facts: dict[str, str], answers: bool
) -> None:
    here = replace(session().environment, facts={"machine": "x86_64", **facts})
    of = replace(case(FLOAT), runtime=runtime)
    assert bool(stand_in.itself(of, stand_in.host()[0], here)) == answers
    other = Local("/usr/bin/another-python", Path("agent.pyz"))
    assert [stand_in.itself(of, connection, here) for connection in (Here(), other)] == [None, None]


def test_an_answer_for_this_machine_alone_is_not_used_once_its_runtime_was_replaced() -> None:
    before, after = (
        replace(session().environment, facts={"machine": "x86_64"}, runtime_files={"onnxruntime": files})
        for files in ("1" * 64, "2" * 64)
    )
    of, here = replace(case(FLOAT), runtime=INSTALLED), stand_in.host()[0]
    hosts = [stand_in.itself(of, here, environment) for environment in (before, after)]
    questions = {on_host.Question.of(of, host, 1) for host in hosts if host}
    assert len(questions) == 2

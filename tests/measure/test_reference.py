"""An int8 file's own arithmetic: what it is, that it is computed once, and that a row says who computes another."""

from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import numpy
import onnx
import pytest
from onnx import version_converter
from onnx.reference import ReferenceEvaluator

from edgebench.agent import machine
from edgebench.agent.runtimes import onnxruntime
from edgebench.deploy import Deployed
from edgebench.deploy.trial import FILES
from edgebench.foundation import cache
from edgebench.measure import evaluate
from edgebench.measure.evaluate import Answers, reference, stand_in
from edgebench.results import measurement
from edgebench.results.measurement.evidence import Evidence
from edgebench.results.table import rows
from edgebench.results.table.columns import flat
from edgebench.schema.artifact import Artifact
from edgebench.schema.quantization import Quantization, overflows
from edgebench.schema.record import Accuracy
from edgebench.schema.runtime import Runtime
from edgebench.schema.variant import Precision, Variant
from tests.conftest import CPU, artifact, case, run, session, variant
from tests.support.images import split

lengthy = pytest.mark.lengthy
needs_litert = pytest.mark.skipif(not find_spec("ai_edge_litert"), reason="needs ai-edge-litert: edgebench[tflite]")
INT8 = replace(
    variant(resolution=32), classes=8, precision=Precision.INT8, quantization=Quantization(activations="int8")
)


@lengthy
@pytest.mark.parametrize("batch", [1, 4])
def test_onnxruntimes_reference_is_the_specifications(batch: int) -> None:
    images = numpy.random.default_rng(0).uniform(-1, 1, (4, 3, 32, 32)).astype("<f4")
    session = onnxruntime.open(str(FILES / "int8.onnx"), threads=1, batch=batch, options=(*CPU, "reference"))
    found = numpy.frombuffer(session.infer(images.tobytes(), images.shape, 8), "<f4").reshape(4, 8)
    model = version_converter.convert_version(onnx.load(FILES / "int8.onnx"), 21)  # the evaluator has no older int8
    (wanted,) = ReferenceEvaluator(model).run(None, {model.graph.input[0].name: images})
    step = numpy.diff(numpy.unique(wanted)).min()
    assert abs(found - wanted).max() < step / 2


@lengthy
def test_a_graph_of_integer_operators_has_no_reference(tmp_path: Path) -> None:
    node = onnx.helper.make_node("MatMulInteger", ["a", "b"], ["y"])
    graph = onnx.helper.make_graph([node], "g", [], [])
    path = tmp_path / "net.onnx"
    onnx.save(onnx.helper.make_model(graph), path)
    with pytest.raises(RuntimeError, match=r"wanted QuantizeLinear .* found MatMulInteger: leave \+reference out"):
        onnxruntime.open(str(path), threads=1, batch=1, options=(*CPU, "reference"))


def kept(format: str) -> Artifact:
    """The small int8 network of a format, in the cache."""

    def make(path: Path) -> Artifact:
        path.write_bytes((FILES / f"int8.{format}").read_bytes())
        return replace(artifact(), format=format, macs=1000)

    return cache.keep(f"small-{format}", f".{format}", Artifact, make)


def answered(made: Artifact, of: Variant, runtime: Runtime) -> Answers:
    deployed = Deployed(variant=of, path=str(cache.path_of(made)), sha256=made.sha256)
    return evaluate.answers(split(of, "test"), deployed, runtime, 1, stand_in.host()[0])


@lengthy
@pytest.mark.parametrize(
    ("format", "name", "options"),
    [("onnx", "onnxruntime", CPU), pytest.param("tflite", "litert", (), marks=needs_litert)],
)
def test_a_runtime_is_compared_with_the_files_own_arithmetic_which_is_computed_once(
    format: str, name: str, options: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    made, images = kept(format), split(INT8, "test")
    outputs = answered(made, INT8, Runtime(name=name, version="", options=options))
    found = reference.figures(made, INT8, images, outputs)
    assert found["reference_images"] == reference.MOST
    assert found["reference_agreement"] > 0.9
    is_close = found["reference_sqnr_db"] is None or found["reference_sqnr_db"] > 25  # None: all outputs are equal
    assert is_close != overflows(INT8.quantization, format, machine.identity()), found
    monkeypatch.setattr(evaluate, "answers", None)
    assert reference.figures(made, INT8, images, outputs) == found
    halved = numpy.concatenate([*outputs.rows(1000)]) / 2  # as if half of each sum were lost
    with TemporaryFile(buffering=0) as stream:
        stream.write(halved.astype("<f4").tobytes())
        lossy = reference.figures(made, INT8, images, replace(outputs, stream=stream))
    assert lossy["reference_sqnr_db"] == pytest.approx(6.0, abs=1)


def test_a_float_file_and_an_unknown_format_have_no_reference() -> None:
    float_ = replace(INT8, precision=Precision.FP32, quantization=None)
    nothing: Any = None
    assert reference.figures(artifact(), float_, nothing, nothing) == {}
    assert reference.figures(replace(artifact(), format="torch"), INT8, nothing, nothing) == {}


@pytest.mark.parametrize(
    ("macs", "images", "count"), [(1000, 600, 32), (10**7, 600, 25), (10**11, 600, 2), (1000, 3, 3)]
)
def test_large_networks_are_compared_on_fewer_images(macs: int, images: int, count: int) -> None:
    places = reference._places(images, macs)
    assert (len(places), places[0], places[-1]) == (count, 0, images - 1)


@pytest.mark.parametrize(("sqnr_db", "is_said"), [(None, False), (45.0, False), (8.0, True)])
def test_a_row_says_if_its_runtime_computes_something_else(sqnr_db: float | None, is_said: bool) -> None:
    known = case()
    compared = Accuracy(
        case=known, session="s", epoch="e", artifact_sha256="a", dataset="digits", images=600, correct=500,
        reference_images=32, reference_agreement=0.75, reference_sqnr_db=sqnr_db,
    )  # fmt: skip
    evidence = Evidence(case=known, session=session(), runs=(run(),), artifact=artifact(), accuracy=compared)
    row = rows.row(evidence, measurement.summarize(evidence))
    assert (flat(row)["reference_agreement"], flat(row)["reference_sqnr_db"]) == (75.0, sqnr_db)
    assert ("the file's own arithmetic" in row.reasons) == is_said

"""The page of one artifact: what it says of recorded answers, and the command on real files."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from edgebench import export
from edgebench.analysis import evaluate
from edgebench.export import lookup
from edgebench.foundation import cache, provenance
from edgebench.foundation.errors import RequestError
from edgebench.schema.artifact import Artifact, LayerNoise
from edgebench.schema.quantization import Quantization
from edgebench.schema.record import Accuracy
from edgebench.schema.variant import Precision, Variant, WeightSource
from tests.conftest import artifact, case, make_cache, variant
from tests.support.command import cli
from tests.tasks.test_classification import INT8

TRAINED = case(replace(variant(weights=WeightSource.TRAINED), precision=Precision.INT8, quantization=Quantization()))
ANSWERED = replace(INT8, case=TRAINED)
CARD = artifact(
    variant=str(TRAINED.variant),
    quantization=Quantization(),
    integer_share=0.97,
    float_nodes=("LRN norm1",),
    layers=(
        LayerNoise(name="stem", operator="Conv", sqnr_db=38.0, lost_db=2.0),
        LayerNoise(name="blocks.3", operator="Add", sqnr_db=20.0, lost_db=18.0),
        LayerNoise(name="classifier", operator="Gemm", sqnr_db=None, lost_db=-1.0),
    ),
)


@pytest.fixture(scope="module")
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache of this file's own: what other files train answers to the same names."""
    return make_cache(tmp_path_factory, "audited")


def int8(width: float = 0.25, **how: object) -> Variant:
    of = variant("mobilenet_v1", width, 32)
    return replace(of, precision=Precision.INT8, quantization=Quantization(**how))  # type: ignore[arg-type]


def page(card: Artifact, answered: Accuracy) -> dict[str, dict[str, tuple[str, ...]]]:
    """Every sheet by title, its rows by their first cell."""
    return {sheet.title: {row[0]: row[1:] for row in sheet.rows} for sheet in evaluate.sheets(card, answered)}


def test_accuracies_stand_with_their_intervals_and_the_parents_below() -> None:
    (shares, *_) = page(CARD, ANSWERED).values()
    assert shares == {
        "top-1": ("566", "600", "94.3", "92.2", "95.9"),
        "top-5": ("600", "600", "100.0", "99.4", "100.0"),
        "top-1 of the float parent": ("567", "600", "94.5", "92.4", "96.1"),
    }


def test_what_600_images_cannot_tell_apart_is_said_with_the_number_that_could() -> None:
    sheet = next(sheet for sheet in evaluate.sheets(CARD, ANSWERED) if sheet.title == "against its float parent")
    rows = {row[0]: row[1] for row in sheet.rows}
    assert rows["McNemar's exact p"] == "1"
    assert rows["images needed for significance"] == "32963"
    assert sheet.notes[0].startswith("The difference in accuracy on 600 images is not significant at 5 %")


def test_layers_come_worst_first() -> None:
    layers = page(CARD, ANSWERED)["layers, worst first"]
    assert list(layers.items()) == [
        ("blocks.3", ("Add", "20.0", "+18.0")),
        ("stem", ("Conv", "38.0", "+2.0")),
        ("classifier", ("Gemm", "-", "-1.0")),
    ]


def test_float_operators_are_named_with_the_share_that_is_integer() -> None:
    sheet = evaluate.sheets(CARD, ANSWERED)[-1]
    assert sheet.rows == (("LRN", "norm1"),)
    assert sheet.notes == ("97.0% of the MACs are computed in integers.",)


def test_a_collapse_is_said_beside_the_agreement_that_shows_it() -> None:
    sheet = evaluate.sheets(CARD, replace(ANSWERED, agreement=0.1))[1]
    assert sheet.notes[0].startswith("INVALID: int8 collapsed: 10% of its answers equal its float parent's")


def test_a_float_artifact_has_one_sheet() -> None:
    answered = replace(ANSWERED, agreement=None, sqnr_db=None, parent_correct=None)
    assert len(evaluate.sheets(artifact(), answered)) == 1


def test_random_weights_have_no_accuracy_but_an_agreement() -> None:
    answered = replace(ANSWERED, case=case(int8()))
    sheets = evaluate.sheets(CARD, answered)
    assert (sheets[0].rows, sheets[0].notes[0]) == ((), "no accuracy: the weights are random")
    assert [row[0] for row in sheets[1].rows] == ["same top-1 answer, %", "SQNR of the outputs, dB"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mobilenet_v1-0.25@32/int8", "mobilenet_v1-0.25@32-int8"])
def test_a_cached_artifact_is_evaluated_by_its_variants_name(name: str) -> None:
    export.export(int8(), "onnx", print)
    done = cli("evaluate", name, "--json", "--quiet")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    of_labels = ("confidence", "reliability")  # its weights are random
    tables = [table for table in evaluate.TABLES if table not in of_labels]
    assert [*answer] == ["version", "command", "title", *tables, "notes"]
    assert len(answer["layers"]) == 29  # 27 convolutions, the pool, the linear layer
    assert "100.0% of the MACs are computed in integers." in answer["notes"]


@pytest.mark.slow
def test_a_files_name_may_be_cut_off_in_its_hash() -> None:
    card = export.export(int8(), "onnx", print)
    assert lookup.named(card.file) == lookup.named(card.file[:-12]) == card


@pytest.mark.slow
def test_several_artifacts_of_a_name_are_listed_and_none_is_picked() -> None:
    cards = [export.export(replace(int8(0.5), classes=classes), "onnx", print) for classes in (10, 11)]
    with pytest.raises(RequestError, match=r"wanted one artifact, found 2 named mobilenet_v1-0\.5@32/int8") as raised:
        lookup.named("mobilenet_v1-0.5@32/int8")
    assert all(cache.path_of(card).stem in str(raised.value) for card in cards)


@pytest.mark.slow
def test_a_whole_name_is_no_beginning_of_a_longer_one() -> None:
    ordinary, other = (export.export(int8(0.6, equalized=flag), "onnx", print) for flag in (False, True))
    assert lookup.named("mobilenet_v1-0.6@32/int8") == ordinary
    assert lookup.named("mobilenet_v1-0.6@32/int8-per_channel+equalized") == other


@pytest.mark.slow
def test_an_artifact_of_weights_that_are_gone_is_not_compared() -> None:
    of = replace(int8(0.45), weights=WeightSource.TRAINED)
    cache.put("stale", artifact(variant=str(of), of=of, quantization=of.quantization, weights_sha256="other"))
    done = cli("evaluate", "mobilenet_v1-0.45@32/int8")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert done.stderr.endswith(
        "with the same weights, but the cache lacks them now; run `edgebench run --model mobilenet_v1 --width 0.45"
        " --resolution 32 --precision int8 --quantization per_channel --weights trained --dataset digits`\n"
    )


@pytest.mark.slow
def test_an_artifact_of_an_older_edgebench_gives_way_to_todays(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as before:
        before.setattr(provenance, "source", lambda *modules: "older")
        older = export.export(int8(0.75), "onnx", print)
        assert lookup.named("mobilenet_v1-0.75@32/int8") == older
    newer = export.export(int8(0.75), "onnx", print)
    assert lookup.named("mobilenet_v1-0.75@32/int8") == newer != older


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "mobilenet_v1-0.3@64/int8",
            "no artifact mobilenet_v1-0.3@64/int8 in the cache; make it with"
            " `edgebench run --model mobilenet_v1 --width 0.3 --resolution 64 --precision int8`",
        ),
        (
            "mobilenet_v1-0.3@64/int8-equalized+per_tensor-0123456789abcdef.onnx",
            "--resolution 64 --precision int8 --quantization per_tensor+equalized`",
        ),
        ("mobilenet_v1-0.3@64", "--model mobilenet_v1 --width 0.3 --resolution 64`"),
        ("nonsense", "no artifact 'nonsense' (has "),
    ],
)
def test_what_is_not_cached_is_one_line_that_says_how_to_make_it(name: str, message: str) -> None:
    done = cli("evaluate", name)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert message in done.stderr


def test_an_unknown_form_is_refused_before_anything_runs() -> None:
    done = cli("evaluate", "nonsense", "--format", "xml")
    assert (done.returncode, done.stderr) == (2, "edgebench: no format 'xml' (has table, md, csv, latex, json)\n")

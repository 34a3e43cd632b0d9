"""A detector is trained on scenes: from scratch or from a base, and goes on after a kill."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from edgebench import train
from edgebench.foundation import cache
from edgebench.foundation.errors import CaseError, RequestError
from edgebench.foundation.progress import Notice, Show, Step
from edgebench.foundation.shelf import literal, load, names
from edgebench.images.splits import why_no_accuracy, wrong_task
from edgebench.measure.plan.check import check
from edgebench.networks.build import build
from edgebench.schema.names import bundled_dataset, datasets_for, task
from edgebench.schema.sweep import Model, Sweep
from edgebench.schema.variant import Precision, Variant
from edgebench.train import Options, base
from tests.conftest import needs_torch
from tests.support.command import cli

DETECTOR = Variant(
    architecture="mobilenet_v1_det",
    width=0.25,
    resolution=32,
    precision=Precision.FP32,
    classes=10,
    weights="trained",
    dataset="scenes",
)


def silent(_: Step | Notice) -> None: ...


def stopped_after(epochs: int) -> Show:
    """A listener that interrupts when so many epochs are done."""

    def show(event: Step | Notice) -> None:
        if isinstance(event, Step) and event.done >= epochs:
            raise KeyboardInterrupt

    return show


@pytest.mark.slow
def test_a_training_that_was_killed_ends_in_the_same_weights(place: Path) -> None:
    options = Options(epochs=2)
    whole = train.train(DETECTOR, silent, options)
    assert whole.recipe.startswith("from scratch, 2 epochs of 1000 images at 32 px")
    assert (whole.top1, list(whole.metrics), whole.images) == (0.0, ["map"], 500)
    cache.path_of(whole).unlink()
    with pytest.raises(KeyboardInterrupt):
        train.train(DETECTOR, stopped_after(1), options)
    told: list[Step | Notice] = []
    again = train.train(DETECTOR, told.append, options)
    assert any(isinstance(event, Notice) and "resumes after epoch 1 of 2" in event.text for event in told)
    assert again.sha256 == whole.sha256


@pytest.mark.slow
def test_a_base_of_the_width_is_where_training_starts(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGEBENCH_CACHE", str(tmp_path / "own"))  # no other test starts from this base
    unshipped = replace(DETECTOR, width=0.75)
    before = train._stem(unshipped, Options())
    assert train._base(unshipped, Options()) is None
    path = base.made() / "mobilenet_v1_det-0.75.npz"
    path.write_bytes(content := base.packed(build(replace(unshipped, resolution=96))))
    path.with_suffix(".json").write_text(json.dumps({"sha256": hashlib.sha256(content[:-1]).hexdigest()}))
    assert train._base(unshipped, Options()) is None  # it is damaged
    path.with_suffix(".json").write_text(json.dumps({"sha256": hashlib.sha256(content).hexdigest()}))
    assert train._base(unshipped, Options()) == path
    assert train._base(replace(unshipped, width=0.85), Options()) is None
    assert train._base(replace(unshipped, classes=9), Options()) is None
    assert train._base(unshipped, Options(epochs=3)) is None  # a trial at the resolution itself
    assert train._stem(unshipped, Options()) != before
    recipe = train._recipe(unshipped, Options(), is_tuned=True)
    assert recipe.epochs == 12
    described = train._described(unshipped, None, recipe, path)
    assert described.startswith("the base mobilenet_v1_det-0.75 at 96 px, then 12 epochs of 1000 images at 32 px")


def test_the_shipped_bases_are_whole_and_are_used(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEBENCH_CACHE", str(tmp_path / "own"))
    for name, width in base.NETWORKS:
        assert base.find(name, width, base.CLASSES) == base.SHIPPED / f"{base.stem(name, width)}.npz"
    assert base.find("mobilenet_v1_det", 0.75, base.CLASSES) is None


@pytest.mark.parametrize("kind", ["flip", "shift"])
def test_what_would_move_boxes_is_refused(kind: str) -> None:
    with pytest.raises(CaseError) as caught:
        train.require_small(DETECTOR, Options(augmentation=(kind,)))
    assert str(caught.value) == f"{kind} would make the labels of detection wrong; use --augmentation none"


HEADED = [  # networks that start from the features of another network's base, and add heads
    name for name in names("architectures") if literal("architectures", name, "BASE")
]


@pytest.mark.slow
@pytest.mark.parametrize("model", HEADED)
def test_new_heads_train_at_the_full_rate_and_the_features_of_a_base_at_a_share_of_it(model: str) -> None:
    variant = replace(DETECTOR, architecture=model, dataset=bundled_dataset(model), width=0.5)
    plugin, base_file = load("tasks", task(model)), train._base(variant, Options())
    recipe = train._recipe(variant, Options(), is_tuned=bool(base_file))
    assert (recipe.rate, recipe.of_features) == (train.RATES["adamw"][0], plugin.OF_FEATURES)
    assert f"rate 0.01, features {0.01 * plugin.OF_FEATURES:g};" in train._described(variant, None, recipe, base_file)
    course = train._course(variant, None, recipe, base_file)
    rates = {id(values): group["max_lr"] for group in course.optimizer.param_groups for values in group["params"]}
    for name, values in course.network.named_parameters():
        share = plugin.OF_FEATURES if name.startswith("features.") else 1.0
        assert rates[id(values)] == pytest.approx(recipe.rate * share)
    assert train._recipe(variant, Options(epochs=2), is_tuned=False).of_features == 1.0


PUBLISHED = [  # detectors and segmenters without base weights of this package
    name
    for name in names("architectures")
    if task(name) in ("detection", "segmentation")
    and (literal("architectures", name, "BASE") or name) not in dict(base.NETWORKS)
]


@pytest.mark.slow
@pytest.mark.parametrize("model", PUBLISHED)
def test_a_run_does_not_train_a_published_detector_or_segmenter(model: str) -> None:
    plugin = load("architectures", model)
    with pytest.raises(CaseError) as refused:
        train.require_small(
            replace(DETECTOR, architecture=model, width=1.0, resolution=plugin.RESOLUTIONS[model][0]), Options()
        )
    text = str(refused.value)
    assert "\n" not in text
    assert text.endswith("use --weights random, or a file")
    assert ("not trained here" in text) == bool(literal("architectures", model, "DECODER"))


def test_the_published_detectors_and_segmenters_are_all_tested() -> None:
    assert len(PUBLISHED) == 11


BUNDLED = ("digits", "scenes", "scenes_single")


@needs_torch
@pytest.mark.parametrize("dataset", BUNDLED)
@pytest.mark.parametrize("model", names("architectures"))
def test_a_data_set_without_the_truth_for_a_network_is_refused_before_anything_runs(model: str, dataset: str) -> None:
    sweep = Sweep(models=(Model(name=model),), dataset=dataset, runtimes=("onnxruntime",), resolutions=(64,))
    if task(model) in literal("datasets", dataset, "TASKS"):
        assert wrong_task(model, dataset) == ""
        return check(sweep)
    with pytest.raises(RequestError) as caught:
        check(sweep)
    text = str(caught.value)
    if task(model) == "score_map":  # of which no data set has the truth
        assert (
            text == f"{model} gives a map of scores, for which no data set has labels; use --weights random, or a file"
        )
        return check(replace(sweep, weights="random"))
    assert text.startswith(f"{model} is for {task(model)}, and {dataset} has no labels for it; use --dataset ")
    assert "\n" not in text
    assert all(name in text for name in datasets_for(task(model)) if name != "null")
    check(replace(sweep, weights="random"))  # measured, without an accuracy
    variant = replace(DETECTOR, architecture=model, dataset=dataset)
    assert why_no_accuracy(variant) == f"no accuracy: {text}"
    assert why_no_accuracy(replace(variant, weights="random")) == "no accuracy: the weights are random"
    return None


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (
            ("--base", "--model", "vgg16", "--width", "1"),
            "no detector 'vgg16' (has mobilenet_v1_det, mobilenet_v2_det)",
        ),
        (("--base", "--model", "mobilenet_v1_det"), "wanted --width with --base --model, found none; add --width 0.25"),
        (("--base", "--device", "tpu"), "no device 'tpu' (has cpu, cuda); did you mean 'cpu'?"),
        (("--base", "--width", "0"), "width 0 of mobilenet_v1_det: wanted more than 0, at most 4"),
        (("--device", "cpu"), "--device is for --base, found --device cpu without --base; leave it out"),
    ],
)
def test_impossible_bases_are_refused_in_one_line(words: tuple[str, ...], text: str) -> None:
    done = cli("train", *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"edgebench: {text}\n"

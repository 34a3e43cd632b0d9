"""Training: the same weights from the same seed, kept by what they depend on, resumed and refused."""

from dataclasses import replace
from xml.etree import ElementTree

import pytest

from edgebench import pipeline, train
from edgebench.foundation import cache, files
from edgebench.foundation.errors import CaseError
from edgebench.foundation.progress import Notice, Show, Step
from edgebench.networks.build import build
from edgebench.schema.cards import Weights
from edgebench.schema.sweep import Model, Sweep
from edgebench.schema.variant import WeightSource
from edgebench.train import Options
from edgebench.train.course import SPREAD, initialize
from tests.conftest import variant

pytestmark = pytest.mark.slow

SMALL = variant("mobilenet_v1", 0.25, 40, weights=WeightSource.TRAINED)
LENET = variant("lenet5", 1.0, 32, weights=WeightSource.TRAINED)


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    monkeypatch.setenv(files.HOME_VARIABLE, str(tmp_path_factory.mktemp("own-cache")))
    monkeypatch.setattr(train, "BASE_EPOCHS", 2)
    monkeypatch.setattr(train, "EPOCHS", 1)


def test_training_is_seeded_cached_and_says_what_it_did() -> None:
    told: list[Step] = []
    first = train.train(SMALL, told.append)  # type: ignore[arg-type]
    assert train.find(SMALL) == first
    assert first.recipe.startswith("2 epochs at 32 px, rate 0.01, then 1 epochs at 40 px")
    assert (first.dataset, first.images) == ("digits", 600)
    assert first.top1 > 0.2  # ten classes: chance is 0.1, and three epochs already know more
    assert list(dict.fromkeys((step.subject, step.done, step.total) for step in told)) == [
        ("mobilenet_v1-0.25@32", 0, 2),
        ("mobilenet_v1-0.25@32", 1, 2),
        ("mobilenet_v1-0.25@32", 2, 2),
        ("mobilenet_v1-0.25@40", 0, 1),
        ("mobilenet_v1-0.25@40", 1, 1),
    ]


def test_a_network_too_large_to_train_here_is_a_failed_case_that_says_what_to_do() -> None:
    with pytest.raises(CaseError, match="training vgg16 at 224 px takes .* multiply-adds.*use --weights random"):
        train.train(variant("vgg16", 1.0, 224, weights=WeightSource.TRAINED), lambda _: None)


def test_a_grey_network_is_trained_on_grey_images() -> None:
    weights = train.train(LENET, lambda _: None)
    assert weights.recipe.startswith("2 epochs at 32 px")
    assert weights.top1 > 0.2


def test_damaged_weights_are_not_used() -> None:
    weights = train.train(LENET, lambda _: None)
    assert train.find(LENET) == weights
    with cache.path_of(weights).open("ab") as stream:
        stream.write(b"x")
    assert train.find(LENET) is None


VARIED = Options(epochs=3, optimizer="sgd", batch=64, augmentation=("flip", "shift"))


def killed_in(epoch: int) -> Show:
    """Interrupt the training when it comes to an epoch."""

    def show(event: Step | Notice) -> None:
        if isinstance(event, Step) and event.done == epoch:
            raise KeyboardInterrupt

    return show


@pytest.mark.parametrize("options", [Options(epochs=3), VARIED])
def test_a_killed_training_goes_on_and_ends_in_the_same_weights(
    options: Options, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Step | Notice] = []
    with pytest.raises(KeyboardInterrupt):
        train.train(LENET, killed_in(2), options)
    assert train.find(LENET, options) is None
    resumed = train.train(LENET, told.append, options)
    assert told[0] == Notice(text="lenet5-1@32 resumes after epoch 2 of 3")
    assert list(files.folder("training").iterdir()) == []
    monkeypatch.setenv(files.HOME_VARIABLE, str(tmp_path_factory.mktemp("another-cache")))
    assert train.train(LENET, lambda _: None, options) == resumed


def test_what_was_kept_of_another_recipe_is_not_gone_on_with() -> None:
    told: list[Step | Notice] = []
    with pytest.raises(KeyboardInterrupt):
        train.train(LENET, killed_in(1), Options(epochs=3))
    train.train(LENET, told.append, Options(epochs=2))
    assert not any(isinstance(event, Notice) for event in told)


def test_a_damaged_checkpoint_means_training_from_the_start() -> None:
    with pytest.raises(KeyboardInterrupt):
        train.train(LENET, killed_in(1), Options(epochs=2))
    (kept,) = files.folder("training").iterdir()
    kept.write_bytes(kept.read_bytes()[:1000])
    assert train.train(LENET, lambda _: None, Options(epochs=2)).top1 > 0.2


def test_what_was_asked_for_is_trained_once_and_something_else_anew() -> None:
    weights = train.train(LENET, lambda _: None, VARIED)
    assert "SGD, one cycle, batch 64, weight decay 0.0001, images flip and shift" in weights.recipe
    assert train.find(LENET, VARIED) == train.find(LENET, replace(VARIED, requested=True)) == weights
    assert train.find(LENET, Options(epochs=2)) is None


def test_a_trial_leaves_the_ordinary_weights_as_they_are_and_is_not_fine_tuned_from() -> None:
    base = replace(SMALL, resolution=32)
    trial = train.train(base, lambda _: None, Options(epochs=1, optimizer="sgd"))
    assert train.find(base) is None
    ordinary = train.train(SMALL, lambda _: None)
    assert ordinary.recipe.startswith("2 epochs at 32 px, rate 0.01, then 1 epochs at 40 px")
    assert train.find(base, Options(epochs=1, optimizer="sgd")) == trial != train.find(base)
    sgd = train.train(SMALL, lambda _: None, Options(optimizer="sgd"))
    assert sgd.recipe.startswith("2 epochs at 32 px, rate 0.05, then 1 epochs at 40 px, rate 0.01; SGD")
    assert train.find(SMALL) == ordinary
    assert len(cache.cards(Weights)) == 5


def test_only_what_differs_from_the_ordinary_recipe_is_another_one() -> None:
    assert train.is_ordinary(LENET, Options(requested=True, augmentation=()))  # digits are never mirrored
    assert not train.is_ordinary(LENET, Options(augmentation=("flip",)))


def test_a_trial_says_how_it_is_used() -> None:
    told: list[Step | Notice] = []
    sweep = Sweep(models=(Model(name="lenet5"),), resolutions=(32,))
    (weights,) = pipeline.train(sweep, Options(epochs=1, requested=True), told.append).weights
    assert told[-1] == Notice(
        text=f"run uses weights trained without options; use these with --weights {cache.path_of(weights)}"
    )
    told.clear()
    pipeline.train(sweep, Options(requested=True), told.append)
    assert not any(isinstance(event, Notice) for event in told)


def test_the_curves_are_drawn_beside_the_weights_and_time_left_is_told_once_an_epoch_is_done() -> None:
    told: list[Step | Notice] = []
    weights = train.train(LENET, told.append, Options(epochs=3))
    left = [event.left_s for event in told if isinstance(event, Step) and event.done == 1]
    assert left and all(value is not None and value > 0 for value in left)
    assert not [event for event in told if isinstance(event, Notice)]  # it learns
    drawing = ElementTree.parse(cache.path_of(weights).with_suffix(".svg")).getroot()
    lines = drawing.findall("{http://www.w3.org/2000/svg}polyline")
    assert [len(line.attrib["points"].split()) for line in lines] == [3, 3, 3]
    assert "lenet5-1@32 on digits" in "".join(drawing.itertext())


def test_a_network_without_parameters_has_nothing_to_train() -> None:
    sweep = Sweep(models=(Model(name="null"),), resolutions=(32,))
    trained = pipeline.train(sweep, Options(requested=True), lambda _: None)
    assert trained.failures == ("null-1@32: null has no parameters to train; use --weights none",)


def test_a_training_that_diverges_is_a_failed_case_and_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    hopeless = Options(optimizer="sgd", rate=1e30, epochs=2)
    with pytest.raises(CaseError, match=r"training diverged in epoch 1: the loss is (nan|inf); use a smaller --rate"):
        train.train(LENET, lambda _: None, hopeless)
    assert train.find(LENET, hopeless) is None
    assert not list(files.folder("weights").glob("*.pt"))


def test_the_momentum_of_sgd_is_the_one_that_is_named() -> None:
    from edgebench.networks.build import build
    from edgebench.tasks import classification
    from edgebench.train import course
    from tests.support.images import split

    images = split(LENET, "calibration")
    recipe = course.Recipe(epochs=1, rate=0.01, optimizer="sgd")
    trained = course.Course(
        network=build(LENET), recipe=recipe, images=images, held_out=images, task=classification, classes=10
    )
    seen = [trained.optimizer.param_groups[0]["momentum"] for _ in trained.epoch()]
    assert seen and set(seen) == {course.MOMENTUM}


def test_images_are_varied_within_their_frame() -> None:
    import torch

    from edgebench.train.course import augmented

    images = torch.arange(2 * 3 * 16 * 16, dtype=torch.float32).reshape(2, 3, 16, 16)
    random = torch.Generator().manual_seed(1)
    assert torch.equal(augmented(images, (), random), images)
    flipped = augmented(images.repeat(50, 1, 1, 1), ("flip",), random)
    share = sum(torch.equal(one, images[place % 2].flip(2)) for place, one in enumerate(flipped)) / 100
    assert 0.3 < share < 0.7
    shifted = augmented(images, ("shift",), random)
    assert shifted.shape == images.shape
    assert set(shifted.flatten().tolist()) <= set(images.flatten().tolist())


def test_the_drawing_is_well_formed_whatever_it_is_called() -> None:
    from edgebench.train.curves import draw

    drawn = ElementTree.fromstring(draw("a < b & c", [0.0, 0.0], {"top-1 <5>": [0.5, 0.25]}))
    texts = "".join(drawn.itertext())
    assert "a < b & c" in texts
    assert "top-1 <5>" in texts


@pytest.mark.parametrize(
    ("name", "resolution", "share"),
    [
        ("lenet5", 32, 1.0), ("sample_cnn", 28, 1.0), ("mobilenet_v1", 32, 1.0), ("vgg11_bn", 224, 1.0),
        ("resnet18", 64, 1.0), ("vgg11", 224, 0.1), ("alexnet", 224, 0.1), ("zfnet", 224, 0.1), ("all_cnn", 32, 0.1),
    ],
)  # fmt: skip
def test_deep_networks_without_batch_norm_train_at_a_tenth_of_the_rate(
    name: str, resolution: int, share: float
) -> None:
    of = variant(name, 1.0, resolution, weights=WeightSource.TRAINED)
    assert train._recipe(of, Options(), is_tuned=False).rate == pytest.approx(share * train.RATES["adamw"][0])
    assert train._recipe(of, Options(rate=0.5), is_tuned=False).rate == 0.5


@pytest.mark.slow
@pytest.mark.parametrize("name", ["googlenet_paper", "all_cnn"])
def test_a_signal_does_not_fade_in_a_deep_network_without_batch_norm(name: str) -> None:
    import torch

    network = build(of := variant(name, 1.0, 32, weights=WeightSource.TRAINED)).eval()
    assert train._is_delicate(of)
    images = torch.rand(8, 3, 32, 32, generator=torch.Generator().manual_seed(1)) * 2 - 1
    torch.manual_seed(0)
    with torch.no_grad():
        before = network(images).std(0).mean()  # how much the outputs depend on the image
        initialize(network)
        scores = network(images)
    assert before < 1e-4
    ends_in_relu = name == "all_cnn"  # a ReLU passes no gradient below 0
    assert 1e-2 < scores.std(0).mean() / (SPREAD if ends_in_relu else 1) < 10
    assert not ends_in_relu or (scores > 0).all()


def test_shares_are_drawn_on_an_axis_from_0_to_1() -> None:
    from edgebench.train.curves import HEIGHT, MARGIN, draw

    drawn = ElementTree.fromstring(draw("net", [2.3, 1.1], {"top-1": [0.08, 0.1]}))
    loss, share = (line.attrib["points"].split() for line in drawn.iter("{http://www.w3.org/2000/svg}polyline"))
    plot = HEIGHT - 2 * MARGIN
    assert float(share[1].split(",")[1]) == pytest.approx(HEIGHT - MARGIN - 0.1 * plot, abs=0.1)
    assert float(loss[0].split(",")[1]) == pytest.approx(MARGIN, abs=0.1)
    texts = [text.text for text in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert {"0", "0.25", "0.5", "0.75", "1", "2.3"} <= {*texts}  # the loss has the right axis


def test_a_training_that_learns_nothing_says_so_after_its_first_epochs() -> None:
    told = list[Step | Notice]()
    train.train(LENET, told.append, Options(epochs=3, rate=1.0))
    (warning,) = (event.text for event in told if isinstance(event, Notice))
    assert "after epoch 3 of 3" in warning and "no better than chance" in warning and "smaller --rate than 1" in warning

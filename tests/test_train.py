import pytest

from edgebench import cache, train
from edgebench.errors import CaseError
from edgebench.progress import Step
from edgebench.spec import Weighting
from tests.conftest import variant

pytestmark = pytest.mark.slow

SMALL = variant("mobilenet_v1", 0.25, 40, weights=Weighting.TRAINED)


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    monkeypatch.setenv(cache.HOME_VARIABLE, str(tmp_path_factory.mktemp("own-cache")))
    monkeypatch.setattr(train, "BASE_EPOCHS", 2)
    monkeypatch.setattr(train, "EPOCHS", 1)


def test_training_is_seeded_cached_and_says_what_it_did() -> None:
    told: list[Step] = []
    first = train.train(SMALL, told.append)  # type: ignore[arg-type]
    assert train.find(SMALL) == first
    assert first.recipe.startswith("2 epochs at 32 px, rate 0.01, then 1 epochs at 40 px")
    assert (first.dataset, first.images) == ("digits", 600)
    assert first.top1 > 0.2  # ten classes: chance is 0.1, and three epochs already know more
    assert [(step.subject, step.done, step.total) for step in told] == [
        ("mobilenet_v1-0.25@32", 0, 2),
        ("mobilenet_v1-0.25@32", 1, 2),
        ("mobilenet_v1-0.25@40", 0, 1),
    ]


def test_a_network_too_large_to_train_here_is_a_failed_case_that_says_what_to_do() -> None:
    with pytest.raises(CaseError, match="training vgg16 at 224 px takes .* multiply-adds.*use --weights random"):
        train.train(variant("vgg16", 1.0, 224, weights=Weighting.TRAINED), lambda _: None)


def test_a_grey_network_is_trained_on_grey_images() -> None:
    weights = train.train(variant("lenet5", 1.0, 32, weights=Weighting.TRAINED), lambda _: None)
    assert weights.recipe.startswith("2 epochs at 32 px")
    assert weights.top1 > 0.2


def test_damaged_weights_are_not_used() -> None:
    weights = train.train(SMALL, lambda _: None)
    with cache.path_of(weights).open("ab") as stream:
        stream.write(b"x")
    assert train.find(SMALL) is None

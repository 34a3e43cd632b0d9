"""Networks that answer with maps: the shift of an image shifts the map, and a window's scores are those of the map."""

import pytest

from edgebench.analysis.sliding import normalize
from edgebench.cli.reader import CONVOLUTIONAL
from edgebench.foundation.errors import RequestError
from edgebench.foundation.shelf import load, names
from edgebench.networks.describe import describe
from edgebench.train import base
from tests.support.command import cli

pytestmark = pytest.mark.slow

SEGMENTERS = [name for name in names("architectures") if name.endswith("_seg")]  # the published ones have one width
TURNED = [name.removesuffix(CONVOLUTIONAL) for name in names("architectures") if name.endswith(CONVOLUTIONAL)]


def built(name: str, width: float, classes: int, resolution: int):  # type: ignore[no-untyped-def]  # imports torch
    import torch

    torch.manual_seed(0)
    return load("architectures", name).build(name, width, classes=classes, resolution=resolution).eval()


@pytest.mark.parametrize("resolution", [32, 64, 97, 100])
@pytest.mark.parametrize("name", SEGMENTERS)
def test_a_segmenter_has_scores_of_every_pixel_at_any_resolution(name: str, resolution: int) -> None:
    import torch

    with torch.inference_mode():
        scores = built(name, 0.25, 3, resolution)(torch.zeros(2, 3, resolution, resolution))
    assert scores.shape == (2, 4, resolution, resolution)
    assert scores[0].numel() == load("tasks", "segmentation").values(3, resolution)
    assert describe(name, 0.25, resolution, 3).layers[-1].output[0] == 4


def test_a_map_shifts_with_its_image_by_the_stride_and_by_no_less() -> None:
    """Where the receptive field lies inside the image: at its edges padding has no shift."""
    import torch

    name, width, side, stride = "mobilenet_v1_seg", 0.25, 640, 32
    margin = describe(name, width, side, 2).layers[-1].field // 2 + 2 * stride
    network, scene = built(name, width, 2, side), torch.randn(1, 3, side + stride, side + stride)
    normalize(network, scene[:, :, :side, :side])
    inner = slice(margin, side - margin)
    shifted_inner = slice(margin - stride, side - margin - stride)
    with torch.inference_mode():
        still = network(scene[:, :, :side, :side])
        moved = network(scene[:, :, stride:, stride:])
        half = network(scene[:, :, stride // 2 : side + stride // 2, stride // 2 : side + stride // 2])
    gap = (still[:, :, inner, inner] - moved[:, :, shifted_inner, shifted_inner]).abs().max()
    halfway = slice(margin - stride // 2, side - margin - stride // 2)
    assert still[:, :, inner, inner].numel() > 1000
    assert gap < 1e-5 * still.abs().max()
    assert (still[:, :, inner, inner] - half[:, :, halfway, halfway]).abs().max() > 0.1 * still.abs().max()


@pytest.mark.parametrize("task_name", ["segmentation", "localization"])
def test_the_features_of_a_shipped_base_fit_and_the_head_stays_its_own(task_name: str) -> None:
    import torch

    for name, width in base.NETWORKS:
        other = name.replace("_det", {"segmentation": "_seg", "localization": "_loc"}[task_name])
        network, content = built(other, width, 10, 64), (base.SHIPPED / f"{base.stem(name, width)}.npz").read_bytes()
        before = {key: values.clone() for key, values in network.state_dict().items()}
        base.restore(network, content, part=base.FEATURES)
        changed = {key for key, values in network.state_dict().items() if not torch.equal(values, before[key])}
        assert changed and all(key.startswith(base.FEATURES) for key in changed)
        weights = {key for key in before if key.startswith(base.FEATURES) and key.endswith("weight")}
        assert weights <= changed


def test_lenet5_on_64_pixels_is_its_81_windows_at_a_fifth_of_the_cost() -> None:
    import torch

    network, whole, windows = (built(name, 1.0, 10, side) for name, side in CASES)
    for other in (whole, windows):
        other.load_state_dict(network.state_dict())
        assert {name: values.shape for name, values in other.state_dict().items()} == {
            name: values.shape for name, values in network.state_dict().items()
        }
    images = torch.randn(2, 1, 64, 64)
    with torch.inference_mode():
        scores = whole(images)
        each = [
            network(images[:, :, 4 * row : 4 * row + 32, 4 * column : 4 * column + 32])
            for row in range(9)
            for column in range(9)
        ]
        assert (scores.flatten(2) - torch.stack(each, 2)).abs().max() < 1e-6
        assert (scores - windows(images)).abs().max() < 1e-6
    costs = [describe(name, 1.0, side, 10).macs for name, side in CASES]
    assert costs == [416_520, 6_934_920, 81 * 416_520]


CASES = (("lenet5", 32), ("lenet5_conv", 64), ("lenet5_windows", 64))


@pytest.mark.parametrize("side", [32, 33, 35, 36, 67])
def test_both_ways_have_as_many_scores_at_any_size(side: int) -> None:
    import torch

    whole, windows = (built(name, 1.0, 10, side) for name in ("lenet5_conv", "lenet5_windows"))
    windows.load_state_dict(whole.state_dict())
    image = torch.randn(1, 1, side, side)
    with torch.inference_mode():
        assert (whole(image) - windows(image)).abs().max() < 1e-6


def test_what_has_no_convolutional_form_is_refused_with_its_reason() -> None:
    from edgebench.analysis.describe import sliding

    reasons = {
        "all_cnn": "it has no dense layer",
        "lenet5_1998": "a layer that is not dense takes vectors as its input",
    }
    for name, reason in reasons.items():
        with pytest.raises(RequestError, match=f"{name} has no convolutional form: {reason}"):
            sliding(name, 1.0, None, None)
    wanted = r"wanted --resolution of at least 32 \(the side of lenet5's window\) with --sliding, found 16"
    with pytest.raises(RequestError, match=wanted):
        sliding("lenet5", 1.0, 16, None)


def test_padding_makes_a_difference_that_is_said() -> None:
    from edgebench.analysis.describe import sliding

    (first, second) = sliding("lenet5", 1.0, 64, 10).notes
    assert "9×9 scores" in first and "4.86 times fewer" in first and "The scores are the same." in second
    notes = sliding("mobilenet_v1", 0.25, 256, 10).notes
    assert "not the same, because layers pad" in notes[1] and "the largest difference is" in notes[1]


def test_a_sweep_has_both_ways(place: object) -> None:
    words = ("--weights", "random", "--resolution", "64", "--dry-run")
    done = cli("run", "--model", "lenet5", "--convolutional", *words)
    assert done.returncode == 0 and "lenet5_conv" in done.stdout, done.stderr
    done = cli("run", "--model", "alexnet", "--convolutional", *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("edgebench: no network with a convolutional form 'alexnet' (has lenet5, vgg16)")
    done = cli("run", "--model", "lenet5_conv", "--resolution", "64")
    assert done.returncode == 2
    assert "gives a map of scores, for which no data set has labels; use --weights random" in done.stderr

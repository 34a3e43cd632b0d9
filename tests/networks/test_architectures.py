"""Parameters and multiply-adds as integers, names of public checkpoints, and a forward pass on a real image."""

from dataclasses import replace

import pytest

from edgebench.foundation.errors import CaseError, RequestError
from edgebench.foundation.shelf import load
from edgebench.networks import build
from edgebench.networks.cost import cost
from tests.conftest import variant
from tests.support.images import split

pytestmark = pytest.mark.slow

# Recomputed from the papers' tables and checked against timm, torchvision and TF-Slim: 1000 classes.
V1 = {
    1.0: (4_231_976, {224: 568_740_352, 192: 418_121_728, 160: 290_675_200, 128: 186_400_768}),
    0.75: (2_585_560, {224: 325_400_448, 192: 239_273_472, 160: 166_396_800, 128: 106_770_432}),
    0.5: (1_331_592, {224: 149_497_088, 192: 109_970_432, 160: 76_524_800, 128: 49_160_192}),
    0.25: (470_072, {224: 41_030_272, 192: 30_212_608, 160: 21_059_200, 128: 13_570_048}),
}
V2 = {
    1.4: (6_108_776, {224: 582_195_824}),
    1.3: (5_386_792, {224: 509_374_560}),
    1.0: (3_504_872, {224: 300_774_272, 192: 221_316_608, 160: 154_083_200, 128: 99_074_048, 96: 56_289_152}),
    0.75: (2_636_424, {224: 209_069_792, 192: 153_941_888, 160: 107_295_200, 128: 69_129_728, 96: 39_445_472}),
    0.5: (1_968_680, {224: 97_131_840, 192: 71_701_760, 160: 50_184_000, 128: 32_578_560, 96: 18_885_440}),
    0.35: (1_677_128, {224: 59_285_808, 192: 43_896_512, 160: 30_874_800, 128: 20_220_672, 96: 11_934_128}),
}
COSTS = [
    (name, width, resolution, params, macs)
    for name, table in (("mobilenet_v1", V1), ("mobilenet_v2", V2))
    for width, (params, by_resolution) in table.items()
    for resolution, macs in by_resolution.items()
]


@pytest.mark.parametrize(("name", "width", "resolution", "params", "macs"), COSTS)
def test_parameters_and_macs_are_exact(name: str, width: float, resolution: int, params: int, macs: int) -> None:
    found = cost(replace(variant(name, width, resolution), classes=1000))
    assert (found.params, found.macs) == (params, macs)


@pytest.mark.parametrize("name", ["mobilenet_v1", "mobilenet_v2"])
@pytest.mark.parametrize("resolution", [32, 75, 224])
def test_a_real_image_goes_through(name: str, resolution: int) -> None:
    import torch

    images = split(variant(name, 0.25, resolution), "test").read([0, 1])
    with torch.inference_mode():
        logits = build.build(variant(name, 0.25, resolution))(torch.from_numpy(images))
    assert logits.shape == (2, 10)
    assert torch.isfinite(logits).all()


def test_an_input_below_the_smallest_is_refused_with_the_smallest() -> None:
    with pytest.raises(RequestError, match="does not support inputs of 31 pixels; the smallest it supports is 32"):
        build.check("mobilenet_v2", 1.0, 31)


def test_mobilenet_v2_has_torchvisions_names() -> None:
    names = list(build.build(variant("mobilenet_v2", 1.0)).state_dict())
    assert len(names) == 314
    assert names[0] == "features.0.0.weight"
    assert {
        "features.1.conv.0.0.weight",
        "features.1.conv.1.weight",
        "features.1.conv.2.running_mean",
        "features.2.conv.0.0.weight",
        "features.2.conv.1.1.bias",
        "features.2.conv.2.weight",
        "features.17.conv.3.num_batches_tracked",
        "features.18.1.weight",
        "classifier.1.bias",
    } <= set(names)


def test_mobilenet_v1_has_timms_names() -> None:
    names = set(build.build(variant("mobilenet_v1", 1.0)).state_dict())
    assert {
        "conv_stem.weight",
        "bn1.weight",
        "blocks.0.0.conv_dw.weight",
        "blocks.3.5.bn2.running_var",
        "blocks.4.1.conv_pw.weight",
        "classifier.weight",
    } <= names
    assert len(names) == 164  # 27 convolutions, 27 batch norms of five, and the classifier


@pytest.mark.parametrize(
    ("width", "widths"),
    [
        (1.4, [48, 24, 32, 48, 88, 136, 224, 448, 1792]),
        (1.0, [32, 16, 24, 32, 64, 96, 160, 320, 1280]),
        (0.75, [24, 16, 24, 24, 48, 72, 120, 240, 1280]),
        (0.35, [16, 8, 8, 16, 24, 32, 56, 112, 1280]),
    ],
)
def test_mobilenet_v2_rounds_channels_as_tf_slim(width: float, widths: list[int]) -> None:
    module = load("architectures", "mobilenet_v2")
    stages = [module.channels(count * width) for _, count, _, _ in module.STAGES]
    last = module.channels(module.LAST * max(1.0, width))
    assert [module.channels(module.STEM * width), *stages, last] == widths


def test_weights_of_another_network_are_a_failed_case(place: object) -> None:
    import torch

    torch.save(build.build(variant("mobilenet_v1", 0.25)).state_dict(), "v1.pt")
    with pytest.raises(CaseError, match="v1.pt does not fit mobilenet_v2"):
        build.build(variant("mobilenet_v2"), "v1.pt")


def test_random_weights_are_the_same_each_time() -> None:
    import torch

    first, second = (build.build(variant()).state_dict() for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)

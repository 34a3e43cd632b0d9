"""The networks beside the MobileNets: exact costs, names of public checkpoints, real images, refused resolutions."""

from types import ModuleType

import pytest

from edgebench.foundation.shelf import load, names
from edgebench.networks.describe import describe
from tests.conftest import variant
from tests.networks.test_published_networks import TOTALS
from tests.support.images import split

pytestmark = pytest.mark.slow

# Family, network, then classes, trainable parameters and multiply-adds at the native resolution. Recomputed from the
# papers' tables; those of torchvision's and timm's networks agree with these libraries.
COSTS = {
    "lenet5": {
        "lenet5": (10, 61_706, 416_520),
        "lenet5_1998": (10, 60_000, 327_256),  # C1 117,600, S2 1,176, C3 150,000, S4 400, C5 48,000, F6 10,080
    },
    "sample_cnn": {"sample_cnn": (10, 243_786, 5_056_000)},
    "mlp": {"mlp": (50, 614_450, 614_400)},
    "all_cnn": {"all_cnn": (10, 1_369_738, 270_798_336)},
    "alexnet": {
        "alexnet": (1000, 61_100_840, 714_188_480),
        "alexnet_paper": (1000, 60_965_224, 724_406_816),
    },
    "zfnet": {"zfnet": (1000, 62_357_608, 1_168_032_896)},
    "vgg": {
        "vgg11": (1000, 132_863_336, 7_609_090_048),
        "vgg11_bn": (1000, 132_868_840, 7_609_090_048),
        "vgg13": (1000, 133_047_848, 11_308_466_176),
        "vgg13_bn": (1000, 133_053_736, 11_308_466_176),
        "vgg16": (1000, 138_357_544, 15_470_264_320),
        "vgg16_bn": (1000, 138_365_992, 15_470_264_320),
        "vgg19": (1000, 143_667_240, 19_632_062_464),
        "vgg19_bn": (1000, 143_678_248, 19_632_062_464),
    },
    "googlenet": {
        "googlenet": (1000, 6_624_904, 1_498_376_192),
        "googlenet_paper": (1000, 6_998_552, 1_582_671_872),
    },
    "inception_v3": {"inception_v3": (1000, 23_834_568, 5_713_216_096)},
    "resnet": {
        "resnet18": (1000, 11_689_512, 1_814_073_344),
        "resnet34": (1000, 21_797_672, 3_663_761_408),
        "resnet50": (1000, 25_557_032, 4_089_184_256),
        "resnet101": (1000, 44_549_160, 7_801_405_440),
        "resnet152": (1000, 60_192_808, 11_513_626_624),
        "resnet50_v1": (1000, 25_557_032, 3_857_973_248),
        "resnet101_v1": (1000, 44_549_160, 7_570_194_432),
        "resnet152_v1": (1000, 60_192_808, 11_282_415_616),
    },
    "senet": {
        "se_resnet50": (1000, 28_088_024, 4_091_699_200),
        "senet154": (1000, 115_088_984, 20_688_363_520),
    },
    "xception": {"xception": (1000, 22_855_952, 8_357_403_496)},
}
FAMILIES = {name: family for family, networks in COSTS.items() for name in networks}

# Entries of the public checkpoint's state dict, and some of their names and shapes.
PUBLISHED: dict[str, tuple[int, dict[str, tuple[int, ...]]]] = {
    "lenet5": (10, {"conv1.weight": (6, 1, 5, 5), "conv2.bias": (16,), "fc1.weight": (120, 400), "fc3.bias": (10,)}),
    "alexnet": (
        16,
        {
            "features.0.weight": (64, 3, 11, 11),
            "features.3.weight": (192, 64, 5, 5),
            "features.10.bias": (256,),
            "classifier.1.weight": (4096, 9216),
            "classifier.6.weight": (1000, 4096),
        },
    ),
    "vgg11": (22, {"features.18.weight": (512, 512, 3, 3)}),
    "vgg13": (26, {"features.22.weight": (512, 512, 3, 3)}),
    "vgg16": (
        32,
        {
            "features.7.weight": (128, 128, 3, 3),
            "features.28.weight": (512, 512, 3, 3),
            "classifier.0.weight": (4096, 25088),
            "classifier.6.bias": (1000,),
        },
    ),
    "vgg16_bn": (97, {"features.1.running_mean": (64,), "features.40.weight": (512, 512, 3, 3)}),
    "vgg19": (38, {"features.34.weight": (512, 512, 3, 3)}),
    "vgg19_bn": (118, {"features.50.num_batches_tracked": ()}),
    "googlenet": (
        344,
        {
            "conv1.conv.weight": (64, 3, 7, 7),
            "conv3.bn.weight": (192,),
            "inception3a.branch1.conv.weight": (64, 192, 1, 1),
            "inception4e.branch2.1.conv.weight": (320, 160, 3, 3),
            "inception5b.branch3.1.conv.weight": (128, 48, 3, 3),
            "inception5b.branch4.1.bn.running_var": (128,),
            "fc.weight": (1000, 1024),
        },
    ),
    "inception_v3": (
        566,
        {
            "Conv2d_1a_3x3.conv.weight": (32, 3, 3, 3),
            "Conv2d_3b_1x1.bn.bias": (80,),
            "Mixed_5b.branch5x5_2.conv.weight": (64, 48, 5, 5),
            "Mixed_5d.branch_pool.conv.weight": (64, 288, 1, 1),
            "Mixed_6a.branch3x3.conv.weight": (384, 288, 3, 3),
            "Mixed_6c.branch7x7_2.conv.weight": (160, 160, 1, 7),
            "Mixed_6c.branch7x7dbl_5.conv.weight": (192, 160, 1, 7),
            "Mixed_7a.branch7x7x3_4.conv.weight": (192, 192, 3, 3),
            "Mixed_7c.branch3x3_2b.conv.weight": (384, 384, 3, 1),
            "Mixed_7c.branch3x3dbl_3a.conv.weight": (384, 384, 1, 3),
            "fc.weight": (1000, 2048),
        },
    ),
    "resnet18": (122, {"layer1.1.conv2.weight": (64, 64, 3, 3), "layer4.0.downsample.0.weight": (512, 256, 1, 1)}),
    "resnet34": (218, {"layer3.5.bn2.bias": (256,)}),
    "resnet50": (
        320,
        {
            "conv1.weight": (64, 3, 7, 7),
            "bn1.num_batches_tracked": (),
            "layer1.0.downsample.0.weight": (256, 64, 1, 1),
            "layer1.0.downsample.1.running_mean": (256,),
            "layer2.3.conv2.weight": (128, 128, 3, 3),
            "layer4.2.conv3.weight": (2048, 512, 1, 1),
            "fc.bias": (1000,),
        },
    ),
    "resnet101": (626, {"layer3.22.bn3.weight": (1024,)}),
    "resnet152": (932, {"layer2.7.conv1.weight": (128, 512, 1, 1)}),
    "se_resnet50": (
        384,
        {
            "layer1.0.se.fc1.weight": (16, 256, 1, 1),
            "layer4.2.se.fc2.weight": (2048, 128, 1, 1),
            "layer4.2.se.fc2.bias": (2048,),
            "layer3.0.downsample.1.weight": (1024,),
        },
    ),
    "senet154": (
        1144,
        {
            "conv1.0.weight": (64, 3, 3, 3),
            "conv1.6.weight": (128, 64, 3, 3),
            "layer1.0.downsample.0.weight": (256, 128, 1, 1),
            "layer2.0.downsample.0.weight": (512, 256, 3, 3),
            "layer4.2.conv2.weight": (2048, 16, 3, 3),
            "layer4.2.se.fc1.bias": (128,),
        },
    ),
    "xception": (
        276,
        {
            "conv2.weight": (64, 32, 3, 3),
            "block1.rep.0.conv1.weight": (64, 1, 3, 3),
            "block1.rep.3.pointwise.weight": (128, 128, 1, 1),
            "block2.rep.1.conv1.weight": (128, 1, 3, 3),
            "block11.rep.7.pointwise.weight": (728, 728, 1, 1),
            "block12.skip.weight": (1024, 728, 1, 1),
            "block12.skipbn.bias": (1024,),
            "conv4.pointwise.weight": (2048, 1536, 1, 1),
            "bn4.running_var": (2048,),
            "fc.weight": (1000, 2048),
        },
    ),
}


def family(name: str) -> ModuleType:
    """The module that builds a network."""
    return load("architectures", name)


def native(name: str) -> int:
    """The resolution it was published with."""
    return int(family(name).RESOLUTIONS[name][0])


def accepted(name: str) -> list[int]:
    """The resolutions it takes, up to a little above the native one."""
    return [side for side in range(1, native(name) + 32) if family(name).accepts(name, side)]


def classes_of(name: str) -> int:
    return COSTS[FAMILIES[name]][name][0]


def test_every_network_of_the_shelf_has_its_exact_cost_here_or_with_the_mobilenets() -> None:
    mobilenets = {f"mobilenet_{version}{task}" for version in ("v1", "v2") for task in ("", "_det", "_loc", "_seg")}
    sliding = {f"{name}_{form}" for name in ("lenet5", "vgg16") for form in ("conv", "windows")}
    assert set(names("architectures")) == {*FAMILIES, *mobilenets, *sliding, *TOTALS, "null"}


@pytest.mark.parametrize("name", FAMILIES)
def test_parameters_and_macs_are_exact(name: str) -> None:
    classes, params, macs = COSTS[FAMILIES[name]][name]
    found = describe(name, 1.0, native(name), classes)
    assert (found.params, found.macs) == (params, macs)


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_state_dict_has_the_public_checkpoints_names(name: str) -> None:
    import torch

    entries, some = PUBLISHED[name]
    with torch.device("meta"):
        network = family(name).build(name, 1.0, classes=classes_of(name), resolution=native(name))
    state = {key: tuple(tensor.shape) for key, tensor in network.state_dict().items()}
    assert len(state) == entries
    assert some.items() <= state.items()


@pytest.mark.parametrize("name", FAMILIES)
def test_a_real_image_goes_through_at_the_native_resolution(name: str) -> None:
    assert_a_real_image_goes_through(name, native(name))


@pytest.mark.parametrize("name", sorted(set(FAMILIES) - {"lenet5", "lenet5_1998"}))
def test_a_real_image_goes_through_at_another_resolution(name: str) -> None:
    smallest, *_, largest = accepted(name)
    assert_a_real_image_goes_through(name, smallest if smallest < native(name) else largest)


def assert_a_real_image_goes_through(name: str, resolution: int) -> None:
    import torch

    torch.manual_seed(0)
    image = torch.from_numpy(split(variant(name, 1.0, resolution), "test").read([0]))
    with torch.inference_mode():
        logits = family(name).build(name, 1.0, classes=10, resolution=resolution).eval()(image)
    assert logits.shape == (1, 10)
    assert torch.isfinite(logits).all()
    assert logits.unique().numel() > 1


@pytest.mark.parametrize("name", FAMILIES)
def test_every_published_resolution_is_accepted(name: str) -> None:
    assert all(family(name).accepts(name, side) for side in family(name).RESOLUTIONS[name])


@pytest.mark.parametrize(
    ("name", "smallest"),
    [
        ("lenet5", 32),
        ("sample_cnn", 10),
        ("mlp", 1),
        ("all_cnn", 9),
        ("alexnet", 223),
        ("alexnet_paper", 227),
        ("zfnet", 207),
        ("vgg16", 224),
        ("googlenet", 32),
        ("inception_v3", 75),
        ("resnet50", 32),
        ("senet154", 32),
        ("xception", 32),
    ],
)
def test_the_smallest_resolution(name: str, smallest: int) -> None:
    assert min(accepted(name)) == smallest


def test_lenet5_takes_one_resolution() -> None:
    assert accepted("lenet5") == accepted("lenet5_1998") == [32]


@pytest.mark.parametrize(("name", "resolution"), [("all_cnn", 8), ("inception_v3", 74)])
def test_below_the_smallest_there_is_nothing_left_to_compute_on(name: str, resolution: int) -> None:
    import torch

    with torch.device("meta"):
        network = family(name).build(name, 1.0, classes=10, resolution=resolution).eval()
        image = torch.empty(1, 3, resolution, resolution)
    with pytest.raises(RuntimeError):
        network(image)


@pytest.mark.parametrize("name", ["alexnet", "alexnet_paper", "zfnet", "vgg11"])
def test_the_dense_layers_read_whole_windows_of_the_last_maps(name: str) -> None:
    import torch

    side = 7 if name == "vgg11" else 6
    with torch.device("meta"):
        features = family(name).build(name, 1.0, classes=10, resolution=native(name)).features.eval()
        for resolution in range(190, 480):
            maps = features(torch.empty(1, 3, resolution, resolution))
            assert (maps.shape[-1] % side == 0) == family(name).accepts(name, resolution)


def test_a_lenet_of_1998_has_the_papers_connections() -> None:
    reads = [read for group in family("lenet5_1998").TABLE_1 for read in group.split()]
    assert len(reads) == 16
    assert sorted(map(len, reads)) == [3] * 6 + [4] * 9 + [6]
    assert len({frozenset(read) for read in reads}) == 16
    assert all("".join(reads).count(digit) == 10 for digit in "012345")


def test_the_output_codes_of_a_lenet_of_1998_are_kept_and_not_trained() -> None:
    network = family("lenet5_1998").build("lenet5_1998", 1.0, classes=10, resolution=32)
    codes = network.state_dict()["output.codes"]
    assert codes.shape == (10, 84)
    assert set(codes.unique().tolist()) == {-1.0, 1.0}
    assert "output.codes" not in dict(network.named_parameters())


def test_the_stride_of_a_v1_bottleneck_is_in_its_first_convolution() -> None:
    strides = {}
    for name in ("resnet50", "resnet50_v1"):
        block = family(name).build(name, 1.0, classes=10, resolution=64).layer2[0]
        strides[name] = [block.conv1.stride, block.conv2.stride, block.conv3.stride]
    assert strides == {"resnet50": [(1, 1), (2, 2), (1, 1)], "resnet50_v1": [(2, 2), (1, 1), (1, 1)]}

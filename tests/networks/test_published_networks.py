"""Published detectors, segmentation networks and MobileNetV3: exact totals, public names, outputs as torchvision's."""

from typing import NamedTuple

import pytest

from edgebench.foundation.errors import RequestError
from edgebench.foundation.shelf import literal, load, names
from edgebench.networks import build, cost
from edgebench.schema.names import task
from tests.support.weights import formed, wave_images


class Totals(NamedTuple):
    """Parameters and multiply-adds at the published size, and the number of boxes of a detector, or of classes."""

    params: int
    macs: int
    values: int


# Parameters as published, or recomputed from the papers' tables: shared by no two of these networks. Multiply-adds of
# torchvision's agree with the `_ops` of its metadata, those of Darknet's with half of its operation counts.
TOTALS = {
    "mobilenet_v3_large": Totals(5_483_032, 216_589_760, 1000),
    "mobilenet_v3_small": Totals(2_542_856, 56_510_400, 1000),
    "ssdlite320_mobilenet_v3_large": Totals(3_440_060, 583_171_904, 3234),
    "ssd300_vgg16": Totals(35_641_826, 34_858_153_472, 8732),
    "ssd_mobilenet_v1": Totals(6_819_839, 1_237_129_408, 1917),
    "ssdlite_mobilenet_v2": Totals(4_337_013, 788_830_144, 2034),
    "tiny_yolo_v2_voc": Totals(15_861_773, 3_485_520_896, 845),
    "tiny_yolo_v3": Totals(8_852_366, 2_782_480_896, 2535),
    "lraspp_mobilenet_v3_large": Totals(3_221_538, 2_086_219_688, 21),
    "deeplab_v3_mobilenet_v2": Totals(2_113_557, 2_740_709_056, 21),
    "fcn32s": Totals(136_152_917, 181_365_854_976, 21),
    "fcn16s": Totals(134_815_994, 181_448_086_272, 21),
    "fcn8s": Totals(134_489_759, 181_529_034_048, 21),
}
# Entries of torchvision's state dict, and four values, evenly spread, of each output of its network, 0.29.1, for images
# of a side and with weights as `tests/support/weights.py` makes them.
NOTED = {
    "mobilenet_v3_large": (64, 312, [[-170.827271, 171.753143, -170.357071, 166.645279]]),
    "mobilenet_v3_small": (64, 244, [[0.778822, 0.028814, -0.825637, 1.389066]]),
    "ssdlite320_mobilenet_v3_large": (
        128,
        476,
        [[-36.6759, 17.678955, 13.63988, -0.792491], [3.383645, -25.382454, -26.423912, -0.006318]],
    ),
    "ssd300_vgg16": (
        300,
        71,
        [[-0.621585, 0.152224, -0.149089, -0.124007], [-0.591897, 0.163666, 0.282529, -0.053131]],
    ),
    "lraspp_mobilenet_v3_large": (96, 319, [[-9315.964844, -853.067749, 3764.480957, 12477.610352]]),
}


@pytest.mark.parametrize("name", TOTALS)
def test_a_published_network_has_its_exact_totals(name: str) -> None:
    """Descriptions that come with the package are read without torch; a slow test draws each of them anew."""
    described = cost.blueprint(name, 1.0)
    assert (described.params, described.macs) == TOTALS[name][:2]
    assert described.classes == literal("architectures", name, "CLASSES")


@pytest.mark.slow
@pytest.mark.parametrize("name", TOTALS)
def test_outputs_have_the_shapes_that_their_task_reads(name: str) -> None:
    import torch

    family = load("architectures", name)
    side, classes = family.RESOLUTIONS[name][0], family.CLASSES
    with torch.device("meta"):
        outputs = build.outline(name, 1.0, classes=classes, resolution=side)(torch.empty(2, 3, side, side))
    count = TOTALS[name].values
    if task(name) == "detection":
        assert [tuple(output.shape) for output in outputs] == [(2, count, 1 + classes), (2, count, 4)]
    else:
        assert tuple(outputs.shape) == ((2, count, side, side) if task(name) == "segmentation" else (2, count))


@pytest.mark.slow
@pytest.mark.parametrize("name", NOTED)
def test_a_network_answers_as_torchvisions_with_its_state_dict(name: str) -> None:
    import torch

    side, entries, noted = NOTED[name]
    network = load("architectures", name).build(name, 1.0, classes=load("architectures", name).CLASSES, resolution=side)
    network.load_state_dict(state := formed(network.state_dict()))
    with torch.inference_mode():
        outputs = network.eval()(wave_images(1, side))
    assert len(state) == entries
    several = outputs if isinstance(outputs, tuple) else (outputs,)
    for output, values in zip(several, noted, strict=True):
        found = output.flatten()[:: output.numel() // 4][:4].tolist()
        assert found == pytest.approx(values, rel=1e-4, abs=1e-5)


@pytest.mark.slow
def test_names_in_state_dicts_are_those_of_the_public_checkpoints() -> None:
    wanted = {
        "mobilenet_v3_large": {"features.4.block.2.fc1.weight", "features.16.1.bias", "classifier.3.weight"},
        "ssdlite320_mobilenet_v3_large": {
            "backbone.features.0.13.1.running_var",
            "backbone.features.1.0.3.0.weight",
            "backbone.extra.3.2.1.bias",
            "head.classification_head.module_list.5.0.0.weight",
            "head.regression_head.module_list.0.1.bias",
        },
        "ssd300_vgg16": {
            "backbone.scale_weight",
            "backbone.extra.0.7.3.bias",
            "backbone.extra.4.2.weight",
            "head.classification_head.module_list.5.bias",
        },
        "lraspp_mobilenet_v3_large": {"backbone.16.1.weight", "classifier.scale.1.weight", "classifier.cbr.1.bias"},
        "fcn8s": {"conv1_1.weight", "fc6.bias", "score_pool3.weight", "upscore_pool4.weight", "upscore8.weight"},
        "fcn16s": {"score_fr.bias", "score_pool4.bias", "upscore2.weight", "upscore16.weight"},
        "fcn32s": {"fc7.weight", "score_fr.weight", "upscore.weight"},
    }
    for name, keys in wanted.items():
        family = load("architectures", name)
        network = build.outline(name, 1.0, classes=family.CLASSES, resolution=family.RESOLUTIONS[name][0])
        assert keys <= set(network.state_dict())


@pytest.mark.slow
def test_boxes_are_listed_by_row_then_column_then_box() -> None:
    """This is the order of torchvision and of Darknet, in which a decoder places its default boxes."""
    import torch

    from edgebench.networks.architectures._ssd import listed

    map = torch.arange(2 * 3 * 2 * 2).reshape(1, 6, 2, 2)  # two boxes of three columns, 2x2 cells
    first, second = map[0, :3], map[0, 3:]
    assert listed([map], 3, 8)[0, :4].tolist() == [
        first[:, 0, 0].tolist(),
        second[:, 0, 0].tolist(),
        first[:, 0, 1].tolist(),
        second[:, 0, 1].tolist(),
    ]


def test_squeeze_and_excitation_and_the_separable_head_are_computed_by_hand() -> None:
    large = {layer.name: layer for layer in cost.blueprint("mobilenet_v3_large", 1.0).layers}
    gate = [large[f"features.4.block.2.{name}"] for name in ("fc1", "fc2")]
    assert [(layer.params, layer.macs) for layer in gate] == [(72 * 24 + 24, 72 * 24), (24 * 72 + 72, 24 * 72)]
    lite = {layer.name: layer for layer in cost.blueprint("ssdlite320_mobilenet_v3_large", 1.0).layers}
    first = "head.classification_head.module_list.0"
    assert lite[f"{first}.0.0"].params == 672 * 9 + 2 * 672
    assert (lite[f"{first}.1"].params, lite[f"{first}.1"].macs) == ((672 + 1) * 6 * 91, 672 * 6 * 91 * 20 * 20)
    fcn = {layer.name: layer for layer in cost.blueprint("fcn8s", 1.0).layers}
    assert fcn["fc6"].params == 512 * 7 * 7 * 4096 + 4096
    assert fcn["upscore8"].params == 21 * 21 * 16 * 16
    yolo = {layer.name: layer for layer in cost.blueprint("tiny_yolo_v2_voc", 1.0).layers}
    assert yolo["output.scores"].params + yolo["output.boxes"].params == (1024 + 1) * 125


@pytest.mark.slow
@pytest.mark.parametrize("name", TOTALS)
def test_another_resolution_is_right_or_refused_in_one_line(name: str) -> None:
    import torch

    family = load("architectures", name)
    for side in (31, 97, 352):
        if not family.accepts(name, side):
            with pytest.raises(RequestError, match=f"^{name} does not support inputs of {side} pixels; .*--resolution"):
                build.check(name, 1.0, side)
            continue
        with torch.device("meta"):
            outputs = build.outline(name, 1.0, classes=2, resolution=side)(torch.empty(1, 3, side, side))
        if task(name) == "segmentation":
            assert outputs.shape == (1, 3, side, side)


def test_no_two_networks_share_their_totals_and_all_are_on_the_shelf() -> None:
    assert len({totals.params for totals in TOTALS.values()}) == len(TOTALS)
    assert set(TOTALS) <= set(names("architectures"))

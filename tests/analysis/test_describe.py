"""Costs on paper: every layer's shape against the field's rules, the textbook's totals, and the command."""

import csv
import json
import subprocess
import sys
from io import StringIO
from math import prod
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgebench.analysis import describe as tabulate
from edgebench.analysis import lessons
from edgebench.cli import layout
from edgebench.foundation import shelf
from edgebench.foundation.errors import RequestError, UnknownName
from edgebench.foundation.sheet import Sheet, as_csv
from edgebench.networks.describe import Layer, describe, output_side
from tests import ROOT
from tests.support.command import cli

pytestmark = pytest.mark.slow

NETWORKS = [name for name in shelf.names("architectures") if name != "null"]


def native(name: str) -> tuple[int, int]:
    family = shelf.load("architectures", name)
    return family.RESOLUTIONS[name][0], family.CLASSES


def by_name(name: str) -> dict[str, Layer]:
    return {layer.name: layer for layer in describe(name, 1.0, *native(name)).layers}


def test_vgg16_has_the_textbooks_totals() -> None:
    vgg16 = describe("vgg16", 1.0, 224, 1000)
    assert (vgg16.params, vgg16.macs, vgg16.activations) == (138_357_544, 15_470_264_320, 15_237_608)
    layers = by_name("vgg16")
    assert (layers["features.0"].output, layers["features.0"].params, layers["features.0"].macs) == (
        (64, 224, 224), 1_792, 86_704_128,
    )  # fmt: skip
    assert layers["classifier.0"].params == 102_764_544


def test_vgg16_holds_its_first_two_feature_maps_at_once() -> None:
    assert describe("vgg16", 1.0, 224, 1000).peak_live == 2 * 64 * 224 * 224


def test_a_residual_network_holds_its_shortcut_too() -> None:
    layers = by_name("resnet18")
    inner, shortcut = layers["layer1.0.conv2"], prod(layers["maxpool"].output)
    assert inner.live == shortcut + prod(layers["layer1.0.conv1"].output) + inner.activations


@pytest.mark.parametrize("name", NETWORKS)
def test_every_convolution_and_pool_follows_the_output_size_rule(name: str) -> None:
    import torch
    from torch import nn

    resolution, classes = native(name)
    family = shelf.load("architectures", name)
    with torch.device("meta"):
        network = family.build(name, 1.0, classes=classes, resolution=resolution).eval()
        image = torch.empty(1, family.CHANNELS, resolution, resolution)
    seen: list[tuple[tuple[int, ...], tuple[int, ...], nn.Module]] = []
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d)):
            module.register_forward_hook(
                lambda layer, inputs, output: seen.append((inputs[0].shape, output.shape, layer))
            )
    network(image)
    for before, after, module in seen:
        assert after[2:] == tuple(output_side(side, module, axis) for axis, side in enumerate(before[2:]))


@settings(max_examples=200, deadline=None)
@given(
    side=st.integers(1, 64), kernel=st.integers(1, 7), stride=st.integers(1, 4), padding=st.integers(0, 3),
    dilation=st.integers(1, 3), ceil_mode=st.booleans(), is_pool=st.booleans(),
)  # fmt: skip
def test_the_output_size_rule_is_torchs(
    side: int, kernel: int, stride: int, padding: int, dilation: int, ceil_mode: bool, is_pool: bool
) -> None:
    import torch
    from torch import nn

    module: nn.Module
    if is_pool:
        padding = min(padding, kernel // 2)
        module = nn.MaxPool2d(kernel, stride, padding, dilation, ceil_mode=ceil_mode)
    else:
        module = nn.Conv2d(1, 1, kernel, stride, padding, dilation, device="meta")
    if side + 2 * padding - dilation * (kernel - 1) - 1 < 0:
        return
    assert module(torch.empty(1, 1, side, side, device="meta")).shape[2] == output_side(side, module, 0)


@pytest.mark.parametrize("width", [0.5, 1.0])
def test_a_separable_pair_costs_one_over_n_plus_one_over_k_squared(width: float) -> None:
    sheet = tabulate.separable(describe("mobilenet_v1", width, 160, 1000))
    assert sheet is not None
    assert len(sheet.rows) == 13
    assert all(row[-2] == row[-1] for row in sheet.rows)


def test_a_network_without_separable_pairs_has_no_such_sheet() -> None:
    assert tabulate.separable(describe("vgg16", 1.0, 224, 1000)) is None


def test_every_network_is_one_line() -> None:
    (sheet,) = tabulate.every_network()
    named = {row[0].split()[0] for row in sheet.rows}
    assert named == set(shelf.names("architectures")) - {"null"}


@pytest.mark.parametrize(
    ("name", "width", "resolution", "message"),
    [
        ("vgg17", 1.0, None, "no model 'vgg17' .*did you mean 'vgg1"),
        ("vgg16", 0.5, None, "vgg16 has no width multiplier, found --width 0.5; leave it out"),
        ("lenet5", 1.0, 64, "lenet5 does not support inputs of 64 pixels; the smallest it supports is 32"),
        ("mobilenet_v1", -1.0, None, "width -1 of mobilenet_v1"),
        ("mobilenet_v1", 1.0, 99999, "resolution 99999 of mobilenet_v1"),
        ("", 1.0, None, "name a network to describe, or use --all"),
    ],
)
def test_what_cannot_be_described_is_refused(name: str, width: float, resolution: int | None, message: str) -> None:
    with pytest.raises((RequestError, UnknownName), match=message):
        tabulate.network(name, width, resolution, None)


def test_a_number_of_classes_that_cannot_be_is_refused() -> None:
    with pytest.raises(RequestError, match="-5 classes of resnet50: wanted 1 to 100000"):
        tabulate.network("resnet50", 1.0, None, -5)


@pytest.mark.parametrize("format", ["table", "md", "csv", "json"])
def test_the_command_writes_every_form(format: str) -> None:
    done = cli("describe", "mobilenet_v2", "--width", "0.5", "--resolution", "96", "--format", format)
    assert done.returncode == 0, done.stderr
    assert "classifier.1" in done.stdout
    if format == "csv":  # a column to be summed up, without a line that holds its sum
        assert sum(int(row["macs"] or 0) for row in csv.DictReader(StringIO(done.stdout))) == 18885440
    else:
        assert "18885440" in done.stdout


def test_an_unknown_form_is_refused() -> None:
    done = cli("describe", "vgg16", "--format", "xml")
    assert (done.returncode, done.stderr) == (
        2, "edgebench: no format 'xml' (has table, md, csv, latex, json)\n",
    )  # fmt: skip


def test_describing_allocates_no_weights() -> None:
    code = (
        "from edgebench.agent import machine; import torch; from edgebench.analysis.describe import network\n"
        "before = machine.resident_bytes(); machine.reset_peak(); network('vgg16', 1.0, 224, 1000)\n"
        "print((machine.peak_bytes() - before) // 2**20)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 200  # VGG16's weights are 528 MiB


def sheets(name: str, *more: str) -> dict[str, Sheet]:
    return {sheet.name: sheet for sheet in tabulate.network(name, 1.0, None, None, more)}


def rows(sheet: Sheet) -> list[dict[str, str]]:
    return list(csv.DictReader(StringIO(as_csv(sheet))))


@pytest.mark.parametrize(
    ("name", "layer", "field", "step"),
    [
        ("vgg16", "features.30", 212, 32), ("vgg16", "features.4", 6, 2), ("alexnet", "features.12", 195, 32),
        ("resnet50", "layer4.2.conv3", 427, 32), ("mobilenet_v1", "conv_stem", 3, 2),
    ],
)  # fmt: skip
def test_a_layer_sees_as_much_of_the_image_as_the_literature_says(name: str, layer: str, field: int, step: int) -> None:
    """VGG16, AlexNet, ResNet-50: Araujo et al., Computing Receptive Fields (Distill 2019)."""
    seen = by_name(name)[layer]
    assert (seen.field, seen.step) == (field, step)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_layer_sees_at_least_what_its_input_sees_and_steps_by_the_sides_ratio(name: str) -> None:
    resolution, classes = native(name)
    layers = describe(name, 1.0, resolution, classes).layers
    assert (layers[0].field, layers[0].step) == (1, 1)
    beside = 8 + 2 * max(max(layer.padding) for layer in layers)  # all outputs lie in the padded image
    is_tiled = name.endswith("_windows")  # its copied windows lie side by side: their side is not the image's
    for layer in layers:
        assert layer.field >= max(1, max(layer.kernel))
        if len(layer.output) == 3 and layer.output[1] > 1 and not is_tiled:
            assert layer.step * (layer.output[1] - 1) <= resolution + beside, layer.name


@pytest.mark.parametrize("name", NETWORKS)
def test_a_layer_says_that_it_does_not_fit_exactly_where_the_rule_gives_no_whole_side(name: str) -> None:
    for layer in describe(name, 1.0, *native(name)).layers:
        if any(layer.kernel) and layer.unread:
            exact = lessons._fitting(layer)
            assert exact is not None and exact % 1, layer.name
            assert "do not fit" in lessons._unfitting(layer)


def test_a_stride_that_drops_pixels_of_the_image_names_them() -> None:
    sheet = sheets("alexnet", "fields")["fields"]
    assert any("(224 - 11 + 2·2) / 4 + 1 = 55.25; 1 of the padded rows" in note for note in sheet.notes)
    found = {row["layer"]: row for row in rows(sheet)}
    assert (found["features.0"]["unread"], found["features.0"]["side_by_rule"]) == ("1", "55.25")


@pytest.mark.parametrize(
    ("name", "layer", "shared", "unshared"),
    [("alexnet_paper", "features.0", 34_944, 105_705_600), ("mlp", "dense", 1_400, 614_450)],
)
def test_sharing_weights_saves_what_lecture_notes_say(name: str, layer: str, shared: int, unshared: int) -> None:
    (row,) = (row for row in rows(sheets(name, "lessons")["sharing"]) if row["layer"] == layer)
    assert (int(row["shared"]), int(row["unshared"])) == (shared, unshared)


def test_three_small_kernels_have_27_of_the_49_parts_of_one_of_seven() -> None:
    for row in rows(sheets("vgg16", "lessons")["stacks"]):
        maps, count, side = (int(row[key]) for key in ("maps", "small_kernels", "kernel_side"))
        assert side == 2 * count + 1
        if side == 7:
            assert (int(row["stacked_weights"]), int(row["single_weights"])) == (27 * maps**2, 49 * maps**2)


def test_training_takes_weights_gradients_state_and_all_activations() -> None:
    vgg16 = describe("vgg16", 1.0, 224, 1000)
    found = {(row["use"], row["batch"]): row for row in rows(sheets("vgg16", "memory")["memory"])}
    mib, kept = 4 / 2**20, vgg16.activations
    assert float(found["inference", "1"]["total_mib"]) == pytest.approx(mib * (vgg16.params + vgg16.peak_live))
    for use, copies in (("SGD", 2), ("momentum", 3), ("Adam(W)", 4)):
        total = float(found[f"training, {use}", "32"]["total_mib"])
        assert total == pytest.approx(mib * (copies * vgg16.params + 32 * kept))


def test_what_an_optimizer_keeps_is_what_torch_keeps() -> None:
    import torch

    parameter = torch.nn.Parameter(torch.ones(1000))
    kinds = {
        "SGD": torch.optim.SGD([parameter], 0.1), "momentum": torch.optim.SGD([parameter], 0.1, momentum=0.9),
        "Adam(W)": torch.optim.AdamW([parameter], 0.1),
    }  # fmt: skip
    for name, optimizer in kinds.items():
        parameter.grad = torch.ones(1000)
        optimizer.step()
        states = [value for state in optimizer.state.values() for value in state.values()]
        kept = sum(value.numel() for value in states if torch.is_tensor(value) and value.numel() > 1)
        assert kept == 1000 * lessons.STATES[name], name


@pytest.mark.parametrize("name", ["vgg16", "alexnet_paper", "mobilenet_v2", "resnet50"])
def test_a_terminal_of_eighty_columns_leaves_out_no_number_of_a_lesson(name: str) -> None:
    for sheet in sheets(name, *lessons.SHEETS).values():
        if sheet.name in ("fields", "memory", "sharing", "stacks"):
            assert not layout.lay_out(sheet.columns, 80).left_out, sheet.name


def test_machines_get_every_sheet() -> None:
    document = json.loads(cli("describe", "alexnet", "--format", "json").stdout)
    assert {"layers", "fields", "memory", "sharing", "stacks"} <= document.keys()
    (first, *_) = document["sharing"]
    assert isinstance(first["shared"], int)


def test_a_row_is_described_as_its_network_is(place: Path) -> None:
    (place / "results").symlink_to(ROOT / "results")
    row = cli("describe", "results/x86_vm:mobilenet_v1-0.25@64/int8")
    plain = cli("describe", "mobilenet_v1", "--width", "0.25", "--resolution", "64", "--classes", "10")
    assert (row.returncode, row.stdout) == (0, plain.stdout)
    refused = cli("describe", "net.onnx")
    assert (refused.returncode, len(refused.stderr.splitlines())) == (2, 1)
    assert "name an existing file" in refused.stderr

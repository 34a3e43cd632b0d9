"""Models that somebody gives: what is read of them, what they cost, and every way in which they do not fit."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy
import pytest

from edgebench.cli import reader
from edgebench.cli.options import SweepOptions
from edgebench.export import custom, export
from edgebench.foundation import cache, files
from edgebench.foundation.errors import CaseError, RequestError
from edgebench.measure.plan import cases
from edgebench.measure.plan.check import check
from edgebench.measure.plan.training import to_train
from edgebench.networks.custom import given
from edgebench.schema.cards import CustomModel
from edgebench.schema.case import Case
from edgebench.schema.variant import WeightSource, parent
from tests.conftest import environment, variant

pytestmark = pytest.mark.slow

NETS = """
import sys
import torch
from torch import nn

class Small(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 8, 3, 2), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 16, 3, groups=4), nn.ReLU())
        self.head = nn.Linear(16, 7)

    def forward(self, images):
        features = self.features(images).mean((2, 3))
        return self.head(features.view(features.size(0), -1))

def small():
    print("built")
    return Small()

def number():
    return 7

def broken():
    raise ValueError("no such thing")

def leaves():
    sys.exit(3)
"""


@pytest.fixture
def nets(place: Path) -> Path:
    (place / "nets.py").write_text(NETS)
    return place / "nets.py"


def write(
    path: Path,
    shape: tuple[int | str, ...] = ("n", 3, 8, 8),
    *,
    change: Callable[[Any], None] = lambda proto: None,
    dtype: str = "FLOAT",
    operator: str = "Relu",
    domain: str = "",
) -> Path:
    """A file of one operator between an image and its flattened dense layer; NHWC where the shape is."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    kind = TensorProto.DataType.Value(dtype)
    count = int(numpy.prod([size for size in shape[1:] if isinstance(size, int)]))
    weights = numpy.random.default_rng(0).normal(size=(count, 5)).astype(numpy.float32)
    nodes = [
        helper.make_node("Cast", ["image"], ["cast"], to=TensorProto.FLOAT),
        helper.make_node(operator, ["cast"], ["active"], domain=domain),
        helper.make_node("Flatten", ["active"], ["flat"]),
        helper.make_node("Gemm", ["flat", "weights", "bias"], ["scores"]),
    ]
    if dtype == "FLOAT":
        nodes[:2] = [helper.make_node(operator, ["image"], ["active"], domain=domain)]
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("image", kind, shape)],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["n", 5])],
        [
            numpy_helper.from_array(weights, "weights"),
            numpy_helper.from_array(numpy.zeros(5, numpy.float32), "bias"),
        ],
    )
    opsets = [helper.make_opsetid("", 17), *([helper.make_opsetid(domain, 1)] if domain else [])]
    proto = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    change(proto)
    onnx.save(proto, path)
    return path


def second_input(proto: Any) -> None:
    from onnx import TensorProto, helper

    proto.graph.input.append(helper.make_tensor_value_info("more", TensorProto.FLOAT, ["n", 2]))


def second_output(proto: Any) -> None:
    from onnx import TensorProto, helper

    proto.graph.output.append(helper.make_tensor_value_info("flat", TensorProto.FLOAT, ["n", 192]))


def half(proto: Any) -> None:
    from onnx import TensorProto

    proto.graph.initializer[0].data_type = TensorProto.FLOAT16
    proto.graph.initializer[0].raw_data = proto.graph.initializer[0].raw_data[::2]


def outside(location: str) -> Callable[[Any], None]:
    def change(proto: Any) -> None:
        from onnx import TensorProto

        tensor = proto.graph.initializer[0]
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value=location)

    return change


@pytest.mark.parametrize(("name", "resolution"), [("mobilenet_v1", 64), ("lenet5", 32), ("resnet18", 64)])
def test_a_file_costs_what_the_shelf_says_its_network_costs(place: Path, name: str, resolution: int) -> None:
    from edgebench.export.formats.onnx import trace
    from edgebench.networks.build import build, channels
    from edgebench.networks.cost import blueprint

    of = variant(name, 0.25 if name == "mobilenet_v1" else 1.0, resolution)
    network = build(of)
    norms = [module for module in network.modules() if type(module).__name__ == "BatchNorm2d"]
    for norm in norms:
        norm.bias.data.normal_()  # type: ignore[operator]  # equal ones the exporter writes once
    trace(network, (channels(of), resolution, resolution), place / "net.onnx")
    card, paper = custom.adopt("net.onnx", ""), blueprint(name, of.width, resolution, 10)
    # The exporter folds a batch norm's scale into the convolution before it: one value a channel is gone.
    folded = sum(len(norm.bias) for norm in norms)  # type: ignore[arg-type,misc]
    assert (card.macs, card.params) == (paper.macs, paper.params - folded)
    assert (card.channels, card.resolution, card.classes, card.batch) == (channels(of), resolution, 10, 0)


def test_the_copy_of_a_settled_file_is_the_file(place: Path) -> None:
    card = custom.adopt(str(write(place / "net.onnx")), "")
    assert card.sha256 == card.content_sha256 == files.sha256("net.onnx")
    assert cache.path_of(card).read_bytes() == Path("net.onnx").read_bytes()


@pytest.mark.parametrize(
    ("shape", "layout", "batch", "channels"),
    [((1, 3, 8, 8), "NCHW", 1, 3), (("n", 8, 8, 3), "NHWC", 0, 3), (("n", 1, 8, 8), "NCHW", 0, 1)],
)
def test_axes_are_told_apart(place: Path, shape: tuple[int | str, ...], layout: str, batch: int, channels: int) -> None:
    card = custom.adopt(str(write(place / "net.onnx", shape)), "")
    assert (card.layout, card.batch, card.channels, card.resolution) == (layout, batch, channels, 8)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of torch's older exporter, which others still use
def test_open_axes_are_settled_by_what_is_asked(place: Path, nets: Path) -> None:
    import torch
    from torch import nn

    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 6)).eval()
    axes = {"in": {0: "n", 2: "h", 3: "w"}}
    torch.onnx.export(
        network, (torch.zeros(1, 3, 16, 16),), "open.onnx", dynamo=False, dynamic_axes=axes, input_names=["in"]
    )
    card = custom.adopt("open.onnx", "in:1x3x20x20")
    assert (card.resolution, card.macs) == (20, 18 * 18 * 4 * 27 + 24)
    assert card.sha256 != card.content_sha256 == files.sha256("open.onnx")
    other = custom.adopt("open.onnx", "1x3x24x24")
    assert (other.resolution, other.content_sha256) == (24, card.content_sha256)
    with pytest.raises(RequestError, match=r"input in is \?x3x\?x\?; give its size: --input in:1x3x224x224"):
        custom.adopt("open.onnx", "")


def test_external_data_beside_the_file_is_part_of_what_it_is(place: Path) -> None:
    import onnx

    proto = onnx.load(write(place / "net.onnx"))
    onnx.save(proto, "big.onnx", save_as_external_data=True, location="big.data", size_threshold=0)
    card = custom.adopt("big.onnx", "")
    assert cache.path_of(card).stat().st_size > 4 * 192 * 5
    data = bytearray(Path("big.data").read_bytes())
    data[0] ^= 1
    Path("big.data").write_bytes(data)
    assert custom.adopt("big.onnx", "").content_sha256 != card.content_sha256


def test_a_function_s_network_is_the_same_each_time(nets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, again = (custom.adopt("nets.py:small", "1x3x16x16") for _ in range(2))
    assert first == again
    assert (first.macs, first.params, first.classes) == (
        7 * 7 * 8 * 27 + 5 * 5 * 16 * 18 + 16 * 7,
        8 * 27 + 8 + 16 * 18 + 16 + 16 * 7 + 7,
        7,
    )
    assert capsys.readouterr().out == ""
    assert type(custom.network(first)).__name__ == "Small"
    nets.write_text(NETS.replace("def small", "def tiny"))
    with pytest.raises(Exception, match=r"nets.py:small changed after it was first read: no function small in nets.py"):
        custom.network(first)


def test_the_name_finds_what_was_given_before(place: Path) -> None:
    (place / "far").mkdir()
    card = custom.adopt(str(write(place / "far" / "mine.onnx")), "")
    assert custom.adopt("mine.onnx", "") == custom.adopt("mine.onnx", "1x3x8x8") == card
    with pytest.raises(RequestError, match=r"was last used with \?x3x8x8; give the file's path"):
        custom.adopt("mine.onnx", "1x3x9x9")


def bad(place: Path) -> dict[str, tuple[str, str]]:
    """Everything that is no model, what is said of its input, and how it is refused."""
    from PIL import Image

    write(place / "good.onnx")
    (place / "cut.onnx").write_bytes((place / "good.onnx").read_bytes()[:-400])
    Image.new("RGB", (8, 8)).save(place / "picture.png")
    (place / "picture.png").rename(place / "picture.onnx")
    (place / "net.tflite").write_bytes((place / "good.onnx").read_bytes())
    (place / "empty.onnx").touch()
    (place / "folder.onnx").mkdir()
    (place.parent / "weights.bin").write_bytes(bytes(4 * 192 * 5))
    (place / "link.bin").symlink_to(place.parent / "weights.bin")
    write(place / "text.onnx", dtype="STRING")
    write(place / "half.onnx", change=half)
    write(place / "unknown.onnx", operator="Frobnicate")
    write(place / "custom.onnx", operator="Frobnicate", domain="my.company")
    write(place / "absolute.onnx", change=outside(str(place.parent / "weights.bin")))
    write(place / "up.onnx", change=outside("../weights.bin"))
    write(place / "link.onnx", change=outside("link.bin"))
    write(place / "gone.onnx", change=outside("nowhere.bin"))
    (place / "raises.py").write_text("raise RuntimeError('at once')\n")
    return {
        "cut.onnx": ("", "cut.onnx is not a complete ONNX file: "),
        "picture.onnx": ("", "picture.onnx is not a complete ONNX file: "),
        "net.tflite": ("", "net.tflite is not a TFLite file: its identifier is missing"),
        "empty.onnx": ("", "empty.onnx is empty"),
        "folder.onnx": ("", "folder.onnx is not a file"),
        "nowhere.onnx": ("", "nothing is at nowhere.onnx; wanted a model's file"),
        "text.onnx": ("", "input image is of string, wanted numbers: float32, float16"),
        "half.onnx": ("", "half.onnx cannot be opened by onnxruntime: "),
        "unknown.onnx": ("", "Frobnicate"),
        "custom.onnx": ("", "custom.onnx: operator Frobnicate of my.company is a custom one"),
        "absolute.onnx": ("", "absolute.onnx: weights weights lie outside the model's folder"),
        "up.onnx": ("", "lie outside the model's folder, in ../weights.bin; move them"),
        "link.onnx": ("", "lie outside the model's folder, in link.bin; move them"),
        "gone.onnx": ("", "are in nowhere.bin, which is missing"),
        "good.onnx": ("1x3x9x9", "wanted --input image:1x3x9x9, found input image of ?x3x8x8; correct one of them"),
        "./good.onnx": ("other:1x3x8x8", "wanted --input other:1x3x8x8, found input image of ?x3x8x8"),
        "./././good.onnx": ("2x3x8x8", "wanted an --input of one image, found 2x3x8x8; set the number of images by"),
        ".//good.onnx": ("3 by 8", "wanted --input such as 1x3x224x224 or name:1x3x224x224, found '3 by 8'"),
        "nets.py": ("", "wanted nets.py:function, where the function returns an nn.Module; found nets.py"),
        "nets.py:small": ("", "nets.py:small needs the shape of its input: --input 1x3x224x224"),
        "nets.py:big": ("1x3x8x8", "no function big in nets.py (has Small, small, number, broken, leaves)"),
        "nets.py:number": ("1x3x8x8", "nets.py:number: wanted an nn.Module, found int; return the network"),
        "nets.py:broken": ("1x3x8x8", "ValueError: no such thing"),
        "nets.py:leaves": ("1x3x8x8", "SystemExit: 3"),
        "raises.py:net": ("1x3x8x8", "raises.py:net cannot be imported: RuntimeError: at once"),
        "./nets.py:small": ("1x3x2x2", "nets.py:small cannot be exported: RuntimeError: "),
    }


def test_what_does_not_fit_is_refused_in_one_line(place: Path, nets: Path) -> None:
    for name, (asked, message) in bad(place).items():
        with pytest.raises(RequestError) as caught:
            custom.adopt(name, asked)
        assert message in str(caught.value), name


def test_a_file_that_is_too_large_is_not_read(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(custom, "MOST_BYTES", 100)
    with pytest.raises(RequestError, match=r"bytes, wanted at most 100 \(2 GiB\)"):
        custom.adopt(str(write(place / "net.onnx")), "")


def cells(place: Path, **flags: str) -> list[Case]:
    asked = reader.sweep("", SweepOptions(**flags))
    check(asked)
    return list(cases.cases(asked.cells(), environment()))


def test_a_model_s_sizes_are_its_own_and_its_content_is_its_identity(place: Path) -> None:
    write(place / "net.onnx")
    first, shelf = cells(place, model="net.onnx,mobilenet_v1", width="0.25", resolution="32,64", precision="fp32")[::2]
    assert (shelf.variant.architecture, shelf.variant.width) == ("mobilenet_v1", 0.25)
    assert str(first.variant) == "net.onnx-1@8/fp32"
    assert (first.variant.weights, first.variant.classes, first.variant.dataset) == ("own", 5, "null")
    write(place / "net.onnx", operator="Sigmoid")
    (second,) = cells(place, model="net.onnx", precision="fp32")
    assert second.variant.weights_sha256 != first.variant.weights_sha256


def photos(place: Path, count: int = 8) -> str:
    from PIL import Image

    (place / "photos").mkdir()
    random = numpy.random.default_rng(0)
    for number in range(count):
        Image.fromarray(random.integers(0, 256, (20, 30, 3), numpy.uint8)).save(place / "photos" / f"{number}.png")
    return "photos"


def test_int8_is_calibrated_on_the_folder_that_is_named(place: Path) -> None:
    write(place / "net.onnx")
    (case,) = cells(place, model="net.onnx", precision="int8", calibration=photos(place))
    assert (case.variant.dataset, str(case.variant.quantization)) == ("unlabelled:photos", "per_channel")


def test_a_model_with_a_data_set_may_be_calibrated_on_another(place: Path) -> None:
    write(place / "net.onnx")
    (place / "labelled" / "labels.txt").parent.mkdir()
    (place / photos(place) / "0.png").rename(place / "labelled" / "a.png")
    (place / "photos" / "1.png").rename(place / "labelled" / "b.png")
    (place / "labelled" / "labels.txt").write_text("a.png 0\nb.png 1\n")
    (case,) = cells(place, model="net.onnx", precision="int8", dataset="image_folder:labelled", calibration="photos")
    assert case.variant.dataset == "image_folder:labelled"
    assert str(case.variant.quantization) == "per_channel+calibration=unlabelled:photos"


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_an_export_reads_one_model_s_card_however_many_there_are(
    precision: str, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for side in (9, 10, 11):
        custom.adopt(str(write(place / "net.onnx", ("n", 3, side, side))), "")
    write(place / "net.onnx", operator="Tanh")
    images = {"calibration": photos(place)} if precision == "int8" else {}
    (case,) = cells(place, model="net.onnx", precision=precision, **images)
    read, find = [], cache.find

    def counted(stem: str, card_type: type[Any]) -> Any:
        read.append(card_type)
        return find(stem, card_type)

    monkeypatch.setattr(cache, "find", counted)
    card = export(case.variant, "onnx", lambda _: None)
    assert read.count(CustomModel) == 1
    assert (card.params, card.macs, card.weights) == (965, 960, "own")


def test_a_model_is_found_by_its_content_among_those_of_one_name(place: Path) -> None:
    first = custom.adopt(str(write(place / "net.onnx", operator="Sin")), "")
    custom.adopt(str(write(place / "net.onnx", operator="Cos")), "")
    of = replace(
        variant(first.name, 1.0, 8, weights=WeightSource.CUSTOM), classes=5, weights_sha256=first.content_sha256
    )
    assert given(of) == first
    with pytest.raises(CaseError, match=r"net.onnx is no longer in the cache; run again and give its file"):
        given(replace(of, weights_sha256="0" * 64))


def refusals(place: Path) -> list[tuple[dict[str, str], str]]:
    write(place / "net.onnx")
    write(place / "one.onnx", (1, 3, 8, 8))
    write(place / "pixels.onnx", dtype="UINT8")
    (place / "nothing").mkdir()
    (place / "other").mkdir()
    write(place / "other" / "net.onnx", operator="Sigmoid")
    folder, net = photos(place), {"model": "net.onnx"}
    return [
        (net | {"width": "0.5"}, "wanted a built-in network for --width"),
        (net | {"resolution": "64"}, "wanted a built-in network for --resolution"),
        ({"model": "mobilenet_v1", "input": "1x3x8x8"}, "--input applies to models given as a file"),
        ({"model": "mobilenet_v1", "weights": "own"}, "no weights 'own' (has trained, random, none"),
        (net, "int8 of net.onnx needs images for calibration and comparison: add --calibration folder"),
        (net | {"calibration": "nothing"}, "wanted images in"),
        (net | {"calibration": "nowhere"}, "nothing is at nowhere; wanted a folder of images"),
        (net | {"calibration": folder, "quantization": "qat"}, "are for edgebench's own networks, found qat"),
        (
            net | {"precision": "fp32", "runtime": "null"},
            "net.onnx is for runtimes that open onnx, but null opens null; use --runtime onnxruntime",
        ),
        (net | {"precision": "fp16"}, "net.onnx is fp32 as supplied, but --precision is fp16"),
        (
            {"model": "nets.py:small", "input": "1x3x16x16", "precision": "fp32", "runtime": "torch"},
            "nets.py:small is built by its own function, but torch builds only edgebench's own networks;"
            " use --runtime executorch or litert or ncnn or onnxruntime or openvino or tflite_runtime",
        ),
        (
            {"model": "one.onnx", "precision": "fp32", "batch": "2"},
            "one.onnx takes one image at a time, but --batch is",
        ),
        ({"model": "pixels.onnx", "precision": "int8"}, "takes uint8 images and is not quantized here"),
        ({"model": "net.onnx,other/net.onnx", "precision": "fp32"}, "found two called net.onnx; rename one"),
    ]


def test_what_cannot_be_asked_of_a_model_is_refused_in_one_line(place: Path, nets: Path) -> None:
    for flags, message in refusals(place):
        with pytest.raises(RequestError) as caught:
            cells(place, **flags)
        assert message in str(caught.value), flags


def test_a_file_of_8_bits_is_measured_as_it_is_and_has_no_parent(place: Path) -> None:
    from edgebench.export.formats.onnx import write_int8
    from edgebench.schema.quantization import Quantization

    images = numpy.random.default_rng(0).normal(size=(4, 1, 3, 8, 8)).astype(numpy.float32)
    write_int8(write(place / "net.onnx"), place / "small.onnx", Quantization(), lambda: iter(images))
    (case,) = cells(place, model="small.onnx", precision="int8")
    assert (case.variant.precision, case.variant.quantization, parent(case.variant)) == ("int8", None, None)
    card, whole = custom.adopt("small.onnx", ""), custom.adopt("net.onnx", "")
    assert (card.params, card.macs) == (whole.params, whole.macs) == (965, 960)


def test_a_model_is_not_trained(place: Path) -> None:
    write(place / "net.onnx")
    with pytest.raises(RequestError, match="wanted edgebench's own networks to train, found net.onnx"):
        to_train(reader.sweep("", SweepOptions(model="net.onnx")))

"""Files of Darknet: floats without names or shapes, adopted in the cfg's order, or refused in one line."""

import struct
from pathlib import Path

import numpy
import pytest
from numpy.typing import NDArray

from edgebench.foundation.errors import RequestError
from edgebench.foundation.shelf import load, names
from edgebench.train import checkpoint, darknet

pytestmark = pytest.mark.slow

# Floats of the public files: their sizes less a header of 16 or 20 bytes, over 4.
FLOATS = {"tiny_yolo_v2_voc": 15_867_885, "tiny_yolo_v3": 8_858_734}
NEW, OLD = struct.pack("<iiiq", 0, 2, 0, 32_000), struct.pack("<iiii", 0, 1, 0, 32_000)  # versions 0.2 and 0.1


def written(path: Path, count: int, header: bytes = NEW) -> NDArray[numpy.float32]:
    values = numpy.random.default_rng(0).random(count, numpy.float32)
    path.write_bytes(header + values.tobytes())
    return values


def test_the_networks_that_read_such_files_are_those_made_of_darknets_layers() -> None:
    made = {name for name in names("architectures") if name != "null" and darknet._units(load_outline(name))}
    assert made == set(darknet.NETWORKS) == set(FLOATS)


def load_outline(name: str):  # type: ignore[no-untyped-def]
    from edgebench.networks.build import outline

    return outline(name, 1.0, classes=2, resolution=load("architectures", name).RESOLUTIONS[name][0])


@pytest.mark.parametrize("header", [NEW, OLD])
@pytest.mark.parametrize("name", FLOATS)
def test_a_file_is_adopted_in_the_order_of_the_cfg(name: str, header: bytes, place: Path) -> None:
    import torch

    from edgebench.foundation import cache

    values = written(place / "net.weights", FLOATS[name], header)
    card, _ = checkpoint.adopt(str(place / "net.weights"), name, 1.0, 416)
    assert card.classes == load("architectures", name).CLASSES
    state = torch.load(cache.path_of(card), weights_only=True)
    network = load("architectures", name).build(name, 1.0, classes=card.classes, resolution=416)
    network.load_state_dict(state)
    first = "features.0" if name == "tiny_yolo_v2_voc" else "fine.0"
    for number, field in enumerate(("bias", "weight", "running_mean", "running_var")):
        assert state[f"{first}.1.{field}"].tolist() == values[16 * number : 16 * number + 16].tolist()
    assert state[f"{first}.0.weight"].flatten().tolist() == values[64 : 64 + 16 * 27].tolist()
    output = "output" if name == "tiny_yolo_v2_voc" else "second.1"
    boxes, columns = network.get_submodule(output).per_cell, 5 + card.classes
    inputs = state[f"{output}.boxes.weight"].shape[1]
    last = values[-boxes * columns * (inputs + 1) :]
    biases, weights = last[: boxes * columns].reshape(boxes, columns), last[boxes * columns :]
    assert state[f"{output}.boxes.bias"].tolist() == biases[:, :4].ravel().tolist()
    assert state[f"{output}.scores.bias"].tolist() == biases[:, 4:].ravel().tolist()
    rows = weights.reshape(boxes, columns, inputs)
    assert torch.equal(state[f"{output}.scores.weight"].flatten(), torch.from_numpy(rows[:, 4:].ravel()))


def test_another_number_of_classes_is_read_from_the_number_of_floats(place: Path) -> None:
    written(place / "net.weights", darknet._size("tiny_yolo_v3", 416, 3))
    assert checkpoint.adopt(str(place / "net.weights"), "tiny_yolo_v3", 1.0, 416)[0].classes == 3


@pytest.mark.parametrize(
    ("name", "count", "message"),
    [
        (
            "tiny_yolo_v3",
            FLOATS["tiny_yolo_v2_voc"],
            "15867885 floats, wanted 8858734; it fits --model tiny_yolo_v2_voc",
        ),
        ("tiny_yolo_v3", FLOATS["tiny_yolo_v3"] - 1, "8858733 floats, wanted 8858734; it fits no network of"),
        ("vgg16", 10, "is a file of Darknet: wanted --model tiny_yolo_v2_voc, tiny_yolo_v3; found --model vgg16"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(name: str, count: int, message: str, place: Path) -> None:
    written(place / "net.weights", count)
    with pytest.raises(RequestError) as caught:
        checkpoint.adopt(str(place / "net.weights"), name, 1.0, 224 if name == "vgg16" else 416)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"1234", NEW + b"12345"])
def test_what_is_no_such_file_is_refused(content: bytes, place: Path) -> None:
    (place / "net.weights").write_bytes(content)
    with pytest.raises(RequestError, match=r"net\.weights"):
        checkpoint.adopt(str(place / "net.weights"), "tiny_yolo_v3", 1.0, 416)


def test_values_that_are_not_finite_are_refused(place: Path) -> None:
    values = written(place / "net.weights", FLOATS["tiny_yolo_v3"])
    values[1000] = numpy.nan
    (place / "net.weights").write_bytes(NEW + values.tobytes())
    with pytest.raises(RequestError, match="contains NaN or infinite values"):
        checkpoint.adopt(str(place / "net.weights"), "tiny_yolo_v3", 1.0, 416)

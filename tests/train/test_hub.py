"""Weights of hubs: read from a client's cache without a network, with their preprocessing; one line where they lack."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from edgebench.foundation import cache
from edgebench.foundation.errors import RequestError
from edgebench.foundation.shelf import load
from edgebench.images import catalogue
from edgebench.images.splits import split
from edgebench.measure.plan.cases import variant_of
from edgebench.networks.build import build
from edgebench.schema.sweep import Model, Sweep
from edgebench.train import checkpoint, hub, timm
from edgebench.train.course import score

NAME = "hub:timm/mobilenetv2_035.test_in1k"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
PREPARED = {
    "input_size": [3, 224, 224], "interpolation": "bicubic", "crop_pct": 0.875, "crop_mode": "center",
    "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225],
}  # fmt: skip


@pytest.fixture(autouse=True)
def hubs(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let both clients keep their files below the test's folder, and reach no network."""
    constants = pytest.importorskip("huggingface_hub.constants", reason="pip install 'edgebench[hub]'")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(place / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setenv("TORCH_HOME", str(place / "torch"))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")


def laid_out(place: Path, **contents: bytes) -> None:
    """Write files as huggingface_hub keeps them: blobs by hash, a commit's links to them, a branch."""
    repository = place / "hub" / "models--timm--mobilenetv2_035.test_in1k"
    for folder in ("refs", "blobs", f"snapshots/{COMMIT}"):
        (repository / folder).mkdir(parents=True, exist_ok=True)
    (repository / "refs" / "main").write_text(COMMIT)
    for name, content in contents.items():
        blob = repository / "blobs" / hashlib.sha256(content).hexdigest()
        blob.write_bytes(content)
        (repository / "snapshots" / COMMIT / name).symlink_to(f"../../blobs/{blob.name}")


def config(**changes: Any) -> bytes:
    return json.dumps({"architecture": "mobilenetv2_035", "pretrained_cfg": PREPARED | changes}).encode()


def mobilenet_v2() -> dict[str, Any]:
    made = load("architectures", "mobilenet_v2").build("mobilenet_v2", 0.35, classes=7, resolution=96)
    state: dict[str, Any] = made.state_dict()
    return state


@pytest.mark.slow
def test_timms_weights_are_read_from_the_clients_cache_with_their_preprocessing(place: Path) -> None:
    import torch
    from safetensors.torch import save

    state, theirs = mobilenet_v2(), dict(zip(timm._own(), timm._timms(), strict=True))
    renamed = {f"{theirs[key.rpartition('.')[0]]}.{key.rpartition('.')[2]}": value for key, value in state.items()}
    laid_out(place, **{"config.json": config(), "model.safetensors": save(renamed)})
    card, sha256 = hub.adopt(NAME, "mobilenet_v2", 0.35, 96)
    assert (card.recipe, card.classes, card.padding) == (NAME, 7, "")
    assert sha256 == hashlib.sha256(save(renamed)).hexdigest()
    assert card.inputs
    assert (card.inputs.interpolation, card.inputs.crop) == ("bicubic", 0.875)
    kept = torch.load(cache.path_of(card), weights_only=True)
    assert all(torch.equal(kept[key], value) for key, value in state.items())


@pytest.mark.slow
def test_accuracy_is_that_of_the_preprocessing_which_belongs_to_the_weights(place: Path) -> None:
    import torch
    from safetensors.torch import save

    images = [noise(place / "val" / str(number % 2) / f"{number:02}.png", number) for number in range(16)]
    stated = {"interpolation": "bicubic", "crop_pct": 0.8, "mean": [0.3, 0.5, 0.6], "std": [0.1, 0.2, 0.3]}
    state = mobilenet_v2()
    network = load("architectures", "mobilenet_v2").build("mobilenet_v2", 0.35, classes=7, resolution=96).eval()
    with torch.no_grad():
        network.load_state_dict(state)
        features = network.features(torch.stack([prepared(path, stated) for path in images])).mean((2, 3)).double()
        centred = features - features.mean(0)
        wanted = torch.tensor([1.0, -1.0] * 8, dtype=torch.float64)  # of the first class against the second
        weights = torch.linalg.lstsq(centred, wanted, driver="gelsd").solution
        state["classifier.1.weight"] = torch.zeros(7, 1280)
        state["classifier.1.weight"][0] = weights
        state["classifier.1.bias"] = torch.tensor([-float(weights @ features.mean(0)), 0.0, *[-9.0] * 5])
    laid_out(place, **{"config.json": config(**stated), "model.safetensors": save(state)})
    tops = [top1(place, preprocessing) for preprocessing in ("", "torchvision", "tf_1000", "caffe")]
    assert tops[0] == 1.0
    assert max(tops[1:]) < 1.0, tops


def noise(path: Path, seed: int) -> Path:
    """Write a picture of blurred noise, larger at one side."""
    import numpy
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = numpy.random.default_rng(seed).integers(0, 256, (30, 40, 3)).astype("uint8")
    Image.fromarray(pixels).resize((200, 150), Image.Resampling.BICUBIC).save(path)
    return path


def prepared(path: Path, stated: dict[str, Any]) -> Any:
    """Prepare a picture as timm does: the shorter side to 96 / crop_pct, the central 96 x 96, mean and deviation."""
    import torch
    from PIL import Image

    with Image.open(path) as picture:
        side = int(96 / stated["crop_pct"])
        resized = picture.resize((int(side * 200 / 150), side), Image.Resampling.BICUBIC)
    left, upper = round((resized.width - 96) / 2), round((side - 96) / 2)
    cut = resized.crop((left, upper, left + 96, upper + 96))
    pixels = torch.tensor(list(cut.tobytes())).reshape(96, 96, 3) / 255
    return ((pixels - torch.tensor(stated["mean"])) / torch.tensor(stated["std"])).permute(2, 0, 1)


def top1(place: Path, preprocessing: str) -> float:
    """Return the share of right answers on the folder of pictures, as a run computes it for `NAME`."""
    sweep = Sweep(
        models=(Model(name="mobilenet_v2", widths=(0.35,)),), resolutions=(96,), weights=NAME,
        dataset=f"image_folder:{place / 'val'}", preprocessing=preprocessing,
    )  # fmt: skip
    cell = next(sweep.cells())
    variant = variant_of(cell, catalogue.adopt(cell.dataset), None)
    card = checkpoint.find(variant)
    assert card
    network, images = build(variant, str(cache.path_of(card))), split(variant, "test", 3)
    return score(network, images, 16, load("tasks", "classification"), variant.classes)


@pytest.mark.lengthy
@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"interpolation": "nearest"}, "wanted bilinear or bicubic interpolation"),
        ({"crop_mode": "squash"}, "and a central crop"),
        ({"std": [0, 0, 0]}, "impossible mean, std or crop_pct"),
        ({"mean": "none"}, "does not say how images are prepared"),
        ({"crop_pct": None}, "does not say how images are prepared"),
    ],
)
def test_a_preprocessing_that_is_not_made_here_is_refused(place: Path, changes: dict[str, Any], refusal: str) -> None:
    laid_out(place, **{"config.json": config(**changes), "model.safetensors": b""})
    with pytest.raises(RequestError, match=refusal):
        hub.adopt(NAME, "mobilenet_v2", 0.35, 96)


@pytest.mark.parametrize("name", ["hub:", "hub:timm", "hub:a/b/c", "hub:../../x", "hub:timm/x y"])
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(RequestError, match="wanted hub:owner/name"):
        hub.adopt(name, "mobilenet_v2", 1.0, 96)


@pytest.mark.lengthy
def test_without_a_network_a_line_says_what_to_do() -> None:
    with pytest.raises(
        RequestError, match=r"cannot be fetched .*run `hf download timm/mobilenetv2_035\.test_in1k`"
    ) as caught:
        hub.adopt(NAME, "mobilenet_v2", 0.35, 96)
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_torchvisions_weights_are_read_from_the_clients_cache(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    folder = place / "torch" / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    torch.save(mobilenet_v2(), place / "net.pth")
    digest = hashlib.sha256((place / "net.pth").read_bytes()).hexdigest()[:8]
    path = (place / "net.pth").rename(folder / f"mobilenet_v2-{digest}.pth")
    entry = "MobileNet_V2_Weights.IMAGENET1K_V2"
    listed = hub._torchvision() | {entry: hub._torchvision()[entry] | {"url": f"https://localhost/{path.name}"}}
    monkeypatch.setattr(hub, "_torchvision", lambda: listed)
    card, _ = hub.adopt(f"hub:torchvision/{entry}", "mobilenet_v2", 0.35, 96)
    assert card.inputs
    assert round(224 / card.inputs.crop) == int(224 / card.inputs.crop) == 232
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(RequestError, match="does not have the hash in its name"):
        hub.adopt(f"hub:torchvision/{entry}", "mobilenet_v2", 0.35, 96)


@pytest.mark.slow
def test_torchvisions_weights_that_cannot_be_fetched_name_the_file_to_fetch() -> None:
    with pytest.raises(RequestError, match=r"download https://.*mobilenet_v2-7ebf99e0\.pth where there is a network"):
        hub.adopt("hub:torchvision/MobileNet_V2_Weights.IMAGENET1K_V2", "mobilenet_v2", 1.0, 224)
    with pytest.raises(RequestError, match="torchvision has no weights Nothing"):
        hub.adopt("hub:torchvision/Nothing", "mobilenet_v2", 1.0, 224)


@pytest.mark.slow
def test_every_listed_file_of_torchvision_is_of_a_network_here() -> None:
    for entry in hub._torchvision().values():
        resolution = load("architectures", entry["architecture"]).RESOLUTIONS[entry["architecture"]][0]
        assert int(entry["crop"]) == resolution
        assert int(int(entry["crop"]) / (int(entry["crop"]) / int(entry["resize"]))) == int(entry["resize"])

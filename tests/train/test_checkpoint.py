"""Files of weights: adopted strictly, never executed, and refused with what does not fit."""

import pickle
from pathlib import Path

import pytest

from edgebench.foundation.errors import RequestError
from edgebench.foundation.shelf import load
from edgebench.train import checkpoint

pytestmark = pytest.mark.slow


def saved(place: Path, name: str = "resnet18", *, width: float = 1.0, classes: int = 7, file: str = "net.pth") -> Path:
    import torch

    family = load("architectures", name)
    network = family.build(name, width, classes=classes, resolution=family.RESOLUTIONS[name][0])
    torch.save(network.state_dict(), place / file)
    return place / file


def adopt(path: Path, name: str = "resnet18", width: float = 1.0, resolution: int = 224) -> int:
    return checkpoint.adopt(str(path), name, width, resolution)[0].classes


def test_a_whole_file_is_adopted_with_its_classes(place: Path) -> None:
    assert adopt(saved(place)) == 7


def test_the_adopted_weights_are_the_files(place: Path) -> None:
    import torch

    from edgebench.foundation import cache

    path = saved(place, "mobilenet_v2", width=0.35)
    weights, _ = checkpoint.adopt(str(path), "mobilenet_v2", 0.35, 96)
    given, kept = (torch.load(file, weights_only=True) for file in (path, cache.path_of(weights)))
    assert given.keys() == kept.keys()
    assert all(torch.equal(given[key], kept[key]) for key in given)


@pytest.mark.parametrize("wrapper", ["state_dict", "model"])
def test_wrappings_of_training_scripts_are_taken_off(place: Path, wrapper: str) -> None:
    import torch

    state = torch.load(saved(place), weights_only=True)
    torch.save({wrapper: {f"module.{key}": value for key, value in state.items()}, "epoch": 3}, place / "wrapped.pth")
    assert adopt(place / "wrapped.pth") == 7


def test_safetensors_are_read(place: Path) -> None:
    import torch
    from safetensors.torch import save_file

    save_file(torch.load(saved(place), weights_only=True), place / "net.safetensors")
    assert adopt(place / "net.safetensors") == 7


@pytest.mark.parametrize("file", ["cut.pth", "cut.safetensors"])
def test_a_file_that_is_cut_off_is_refused(place: Path, file: str) -> None:
    import torch
    from safetensors.torch import save_file

    whole = saved(place)
    if file.endswith("safetensors"):
        save_file(torch.load(whole, weights_only=True), place / "whole.safetensors")
        whole = place / "whole.safetensors"
    (place / file).write_bytes(whole.read_bytes()[:-1000])
    with pytest.raises(RequestError, match="not a complete weights file"):
        adopt(place / file)


class Malicious:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (open, ("executed", "w"))  # type: ignore[return-value]


def test_code_in_a_pickle_is_not_executed(place: Path) -> None:
    import torch

    torch.save({"weight": Malicious()}, place / "zip.pth")
    (place / "plain.pth").write_bytes(pickle.dumps({"weight": Malicious()}))
    for file in ("zip.pth", "plain.pth"):
        with pytest.raises(RequestError, match="Python objects other than tensors"):
            adopt(place / file)
    assert not (place / "executed").exists()


def test_another_networks_file_names_what_does_not_fit_and_what_it_fits(place: Path) -> None:
    with pytest.raises(RequestError) as caught:
        adopt(saved(place), "vgg11")
    assert "missing features.0.weight, unexpected conv1.weight; it fits --model resnet18" in str(caught.value)


def test_another_width_names_the_first_shape_and_the_width_that_fits(place: Path) -> None:
    with pytest.raises(RequestError) as caught:
        adopt(saved(place, "mobilenet_v2", width=0.5), "mobilenet_v2", 1.0)
    assert "features.0.0.weight is [16, 3, 3, 3], wanted [32, 3, 3, 3]" in str(caught.value)
    assert "it fits --model mobilenet_v2 --width 0.5" in str(caught.value)


def test_what_holds_no_tensors_is_refused(place: Path) -> None:
    import torch

    torch.save([1, 2, 3], place / "list.pth")
    with pytest.raises(RequestError, match="wanted tensors by name .a state dict., found list"):
        adopt(place / "list.pth")


def test_a_missing_file_is_refused() -> None:
    with pytest.raises(RequestError, match=r"cannot read the weights none\.pth: No such file"):
        adopt(Path("none.pth"))


def test_values_that_are_no_numbers_are_refused_by_their_key(place: Path) -> None:
    import torch

    path = saved(place)
    state = torch.load(path)
    state["conv1.weight"][0] = float("nan")
    torch.save(state, path)
    with pytest.raises(RequestError, match=r"net\.pth: conv1\.weight contains NaN or infinite values"):
        adopt(path)

"""Operators replaced in place: the file has the same bytes as if the network had been traced once more."""

from pathlib import Path
from typing import Any

import pytest

from edgebench.export.formats.tflite import passes
from edgebench.export.formats.tflite.convert import convert

pytestmark = pytest.mark.slow

REPLACED = ("over two axes", "along one axis")
TRACED = ("padding by name", "a composite")


def network(kind: str) -> Any:
    from torch import manual_seed, nn

    manual_seed(0)
    layers: list[nn.Module] = [nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.ReLU6()]
    match kind:
        case "over two axes":
            layers += [nn.MaxPool2d(3, 2, padding=1), nn.Conv2d(8, 8, 3, dilation=2, padding=2, groups=8, bias=False)]
            layers += [nn.ConvTranspose2d(8, 4, 4, stride=2, padding=1), nn.Conv2d(4, 4, (1, 3)), nn.MaxPool2d(2)]
        case "along one axis":
            layers += [nn.Flatten(2), nn.Conv1d(8, 4, 3)]
        case "padding by name":
            layers += [nn.Conv2d(8, 4, 3, padding="same")]
        case "a composite":
            layers += [nn.Hardswish()]
    return nn.Sequential(*layers, nn.Flatten(), nn.LazyLinear(5))


@pytest.mark.parametrize("kind", [*REPLACED, *TRACED])
def test_a_file_has_the_same_bytes(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    replaced, files, original = list[Any](), [], passes._replace

    def replace(graph: Any) -> None:
        replaced.append(graph)
        original(graph)

    monkeypatch.setattr(passes, "_replace", replace)
    for name in ("in_place", "traced"):
        net = network(kind).eval()
        net(torch.zeros(1, 3, 16, 16))
        convert(net, 3, 16, Path(name))
        files.append(Path(name).read_bytes())
        monkeypatch.setattr(passes, "_is_ordinary", lambda *_: False)
    assert files[0] == files[1]
    assert len(replaced) == (kind in REPLACED)

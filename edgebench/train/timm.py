"""A state dict with the names of the library timm -> the same tensors with the names of this package's network."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

_STAGES = (2, 3, 4, 3, 3, 1)  # number of blocks in each stage of MobileNetV2 after the first stage
_AUXILIARY = ("AuxLogits.", "aux1.", "aux2.")  # heads that are used only in training, so they are left out here


def renamed(state: dict[str, Tensor], name: str) -> dict[str, Tensor]:
    """Rename the tensors of timm's MobileNetV2 as in torchvision; leave out heads that are used only in training."""
    if name in ("googlenet", "inception_v3"):
        return {key: value for key, value in state.items() if not key.startswith(_AUXILIARY)}
    if name != "mobilenet_v2" or "conv_stem.weight" not in state:
        return state
    own = dict(zip(_timms(), _own(), strict=True))
    return {_renamed(key, own): value for key, value in state.items()}


def _renamed(key: str, own: dict[str, Any]) -> str:
    module, _, parameter = key.rpartition(".")
    return f"{own.get(module, module)}.{parameter}"


def _timms() -> Iterator[str]:
    yield from ("conv_stem", "bn1")
    yield from (f"blocks.0.0.{part}" for part in ("conv_dw", "bn1", "conv_pw", "bn2"))
    for stage, count in enumerate(_STAGES, 1):
        for block in range(count):
            parts = ("conv_pw", "bn1", "conv_dw", "bn2", "conv_pwl", "bn3")
            yield from (f"blocks.{stage}.{block}.{part}" for part in parts)
    yield from ("conv_head", "bn2", "classifier")


def _own() -> Iterator[str]:
    yield from ("features.0.0", "features.0.1")
    yield from (f"features.1.conv.{part}" for part in ("0.0", "0.1", "1", "2"))
    last = 2 + sum(_STAGES)
    for block in range(2, last):
        yield from (f"features.{block}.conv.{part}" for part in ("0.0", "0.1", "1.0", "1.1", "2", "3"))
    yield from (f"features.{last}.0", f"features.{last}.1", "classifier.1")

"""The file of the null runtime: it says how long this runtime waits, and how many class scores it returns."""

from __future__ import annotations

import json
from shutil import copyfile
from typing import TYPE_CHECKING

from edgebench.export.formats import Written
from edgebench.schema.quantization import Quantization

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy import float32
    from numpy.typing import NDArray
    from torch import nn

    from edgebench.schema.variant import Variant

SUFFIX = ".json"
SCHEME = Quantization()
TOOLS: tuple[str, ...] = ()


def refuses(variant: Variant) -> str:
    """Refuse every network but `null`, because the file cannot store a network."""
    if variant.architecture == "null":
        return ""
    return f"the null format stores no network, so it cannot store {variant.architecture}; use --model null"


def write(path: Path, variant: Variant, channels: int, network: Callable[[], nn.Module]) -> None:
    """Write a file with which the null runtime returns without waiting."""
    path.write_text(json.dumps({"delay_s": 0.0, "classes": variant.classes}), encoding="utf-8")


def write_int8(
    parent: Path, path: Path, quantization: Quantization, calibration: Callable[[], Iterator[NDArray[float32]]]
) -> Written:
    """Copy the float file, because it has nothing to quantize."""
    copyfile(parent, path)
    return Written()

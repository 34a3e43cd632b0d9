"""The null runtime's file: how long to wait and how many classes to answer."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from edgebench.errors import CaseError
from edgebench.spec import Precision

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy import float32
    from numpy.typing import NDArray
    from torch import nn

    from edgebench.spec import Variant

SUFFIX = ".json"
PRECISIONS = tuple(Precision)
TOOLS: tuple[str, ...] = ()


def write(
    path: Path,
    variant: Variant,
    *,
    network: Callable[[], nn.Module],
    calibration: Callable[[], NDArray[float32]],
) -> tuple[str, ...]:
    """Write an artifact without delay.

    Raises:
        CaseError: the network is another than `null`: this file would not hold it.
    """
    if variant.architecture != "null":
        raise CaseError(f"the null format holds no network, so not {variant.architecture}; use --model null")
    path.write_text(json.dumps({"delay_s": 0.0, "classes": variant.classes}))
    return ()

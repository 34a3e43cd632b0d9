"""A sweep -> the float networks whose weights the sweep needs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from edgebench.foundation.errors import RequestError
from edgebench.images import catalogue
from edgebench.measure.plan.cases import variant_of
from edgebench.measure.plan.check import check
from edgebench.networks import build
from edgebench.schema.names import is_custom
from edgebench.schema.variant import Precision, Variant, WeightSource

if TYPE_CHECKING:
    from edgebench.schema.sweep import Sweep


def to_train(sweep: Sweep) -> tuple[Variant, ...]:
    """Return the float networks of a sweep; all precisions, runtimes and targets share the weights of these networks.

    Raises:
        RequestError: the sweep is invalid, or contains a user-supplied model.
    """
    check(sweep)
    cells = list(sweep.cells())
    if model := next((cell.model for cell in cells if is_custom(cell.model)), ""):
        raise RequestError(
            f"wanted edgebench's own networks to train, found {model}, which has weights already; leave it out"
        )
    datasets = {name: catalogue.adopt(name) for name in dict.fromkeys(cell.dataset for cell in cells)}
    for cell in cells:
        build.check(cell.model, cell.width, cell.resolution)
    floats = [
        replace(
            cell, precision=Precision.FP32, quantization="", weights=WeightSource.TRAINED, weights_dir="", classes=0
        )
        for cell in cells
    ]
    return tuple(dict.fromkeys(variant_of(cell, datasets[cell.dataset], None) for cell in floats))

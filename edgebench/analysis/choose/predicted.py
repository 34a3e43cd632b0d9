"""A results folder and its sweep -> one option per configuration of the sweep that was predicted, not measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgebench.analysis.choose.option import (
    PUBLISHED_ACCURACY,
    Configuration,
    Offer,
    Option,
    figure,
    imagenet,
    known,
    threads,
)
from edgebench.analysis.choose.request import P50, PUBLISHED, Q
from edgebench.analysis.predict import outlook, own_sweep
from edgebench.foundation.units import counted
from edgebench.measure.budget.kinds import PREDICTED
from edgebench.measure.budget.surfaces import metric_of
from edgebench.networks import published
from edgebench.results.table.choice import Figure, Quantity
from edgebench.schema.variant import network, scheme

if TYPE_CHECKING:
    from pathlib import Path

    from edgebench.analysis.choose.request import Request
    from edgebench.measure.budget.fit import Prediction
    from edgebench.measure.budget.kinds import Predicted
    from edgebench.networks.published import References
    from edgebench.schema.case import Case


def offer(folder: Path, request: Request) -> Offer:
    """Make an option of each configuration in the folder's sweep that matches the request and can be predicted.

    Raises:
        InvalidFile: the folder has no readable journal or sweep.
        UnknownName, RequestError: a target of the sweep has no measurements, or the sweep has an impossible value.
    """
    references = published.references() if request.accuracy == PUBLISHED else None
    expected = outlook(folder, own_sweep(folder))
    cells = request.selection.select(expected.cells, lambda cell: _described(cell.case), f"the sweep of {folder}")
    options = tuple(
        _option(cell, cell.time_s, expected.metrics.get(cell.case), references)
        for cell in cells
        if cell.time_s and request.dataset in ("", cell.case.variant.dataset)
    )
    note = (
        f"{counted(len(options), 'configuration', 'was')} predicted, not measured. Each is marked and has 90 %"
        " intervals (measured rows have 95 % intervals). The worse end of a predicted interval must keep each"
        " limit. Measure a predicted configuration before you rely on it."
    )
    return Offer(options=options, notes=(note,))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Described:
    """The properties of a configuration of the sweep that the request can filter by."""

    architecture: str
    width: float
    resolution: int
    precision: str
    runtime: str
    target: str
    threads: int


def _described(case: Case) -> _Described:
    variant = case.variant
    return _Described(
        architecture=variant.architecture,
        width=variant.width,
        resolution=variant.resolution,
        precision=variant.precision,
        runtime=case.runtime.name,
        target=case.target,
        threads=case.threads,
    )


def _option(cell: Predicted, time_s: Prediction, metric: Prediction | None, references: References | None) -> Option:
    """Make an option of one configuration: its latency and metric with 90 % intervals, and its multiply-adds."""
    figures: dict[Quantity, Figure | None] = {Q.LATENCY: _figure(time_s, 1e3), Q.MACS: figure(cell.macs / 1e6)}
    if references:
        return _made(cell, _cited(cell.case, references) | figures, PUBLISHED_ACCURACY)
    if not metric:
        return _made(cell, figures, "none: not measured")
    figures[Quantity(metric_of(cell.case.variant))] = _figure(metric, 100)
    return _made(cell, figures, f"{PREDICTED} from other configurations on {cell.case.variant.dataset}")


def _made(cell: Predicted, figures: dict[Quantity, Figure | None], accuracy: str) -> Option:
    configuration = _configuration(cell.case, cell.preset)
    return Option(configuration=configuration, figures=known(figures), accuracy=accuracy, statistic=P50)


def _figure(prediction: Prediction, unit: float) -> Figure:
    ends = prediction.value * unit, prediction.low * unit, prediction.high * unit
    return Figure(value=ends[0], low=ends[1], high=ends[2], is_predicted=True)


def _configuration(case: Case, preset: str) -> Configuration:
    return Configuration(
        network=network(case.variant),
        scheme=scheme(case.variant),
        target=case.target,
        runtime=str(case.runtime),
        packages=" ".join(case.runtime.packages),
        threads=threads(case.threads),
        batch=f"batch {case.batch}",
        training=f"{case.variant.dataset}, weights {case.variant.weights}",
        preset=preset,
        origin=PREDICTED,
    )


def _cited(case: Case, references: References) -> dict[Quantity, Figure | None]:
    variant = case.variant
    return imagenet(references.get((variant.architecture, variant.width, variant.resolution, variant.precision)))

"""A results folder and its sweep -> an option per unmeasured cell, with its predicted latency."""

from __future__ import annotations

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
from edgebench.measure.budget.kinds import PREDICTED
from edgebench.networks import published
from edgebench.schema.variant import network, scheme

if TYPE_CHECKING:
    from pathlib import Path

    from edgebench.analysis.choose.request import Request
    from edgebench.measure.budget.fit import Prediction
    from edgebench.measure.budget.kinds import Predicted
    from edgebench.networks.published import References
    from edgebench.results.table.choice import Figure, Quantity
    from edgebench.schema.case import Case


def offer(folder: Path, request: Request) -> Offer:
    """Make an option of each cell of the folder's sweep that matches the request and can be predicted.

    Raises:
        InvalidFile: the folder has no readable journal or sweep.
        UnknownName, RequestError: a target of the sweep has no measurements, or the sweep is impossible.
    """
    references = published.references() if request.accuracy == PUBLISHED else None
    cells = outlook(folder, own_sweep(folder)).cells
    options = tuple(
        _option(cell, cell.time_s, references) for cell in cells if cell.time_s and _matches(cell.case, request)
    )
    note = (
        f"Predicted, not measured: {len(options)} configurations, each marked, with 90 % intervals (measured: 95 %)."
        " Measure before you rely on one."
    )
    return Offer(options=options, notes=(note,))


def _matches(case: Case, request: Request) -> bool:
    return (
        request.target in ("", case.target)
        and request.precision in ("", case.variant.precision)
        and request.dataset in ("", case.variant.dataset)
    )


def _option(cell: Predicted, time_s: Prediction, references: References | None) -> Option:
    """Make an option of a cell: its latency with a 90 % interval, and the figures that are known without measuring."""
    figures = {
        Q.LATENCY: figure(time_s.value * 1e3, time_s.low * 1e3, time_s.high * 1e3),
        Q.MACS: figure(cell.macs / 1e6),
    }
    return Option(
        configuration=_configuration(cell.case, cell.preset),
        figures=known((_cited(cell.case, references) if references else {}) | figures),
        accuracy=PUBLISHED_ACCURACY if references else "none: not measured",
        statistic=P50,
    )


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

"""The command-line options of `choose` -> a request, which has limits, an objective and filters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgebench.foundation.errors import RequestError, require
from edgebench.foundation.shelf import names
from edgebench.foundation.units import MIB, parse_count, parse_latency, parse_share, parse_size
from edgebench.results.table.choice import METRICS, Limit, Quantity
from edgebench.results.table.selection import ALL, Selection

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


Q = Quantity
MEASURED, PUBLISHED = "measured", "published"
P50, MEAN = "p50", "mean"  # statistics of a latency


def _per_cent(text: str) -> float:
    """Read a share in per cent. A number below 1 must have the sign %, because it could be meant as a fraction.

    Raises:
        RequestError: the text is not a share, or is a number below 1 without the sign.
    """
    if (share := parse_share(text)) < 1 and "%" not in text:
        raise RequestError(
            f"wanted per cent, found {text.strip()}, which would be {share:g} %; write {100 * share:g} for"
            f" {100 * share:g} %, or {share:g}% for {share:g} %"
        )
    return share


# By flag: the quantity that the flag bounds, and the function that converts the flag's text to that quantity's unit.
LIMITS: dict[str, tuple[Quantity, Callable[[str], float]]] = {
    "max_latency": (Q.LATENCY, parse_latency),
    "max_p90": (Q.P90, parse_latency),
    "max_total": (Q.TOTAL, parse_latency),
    "max_peak": (Q.PEAK, lambda text: parse_size(text) / MIB),
    "max_file": (Q.FILE, lambda text: parse_size(text) / MIB),
    "max_macs": (Q.MACS, lambda text: parse_count(text) / 1e6),
    "max_instructions": (Q.INSTRUCTIONS, lambda text: parse_count(text) / 1e6),
    "max_drop": (Q.DROP, parse_share),
    "min_top1": (Q.TOP1, _per_cent),
    "min_top5": (Q.TOP5, _per_cent),
    "min_map": (Q.MAP, _per_cent),
    "min_miou": (Q.MIOU, _per_cent),
    "min_iou": (Q.IOU, _per_cent),
    "min_agreement": (Q.AGREEMENT, _per_cent),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """The filters, the objective and the limits of a choice. An empty filter accepts all rows.

    Attributes:
        selection: the filters by network, runtime and target.
        objective: the quantity to optimize. None stands for the metric of the rows' task: top-1 for classifiers, mAP
            for detectors, mIoU for segmenters, mean IoU for localizers.
        accuracy: `measured` or `published`. The published accuracy is the accuracy on ImageNet of the same network,
            width, resolution and precision.
        predicted: whether to choose also among configurations of the folder's sweep that were not measured, by
            predicted latencies.
        any_published: whether to choose also among published rows that time only kernels, use random weights or are
            estimates.
    """

    selection: Selection = ALL
    dataset: str = ""
    task: str = ""
    accuracy: str = MEASURED
    objective: Quantity | None = None
    predicted: bool = False
    any_published: bool = False
    limits: tuple[Limit, ...] = ()

    @property
    def compares_accuracies(self) -> bool:
        """Whether the choice depends on measured accuracies."""
        quantities = {self.objective or Q.TOP1, *(limit.quantity for limit in self.limits)}
        return self.accuracy == MEASURED and bool(quantities & {*METRICS, Q.DROP})


def parse(
    *,
    selection: Selection = ALL,
    dataset: str = "",
    task: str = "",
    accuracy: str = "",
    objective: str = "",
    predicted: bool = False,
    any_published: bool = False,
    limits: Mapping[str, str],
) -> Request:
    """Parse the command-line options of `choose`. `limits` has keys of `LIMITS`; an empty text means the default.

    Raises:
        RequestError, UnknownName: an option has an impossible value.
    """
    accuracy = accuracy or MEASURED
    require("accuracy", accuracy, (MEASURED, PUBLISHED))
    require("task", task, names("tasks"), may_be_empty=True)
    require("objective", objective, tuple(Quantity), may_be_empty=True)
    return Request(
        selection=selection,
        dataset=dataset,
        task=task,
        accuracy=accuracy,
        objective=Quantity(objective) if objective else None,
        predicted=predicted,
        any_published=any_published,
        limits=tuple(_limit(flag, text) for flag in LIMITS if (text := limits.get(flag))),
    )


def _limit(flag: str, text: str) -> Limit:
    quantity, read = LIMITS[flag]
    try:
        return Limit(quantity=quantity, bound=read(text))
    except RequestError as error:
        raise RequestError(f"--{flag.replace('_', '-')}: {error}") from error

"""The options of a choice (configurations that the user could deploy): their properties, figures and names."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

from edgebench.foundation import stats
from edgebench.foundation.units import counted
from edgebench.networks.published import IMAGENET_IMAGES
from edgebench.results.table.choice import Figure, Quantity

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edgebench.networks.published import PublishedAccuracy

PUBLISHED_ACCURACY = "published, ImageNet"
ALWAYS_NAMED = ("network", "scheme")


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """Properties that distinguish options, each as a phrase. The fields are in the same order as in an option's name.

    The phrase of an unknown or irrelevant property is empty.

    Attributes:
        scheme: the precision and the quantization scheme.
        folder: the results folder, if there are several folders.
        training: the data set and the source of the weights.
        epoch: the epoch, a hash of the machine's state, if rows of one machine have several epochs.
        origin: `predicted` if the configuration was not measured.
    """

    network: str
    scheme: str
    folder: str = ""
    target: str = ""
    runtime: str
    packages: str = ""
    threads: str
    batch: str = ""
    training: str = ""
    preset: str = ""
    epoch: str = ""
    clock: str = ""
    board: str = ""
    source: str = ""
    origin: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """A configuration, its known figures, and where its accuracy comes from.

    Attributes:
        accuracy: where the accuracy comes from, in words.
        statistic: whether the latency is a `p50` or a `mean`; an empty text if the option has no latency.
        note: a caveat: the words of a published row's source, or a doubtful verdict with its reasons.
        take: the command that copies the configuration's file out of the cache; an empty text if there is no file.
    """

    configuration: Configuration
    figures: Mapping[Quantity, Figure]
    accuracy: str
    statistic: str = ""
    note: str = ""
    take: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """Options from one source, notes to show with these options, and the metric of the options' task."""

    options: tuple[Option, ...]
    notes: tuple[str, ...]
    metric: Quantity = Quantity.TOP1

    def __add__(self, other: Offer) -> Offer:
        """Append the options and notes of another source."""
        return replace(self, options=self.options + other.options, notes=self.notes + other.notes)


def named(options: Sequence[Option]) -> tuple[str, dict[str, Option]]:
    """Return the phrases that all options share, and a mapping from names to options.

    An option's name consists of the phrases in which the options differ. Options with equal names are numbered, because
    each option is identified by its name.
    """
    values = {
        field.name: {getattr(each.configuration, field.name) for each in options} for field in fields(Configuration)
    }
    differing = [field for field, texts in values.items() if len(texts) > 1 or field in ALWAYS_NAMED]
    shared = [text for field, texts in values.items() if field not in differing for text in texts if text]
    names, counts = dict[str, Option](), Counter[str]()
    for option in options:
        name = ", ".join(filter(None, (getattr(option.configuration, field) for field in differing)))
        counts[name] += 1
        names[name if counts[name] == 1 else f"{name} ({counts[name]})"] = option
    return " · ".join(shared), names


def threads(count: int | None) -> str:
    """Return a phrase for the number of threads, such as `2 threads`."""
    return "threads not stated" if count is None else counted(count, "thread")


def known(figures: Mapping[Quantity, Figure | None]) -> dict[Quantity, Figure]:
    """Return the known figures by quantity; quantities without a figure are left out."""
    return {quantity: value for quantity, value in figures.items() if value}


def figure(value: float | None, low: float | None = None, high: float | None = None) -> Figure | None:
    """Return a value with its interval.

    Return None if there is no value. A missing bound of the interval is replaced by the value.
    """
    if value is None:
        return None
    return Figure(value=value, low=value if low is None else low, high=value if high is None else high)


def share(per_cent: float | None, images: int) -> Figure | None:
    """Return a share with its Wilson interval for this number of images, in per cent; None if there is no share."""
    if per_cent is None:
        return None
    low, high = stats.wilson(round(per_cent / 100 * images), images)
    return Figure(value=per_cent, low=min(100 * low, per_cent), high=max(100 * high, per_cent))


def imagenet(reference: PublishedAccuracy | None) -> dict[Quantity, Figure | None]:
    """Return a network's published figures on ImageNet: top-1 and top-5 in per cent, multiply-adds in millions."""
    return {
        Quantity.TOP1: share(reference.top1 if reference else None, IMAGENET_IMAGES),
        Quantity.TOP5: share(reference.top5 if reference else None, IMAGENET_IMAGES),
        Quantity.MACS: figure(reference.macs / 1e6 if reference and reference.macs else None),
    }

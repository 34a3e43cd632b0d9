"""Write an artifact's file as an order says, and describe it in a card with the duration of each step."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from dataclasses import replace
from functools import cache as once
from functools import partial
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import TYPE_CHECKING, Any

from edgebench.export import custom, several
from edgebench.export.custom.calibration import sets
from edgebench.export.formats import Written
from edgebench.export.prepare import prepare
from edgebench.foundation import cache
from edgebench.foundation.errors import CaseError, EdgebenchError, in_words
from edgebench.foundation.shelf import load
from edgebench.images.splits import calibrated, split, too_few
from edgebench.networks.build import build
from edgebench.schema.artifact import BUILD, EXPORT, QUANTIZE, Artifact
from edgebench.schema.names import CLASSIFICATION
from edgebench.schema.variant import WeightSource, as_float, task

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy import int64
    from numpy.typing import NDArray
    from torch import nn

    from edgebench.export.order import Order
    from edgebench.foundation.progress import Show
    from edgebench.images.loader import Images
    from edgebench.schema.artifact import OutputNoise
    from edgebench.schema.cards import CustomModel
    from edgebench.schema.variant import Variant

    Calibration = Callable[[], Iterator[Any]]
    Network = Callable[[], nn.Module]


FEW = 8  # number of images on which the outputs of untrained networks are compared


def write(path: Path, order: Order, parent: Artifact | None, show: Show) -> Artifact:
    """Write the order's file to `path` and return its card; an int8 file is made from its float `parent`, if any.

    Raises:
        CaseError: the file cannot be made. Any exception of a format's tools is raised as a CaseError, so that only one
            case fails, and not the whole sweep.
    """
    took_s = dict(parent.took_s) if parent else {}
    images = calibration(order.variant, order.channels)
    network = partial(_network, order, images, show, took_s)
    try:
        written = _write(path, order, parent, network, images, took_s)
    except (EdgebenchError, OSError):
        raise
    except Exception as error:
        advice = "; use --precision fp32" if order.variant.feed and order.variant.quantization else ""
        raise CaseError(f"{order.format}: {in_words(error)[:300]}{advice}") from error
    return _card(path, order, parent, _compared(path, order, parent, written, images), took_s)


def _compared(path: Path, order: Order, parent: Artifact | None, written: Written, images: Calibration) -> Written:
    """If the weights are random, add a comparison of an int8 file's outputs with the outputs of its float parent.

    Only networks other than classifiers need this comparison. If the weights are not random, an evaluation on a data
    set compares the two files.
    """
    variant = order.variant
    if not parent or variant.weights != WeightSource.RANDOM or task(variant) == CLASSIFICATION:
        return written
    outputs = order.plugin.compared(cache.path_of(parent), path, variant.quantization, lambda: islice(images(), FEW))
    names = load("tasks", task(variant)).OUTPUTS
    return replace(written, outputs=tuple(map(_named, outputs, names)))


def _named(output: OutputNoise, name: str) -> OutputNoise:
    return replace(output, name=name)


def _write(
    path: Path,
    order: Order,
    parent: Artifact | None,
    network: Network,
    images: Calibration,
    took_s: dict[str, float],
) -> Written:
    """Write the network in float, or its int8 form from the parent or from a temporary float file."""
    variant = order.variant
    if variant.quantization is None:
        _write_as_it_is(path, order, variant, network, took_s)
        own = order.original
        return Written(float_nodes=own.float_nodes, integer_share=own.integer_share) if own else Written()
    if hasattr(order.plugin, "write_int8_of"):
        return _write_int8_of_network(path, order, network, images, took_s)
    with TemporaryDirectory() as scratch:
        source = cache.path_of(parent) if parent else Path(scratch) / "float"
        if not parent:
            _write_as_it_is(source, order, as_float(variant), network, took_s)
        with _timed(QUANTIZE, took_s):
            yielded = _turned(images) if order.original and order.original.layout == "NHWC" else images
            counts = [0]
            if variant.feed and variant.feed.parts:
                written = several.write_int8(order, source, path, _counted(yielded, counts))
            else:
                written = order.plugin.write_int8(source, path, variant.quantization, _counted(yielded, counts))
            if _is_compared(order):
                mixes = bool(variant.decoding and load("decoders", variant.decoding.name).MIXES)
                outputs = order.plugin.compared(source, path, variant.quantization, yielded, mixes=mixes)
                written = replace(written, outputs=outputs)
        return replace(written, calibrated_on=counts[0])


def _write_int8_of_network(
    path: Path, order: Order, network: Network, images: Calibration, took_s: dict[str, float]
) -> Written:
    """Write the network's int8 form, for a format whose float files cannot be quantized."""
    counts = [0]
    with _timed(QUANTIZE, took_s):
        written: Written = order.plugin.write_int8_of(
            path, order.variant, order.channels, network, _counted(images, counts)
        )
    return replace(written, calibrated_on=counts[0])


def _is_compared(order: Order) -> bool:
    """Return whether to compare an int8 file's outputs with the outputs of its float parent.

    Only user-supplied models that are not classifiers are compared here. If a model has several files, `several` has
    compared the outputs of each file.
    """
    feed = order.variant.feed
    return bool((order.variant.decoding and order.original) or (feed and not feed.parts))


def _write_as_it_is(path: Path, order: Order, variant: Variant, network: Network, took_s: dict[str, float]) -> None:
    """Write the network without quantizing it; copy a user-supplied file of this format."""
    with _timed(EXPORT, took_s):
        if order.original:
            _copy(order.original, path)
        else:
            order.plugin.write(path, variant, order.channels, network)


def _copy(model: CustomModel, path: Path) -> None:
    if not cache.is_intact(model):
        raise CaseError(f"the copy of {model.name} in the cache was damaged; run again with its file")
    shutil.copyfile(cache.path_of(model), path)


def _network(order: Order, images: Calibration, show: Show, took_s: dict[str, float]) -> nn.Module:
    """Return the network, with changed weights if its quantization scheme requires that."""
    with _timed(BUILD, took_s):
        if order.model:
            return custom.network(order.model)
        network = build(order.variant, str(cache.path_of(order.weights)) if order.weights else "")
    if order.variant.quantization is None:
        return network
    with _timed(QUANTIZE, took_s):
        return prepare(network, order.variant, order.weights, images, show)


def calibration(variant: Variant, channels: int) -> Calibration:
    """Return a function that yields the variant's calibration images, each of shape (1, C, R, R).

    Images come one at a time, because SENet-154 takes 3 GiB this way, but 10 GiB in batches of ten. The data set is
    opened only once. For a model that does not take images, the function yields mappings from input name to array.
    """
    if variant.feed and variant.quantization:
        return partial(sets, variant.feed, variant.quantization)
    opened = once(partial(_calibration, variant, channels))

    def images() -> Iterator[Any]:
        split, drawn = opened()
        yield from split.batches(1, drawn)

    return images


def _calibration(variant: Variant, channels: int) -> tuple[Images, NDArray[int64]]:
    """Open the data set's calibration split, which is used for nothing else, and draw images from it."""
    import numpy

    assert variant.quantization is not None
    images = split(calibrated(variant), "calibration", channels)
    if why := too_few(variant, len(images)):  # the images are too few only if some of them are damaged
        raise CaseError(why)
    drawn = numpy.random.default_rng(variant.quantization.seed).permutation(len(images))
    return images, drawn[: variant.quantization.images]


def _turned(images: Calibration) -> Calibration:
    """Return a function that yields the images in NHWC, for a file with that layout."""
    return lambda: (image.transpose(0, 2, 3, 1) for image in images())


def _counted(images: Calibration, counts: list[int]) -> Calibration:
    """Return a function that yields the same images; set `counts[0]` to the largest number of images in one pass."""

    def again() -> Iterator[Any]:
        for number, image in enumerate(images(), 1):
            counts[0] = max(counts[0], number)
            yield image

    return again


@contextmanager
def _timed(step: str, took_s: dict[str, float]) -> Iterator[None]:
    """Add the duration of the block to a step, without the duration of other steps inside the block."""
    started, before = monotonic(), sum(took_s.values())
    yield
    within = sum(took_s.values()) - before
    took_s[step] = took_s.get(step, 0.0) + monotonic() - started - within


def _card(path: Path, order: Order, parent: Artifact | None, written: Written, took_s: dict[str, float]) -> Artifact:
    """Return the card of the file; the cache adds the file's name and hash to the card."""
    return Artifact(
        variant=str(order.variant),
        format=order.format,
        file="",
        sha256="",
        params=order.params,
        macs=order.macs,
        weights=order.variant.weights,
        weights_sha256=order.weights.sha256 if order.weights else "",
        quantization=order.variant.quantization,
        made_by=order.made_by,
        of=order.variant,
        float_nodes=written.float_nodes,
        integer_share=written.integer_share,
        layers=written.layers,
        calibrated_on=written.calibrated_on,
        outputs=written.outputs,
        parent=parent.file if parent else "",
        took_s={step: round(seconds, 3) for step, seconds in took_s.items()},
        size_bytes=path.stat().st_size,
        given=order.original.given if order.original and not order.variant.quantization else "",
        uncounted=order.model.uncounted if order.model else "",
        least_params=order.model.least_params if order.model else None,
        least_macs=order.model.least_macs if order.model else None,
    )

"""Variant and format -> artifact, made once; the card beside it says from what.

    train or custom (whose weights) -> prepare (for int8) -> formats (write, quantize) -> the cache

`lookup` finds an artifact by what a person calls it.
"""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import TYPE_CHECKING

from edgebench import train
from edgebench.export import custom
from edgebench.export.formats import Written, tool_version
from edgebench.export.prepare import prepare
from edgebench.foundation import cache, provenance
from edgebench.foundation.errors import CaseError, EdgebenchError
from edgebench.foundation.progress import Notice, Show, Step
from edgebench.foundation.shelf import load, module
from edgebench.images.catalogue import family
from edgebench.images.splits import calibrated, sources, split, too_few
from edgebench.networks.build import build
from edgebench.networks.cost import cost
from edgebench.networks.custom import channels, given
from edgebench.schema.artifact import BUILD, EXPORT, QUANTIZE, Artifact
from edgebench.schema.variant import WeightSource, as_float
from edgebench.train import checkpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy import float32
    from numpy.typing import NDArray
    from torch import nn

    from edgebench.schema.cards import Weights
    from edgebench.schema.variant import Variant

_WITHOUT_FILE = (WeightSource.RANDOM, WeightSource.NONE, WeightSource.CUSTOM)


def find(variant: Variant, format: str) -> Artifact | None:
    """Return the artifact that was made from exactly what would make it now; its own file is not read."""
    weights = known_weights(variant)
    if weights is None and variant.weights not in _WITHOUT_FILE:
        return None
    return cache.find(_stem(variant, _made_by(variant, format, weights)), Artifact)


def export(variant: Variant, format: str, show: Show) -> Artifact:
    """Return the variant's artifact, whole: from the cache, or built, trained if need be, and written.

    Raises:
        CaseError: this variant cannot be written in this format.
    """
    _require(variant, format)
    weights = _weights(variant, show)
    made_by = _made_by(variant, format, weights)
    stem = _stem(variant, made_by)
    if known := cache.find(stem, Artifact):
        if cache.is_intact(known):
            return known
        show(Notice(text=f"the cached file of {variant} was damaged: made again"))
    parent = _parent(variant, format, show)
    show(Step(activity="export", subject=str(variant)))
    suffix = load("formats", format).SUFFIX
    return cache.keep(stem, suffix, Artifact, lambda path: _make(path, variant, format, weights, parent, show))


def _require(variant: Variant, format: str) -> None:
    """Refuse what cannot be written or trained before time is spent on it."""
    if reason := load("formats", format).refuses(variant):
        raise CaseError(reason)
    params = cost(variant).params
    if variant.weights == WeightSource.NONE and params:
        raise CaseError(f"{variant.architecture} has {params} parameters; use --weights trained or random")


def known_weights(variant: Variant) -> Weights | None:
    """Return the variant's weights if they are in the cache: trained before, or adopted from a file."""
    if variant.weights in _WITHOUT_FILE:
        return None
    return checkpoint.find(variant) if variant.weights_sha256 else train.find(variant)


def _weights(variant: Variant, show: Show) -> Weights | None:
    if variant.weights in _WITHOUT_FILE:
        return None
    known = known_weights(variant)
    if known is None and variant.weights_sha256:
        raise CaseError(f"the weights of {variant.weights} in the cache were damaged; run again with the file")
    return known or train.train(variant, show)


def _parent(variant: Variant, format: str, show: Show) -> Artifact | None:
    """Return the float artifact that int8 is made from; none where it is made of other weights."""
    if variant.quantization is None or variant.quantization.changes_weights:
        return None
    return export(as_float(variant), format, show)


def _make(
    path: Path, variant: Variant, format: str, weights: Weights | None, parent: Artifact | None, show: Show
) -> Artifact:
    paper, took_s = cost(variant), dict(parent.took_s) if parent else {}
    written = _write(path, variant, format, lambda: _network(variant, weights, show, took_s), parent, took_s)
    return Artifact(
        variant=str(variant),
        format=format,
        file="",
        sha256="",
        params=paper.params,
        macs=paper.macs,
        weights=variant.weights,
        weights_sha256=weights.sha256 if weights else "",
        quantization=variant.quantization,
        made_by=_made_by(variant, format, weights),
        of=variant,
        float_nodes=written.float_nodes,
        integer_share=written.integer_share,
        layers=written.layers,
        parent=parent.file if parent else "",
        took_s={step: round(seconds, 3) for step, seconds in took_s.items()},
        size_bytes=path.stat().st_size,
    )


@contextmanager
def _timed(step: str, took_s: dict[str, float]) -> Iterator[None]:
    """Add the seconds that pass to a step's, but for those of other steps within it."""
    started, before = monotonic(), sum(took_s.values())
    yield
    within = sum(took_s.values()) - before
    took_s[step] = took_s.get(step, 0.0) + monotonic() - started - within


def _write(
    path: Path,
    variant: Variant,
    format: str,
    network: Callable[[], nn.Module],
    parent: Artifact | None,
    took_s: dict[str, float],
) -> Written:
    """Let the format write the file; whatever its tools raise fails this case, not the sweep."""
    try:
        if variant.quantization is None:
            with _timed(EXPORT, took_s):
                _write_as_it_is(path, variant, format, network)
            return Written()
        with TemporaryDirectory() as scratch:
            source = cache.path_of(parent) if parent else Path(scratch) / "float"
            if not parent:
                with _timed(EXPORT, took_s):
                    _write_as_it_is(source, as_float(variant), format, network)
            with _timed(QUANTIZE, took_s):
                images = partial(_images, variant, format)
                written: Written = load("formats", format).write_int8(source, path, variant.quantization, images)
            return written
    except (EdgebenchError, OSError):
        raise
    except Exception as error:
        raise CaseError(f"{format}: {type(error).__name__}: {' '.join(str(error).split())[:300]}") from error


def _write_as_it_is(path: Path, variant: Variant, format: str, network: Callable[[], nn.Module]) -> None:
    """Write the network without quantizing it; of one that somebody gave in this format, a copy."""
    if not _is_given(variant, format):
        load("formats", format).write(path, variant, network)
        return
    card = given(variant)
    if not cache.is_intact(card):
        raise CaseError(f"the copy of {card.name} in the cache was damaged; run again with its file")
    shutil.copyfile(cache.path_of(card), path)


def _is_given(variant: Variant, format: str) -> bool:
    return variant.weights == WeightSource.CUSTOM and given(variant).format == format


def _network(variant: Variant, weights: Weights | None, show: Show, took_s: dict[str, float]) -> nn.Module:
    """Build the network, and change its weights where its quantization asks for that."""
    with _timed(BUILD, took_s):
        if variant.weights == WeightSource.CUSTOM:
            return custom.network(given(variant))
        network = build(variant, str(cache.path_of(weights)) if weights else "")
    if variant.quantization is None:
        return network
    with _timed(QUANTIZE, took_s):
        return prepare(network, variant, weights, lambda: _calibration(variant), show)


def _images(variant: Variant, format: str) -> Iterator[NDArray[float32]]:
    """Yield the calibration images in the order of axes of the file that is quantized."""
    is_turned = _is_given(variant, format) and given(variant).layout == "NHWC"
    return (one.transpose(0, 2, 3, 1) if is_turned else one for one in _calibration(variant))


def _calibration(variant: Variant) -> Iterator[NDArray[float32]]:
    """Yield the quantization's calibration images, (1, C, R, R) each, from a split of their own.

    One at a time: SENet-154 takes 3 GiB so, and 10 in batches of ten.
    """
    import numpy

    assert variant.quantization is not None
    images = split(calibrated(variant), "calibration", channels(calibrated(variant)))
    if why := too_few(variant, len(images)):  # damaged ones, that is: a request for more than there are is refused
        raise CaseError(why)
    drawn = numpy.random.default_rng(variant.quantization.seed).permutation(len(images))
    yield from images.batches(1, drawn[: variant.quantization.images])


def _made_by(variant: Variant, format: str, weights: Weights | None) -> dict[str, str]:
    """Name everything that shapes the file: change any of it and the file is another."""
    network = (
        "export/custom" if variant.weights == WeightSource.CUSTOM else module("architectures", variant.architecture)
    )
    modules = [network, f"export/formats/{format}", "networks/build", "export/__init__"]
    parts = {name: repr(value) for name, value in asdict(variant).items()} | {"format": format}
    if weights:
        parts["weights"] = weights.sha256
    is_copy = custom.is_file(variant.architecture) and not variant.quantization
    tools: tuple[str, ...] = () if is_copy else load("formats", format).TOOLS
    if variant.quantization:
        modules += ["export/prepare"] + ["train"] * variant.quantization.aware
        for dataset in (variant.dataset, calibrated(variant).dataset):
            modules += sources(dataset)
            tools += family(dataset).TOOLS
    versions = {f"version.{tool}": tool_version(tool) for tool in tools}
    return parts | versions | {"source": provenance.source(*modules)}


def _stem(variant: Variant, made_by: dict[str, str]) -> str:
    name = str(variant).replace("/", "-").replace(":", "-")  # a colon means a machine to those who copy files to one
    return f"{name}-{provenance.key(made_by)}"

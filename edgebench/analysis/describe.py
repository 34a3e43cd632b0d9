"""Descriptions of networks -> the sheets that show them."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import prod

from edgebench.foundation.errors import RequestError
from edgebench.foundation.sheet import Sheet
from edgebench.foundation.units import MIB, millions, number
from edgebench.networks import published
from edgebench.networks.cost import blueprint, published_widths
from edgebench.networks.describe import FLOAT_BYTES, INT8_BYTES, Description, Layer
from edgebench.schema.variant import Precision, check_size

TEXTS = frozenset({"layer", "kind", "network", "pair"})
VGG16_NOTE = (
    "Lecture notes that print 24M activations for VGG16 list these same layers: their rows, too, add up to 15.2M,"
    " each output once and ReLU in place; 24M is the printed total alone."
)


def network(name: str, width: float, resolution: int, classes: int) -> tuple[Sheet, ...]:
    """Describe one network: its layers; its separable pairs; itself against full width and resolution.

    A resolution or number of classes of 0 is the published one.

    Raises:
        UnknownName, RequestError: there is no such network, width or resolution.
    """
    if not name:
        raise RequestError("wanted a network to describe, or --all; found neither")
    check_size(name, width, resolution or 1, classes or 1)
    described = blueprint(name, width, resolution, classes)
    sheets, full = [layers(described), separable(described)], blueprint(name, 1.0, 0, classes)
    if (described.width, described.resolution) != (full.width, full.resolution):
        sheets.append(multipliers(described, full))
    return tuple(sheet for sheet in sheets if sheet)


def every_network() -> tuple[Sheet, ...]:
    """Describe every network at its published widths, native resolution and classes: one line each."""
    return (overview([blueprint(name, width) for name, width in published_widths()]),)


def layers(described: Description) -> Sheet:
    """Lay out every layer, the totals, and which layer holds the most of each."""
    rows = [_layer(layer) for layer in described.layers]
    total = ("total", "", "", str(described.activations), _kib(described.activations), str(described.params))
    return Sheet(
        title=f"{described.name} {described.width:g} @{described.resolution}, {described.classes} classes",
        headings=("layer", "kind", "output", "activations", "KiB fp32", "params", "MACs", "kernel/stride/pad"),
        rows=(*rows, (*total, str(described.macs), "")),
        texts=TEXTS,
        notes=tuple(_notes(described)),
    )


def _layer(layer: Layer) -> tuple[str, ...]:
    window = f"{_sides(layer.kernel)}/{_sides(layer.stride)}/{_sides(layer.padding)}" if any(layer.kernel) else ""
    return (
        layer.name,
        layer.kind,
        "×".join(map(str, layer.output)),
        str(layer.activations),
        _kib(layer.activations),
        str(layer.params),
        str(layer.macs),
        window,
    )


def _sides(sides: tuple[int, int]) -> str:
    return str(sides[0]) if sides[0] == sides[1] else f"{sides[0]}×{sides[1]}"


def _kib(values: int) -> str:
    return number(values * FLOAT_BYTES / 1024, 1)


def _notes(described: Description) -> Iterator[str]:
    yield f"Most activations: {_most(described, 'activations')}."
    yield f"Most parameters: {_most(described, 'params')}."
    yield f"Most MACs: {_most(described, 'macs')}."
    peak = max(described.layers, key=lambda layer: layer.live)
    yield (
        f"Held at once at batch 1: at most {peak.live} values, {peak.live * FLOAT_BYTES / MIB:.2f} MiB in fp32 and"
        f" {peak.live * INT8_BYTES / MIB:.2f} MiB in int8, at {peak.name}."
    )
    if described.name.startswith("vgg16"):
        yield VGG16_NOTE


def _most(described: Description, what: str) -> str:
    """Name the three layers that have most of something, with their shares."""
    total = sum(getattr(layer, what) for layer in described.layers)
    ordered = sorted(described.layers, key=lambda layer: -getattr(layer, what))[:3]
    return ", ".join(f"{one.name} {getattr(one, what) / total:.0%}" for one in ordered if getattr(one, what))


def separable(described: Description) -> Sheet | None:
    """Compare every depthwise-separable pair with the standard convolution that it replaces; None without any.

    The ratio is 1/N + 1/K², N output channels and K the kernel's side (Howard et al., arXiv:1704.04861, section 3.1).
    """
    pairs = list(_pairs(described.layers))
    if not pairs:
        return None
    return Sheet(
        title="depthwise-separable pairs against the standard convolutions they replace",
        headings=("pair", "M", "N", "K", "MACs", "standard MACs", "ratio", "1/N + 1/K²"),
        rows=tuple(_pair(depthwise, pointwise) for depthwise, pointwise in pairs),
        texts=TEXTS,
    )


def _pairs(layers: Sequence[Layer]) -> Iterator[tuple[Layer, Layer]]:
    for first, second in pairwise(layers):
        if first.kind == "depthwise convolution" and second.kind == "convolution" and second.kernel == (1, 1):
            yield first, second


def _pair(depthwise: Layer, pointwise: Layer) -> tuple[str, ...]:
    inputs, outputs, side = depthwise.output[0], pointwise.output[0], depthwise.kernel[0]
    standard = prod(depthwise.kernel) * inputs * outputs * prod(pointwise.output[1:])
    together = depthwise.macs + pointwise.macs
    return (
        f"{depthwise.name} + {pointwise.name}",
        str(inputs),
        str(outputs),
        str(side),
        str(together),
        str(standard),
        f"{together / standard:.4f}",
        f"{1 / outputs + 1 / side**2:.4f}",
    )


def multipliers(described: Description, full: Description) -> Sheet:
    """Compare a network with itself at full width and resolution: MACs go with about α² and with about ρ²."""
    alpha, rho = described.width / full.width, described.resolution / full.resolution
    return Sheet(
        title=f"against {full.width:g} @{full.resolution}",
        headings=("", f"{full.width:g} @{full.resolution}", "here", "ratio", "rule"),
        rows=(
            _against("params", full.params, described.params, "α²", alpha**2),
            _against("MACs", full.macs, described.macs, "α²ρ²", alpha**2 * rho**2),
            _against("activations", full.activations, described.activations, "αρ²", alpha * rho**2),
        ),
        texts=frozenset({""}),
    )


def _against(what: str, full: int, here: int, rule: str, share: float) -> tuple[str, ...]:
    return what, str(full), str(here), f"{here / full if full else 0:.4f}", f"{rule} = {share:.4f}"


def overview(described: Sequence[Description]) -> Sheet:
    """Lay out one line a network."""
    return Sheet(
        title="every network at its native resolution",
        headings=(
            "network", "input", "classes", "params M", "MACs M", "peak live MiB fp32", "fp32 MiB", "int8 MiB",
            "published top-1 %",
        ),
        rows=tuple(_line(one) for one in described),
        texts=TEXTS,
        notes=(
            "Files: parameters times 4 bytes or 1. Peak live: the most activations held at once at batch 1.",
            "Published top-1: ImageNet, where a source is recorded.",
        ),
    )  # fmt: skip


def _line(one: Description) -> tuple[str, ...]:
    top1 = published.top1(one.name, one.width, one.resolution, Precision.FP32, published.IMAGENET)
    return (
        one.name if one.width == 1.0 else f"{one.name} {one.width:g}",
        str(one.resolution),
        str(one.classes),
        millions(one.params, 2),
        millions(one.macs, 1),
        number(one.peak_live * FLOAT_BYTES / MIB, 2),
        number(one.params * FLOAT_BYTES / MIB, 2),
        number(one.params * INT8_BYTES / MIB, 2),
        number(top1, 1),
    )

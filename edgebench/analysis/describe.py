"""Descriptions of networks -> tables of their layers, sizes and costs."""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from math import prod
from pathlib import Path

from edgebench.analysis import inspect, lessons
from edgebench.analysis import sliding as of_windows
from edgebench.analysis.why import evidence
from edgebench.foundation import cache
from edgebench.foundation.errors import RequestError, for_users, require
from edgebench.foundation.sheet import IDENTITY, OBJECTIVE, Column, Sheet
from edgebench.foundation.shelf import names
from edgebench.foundation.units import MIB, counted, millions, number
from edgebench.networks import published
from edgebench.networks.cost import blueprint, published_widths
from edgebench.networks.describe import FLOAT_BYTES, INT8_BYTES, Description, Layer
from edgebench.schema.artifact import Artifact
from edgebench.schema.names import is_custom
from edgebench.schema.variant import Precision, WeightSource, check_size

VGG16_NOTE = (
    "Some lecture notes print a total of 24M activations for VGG16, but the layers that they list add up to 15.2M. The"
    " total here is 15.2M, too: each layer's output is counted once, and ReLU works in place."
)


def network(
    name: str, width: float, resolution: int | None, classes: int | None, more: Collection[str] = ()
) -> tuple[Sheet, ...]:
    """Describe one network: its layers, its depthwise-separable pairs, and a comparison with full width and resolution.

    If the resolution or the number of classes is None, the published value is used. `more` names further tables, from
    `lessons.SHEETS`.

    Raises:
        UnknownName, RequestError: the network, width or resolution does not exist.
    """
    if not name:
        raise RequestError("name a network to describe, or use --all")
    check_size(name, width, 1 if resolution is None else resolution, 1 if classes is None else classes)
    described = blueprint(name, width, resolution or 0, classes or 0)
    wanted = [build(described) for topic, build in lessons.SHEETS.items() if topic in more]
    sheets, full = [layers(described), separable(described)], blueprint(name, 1.0, 0, classes or 0)
    if (described.width, described.resolution) != (full.width, full.resolution):
        sheets.append(multipliers(described, full))
    sheets += (sheet for several in wanted for sheet in several)
    return tuple(sheet for sheet in sheets if sheet)


def sliding(name: str, width: float, resolution: int | None, classes: int | None) -> Sheet:
    """Compare two ways to run a classifier on a larger image: as a sliding window, and with convolutions in place of
    its dense layers.

    Raises:
        UnknownName, RequestError: the network, width or resolution does not exist, or convolutions cannot replace the
            network's dense layers.
    """
    if not name:
        raise RequestError("name a network to describe with --sliding, such as lenet5")
    check_size(name, width, 1 if resolution is None else resolution, 1 if classes is None else classes)
    require("model", name, names("architectures"))
    return of_windows.sheet(name, width, resolution or 0, classes or 0)


def given(name: str) -> tuple[Sheet, ...]:
    """Describe a model's file, or the network of a row such as `results/mine:net.onnx-1@64/fp32`.

    Raises:
        InvalidFile, UnknownName, RequestError: there is no such file or row, or the row's file is no longer in the
            cache.
    """
    if is_custom(name) and not Path(name.partition(":")[0]).is_dir():
        return tuple(inspect.sheets(name))
    row = evidence(name)
    variant = row.case.variant
    if variant.weights != WeightSource.CUSTOM:
        return network(variant.architecture, variant.width, variant.resolution, variant.classes)
    card = cache.with_hash(Artifact, row.artifact.sha256) if row.artifact else None
    if card is None:
        raise RequestError(f"wanted the file of {row.case} in the cache, found none with its hash; measure it again")
    return tuple(inspect.sheets(str(cache.path_of(card))))


def is_given(name: str) -> bool:
    """Return whether a name means a model's file or a row of results rather than a built-in network."""
    return is_custom(name) or ":" in name


def every_network() -> tuple[Sheet, ...]:
    """Describe every network at its published widths, native resolution and number of classes, in one row each."""
    known = [(name, width) for name, width in published_widths() if for_users([name])]
    return (overview([blueprint(name, width) for name, width in known]),)


def layers(described: Description) -> Sheet:
    """Return a table of all layers, the totals, and the layers with the largest shares."""
    return Sheet.of(
        f"{described.name} {described.width:g} @{described.resolution}, {counted(described.classes, 'class')}",
        _LAYERS,
        described.layers,
        _notes(described),
        name="layers",
        totals=(_total(described),),
    ).closed(_conclusion(described))


def _total(described: Description) -> Layer:
    """Return the sum of all layers' costs as one layer, which has no kind; its shape means nothing."""
    return Layer(name="total", kind="", output=(described.activations,), params=described.params, macs=described.macs)


def _shape(layer: Layer) -> str:
    return "×".join(map(str, layer.output)) if layer.kind else ""


def _window(layer: Layer) -> str:
    if not any(layer.kernel):
        return ""
    return f"{_sides(layer.kernel)}/{_sides(layer.stride)}/{_sides(layer.padding)}"


def _if_any(layer: Layer, sides: tuple[int, int]) -> tuple[int, int] | None:
    return sides if any(layer.kernel) else None


def _sides(sides: tuple[int, int]) -> str:
    return str(sides[0]) if sides[0] == sides[1] else f"{sides[0]}×{sides[1]}"


_LAYERS: tuple[Column[Layer], ...] = (
    Column.text("layer", lambda layer: layer.name, IDENTITY),
    Column.text("kind", lambda layer: layer.kind),
    Column.number("output", _shape, output_shape=lambda layer: layer.output),
    Column.figure("activations", lambda layer: layer.activations, rank=OBJECTIVE),
    Column.figure(
        "KiB fp32", lambda layer: layer.activations * FLOAT_BYTES / 1024, partial(number, digits=1), key="fp32_kib"
    ),
    Column.figure("params", lambda layer: layer.params, rank=OBJECTIVE),
    Column.figure("MACs", lambda layer: layer.macs, rank=OBJECTIVE),
    Column.number(
        "kernel/stride/pad",
        _window,
        live_values=lambda layer: layer.live,
        kernel=lambda layer: _if_any(layer, layer.kernel),
        stride=lambda layer: _if_any(layer, layer.stride),
        padding=lambda layer: _if_any(layer, layer.padding),
    ),
)


def _notes(described: Description) -> Iterator[str]:
    yield f"Most activations: {_most(described, 'activations')}."
    yield f"Most parameters: {_most(described, 'params')}."
    yield f"Most MACs: {_most(described, 'macs')}."
    peak = max(described.layers, key=lambda layer: layer.live)
    yield (
        f"Peak of live activations at batch 1: {peak.live} values, {peak.live * FLOAT_BYTES / MIB:.2f} MiB in fp32 and"
        f" {peak.live * INT8_BYTES / MIB:.2f} MiB in int8, at {peak.name}."
    )
    if described.name.startswith("vgg16"):
        yield VGG16_NOTE


def _conclusion(described: Description) -> Iterator[str]:
    """Say which kind of layer has most of the parameters, and which has most of the multiply-adds."""
    places = [
        f"{share:.0%} of its {millions(total, 2)} million {name} sit in the {_plural(kind, count)}"
        for what, name in (("params", "parameters"), ("macs", "multiply-adds"))
        for kind, count, share, total in _heaviest(described, what)
    ]
    if places:
        yield f"{described.name}: {', and '.join(places)}."


def _heaviest(described: Description, what: str) -> Iterator[tuple[str, int, float, int]]:
    """Yield the kind of layer with the largest sum of a quantity, the number of these layers, their share, and the
    total.
    """
    sums, counts = Counter[str](), Counter[str]()
    for layer in described.layers:
        sums[layer.kind] += getattr(layer, what)
        counts[layer.kind] += getattr(layer, what) > 0
    if total := sums.total():
        kind, most = sums.most_common(1)[0]
        yield kind, counts[kind], most / total, total


def _plural(kind: str, count: int) -> str:
    layers = kind if kind.endswith("convolution") else f"{kind} layer"
    return layers if count == 1 else f"{count} {layers}s"


def _most(described: Description, what: str) -> str:
    """Return a phrase that names the three layers with the largest share of a quantity, each with its share."""
    total = sum(getattr(layer, what) for layer in described.layers)
    ordered = sorted(described.layers, key=lambda layer: -getattr(layer, what))[:3]
    return ", ".join(f"{layer.name} {getattr(layer, what) / total:.0%}" for layer in ordered if getattr(layer, what))


def separable(described: Description) -> Sheet | None:
    """Compare every depthwise-separable pair of convolutions with the standard convolution that it replaces.

    Return None if the network has no such pairs.

    The ratio is 1/N + 1/K² for N output channels and kernel size K (Howard et al., arXiv:1704.04861, section 3.1).
    """
    pairs = list(_pairs(described.layers))
    title = "depthwise-separable pairs against the standard convolutions they replace"
    return Sheet.of(title, _PAIRS, pairs, name="separable_pairs") if pairs else None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Separable:
    """A depthwise convolution, the pointwise convolution after it, and the cost of the standard convolution that the
    two replace.
    """

    name: str
    inputs: int
    outputs: int
    side: int
    macs: int
    standard_macs: int


def _pairs(layers: Sequence[Layer]) -> Iterator[_Separable]:
    for first, second in pairwise(layers):
        if first.kind == "depthwise convolution" and second.kind == "convolution" and second.kernel == (1, 1):
            yield _separable(first, second)


def _separable(depthwise: Layer, pointwise: Layer) -> _Separable:
    inputs, outputs = depthwise.output[0], pointwise.output[0]
    return _Separable(
        name=f"{depthwise.name} + {pointwise.name}",
        inputs=inputs,
        outputs=outputs,
        side=depthwise.kernel[0],
        macs=depthwise.macs + pointwise.macs,
        standard_macs=prod(depthwise.kernel) * inputs * outputs * prod(pointwise.output[1:]),
    )


def _share(ratio: float) -> str:
    return f"{ratio:.4f}"


_PAIRS: tuple[Column[_Separable], ...] = (
    Column.text("pair", lambda pair: pair.name, IDENTITY),
    Column.figure("M", lambda pair: pair.inputs, key="input_channels"),
    Column.figure("N", lambda pair: pair.outputs, key="output_channels"),
    Column.figure("K", lambda pair: pair.side, key="kernel_side"),
    Column.figure("MACs", lambda pair: pair.macs),
    Column.figure("standard MACs", lambda pair: pair.standard_macs),
    Column.figure("ratio", lambda pair: pair.macs / pair.standard_macs, _share, OBJECTIVE),
    Column.figure("1/N + 1/K²", lambda pair: 1 / pair.outputs + 1 / pair.side**2, _share, OBJECTIVE, key="rule_ratio"),
)


def multipliers(described: Description, full: Description) -> Sheet:
    """Compare a network with itself at full width and resolution: MACs scale with about α² and ρ²."""
    alpha, rho = described.width / full.width, described.resolution / full.resolution
    size = f"{full.width:g} @{full.resolution}"
    columns: tuple[Column[_Scaled], ...] = (
        Column.text("", lambda scaled: scaled.what, IDENTITY, count=lambda scaled: scaled.what),
        Column.figure(size, lambda scaled: scaled.full, key="full"),
        Column.figure("here", lambda scaled: scaled.here),
        Column.figure("ratio", lambda scaled: scaled.here / scaled.full if scaled.full else 0, _share, OBJECTIVE),
        Column.number(
            "rule",
            lambda scaled: f"{scaled.rule} = {scaled.share:.4f}",
            OBJECTIVE,
            rule_ratio=lambda scaled: scaled.share,
        ),
    )
    scaled = (
        _Scaled(what="params", full=full.params, here=described.params, rule="α²", share=alpha**2),
        _Scaled(what="MACs", full=full.macs, here=described.macs, rule="α²ρ²", share=alpha**2 * rho**2),
        _Scaled(
            what="activations", full=full.activations, here=described.activations, rule="αρ²", share=alpha * rho**2
        ),
    )
    return Sheet.of(f"against {size}", columns, scaled, name="multipliers")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scaled:
    """One count (such as parameters) of the full-size network and of this one, and the ratio that α and ρ predict."""

    what: str
    full: int
    here: int
    rule: str
    share: float


def overview(described: Sequence[Description]) -> Sheet:
    """Return a table with one row per network."""
    notes = (
        "fp32 MiB and int8 MiB: parameters times 4 bytes, and times 1 byte. Peak live: the most activations that are in"
        " memory at once, at batch 1.",
        "Published top-1: accuracy on ImageNet, if edgebench has a published source for it.",
    )
    return Sheet.of("every network at its native resolution", _NETWORKS, described, notes, name="networks")


def _name(network: Description) -> str:
    return network.name if network.width == 1.0 else f"{network.name} {network.width:g}"


def _top1(network: Description) -> float | None:
    return published.top1(network.name, network.width, network.resolution, Precision.FP32)


_MIB = partial(number, digits=2)
_NETWORKS: tuple[Column[Description], ...] = (
    Column.text("network", _name, IDENTITY),
    Column.figure("input", lambda network: network.resolution, key="input_pixels"),
    Column.figure("classes", lambda network: network.classes),
    Column.figure("params M", lambda network: network.params, partial(millions, digits=2), OBJECTIVE, key="params"),
    Column.figure("MACs M", lambda network: network.macs, partial(millions, digits=1), OBJECTIVE, key="macs"),
    Column.figure(
        "peak live MiB fp32", lambda network: network.peak_live * FLOAT_BYTES / MIB, _MIB, key="peak_live_fp32_mib"
    ),
    Column.figure("fp32 MiB", lambda network: network.params * FLOAT_BYTES / MIB, _MIB),
    Column.figure("int8 MiB", lambda network: network.params * INT8_BYTES / MIB, _MIB),
    Column.figure("published top-1 %", _top1, partial(number, digits=1)),
)

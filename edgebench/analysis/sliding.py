"""A classifier and a larger image -> the costs of a sliding window, and of one pass that has only convolutions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from edgebench.foundation.errors import RequestError
from edgebench.foundation.sheet import IDENTITY, OBJECTIVE, Column, Sheet
from edgebench.foundation.shelf import load
from edgebench.foundation.units import MIB, millions, number
from edgebench.networks.build import SEED, outline
from edgebench.networks.describe import FLOAT_BYTES, Layer, layers
from edgebench.schema.variant import MAX_RESOLUTION

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torch import nn

MOST_MACS = 1e11  # scores are compared up to this many multiply-adds, which take some seconds on one core
EXACT = 1e-5  # largest difference of scores that rounding explains, as a share of the largest score


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """The costs of one way to compute scores at every position of an image.

    Attributes:
        passes: how often the network runs for one image.
        macs: multiply-adds of all passes.
        peak_live: largest number of values in memory at once.
    """

    name: str
    passes: int
    macs: int
    peak_live: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sliding:
    """A comparison of two ways to run a classifier on a larger image: as a sliding window, and with only convolutions.

    Attributes:
        own: the side of a window in pixels, which is the classifier's own resolution.
        step: the distance between windows, in pixels.
        side: the number of windows in a row.
        windows, convolutional: the costs of the two ways.
        pads: whether a layer pads its input, so that the two ways cannot give the same scores.
        difference: the largest difference of the scores, as a share of the largest score; None if it was not computed.
    """

    own: int
    step: int
    side: int
    windows: Way
    convolutional: Way
    pads: bool
    difference: float | None


def sheet(name: str, width: float, resolution: int, classes: int) -> Sheet:
    """Compare a sliding window with one pass of convolutions, for an image larger than the network's resolution.

    A resolution of 0 stands for twice the network's own resolution.

    Raises:
        RequestError: the network has no dense layers that convolutions can replace, or the image is smaller than a
            window.
    """
    family = load("architectures", name)
    own = family.RESOLUTIONS[name][0]
    resolution, classes = resolution or min(2 * own, MAX_RESOLUTION), classes or family.CLASSES
    if resolution < own:
        raise RequestError(
            f"wanted --resolution of at least {own} (the side of {name}'s window) with --sliding, found {resolution}"
        )
    compared = compare(name, width, own, resolution, classes)
    title = f"{name} {width:g}: windows of {own} pixels on {resolution}, {compared.step} apart"
    return Sheet.of(title, _WAYS, (compared.windows, compared.convolutional), _notes(compared), name="sliding")


def compare(name: str, width: float, own: int, resolution: int, classes: int) -> Sliding:
    """Count the costs of the two ways to run the classifier; compare their scores if this takes only seconds."""
    import torch

    from edgebench.networks.architectures import _convolutional as forms

    channels = load("architectures", name).CHANNELS
    window = outline(name, width, classes=classes, resolution=own)
    whole, apart = _turned(name, window, channels, own), forms.step(window)
    side = (resolution - own) // apart + 1
    of_window, of_whole = (
        layers(network, torch.empty(1, channels, length, length, device="meta"))
        for network, length in ((window, own), (whole, resolution))
    )
    windows, one = _way("sliding window", of_window, side**2), _way("convolutions", of_whole, 1)
    is_cheap = windows.macs + one.macs <= MOST_MACS
    return Sliding(
        own=own,
        step=apart,
        side=side,
        windows=windows,
        convolutional=one,
        pads=forms.pads(window),
        difference=_difference(name, width, own, resolution, classes) if is_cheap else None,
    )


def _way(name: str, described: Sequence[Layer], passes: int) -> Way:
    macs, live = sum(layer.macs for layer in described), max(layer.live for layer in described)
    return Way(name=name, passes=passes, macs=passes * macs, peak_live=live)


def _turned(name: str, network: nn.Module, channels: int, own: int) -> nn.Module:
    """Return the network with convolutions in place of its dense layers.

    Raises:
        RequestError: the network has no dense layers, or convolutions cannot replace its dense layers.
    """
    import torch

    from edgebench.networks.architectures import _convolutional as forms

    try:
        turned = forms.convolutional(network, channels, own)
        scores = layers(turned, torch.empty(1, channels, own, own, device="meta"))[-1].output
    except ValueError as error:
        raise RequestError(f"{name} has no convolutional form: {error}") from error
    except RuntimeError:  # torch raises this error for shapes that do not fit
        scores = ()
    if scores[1:] != (1, 1):
        raise RequestError(f"{name} has no convolutional form: a layer that is not dense takes vectors as its input")
    return turned


def _difference(name: str, width: float, own: int, resolution: int, classes: int) -> float:
    """Return the largest difference between the two ways' scores of one image, as a share of the largest score."""
    import torch

    from edgebench.networks.architectures import _convolutional as forms

    family = load("architectures", name)
    torch.manual_seed(SEED)
    network: Any = family.build(name, width, classes=classes, resolution=own)
    image = torch.randn(1, family.CHANNELS, resolution, resolution)
    with torch.inference_mode():
        normalize(network, image[:, :, :own, :own])
        one = forms.convolutional(network, family.CHANNELS, own)(image)
        each = forms.windows(network, family.CHANNELS, own, resolution)(image)
        return float((one[:, :, : each.shape[2], : each.shape[3]] - each).abs().max() / each.abs().max())


def normalize(network: Any, image: Any) -> None:
    """Compute the statistics of all batch norms from an image, as their initial values make all scores nearly 0."""
    import torch

    norms = [layer for layer in network.modules() if isinstance(layer, torch.nn.BatchNorm2d)]
    network.eval()
    for norm in norms:
        norm.momentum = 1.0
        norm.train()
    if norms:
        network(image)
    network.eval()


def _notes(compared: Sliding) -> Iterator[str]:
    ratio = compared.windows.macs / compared.convolutional.macs
    yield (
        f"{compared.side}×{compared.side} scores for each class. Convolutions need {ratio:.2f} times fewer"
        " multiply-adds, because neighbouring windows share the work of all layers before the dense ones."
    )
    padded = "not the same, because layers pad: the padding lies at the edge of the image, not of each window"
    if compared.difference is None:
        equal = padded if compared.pads else "the same"
        yield f"The scores are {equal}. This was not computed: it takes more than {MOST_MACS:.0e} multiply-adds."
        return
    is_same = compared.difference <= EXACT and not compared.pads
    unpadded = "the same" if is_same else "not the same, because a layer reads beyond its window"
    equal = padded if compared.pads else unpadded
    yield (
        f"The scores are {equal}. With random weights and pixels, the largest difference is {compared.difference:.2g}"
        " of the largest score."
    )


_WAYS: tuple[Column[Way], ...] = (
    Column.text("", lambda way: way.name, IDENTITY, way=lambda way: way.name),
    Column.figure("passes", lambda way: way.passes),
    Column.figure("MACs M", lambda way: way.macs, partial(millions, digits=2), OBJECTIVE, key="macs"),
    Column.figure(
        "peak live MiB fp32",
        lambda way: way.peak_live * FLOAT_BYTES / MIB,
        partial(number, digits=2),
        key="peak_live_fp32_mib",
    ),
)

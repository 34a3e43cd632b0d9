"""A variant and a format, both by name -> an order: everything that its export needs, looked up once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from edgebench.export.formats import tool_version
from edgebench.foundation import provenance
from edgebench.foundation.errors import CaseError
from edgebench.foundation.shelf import load, module
from edgebench.images.catalogue import family
from edgebench.images.splits import calibrated, sources
from edgebench.networks.build import channels
from edgebench.networks.cost import cost
from edgebench.networks.custom import given
from edgebench.schema.names import is_model_file
from edgebench.schema.variant import WeightSource, as_float, identity

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from edgebench.schema.cards import CustomModel, Weights
    from edgebench.schema.variant import Variant


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What one export writes, from what, and the key it is kept under.

    Attributes:
        plugin: the format's.
        weights: the card of a file of weights; None where the weights are random, none, or in the model itself.
        model: the card of a user's own model; None for a network of the shelf.
        params: on paper, as are `macs`, which count one image.
        channels: of the network's input: 3, or 1 for grey.
        made_by: everything that shapes the file.
        parent: the order of the float file that an int8 one is quantized from; None where it has weights of its own.
    """

    variant: Variant
    format: str
    plugin: ModuleType
    weights: Weights | None
    model: CustomModel | None
    params: int | None
    macs: int | None
    channels: int
    made_by: dict[str, str]
    parent: Order | None = None

    @property
    def original(self) -> CustomModel | None:
        """The user's model, if its copy is a file of this format already."""
        return self.model if self.model and self.model.format == self.format else None

    @property
    def stem(self) -> str:
        """What the artifact is kept under."""
        return stem(self.variant, self.made_by)


def resolve(variant: Variant, format: str, weights: Callable[[], Weights | None]) -> Order:
    """Look up what an export needs; `weights()` may train, and is not called for what cannot be written.

    Raises:
        CaseError: the format refuses the variant, a network with parameters has no weights, or the user's own model is
            no longer in the cache.
    """
    plugin = load("formats", format)
    _require_accepted(plugin, variant)
    model = given(variant) if variant.weights == WeightSource.CUSTOM else None
    paper = model or cost(variant)
    params = paper.params
    if variant.weights == WeightSource.NONE and params:
        raise CaseError(f"{variant.architecture} has {params} parameters; use --weights trained or random")
    card = weights()
    order = Order(
        variant=variant,
        format=format,
        plugin=plugin,
        weights=card,
        model=model,
        params=params,
        macs=paper.macs,
        channels=model.channels if model else channels(variant),
        made_by=made_by(variant, format, plugin, card),
    )
    return replace(order, parent=_parent(order))


def _require_accepted(plugin: ModuleType, variant: Variant) -> None:
    if reason := plugin.refuses(variant):
        raise CaseError(reason)


def _parent(order: Order) -> Order | None:
    """Return the order of the same network in float: only the variant and what names it differ."""
    scheme, variant = order.variant.quantization, as_float(order.variant)
    if scheme is None or scheme.changes_weights:
        return None
    _require_accepted(order.plugin, variant)
    return replace(order, variant=variant, made_by=made_by(variant, order.format, order.plugin, order.weights))


def made_by(variant: Variant, format: str, plugin: ModuleType, weights: Weights | None) -> dict[str, str]:
    """Name everything that shapes the file: if any of it changes, so does the file."""
    network = (
        "export/custom" if variant.weights == WeightSource.CUSTOM else module("architectures", variant.architecture)
    )
    modules = [network, f"export/formats/{format}", "networks/build"]
    modules += ["export/__init__", "export/order", "export/write"]
    parts = identity(variant) | {"format": format}
    if weights:
        parts["weights"] = weights.sha256
    is_copy = is_model_file(variant.architecture) and not variant.quantization
    tools: tuple[str, ...] = () if is_copy else plugin.TOOLS
    if variant.quantization:
        modules += ["export/prepare"] + ["train"] * variant.quantization.aware
        for dataset in (variant.dataset, calibrated(variant).dataset):
            modules += sources(dataset)
            tools += family(dataset).TOOLS
    versions = {f"version.{tool}": tool_version(tool) for tool in tools}
    return parts | versions | {"source": provenance.source(*modules)}


def stem(variant: Variant, made_by: dict[str, str]) -> str:
    """Name the artifact's files by the variant and the hash of what shapes them."""
    name = str(variant).replace("/", "-").replace(":", "-")  # a colon means a machine to those who copy files to one
    return f"{name}-{provenance.key(made_by)}"

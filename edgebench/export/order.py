"""An order holds all inputs of one export, looked up once from a network variant and a format's name."""

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
from edgebench.networks.cost import cost, lacks_weights
from edgebench.networks.custom import given
from edgebench.schema.names import file_title, is_model_file
from edgebench.schema.variant import WeightSource, as_float, identity

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from edgebench.schema.cards import CustomModel, Weights
    from edgebench.schema.variant import Variant


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """The inputs and the cache key of one export, called an order.

    Attributes:
        plugin: the module that implements the format.
        weights: the card of a weights file; None for random weights, no weights, or weights in the model itself.
        model: the card of a user-supplied model; None for a network of this package.
        params, macs: the network's parameters and multiply-adds; `macs` are for one image.
        channels: channels of the network's input: 3, or 1 for grey.
        made_by: everything that determines the file's content.
        parent: the order of the float file from which an int8 file is quantized; None for a float file, and for an int8
            scheme that changes the weights.
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
        """The user-supplied model, if it is already a file of this format; otherwise None."""
        return self.model if self.model and self.model.format == self.format else None

    @property
    def stem(self) -> str:
        """The artifact's name in the cache, without a suffix."""
        return stem(self.variant, self.made_by)


def resolve(variant: Variant, format: str, weights: Callable[[], Weights | None]) -> Order:
    """Look up everything that an export needs; `weights()` can train, so it is called only if the export is possible.

    Raises:
        CaseError: the format refuses the variant, a network with parameters has no weights, or the user-supplied model
            is no longer in the cache.
    """
    plugin = load("formats", format)
    _require_accepted(plugin, variant)
    model = given(variant) if variant.weights == WeightSource.CUSTOM else None
    if reason := lacks_weights(variant):
        raise CaseError(reason)
    paper, card = model or cost(variant), weights()
    order = Order(
        variant=variant,
        format=format,
        plugin=plugin,
        weights=card,
        model=model,
        params=paper.params,
        macs=paper.macs,
        channels=model.channels if model else channels(variant),
        made_by=made_by(variant, format, plugin, card),
    )
    return replace(order, parent=_parent(order))


def _require_accepted(plugin: ModuleType, variant: Variant) -> None:
    if reason := plugin.refuses(variant):
        raise CaseError(reason)


def _parent(order: Order) -> Order | None:
    """Return the order of the float file from which an order's int8 file is quantized; None if there is no such file.

    The two orders differ only in `variant`, `made_by` and `parent`.
    """
    scheme, variant = order.variant.quantization, as_float(order.variant)
    if scheme is None or scheme.changes_weights:
        return None
    _require_accepted(order.plugin, variant)
    return replace(order, variant=variant, made_by=made_by(variant, order.format, order.plugin, order.weights))


def made_by(variant: Variant, format: str, plugin: ModuleType, weights: Weights | None) -> dict[str, str]:
    """Return everything that determines the file's content, as parts of the file's cache key."""
    network = (
        "export/custom" if variant.weights == WeightSource.CUSTOM else module("architectures", variant.architecture)
    )
    modules = [network, f"export/formats/{format}", "networks/build"]
    modules += ["export/__init__", "export/order", "export/write", "export/prepare/fold"]
    modules += ["networks/architectures/_tf"] if variant.padding else []
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
    versions |= {f"version.{name}": version for name, version in getattr(plugin, "PINS", {}).items()}
    return parts | versions | {"source": provenance.source(*modules)}


def stem(variant: Variant, made_by: dict[str, str]) -> str:
    """Return the name of the artifact's files: the variant and the hash of `made_by`."""
    return f"{file_title(str(variant))}-{provenance.key(made_by)}"

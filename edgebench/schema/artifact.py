"""The card of an artifact: a deployable file, and how it was made."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from edgebench.schema import STRICT
from edgebench.schema.quantization import Quantization
from edgebench.schema.variant import Variant

STEPS = BUILD, EXPORT, QUANTIZE = ("build", "export", "quantize")  # of making an artifact


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerNoise:
    """Quantization noise that one operator of an int8 graph adds, measured on a few calibration images.

    Attributes:
        name: the network's layer, as in `edgebench describe`.
        sqnr_db: signal to quantization noise ratio at its output, against the float graph, dB; None if both are equal.
        lost_db: the ratio at its inputs minus the ratio at its output; negative if noise averages out.
    """

    __pydantic_config__: ClassVar = STRICT

    name: str
    operator: str
    sqnr_db: float | None
    lost_db: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """A deployable file, and the facts about how it was made.

    Attributes:
        variant: the variant as text; `of` is the variant itself, None on older cards.
        file: its name in the cache.
        float_nodes: names of operators with weights that an int8 graph still computes in float.
        made_by: everything that determines the file's content: source hashes, weights, tool versions.
        integer_share: share of an int8 file's multiply-adds that its runtime computes in integers.
        layers: quantization noise per operator of an int8 file, in the graph's order.
        parent: file of the float artifact that an int8 one was quantized from; empty if it has weights of its own.
        took_s: seconds per step of `STEPS`, the parent's steps included, each measured when and where the step ran;
            empty on older cards. Artifacts that differ only in this are equal.
        given: how a user-supplied file's weights are quantized if its activations are not; else empty.
        calibrated_on: number of images that set an int8 file's ranges; None if not counted.
        uncounted: why `params` or `macs` is None: not all could be counted; `least_params` and `least_macs` are then
            lower bounds.
    """

    __pydantic_config__: ClassVar = STRICT
    FOLDER: ClassVar = "artifacts"  # of the cache

    variant: str
    format: str
    file: str
    sha256: str
    size_bytes: int
    params: int | None
    macs: int | None
    weights: str
    weights_sha256: str
    quantization: Quantization | None
    float_nodes: tuple[str, ...]
    made_by: dict[str, str]
    of: Variant | None = None
    integer_share: float | None = None
    layers: tuple[LayerNoise, ...] = ()
    parent: str = ""
    took_s: dict[str, float] = field(default_factory=dict, compare=False)
    given: str = ""
    uncounted: str = ""
    calibrated_on: int | None = None
    least_params: int | None = None
    least_macs: int | None = None

    @property
    def noisiest(self) -> LayerNoise | None:
        """The layer that loses most signal to quantization noise."""
        return max(self.layers, key=lambda layer: layer.lost_db, default=None)

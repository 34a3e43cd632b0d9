"""A deployable file, and what was true when it was made."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from edgebench.schema import STRICT
from edgebench.schema.quantization import Quantization
from edgebench.schema.variant import Variant

STEPS = BUILD, EXPORT, QUANTIZE = ("build", "export", "quantize")  # of making an artifact


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerNoise:
    """What one operator of an int8 graph does to the signal, against the float graph on a few calibration images.

    Attributes:
        name: of the network's layer, as `edgebench describe` has it.
        sqnr_db: signal to quantization noise at its output, dB; None where nothing differs.
        lost_db: how much less that is than at its inputs; negative where noise averages out.
    """

    __pydantic_config__: ClassVar = STRICT

    name: str
    operator: str
    sqnr_db: float | None
    lost_db: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """A deployable file and the facts that were true when it was made.

    Attributes:
        file: its name in the cache.
        float_nodes: operators with weights that an int8 graph still computes in float, by name.
        made_by: everything that shaped the file: source hashes, weights, tool versions.
        of: the variant itself; None on cards made before it was kept.
        integer_share: of an int8 file's multiply-adds, those that its runtime computes in integers.
        layers: of an int8 file, what each does to the signal, in the graph's order.
        parent: file of the float artifact that an int8 one was quantized from; empty where it has weights of its own.
        took_s: seconds by which of `STEPS`, the parent's among them, when and where each was made; none on cards made
            before they were kept. What it took makes no artifact another one.
        given: of a user's own file, how its weights were quantized where its activations were not; else empty.
        calibrated_on: images that an int8 file's ranges were really seen on; None where nobody counted.
        uncounted: why `params` or `macs` is None: not all could be counted.
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

    @property
    def noisiest(self) -> LayerNoise | None:
        """The layer in which most of the signal drowns."""
        return max(self.layers, key=lambda layer: layer.lost_db, default=None)

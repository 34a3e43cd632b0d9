"""The card of an artifact: a deployable file, and how it was made."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from edgebench.schema import STRICT
from edgebench.schema.quantization import Quantization
from edgebench.schema.variant import Variant

STEPS = BUILD, EXPORT, QUANTIZE = ("build", "export", "quantize")  # steps of making an artifact, each timed


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
class OutputNoise:
    """How far one output of an int8 file is from its float parent's, on the calibration inputs.

    Attributes:
        sqnr_db: signal to quantization noise ratio, dB; None if both are equal or not compared.
        largest_difference: largest difference of two values; `cosine` is that of the angle between all values, None if
            one side is all zeros.
        agreement: share of rows with the same largest value, where the output is class scores; of `rows` rows.
        apart: ratio of the largest range to the smallest among the parts of the output, if they share one int8 scale;
            0 if they do not, or differ little. `parts` names the two.
        not_finite: number of values that are NaN or infinite in int8 only.
        uncompared: why there is no comparison; else empty.
    """

    __pydantic_config__: ClassVar = STRICT

    name: str
    sqnr_db: float | None = None
    largest_difference: float = 0.0
    cosine: float | None = None
    agreement: float | None = None
    rows: int = 0
    apart: float = 0.0
    parts: str = ""
    not_finite: int = 0
    uncompared: str = ""


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
        outputs: how far each int8 output is from float, for models other than image classifiers.
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
    outputs: tuple[OutputNoise, ...] = ()
    least_params: int | None = None
    least_macs: int | None = None

    @property
    def noisiest(self) -> LayerNoise | None:
        """The layer that loses most signal to quantization noise."""
        return max(self.layers, key=lambda layer: layer.lost_db, default=None)

    @property
    def worst_output(self) -> OutputNoise | None:
        """The output with the least SQNR."""
        noisy = [output for output in self.outputs if output.sqnr_db is not None]
        return min(noisy, key=lambda output: output.sqnr_db or 0.0, default=None)

"""The card of an artifact (a deployable file): the record in the cache of what the file is and how it was made."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from edgebench.schema import STRICT
from edgebench.schema.quantization import Quantization
from edgebench.schema.variant import Variant

STEPS = BUILD, EXPORT, QUANTIZE = ("build", "export", "quantize")  # steps of making an artifact; each of them is timed


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerNoise:
    """Quantization noise that one operator of an int8 graph adds, measured on a few calibration images.

    Attributes:
        name: name of the network's layer, as `edgebench describe` shows it.
        sqnr_db: signal-to-quantization-noise ratio (SQNR) of the operator's output against the same operator's output
            in the float graph, dB; None if the two outputs are equal.
        lost_db: the operator's loss of SQNR, which is the SQNR of its inputs minus the SQNR of its output; negative if
            the operator averages noise out.
    """

    __pydantic_config__: ClassVar = STRICT

    name: str
    operator: str
    sqnr_db: float | None
    lost_db: float


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputNoise:
    """The difference between an output of an int8 file and the same output of the fp32 file from which it was made.

    To compare the outputs, both files are run on the calibration inputs.

    Attributes:
        sqnr_db: signal-to-quantization-noise ratio, dB; None if the two outputs are equal or were not compared.
        largest_difference: largest absolute difference between an int8 value and the float value at the same place.
        cosine: cosine of the angle between the two outputs as vectors; None if one of them is all zeros.
        agreement: for an output of class scores, the share of its rows in which both files give the largest score to
            the same class.
        rows: number of rows that `agreement` compares.
        apart: the largest range of a part of the output, such as the boxes or the scores, divided by the smallest range
            of a part; 0 unless the parts share one int8 scale and their ranges differ much.
        parts: names of the parts with the largest and the smallest range.
        not_finite: number of values that are NaN or infinite in the int8 output but not in the float output.
        uncompared: why the outputs were not compared; empty if they were compared.
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
        variant: the variant as text.
        of: the variant as an object; None on cards written by older versions.
        file: the file's name in the cache.
        float_nodes: names of operators with weights that an int8 graph still computes in float.
        made_by: everything that determines the file's content: source hashes, weights, tool versions.
        integer_share: share of an int8 file's multiply-adds that a runtime computes in integers.
        layers: quantization noise per operator of an int8 file, in the graph's order.
        parent: name of the float artifact's file from which this int8 artifact was quantized; empty if the artifact has
            weights of its own.
        took_s: seconds that each step of `STEPS` took, including the steps that made the parent; empty on cards written
            by older versions. Each step is timed when it runs, on the machine that runs it. Two artifacts that differ
            only in `took_s` are equal.
        given: for a user-supplied file with quantized weights but float activations, how the weights are quantized;
            empty for other files.
        calibrated_on: number of calibration images from which an int8 file's ranges were computed; None if unknown.
        outputs: for each output of an int8 file, its difference from the same output of the float parent; empty for
            image classifiers.
        uncounted: why not all parameters or multiply-adds could be counted; empty if all were counted.
        least_params, least_macs: lower bounds: the numbers of parameters and of multiply-adds that could be counted.
    """

    __pydantic_config__: ClassVar = STRICT
    FOLDER: ClassVar = "artifacts"  # name of the cache subfolder for these cards

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
        """The layer that loses the most decibels of SQNR; None if no layer was measured."""
        return max(self.layers, key=lambda layer: layer.lost_db, default=None)

    @property
    def worst_output(self) -> OutputNoise | None:
        """The output with the lowest SQNR; None if no output has an SQNR."""
        noisy = [output for output in self.outputs if output.sqnr_db is not None]
        return min(noisy, key=lambda output: output.sqnr_db or 0.0, default=None)

"""A network to deploy: architecture, width, resolution, precision, weights and preprocessing, and its sizes' bounds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import ClassVar, Literal, Protocol

from edgebench.foundation.errors import RequestError
from edgebench.schema import STRICT
from edgebench.schema.quantization import ORDINARY, Quantization

MAX_WIDTH = 4.0  # sixteen times the paper's widest pointwise layers; beyond it is a typing error
MAX_RESOLUTION = 2048
MAX_CLASSES = 100_000


class Precision(StrEnum):
    """The number format that weights and activations are computed in."""

    FP32 = "fp32"
    FP16 = "fp16"
    BF16 = "bf16"
    INT8 = "int8"


class WeightSource(StrEnum):
    """Where a network's weights come from, unless it is a file."""

    TRAINED = "trained"  # on the data set, on first use, cached
    RANDOM = "random"  # seeded; times and sizes are true, an accuracy would be none
    NONE = "none"  # a network without parameters
    CUSTOM = "own"  # inside a model that somebody gave

    __repr__ = str.__repr__  # a variant that was read back has plain strings: both must give the same cache keys


@dataclass(frozen=True, slots=True, kw_only=True)
class Preprocessing:
    """How a picture becomes what a network takes: part of a variant's identity.

    Attributes:
        first: `resize` the shorter side and then cut RxR out of the centre, or `crop` the central share of each side
            and then resize that to RxR.
        crop: that share; where the resizing comes first, R over the shorter side.
        shorter_side: pixels to resize the shorter side to, at least R; 0 where `crop` says it.
        interpolation: `bilinear` over all the pixels that become one (Pillow's, with antialiasing), or `plain bilinear`
            between four neighbours (TensorFlow 1's).
        white: what a white pixel is before `mean` is subtracted and `std` divided by: 1 or 255.
        channels: `RGB` or `BGR`; `mean` and `std` are in that order.
        label_offset: added to every label: 1 where a network's first output is the background.
    """

    __pydantic_config__: ClassVar = STRICT

    name: str
    first: Literal["resize", "crop"]
    crop: float = 1.0
    shorter_side: int = 0
    interpolation: Literal["bilinear", "plain bilinear"] = "bilinear"
    white: float = 1.0
    channels: Literal["RGB", "BGR"] = "RGB"
    mean: tuple[float, float, float]
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    label_offset: int = 0

    def __str__(self) -> str:
        return self.name


def check_size(architecture: str, width: float, resolution: int, classes: int) -> None:
    """Refuse sizes that no network can have.

    Raises:
        RequestError: width, resolution or number of classes is zero, negative or absurd.
    """
    if not 0 < width <= MAX_WIDTH:
        raise RequestError(f"width {width:g} of {architecture}: wanted more than 0, at most {MAX_WIDTH:g}")
    if not 0 < resolution <= MAX_RESOLUTION:
        raise RequestError(f"resolution {resolution} of {architecture}: wanted 1 to {MAX_RESOLUTION} pixels")
    if not 0 < classes <= MAX_CLASSES:
        raise RequestError(f"{classes} classes of {architecture}: wanted 1 to {MAX_CLASSES}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """A network to deploy: `mobilenet_v2-0.5@160/int8`, or `.../int8-per_tensor` for another scheme.

    Attributes:
        width: the multiplier alpha on every layer's channels.
        resolution: the side rho of the square input, pixels.
        classes: outputs of the network.
        architecture: a network of the shelf, or the name of a model that somebody gave, `net.onnx`; then `weights` are
            its `own`, `weights_sha256` is its content's and the width 1.
        weights: a `WeightSource`, or the name of the file that they came from; then `weights_sha256` is that file's.
        dataset: its name, `image_folder:val` for one that somebody gave; then `dataset_sha256` is its content's and
            `dataset_classes` how many classes it has.
        preprocessing: None for the data set's own.
    """

    __pydantic_config__: ClassVar = STRICT

    architecture: str
    width: float
    resolution: int
    precision: Precision
    classes: int
    weights: str
    dataset: str
    weights_sha256: str = ""
    quantization: Quantization | None = None
    dataset_sha256: str = ""
    dataset_classes: int = 0
    preprocessing: Preprocessing | None = None

    def __post_init__(self) -> None:
        check_size(self.architecture, self.width, self.resolution, self.classes)

    def __str__(self) -> str:
        scheme = f"-{self.quantization}" if self.quantization and str(self.quantization) != ORDINARY else ""
        return f"{self.architecture}-{self.width:g}@{self.resolution}/{self.precision}{scheme}"


class Sized(Protocol):
    """A network of the shelf at a width and a resolution."""

    @property
    def architecture(self) -> str:
        """Its name on the shelf."""

    @property
    def width(self) -> float:
        """The multiplier alpha."""

    @property
    def resolution(self) -> int:
        """The side rho of its input, pixels."""


def network(sized: Sized) -> str:
    """Name a network of the shelf as tables do."""
    return f"{sized.architecture} {sized.width:g} @{sized.resolution}"


def scheme(variant: Variant) -> str:
    """Name its precision and, of an int8 one, how it is made, as tables do."""
    return f"{variant.precision} {variant.quantization or ''}".rstrip()


def parent(variant: Variant) -> Variant | None:
    """Return the fp32 variant that one of fewer bits was made from."""
    is_given_so = variant.weights == WeightSource.CUSTOM and variant.quantization is None  # its float form is not here
    if variant.precision == Precision.FP32 or is_given_so:
        return None
    return as_float(variant)


def as_float(variant: Variant) -> Variant:
    """Return the same network in fp32."""
    return replace(variant, precision=Precision.FP32, quantization=None)

"""A network to deploy: its architecture, width, resolution, precision, weights and preprocessing."""

from __future__ import annotations

from dataclasses import asdict, dataclass, is_dataclass, replace
from enum import StrEnum
from typing import ClassVar, Literal, Protocol

from edgebench.foundation.errors import RequestError
from edgebench.schema import STRICT, names
from edgebench.schema.decoding import Decoding
from edgebench.schema.feed import Feed
from edgebench.schema.quantization import ORDINARY, Quantization

MAX_WIDTH = 4.0  # pointwise layers of width 4 have 16 times as many weights; a larger width is surely a typing error
MAX_RESOLUTION = 2048
MAX_CLASSES = 100_000


class Precision(StrEnum):
    """The number format of weights and activations."""

    FP32 = "fp32"
    FP16 = "fp16"
    BF16 = "bf16"
    INT8 = "int8"


class WeightSource(StrEnum):
    """Where a network's weights come from if they do not come from a weights file."""

    TRAINED = "trained"  # trained here on the data set when first needed, and cached
    RANDOM = "random"  # random with a fixed seed; latency and size are valid, accuracy is meaningless
    NONE = "none"  # a network without parameters
    CUSTOM = "own"  # contained in a user-supplied model

    # Cache keys contain the `repr`; it must be the same for a member of this enum and for a plain string from a file.
    __repr__ = str.__repr__


@dataclass(frozen=True, slots=True, kw_only=True)
class Preprocessing:
    """How a picture becomes a network's input: part of a variant's identity.

    Attributes:
        first: the first of the steps that make an RxR image. `resize`: resize the shorter side, then crop the centre to
            RxR. `crop`: crop the central share of each side, then resize to RxR. `letterbox`: resize the longer side to
            R, then pad to RxR with grey.
        crop: if `first` is `crop`, the share of each side that is kept. If `first` is `resize`, R divided by the length
            to which the shorter side is resized.
        shorter_side: length to which the shorter side is resized, pixels, at least R; 0 if `crop` determines it.
        interpolation: `bilinear` or `bicubic`, as in Pillow, which computes an output pixel from all source pixels that
            it covers; or `plain bilinear`, as in TensorFlow 1, which computes it from only four source pixels.
        white: value of a white pixel, 1 or 255, before `mean` is subtracted and the result is divided by `std`.
        channels: order of the channels, `RGB` or `BGR`; `mean` and `std` have the same order.
        label_offset: number that is added to every label: 1 if a network's first output is the background class.
    """

    __pydantic_config__: ClassVar = STRICT

    name: str
    first: Literal["resize", "crop", "letterbox"]
    crop: float = 1.0
    shorter_side: int = 0
    interpolation: Literal["bilinear", "bicubic", "plain bilinear"] = "bilinear"
    white: float = 1.0
    channels: Literal["RGB", "BGR"] = "RGB"
    mean: tuple[float, float, float]
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    label_offset: int = 0

    def __str__(self) -> str:
        return self.name


def check_size(architecture: str, width: float, resolution: int, classes: int) -> None:
    """Refuse an impossible width, resolution or number of classes.

    Raises:
        RequestError: one of the numbers is not positive, or exceeds its limit.
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
        architecture: a network of this package, or the name of a user-supplied model, `net.onnx`. For a user-supplied
            model, `weights` is `own`, `weights_sha256` is the hash of the model's content, and `width` is 1.
        width: the width multiplier alpha, which scales the number of channels of every layer.
        resolution: the side rho of the square input, pixels.
        classes: number of the network's outputs.
        weights: a `WeightSource`, or the name of a weights file, whose hash is then in `weights_sha256`.
        dataset: the data set's name, such as `image_folder:val` for a user-supplied one. For a user-supplied data set,
            `dataset_sha256` is the hash of its content and `dataset_classes` its number of classes.
        preprocessing: how pictures become inputs; None for the data set's own preprocessing.
        feed: the inputs of a user-supplied model that is not an image classifier; None for other models. If a variant
            has a feed, `classes` is 0; `resolution` is 0, too, unless the model takes square images.
        padding: `tf` if the weights need TensorFlow's SAME padding, average pooling and epsilon of batch norm; empty if
            the weights need torch's padding, pooling and epsilon.
        decoding: how the outputs of a user-supplied detector become boxes; None for other models.
        classifier: `random` if the weights file has no classifier, so that the network gets a random classifier with a
            fixed seed.
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
    feed: Feed | None = None
    padding: Literal["", "tf"] = ""
    decoding: Decoding | None = None
    classifier: Literal["", "random"] = ""

    def __post_init__(self) -> None:
        if self.feed is None:
            check_size(self.architecture, self.width, self.resolution, self.classes)

    def __hash__(self) -> int:
        """Hash only the fields in which most variants differ, because variants are hashed very often."""
        return hash((self.architecture, self.width, self.resolution, self.weights, self.quantization))

    def __str__(self) -> str:
        scheme = f"-{self.quantization}" if self.quantization and str(self.quantization) != ORDINARY else ""
        if self.feed:
            return f"{self.architecture}@{self.feed.sizes}/{self.precision}{scheme}"
        return f"{self.architecture}-{self.width:g}@{self.resolution}/{self.precision}{scheme}"


_LATER = ("feed", "padding", "decoding", "classifier")  # fields that keys made by older versions do not contain


def identity(variant: Variant) -> dict[str, str]:
    """Return, as text for cache keys, each field that affects the content of an artifact.

    A field of `_LATER`, which older versions of edgebench did not have, is left out if it is empty, so that cache keys
    of older versions stay valid. The values that a feed gives to its inputs do not affect an artifact.
    """
    shaping = replace(variant, feed=variant.feed.without_data) if variant.feed else variant
    values = ((name, getattr(shaping, name)) for name in Variant.__slots__)
    # A nested value is shown as the dictionary of its fields. `asdict(variant)` would copy every other value first.
    return {
        name: repr(asdict(value) if is_dataclass(value) and not isinstance(value, type) else value)
        for name, value in values
        if value or name not in _LATER
    }


class Sized(Protocol):
    """A built-in network at a width and a resolution."""

    @property
    def architecture(self) -> str:
        """The network's name."""

    @property
    def width(self) -> float:
        """The width multiplier alpha."""

    @property
    def resolution(self) -> int:
        """The resolution rho: the side of the square input, pixels."""


def network(sized: Sized) -> str:
    """Return the network's name as shown in tables: `mobilenet_v2 0.5 @160`."""
    return f"{sized.architecture} {sized.width:g} @{sized.resolution}"


def task(variant: Variant) -> str:
    """Return the task of a network, such as `detection`; for a user-supplied detector, the task of its decoder."""
    return variant.decoding.TASK if variant.decoding else names.task(variant.architecture)


def scheme(variant: Variant) -> str:
    """Return precision and quantization scheme in the form that tables show: `int8 per_channel`."""
    return f"{variant.precision} {variant.quantization or ''}".rstrip()


def parent(variant: Variant) -> Variant | None:
    """Return the fp32 variant that a variant of lower precision was made from; None if there is no such variant."""
    # If a user supplies a file that is already int8, there is no fp32 form of it.
    is_supplied = variant.weights == WeightSource.CUSTOM and variant.quantization is None
    if variant.precision == Precision.FP32 or is_supplied:
        return None
    return as_float(variant)


def as_float(variant: Variant) -> Variant:
    """Return the same network in fp32."""
    return replace(variant, precision=Precision.FP32, quantization=None)

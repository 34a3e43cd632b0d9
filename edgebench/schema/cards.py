"""Cards of the other cached objects: weights, data sets, user-supplied models, packages."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from edgebench.schema import STRICT
from edgebench.schema.decoding import Decoding
from edgebench.schema.feed import Feed
from edgebench.schema.variant import Precision, Preprocessing


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """Weights in the cache: trained here, or read from a user-supplied file.

    Attributes:
        recipe: how they were trained, in words; for a user-supplied file its name.
        classes: 0 for a user-supplied file without a classifier.
        top1: share of test images classified correctly after training.
        images: number of test images behind `top1`; 0 for a user-supplied file.
        metrics: the chief metric of another task than classification, a share, by name; then `top1` is 0.
        network: `mobilenet_v1-0.25@96`.
        padding: `tf` for weights of TensorFlow, as a variant has it.
        inputs: the preprocessing that belongs to a file of weights; None if it is not known.
    """

    __pydantic_config__: ClassVar = STRICT
    FOLDER: ClassVar = "weights"  # of the cache

    file: str
    sha256: str
    dataset: str
    recipe: str
    classes: int
    top1: float
    images: int
    network: str = ""
    preprocessing: str = ""
    metrics: dict[str, float] = field(default_factory=dict)
    padding: Literal["", "tf"] = ""
    inputs: Preprocessing | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UnfitWeights:
    """Why a file of weights in a folder of them serves none of a sweep's networks: the row of its network says so."""

    __pydantic_config__: ClassVar = STRICT
    FOLDER: ClassVar = "weights"  # of the cache

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSet:
    """A data set at the path that a user last named; cached because results must not contain this machine's paths.

    Attributes:
        name: `image_folder:val`; a bundled data set such as `digits` has no path and no hash.
        sha256: hash of its content: names, contents and labels of files, or an archive.
        damaged: names of files that cannot be decoded; None before they were checked.
        reasons: why, by name, if the file is refused for a known reason.
        remarks: what decoding changes in some pictures, with the number of pictures.
        decoder: hash of the code and libraries that decoded them; another decoder checks them again.
    """

    __pydantic_config__: ClassVar = STRICT
    FOLDER: ClassVar = "datasets"  # of the cache

    name: str
    sha256: str
    classes: int
    path: str
    damaged: tuple[str, ...] | None = None
    reasons: dict[str, str] = field(default_factory=dict)
    remarks: dict[str, int] = field(default_factory=dict)
    decoder: str = ""

    def with_reason(self, damaged: str) -> str:
        """Return a damaged file's name, with the reason if it is known."""
        return f"{damaged} ({self.reasons[damaged]})" if damaged in self.reasons else damaged


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomModel:
    """A user-supplied model, as its file describes it; the cache stores a copy of the file.

    Attributes:
        file, sha256: the copy, which contains all weights and has a fixed size on every axis except the batch.
        name: `net.onnx`, or `nets.py:build` for a model returned by a function.
        format: of the copy: `onnx` or `tflite`.
        content_sha256: hash of the supplied files, external data included: the model's identity.
        source: path of the Python file that defines the function; empty for other models.
        layout: order of the input's axes, `NCHW` or `NHWC`; `resolution` is the side of the square input, pixels.
        dtype: of the input: `float32`, `uint8` or `int8`.
        batch: 1 if the file takes one image at a time, 0 if it takes any number.
        precision: of the supplied file's arithmetic: `fp32` or `int8`.
        given: how its weights are quantized if its activations are not: `dynamic range`; else empty.
        float_nodes, integer_share: of an int8 file, the operators that its runtime computes in float, and the share of
            multiply-adds that it computes in integers; None if not known.
        input_scale, input_zero: an integer of the input means scale x (integer - zero); 0 for no scale.
        params, macs: weights, and multiply-adds per image; None if not all could be counted, as `uncounted` says; then
            `least_params` and `least_macs` are lower bounds: what could be counted.
        feed: the inputs of a model other than an image classifier or a detector; then `classes` is 0, `layout` and
            `dtype` are empty, and `batch` says whether it takes one set of inputs at a time. None for those two.
        refused: why it cannot be measured; then there is no copy of it. Empty for a model that can be.
        decoding: of a detector, how its outputs become boxes.
    """

    __pydantic_config__: ClassVar = STRICT
    FOLDER: ClassVar = "models"  # of the cache

    file: str
    sha256: str
    name: str
    format: str
    content_sha256: str
    source: str
    layout: str
    channels: int
    resolution: int
    dtype: str
    batch: int
    classes: int
    precision: Precision
    params: int | None
    macs: int | None
    given: str = ""
    input_scale: float = 0.0
    input_zero: int = 0
    uncounted: str = ""
    float_nodes: tuple[str, ...] = ()
    integer_share: float | None = None
    least_params: int | None = None
    least_macs: int | None = None
    feed: Feed | None = None
    refused: str = ""
    decoding: Decoding | None = None

    @property
    def takes_images(self) -> bool:
        """Whether its input is a square image, and its outputs are class scores or what a decoder reads."""
        return self.feed is None


@dataclass(frozen=True, slots=True, kw_only=True)
class FedData:
    """Input arrays of a user-supplied model by input name, or pictures of a data set: an `.npz` in the cache.

    Attributes:
        name: of the folder or data set they were read from.
    """

    __pydantic_config__: ClassVar = STRICT
    FOLDER: ClassVar = "inputs"  # of the cache

    file: str
    sha256: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Packages:
    """A zip of the packages that a runtime needs on a target, each as `name==version`."""

    __pydantic_config__: ClassVar = STRICT
    FOLDER: ClassVar = "packages"  # of the cache

    file: str
    sha256: str
    size_bytes: int
    packages: tuple[str, ...]

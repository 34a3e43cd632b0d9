"""What the cache knows of the other things it keeps: weights, data sets, models that somebody gave, packages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from edgebench.schema import STRICT
from edgebench.schema.variant import Precision


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """Weights in the cache: trained ones with how good they were where they were made, or a given file's.

    Attributes:
        images: that `top1`, a share, was counted on; 0 for a given file.
        network: `mobilenet_v1-0.25@96`.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSet:
    """A data set where somebody last named it; kept in the cache, for no result may hold a machine's path.

    Attributes:
        name: `image_folder:val`; a bundled one, `digits`, has no path and no hash.
        sha256: of what is in it: names, contents and labels of files, or an archive.
        damaged: names of files that cannot be decoded; None until they were looked at.
    """

    __pydantic_config__: ClassVar = STRICT
    FOLDER: ClassVar = "datasets"  # of the cache

    name: str
    sha256: str
    classes: int
    path: str
    damaged: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomModel:
    """A model that somebody gave, as its file describes itself; kept in the cache with a copy of it.

    Attributes:
        file, sha256: of the copy, in which every axis but the batch has its size, and which holds all of its weights.
        name: `net.onnx`, or `nets.py:build` for what a function returned.
        format: what its copy is: `onnx` or `tflite`.
        content_sha256: of what was given, files of external data included: the model's identity.
        source: path of the Python file that its function is in; empty for other models.
        layout: order of the input's axes, `NCHW` or `NHWC`; `resolution` is the side of its square.
        dtype: of the input: `float32`, `uint8` or `int8`.
        batch: 1 where the file takes one image at a time, 0 where it takes any number.
        precision: what the file computes in as it is: `fp32` or `int8`.
        given: how its weights were quantized where its activations were not: `dynamic range`; empty for others.
        float_nodes, integer_share: of an int8 file, what its runtime computes in float, and the share of multiply-adds
            that it does not; None where that is not known.
        input_scale, input_zero: what the integers of its input stand for, scale x (integer - zero); 0 for no scale.
        params, macs: weights, and multiply-adds of one image; None where not all could be counted, as `uncounted` says.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Packages:
    """A zip of the packages that a runtime needs on a target, each as `name==version`."""

    __pydantic_config__: ClassVar = STRICT
    FOLDER: ClassVar = "packages"  # of the cache

    file: str
    sha256: str
    size_bytes: int
    packages: tuple[str, ...]

"""Cards, the records of cached files, for weights, data sets, user-supplied models, input arrays and packages."""

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
        recipe: how the weights were trained, in words; for a user-supplied file, the file's name.
        classes: number of classes; 0 for a user-supplied file without a classifier.
        top1: share of test images classified correctly after training; 0 for tasks other than classification.
        images: number of test images from which `top1` or `metrics` is computed; 0 for a user-supplied file.
        metrics: name and value of the task's main metric, which is a share; empty for classification, which has `top1`.
        network: the network as text, such as `mobilenet_v1-0.25@96`.
        padding: `tf` for weights trained in TensorFlow, as in `Variant.padding`.
        inputs: the preprocessing that a user-supplied file's weights need; None if the preprocessing is not known.
    """

    __pydantic_config__: ClassVar = STRICT
    FOLDER: ClassVar = "weights"  # name of the cache subfolder for these cards

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
    """The reason why a weights file of `--weights-dir` cannot be used; the network's row in the table shows it."""

    __pydantic_config__: ClassVar = STRICT
    FOLDER: ClassVar = "weights"  # name of the cache subfolder for these cards

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSet:
    """A data set, and the path that the user gave for this data set most recently.

    The path is kept in the cache because results must not contain paths of this machine.

    Attributes:
        name: such as `image_folder:val`; or such as `digits` for a bundled data set, which has no path and no hash.
        sha256: hash of the files' names, contents and labels, or hash of the archive that holds the files.
        damaged: names of files that cannot be decoded; None until the files are checked.
        reasons: mapping from the name of a damaged file to the reason why the file is refused, if the reason is known.
        remarks: mapping from a remark on how decoding changes pictures to the number of pictures that it applies to.
        decoder: hash of the code and libraries that decoded the files; if the hash changes, the files are checked
            again.
    """

    __pydantic_config__: ClassVar = STRICT
    FOLDER: ClassVar = "datasets"  # name of the cache subfolder for these cards

    name: str
    sha256: str
    classes: int
    path: str
    damaged: tuple[str, ...] | None = None
    reasons: dict[str, str] = field(default_factory=dict)
    remarks: dict[str, int] = field(default_factory=dict)
    decoder: str = ""

    def with_reason(self, damaged: str) -> str:
        """Return a damaged file's name, followed by the reason for refusing the file if the reason is known."""
        return f"{damaged} ({self.reasons[damaged]})" if damaged in self.reasons else damaged


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomModel:
    """A user-supplied model, as its file describes it; the cache stores a copy of the file.

    Attributes:
        file, sha256: name and hash of the copy. The copy contains all weights, and fixes the size of every input axis
            except the batch.
        name: `net.onnx`, or `nets.py:build` for a model that the function `build` returns.
        format: format of the copy: `onnx` or `tflite`.
        content_sha256: hash of the supplied files, including their external data; it identifies the model.
        source: path of the Python file that defines the function; empty for other models.
        layout: order of the input's axes, `NCHW` or `NHWC`.
        resolution: side of the square input, pixels.
        dtype: type of the input: `float32`, `uint8` or `int8`.
        batch: 1 if the file takes one image at a time, 0 if it takes any number of images.
        precision: number format in which the supplied file computes: `fp32` or `int8`.
        given: `dynamic range` if the model's weights are quantized but its activations are not; else empty.
        float_nodes: names of the operators of an int8 file that a runtime computes in float.
        integer_share: share of an int8 file's multiply-adds that a runtime computes in integers; None if not known.
        input_scale, input_zero: an integer in the input stands for input_scale x (integer - input_zero). An
            `input_scale` of 0 means that the file states no scale.
        params, macs: number of weights, and of multiply-adds per image; None if not all could be counted.
        uncounted: why not all parameters or multiply-adds could be counted; empty if all were counted.
        least_params, least_macs: lower bounds: the numbers of parameters and of multiply-adds that could be counted.
        feed: the inputs of a model that is neither an image classifier nor a detector; None for other models. If a
            model has a feed, `classes` is 0, `layout` and `dtype` are empty, and `batch` is 1 if the model takes one
            set of inputs at a time.
        refused: why the model cannot be measured; empty if it can be. The cache has no copy of a refused model.
        decoding: how a detector's outputs become boxes; None for other models.
    """

    __pydantic_config__: ClassVar = STRICT
    FOLDER: ClassVar = "models"  # name of the cache subfolder for these cards

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
        """Whether the only input is a square image, and the outputs are class scores or can be decoded to boxes."""
        return self.feed is None


@dataclass(frozen=True, slots=True, kw_only=True)
class FedData:
    """Inputs of a user-supplied model in an `.npz` file of the cache: an array per input, or pictures of a data set.

    Attributes:
        name: name of the folder or data set from which the inputs were read.
    """

    __pydantic_config__: ClassVar = STRICT
    FOLDER: ClassVar = "inputs"  # name of the cache subfolder for these cards

    file: str
    sha256: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Packages:
    """A zip file of the Python packages that a runtime needs on a target.

    Attributes:
        packages: the packages in the file, each as `name==version`.
    """

    __pydantic_config__: ClassVar = STRICT
    FOLDER: ClassVar = "packages"  # name of the cache subfolder for these cards

    file: str
    sha256: str
    size_bytes: int
    packages: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """Whether a runtime's packages run on a processor, as tried in an emulator.

    Attributes:
        emulator: the emulator, its version and the processor, such as `qemu-aarch64 7.2.22 -cpu cortex-a72`.
        packages: the packages that were tried, each as `name==version`.
        python: the version of the emulator's Python, for which the packages are; empty if the target's is the same.
        passed: the steps that ran, in order: `numpy`, `import`, and the precision of each network.
        failed: the step that failed; empty if all steps ran, or if nothing was tried.
        signal: name of the signal that killed the process, such as `SIGILL`.
        reason: why the step failed, or why nothing was tried; empty if all steps ran.
    """

    __pydantic_config__: ClassVar = STRICT
    FOLDER: ClassVar = "packages"  # name of the cache subfolder for these cards

    emulator: str = ""
    packages: tuple[str, ...] = ()
    python: str = ""
    passed: tuple[str, ...] = ()
    failed: str = ""
    signal: str = ""
    reason: str = ""

    def __str__(self) -> str:
        if self.reason and not self.failed:
            return f"not tried: {self.reason}"
        where = f"on an emulated {self.emulator.rpartition(' ')[2]}"
        built = f", as built for Python {self.python}" if self.python else ""
        if not self.failed:
            return f"runs {where} ({', '.join(self.passed)}){built}"
        how = f"dies of {self.signal} {where}" if self.signal else f"fails {where}: {self.reason}"
        return f"{self.culprit} {how}, in the step {self.failed}{built}"

    @property
    def culprit(self) -> str:
        """The packages that the failed step tried: numpy, or all others."""
        is_numpy = self.failed == "numpy"
        return ", ".join(package for package in self.packages if package.startswith("numpy==") == is_numpy)

    @property
    def is_illegal(self) -> bool:
        """Whether a package has an instruction that the processor lacks."""
        return self.signal == "SIGILL"

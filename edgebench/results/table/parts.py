"""The typed parts of a row: setup, cost, latency, memory, quality, int8 fidelity, compilation and standing.

The last word of a field's name is its unit: s, ms, kib (2**10 bytes), mib (2**20 bytes), m (millions) or db. None means
not measured.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from edgebench.foundation.shelf import literal
from edgebench.schema.names import CLASSIFICATION, origin
from edgebench.schema.variant import WeightSource

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edgebench.foundation.stats import Ratio
    from edgebench.results.table.choice import Figure


@dataclass(frozen=True, kw_only=True)
class Setup:
    """The measured variant, its target, and all settings. There are no slots, because of `cached_property`.

    Attributes:
        width, resolution: None for a network that has no width α or no resolution ρ.
        inputs: a description of the shapes and values that a user-supplied model was fed; an empty text for a
            classifier.
        sizes: only the shapes from `inputs`.
        board: the serial number of the board that measured the row; an empty text if the machine reports none.
        machine: what the machine is, if it is not the board that the target's file names; otherwise an empty text.
        weights_sha256: hash of the weights' file or of the user-supplied model; an empty text for weights that
            edgebench makes. `file` is the beginning of that hash if the table has several files of one name, which it
            then tells apart in the network's name; otherwise an empty text.
        dataset: the data set's name; if the table has several data sets of that name, because its content changed
            between runs, the beginning of the content's hash follows after a blank. `data` is the bare name.
        dataset_sha256: hash of the content of a user-supplied data set; an empty text for any other data set.
    """

    target: str
    epoch: str
    architecture: str
    width: float | None
    resolution: int | None
    precision: str
    quantization: str
    weights: str
    dataset: str
    preprocessing: str
    runtime: str
    runtime_version: str
    runtime_options: str
    runtime_packages: str
    preset: str
    threads: int
    batch: int
    inputs: str = ""
    sizes: str = ""
    task: str = CLASSIFICATION
    board: str = ""
    machine: str = ""
    weights_sha256: str = ""
    file: str = ""
    dataset_sha256: str = ""
    data: str = ""

    @property
    def place(self) -> str:
        """The target's name and, if its machine is not the board that the target's file names, what it is."""
        return f"{self.target} (in fact {self.machine})" if self.machine else self.target

    @cached_property
    def group(self) -> tuple[str, ...]:
        """The properties that rows ranked together must share: machine, epoch, and all settings except the variant.

        Networks that are not user-supplied must also share the data set.
        """
        run = (
            self.runtime,
            self.runtime_version,
            self.runtime_options,
            self.runtime_packages,
            str(self.threads),
            str(self.batch),
            self.preset,
            self.task,
        )
        return (self.target, self.epoch, *run, self.origin, "" if self.is_custom else self.dataset)

    @cached_property
    def metric(self) -> str:
        """The name of the task's chief metric, such as `top1`."""
        name: str = literal("tasks", self.task, "METRIC")
        return name

    @property
    def origin(self) -> str:
        """The origin of the weights; all files of Keras have one origin, so that a grid of networks is one table."""
        return origin(self.weights)

    @property
    def is_custom(self) -> bool:
        """Whether the network is a user-supplied model."""
        return self.weights == WeightSource.CUSTOM

    @property
    def network(self) -> str:
        """The network's name, without the precision and, for a user-supplied model, without a width α."""
        width = "" if self.sizes or self.is_custom or self.width is None else f"{self.width:g}"
        return " ".join(filter(None, (self.architecture, width, self.file, f"@{self.sizes or self.resolution}")))

    @property
    def scheme(self) -> str:
        """The precision and, for int8, the quantization scheme."""
        return f"{self.precision} {self.quantization}".rstrip()

    @property
    def title(self) -> str:
        """The network's name with the precision and the quantization scheme."""
        return f"{self.network} {self.scheme}"

    @property
    def pair(self) -> tuple[str, ...]:
        """The properties that an int8 row shares with its float twin (the same network in float): network and group."""
        return (*self.group, self.weights, self.weights_sha256, self.network, self.preprocessing)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """The sizes of the model and its file, the operations per inference, and the seconds to build and measure the file.

    Attributes:
        params_at_least, macs_at_least: lower bounds of `params` and `macs` if not everything could be counted; else
            None.
    """

    params: int | None
    macs: int | None
    instructions_m: float | None
    file_mib: float | None
    build_s: float | None
    export_s: float | None
    quantize_s: float | None
    measure_s: float | None
    params_at_least: int | None = None
    macs_at_least: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """Times of loading and inference, and the number of processes and samples behind them.

    Attributes:
        p50_low_ms, p50_high_ms: the 95 % interval of p50; the range of the processes' medians if there are too few
            processes for an interval.
        p50_beats, p50_low_beats, p50_high_beats: p50 and its interval in reference beats, a fixed workload timed
            between the samples.
        beat: name of the workload of the beats.
        mean_ms, stddev_ms, min_ms: mean, standard deviation and minimum of all samples.
        images_per_second: the batch divided by p50; for a model that is fed no images, inputs per second.
        parts: for a model of several graphs, each graph's p50 in ms, by the graph's name.
    """

    processes: int
    samples: int
    load_ms: float | None
    first_ms: float | None
    p50_ms: float | None
    p50_low_ms: float | None
    p50_high_ms: float | None
    p50_beats: float | None
    p50_low_beats: float | None
    p50_high_beats: float | None
    beat: str
    p90_ms: float | None
    kernel_ms: float | None
    transfer_ms: float | None
    parts: Mapping[str, float] | None = None
    mean_ms: float | None = None
    stddev_ms: float | None = None
    min_ms: float | None = None
    images_per_second: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Resident memory of the process, and memory of the device."""

    model_mib: float | None
    peak_mib: float | None
    device_peak_mib: float | None
    device_used_mib: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """The times of an app's steps around inference, each for a whole batch; None if not measured.

    Attributes:
        decode_ms, resize_ms, normalize_ms: the parts of `pre_ms`.
        total_p50_ms: the sum of the network's p50, `post_ms`, and `pre_ms` if measured.
        runtime_share: the network's part of the total, in %.
        fps: pictures per second, computed from the total.
        score_threshold, iou_threshold: the thresholds of a detector's post-processing.
    """

    decode_ms: float | None = None
    resize_ms: float | None = None
    normalize_ms: float | None = None
    pre_ms: float | None = None
    post_ms: float | None = None
    total_p50_ms: float | None = None
    runtime_share: float | None = None
    fps: float | None = None
    score_threshold: float | None = None
    iou_threshold: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sustained:
    """The latency over minutes of sustained load; None without such a run."""

    lasted_s: float | None = None
    burst_ms: float | None = None
    sustained_ms: float | None = None
    hottest_c: float | None = None
    slowest_mhz: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """The quality of the outputs.

    Attributes:
        metrics: the metrics in %, by name: `top1` and `top5`, or the metrics of another task. A metric that was not
            measured is absent.
        images: number of test images.
        answered_by: where the images were evaluated: on the "target", or on the "host" in its place; "" if they were
            not evaluated.
        spot_images: number of images for which the target repeated the host's evaluation.
        spot_difference: largest difference between the outputs of host and target, as a share of the largest output.
        published_top1: the network's published ImageNet top-1, in %.
        is_of_chance: whether the accuracy, at the lower end of its interval, is no better than chance. Such a row is
            never called the best.
    """

    metrics: Mapping[str, Figure]
    images: int | None
    answered_by: str
    spot_images: int | None
    spot_difference: float | None
    published_top1: float | None
    is_of_chance: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Fidelity:
    """The comparison of the outputs with the float parent's outputs.

    Attributes:
        parent_top1, agreement: the parent's top-1, and the share of equal predictions, both in %.
        only_parent: number of images that only the parent classifies correctly.
        only_this: number of images that only this row's model classifies correctly.
        mcnemar_p: p-value of McNemar's exact test for equal accuracy.
        images_needed: number of images at which the observed difference would be significant.
        reference_agreement, reference_sqnr_db: the share of predictions, in %, that equal those of the int8 file's own
            arithmetic, and the SQNR of the outputs against those of that arithmetic.
        change: the task's chief metric minus the parent's metric, in percentage points, computed from pairs of
            predictions for the same image.
    """

    parent_top1: float | None = None
    only_parent: int | None = None
    only_this: int | None = None
    mcnemar_p: float | None = None
    images_needed: int | None = None
    agreement: float | None = None
    sqnr_db: float | None = None
    reference_agreement: float | None = None
    reference_sqnr_db: float | None = None
    change: Figure | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Int8:
    """The share of multiply-adds computed in integers, in %, and the layer that loses most signal, with its SQNR."""

    integer_share: float | None = None
    worst_layer: str | None = None
    worst_layer_sqnr_db: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiled:
    """A compiler's report for a device that is not at hand; all fields are None if the target runs the case.

    Attributes:
        npu_operator_share, npu_mac_share: shares of the operators and of the multiply-adds on the device, in %.
        sram_kib, flash_kib, dram_kib: memory that the compiled file uses, in 2**10 bytes.
        compiled_for: the device's configuration and the compiler's settings.
    """

    npu_operator_share: float | None = None
    npu_mac_share: float | None = None
    sram_kib: float | None = None
    flash_kib: float | None = None
    dram_kib: float | None = None
    compiled_for: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """The rank of a row in its group, and its ratios to its float twin; None before rows are compared.

    Attributes:
        tied: whether another row shares the rank.
        speedup: the latency of the float twin (the same network in float) divided by this int8 row's latency.
        instruction_ratio: the float twin's instructions divided by this int8 row's instructions, if both were counted.
    """

    rank: int | None = None
    tied: bool = False
    speedup: Ratio | None = None
    instruction_ratio: float | None = None

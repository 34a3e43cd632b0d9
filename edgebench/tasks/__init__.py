"""Tasks, one module each, which turn a network's outputs into predictions and metrics; only the loss needs torch.

N is a number of images. A task defines
    OUTPUTS                         names of the network's outputs, in order; each is a tensor of its own
    METRIC                          the name of its chief metric, a literal
    HEADING                         the name of this metric in tables
    COLUMNS                         a literal mapping from each metric's name to whether the metric has an interval; all
                                    metrics are shares
    AUGMENTATION                    augmentations of training images that keep the labels valid
    PART                            number of images in one epoch of training; 0 for the whole split
    THRESHOLDS                      mapping from name to value of the thresholds of `decode`; for a task with
                                    thresholds, the time of `decode` is measured as post-processing
    values(classes, resolution)     number of values of all outputs for one image
    targets(truths, resolution)     the targets of a batch for the loss, as arrays
    loss(outputs, targets)          mean loss of a batch, from tensors
    decode(values, classes, resolution)
                                    one prediction per image, from all outputs' values in order, (N, values) float32
    seen(answer, truth)             the result of one image: the prediction `answer` compared with the truth
    figures(images)                 metric -> value, from the results of all images; without metrics that have no value
    intervals(images)               metric -> (low, high), a 95 % interval
    reduced(values, classes, resolution)
                                    optional: the values in a shorter form, (N, bytes) uint8. The target sends this form
                                    in place of the values, and `tally` receives it; the time to compute it is measured
                                    as post-processing
    OF_FEATURES                     optional: share of the learning rate for features from another network's base; the
                                    new heads have the full rate
    LEARNED, chance(classes)        optional: LEARNED, a literal, names the metric that shows whether a network has
                                    learned something; `chance` returns the value of this metric below which a network
                                    has learned nothing. By default, they are METRIC and nearly 0
    tally(outputs, reference, truth, classes, resolution)
                                    fields of `schema.record.Accuracy`. `outputs` and `reference` yield parts of the
                                    outputs, (n, values), of the file and of its float parent; `reference` is None
                                    without a parent. `truth` is a function from an image's index to its truth
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from edgebench.foundation.shelf import load
from edgebench.schema.variant import task

if TYPE_CHECKING:
    from numpy import int64, uint8
    from numpy.typing import NDArray

    from edgebench.schema.variant import Variant

OFFERS = (
    *("OUTPUTS", "METRIC", "HEADING", "COLUMNS", "AUGMENTATION", "PART", "THRESHOLDS", "values", "targets"),
    *("loss", "decode", "seen", "figures", "intervals", "tally"),
)
MAY_OFFER = ("reduced", "LEARNED", "chance", "OF_FEATURES")


class Truth(Protocol):
    """The labels of a preprocessed image, as `images.loader.Truth` has them."""

    @property
    def classes(self) -> NDArray[int64]:
        """The class of each object, or of the image."""

    @property
    def boxes(self) -> NDArray[Any] | None:
        """Left, top, right and bottom of each object, in pixels."""

    @property
    def mask(self) -> NDArray[uint8] | None:
        """The class of each pixel plus 1, (H, W); 0 is background, and metrics leave out pixels with the value 255."""

    @property
    def size(self) -> tuple[float, float]:
        """Width and height, in pixels, of the image to which the boxes refer."""


def values(variant: Variant) -> int:
    """Return the number of values that all outputs of a network have together for one image."""
    if variant.decoding:
        return variant.decoding.values
    count: int = load("tasks", task(variant)).values(variant.classes, variant.resolution)
    return count

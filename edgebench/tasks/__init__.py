"""Tasks, one file or package each: a network's outputs -> answers and their metrics; plain numpy, except the loss.

A task defines
    OUTPUTS                         names of the network's outputs, in order; each is a tensor of its own
    METRIC                          its chief metric, a literal name
    HEADING                         that metric's name in tables
    COLUMNS                         its metrics, a literal: name -> whether it has an interval; all are shares
    AUGMENTATION                    augmentations in training that keep its labels valid
    PART                            number of images per epoch of training; 0 for the whole split
    THRESHOLDS                      of `decode`, by name; a task that has some has a post-processing that takes time
    values(classes, resolution)     number of values of all outputs for one image
    targets(truths, resolution)     the targets of a batch for the loss, as arrays
    loss(outputs, targets)          mean loss of a batch, from tensors
    decode(values, classes, resolution)
                                    one answer per image, from the values of all outputs in order, (N, values) float32
    seen(answer, truth)             the matched result of one image
    figures(images)                 metric -> value, from the results of all images; a metric without a value is absent
    intervals(images)               metric -> (low, high), 95 %
    reduced(values, classes, resolution)
                                    optional: what travels from the target instead of the values, (N, bytes) uint8; its
                                    post-processing takes time, and `tally` gets these bytes
    LEARNED, chance(classes)        optional: the metric that shows that a network has learned something, a literal
                                    name, and the value below which it has not; without them METRIC, and nearly 0
    tally(outputs, reference, truth, classes, resolution)
                                    fields of `schema.record.Accuracy`, from parts of the outputs, (n, values), those of
                                    the float parent or None, and a function from an image's index to its truth
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
MAY_OFFER = ("reduced", "LEARNED", "chance")


class Truth(Protocol):
    """The labels of a preprocessed image: see `images.loader.Truth`."""

    @property
    def classes(self) -> NDArray[int64]:
        """The class of each object, or of the image."""

    @property
    def boxes(self) -> NDArray[Any] | None:
        """Left, top, right and bottom of each object, pixels."""

    @property
    def mask(self) -> NDArray[uint8] | None:
        """The class of each pixel plus 1; 0 is background, 255 is not judged, (H, W)."""

    @property
    def size(self) -> tuple[float, float]:
        """Width and height of the image that the boxes are in, pixels."""


def values(variant: Variant) -> int:
    """Return the number of values of all outputs of a network for one image."""
    if variant.decoding:
        return variant.decoding.values
    count: int = load("tasks", task(variant)).values(variant.classes, variant.resolution)
    return count

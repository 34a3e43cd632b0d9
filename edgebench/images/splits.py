"""A network and a split's name -> the split's images as inputs of the network, or why accuracy cannot be measured.

A split is `train`, `calibration` or `test`; no image is in more than one split.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from edgebench.foundation import provenance
from edgebench.foundation.errors import CaseError, RequestError, UnknownName
from edgebench.foundation.progress import Notice
from edgebench.foundation.shelf import literal, module
from edgebench.foundation.units import counted
from edgebench.images.catalogue import damaged, family, find
from edgebench.images.listing import some
from edgebench.images.loader import Images
from edgebench.images.pixels import Pixels
from edgebench.images.preprocessing import preset
from edgebench.schema import names
from edgebench.schema.names import dataset_plugin
from edgebench.schema.quantization import Quantization
from edgebench.schema.variant import WeightSource, task

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edgebench.foundation.progress import Show
    from edgebench.images.loader import Opened, Pictures
    from edgebench.schema.variant import Preprocessing, Variant


def sources(dataset: str) -> list[str]:
    """List the modules of this package whose code determines the images of a data set."""
    return [
        module("datasets", dataset_plugin(dataset)),
        "images/decode",
        "images/splits",
        "images/loader",
        "images/preprocessing",
        "schema/normalization",
    ]


def recipe(variant: Variant) -> Preprocessing:
    """Return the variant's preprocessing; if it has none, the default preprocessing of its data set."""
    if variant.preprocessing:
        return variant.preprocessing
    default: Preprocessing = family(variant.dataset).PREPROCESSING
    return default


def chosen_recipe(dataset: str, name: str) -> Preprocessing | None:
    """Return the preprocessing to store in a variant: a recipe, or None for a bundled data set's default preprocessing.

    Raises:
        UnknownName: there is no such preset.
    """
    default: Preprocessing = family(dataset).PREPROCESSING
    return preset(name) if name else default if family(dataset).PLACE else None


def why_no_accuracy(variant: Variant) -> str:
    """Return why accuracy cannot be measured on the variant's data set; an empty text if it can be measured."""
    if variant.feed:
        return "no accuracy: the model is fed arrays, which have no labels"
    if variant.weights == WeightSource.RANDOM:
        return "no accuracy: the weights are random"
    if variant.classifier:
        return f"no accuracy: {variant.weights} has no classifier, so the network has a random one"
    if variant.weights == WeightSource.CUSTOM and not (variant.dataset_sha256 or variant.decoding):
        return "no accuracy: its classes are unknown; name labelled images, --dataset image_folder:path"
    try:
        if wrong := wrong_task(variant.architecture, variant.dataset, task(variant)):
            return f"no accuracy: {wrong}"
        labelled = variant.dataset_classes or family(variant.dataset).CLASSES
    except UnknownName:  # the record is from another version of edgebench
        return f"no accuracy: this edgebench does not know the data set {variant.dataset}"
    if not labelled:
        return f"no accuracy: {variant.dataset} has no labels"
    known = labelled + recipe(variant).label_offset
    if variant.classes != known:
        return f"no accuracy: the network has {counted(variant.classes, 'class')}, {variant.dataset} has {known}"
    return ""


def wrong_task(model: str, dataset: str, wanted: str = "") -> str:
    """Return an error message if a data set has labels only for other tasks than the network's; else an empty text.

    `wanted` is the task of a user-supplied detector, whose name does not state a task.
    """
    kind, tasks = wanted or names.task(model), family(dataset).TASKS
    if kind in tasks or not tasks:
        return ""
    if not literal("tasks", kind, "METRIC"):
        return f"{model} gives a map of scores, for which no data set has labels; use --weights random, or a file"
    others = " or ".join(name for name in names.datasets_for(kind) if name != "null")
    return (
        f"{model} is for {kind}, and {dataset} has no labels for it;"
        f" use --dataset {others}, or a network for {tasks[0]}"
    )


def has_answers(variant: Variant) -> bool:
    """Return whether an evaluation gives an accuracy, or the agreement of an int8 file with its fp32 file."""
    is_custom_int8 = variant.weights == WeightSource.CUSTOM and variant.quantization is not None and not variant.feed
    return is_custom_int8 or not why_no_accuracy(variant)


def split(variant: Variant, name: str, channels: int) -> Images:
    """Return a split of the variant's data set as inputs of the network, (N, C, R, R); C is 1 for grey.

    Raises:
        CaseError: the data set has no such split, was moved or changed, or none of the images can be decoded.
    """
    import numpy

    card, opened = find(variant.dataset, variant.dataset_sha256)
    pictures, bad = opened.part(name), set(damaged(card, opened, lambda _: None))
    count = len(pictures.labels)
    usable = [index for index in range(count) if pictures.name(index) not in bad] if bad else range(count)
    if not usable:
        raise CaseError(f"{variant.dataset}: none of {count} images for {name} can be decoded; restore them")
    images = Images(
        pictures=pictures,
        kept=numpy.array(usable, numpy.int64),
        recipe=recipe(variant),
        resolution=variant.resolution,
        channels=channels,
        damaged=count - len(usable),
    )
    return replace(images, memory=_memory(variant, name, images)) if variant.dataset_sha256 else images


def _memory(variant: Variant, name: str, images: Images) -> Pixels:
    """Return the cache of the split's pixels; its key is a hash of everything that determines the pixels."""
    import numpy
    import PIL

    recipe = images.recipe
    parts = {
        "dataset": variant.dataset_sha256,
        "split": name,
        "images": images.kept.tobytes().hex(),
        "cut": f"{recipe.first} {recipe.crop} {recipe.shorter_side} {recipe.interpolation} {recipe.channels}",
        "resolution": str(images.resolution),
        "made by": f"{provenance.source(*sources(variant.dataset))} pillow {PIL.__version__} numpy {numpy.__version__}",
    }
    return Pixels(stem=provenance.key(parts), count=len(images), resolution=images.resolution, depth=images.depth)


def calibrated(variant: Variant) -> Variant:
    """Return the variant with its calibration data set in place of its data set; the preprocessing stays the same."""
    scheme = variant.quantization
    if scheme is None or not scheme.calibration or variant.feed:
        return variant
    name, sha256 = scheme.calibration, scheme.calibration_sha256
    return replace(variant, dataset=name, dataset_sha256=sha256, preprocessing=recipe(variant))


def too_few(variant: Variant, count: int) -> str:
    """Return an error message if `count` images are too few to calibrate the variant; otherwise an empty text.

    If the user requested no number of images, any count is enough, because the default is only an upper bound.
    """
    requested = variant.quantization.images if variant.quantization else 0
    if requested <= count or requested == Quantization().images:
        return ""
    name = calibrated(variant).dataset
    return f"{name} has {counted(count, 'image')} to calibrate with, {requested} were requested; use images={count}"


def require_calibration(variant: Variant) -> None:
    """Refuse to calibrate a variant on fewer images than requested, or on images from its test split.

    Damaged images count as images here, because they can be found only by decoding all images.

    Raises:
        RequestError: there are too few images, or some are also in the test split.
        CaseError: the data set changed after its path was given.
    """
    scheme = variant.quantization
    if variant.feed or scheme is None or not (scheme.calibration or scheme.images != Quantization().images):
        return
    pictures = _pictures(calibrated(variant), "calibration")
    if why := too_few(variant, len(pictures.labels)):
        raise RequestError(why)
    if not scheme.calibration:
        return  # the splits of one data set have no image in common
    if shared := {*pictures.digests} & {*_pictures(variant, "test").digests} - {""}:
        raise RequestError(
            f"{scheme.calibration} shares {counted(len(shared), 'image')} with the test images of"
            f" {variant.dataset}; give other images to calibrate on"
        )


def _pictures(variant: Variant, name: str) -> Pictures:
    return find(variant.dataset, variant.dataset_sha256)[1].part(name)


def _reads_images(variant: Variant) -> bool:
    return (variant.quantization is not None and not variant.feed) or has_answers(variant)


def inspect(variants: Iterable[Variant], show: Show) -> None:
    """Check the data sets of these variants; report which images are left out, and which are in several splits."""
    readers = [item for variant in variants if _reads_images(variant) for item in (variant, calibrated(variant))]
    for dataset, sha256 in dict.fromkeys((variant.dataset, variant.dataset_sha256) for variant in readers):
        with suppress(CaseError):  # no notice: each case that reads this data set will fail with the same error
            card, opened = find(dataset, sha256)
            bad = damaged(card, opened, show)
            if opened.files and opened.classes and (leak := _leak(opened, set(bad))):
                show(Notice(text=f"{card.name}: {leak}"))


def _leak(opened: Opened, bad: set[str]) -> str:
    """Return a notice that names test images which are also in another split; an empty text if no image is."""
    tested, others = opened.part("test"), set[str]()
    for name in ("train", "calibration"):
        with suppress(CaseError):  # the data set has no images to train on
            others |= {*opened.part(name).digests}
    twice = [index for index, digest in enumerate(tested.digests) if digest and digest in others]
    names = [name for name in map(tested.name, twice) if name not in bad]
    if not names:
        return ""
    count = len(tested.digests)
    return f"{len(names)} of {count} images to test on are identical to images to train or calibrate on: {some(names)}"

"""A variant and the name of a split -> its images, as the network takes them; and which variants have answers.

A split is `train`, `calibration` or `test`; the three share no image.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from edgebench.foundation import provenance
from edgebench.foundation.errors import CaseError, RequestError
from edgebench.foundation.progress import Notice
from edgebench.foundation.shelf import module
from edgebench.images.catalogue import damaged, family, find
from edgebench.images.listing import some
from edgebench.images.loader import Images
from edgebench.images.pixels import Pixels
from edgebench.images.preprocessing import preset
from edgebench.schema.quantization import Quantization
from edgebench.schema.variant import WeightSource

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edgebench.foundation.progress import Show
    from edgebench.images.loader import Opened, Pictures
    from edgebench.schema.variant import Preprocessing, Variant


def sources(dataset: str) -> list[str]:
    """Name the modules of this package that shape a data set's images."""
    return [
        module("datasets", dataset.partition(":")[0]),
        "images/decode",
        "images/splits",
        "images/loader",
        "images/preprocessing",
        "schema/normalization",
    ]


def recipe(variant: Variant) -> Preprocessing:
    """Return how the variant's pictures become images: its own recipe, or its data set's."""
    own: Preprocessing = family(variant.dataset).PREPROCESSING
    return variant.preprocessing or own


def chosen_recipe(dataset: str, name: str) -> Preprocessing | None:
    """Return what a variant says of its preprocessing: None for a bundled data set's own, else all of it.

    Raises:
        UnknownName: there is no such preset.
    """
    own: Preprocessing = family(dataset).PREPROCESSING
    return preset(name) if name else own if family(dataset).PLACE else None


def why_no_accuracy(variant: Variant) -> str:
    """Say why the variant's answers cannot be right or wrong on its data set; empty where they can."""
    if variant.weights == WeightSource.RANDOM:
        return "no accuracy: the weights are random"
    if variant.weights == WeightSource.CUSTOM and not variant.dataset_sha256:
        return "no accuracy: what its classes are is not known; name labelled images, --dataset image_folder:path"
    labelled = variant.dataset_classes or family(variant.dataset).CLASSES
    if not labelled:
        return f"no accuracy: {variant.dataset} has no labels"
    known = labelled + recipe(variant).label_offset
    if variant.classes != known:
        return f"no accuracy: the network has {variant.classes} classes, {variant.dataset} has {known}"
    return ""


def has_answers(variant: Variant) -> bool:
    """Tell whether running images says something: what is right, or how far int8 is from what it was made of."""
    is_own_int8 = variant.weights == WeightSource.CUSTOM and variant.quantization is not None
    return is_own_int8 or not why_no_accuracy(variant)


def split(variant: Variant, name: str, channels: int) -> Images:
    """Return a split of the variant's data set as its network takes it: (N, C, R, R), grey where C is 1.

    Raises:
        CaseError: the data set has no such split, was moved or changed, or none of the images can be decoded.
    """
    import numpy

    card, opened = find(variant.dataset, variant.dataset_sha256)
    pictures, bad = opened.part(name), set(damaged(card, opened, lambda _: None))
    count = len(pictures.labels)
    whole = [index for index in range(count) if pictures.name(index) not in bad] if bad else range(count)
    if not whole:
        raise CaseError(f"{variant.dataset}: none of {count} images to {name} on can be decoded; restore them")
    images = Images(
        pictures=pictures,
        kept=numpy.array(whole, numpy.int64),
        recipe=recipe(variant),
        resolution=variant.resolution,
        channels=channels,
        damaged=count - len(whole),
    )
    return replace(images, memory=_memory(variant, name, images)) if variant.dataset_sha256 else images


def _memory(variant: Variant, name: str, images: Images) -> Pixels:
    """Find where the split's pixels are kept, by everything that shapes them."""
    import numpy
    import PIL

    taken = images.recipe
    parts = {
        "dataset": variant.dataset_sha256,
        "split": name,
        "images": images.kept.tobytes().hex(),
        "cut": f"{taken.first} {taken.crop} {taken.shorter_side} {taken.interpolation} {taken.channels}",
        "resolution": str(images.resolution),
        "made by": f"{provenance.source(*sources(variant.dataset))} pillow {PIL.__version__} numpy {numpy.__version__}",
    }
    return Pixels(stem=provenance.key(parts), count=len(images), resolution=images.resolution, depth=images.depth)


def calibrated(variant: Variant) -> Variant:
    """Return the variant as if what its quantization calibrates on were its data set; its recipe stays its own."""
    asked = variant.quantization
    if asked is None or not asked.calibration:
        return variant
    name, sha256 = asked.calibration, asked.calibration_sha256
    return replace(variant, dataset=name, dataset_sha256=sha256, preprocessing=recipe(variant))


def too_few(variant: Variant, found: int) -> str:
    """Say that the images found are too few to calibrate the variant with; empty where they are enough.

    The ordinary number is as many as there are.
    """
    asked = variant.quantization.images if variant.quantization else 0
    if asked <= found or asked == Quantization().images:
        return ""
    name = calibrated(variant).dataset
    return f"{name} has {found} images to calibrate with, {asked} were asked for; use images={found}"


def require_calibration(variant: Variant) -> None:
    """Refuse to calibrate on fewer images than were asked for, or on some that the variant is tested on.

    Damaged ones are found later: to look for them is to decode all.

    Raises:
        RequestError: that is so.
        CaseError: the data set changed since it was named.
    """
    asked = variant.quantization
    if asked is None or not (asked.calibration or asked.images != Quantization().images):
        return
    pictures = _pictures(calibrated(variant), "calibration")
    if why := too_few(variant, len(pictures.labels)):
        raise RequestError(why)
    if not asked.calibration:
        return  # a data set's own splits share no image
    if shared := {*pictures.digests} & {*_pictures(variant, "test").digests} - {""}:
        raise RequestError(
            f"{asked.calibration} has {len(shared)} images to calibrate with that {variant.dataset} is tested on; name"
            " others to calibrate on"
        )


def _pictures(variant: Variant, name: str) -> Pictures:
    return find(variant.dataset, variant.dataset_sha256)[1].part(name)


def inspect(variants: Iterable[Variant], show: Show) -> None:
    """Say which images of the data sets that these will read are left out, and which are in two splits."""
    read = [of for one in variants if one.quantization or has_answers(one) for of in (one, calibrated(one))]
    for dataset, sha256 in dict.fromkeys((one.dataset, one.dataset_sha256) for one in read):
        with suppress(CaseError):  # each case that reads it fails with that
            card, opened = find(dataset, sha256)
            bad = damaged(card, opened, show)
            if opened.files and opened.classes and (leak := _leak(opened, set(bad))):
                show(Notice(text=f"{card.name}: {leak}"))


def _leak(opened: Opened, bad: set[str]) -> str:
    """Say how many images are tested on that are set aside for something else, too; empty where none is."""
    tested, others = opened.part("test"), set[str]()
    for name in ("train", "calibration"):
        with suppress(CaseError):  # there is none to train on
            others |= {*opened.part(name).digests}
    twice = [index for index, digest in enumerate(tested.digests) if digest and digest in others]
    names = [name for name in map(tested.name, twice) if name not in bad]
    if not names:
        return ""
    count = len(tested.digests)
    return f"{len(names)} of {count} images to test on are identical to images to train or calibrate on: {some(names)}"

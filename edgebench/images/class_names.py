"""A variant -> the names of the classes, in the order of the network's outputs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgebench.foundation.errors import EdgebenchError
from edgebench.images.catalogue import family, find
from edgebench.images.splits import recipe, why_no_accuracy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgebench.schema.variant import Variant

BACKGROUND = "background"  # name of the extra first class that some networks have before a data set's classes


def class_names(variant: Variant) -> tuple[str, ...]:
    """Return the names of a network's classes; an empty tuple if the names are not known on this machine."""
    if why_no_accuracy(variant):
        return ()
    try:
        names = (*(BACKGROUND,) * recipe(variant).label_offset, *_of_dataset(variant))
    except EdgebenchError:  # the data set was moved or changed
        return ()
    return names if len(names) == variant.classes else ()


def _of_dataset(variant: Variant) -> Sequence[str]:
    """Return a data set's class names, from its plug-in, class folders or lists; without names, the class numbers.

    Raises:
        EdgebenchError: the data set was moved or changed.
    """
    plugin = family(variant.dataset)
    _, opened = find(variant.dataset, variant.dataset_sha256)
    numbers = tuple(map(str, range(opened.classes)))
    names: Sequence[str] = getattr(plugin, "CLASS_NAMES", ())
    return names or getattr(opened.part("test"), "classes", ()) or numbers

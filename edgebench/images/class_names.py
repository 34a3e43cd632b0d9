"""A variant -> the names of its classes, in the order of its network's outputs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgebench.foundation.errors import EdgebenchError
from edgebench.images.catalogue import family, find
from edgebench.images.splits import recipe, why_no_accuracy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgebench.schema.variant import Variant

BACKGROUND = "background"  # name of the class that some networks have before the classes of the data set


def class_names(variant: Variant) -> tuple[str, ...]:
    """Return the names of a network's classes; empty if they are not known on this machine."""
    if why_no_accuracy(variant):
        return ()
    try:
        names = (*(BACKGROUND,) * recipe(variant).label_offset, *_of_dataset(variant))
    except EdgebenchError:  # the data set was moved or changed
        return ()
    return names if len(names) == variant.classes else ()


def _of_dataset(variant: Variant) -> Sequence[str]:
    """Return the names of a data set's classes, from its plug-in or its folders and lists; otherwise their numbers.

    Raises:
        EdgebenchError: the data set was moved or changed.
    """
    plugin = family(variant.dataset)
    _, opened = find(variant.dataset, variant.dataset_sha256)
    numbers = tuple(map(str, range(opened.classes)))
    names: Sequence[str] = getattr(plugin, "CLASS_NAMES", ())
    return names or getattr(opened.part("test"), "classes", ()) or numbers

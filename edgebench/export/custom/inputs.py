"""Find the shape and the range of values of each input from the model's file and the option `--input`."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from math import prod
from typing import TYPE_CHECKING, Any

from edgebench.export.custom import shape
from edgebench.export.custom.precision import EIGHT_BITS
from edgebench.foundation.errors import RequestError
from edgebench.schema.feed import Feed, Input

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edgebench.export.custom.shape import Dimensions

MOST_VALUES = 2**28  # limit on one tensor: 1 GiB in float32
DTYPES = (
    *("float32", "float16", "bfloat16", "float64", "bool"),
    *(f"{sign}int{bits}" for bits in (8, 16, 32, 64) for sign in ("", "u")),
)
IMAGES = ("float32", *EIGHT_BITS)
_FEW = 8  # integer inputs with at most this many values are assumed to be lengths or sizes
_SIDE = 224  # size that messages propose for an open axis
_PART = re.compile(r"((?:.+?:)?[^:,]+)(?:,|$)")
_OPEN_AXIS = re.compile(r"-1|\?|[A-Za-z_]\w*|")


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """An input of a model, as the model's file declares it.

    Attributes:
        axes: the size of each fixed axis and the name of each open axis; the name is empty if the file gives none.
        most: the largest valid integer, such as the last index of a lookup table; None if unknown.
        is_scaled: whether the file has a scale that converts the integers to the numbers that they represent.
    """

    name: str
    dtype: str
    axes: tuple[int | str, ...]
    most: int | None = None
    is_scaled: bool = False

    @property
    def sizes(self) -> Dimensions:
        """The sizes of the axes; 0 stands for an open axis, which has no fixed size."""
        return tuple(0 if isinstance(axis, str) else axis for axis in self.axes)


def parts(asked: str) -> tuple[str, ...]:
    """Split the text of `--input` into one part per input; names can contain commas and colons."""
    return tuple(_PART.findall(asked))


def parse(asked: str) -> dict[str, Dimensions]:
    """Parse `x:1x3x48x320,mask:1x320` into a mapping from input name to sizes.

    Sizes without a name belong to the model's only input; the mapping has them under an empty name.

    Raises:
        RequestError: the text has another form, or leaves an axis open.
    """
    shapes = dict[str, tuple[int, ...]]()
    for part in parts(asked):
        _require_closed(part)
        name, sizes = shape.parse(part)
        if name in shapes:
            raise RequestError(f"wanted one --input for each input, found two for {name or 'an input without a name'}")
        shapes[name] = sizes
    return shapes


def _require_closed(part: str) -> None:
    """Refuse an `--input` with an open axis, because a measurement needs the size of every axis."""
    name, colon, text = part.rpartition(":")
    axes = text.split("x")
    if not any(map(str.isdecimal, axes)) or not any(_OPEN_AXIS.fullmatch(axis) for axis in axes):
        return
    closed = "x".join(axis if axis.isdecimal() else str(_SIDE if place else 1) for place, axis in enumerate(axes))
    raise RequestError(
        f"wanted a size for every axis in --input, found {part[:60]}; give numbers, such as"
        f" --input {name}{colon}{closed}; --batch sets how many images or inputs are run at a time"
    )


def settle(model: str, declared: Sequence[Declared], asked: str) -> tuple[Dimensions, ...]:
    """Return the shape of each input; a 0 stands for an open first axis, which is the batch axis.

    A size given for an open axis applies to all axes of the same name.

    Raises:
        RequestError: `asked` contradicts the file or names an unknown input, or an axis other than the first stays
            open.
    """
    wanted = _of_names(model, declared, asked)
    for entry in declared:
        _require_sizes(model, entry, wanted.get(entry.name))
    if len(declared) == 1 and (sizes := wanted.get(declared[0].name)):
        _require_one_image(model, declared[0], sizes, asked)
    named = dict[str, int]()
    for entry in declared:
        for place, (axis, size) in enumerate(zip(entry.axes, wanted.get(entry.name, ()), strict=False)):
            if isinstance(axis, str) and axis and (place or size != 1):
                named.setdefault(axis, size)
    shapes = tuple(_shape(entry, wanted.get(entry.name), named) for entry in declared)
    _require_settled(model, declared, shapes)
    return shapes


def missing(declared: Sequence[Declared]) -> tuple[str, ...]:
    """Return an example of `--input` for each input that has an open axis other than the batch axis."""
    return tuple(f"{entry.name}:{_example(entry.sizes)}" for entry in declared if _is_open(entry))


def _is_open(entry: Declared) -> bool:
    return any(isinstance(axis, str) for axis in entry.axes[1:])


def _of_names(model: str, declared: Sequence[Declared], asked: str) -> dict[str, Dimensions]:
    """Return a mapping from input name to the requested shape."""
    wanted, names = parse(asked), [entry.name for entry in declared]
    if "" in wanted and len(names) == 1:
        wanted[names[0]] = wanted.pop("")
    for name in wanted:
        if name in names:
            continue
        found = ", ".join(f"{entry.name} of {shape.said(entry.sizes)}" for entry in declared) or "none"
        raise RequestError(f"{model}: wanted --input {asked}, found input {found}; correct one of them")
    return wanted


def _require_sizes(model: str, entry: Declared, wanted: Dimensions | None) -> None:
    if wanted is None:
        return
    fits = len(wanted) == len(entry.axes) and all(
        mine in (0, theirs) for mine, theirs in zip(entry.sizes, wanted, strict=True)
    )
    if not fits:
        asked = f"{entry.name}:{shape.said(wanted)}"
        found = f"input {entry.name} of {shape.said(entry.sizes)}"
        raise RequestError(f"{model}: wanted --input {asked}, found {found}; correct one of them")


def _require_one_image(model: str, entry: Declared, sizes: Dimensions, asked: str) -> None:
    is_image = len(sizes) == 4 and isinstance(entry.axes[0], str) and shape.image((1, *sizes[1:])) is not None
    if is_image and sizes[0] != 1:
        raise RequestError(
            f"{model}: wanted an --input of one image, found {asked}; set the number of images by --batch"
        )


def _shape(entry: Declared, wanted: Dimensions | None, named: Mapping[str, int]) -> Dimensions:
    sizes = list[int]()
    for place, axis in enumerate(entry.axes):
        if not isinstance(axis, str):
            size = axis or (wanted[place] if wanted else 0)
        elif wanted and (place or wanted[0] != 1):
            size = wanted[place]
        else:
            size = named.get(axis, 0)
        sizes.append(size)
    return tuple(sizes)


def _require_settled(model: str, declared: Sequence[Declared], shapes: Sequence[Dimensions]) -> None:
    """Refuse open axes other than the first, axes of size 0, and inputs that are too large for a small machine."""
    for entry, sizes in zip(declared, shapes, strict=True):
        if 0 in [size for axis, size in zip(entry.axes, sizes, strict=True) if not isinstance(axis, str)]:
            raise RequestError(
                f"{model}: input {entry.name} is {_exact(entry)}, whose axis of size 0 holds no values; export it with"
                f" the real size, or give the size: --input {entry.name}:{_example(sizes)}"
            )
    still_open = [(entry, sizes) for entry, sizes in zip(declared, shapes, strict=True) if 0 in sizes[1:]]
    if still_open:
        found = ", ".join(f"{entry.name} is {shape.said(entry.sizes)}" for entry, _ in still_open)
        examples = " ".join(f"--input {entry.name}:{_example(sizes)}" for entry, sizes in still_open)
        raise RequestError(f"{model}: input {found}; give its size: {examples}")
    for entry, sizes in zip(declared, shapes, strict=True):
        if (values := prod(size or 1 for size in sizes)) > MOST_VALUES:
            raise RequestError(
                f"{model}: input {entry.name} of {shape.said(sizes)} has {values} values, wanted at most {MOST_VALUES}"
            )


def _exact(entry: Declared) -> str:
    return "x".join("?" if isinstance(axis, str) else str(axis) for axis in entry.axes)


def _example(sizes: Dimensions) -> str:
    if len(sizes) == 4 and sizes[1] == 0 and sizes[3] == 0:
        return shape.EXAMPLE
    return "x".join(str(size or (_SIDE if place else 1)) for place, size in enumerate(sizes))


def require_types(model: str, declared: Sequence[Declared]) -> None:
    """Refuse inputs whose type is not numeric, or whose name contains unprintable characters.

    Raises:
        RequestError: an input has a type that is not numeric, or a name with unprintable characters.
    """
    for entry in declared:
        if not entry.name.isprintable():
            raise RequestError(f"{model}: wanted printable names, found input {entry.name!a}; rename it")
        if entry.dtype not in DTYPES:
            raise RequestError(
                f"{model}: input {entry.name} is of {entry.dtype}, wanted numbers: {', '.join(DTYPES)}; export the"
                " model without the step that turns this input into numbers"
            )


def kind(
    declared: Sequence[Declared],
    shapes: Sequence[Dimensions],
    outputs: Sequence[tuple[str, Dimensions]],
    *,
    is_fed: bool = False,
) -> dict[str, Any]:
    """Return the card's fields that describe the inputs of a model.

    For an image classifier, the fields describe the images. For any other model, the fields contain a feed: the type,
    the shape and the range of values of each input. With `is_fed`, the fields of an image classifier contain a feed,
    too.
    """
    image = shape.image(shapes[0]) if len(shapes) == 1 and declared[0].dtype in IMAGES else None
    classes = shape.classes(outputs)
    if image and classes and not is_fed:
        return {**asdict(image), "dtype": declared[0].dtype, "classes": classes}
    return fed(feed(declared, shapes), image)


def fed(feed: Feed, image: shape.Image | None = None) -> dict[str, Any]:
    """Return the card's fields for a model with a feed; the resolution is 0 unless the only input is a square image."""
    return {
        "layout": "",
        "channels": 0,
        "resolution": image.resolution if image else 0,
        "dtype": "",
        "batch": 0 if feed.has_batch else 1,
        "classes": 0,
        "feed": feed,
    }


def feed(declared: Sequence[Declared], shapes: Sequence[Dimensions], signature: str = "") -> Feed:
    """Return the feed of a model: type, shape and range of values of each input."""
    return Feed(
        inputs=tuple(_input(entry, sizes) for entry, sizes in zip(declared, shapes, strict=True)), signature=signature
    )


def _input(entry: Declared, sizes: Dimensions) -> Input:
    low, high = _range(entry, sizes)
    return Input(name=entry.name, dtype=entry.dtype, shape=sizes, low=low, high=high)


def _range(entry: Declared, sizes: Dimensions) -> tuple[float, float]:
    """Return the range of random values for an input.

    Floats are from -1 to 1, indices of a table are valid, and 8-bit integers have their whole range. All other integers
    are 0 or 1; but if an input has only a few of them, they are always 1, because they are probably lengths.
    """
    if "float" in entry.dtype:
        return -1.0, 1.0
    if entry.most is not None:
        return 0.0, float(max(entry.most, 0))
    if entry.dtype in EIGHT_BITS or (entry.is_scaled and entry.dtype == "int16"):
        bits = int(entry.dtype.removeprefix("u").removeprefix("int"))
        return (0.0, 2.0**bits - 1) if entry.dtype.startswith("u") else (-(2.0 ** (bits - 1)), 2.0 ** (bits - 1) - 1)
    is_length = entry.dtype != "bool" and prod(size or 1 for size in sizes) <= _FEW
    return (1.0 if is_length else 0.0), 1.0

"""Join model files that are deployed together, such as `encoder.onnx|decoder.onnx`, in one file with one card.

The files, also called parts, are run one after the other. The values of each input are the first of these that exist:

    1. an output of an earlier file that has the input's name, type and shape;
    2. an output of an earlier file that has the input's type and shape, if exactly one such output is not taken yet;
    3. random values or the user's data, as in any other model.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from edgebench.agent import chain
from edgebench.export.custom import inputs, onnx, tflite
from edgebench.foundation import cache, provenance
from edgebench.foundation.errors import RequestError
from edgebench.networks.custom import stem
from edgebench.schema.cards import CustomModel
from edgebench.schema.feed import Feed, Input, Link, Part
from edgebench.schema.names import MODEL_FILES, PARTS, file_and_function, parts, title
from edgebench.schema.variant import Precision

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from edgebench.export.custom.shape import Dimensions

SUFFIX = ".zip"
MOST = 8
Outputs = dict[str, tuple[str, "Dimensions"]]  # output's name -> its type and sizes; 0 is an open size


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """One of several files, read separately: its card, its inputs and its outputs."""

    card: CustomModel
    inputs: tuple[Input, ...]
    outputs: Outputs


def require(name: str) -> tuple[str, ...]:
    """Split a name such as `a.onnx|b.onnx` into the names of its files.

    Raises:
        RequestError: a name is empty or is not the name of a model file, the files have two formats, or there are too
            many files.
    """
    names = parts(name)
    if not all(names):
        raise RequestError(
            f"wanted a file on both sides of every {PARTS}, found {name!r}; name the missing file, or leave out {PARTS}"
        )
    if len(names) > MOST:
        raise RequestError(f"wanted at most {MOST} files joined by {PARTS}, found {len(names)}; leave some out")
    suffixes = {part: Path(file_and_function(part)[0]).suffix for part in names}
    if odd := [part for part, suffix in suffixes.items() if suffix not in MODEL_FILES]:
        raise RequestError(f"wanted files such as net.onnx or net.tflite joined by {PARTS}, found {odd[0]}; convert it")
    if len(set(suffixes.values())) > 1:
        raise RequestError(
            f"wanted files of one format joined by {PARTS}, because one runtime opens all of them, found"
            f" {' and '.join(names)}; export all to .onnx or all to .tflite"
        )
    return names


def adopt(name: str, asked: str, adopt_one: Callable[[str, str], CustomModel]) -> CustomModel:
    """Copy the files to the cache as one file, and return its card.

    `adopt_one`, called with the name and the `--input` options of a single file, copies this file and returns its card.

    Raises:
        RequestError: a file is missing or cannot be measured, or an option names an input that none of the files has.
    """
    names, pieces, taken = require(name), list[Piece](), set[str]()
    for part in names:
        options = _of_part(part, asked, pieces)
        taken |= {*options}
        pieces.append(_piece(part, adopt_one(part, ",".join(options.values()))))
    if unknown := [option for option in inputs.parse(asked) if option not in taken]:
        raise RequestError(f"{name}: none of its files has input {unknown[0] or 'without a name'!r}; correct --input")
    feed = linked([piece.card.name for piece in pieces], pieces)
    cards = [piece.card for piece in pieces]
    content = hashlib.sha256("\n".join(card.content_sha256 for card in cards).encode()).hexdigest()
    key = provenance.key(
        {"name": name, "feed": repr(feed), "source": provenance.source("export/custom", "agent/chain")}
    )
    kept_under = stem(title(name), content, key)
    card = cache.once(kept_under, SUFFIX, CustomModel, lambda place: _write(place, title(name), content, cards, feed))
    cache.put(kept_under, card)  # updates the time of use, so that a search by name finds this model first
    return card


def _of_part(part: str, asked: str, before: Sequence[Piece]) -> dict[str, str]:
    """Return the `--input` options for one file, as a mapping from input name to option.

    An input with open axes takes the shape of the earlier output with the same name.
    """
    path = Path(file_and_function(part)[0])
    if not path.is_file():
        return {}  # `adopt_one` will say what is wrong
    declared = {entry.name: entry for entry in _declared(part, path)}
    wanted = {name: sizes for name, sizes in inputs.parse(asked).items() if name in declared}
    for entry in declared.values():
        made = next((piece.outputs[entry.name] for piece in before if entry.name in piece.outputs), None)
        if made and entry.name not in wanted and inputs.missing((entry,)) and all(made[1][1:]):
            wanted[entry.name] = (1, *made[1][1:])
    return {name: f"{name}:{'x'.join(map(str, sizes))}" for name, sizes in wanted.items()}


def _declared(part: str, path: Path) -> Sequence[inputs.Declared]:
    if path.suffix == onnx.SUFFIX:
        return onnx.declarations(path.name, onnx.skimmed(path, path.name))
    return tflite.graph_of(path, part).inputs


def _piece(part: str, card: CustomModel) -> Piece:
    """Read one file's inputs and outputs from the file's copy in the cache, in which axes have fixed sizes."""
    path = cache.path_of(card)
    declared = _declared(part if card.format == tflite.FORMAT else card.name, path)
    if card.format == onnx.FORMAT:
        found = {name: (onnx.of_numpy(kind), sizes) for name, (kind, sizes) in onnx.outputs(card.name, path).items()}
    else:
        made = tflite.graph_of(path, part).outputs
        found = {name: (tensor.dtype, tuple(tensor.dims)) for name, tensor in made.items()}
    feed = card.feed or inputs.feed(declared, tuple(entry.sizes for entry in declared))
    return Piece(card=card, inputs=feed.inputs, outputs=found)


def linked(names: Sequence[str], pieces: Sequence[Piece]) -> Feed:
    """Return the feed of several files: the inputs that no earlier file provides; link the other inputs to outputs."""
    fed, described, free = dict[str, Input](), list[Part](), list[tuple[int, str]]()
    for place, (name, piece) in enumerate(zip(names, pieces, strict=True)):
        links = _links(piece, pieces, free)
        free = [output for output in free if output not in {(link.part, link.output) for link in links}]
        own = [entry for entry in piece.inputs if entry.name not in {link.input for link in links}]
        pairs = tuple((entry.name, _shared(entry, name, fed)) for entry in own)
        signature = piece.card.feed.signature if piece.card.feed else ""
        described.append(Part(name=name, signature=signature, inputs=pairs, links=links))
        free += [(place, output) for output in piece.outputs]
    return Feed(inputs=tuple(fed.values()), parts=tuple(described))


def _shared(entry: Input, part: str, fed: dict[str, Input]) -> str:
    """Add an input to `fed`, unless an earlier file has the same input; return the name of the input in `fed`."""
    name = entry.name if fed.get(entry.name, entry) == entry else f"{part}:{entry.name}"
    fed.setdefault(name, replace(entry, name=name))
    return name


def _links(piece: Piece, pieces: Sequence[Piece], free: Sequence[tuple[int, str]]) -> tuple[Link, ...]:
    """Match a file's inputs with earlier outputs that no input takes yet: first by name, then by type and shape."""
    links, left = list[Link](), list(free)
    ways: tuple[Literal["name", "shape"], ...] = ("name", "shape")
    for by in ways:
        for entry in piece.inputs:
            fitting = [one for one in reversed(left) if _fits(entry, pieces[one[0]].outputs[one[1]])]
            matching = [one for one in fitting if one[1] == entry.name] if by == "name" else fitting
            is_clear = by == "name" or len(matching) == 1
            if matching and is_clear and entry.name not in {link.input for link in links}:
                links.append(Link(input=entry.name, part=matching[0][0], output=matching[0][1], by=by))
                left.remove(matching[0])
    return tuple(links)


def _fits(entry: Input, made: tuple[str, Dimensions]) -> bool:
    """Return whether an output has an input's type and shape; an open size fits any size."""
    dtype, sizes = made
    is_alike = len(sizes) == len(entry.shape) and all(
        wanted == found or 0 in (wanted, found) for wanted, found in zip(entry.shape, sizes, strict=True)
    )
    return dtype == entry.dtype and is_alike


def _write(place: Path, name: str, content: str, cards: Sequence[CustomModel], feed: Feed) -> CustomModel:
    """Write the files into one file, and return one card for all of them."""
    chain.pack([cache.path_of(card) for card in cards], place)
    precision = Precision.INT8 if any(card.precision == Precision.INT8 for card in cards) else cards[0].precision
    left = [_left(card, node) for card in cards for node in card.float_nodes]
    if precision == Precision.INT8:
        left += [card.name for card in cards if card.precision != Precision.INT8]
    return CustomModel(
        file="",
        sha256="",
        name=name,
        format=cards[0].format,
        content_sha256=content,
        source="",
        precision=precision,
        given=next((card.given for card in cards if card.given), ""),
        uncounted="; ".join(f"{card.name}: {card.uncounted}" for card in cards if card.uncounted),
        float_nodes=tuple(left),
        integer_share=_integer_share(cards) if precision == Precision.INT8 else None,
        params=total(card.params for card in cards),
        macs=total(card.macs for card in cards),
        least_params=_least([(card.params, card.least_params) for card in cards]),
        least_macs=_least([(card.macs, card.least_macs) for card in cards]),
        **(inputs.fed(feed) | {"batch": max((card.batch for card in cards), default=0)}),
    )


def _left(card: CustomModel, node: str) -> str:
    return f"{card.name}:{node}"


def total(counts: Iterable[int | None]) -> int | None:
    """Return the sum of counts; None if a count is not known."""
    known = list(counts)
    return None if None in known else sum(count or 0 for count in known)


def _least(counts: Sequence[tuple[int | None, int | None]]) -> int | None:
    """Return a lower bound of a sum; `counts` has pairs of an exact count, or None, and a lower bound, or None.

    The result is None if no bound is needed (all counts are exact) or if no bound is known.
    """
    if all(whole is not None for whole, _ in counts):
        return None
    return sum(whole or bound or 0 for whole, bound in counts) or None


def _integer_share(cards: Sequence[CustomModel]) -> float | None:
    """Return the share of all multiply-adds that are computed in integers; None if one file's share is not known."""
    shares = {card.name: 0.0 if card.precision != Precision.INT8 else card.integer_share for card in cards}
    return weighted([(card.macs, shares[card.name]) for card in cards])


def weighted(shares: Sequence[tuple[int | None, float | None]]) -> float | None:
    """Return the mean of shares, weighted by multiply-adds; None if a share or a weight is not known."""
    known = [(macs, share) for macs, share in shares if macs is not None and share is not None]
    macs = sum(count for count, _ in known)
    return sum(count * share for count, share in known) / macs if macs and len(known) == len(shares) else None


def sets_of(part: Part, own: Mapping[str, Any], made: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the input values of a part; `own` has the fed values, and `made` has the outputs of earlier parts."""
    return {name: own[shared] for name, shared in part.inputs} | {
        link.input: made[link.part][link.output] for link in part.links
    }

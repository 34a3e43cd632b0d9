"""Several model files of one deployment, `encoder.onnx|decoder.onnx` -> one card, and one file that has all of them.

The files are run one after the other. An input that has the name, type and shape of an output of an earlier file takes
that output; else it takes the one output that alone has its type and shape and is not taken yet; else it is fed.
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
Outputs = dict[str, tuple[str, "Dimensions"]]  # type and sizes of each output by its name; 0 stands for an open size


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A part that was read alone: its card, and all its inputs and outputs."""

    card: CustomModel
    inputs: tuple[Input, ...]
    outputs: Outputs


def require(name: str) -> tuple[str, ...]:
    """Return the files of a name.

    Raises:
        RequestError: one is empty or no model file, they are of two formats, or there are too many.
    """
    names = parts(name)
    if not all(names):
        raise RequestError(
            f"wanted a file on both sides of every {PARTS}, found {name!r}; name it, or leave {PARTS} out"
        )
    if len(names) > MOST:
        raise RequestError(f"wanted at most {MOST} files joined by {PARTS}, found {len(names)}; leave some out")
    suffixes = {part: Path(file_and_function(part)[0]).suffix for part in names}
    if odd := [part for part, suffix in suffixes.items() if suffix not in MODEL_FILES]:
        raise RequestError(f"wanted files such as net.onnx or net.tflite joined by {PARTS}, found {odd[0]}; export it")
    if len(set(suffixes.values())) > 1:
        raise RequestError(
            f"wanted files of one format joined by {PARTS}, because one runtime opens all, found {' and '.join(names)};"
            " export all to .onnx or all to .tflite"
        )
    return names


def adopt(name: str, asked: str, adopt_one: Callable[[str, str], CustomModel]) -> CustomModel:
    """Copy the files to the cache, as one; `adopt_one` adopts one of them, with the `--input` options of it.

    Raises:
        RequestError: a file is missing or cannot be measured, or an option is for an input of none of them.
    """
    names, pieces, taken = require(name), list[Piece](), set[str]()
    for part in names:
        options = _of_part(part, asked, pieces)
        taken |= {*options}
        pieces.append(_piece(part, adopt_one(part, ",".join(options.values()))))
    if unknown := [option for option in inputs.parse(asked) if option not in taken]:
        raise RequestError(f"{name}: no file of it has an input {unknown[0] or 'without a name'!r}; correct --input")
    feed = linked([piece.card.name for piece in pieces], pieces)
    cards = [piece.card for piece in pieces]
    content = hashlib.sha256("\n".join(card.content_sha256 for card in cards).encode()).hexdigest()
    key = provenance.key(
        {"name": name, "feed": repr(feed), "source": provenance.source("export/custom", "agent/chain")}
    )
    kept_under = stem(title(name), content, key)
    card = cache.once(kept_under, SUFFIX, CustomModel, lambda place: _write(place, title(name), content, cards, feed))
    cache.put(kept_under, card)  # the name finds the model that was used last
    return card


def _of_part(part: str, asked: str, before: Sequence[Piece]) -> dict[str, str]:
    """Return the options for the inputs of a part by their names; open inputs take the shapes of earlier outputs."""
    path = Path(file_and_function(part)[0])
    if not path.is_file():
        return {}  # its adoption says what is wrong
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
    """Read the inputs and outputs of an adopted part from its copy, whose axes are settled."""
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
    """Return the feed of parts: the inputs that no earlier part makes, and which outputs the others take."""
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
    """Add an input to those that are fed, unless an earlier part takes the same; return its name among them."""
    name = entry.name if fed.get(entry.name, entry) == entry else f"{part}:{entry.name}"
    fed.setdefault(name, replace(entry, name=name))
    return name


def _links(piece: Piece, pieces: Sequence[Piece], free: Sequence[tuple[int, str]]) -> tuple[Link, ...]:
    """Match inputs with outputs of earlier parts that are still free: by name first, then by type and shape."""
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
    """Return whether an output has an input's type and shape; an open size fits any, but not all of them."""
    dtype, sizes = made
    is_alike = len(sizes) == len(entry.shape) and all(
        wanted == found or 0 in (wanted, found) for wanted, found in zip(entry.shape, sizes, strict=True)
    )
    return dtype == entry.dtype and is_alike


def _write(place: Path, name: str, content: str, cards: Sequence[CustomModel], feed: Feed) -> CustomModel:
    """Write the parts to one file and describe all of them together."""
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
    """Return the sum; None if one is not known."""
    known = list(counts)
    return None if None in known else sum(count or 0 for count in known)


def _least(counts: Sequence[tuple[int | None, int | None]]) -> int | None:
    """Return the lower bound of counts and their bounds; None if all counts are whole, or nothing is known."""
    if all(whole is not None for whole, _ in counts):
        return None
    return sum(whole or bound or 0 for whole, bound in counts) or None


def _integer_share(cards: Sequence[CustomModel]) -> float | None:
    """Return the share of all multiply-adds that are computed in integers; None if a part's is not known."""
    shares = {card.name: 0.0 if card.precision != Precision.INT8 else card.integer_share for card in cards}
    return weighted([(card.macs, shares[card.name]) for card in cards])


def weighted(shares: Sequence[tuple[int | None, float | None]]) -> float | None:
    """Return the mean of shares, weighted by multiply-adds; None if one of either is not known."""
    known = [(macs, share) for macs, share in shares if macs is not None and share is not None]
    macs = sum(count for count, _ in known)
    return sum(count * share for count, share in known) / macs if macs and len(known) == len(shares) else None


def sets_of(part: Part, own: Mapping[str, Any], made: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the inputs of a part, from a set of what all are fed and from what earlier parts made of it."""
    return {name: own[shared] for name, shared in part.inputs} | {
        link.input: made[link.part][link.output] for link in part.links
    }

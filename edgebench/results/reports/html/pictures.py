"""The pictures on which networks err most -> a section of the page: truth, float and int8 side by side."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from edgebench.foundation.escape import plain
from edgebench.foundation.units import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from edgebench.results.table.row import Line

SIDES = {"truth": "truth", "float": "float", "this": ""}  # captions; "" stands for the row's precision
STROKE = 1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """One picture with the boxes or the map of one source (truth, float or int8), as SVG."""

    caption: str
    markup: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """One test picture: its drawings, side by side."""

    title: str
    drawings: tuple[Drawing, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Album:
    """The pictures of one row, the worst first; `kind` says what is drawn: `boxes`, `maps`, or `box` for one box."""

    title: str
    kind: str
    pictures: tuple[Picture, ...]


def albums(lines: Sequence[Line], known: Mapping[str, Mapping[str, Any]]) -> list[Album]:
    """Return each artifact's album (its pictures); leave out a float file's album if the network has an int8 album."""
    of_rows = [(line, known[sha256]) for line in lines if (sha256 := _artifact(line)) in known]
    compared = {line.row.setup.network for line, album in of_rows if any("float" in one for one in album["pictures"])}
    shown = dict[str, Album]()
    for line, album in of_rows:
        is_float = not any("float" in one for one in album["pictures"])
        if not (is_float and line.row.setup.network in compared):
            title = f"{line.row.setup.network} {line.row.setup.scheme}"
            pages = tuple(_pictures(album, line.row.setup.precision, f"picture-{len(shown)}"))
            shown.setdefault(title, Album(title=title, kind=_kind(album), pictures=pages))
    return list(shown.values())


def _kind(album: Mapping[str, Any]) -> str:
    first: Mapping[str, Any] = next(iter(album["pictures"]), {})
    return "maps" if "maps" in first else "box" if "iou" in first else "boxes"


def _artifact(line: Line) -> str:
    return line.evidence.artifact.sha256 if line.evidence.artifact else ""


def _pictures(album: Mapping[str, Any], precision: str, stem: str) -> Iterator[Picture]:
    for number, one in enumerate(album["pictures"]):
        if "maps" in one:
            yield _of_maps(one, precision, f"{stem}-{number}")
            continue
        yield Picture(
            title=f"{plain(str(one['name']))}: {counted(one['errors'], 'error')}",
            drawings=tuple(
                Drawing(
                    caption=_caption(name, precision, one),
                    markup=_svg(one, name, album["colours"], f"{stem}-{number}"),
                )
                for name in SIDES
                if name in one
            ),
        )


def _of_maps(one: Mapping[str, Any], precision: str, image: str) -> Picture:
    width, height = one["size"]
    return Picture(
        title=f"{plain(str(one['name']))}: {one['errors'] / (width * height):.1%} wrong pixels",
        drawings=tuple(
            Drawing(caption=SIDES[name] or precision, markup=_overlaid(one, name, image))
            for name in SIDES
            if name in one["maps"]
        ),
    )


def _caption(name: str, precision: str, one: Mapping[str, Any]) -> str:
    """Return the caption of a drawing: the number of boxes, or the IoU of a localizer's only box."""
    source = SIDES[name] or precision
    if "iou" not in one:
        return f"{source}: {len(one[name])}"
    return f"{source}: IoU {one['iou'][name]:.0%}" if name in one["iou"] else source


def _overlaid(one: Mapping[str, Any], name: str, image: str) -> str:
    """Draw a map over a picture, so that the picture shows through."""
    width, height = one["size"]
    whole = f'width="{width:g}" height="{height:g}" preserveAspectRatio="none" opacity="0.6"'
    map = f'<image href="data:image/png;base64,{escape(str(one["maps"][name]))}" {whole}/>'
    words = f"{SIDES[name] or 'this file'}, a class for each pixel"
    drawn = f"{_pixels(one, name, image)}{map}"
    return f'<svg viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{words}">{drawn}</svg>'


def _pixels(one: Mapping[str, Any], name: str, image: str) -> str:
    """Return the picture itself: its pixels in the first drawing, a reference to them in the others."""
    width, height = one["size"]
    if name != "truth":
        return f'<use href="#{image}"/>'
    source = f"data:image/jpeg;base64,{escape(str(one['jpeg']))}"
    return f'<image id="{image}" href="{source}" width="{width:g}" height="{height:g}"/>'


def _svg(one: Mapping[str, Any], name: str, colours: Sequence[str], image: str) -> str:
    """Draw boxes over a picture. Only the drawing of the truth contains the pixels; the other drawings refer to it."""
    width, height = one["size"]
    line = STROKE * max(width, height) / 224
    parts = [_pixels(one, name, image)]
    for label, score, left, top, right, bottom in one[name]:
        colour = escape(str(colours[int(label) % len(colours)]))
        place = f'x="{left * width:.1f}" y="{top * height:.1f}"'
        size = f'width="{(right - left) * width:.1f}" height="{(bottom - top) * height:.1f}"'
        parts.append(f'<rect {place} {size} fill="none" stroke="{colour}" stroke-width="{line:.2f}"/>')
        text = f"{int(label)}" if name == "truth" or score is None else f"{int(label)} {score:.2f}"
        at = f'x="{left * width:.1f}" y="{max(top * height - 2 * line, 8 * line):.1f}" font-size="{7 * line:.1f}"'
        parts.append(f'<text {at} fill="{colour}">{text}</text>')
    words = escape(f"{SIDES[name] or 'this file'}, {counted(len(one[name]), 'box')}")
    return f'<svg viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{words}">{"".join(parts)}</svg>'

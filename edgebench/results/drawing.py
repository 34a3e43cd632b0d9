"""Shapes, axes and labels -> SVG text; used by all figures."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import ceil, floor, log10
from textwrap import wrap

from edgebench.foundation import escape
from edgebench.foundation.errors import RequestError, require

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Liberation Sans', Arial, sans-serif"
# Okabe and Ito's colours (2008), which colour-blind readers can tell apart.
# A dark page uses lighter colours of the same hues.
LIGHT = {
    "paper": "#ffffff", "ink": "#1b2630", "muted": "#5a6873", "grid": "#e4e8eb", "axis": "#8996a0", "heat": "#0072b2",
    "fp32": "#0072b2", "int8": "#d55e00", "fp16": "#009e73", "bf16": "#a0568a",
}  # fmt: skip
DARK = {
    "paper": "#171c21", "ink": "#e6eaed", "muted": "#9dabb6", "grid": "#2b343b", "axis": "#66747f", "heat": "#4aa8e0",
    "fp32": "#56b4e9", "int8": "#f08a3c", "fp16": "#2ec79a", "bf16": "#d890c0",
}  # fmt: skip
SERIES = ("fp32", "fp16", "bf16", "int8")
MARGIN = 12.0
POINTS = {"cm": 72 / 2.54, "mm": 7.2 / 2.54, "in": 72.0, "pt": 1.0, "px": 0.75}  # points per unit
TICK, LEGIBLE = 11.0, 7.0  # size of the smallest text in pixels, and the smallest that is legible on paper in points
_LINE = 15.0  # height of a line of text, including its leading
_LETTER = 6.1  # assumed mean width of a character, because this code cannot measure text


def mark(tag: str, *content: str, **attributes: object) -> str:
    """Write an SVG element that contains markup.

    Escape attributes, and write `class_` as `class` and `x_y` as `x-y`.
    """
    words = "".join(f' {name.rstrip("_").replace("_", "-")}="{_value(value)}"' for name, value in attributes.items())
    return f"<{tag}{words}>{''.join(content)}</{tag}>" if content else f"<{tag}{words}/>"


def _value(value: object) -> str:
    return f"{value:.1f}".removesuffix(".0") if isinstance(value, float) else escape.html(str(value))


def label(words: str, x: float, y: float, **attributes: object) -> str:
    """Write escaped text at a point."""
    return mark("text", escape.html(words), x=x, y=y, **attributes)


def symbol(series: str, x: float, y: float, radius: float = 4.5) -> str:
    """Draw a series' symbol, centred on a point; each series has its own shape, because print may lack colours."""
    r = radius
    paths = {
        "int8": f"M{x:.1f} {y - r * 1.2:.1f}l{r * 1.2:.1f} {r * 1.2:.1f}l{-r * 1.2:.1f} {r * 1.2:.1f}"
        f"l{-r * 1.2:.1f} {-r * 1.2:.1f}z",
        "fp16": f"M{x:.1f} {y - r * 1.1:.1f}l{r * 1.1:.1f} {r * 2:.1f}h{-r * 2.2:.1f}z",
        "bf16": f"M{x - r:.1f} {y - r:.1f}h{2 * r:.1f}v{2 * r:.1f}h{-2 * r:.1f}z",
    }
    if series in paths:
        return mark("path", class_="mark", d=paths[series])
    return mark("circle", class_="mark", cx=x, cy=y, r=r)


def text_width(words: str) -> float:
    """Estimate the width of text at 12 px."""
    return len(words) * _LETTER


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """An axis, which maps a range of values to a range of pixels.

    Attributes:
        start, end: the pixel positions of the values `low` and `high`; the start of a vertical axis is below its end.
    """

    low: float
    high: float
    start: float
    end: float
    is_log: bool = False

    def place(self, value: float) -> float:
        """Return the pixel position of a value."""
        low, high, at = (log10(x) if self.is_log else x for x in (self.low, self.high, value))
        return self.start + (at - low) / (high - low) * (self.end - self.start)

    def ticks(self) -> list[float]:
        """Return round values in the range: on a logarithmic axis such as 1, 2, 5 and 10, otherwise in equal steps."""
        found = list(_decades(self.low, self.high)) if self.is_log else []
        return found if len(found) > 1 else list(_steps(self.low, self.high))


def _decades(low: float, high: float) -> Iterator[float]:
    exponents = range(floor(log10(low)), ceil(log10(high)) + 1)
    factors = (1, 2, 3, 4, 6, 8) if high < 12 * low else (1, 2, 5) if high < 1e4 * low else (1,)
    yield from (tick for power in exponents for factor in factors if low <= (tick := factor * 10.0**power) <= high)


def _steps(low: float, high: float) -> Iterator[float]:
    rough = (high - low) / 4
    power = 10.0 ** floor(log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)
    yield from (round(count * step, 10) for count in range(ceil(low / step), floor(high / step) + 1))


def log_axis(values: Iterable[float], start: float, end: float) -> Axis:
    """Return a logarithmic axis that spans positive values, with a margin."""
    found = list(values)
    return Axis(low=min(found) / 1.12, high=max(found) * 1.12, start=start, end=end, is_log=True)


def linear_axis(values: Iterable[float], start: float, end: float) -> Axis:
    """Return a linear axis that spans values, with a margin."""
    found = list(values)
    room = (max(found) - min(found)) * 0.06 or abs(found[0]) * 0.06 or 1.0
    return Axis(low=min(found) - room, high=max(found) + room, start=start, end=end)


def across(axis: Axis, top: float, bottom: float, title: str) -> str:
    """Draw a horizontal axis below a plot: grid lines up to the plot's top, tick labels and a title."""
    lines = (mark("path", class_="grid", d=f"M{axis.place(tick):.1f} {top:.1f}V{bottom:.1f}") for tick in axis.ticks())
    figures = (
        label(f"{tick:g}", axis.place(tick), bottom + 16, class_="tick", text_anchor="middle") for tick in axis.ticks()
    )
    middle = (axis.start + axis.end) / 2
    return "".join((*lines, *figures, label(title, middle, bottom + 34, class_="title", text_anchor="middle")))


def upwards(axis: Axis, left: float, right: float, title: str) -> str:
    """Draw a vertical axis left of a plot: grid lines to the plot's right end, tick labels, and a title above."""
    lines = (mark("path", class_="grid", d=f"M{left:.1f} {axis.place(tick):.1f}H{right:.1f}") for tick in axis.ticks())
    figures = (
        label(f"{tick:g}", left - 7, axis.place(tick) + 4, class_="tick", text_anchor="end") for tick in axis.ticks()
    )
    return "".join((*lines, *figures, label(title, MARGIN, axis.end - 12, class_="title")))


def legend(series: Iterable[str], x: float, y: float) -> str:
    """Draw a legend: each series' symbol and name, in one line that ends at the right."""
    drawn = []
    for name in reversed(list(series)):
        x -= text_width(name) + 26
        drawn.append(mark("g", symbol(name, x + 6, y - 4), label(name, x + 16, y), class_=name))
    return "".join(drawn)


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """A finished drawing.

    Attributes:
        subtitle: where the numbers come from; shown if the drawing is a file of its own.
        notes: explanations, also of what the drawing leaves out.
    """

    title: str
    subtitle: str = ""
    width: float
    height: float
    body: str
    notes: tuple[str, ...] = ()


def inline(panel: Panel) -> str:
    """Write a drawing as part of a page; the page contains the style sheet."""
    box = f"0 0 {panel.width:g} {panel.height:g}"
    return mark("svg", panel.body, viewBox=box, role="img", aria_label=panel.title, class_="drawing")


def document(title: str, panels: Iterable[Panel]) -> str:
    """Write drawings, one below the other, as one SVG file in light colours."""
    drawn, height, width = [], MARGIN, 320.0
    for panel in panels:
        part, tall = _standing_alone(panel)
        drawn.append(mark("g", part, transform=f"translate(0 {height:.1f})"))
        height, width = height + tall + 2 * MARGIN, max(width, panel.width)
    size = {"width": width, "height": height}
    paper = mark("rect", fill=LIGHT["paper"], **size)
    parts = (mark("title", escape.html(title)), mark("style", style(LIGHT)), paper, *drawn)
    box = f"0 0 {size['width']:g} {size['height']:g}"
    return mark("svg", *parts, xmlns="http://www.w3.org/2000/svg", viewBox=box, class_="drawing", **size) + "\n"


def _standing_alone(panel: Panel) -> tuple[str, float]:
    """Put the title above a drawing and the notes below it; return the markup and its height."""
    room, y, parts = panel.width - 2 * MARGIN, 0.0, list[str]()
    for place, line in enumerate((panel.title, *_wrapped(panel.subtitle, room)) if panel.title else ()):
        y += _LINE
        parts.append(label(line, MARGIN, y, class_="note" if place else "head"))
    parts.append(mark("g", panel.body, transform=f"translate(0 {y + 12:.1f})"))
    y += 12 + panel.height
    for line in (line for note in panel.notes for line in _wrapped(note, room)):
        y += _LINE
        parts.append(label(line, MARGIN, y, class_="note"))
    return "".join(parts), y


def _wrapped(words: str, width: float) -> list[str]:
    return wrap(words, int(width / _LETTER))


def style(colours: Mapping[str, str]) -> str:
    """Write the style sheet that gives drawings these colours."""
    series = "".join(
        f".{name} .mark{{fill:{colours[name]};stroke:{colours[name]}}}"
        f".{name} .whisker,.{name} .link{{stroke:{colours[name]}}}.{name} .bar{{fill:{colours[name]}}}"
        for name in SERIES
    )
    return (
        f".drawing text{{font-family:{FONT};font-size:12px;fill:{colours['ink']}}}"
        f".drawing .tick,.drawing .note,.drawing .aside{{fill:{colours['muted']};font-size:11px}}"
        f".drawing .aside{{paint-order:stroke;stroke:{colours['paper']};stroke-width:3;stroke-linejoin:round}}"
        f".drawing .inside{{font-size:11px}}"
        f".drawing .title{{fill:{colours['muted']}}}.drawing .head{{font-weight:600;font-size:13px}}"
        f".drawing .name{{font-size:11px}}.drawing .strong{{font-weight:600}}"
        f".grid{{stroke:{colours['grid']};fill:none}}.axis{{stroke:{colours['axis']};fill:none}}"
        f".front{{stroke:{colours['muted']};fill:none;stroke-dasharray:3 3}}"
        f".cell{{fill:{colours['heat']};stroke:{colours['paper']};stroke-width:2}}"
        f".hole{{fill:{colours['grid']};stroke:{colours['paper']};stroke-width:2}}"
        f".mark{{stroke-width:1.5}}.whisker{{stroke-opacity:.45;fill:none}}.link{{stroke-opacity:.7;fill:none}}"
        f"{series}"
        f".doubtful .mark{{fill:{colours['paper']}}}.beaten .mark{{fill-opacity:.4;stroke-opacity:.55}}"
        f".beaten .whisker{{stroke-opacity:.25}}"
    )


FORMATS = ("svg", "png", "pdf")
SCALE = 3.0  # PNG pixels per pixel of the drawing, so that a figure is 1680 pixels wide


def check(format: str) -> None:
    """Raise an error if figures cannot be written in this file format; call this before computing anything.

    Raises:
        UnknownName: there is no such format.
        RequestError: the format needs a package that is missing.
    """
    require("format", format, FORMATS)
    if format != "svg":
        try:
            import vl_convert  # noqa: F401
        except ImportError as error:
            raise RequestError(
                f"wanted vl-convert-python for {format}, found none; pip install 'edgebench[figures]', or take svg"
            ) from error


def room(width: str) -> float:
    """Return how many pixels wide a drawing may be, so that its text can be read at a width on paper.

    Raises:
        RequestError: the width is not a length.
    """
    if not width:
        return float("inf")
    value, unit = _length(width)
    return value * POINTS[unit] / LEGIBLE * TICK


def _length(width: str) -> tuple[float, str]:
    """Read a length such as `8.5cm` or `3.3 in`."""
    length = re.fullmatch(r"\s*(\d+\.?\d*|\.\d+)\s*(cm|mm|in|pt|px)\s*", width.lower())
    if not length or not float(length[1]):
        raise RequestError(f"wanted a width such as 8.5cm, 85mm or 3.3in, found {width[:40]!r}")
    return float(length[1]), length[2]


def sized(svg: str, width: str) -> str:
    """Return a figure resized to a width such as `8.5cm`; an empty text leaves the figure unchanged.

    Raises:
        RequestError: the width is not a length.
    """
    if not width:
        return svg
    value, unit = _length(width)
    opening, rest = svg.split(">", 1)
    sizes = dict(re.findall(r' (width|height)="([\d.]+)"', opening))
    tall = value * float(sizes["height"]) / float(sizes["width"])
    opening = re.sub(r' width="[\d.]+"', f' width="{value:g}{unit}"', opening, count=1)
    return re.sub(r' height="[\d.]+"', f' height="{tall:.4g}{unit}"', opening, count=1) + ">" + rest


def convert(svg: str, format: str) -> bytes:
    """Write a drawing as SVG, PNG or PDF.

    Raises:
        UnknownName, RequestError: the format is unknown or cannot be written, as in `check`.
    """
    check(format)
    if format == "svg":
        return svg.encode()
    import vl_convert

    return bytes(vl_convert.svg_to_png(svg, scale=SCALE) if format == "png" else vl_convert.svg_to_pdf(svg))

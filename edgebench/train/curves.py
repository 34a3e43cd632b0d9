"""Loss and accuracy of each epoch -> a line chart as SVG."""

from collections.abc import Mapping, Sequence

WIDTH, HEIGHT, MARGIN = 640, 320, 48
COLOURS = ("#0072b2", "#d55e00", "#009e73")  # colours of Okabe and Ito, which colour-blind readers can distinguish


def draw(title: str, loss: Sequence[float], shares: Mapping[str, Sequence[float]]) -> str:
    """Draw loss and shares over the epochs; the axis is 0 to 1 for shares, and 0 to a labelled maximum for the loss."""
    most, epochs = max(loss) or 1.0, len(loss)
    drawn = [_line(f"loss (axis ends at {most:.3g})", loss, 0, most)]
    drawn += [_line(name, values, place, 1.0) for place, (name, values) in enumerate(shares.items(), 1)]
    drawn += [_tick(share) for share in (0.0, 0.5, 1.0)]
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif">',
            f"<title>{_escaped(title)}</title>",
            f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
            f'<text x="{MARGIN}" y="20" font-size="13">{_escaped(title)}</text>',
            f'<path d="M{MARGIN} {MARGIN}V{HEIGHT - MARGIN}H{WIDTH - MARGIN}" fill="none" stroke="#888"/>',
            f'<text x="{MARGIN}" y="{HEIGHT - MARGIN + 16}" font-size="11">1</text>',
            f'<text x="{WIDTH - MARGIN}" y="{HEIGHT - MARGIN + 16}" font-size="11" text-anchor="end">'
            f"epoch {epochs}</text>",
            *drawn,
            "</svg>\n",
        )
    )


def _tick(share: float) -> str:
    y = HEIGHT - MARGIN - share * (HEIGHT - 2 * MARGIN)
    return f'<text x="{MARGIN - 6}" y="{y + 4:.1f}" font-size="11" text-anchor="end">{share:g}</text>'


def _line(name: str, values: Sequence[float], place: int, most: float) -> str:
    """Draw values from 0 to `most` as a line; write the line's name and last value above the plot."""
    colour = COLOURS[place % len(COLOURS)]
    step = (WIDTH - 2 * MARGIN) / max(1, len(values) - 1)
    points = " ".join(
        f"{MARGIN + index * step:.1f},{HEIGHT - MARGIN - value / most * (HEIGHT - 2 * MARGIN):.1f}"
        for index, value in enumerate(values)
    )
    label = f"{name}: {values[-1]:.3g}"
    return (
        f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>'
        f'<text x="{MARGIN + 200 * place}" y="38" font-size="11" fill="{colour}">{_escaped(label)}</text>'
    )


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")

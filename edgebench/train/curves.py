"""Loss and accuracy of each epoch -> a line chart as SVG."""

from collections.abc import Mapping, Sequence

WIDTH, HEIGHT, MARGIN = 640, 320, 48
TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)  # shares of both axes
COLOURS = ("#0072b2", "#d55e00", "#009e73")  # colours of Okabe and Ito, which colour-blind readers can distinguish


def draw(title: str, loss: Sequence[float], shares: Mapping[str, Sequence[float]]) -> str:
    """Draw loss and shares over the epochs: shares on a left axis from 0 to 1, the loss on a right axis from 0."""
    most, epochs = max(loss) or 1.0, len(loss)
    drawn = [_tick(share, most) for share in TICKS]
    drawn += [_line("loss (right axis)", loss, 0, most)]
    drawn += [_line(name, values, place, 1.0) for place, (name, values) in enumerate(shares.items(), 1)]
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif">',
            f"<title>{_escaped(title)}</title>",
            f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
            f'<text x="{MARGIN}" y="20" font-size="13">{_escaped(title)}</text>',
            f'<path d="M{MARGIN} {MARGIN}V{HEIGHT - MARGIN}H{WIDTH - MARGIN}V{MARGIN}" fill="none" stroke="#888"/>',
            f'<text x="{MARGIN}" y="{HEIGHT - MARGIN + 16}" font-size="11">1</text>',
            f'<text x="{WIDTH - MARGIN}" y="{HEIGHT - MARGIN + 16}" font-size="11" text-anchor="end">'
            f"epoch {epochs}</text>",
            *drawn,
            "</svg>\n",
        )
    )


def _tick(share: float, most: float) -> str:
    """Write a tick on each of the two axes, and the grid line that joins them; the axis of the loss ends at `most`."""
    y, right = HEIGHT - MARGIN - share * (HEIGHT - 2 * MARGIN), WIDTH - MARGIN
    return (
        f'<path d="M{MARGIN} {y:.1f}H{right}" fill="none" stroke="#e4e8eb"/>'
        f'<text x="{MARGIN - 6}" y="{y + 4:.1f}" font-size="11" text-anchor="end">{share:g}</text>'
        f'<text x="{right + 6}" y="{y + 4:.1f}" font-size="11" fill="{COLOURS[0]}">{share * most:.3g}</text>'
    )


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

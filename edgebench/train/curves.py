"""Loss and accuracy of each epoch -> a line chart, SVG."""

from collections.abc import Mapping, Sequence

WIDTH, HEIGHT, MARGIN = 640, 320, 48
COLOURS = ("#0072b2", "#d55e00", "#009e73")  # Okabe and Ito's, which colour-blind readers can distinguish


def draw(title: str, lines: Mapping[str, Sequence[float]]) -> str:
    """Draw one line per name over the epochs, each scaled from 0 to its maximum, which is shown beside its name."""
    drawn = [_line(name, values, place) for place, (name, values) in enumerate(lines.items())]
    epochs = max(len(values) for values in lines.values())
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


def _line(name: str, values: Sequence[float], place: int) -> str:
    colour, most = COLOURS[place % len(COLOURS)], max(values) or 1.0
    step = (WIDTH - 2 * MARGIN) / max(1, len(values) - 1)
    points = " ".join(
        f"{MARGIN + index * step:.1f},{HEIGHT - MARGIN - value / most * (HEIGHT - 2 * MARGIN):.1f}"
        for index, value in enumerate(values)
    )
    label = f"{name}: last {values[-1]:.3g}, top of the axis {most:.3g}"
    return (
        f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>'
        f'<text x="{MARGIN + 200 * place}" y="38" font-size="11" fill="{colour}">{_escaped(label)}</text>'
    )


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")

"""The result of a gate -> a comment for a pull request, in Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgebench.foundation import escape

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

NAMED = 3  # number of configurations that a comment describes


def comment(
    headline: str, against: str, changed: Sequence[tuple[str, str]], rest: str, notes: Iterable[str] = ()
) -> str:
    """Return the headline, the first changed configurations, each with its verdict, and the notes.

    `against` names the baseline of the comparison, as Markdown. `rest` says where the other changed configurations are.
    """
    lines = [f"- **{verdict}** {escape.markdown_line(text)}" for verdict, text in changed[:NAMED]]
    if len(changed) > NAMED:
        lines.append(f"- and {len(changed) - NAMED} more, see {rest}")
    parts = [f"**edgebench: {escape.markdown_line(headline)}.** {against}", "\n".join(lines)]
    return "\n\n".join([*filter(None, parts), *map(escape.markdown_line, notes)]) + "\n"

"""A topic -> its page in the terminal: each wing's README.md, and pages beside it such as results/words.md."""

import re
import sys
from pathlib import Path
from typing import Annotated

import typer

from edgebench.foundation.errors import require

_PACKAGE = Path(__file__).parents[1]
_LINK = re.compile(r"\[([^\]]+)\]\([^)]+\)")


def pages() -> dict[str, Path]:
    """Find the page of each topic: a README.md is named after its folder, any other page after its file."""
    files = _PACKAGE.rglob("*.md")
    return dict(sorted((file.parent.name if file.name == "README.md" else file.stem, file) for file in files))


def summary(page: str) -> str:
    """Return the first sentence of a page: the line below its heading."""
    return page.splitlines()[2]


def show(topic: Annotated[str, typer.Argument(help="A topic; without one: the list of them.")] = "") -> None:
    """Explain one topic at length, such as nightly, deploy or words; without a topic, list them."""
    found = pages()
    require("topic", topic, found)
    if not topic:
        _list(found)
    elif sys.stdout.isatty():
        _render(found[topic].read_text())
    else:
        typer.echo(found[topic].read_text(), nl=False)


def _list(found: dict[str, Path]) -> None:
    width = max(map(len, found))
    for topic, file in found.items():
        typer.echo(f"{topic:<{width}}  {summary(file.read_text())}")


def _render(page: str) -> None:
    """Print a page for people; a link is its text, for a terminal has no page to go to."""
    from rich.console import Console
    from rich.markdown import Markdown

    Console(highlight=False).print(Markdown(_LINK.sub(r"\1", page)))

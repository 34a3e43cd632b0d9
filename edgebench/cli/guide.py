"""A topic of the guide -> its page, printed: the README.md of a package, or a file such as results/words.md."""

import os
import re
import sys
from pathlib import Path
from shutil import get_terminal_size
from textwrap import wrap
from typing import Annotated

import typer

from edgebench.foundation.errors import require

_PACKAGE = Path(__file__).parents[1]
LEAST_WIDTH = 20  # a line has room for this many characters of a sentence, even on a narrower terminal
_LINK = re.compile(r"\[([^\]]+)\]\([^)]+\)")


def pages() -> dict[str, Path]:
    """Map topics to pages. The topic of a README.md is the folder's name; of any other page, the file's name."""
    files = _PACKAGE.rglob("*.md")
    return dict(sorted((file.parent.name if file.name == "README.md" else file.stem, file) for file in files))


def summary(page: str) -> str:
    """Return the summary of a page: the line below the heading."""
    return page.splitlines()[2]


def show(topic: Annotated[str, typer.Argument(help="Topic of the guide; default: list all topics.")] = "") -> None:
    """Show the guide on a topic, such as nightly, deploy or words; without a topic, list all."""
    topics = pages()
    require("topic", topic, topics, may_be_empty=True)
    if not topic:
        _list(topics)
    elif sys.stdout.isatty():
        _render(topics[topic].read_text(encoding="utf-8"))
    else:
        typer.echo(topics[topic].read_text(encoding="utf-8"), nl=False)


def _list(topics: dict[str, Path]) -> None:
    """Print each topic with its sentence; wrap the sentence to the width of the terminal, beside the topic."""
    indent = max(map(len, topics)) + 2
    columns = get_terminal_size().columns if sys.stdout.isatty() or os.environ.get("COLUMNS") else sys.maxsize
    for topic, file in topics.items():
        sentence = summary(file.read_text(encoding="utf-8"))
        first, *more = wrap(sentence, max(columns - indent, LEAST_WIDTH), break_on_hyphens=False)
        typer.echo("\n".join([f"{topic:<{indent}}{first}", *(" " * indent + line for line in more)]))


def _render(page: str) -> None:
    """Print a page as formatted text; links become plain text, because a terminal cannot follow them."""
    from rich.console import Console
    from rich.markdown import Markdown

    Console(highlight=False).print(Markdown(_LINK.sub(r"\1", page)))

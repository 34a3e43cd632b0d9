"""List, limit or clear the cache."""

from typing import Annotated

import typer

from edgebench.cli.options import FormatWithoutLatex, Json, resolved
from edgebench.foundation.errors import RequestError, require


def cache(
    kind: Annotated[
        str, typer.Argument(help="Only this kind of entry, such as pixels or artifacts; default: all.")
    ] = "",
    max: Annotated[
        str, typer.Option(help="Delete the least recently used entries until this size is left: 20GiB.")
    ] = "",
    clear: Annotated[bool, typer.Option("--clear", help="Delete everything, or only the given kind.")] = False,
    format: FormatWithoutLatex = "table",
    json: Json = False,
) -> None:
    """Show the cache's content by kind, with sizes and last use; limit it with --max, empty it with --clear."""
    from edgebench.analysis import cache
    from edgebench.cli import terminal
    from edgebench.foundation import inventory
    from edgebench.foundation.units import parse_size

    format = resolved(format, json=json)
    require("format", format, terminal.FORMATS)
    if clear and max:
        raise RequestError("wanted --clear or --max, found both; leave one out")
    most_bytes = parse_size(max, needs_unit=True) if max else None
    deleted = inventory.clear(kind) if clear else inventory.bound(most_bytes, kind) if most_bytes is not None else ()
    terminal.show_sheets("cache", [cache.sheet(kind, deleted)], format)

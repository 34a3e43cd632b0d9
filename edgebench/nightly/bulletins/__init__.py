"""Formats of a bulletin, the report of one night; each format is a module.

A module defines
    FILE                          the name of the report's file in the history's folder; "" if it writes no file
    render(bulletin) -> str       the text of the report, made without I/O
"""

OFFERS = ("FILE", "render")

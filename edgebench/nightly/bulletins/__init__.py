"""Formats of a night's bulletin, one module each.

A module offers
    FILE                          its file name in the folder of the history; empty to write no file
    render(bulletin) -> str       without I/O
"""

OFFERS = ("FILE", "render")

"""Formats of a table, one module each.

A report offers
    FILE                                    its file name in a results folder
    render(table, background) -> str        without I/O; most reports use only the table
"""

OFFERS = ("FILE", "render")

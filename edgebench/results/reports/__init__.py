"""The formats in which a table is written, one module each.

Every report module offers
    FILE                                    the name of the report's file in a results folder
    render(table, background) -> str        the text of the report, made without I/O; most reports need only the table
"""

OFFERS = ("FILE", "render")

"""The formats in which a table is written, one module each.

Every report module offers
    FILE                                    its file name in a results folder
    render(table, background) -> str        without I/O; most reports use only the table
"""

OFFERS = ("FILE", "render")

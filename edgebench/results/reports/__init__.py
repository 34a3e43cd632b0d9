"""The formats in which a table is written, one module each.

Every report module defines two names. `FILE` is the name of the report's file in a results folder.
`render(table, background)` returns the text of the report, without I/O; most reports need only the table.
"""

OFFERS = ("FILE", "render")

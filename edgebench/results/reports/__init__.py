"""Ways to write a table, one file each.

A report offers
    FILE                                    its name in a results folder
    render(table, background) -> str

and does no I/O of its own. Most need the table alone.
"""

OFFERS = ("FILE", "render")

"""Ways to write a night's bulletin, one file each.

A bulletin's renderer offers
    FILE                          its name in the history's folder; empty where it is only printed
    render(bulletin) -> str

and does no I/O of its own.
"""

OFFERS = ("FILE", "render")

"""Formats of a bulletin, the report of one night; each format is a module.

Every module defines two names. `FILE` is the name of the report's file in the history's folder, or "" if the module
writes no file. `render(bulletin)` returns the text of the report, without I/O. Optionally, `pages(bulletin)` yields the
paths and the texts of further files.
"""

OFFERS = ("FILE", "render")

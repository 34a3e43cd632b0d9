"""Evidence and measurements -> a table: its rows and what a reader must know, how rows rank, the one to choose.

    row (what a row and a table are) -> rows (laid out from evidence) -> ranking, choice; notes (what stands below)

Pure: nothing is read, measured or printed here.
"""

"""Evidence and measurements -> a table: its rows and what a reader must know, how rows rank, the one to choose.

    parts, row (what a row, its line and a table are) -> rows (lines of evidence) -> ranking, choice
    columns (a row laid out flat), notes (what stands below)

Pure: nothing is read, measured or printed here.
"""

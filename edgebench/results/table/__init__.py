"""Evidence and measurements -> a table: rows with ranks and notes, and the choice of a configuration.

    parts, row (types) -> rows (evidence -> row) -> ranking, choice
    columns (row -> CSV columns), notes (sentences below a table)

No I/O, but for the published accuracies beside rows on ImageNet.
"""

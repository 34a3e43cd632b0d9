"""The evidence and measurements of all cases -> a table: rows with ranks and notes, and the choice of a configuration.

    parts, row (types) -> rows (evidence -> row) -> ranking, choice
    columns (row -> CSV columns), notes (sentences below a table)

These modules do no I/O, except that they read the published accuracies for rows on ImageNet.
"""

"""The evidence and measurements of all cases -> a table: rows with ranks and notes, and the choice of a configuration.

    parts, row (types) -> rows (evidence -> row) -> ranking, choice
    columns (row -> CSV columns), notes (sentences below a table)

No I/O, except for the published accuracies shown with rows on ImageNet.
"""

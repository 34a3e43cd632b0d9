"""The evidence and measurements of all cases -> a table: rows with ranks and notes, and the choice of a configuration.

`parts` and `row` define the types. `rows` makes a row of the evidence on a case, `ranking` compares rows, and `choice`
chooses among them. `columns` writes a row for CSV, and `notes` writes the sentences below a table.

These modules do no I/O, except that they read the published accuracies for rows on ImageNet.
"""

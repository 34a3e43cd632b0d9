"""Pictures, wherever they lie -> batches of what a network takes.

    datasets (who has the pictures) -> catalogue (found by name, known by content) -> splits -> loader

`listing` finds the files of a folder and `labels` their classes; `decode` makes RGB of a file.
`preprocessing` says how a picture becomes an input, `pixels` keeps those that are expensive to decode.
"""

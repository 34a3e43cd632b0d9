"""Pictures of a data set -> batches of a network's inputs.

    datasets (sources of pictures) -> catalogue (finds and identifies data sets) -> splits -> loader (batches)

`listing` finds the pictures of a folder, and `labels` finds their classes. `decode` reads a picture as RGB.
`class_names` names the classes of a network's outputs.
`preprocessing` turns a picture into a network's input; `pixels` caches pixels that are expensive to decode.
"""

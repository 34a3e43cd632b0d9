"""Pictures of a data set -> batches of a network's inputs.

    datasets (sources of pictures) -> catalogue (found by name, identified by content) -> splits -> loader

`listing` finds the files of a folder, `labels` their classes; `decode` reads a file as RGB. `class_names` names the
classes of a network's outputs.
`preprocessing` turns a picture into a network's input; `pixels` caches pixels that are expensive to decode.
"""

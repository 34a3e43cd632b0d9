"""Pictures of a data set -> batches of a network's inputs.

    datasets (sources of pictures) -> catalogue (found by name, identified by content) -> splits -> loader

`preprocessing` turns a picture into a network's input; `pixels` caches pixels that are expensive to decode.
"""

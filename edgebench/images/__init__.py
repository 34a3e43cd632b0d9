"""The pictures of a data set -> batches of inputs for a network.

    datasets (sources of pictures) -> catalogue (finds and identifies data sets) -> splits -> loader (batches)

`listing` finds the pictures of a folder, and `labels` finds their classes. `decode` reads a picture as RGB.
`class_names` gives the names of the classes that a network tells apart.
`preprocessing` turns a picture into a network's input; `pixels` caches decoded pixels, if decoding is slow.
"""

"""Network families, one file each; the only modules that import torch at the top.

A family offers
    SOURCE                     the paper
    WIDTHS, RESOLUTIONS        what was published
    SMALLEST_RESOLUTION        pixels; below it the network has no output
    build(width, *, classes)   an nn.Module from (N, 3, R, R) float32 to (N, classes), public checkpoints' names
"""

"""Families of networks, one module each; only the modules of this folder import torch when they are imported.

A family's module defines:
    SOURCE                         the paper that published the networks
    NAMES                          names of the networks, as a literal tuple, so that it is read without importing torch
    RESOLUTIONS                    each network's published input sides, pixels, the native one first
    CHANNELS                       number of channels of the input images: 3, or 1 for grey
    WIDTHS                         published multipliers of every layer's channels
    CLASSES                        number of outputs of the published networks
    TASK                           optional: the networks' task, a name in `tasks/`; by default classification
    DECODER                        optional: the decoder that turns a detector's raw outputs into boxes, as `--decode`
                                   names it; by default the task's decoder
    BASE                           optional: another network with the same features, whose base weights (`train/base`)
    fit accepts(name, resolution)      whether the network can be built at that resolution and exported to every format
    build(name, width, *, classes, resolution)
                                   an nn.Module that maps (N, CHANNELS, R, R) float32 to (N, classes), or to a tuple of
                                   the task's outputs; its state dict has the names of a public checkpoint if there is
                                   one

Global average pooling is written as nn.AdaptiveAvgPool2d(1), because an int8 graph would compute a mean in float.
Pooling to a map of more than one pixel needs windows of equal size, because ONNX has no pooling with windows of
different sizes. A network refuses a resolution at which its windows would differ.
"""

OFFERS = ("SOURCE", "NAMES", "RESOLUTIONS", "CHANNELS", "WIDTHS", "CLASSES", "accepts", "build")
MAY_OFFER = ("TASK", "DECODER", "BASE")

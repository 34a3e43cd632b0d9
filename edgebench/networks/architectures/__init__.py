"""Network families, one file each; the only modules that import torch at the top.

A family offers
    SOURCE                         the paper
    NAMES                          its networks, a literal tuple: it is read without importing torch
    RESOLUTIONS                    each network's published input sides, pixels, the native one first
    CHANNELS                       of its input images: 3, or 1 for grey
    WIDTHS                         published multipliers of every layer's channels
    CLASSES                        outputs of the published networks
    accepts(name, resolution)      whether it has an output at that side, one that every format can express
    build(name, width, *, classes, resolution)
                                   an nn.Module from (N, CHANNELS, R, R) float32 to (N, classes), public names

Global average pooling is nn.AdaptiveAvgPool2d(1): a mean would stay float in an int8 graph. A pooling to more than one
pixel has windows of one size, or the resolution is refused: ONNX has no others.
"""

OFFERS = ("SOURCE", "NAMES", "RESOLUTIONS", "CHANNELS", "WIDTHS", "CLASSES", "accepts", "build")

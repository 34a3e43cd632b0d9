"""Network families, one file each; only these modules import torch at the top level.

A family defines
    SOURCE                         the paper
    NAMES                          its networks, as a literal tuple, which is read without importing torch
    RESOLUTIONS                    each network's published input sides, pixels, the native one first
    CHANNELS                       of its input images: 3, or 1 for grey
    WIDTHS                         published multipliers of every layer's channels
    CLASSES                        number of outputs of the published networks
    TASK                           optional: what its outputs are, a name of `tasks/`; else classification
    DECODER                        optional: what makes boxes of a detector's raw heads, as `--decode` names it; else
                                   the task's own
    BASE                           optional: the network whose base (`train/base`) has the same features
    accepts(name, resolution)      whether the network can be built at that resolution and exported to every format
    build(name, width, *, classes, resolution)
                                   an nn.Module from (N, CHANNELS, R, R) float32 to (N, classes), or to a tuple of its
                                   task's outputs; its state dict has the names of a public checkpoint, if one exists

Global average pooling is nn.AdaptiveAvgPool2d(1), because a mean would stay float in an int8 graph. Pooling to more
than one pixel needs windows of one size, as in ONNX; a resolution with windows of different sizes is refused.
"""

OFFERS = ("SOURCE", "NAMES", "RESOLUTIONS", "CHANNELS", "WIDTHS", "CLASSES", "accepts", "build")
MAY_OFFER = ("TASK", "DECODER", "BASE")

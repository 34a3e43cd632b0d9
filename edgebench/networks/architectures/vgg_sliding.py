"""VGG-16 on larger images than it was made for: convolutions in one pass, or a window that slides over the image.

The two forms give different scores, because every convolution has padding: in one form the padding lies at the edges of
the whole image, in the other form at the edges of each window. The output `scores` has the shape (N, classes, S, S).
The weights have the same names and shapes as in `vgg16`.
"""

from torch import nn

from edgebench.networks.architectures import _convolutional, vgg

SOURCE = "Simonyan and Zisserman, arXiv:1409.1556, section 3.2"
NAMES = ("vgg16_conv", "vgg16_windows")
TASK = "score_map"
RESOLUTIONS = {"vgg16_conv": (256, 224), "vgg16_windows": (256, 224)}
CHANNELS = 3
CLASSES = 1000
WIDTHS = (1.0,)

OWN = 224  # side in pixels of the images for which the classifier was made


def accepts(name: str, resolution: int) -> bool:
    """Return whether the image is at least as large as one window."""
    return resolution >= OWN


def build(name: str, width: float, *, classes: int, resolution: int) -> nn.Module:
    """Build either form for images of this resolution."""
    network = vgg.build("vgg16", width, classes=classes, resolution=OWN)
    return _convolutional.form(name, network, CHANNELS, OWN, resolution)

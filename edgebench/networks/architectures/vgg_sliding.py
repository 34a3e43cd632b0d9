"""VGG-16 on images larger than its own: as convolutions in one pass, and as a window that slides over the image.

Every convolution pads, so their scores differ: the padding lies at the edge of the image, not of the window.
One output, `scores`, (N, classes, S, S). Weights have the names and shapes of `vgg16`.
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

OWN = 224  # side of the images that the classifier was made for, pixels


def accepts(name: str, resolution: int) -> bool:
    """Return whether the image holds at least one window."""
    return resolution >= OWN


def build(name: str, width: float, *, classes: int, resolution: int) -> nn.Module:
    """Build either form for images of this resolution."""
    network = vgg.build("vgg16", width, classes=classes, resolution=OWN)
    if name == "vgg16_windows":
        return _convolutional.windows(network, CHANNELS, OWN, resolution)
    return _convolutional.convolutional(network, CHANNELS, OWN)

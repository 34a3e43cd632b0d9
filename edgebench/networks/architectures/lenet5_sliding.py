"""LeNet-5 on larger images than it was made for: convolutions in one pass, or a window that slides over the image.

The convolutional form and the sliding window give the same scores, because no layer has padding. The output `scores`
has the shape (N, classes, S, S). The weights have the same names and shapes as in `lenet5`.
"""

from torch import nn

from edgebench.networks.architectures import _convolutional, lenet5

SOURCE = "LeCun et al., Gradient-Based Learning Applied to Document Recognition, Proc. IEEE 86(11), 1998"
NAMES = ("lenet5_conv", "lenet5_windows")
TASK = "score_map"
RESOLUTIONS = {"lenet5_conv": (64, 32), "lenet5_windows": (64, 32)}
CHANNELS = 1
CLASSES = 10
WIDTHS = (1.0,)

OWN = 32  # side in pixels of the images for which the classifier was made


def accepts(name: str, resolution: int) -> bool:
    """Return whether the image is at least as large as one window."""
    return resolution >= OWN


def build(name: str, width: float, *, classes: int, resolution: int) -> nn.Module:
    """Build either form for images of this resolution."""
    network = lenet5.build("lenet5", width, classes=classes, resolution=OWN)
    return _convolutional.form(name, network, CHANNELS, OWN, resolution)

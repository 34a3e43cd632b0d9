"""LeNet-5 on images larger than its own: as convolutions in one pass, and as a window that slides over the image.

No layer pads, so both give the same scores.
One output, `scores`, (N, classes, S, S). Weights have the names and shapes of `lenet5`.
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

OWN = 32  # side of the images that the classifier was made for, pixels


def accepts(name: str, resolution: int) -> bool:
    """Return whether the image holds at least one window."""
    return resolution >= OWN


def build(name: str, width: float, *, classes: int, resolution: int) -> nn.Module:
    """Build either form for images of this resolution."""
    network = lenet5.build("lenet5", width, classes=classes, resolution=OWN)
    if name == "lenet5_windows":
        return _convolutional.windows(network, CHANNELS, OWN, resolution)
    return _convolutional.convolutional(network, CHANNELS, OWN)

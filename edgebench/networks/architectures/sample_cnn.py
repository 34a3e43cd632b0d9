"""The convolutional network of an introductory book (Moroney, AI and Machine Learning for Coders, 2020, chapter 3).

The names in the state dict are the names of Keras' layers in the book: conv2d, conv2d_1, dense, dense_1.
"""

from collections import OrderedDict

from torch import nn

SOURCE = "Moroney, AI and Machine Learning for Coders, O'Reilly 2020, chapter 3: Fashion-MNIST"
NAMES = ("sample_cnn",)
RESOLUTIONS = {"sample_cnn": (28,)}
CHANNELS = 1
CLASSES = 10
WIDTHS = (1.0,)

MAPS, HIDDEN = 64, 128


def side(resolution: int) -> int:
    """Return the side of the maps after two 3x3 convolutions without padding, each followed by halving: 28 gives 5."""
    return ((resolution - 2) // 2 - 2) // 2


def accepts(name: str, resolution: int) -> bool:
    """Return whether the maps that the dense layers read have at least one pixel."""
    return side(resolution) > 0


def build(name: str, width: float, *, classes: int, resolution: int) -> nn.Module:
    """Build the network for any resolution that `accepts` allows; its only width is 1."""
    return nn.Sequential(
        OrderedDict(
            conv2d=nn.Conv2d(CHANNELS, MAPS, 3),
            relu=nn.ReLU(),
            max_pooling2d=nn.MaxPool2d(2),
            conv2d_1=nn.Conv2d(MAPS, MAPS, 3),
            relu_1=nn.ReLU(),
            max_pooling2d_1=nn.MaxPool2d(2),
            flatten=nn.Flatten(),
            dense=nn.Linear(MAPS * side(resolution) ** 2, HIDDEN),
            relu_2=nn.ReLU(),
            dense_1=nn.Linear(HIDDEN, classes),
        )
    )

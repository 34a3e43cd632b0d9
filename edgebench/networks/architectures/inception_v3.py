"""Inception v3, which factorizes large kernels into small, flat kernels (Szegedy et al., arXiv:1512.00567, Table 1).

The names in the state dict are torchvision's, without the auxiliary head, which is used only in training.
"""

from collections import OrderedDict

import torch
from torch import Tensor, nn

from edgebench.networks.architectures.googlenet import Unit, head

SOURCE = "Szegedy et al., Rethinking the Inception Architecture, arXiv:1512.00567, Table 1"
NAMES = ("inception_v3",)
RESOLUTIONS = {"inception_v3": (299,)}
CHANNELS = 3
CLASSES = 1000
WIDTHS = (1.0,)

# The number of output maps, then the kernel.
# The last step of a chain may have two kernels, for two convolutions that run in parallel.
Step = tuple[int, *tuple[int | tuple[int, int], ...]]
Chains = dict[str, tuple[Step, ...]]  # each branch's steps; a module with an empty `branch_pool` halves the side

STEM, DROPOUT = 192, 0.5  # STEM is the number of maps before the first module
FLAT, TALL = (1, 7), (7, 1)
BOTH = ((1, 3), (3, 1))


def figure_5(pooled: int) -> Chains:
    """Return a module for 35x35 maps, with a 5x5 kernel as in the released network; the paper's Fig. 5 has 3x3."""
    return {
        "branch1x1": ((64, 1),),
        "branch5x5": ((48, 1), (64, 5)),
        "branch3x3dbl": ((64, 1), (96, 3), (96, 3)),
        "branch_pool": ((pooled, 1),),
    }


def figure_6(narrow: int) -> Chains:
    """Return a module for 17x17 maps, in which 7x7 kernels are factorized into 1x7 and 7x1."""
    return {
        "branch1x1": ((192, 1),),
        "branch7x7": ((narrow, 1), (narrow, FLAT), (192, TALL)),
        "branch7x7dbl": ((narrow, 1), (narrow, TALL), (narrow, FLAT), (narrow, TALL), (192, FLAT)),
        "branch_pool": ((192, 1),),
    }


FIGURE_7: Chains = {  # a module for 8x8 maps
    "branch1x1": ((320, 1),),
    "branch3x3": ((384, 1), (384, *BOTH)),
    "branch3x3dbl": ((448, 1), (384, 3), (384, *BOTH)),
    "branch_pool": ((192, 1),),
}
MODULES: dict[str, Chains] = {
    "Mixed_5b": figure_5(32),
    "Mixed_5c": figure_5(64),
    "Mixed_5d": figure_5(64),
    "Mixed_6a": {
        "branch3x3": ((384, 3),),
        "branch3x3dbl": ((64, 1), (96, 3), (96, 3)),
        "branch_pool": (),
    },
    "Mixed_6b": figure_6(128),
    "Mixed_6c": figure_6(160),
    "Mixed_6d": figure_6(160),
    "Mixed_6e": figure_6(192),
    "Mixed_7a": {
        "branch3x3": ((192, 1), (320, 3)),
        "branch7x7x3": ((192, 1), (192, FLAT), (192, TALL), (192, 3)),
        "branch_pool": (),
    },
    "Mixed_7b": FIGURE_7,
    "Mixed_7c": FIGURE_7,
}


def named(branch: str, chain: tuple[Step, ...]) -> list[list[str]]:
    """Return the names of each step's convolutions: one, as in branch3x3_1, or two, as in branch3x3_2a and _2b."""
    if len(chain) == 1:
        return [[branch]]
    steps = enumerate(chain, 1)
    return [[f"{branch}_{step}{letter}" for letter in ("ab" if len(sizes) > 2 else [""])] for step, sizes in steps]


class Mixed(nn.Module):
    """Parallel chains of convolutions, whose outputs are concatenated; the last chain begins with pooling."""

    def __init__(self, inputs: int, chains: Chains) -> None:
        super().__init__()
        halves = not chains["branch_pool"]
        self.pool = nn.MaxPool2d(3, 2) if halves else nn.AvgPool2d(3, 1, 1)
        self.names = {branch: named(branch, chain) for branch, chain in chains.items()}
        for branch, chain in chains.items():
            self._add(self.names[branch], inputs, chain, halves=halves)
        ends = [chain[-1] for chain in chains.values() if chain]
        self.outputs = sum(outputs * len(kernels) for outputs, *kernels in ends) + (inputs if halves else 0)

    def _add(self, names: list[list[str]], inputs: int, chain: tuple[Step, ...], *, halves: bool) -> None:
        for step, (outputs, *kernels) in zip(names, chain, strict=True):
            last = halves and step is names[-1]
            for name, kernel in zip(step, kernels, strict=True):
                self.add_module(name, Unit(inputs, outputs, kernel, 2 if last else 1, padded=not last))
            inputs = outputs

    def forward(self, features: Tensor) -> Tensor:
        return torch.cat([end for branch in self.names for end in self._ends(branch, features)], 1)

    def _ends(self, branch: str, features: Tensor) -> list[Tensor]:
        if branch == "branch_pool":
            features = self.pool(features)
        ends = [features]
        for step in self.names[branch]:
            ends = [getattr(self, name)(ends[0]) for name in step]
        return ends


def stem() -> dict[str, nn.Module]:
    """Return the layers before the first module by name; at 299 pixels, they give 35x35 maps."""
    return {
        "Conv2d_1a_3x3": Unit(CHANNELS, 32, 3, 2, padded=False),
        "Conv2d_2a_3x3": Unit(32, 32, 3, padded=False),
        "Conv2d_2b_3x3": Unit(32, 64, 3),
        "maxpool1": nn.MaxPool2d(3, 2),
        "Conv2d_3b_1x1": Unit(64, 80, 1),
        "Conv2d_4a_3x3": Unit(80, STEM, 3, padded=False),
        "maxpool2": nn.MaxPool2d(3, 2),
    }


def accepts(name: str, resolution: int) -> bool:
    """Return whether at least one pixel remains after all layers of stride 2, which have no padding."""
    return resolution >= 75


def build(name: str, width: float, *, classes: int, resolution: int) -> nn.Module:
    """Build the network; its only width is 1."""
    layers, inputs = stem(), STEM
    for module, chains in MODULES.items():
        layers[module] = mixed = Mixed(inputs, chains)
        inputs = mixed.outputs
    return nn.Sequential(OrderedDict(layers | head(inputs, classes, DROPOUT)))

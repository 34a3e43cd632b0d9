"""A classifier with a second dense head that predicts one box, shared by `mobilenet_v1_loc` and `mobilenet_v2_loc`."""

from collections.abc import Sequence

from torch import Tensor, nn


class Localizer(nn.Module):
    """The features of a classifier, a global average pool, and two dense heads: one for the class, one for the box.

    Args:
        stages: modules; each computes features from the features of the previous module.
        count: number of output channels of the last module.
    """

    def __init__(self, stages: Sequence[nn.Module], count: int, classes: int) -> None:
        super().__init__()
        self.features = nn.ModuleList(stages)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(count, classes)
        self.box = nn.Linear(count, 4)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        for stage in self.features:
            images = stage(images)
        pooled = self.pool(images).flatten(1)
        return self.classifier(pooled), self.box(pooled)

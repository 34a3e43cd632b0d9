"""Networks that Keras itself builds, with random weights and statistics, their files, and Keras' own answers."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgebench.foundation import cache
from edgebench.networks.build import build
from edgebench.schema.variant import Precision, Variant
from edgebench.train import checkpoint, keras

if TYPE_CHECKING:
    from torch import Tensor, nn

BUILDERS = {
    "mobilenet_v1": "MobileNet", "mobilenet_v2": "MobileNetV2", "vgg16": "VGG16", "vgg19": "VGG19",
    "resnet50_v1": "ResNet50", "resnet101_v1": "ResNet101", "resnet152_v1": "ResNet152",
    "inception_v3": "InceptionV3", "xception": "Xception",
}  # fmt: skip
FORMS = ("legacy.h5", "whole.h5", "net.weights.h5")  # as keras.applications publishes, as `save`, as `save_weights`


def model(name: str, width: float, resolution: int, *, top: bool = True, classes: int = 5) -> Any:
    """Build a network of keras.applications with drawn weights; its outputs are logits, or without a top features."""
    os.environ["KERAS_BACKEND"] = "torch"
    logging.getLogger("absl").setLevel(logging.ERROR)  # its advice against files of the legacy form
    import keras as theirs
    import numpy

    pooling = None if name.startswith("vgg") else "avg"  # the classifier of VGG reads maps
    options: dict[str, Any] = {"classes": classes, "classifier_activation": None} if top else {"pooling": pooling}
    options |= {"alpha": width} if name.startswith("mobilenet") else {}
    made: Any = getattr(theirs.applications, BUILDERS[name])(
        weights=None, include_top=top, input_shape=(resolution, resolution, 3), **options
    )
    generator = numpy.random.default_rng(1)
    for layer in made.layers:
        layer.set_weights([_drawn(generator, weight.path, weight.shape) for weight in layer.weights])
    return made


def _drawn(generator: Any, path: str, shape: tuple[int, ...]) -> Any:
    kind, layer = path.rpartition("/")[2], path.rpartition("/")[0]
    match kind:
        case "gamma":
            return generator.uniform(0.3, 1.0, shape)
        case "moving_variance":
            return generator.uniform(0.3, 2.0, shape)
        case "beta" | "moving_mean" | "bias":
            return generator.normal(0, 0.3, shape)
    inputs = shape[0] * shape[1] if "depthwise" in f"{layer}/{kind}" else _product(shape[:-1])
    return generator.normal(0, (2 / inputs) ** 0.5, shape)


def _product(shape: tuple[int, ...]) -> int:
    count = 1
    for side in shape:
        count *= side
    return count


def saved(made: Any, folder: Path, form: str) -> Path:
    """Save the weights in one of the `FORMS`."""
    import h5py

    path = folder / form
    if form == "net.weights.h5":
        made.save_weights(path)
    else:
        made.save(folder / "whole.h5")
    if form == "legacy.h5":
        with h5py.File(folder / "whole.h5") as whole, h5py.File(path, "w") as file:
            layers = whole["model_weights"]
            file.attrs.update(layers.attrs)
            for layer in layers:
                layers.copy(layer, file)
    return path


def answers(made: Any, images: Tensor) -> Tensor:
    """Return Keras' outputs for (N, 3, R, R) images: (N, classes), or (N, channels * H * W) of maps."""
    import torch

    with torch.no_grad():
        outputs: Tensor = made(images.permute(0, 2, 3, 1), training=False)
    return outputs if outputs.ndim == 2 else outputs.permute(0, 3, 1, 2).flatten(1)


def adopted(path: Path, name: str, width: float, resolution: int) -> nn.Module:
    """Build this package's network with a file's weights, as `--weights FILE` does; without a top, its features."""
    from torch.nn import Identity

    card, sha256 = checkpoint.adopt(str(path), name, width, resolution)
    variant = Variant(
        architecture=name, width=width, resolution=resolution, precision=Precision.FP32, classes=card.classes or 1,
        weights=card.recipe, weights_sha256=sha256, dataset="digits", padding=card.padding,
        classifier="" if card.classes else "random",
    )  # fmt: skip
    network = build(variant, str(cache.path_of(card)))
    for module in () if card.classes else keras.classifier(name):
        network.set_submodule(module, Identity())
    return network


def differences(
    name: str, width: float, resolution: int, folder: Path, *, top: bool = True, forms: Iterable[str] = FORMS
) -> dict[str, float]:
    """Return for each form of file the largest difference of outputs, as a share of Keras' largest output."""
    import torch

    made = model(name, width, resolution, top=top)
    images = torch.rand(2, 3, resolution, resolution, generator=torch.Generator().manual_seed(2)) * 2 - 1
    theirs = answers(made, images)
    shares = dict[str, float]()
    for form in forms:
        with torch.no_grad():
            own = adopted(saved(made, folder, form), name, width, resolution)(images)
        shares[form] = float((own - theirs).abs().max() / theirs.abs().max())
    return shares

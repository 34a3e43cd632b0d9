"""A network, images and a task -> epochs of training, each followed by a checkpoint, so that a kill loses little."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, field
from io import BytesIO
from math import isfinite
from typing import TYPE_CHECKING, Any

from edgebench.foundation import files, seal
from edgebench.foundation.errors import CaseError
from edgebench.foundation.progress import warn
from edgebench.train.base import FEATURES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy import int64
    from numpy.typing import NDArray
    from torch import Tensor, nn

    from edgebench.images.loader import Images

SEED = 0
HASH_BYTES = 32  # length of the hash at a checkpoint's beginning, needed because torch does not verify files
WEIGHT_DECAY, MOMENTUM = 1e-4, 0.9
SCORE, SPREAD = 1.0, 0.1  # first scores of a network that ends in a ReLU, and the share of He's weights that vary them
OPTIMIZERS = {"adamw": "AdamW", "sgd": "SGD"}
AUGMENTATIONS = ("flip", "shift")
SHIFT = 8  # an image is shifted by at most the image's side divided by this number


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How to train; the learning rate rises once to its maximum and falls again, along cosines.

    Attributes:
        rate: maximum learning rate.
        of_features: share of that rate for the weights whose names begin with FEATURES.
        augmentation: `flip` mirrors half of the images; `shift` moves each image by up to an eighth of its side.
    """

    epochs: int
    rate: float
    optimizer: str = "adamw"
    of_features: float = 1.0
    batch: int = 32
    augmentation: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Epoch:
    """Results of one epoch.

    Attributes:
        loss: mean loss of the batches.
        top1: share of training images that are classified correctly; None for tasks other than classification.
        held_out: the task's metric on held-out images, as a share.
    """

    loss: float
    top1: float | None
    held_out: float


@dataclass(kw_only=True)
class Course:
    """A training in progress: the network, its recipe, and all state that is needed to resume it.

    Attributes:
        task: a plug-in of `tasks/`. If the task's PART is above 0, each epoch trains on the next PART images of the
            split.
        classes: number of classes, which is needed to score a detector.
    """

    network: nn.Module
    recipe: Recipe
    images: Images
    held_out: Images
    task: Any
    classes: int
    epochs: list[Epoch] = field(default_factory=list)

    def __post_init__(self) -> None:
        import torch

        self.device = device()
        # With channels last in memory, depthwise layers train faster by a third.
        self.network.to(device=self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.random = torch.Generator().manual_seed(SEED)
        self.part = min(self.task.PART or len(self.images), len(self.images))
        self.steps = self.part // self.recipe.batch  # a small last batch is left out, because it harms batch norm
        self.optimizer = self._optimizer()
        total = self.recipe.epochs * self.steps
        # For SGD, OneCycleLR must not vary the momentum: it would replace MOMENTUM.
        # For AdamW, OneCycleLR varies the first beta from 0.95 to 0.85 and back; the published weights were made so.
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimizer,
            [group["lr"] for group in self.optimizer.param_groups],
            total_steps=total,
            cycle_momentum=self.recipe.optimizer != "sgd",
        )

    def _optimizer(self) -> Any:
        import torch

        momentum = {"momentum": MOMENTUM, "nesterov": True} if self.recipe.optimizer == "sgd" else {}
        kind = getattr(torch.optim, OPTIMIZERS[self.recipe.optimizer])
        groups = self._groups()
        return kind(groups, lr=self.recipe.rate, weight_decay=WEIGHT_DECAY, fused=True, **momentum)

    def _groups(self) -> list[dict[str, Any]]:
        """Return the parameters with their maximum learning rates: one group, or the features and the heads."""
        if self.recipe.of_features == 1:
            return [{"params": list(self.network.parameters())}]
        parts: dict[bool, list[Any]] = {True: [], False: []}
        for name, values in self.network.named_parameters():
            parts[name.startswith(FEATURES)].append(values)
        rates = {True: self.recipe.rate * self.recipe.of_features, False: self.recipe.rate}
        return [{"params": values, "lr": rates[is_feature]} for is_feature, values in parts.items()]

    def epoch(self) -> Iterator[int]:
        """Train one epoch; after each batch, yield the number of batches done.

        Raises:
            CaseError: the loss is no longer finite.
        """
        import torch

        batch, loss_sum, correct = self.recipe.batch, 0.0, 0
        order = torch.randperm(self.part, generator=self.random)[: self.steps * batch]
        drawn = ((order + len(self.epochs) * self.part) % len(self.images)).numpy()
        self.network.train()
        for done, pixels in enumerate(self.images.batches(batch, drawn)):
            inputs = augmented(torch.from_numpy(pixels), self.recipe.augmentation, self.random)
            outputs = several(self.network(inputs.to(self.device).contiguous(memory_format=torch.channels_last)))
            targets = self._targets(drawn[done * batch : (done + 1) * batch])
            loss = self.task.loss(outputs, targets)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            self.schedule.step()
            loss_sum += loss.item()
            correct += int((outputs[0].argmax(1) == targets[0]).sum()) if self.is_of_classes else 0
            self._require_finite(loss_sum)
            yield done + 1
        held_out = score(self.network, self.held_out, batch, self.task, self.classes)
        top1 = correct / (self.steps * batch) if self.is_of_classes else None
        self.epochs.append(Epoch(loss=loss_sum / self.steps, top1=top1, held_out=held_out))

    @property
    def is_of_classes(self) -> bool:
        """Whether the task is classification, in which each prediction is either right or wrong."""
        return str(self.task.METRIC) == "top1"

    def _targets(self, drawn: NDArray[int64]) -> list[Tensor]:
        """Return the target values for these images, with which the loss compares the network's outputs."""
        import torch

        truths = [self.images.truth(int(index)) for index in drawn]
        targets = self.task.targets(truths, self.images.resolution)
        return [torch.from_numpy(values).to(self.device) for values in targets]

    def _require_finite(self, loss: float) -> None:
        """Raise an error if the loss has diverged."""
        if not isfinite(loss):
            epoch = len(self.epochs) + 1
            raise CaseError(f"training diverged in epoch {epoch}: the loss is {loss}; use a smaller --rate")

    def keep(self, path: Path, note: str) -> None:
        """Write a checkpoint; `note` is a text that identifies the training, so that no other training resumes here."""
        import torch

        state = {name: getattr(self, name).state_dict() for name in ("network", "optimizer", "schedule")}
        random = {"order": self.random.get_state(), "torch": torch.get_rng_state()}
        buffer = BytesIO()
        torch.save({"note": note, **state, **random, "epochs": [asdict(epoch) for epoch in self.epochs]}, buffer)
        content = buffer.getvalue()
        files.write(path, hashlib.sha256(content).digest() + content)

    def go_on(self, path: Path, note: str) -> None:
        """Resume from a checkpoint if there is an undamaged checkpoint with the same note."""
        import torch

        if (content := _whole(path)) is None:
            return
        checkpoint = torch.load(BytesIO(content), map_location="cpu", weights_only=True)
        if checkpoint["note"] != note:
            return
        for name in ("network", "optimizer", "schedule"):
            getattr(self, name).load_state_dict(checkpoint[name])
        self.random.set_state(checkpoint["order"])
        torch.set_rng_state(checkpoint["torch"])
        self.epochs = [Epoch(**fields) for fields in checkpoint["epochs"]]


def _whole(path: Path) -> bytes | None:
    """Return a checkpoint's content without the hash; None if the file is missing or damaged (with a warning)."""
    try:
        with seal.opened(path) as stream:
            content = stream.read()
    except FileNotFoundError:
        return None
    except OSError:
        seal.discard(path)
        content = b""
    hashed, content = content[:HASH_BYTES], content[HASH_BYTES:]
    if hashlib.sha256(content).digest() != hashed:
        warn(f"{path.name}, the checkpoint of an unfinished training, was damaged; training starts from the beginning")
        return None
    return content


def initialize(network: nn.Module) -> None:
    """Draw weights with which a signal neither grows nor fades through ReLUs, from torch's generator; biases are 0.

    If the network ends in a ReLU, as All-CNN does, all classes start with nearly equal scores above 0. A class whose
    scores were below 0 for all images would get no gradient through that ReLU, and would never be learned.
    """
    import torch

    modules = list(network.modules())
    layers = [layer for layer in modules if isinstance(layer, (torch.nn.Conv2d, torch.nn.Linear))]
    for layer in layers:
        torch.nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        if layer.bias is not None:
            torch.nn.init.zeros_(layer.bias)
    after = modules[modules.index(layers[-1]) :]
    if layers[-1].bias is not None and any(isinstance(layer, torch.nn.ReLU) for layer in after):
        torch.nn.init.constant_(layers[-1].bias, SCORE)
        layers[-1].weight.data *= SPREAD


def device() -> str:
    """Return the device to train on: `cuda` if there is a GPU, else `cpu`."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def augmented(images: Tensor, kinds: tuple[str, ...], random: Any) -> Tensor:
    """Return images, (N, C, R, R), flipped or shifted at random; edges that a shift uncovers show reflected pixels."""
    import torch

    count, _, _, side = images.shape
    if "flip" in kinds:
        flipped = torch.rand(count, generator=random) < 0.5
        images = torch.where(flipped[:, None, None, None], images.flip(3), images)
    if "shift" in kinds and (most := side // SHIFT):
        padded = torch.nn.functional.pad(images, (most,) * 4, mode="reflect")
        corners = torch.randint(0, 2 * most + 1, (count, 2), generator=random).tolist()
        cut = [image[:, y : y + side, x : x + side] for image, (y, x) in zip(padded, corners, strict=True)]
        images = torch.stack(cut)
    return images


def several(outputs: Any) -> tuple[Tensor, ...]:
    """Return a network's outputs as a tuple, even if there is only one output."""
    return tuple(outputs) if isinstance(outputs, (tuple, list)) else (outputs,)


def score(network: nn.Module, images: Images, batch: int, task: Any, classes: int) -> float:
    """Return the task's main metric for the network's outputs on images, as a share; 0 if the metric is undefined."""
    import torch

    network.eval()
    where, scored = next(network.parameters()).device, list[Any]()
    with torch.inference_mode():
        for part in images.batches(batch):
            outputs = several(network(torch.from_numpy(part).to(where)))
            values = torch.cat([output.flatten(1) for output in outputs], 1).cpu().numpy()
            truths = (images.truth(index) for index in range(len(scored), len(scored) + len(part)))
            scored += list(map(task.seen, task.decode(values, classes, images.resolution), truths))
    figures: dict[str, float] = task.figures(scored)
    return figures.get(task.METRIC, 0.0)


def packed(network: nn.Module) -> bytes:
    """Return the network's weights as bytes; torch's own writer would give no clear error for a full disk."""
    import torch

    buffer = BytesIO()
    torch.save(network.cpu().state_dict(), buffer)
    return buffer.getvalue()

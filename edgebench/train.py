"""Variant -> trained weights, seeded and cached with a card that says how good they are."""

from __future__ import annotations

import re
from dataclasses import asdict, replace
from importlib.metadata import version
from io import BytesIO
from time import monotonic
from typing import TYPE_CHECKING

from edgebench import cache
from edgebench.build import SEED, accepts, build
from edgebench.catalogue import family
from edgebench.datasets import sources, split
from edgebench.describe import cost
from edgebench.errors import CaseError
from edgebench.progress import Show, Step
from edgebench.record import Weights
from edgebench.shelf import module
from edgebench.spec import Variant, Weighting

if TYPE_CHECKING:
    from pathlib import Path

    from torch import nn

# Most of the learning happens once per width on small images; each resolution is then fine-tuned from it, which
# costs a third of training it from the start.
BASE_RESOLUTION, BASE_EPOCHS, BASE_RATE = 32, 12, 1e-2
EPOCHS, RATE = 3, 4e-3
BATCH = 32
MOST_MACS = 2e13  # of training: about an hour on two cores; what needs more is a case for other weights
WEIGHT_DECAY = 1e-4


def find(variant: Variant) -> Weights | None:
    """Return the variant's trained weights if they are cached and intact."""
    if variant.weights != Weighting.TRAINED:
        return None
    weights = cache.find(_stem(variant), Weights)
    return weights if weights and cache.is_intact(weights) else None


def train(variant: Variant, show: Show) -> Weights:
    """Train the variant's network on its data set, fine-tuning from the base resolution of the same width.

    Raises:
        CaseError: it is too large to train here.
    """
    if (macs := _macs(variant)) > MOST_MACS:
        raise CaseError(
            f"training {variant.architecture} at {variant.resolution} px takes {macs:.0e} multiply-adds, at most"
            f" {MOST_MACS:.0e} are done unasked; use --weights random, or a file"
        )
    base = replace(variant, resolution=BASE_RESOLUTION)
    if not _has_base(variant):
        return _train(variant, "", epochs=BASE_EPOCHS, rate=BASE_RATE, show=show)
    start = find(base) or train(base, show)
    return _train(variant, str(cache.path_of(start)), epochs=EPOCHS, rate=RATE, show=show)


def _macs(variant: Variant) -> float:
    """Estimate the multiply-adds of training: forward, and twice that backward, for every image and epoch."""
    epochs = EPOCHS if _has_base(variant) else BASE_EPOCHS
    return 3.0 * cost(variant).macs * len(split(variant, "train")) * epochs


def _has_base(variant: Variant) -> bool:
    """Tell whether the network at the base resolution is another input of the same layers."""
    if variant.resolution == BASE_RESOLUTION or not accepts(variant.architecture, BASE_RESOLUTION):
        return False
    return cost(replace(variant, resolution=BASE_RESOLUTION)).params == cost(variant).params


def _train(variant: Variant, start: str, *, epochs: int, rate: float, show: Show) -> Weights:
    import torch

    def make(path: Path) -> Weights:
        # One thread: the same weights on any number of cores, and no threads that wait for each other on a busy one.
        torch.set_num_threads(1)
        network = build(variant, start)
        _fit(network, variant, epochs, rate, show)
        correct, images = _score(network, variant)
        buffer = BytesIO()  # torch's own writer has no clear error for a full disk
        torch.save(network.state_dict(), buffer)
        path.write_bytes(buffer.getvalue())
        return Weights(
            file="",
            sha256="",
            dataset=variant.dataset,
            recipe=_recipe(variant),
            classes=variant.classes,
            top1=correct / images,
            images=images,
        )

    return cache.keep(_stem(variant), ".pt", Weights, make)


def _recipe(variant: Variant) -> str:
    has_base = _has_base(variant)
    first = BASE_RESOLUTION if has_base else variant.resolution
    base = f"{BASE_EPOCHS} epochs at {first} px, rate {BASE_RATE:g}"
    tuned = f", then {EPOCHS} epochs at {variant.resolution} px, rate {RATE:g}" if has_base else ""
    shared = f"; AdamW, one cycle, batch {BATCH}, weight decay {WEIGHT_DECAY:g}, seed {SEED}, one thread"
    return base + tuned + shared


def _stem(variant: Variant) -> str:
    """Name the file by its variant and everything that shapes it; precision is no part of weights."""
    parts = {
        **{name: repr(value) for name, value in asdict(variant).items() if name not in ("precision", "quantization")},
        **{f"version.{tool}": version(tool) for tool in family(variant.dataset).TOOLS},
        "source": cache.source(
            module("architectures", variant.architecture), *sources(variant.dataset), "build", "train"
        ),
        "torch": version("torch"),
    }
    dataset = re.sub(r"[^\w.-]", "-", variant.dataset)
    return f"{variant.architecture}-{variant.width:g}@{variant.resolution}-{dataset}-{cache.key(parts)}"


def _fit(network: nn.Module, variant: Variant, epochs: int, rate: float, show: Show) -> None:
    import torch

    images = split(variant, "train")
    labels = torch.from_numpy(images.labels)
    order = torch.Generator().manual_seed(SEED)
    # Depthwise layers train a third faster with channels last.
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=WEIGHT_DECAY, fused=True)
    if len(images) < BATCH:
        raise CaseError(f"{variant.dataset} has {len(images)} images to train on, fewer than a batch of {BATCH}")
    steps = len(images) // BATCH  # the last, smaller batch is left out: batch norm wants full ones
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=epochs * steps)
    network.train()
    started = monotonic()
    for epoch in range(epochs):
        show(_epoch(variant, epoch, epochs, monotonic() - started))
        drawn = torch.randperm(len(images), generator=order)[: steps * BATCH]
        for pixels, answers in zip(images.batches(BATCH, drawn.numpy()), labels[drawn].view(steps, BATCH), strict=True):
            inputs = torch.from_numpy(pixels).contiguous(memory_format=torch.channels_last)
            loss = torch.nn.functional.cross_entropy(network(inputs), answers)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
    network.eval()


def _epoch(variant: Variant, done: int, total: int, spent_s: float) -> Step:
    left_s = spent_s / done * (total - done) if done else None
    subject = f"{variant.architecture}-{variant.width:g}@{variant.resolution}"
    return Step(activity="train", subject=subject, done=done, total=total, left_s=left_s)


def _score(network: nn.Module, variant: Variant) -> tuple[int, int]:
    import torch

    images = split(variant, "test")
    with torch.inference_mode():
        answers = torch.cat([network(torch.from_numpy(batch)).argmax(1) for batch in images.batches(BATCH)])
    return int((answers.numpy() == images.labels).sum()), len(images)

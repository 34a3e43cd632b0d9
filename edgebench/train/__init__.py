"""Variant -> trained weights, seeded and cached with a card that says how good they are."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from time import monotonic
from typing import TYPE_CHECKING

from edgebench.foundation import cache, files, provenance
from edgebench.foundation.errors import CaseError
from edgebench.foundation.progress import Notice, Show, Step
from edgebench.foundation.shelf import module
from edgebench.images.catalogue import family
from edgebench.images.splits import recipe as preprocessing
from edgebench.images.splits import sources, split
from edgebench.networks.build import SEED, accepts, build
from edgebench.networks.cost import cost
from edgebench.networks.custom import channels
from edgebench.schema.cards import Weights
from edgebench.schema.variant import Variant, WeightSource
from edgebench.train import curves
from edgebench.train.course import OPTIMIZERS, WEIGHT_DECAY, Course, Recipe, device, packed, score

if TYPE_CHECKING:
    from pathlib import Path

    from edgebench.images.loader import Images

# Most of the learning happens once per width on small images; each resolution is then fine-tuned from it, which
# costs a third of training it from the start.
BASE_RESOLUTION, BASE_EPOCHS, EPOCHS = 32, 12, 3
RATES = {"adamw": (1e-2, 4e-3), "sgd": (5e-2, 1e-2)}  # of the base, and of what is fine-tuned from it
BATCH = 32
MOST_MACS = 2e13  # of training: about an hour on two cores; what needs more is a case for other weights
MOST_MACS_ASKED = 5e14  # a day
GPU_FACTOR = 300  # how much more a GPU does in that time
SHOW_S = 5.0  # between two words of progress


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a person asks of the training; what is left out follows from the network and the data set.

    Attributes:
        epochs: at the resolution itself, from the start; 0 for the two steps of base and fine-tuning.
        asked: whether somebody waits for just this training: then it may take long.
    """

    epochs: int = 0
    optimizer: str = "adamw"
    rate: float = 0.0
    batch: int = BATCH
    augmentation: tuple[str, ...] | None = None
    asked: bool = False


UNASKED = Options()


def find(variant: Variant, options: Options = UNASKED) -> Weights | None:
    """Return the variant's weights as the options train them, if they are cached and intact.

    Without options those of the ordinary recipe: a trial with another one changes no run.
    """
    if variant.weights != WeightSource.TRAINED:
        return None
    return cache.find_intact(_stem(variant, options), Weights)


def train(variant: Variant, show: Show, options: Options = UNASKED) -> Weights:
    """Train the variant's network on its data set, fine-tuning from the base resolution of the same width.

    Raises:
        CaseError: it is too large to train here, or there are no images to train on.
    """
    require_small(variant, options)
    if options.epochs or not _has_base(variant):
        return _train(variant, None, options, show)
    base = replace(variant, resolution=BASE_RESOLUTION)
    start = find(base, options) or train(base, show, options)
    return _train(variant, start, options, show)


def is_ordinary(variant: Variant, options: Options) -> bool:
    """Tell whether the options make the weights that a run uses."""
    return _choices(variant, options) == _choices(variant, UNASKED)


def require_small(variant: Variant, options: Options) -> None:
    """Refuse a training that nobody would wait for, or that has too few images, or nothing to learn.

    Raises:
        CaseError: with what it would take, and what to do instead.
    """
    if not cost(variant).params:
        raise CaseError(f"{variant.architecture} has no parameters to train; use --weights none")
    images = len(_split(variant, "train"))
    if images < options.batch:
        raise CaseError(
            f"{variant.dataset} has {images} images to train on, fewer than a batch of {options.batch}; add images"
        )
    epochs = options.epochs or (EPOCHS if _has_base(variant) else BASE_EPOCHS)
    macs = 3.0 * cost(variant).macs * images * epochs  # forward, and twice that backward
    most = (MOST_MACS_ASKED if options.asked else MOST_MACS) * (GPU_FACTOR if device() == "cuda" else 1)
    if macs > most:
        raise CaseError(
            f"training {variant.architecture} at {variant.resolution} px takes {macs:.0e} multiply-adds, at most"
            f" {most:.0e} are done {'here' if options.asked else 'unasked'}; use --weights random, or a file"
        )


def _split(variant: Variant, name: str) -> Images:
    return split(variant, name, channels(variant))


def _has_base(variant: Variant) -> bool:
    """Tell whether the network at the base resolution is another input of the same layers."""
    if variant.resolution == BASE_RESOLUTION or not accepts(variant.architecture, BASE_RESOLUTION):
        return False
    return cost(replace(variant, resolution=BASE_RESOLUTION)).params == cost(variant).params


def _recipe(variant: Variant, options: Options, *, is_tuned: bool) -> Recipe:
    own: tuple[str, ...] = family(variant.dataset).AUGMENTATION
    return Recipe(
        epochs=options.epochs or (EPOCHS if is_tuned else BASE_EPOCHS),
        rate=options.rate or RATES[options.optimizer][is_tuned],
        optimizer=options.optimizer,
        batch=options.batch,
        augmentation=own if options.augmentation is None else options.augmentation,
    )


def _said(variant: Variant, start: Weights | None, recipe: Recipe) -> str:
    """Say how weights were made, from the start on."""
    before = f"{start.recipe.partition(';')[0]}, then " if start else ""
    varied = f", images {' and '.join(recipe.augmentation)}" if recipe.augmentation else ""
    shared = f"; {OPTIMIZERS[recipe.optimizer]}, one cycle, batch {recipe.batch}, weight decay {WEIGHT_DECAY:g}{varied}"
    where = "one thread" if device() == "cpu" else "a GPU"
    return (
        f"{before}{recipe.epochs} epochs at {variant.resolution} px, rate {recipe.rate:g}{shared}, seed {SEED}, {where}"
    )


def _train(variant: Variant, start: Weights | None, options: Options, show: Show) -> Weights:
    """Train, and keep the weights, with a drawing of how it went beside them."""
    recipe = _recipe(variant, options, is_tuned=start is not None)
    note = _said(variant, start, recipe)
    stem = _stem(variant, options)
    unfinished = files.folder("training") / f"{stem}.pt"

    def make(path: Path) -> Weights:
        course = _course(variant, start, recipe)
        follow(course, variant, note, unfinished, show)
        files.write(files.folder("weights") / f"{stem}.svg", _drawing(course, variant).encode())
        return _scored(path, course, variant, note)

    weights = cache.keep(stem, ".pt", Weights, make)
    unfinished.unlink(missing_ok=True)
    return weights


def _course(variant: Variant, start: Weights | None, recipe: Recipe) -> Course:
    """Build the network, from the weights to start from if there are any, and open what it learns on."""
    import torch

    # One thread: the same weights on any number of cores, and no threads that wait for each other on a busy one.
    torch.set_num_threads(1)
    network = build(variant, str(cache.path_of(start)) if start else "")
    images, held_out = _split(variant, "train"), _split(variant, "calibration")
    return Course(network=network, recipe=recipe, images=images, held_out=held_out)


def _scored(path: Path, course: Course, variant: Variant, note: str) -> Weights:
    """Write the trained weights to `path`, and say how good they are on the test images."""
    test = _split(variant, "test")
    correct = score(course.network, test, course.recipe.batch)
    path.write_bytes(packed(course.network))
    return Weights(
        file="",
        sha256="",
        dataset=variant.dataset,
        preprocessing=str(preprocessing(variant)),
        network=_name(variant),
        recipe=note,
        classes=variant.classes,
        top1=correct / len(test),
        images=len(test),
    )


def follow(course: Course, variant: Variant, note: str, kept: Path, show: Show) -> None:
    """Go through the epochs that are left; each one is kept as it ends."""
    course.go_on(kept, note)
    total, before = course.recipe.epochs, len(course.epochs)
    if before:
        show(Notice(text=f"{_name(variant)} goes on after epoch {before} of {total}"))
    started = shown = monotonic()
    for epoch in range(before, total):
        show(_step(variant, epoch, total, 0.0, (epoch - before), monotonic() - started))
        for done in course.epoch():
            if monotonic() - shown > SHOW_S:
                shown = monotonic()
                part = done / course.steps
                show(_step(variant, epoch, total, part, epoch - before + part, shown - started))
        course.keep(kept, note)


def _step(variant: Variant, epoch: int, total: int, part: float, done: float, spent_s: float) -> Step:
    left_s = spent_s / done * (total - epoch - part) if done else None
    return Step(activity="train", subject=_name(variant), done=epoch, total=total, left_s=left_s)


def _name(variant: Variant) -> str:
    return f"{variant.architecture}-{variant.width:g}@{variant.resolution}"


def _drawing(course: Course, variant: Variant) -> str:
    lines = {
        "loss": [epoch.loss for epoch in course.epochs],
        "top-1 in training": [epoch.top1 for epoch in course.epochs],
        "top-1 held out": [epoch.held_out for epoch in course.epochs],
    }
    return curves.draw(f"{_name(variant)} on {variant.dataset}", lines)


def _choices(variant: Variant, options: Options) -> dict[str, str]:
    """Name what the options choose of a recipe; what is said and goes without saying is the same."""
    own: tuple[str, ...] = family(variant.dataset).AUGMENTATION
    said = replace(options, augmentation=own if options.augmentation is None else options.augmentation)
    return {f"recipe.{name}": repr(value) for name, value in asdict(said).items() if name != "asked"}


def _stem(variant: Variant, options: Options) -> str:
    """Name the file by its variant and everything that shapes it; precision is no part of weights."""
    parts = {
        **_choices(variant, options),
        **{name: repr(value) for name, value in asdict(variant).items() if name not in ("precision", "quantization")},
        **{f"version.{tool}": version(tool) for tool in family(variant.dataset).TOOLS},
        "source": provenance.source(
            module("architectures", variant.architecture), *sources(variant.dataset), "networks/build", "train"
        ),
        "torch": version("torch"),
    }
    dataset = re.sub(r"[^\w.-]", "-", variant.dataset)
    return f"{_name(variant)}-{dataset}-{provenance.key(parts)}"

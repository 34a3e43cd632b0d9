"""A network and a data set -> trained weights in the cache, and a card (record) of their accuracy; seeds are fixed."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, replace
from time import monotonic
from typing import TYPE_CHECKING, Any

from edgebench.foundation import cache, files, provenance, stats
from edgebench.foundation.errors import CaseError
from edgebench.foundation.progress import Notice, Show, Step
from edgebench.foundation.provenance import version
from edgebench.foundation.shelf import literal, load, module
from edgebench.images.catalogue import family
from edgebench.images.splits import recipe as preprocessing
from edgebench.images.splits import sources, split
from edgebench.networks.build import SEED, accepts, build
from edgebench.networks.cost import cost, estimate, shares_weights
from edgebench.networks.custom import channels
from edgebench.schema.cards import Weights
from edgebench.schema.names import task
from edgebench.schema.variant import Variant, WeightSource, identity
from edgebench.train import base, curves
from edgebench.train.course import OPTIMIZERS, WEIGHT_DECAY, Course, Recipe, device, initialize, packed, score

if TYPE_CHECKING:
    from pathlib import Path

    from edgebench.images.loader import Images

# A network is trained once per width on small images and then fine-tuned for each resolution.
# At a given resolution, fine-tuning costs a third of training from scratch.
BASE_RESOLUTION, BASE_EPOCHS, EPOCHS = 32, 12, 3
RATES = {"adamw": (1e-2, 4e-3), "sgd": (5e-2, 1e-2)}  # maximum learning rates of base training, and of fine-tuning
# UNNORMALIZED scales these rates for networks without batch norm that have more than DEEP layers with weights.
# At the full rates, the ReLUs of such networks (AlexNet, VGG) die in the first steps, and nothing is learned.
# Their weights start as in He et al., arXiv:1502.01852. From torch's smaller weights, the signal fades within a dozen
# layers, and GoogLeNet without batch norm learns nothing.
# LeNet-5, which has no batch norm either but only five layers, learns best at the full rates.
UNNORMALIZED, DEEP = 0.1, 6
BATCH = 32
MOST_MACS = 2e13  # limit on the multiply-adds of one training: about an hour on two cores
MOST_MACS_REQUESTED = 5e14  # the same limit if the user requested the training: about a day
GPU_FACTOR = 300  # a GPU computes this many times as many multiply-adds as two cores in the same time
HELD_OUT = 100  # if an epoch trains on only a part of the images, the network is scored on this many held-out images
WARN_AFTER = 3  # after this many epochs, a network that learns is better than chance
LEAST_METRIC = 1e-3  # if the metric of a detector is below this value, the detector has learned nothing
# Seconds on a core of a 2.5 GHz x86 server: to load images and code, to read a picture, for a layer and batch.
START_S, READ_S, LAYER_S = 1.5, 2e-3, 0.7e-3
TRAINED_MACS = 1.5e10  # multiply-adds per second
SHOW_S = 5.0  # seconds between two progress messages


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Options of training; with the default values, the result is the weights that `edgebench run` uses.

    Attributes:
        epochs: number of epochs from scratch at the variant's resolution; 0 to train at a base resolution first and
            then fine-tune.
        rate: maximum learning rate; 0 to use the default rate of the optimizer.
        augmentation: how training images are varied; None for the data set's own way.
        requested: whether the user requested this training; if so, a longer training is accepted.
    """

    epochs: int = 0
    optimizer: str = "adamw"
    rate: float = 0.0
    batch: int = BATCH
    augmentation: tuple[str, ...] | None = None
    requested: bool = False


ORDINARY = Options()


def find(variant: Variant, options: Options = ORDINARY) -> Weights | None:
    """Return the weights that were trained with these options; None if they are not in the cache or are damaged.

    Weights trained with other options are never returned, so `run`, which uses the default options, never uses them.
    """
    if variant.weights != WeightSource.TRAINED:
        return None
    return cache.find_intact(_stem(variant, options), Weights)


def train(variant: Variant, show: Show, options: Options = ORDINARY) -> Weights:
    """Train a network on its data set, first at a low base resolution if the weights have the same shapes there.

    Raises:
        CaseError: the training would take too long, diverges, or has too few images.
    """
    require_small(variant, options)
    if options.epochs or not _has_base(variant):
        return _train(variant, None, options, show)
    base = replace(variant, resolution=BASE_RESOLUTION)
    start = find(base, options) or train(base, show, options)
    return _train(variant, start, options, show)


def is_ordinary(variant: Variant, options: Options) -> bool:
    """Return whether the options are the ordinary recipe, whose weights `run` uses."""
    return _choices(variant, options) == _choices(variant, ORDINARY)


def require_small(variant: Variant, options: Options) -> None:
    """Refuse a training that would take too long, has too few images, or cannot be done for this network.

    Raises:
        CaseError: the training is refused; the message has the reason and advice.
    """
    plugin = task_of(variant)
    if forbidden := [kind for kind in options.augmentation or () if kind not in plugin.AUGMENTATION]:
        name = task(variant.architecture)
        raise CaseError(f"{' and '.join(forbidden)} would make the labels of {name} wrong; use --augmentation none")
    if literal("architectures", variant.architecture, "DECODER"):
        raise CaseError(
            f"{variant.architecture} is not trained here: its heads have no loss; use --weights random, or a file"
        )
    if not cost(variant).params:
        raise CaseError(f"{variant.architecture} has no parameters to train; use --weights none")
    images = len(_split(variant, "train"))
    if images < options.batch:
        raise CaseError(
            f"{variant.dataset} has {images} images to train on, fewer than a batch of {options.batch}; add images"
        )
    epochs = options.epochs or (EPOCHS if _has_base(variant) else BASE_EPOCHS)
    macs = (
        3.0 * cost(variant).macs * min(images, plugin.PART or images) * epochs
    )  # the backward pass costs twice the forward pass
    most = (MOST_MACS_REQUESTED if options.requested else MOST_MACS) * (GPU_FACTOR if device() == "cuda" else 1)
    if macs > most:
        raise CaseError(
            f"training {variant.architecture} at {variant.resolution} px takes {macs:.0e} multiply-adds, more than the"
            f" limit of {most:.0e}{'' if options.requested else ' for a run'}; use --weights random, or a file"
        )


def lacking(variant: Variant, options: Options = ORDINARY) -> tuple[Variant, ...]:
    """Return the trainings that a variant needs, in order: at the base resolution first, unless that one is cached."""
    if find(variant, options):
        return ()
    base = replace(variant, resolution=BASE_RESOLUTION)
    is_tuned = _has_base(variant) and not options.epochs
    return (base, variant) if is_tuned and not find(base, options) else (variant,)


def estimate_s(variant: Variant, options: Options = ORDINARY) -> float:
    """Estimate how long one training takes, without the one at the base resolution, on an idle machine, in seconds."""
    part, images = task_of(variant).PART, len(_split(variant, "train"))
    epochs = options.epochs or (EPOCHS if _has_base(variant) else BASE_EPOCHS)
    shown = epochs * min(images, part or images)
    network = estimate(variant.architecture, variant.width, variant.resolution, variant.classes)
    read_s = READ_S * (shown if part else images)  # an epoch of a task with PART has pictures of its own
    compute_s = shown / options.batch * LAYER_S * network.layers + 3 * shown * network.macs / TRAINED_MACS
    return (START_S + read_s + compute_s) / (GPU_FACTOR if device() == "cuda" else 1)


def task_of(variant: Variant) -> Any:
    """Return the plug-in of the variant's task."""
    return load("tasks", task(variant.architecture))


def _split(variant: Variant, name: str) -> Images:
    return split(variant, name, channels(variant))


def _has_base(variant: Variant) -> bool:
    """Return whether the variant is fine-tuned from a lower base resolution.

    The network must have the same number of parameters at both resolutions, so that the weights fit at both.
    """
    if (
        task_of(variant).PART
        or variant.resolution == BASE_RESOLUTION
        or not accepts(variant.architecture, BASE_RESOLUTION)
    ):
        return False
    return shares_weights(variant.architecture, variant.resolution, BASE_RESOLUTION, variant.classes)


def _base(variant: Variant, options: Options) -> Path | None:
    """Return the file of base weights from which a detector's training starts; None if training starts from scratch."""
    if not task_of(variant).PART or options.epochs:
        return None
    return base.find(_owner(variant), variant.width, variant.classes)


def _owner(variant: Variant) -> str:
    """Return the network whose base weights a training starts from: the given one, or the BASE in its module."""
    return literal("architectures", variant.architecture, "BASE") or variant.architecture


def _recipe(variant: Variant, options: Options, *, is_tuned: bool) -> Recipe:
    default: tuple[str, ...] = family(variant.dataset).AUGMENTATION
    has_new_heads = is_tuned and hasattr(task_of(variant), "OF_FEATURES") and _owner(variant) != variant.architecture
    return Recipe(
        epochs=options.epochs or (EPOCHS if is_tuned and not task_of(variant).PART else BASE_EPOCHS),
        rate=options.rate
        or RATES[options.optimizer][is_tuned and not has_new_heads] * (UNNORMALIZED if _is_delicate(variant) else 1),
        of_features=task_of(variant).OF_FEATURES if has_new_heads else 1.0,
        optimizer=options.optimizer,
        batch=options.batch,
        augmentation=default if options.augmentation is None else options.augmentation,
    )


def _is_delicate(variant: Variant) -> bool:
    """Return whether a network is deep and has no batch norm, so that it needs small steps and He's first weights."""
    layers = [layer for layer in cost(variant).layers if layer.weights]
    return len(layers) > DEEP and not any(layer.norms for layer in cost(variant).layers)


def _described(variant: Variant, start: Weights | None, recipe: Recipe, base_file: Path | None) -> str:
    """Describe in words how the weights are trained, including any earlier training from which this one starts."""
    before = f"{start.recipe.partition(';')[0]}, then " if start else ""
    part = task_of(variant).PART
    if part:
        before = f"the base {base_file.stem} at {base.RESOLUTION} px, then " if base_file else "from scratch, "
    varied = f", images {' and '.join(recipe.augmentation)}" if recipe.augmentation else ""
    shared = f"; {OPTIMIZERS[recipe.optimizer]}, one cycle, batch {recipe.batch}, weight decay {WEIGHT_DECAY:g}{varied}"
    where = "one thread" if device() == "cpu" else "a GPU"
    images = f" of {part} images" if part else ""
    features = f", features {recipe.rate * recipe.of_features:g}" if recipe.of_features != 1 else ""
    rates = f"rate {recipe.rate:g}{features}"
    return f"{before}{recipe.epochs} epochs{images} at {variant.resolution} px, {rates}{shared}, seed {SEED}, {where}"


def _train(variant: Variant, start: Weights | None, options: Options, show: Show) -> Weights:
    """Train the network; write its weights to the cache, and beside them a chart of loss and accuracy."""
    base_file = _base(variant, options)
    recipe = _recipe(variant, options, is_tuned=bool(start or base_file))
    description = _described(variant, start, recipe, base_file)
    stem = _stem(variant, options)
    unfinished = files.folder("training") / f"{stem}.pt"

    def make(path: Path) -> Weights:
        course = _course(variant, start, recipe, base_file)
        follow(course, variant, description, unfinished, show)
        files.write(files.folder("weights") / f"{stem}.svg", _drawing(course, variant).encode())
        return _scored(path, course, variant, description)

    weights = cache.keep(stem, ".pt", Weights, make)
    unfinished.unlink(missing_ok=True)
    return weights


def _course(variant: Variant, start: Weights | None, recipe: Recipe, base_file: Path | None) -> Course:
    """Build the network, load initial weights if there are any, and prepare the training images."""
    import torch

    # With one thread, the weights do not depend on the number of cores, and no threads wait for each other.
    torch.set_num_threads(1)
    network = build(variant, str(cache.path_of(start)) if start else "")
    if not start and _is_delicate(variant):
        initialize(network)
    if base_file:
        base.restore(
            network, base_file.read_bytes(), part=base.FEATURES if _owner(variant) != variant.architecture else ""
        )
    images, held_out = _split(variant, "train"), _split(variant, "calibration")
    if task_of(variant).PART:
        held_out = replace(held_out, kept=held_out.kept[:HELD_OUT])
    return Course(
        network=network,
        recipe=recipe,
        images=images,
        held_out=held_out,
        task=task_of(variant),
        classes=variant.classes,
    )


def _scored(path: Path, course: Course, variant: Variant, description: str) -> Weights:
    """Write the trained weights to `path`; return their card, which has the accuracy on the test images."""
    test = _split(variant, "test")
    metric = score(course.network, test, course.recipe.batch, course.task, course.classes)
    path.write_bytes(packed(course.network))
    return Weights(
        file="",
        sha256="",
        dataset=variant.dataset,
        preprocessing=str(preprocessing(variant)),
        network=name_of(variant),
        recipe=description,
        classes=variant.classes,
        top1=metric if course.is_of_classes else 0.0,
        metrics={} if course.is_of_classes else {course.task.METRIC: metric},
        images=len(test),
    )


def follow(course: Course, variant: Variant, note: str, checkpoint: Path, show: Show) -> None:
    """Train the remaining epochs; write a checkpoint after each epoch."""
    course.go_on(checkpoint, note)
    total, before = course.recipe.epochs, len(course.epochs)
    if before:
        show(Notice(text=f"{name_of(variant)} resumes after epoch {before} of {total}"))
    started = shown = monotonic()
    for epoch in range(before, total):
        show(_step(variant, epoch, total, 0.0, (epoch - before), monotonic() - started))
        for done in course.epoch():
            if monotonic() - shown > SHOW_S:
                shown = monotonic()
                part = done / course.steps
                show(_step(variant, epoch, total, part, epoch - before + part, shown - started))
        course.keep(checkpoint, note)
        if epoch == total - 1:
            show(Step(activity="train", subject=name_of(variant), done=total, total=total, left_s=0.0))
        if len(course.epochs) in (WARN_AFTER, total) and (text := _learned_nothing(course, variant)):
            show(Notice(text=f"{name_of(variant)}: {text}"))


def _learned_nothing(course: Course, variant: Variant) -> str:
    """Return a warning if the network is no better than chance on the held-out images; else an empty text."""
    share, images, done = course.epochs[-1].held_out, len(course.held_out), len(course.epochs)
    chance = 1 / variant.classes if course.is_of_classes else LEAST_METRIC
    least = stats.wilson(round(share * images), images)[0] if course.is_of_classes else share
    if least > chance:
        return ""
    return (
        f"after epoch {done} of {course.recipe.epochs} {course.task.HEADING} is {share:.1%} on {images} held-out"
        f" images, no better than chance, so the network learns nothing; interrupt the training, and try a smaller"
        f" --rate than {course.recipe.rate:g}"
    )


def _step(variant: Variant, epoch: int, total: int, part: float, done: float, spent_s: float) -> Step:
    left_s = spent_s / done * (total - epoch - part) if done else None
    return Step(activity="train", subject=name_of(variant), done=epoch, total=total, left_s=left_s)


def name_of(variant: Variant) -> str:
    """Return the name of a network as a training's progress shows it: `mobilenet_v1-0.25@96`."""
    return f"{variant.architecture}-{variant.width:g}@{variant.resolution}"


def _drawing(course: Course, variant: Variant) -> str:
    metric = course.task.HEADING
    shares = {
        f"{metric} in training": [epoch.top1 for epoch in course.epochs if epoch.top1 is not None],
        f"{metric} held out": [epoch.held_out for epoch in course.epochs],
    }
    shares = {name: values for name, values in shares.items() if values}
    return curves.draw(f"{name_of(variant)} on {variant.dataset}", [epoch.loss for epoch in course.epochs], shares)


def _choices(variant: Variant, options: Options) -> dict[str, str]:
    """Return the options that determine the weights; an option that is given with its default value has no effect."""
    default: tuple[str, ...] = family(variant.dataset).AUGMENTATION
    explicit = replace(options, augmentation=default if options.augmentation is None else options.augmentation)
    return {f"recipe.{name}": repr(value) for name, value in asdict(explicit).items() if name != "requested"}


def _stem(variant: Variant, options: Options) -> str:
    """Return a file name that is a hash of everything that determines the weights; this excludes the precision."""
    base_file = _base(variant, options)
    parts = {
        **({"base": files.sha256(str(base_file))} if base_file else {}),
        **_choices(variant, options),
        **{name: text for name, text in identity(variant).items() if name not in ("precision", "quantization")},
        **{f"version.{tool}": version(tool) for tool in family(variant.dataset).TOOLS},
        "source": provenance.source(
            module("architectures", variant.architecture),
            *sources(variant.dataset),
            "networks/build",
            "train",
            module("tasks", task(variant.architecture)),
        ),
        "torch": version("torch"),
    }
    dataset = re.sub(r"[^\w.-]", "-", variant.dataset)
    return f"{name_of(variant)}-{dataset}-{provenance.key(parts)}"

"""Fine-tune the weights of a network under fake quantization, after its batch norms have been folded.

This is quantization-aware training.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from edgebench.export.prepare.fake import release, simulate
from edgebench.foundation import cache, files, provenance
from edgebench.foundation.errors import CaseError
from edgebench.foundation.shelf import module
from edgebench.images.catalogue import family
from edgebench.images.splits import recipe as preprocessing
from edgebench.images.splits import sources, split
from edgebench.networks.custom import channels
from edgebench.schema.cards import Weights
from edgebench.schema.names import file_title
from edgebench.schema.variant import identity
from edgebench.train import Options, follow, require_small, task_of
from edgebench.train.course import Course, Recipe, packed, score

if TYPE_CHECKING:
    from pathlib import Path

    from torch.fx import GraphModule

    from edgebench.foundation.progress import Show
    from edgebench.schema.variant import Variant

RECIPE = Recipe(epochs=3, rate=1e-3)  # a tenth of the learning rate of float training


def finetune(graph: GraphModule, variant: Variant, start: Weights | None, show: Show) -> None:
    """Replace the network's weights by fine-tuned weights, which come from the cache or are trained now.

    The activation ranges of the int8 file are still found on the calibration images, as for any other scheme.

    Raises:
        CaseError: the network's weights were not learned, its data set has no training images, or the network is too
            large to train.
    """
    import torch

    if start is None:
        raise CaseError(f"qat fine-tunes weights, found {variant.weights} ones; use --weights trained, or a file")
    require_small(variant, Options(epochs=RECIPE.epochs))
    assert variant.quantization is not None
    # The network is not trained on the calibration images, so the weights do not depend on them.
    variant = replace(variant, quantization=replace(variant.quantization, calibration="", calibration_sha256=""))
    stem = _stem(variant, start)
    kept = files.folder("training") / f"{stem}.pt"
    weights = cache.once(stem, ".pt", Weights, lambda path: _tune(path, graph, variant, kept, show))
    kept.unlink(missing_ok=True)
    graph.load_state_dict(torch.load(cache.path_of(weights), weights_only=True))


def _tune(path: Path, graph: GraphModule, variant: Variant, kept: Path, show: Show) -> Weights:
    import torch

    torch.set_num_threads(1)  # with one thread, the weights do not depend on the number of cores
    assert variant.quantization is not None
    simulate(graph, variant.quantization)
    images, held_out, test = (split(variant, name, channels(variant)) for name in ("train", "calibration", "test"))
    task, classes = task_of(variant), variant.classes
    course = Course(network=graph, recipe=RECIPE, images=images, held_out=held_out, task=task, classes=classes)
    follow(course, variant, str(RECIPE), kept, show)
    metric = score(graph, test, RECIPE.batch, task, classes)
    release(graph)
    path.write_bytes(packed(graph))
    return Weights(
        file="",
        sha256="",
        dataset=variant.dataset,
        preprocessing=str(preprocessing(variant)),
        network=str(variant),
        recipe=f"{RECIPE.epochs} epochs under fake quantization {variant.quantization}, rate {RECIPE.rate:g}",
        classes=variant.classes,
        top1=metric if course.is_of_classes else 0.0,
        metrics={} if course.is_of_classes else {task.METRIC: metric},
        images=len(test),
    )


def _stem(variant: Variant, start: Weights) -> str:
    parts = identity(variant) | {
        "start": start.sha256,
        "torch": provenance.version("torch"),
        **{f"version.{tool}": provenance.version(tool) for tool in family(variant.dataset).TOOLS},
        "source": provenance.source(
            module("architectures", variant.architecture),
            "networks/build",
            *(["networks/architectures/_tf"] if variant.padding else []),
            "export/prepare",
            "train",
            *sources(variant.dataset),
        ),
    }
    return f"{file_title(str(variant))}-qat-{provenance.key(parts)}"

"""An artifact's card and its answers -> the sheets that say how far to trust it."""

from collections.abc import Iterator

from edgebench.foundation.sheet import Sheet
from edgebench.foundation.units import number
from edgebench.images.catalogue import family
from edgebench.images.splits import why_no_accuracy
from edgebench.results.measurement.verdict import collapse
from edgebench.schema.artifact import Artifact, LayerNoise
from edgebench.schema.record import Accuracy
from edgebench.schema.variant import Precision
from edgebench.tasks.classification import Appraisal, Change, Share, appraise

TEXTS = frozenset({"", "layer", "operator"})


def sheets(artifact: Artifact, accuracy: Accuracy) -> tuple[Sheet, ...]:
    """Lay out the accuracy; for an int8 file, itself against its float parent, its layers and its operators."""
    found, why = appraise(accuracy), why_no_accuracy(accuracy.case.variant)
    pages = [_accuracy(artifact, accuracy, found, why)]
    if artifact.quantization:
        pages += [_parent(artifact, accuracy, found, why), _layers(artifact), _operators(artifact)]
    elif artifact.integer_share is not None:
        pages.append(_operators(artifact))
    return tuple(pages)


def _accuracy(artifact: Artifact, accuracy: Accuracy, found: Appraisal, why: str) -> Sheet:
    parent = found.change.parent if found.change else None
    shares = {"top-1": found.top1, "top-5": found.top5, "top-1 of the float parent": parent}
    as_it_is = "int8 as it is" if accuracy.case.variant.precision == Precision.INT8 else "float"
    return Sheet(
        title=f"{artifact.variant}, {artifact.quantization or as_it_is}, on {accuracy.dataset}",
        headings=("", "right", "images", "%", "low %", "high %"),
        rows=() if why else tuple(_share(name, share) for name, share in shares.items() if share),
        texts=TEXTS,
        notes=(why or "low and high: Wilson's 95 % interval.", family(accuracy.dataset).NOTE),
    )


def _share(name: str, share: Share) -> tuple[str, ...]:
    figures = (number(100 * value, 1) for value in (share.value, *share.interval))
    return name, str(share.count), str(share.of), *figures


def _parent(artifact: Artifact, accuracy: Accuracy, found: Appraisal, why: str) -> Sheet:
    """Compare with the float parent: what needs labels only where the answers can be right."""
    change = None if why else found.change
    text = collapse(artifact, accuracy)
    return Sheet(
        title="against its float parent",
        headings=("", "here"),
        rows=(*_likeness(accuracy, found), *(_paired(change) if change else ())),
        texts=TEXTS,
        notes=(*([f"INVALID: {text}."] if text else []), *([_told_apart(change)] if change else [])),
    )


def _likeness(accuracy: Accuracy, found: Appraisal) -> Iterator[tuple[str, str]]:
    if found.agreement:
        low, high = found.agreement.interval
        yield "same top-1 answer, %", f"{100 * found.agreement.value:.1f} [{100 * low:.1f}, {100 * high:.1f}]"
    yield "SQNR of the outputs, dB", number(accuracy.sqnr_db, 1)


def _paired(change: Change) -> Iterator[tuple[str, str]]:
    yield "top-1, points", f"{100 * change.top1:+.1f}"
    yield "right in the float parent alone, images", str(change.only_parent)
    yield "right here alone, images", str(change.only_this)
    yield "McNemar's exact p", f"{change.p:.2g}"
    yield "images needed to tell the two apart", f"{change.images_needed}" if change.images_needed else "-"


def _told_apart(change: Change) -> str:
    images = change.parent.of
    if change.images_needed is None:
        return "As many images are right in either alone: no number of images like these tells the two apart."
    verb = "tell" if change.is_significant else "do not tell"
    return (
        f"These {images} images {verb} the two accuracies apart at 5 %; with such shares of differing answers"
        f" {change.images_needed} images would in four of five studies."
    )


def _layers(artifact: Artifact) -> Sheet:
    """Lay out the layers, those first in which most of the signal drowns."""
    worst = sorted(artifact.layers, key=lambda layer: -layer.lost_db)
    return Sheet(
        title="layers, worst first",
        headings=("layer", "operator", "SQNR dB", "lost dB"),
        rows=tuple(_layer(layer) for layer in worst),
        texts=TEXTS,
        notes=("SQNR: at the layer's output, on calibration images. Lost: how much more it is at the layer's inputs.",),
    )


def _layer(layer: LayerNoise) -> tuple[str, ...]:
    return layer.name, layer.operator, number(layer.sqnr_db, 1), f"{layer.lost_db:+.1f}"


def _operators(artifact: Artifact) -> Sheet:
    """Name what the runtime's optimised graph still computes in float."""
    share = artifact.integer_share
    macs = [] if share is None else [f"{share:.1%} of the multiply-adds are computed in integers."]
    return Sheet(
        title="operators left in float",
        headings=("operator", "layer"),
        rows=tuple(_named(node) for node in artifact.float_nodes),
        texts=TEXTS,
        notes=(*macs, *([] if artifact.float_nodes else ["No operator is left in float."])),
    )


def _named(node: str) -> tuple[str, str]:
    operator, _, layer = node.partition(" ")
    return operator, layer

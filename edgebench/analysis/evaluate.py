"""An artifact and its evaluation -> sheets on its accuracy and its fidelity to the float parent."""

from collections.abc import Iterator
from operator import itemgetter

from edgebench.foundation.sheet import IDENTITY, OBJECTIVE, Column, Sheet
from edgebench.foundation.units import number
from edgebench.images.catalogue import family
from edgebench.images.splits import why_no_accuracy
from edgebench.results.measurement.verdict import collapse
from edgebench.schema.artifact import Artifact, LayerNoise
from edgebench.schema.record import Accuracy
from edgebench.tasks.classification import Appraisal, Change, Share, appraise

_SHARES: tuple[Column[tuple[str, Share]], ...] = (
    Column.text("", itemgetter(0), IDENTITY),
    Column.number("correct", lambda named: str(named[1].count)),
    Column.number("images", lambda named: str(named[1].of)),
    Column.number("%", lambda named: number(100 * named[1].value, 1), OBJECTIVE),
    Column.number("low %", lambda named: number(100 * named[1].interval[0], 1)),
    Column.number("high %", lambda named: number(100 * named[1].interval[1], 1)),
)
_LIKENESS: tuple[Column[tuple[str, str]], ...] = (
    Column.text("", itemgetter(0), IDENTITY),
    Column.number("here", itemgetter(1), OBJECTIVE),
)
_LAYERS: tuple[Column[LayerNoise], ...] = (
    Column.text("layer", lambda layer: layer.name, IDENTITY),
    Column.text("operator", lambda layer: layer.operator),
    Column.number("SQNR dB", lambda layer: number(layer.sqnr_db, 1), rank=3),
    Column.number("lost dB", lambda layer: f"{layer.lost_db:+.1f}", OBJECTIVE),
)
_FLOAT_NODES: tuple[Column[str], ...] = (  # nodes are strings such as `LRN norm1`
    Column.text("operator", lambda node: node.partition(" ")[0], IDENTITY),
    Column.text("layer", lambda node: node.partition(" ")[2], IDENTITY),
)


def sheets(artifact: Artifact, accuracy: Accuracy) -> tuple[Sheet, ...]:
    """Return the accuracy; for an int8 artifact also the float parent, noise per layer and operators left in float."""
    appraisal, why = appraise(accuracy), why_no_accuracy(accuracy.case.variant)
    pages = [_accuracy(artifact, accuracy, appraisal, why)]
    if artifact.quantization:
        pages += [_parent(artifact, accuracy, appraisal, why), _layers(artifact), _operators(artifact)]
    return tuple(pages)


def _accuracy(artifact: Artifact, accuracy: Accuracy, appraisal: Appraisal, why: str) -> Sheet:
    parent = appraisal.change.parent if appraisal.change else None
    shares = {"top-1": appraisal.top1, "top-5": appraisal.top5, "top-1 of the float parent": parent}
    named = [] if why else [(name, share) for name, share in shares.items() if share]
    title = f"{artifact.variant}, {artifact.quantization or 'float'}, on {accuracy.dataset}"
    notes = (why or "low and high: Wilson's 95 % interval.", family(accuracy.dataset).NOTE)
    return Sheet.of(title, _SHARES, named, notes)


def _parent(artifact: Artifact, accuracy: Accuracy, appraisal: Appraisal, why: str) -> Sheet:
    """Compare with the float parent; accuracies only if the labels apply to the network."""
    change = None if why else appraisal.change
    text = collapse(artifact, accuracy)
    rows = (*_likeness(accuracy, appraisal), *(_paired(change) if change else ()))
    notes = (*([f"INVALID: {text}."] if text else []), *([_significance(change)] if change else []))
    return Sheet.of("against its float parent", _LIKENESS, rows, notes)


def _likeness(accuracy: Accuracy, appraisal: Appraisal) -> Iterator[tuple[str, str]]:
    if appraisal.agreement:
        low, high = appraisal.agreement.interval
        yield "same top-1 answer, %", f"{100 * appraisal.agreement.value:.1f} [{100 * low:.1f}, {100 * high:.1f}]"
    yield "SQNR of the outputs, dB", number(accuracy.sqnr_db, 1)


def _paired(change: Change) -> Iterator[tuple[str, str]]:
    yield "top-1 difference, points", f"{100 * change.top1:+.1f}"
    yield "correct only in the float parent, images", str(change.only_parent)
    yield "correct only here, images", str(change.only_this)
    yield "McNemar's exact p", f"{change.p:.2g}"
    yield "images needed for significance", f"{change.images_needed}" if change.images_needed else "-"


def _significance(change: Change) -> str:
    images = change.parent.of
    if change.images_needed is None:
        return "Both have the same accuracy: no number of such images would show a difference."
    verdict = "is" if change.is_significant else "is not"
    return (
        f"The difference in accuracy on {images} images {verdict} significant at 5 %; with the same shares of differing"
        f" answers, {change.images_needed} images give a power of 80 %."
    )


def _layers(artifact: Artifact) -> Sheet:
    """Return the layers, those with the largest loss of SQNR first."""
    worst = sorted(artifact.layers, key=lambda layer: -layer.lost_db)
    note = "SQNR: at the output of the layer, on calibration images. Lost: SQNR of its inputs minus that of its output."
    return Sheet.of("layers, worst first", _LAYERS, worst, (note,))


def _operators(artifact: Artifact) -> Sheet:
    """Return the operators that the runtime's optimized graph computes in float."""
    share = artifact.integer_share
    macs = [] if share is None else [f"{share:.1%} of the MACs are computed in integers."]
    none = [] if artifact.float_nodes else ["No operator is left in float."]
    return Sheet.of("operators left in float", _FLOAT_NODES, artifact.float_nodes, (*macs, *none))

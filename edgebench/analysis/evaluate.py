"""An artifact and its evaluation -> tables on its accuracy and on how closely it agrees with its float parent."""

from collections.abc import Iterator
from functools import partial
from operator import itemgetter
from typing import NamedTuple

from edgebench.foundation.sheet import IDENTITY, OBJECTIVE, Column, Fact, Sheet
from edgebench.foundation.stats import wilson
from edgebench.foundation.units import counted, number
from edgebench.images.catalogue import family
from edgebench.images.splits import why_no_accuracy
from edgebench.results.measurement.verdict import collapse, is_of_chance, untrained
from edgebench.schema.artifact import Artifact, LayerNoise
from edgebench.schema.metric import BINS, Metric, Reliability
from edgebench.schema.record import Accuracy
from edgebench.schema.variant import Precision
from edgebench.tasks.classification import Appraisal, Change, Share, appraise

_TENTHS = partial(number, digits=1)
TABLES = ("accuracy", "confidence", "reliability", "parent", "layers", "float_operators")
BAR = 20  # length in characters of a bar for a share of 1


class _Figure(NamedTuple):
    """A figure of accuracy. Counts of images are missing if an answer can be partly right, as in detection."""

    name: str
    value: float
    interval: tuple[float, float] | None
    correct: int | None = None
    images: int | None = None

    @classmethod
    def of_share(cls, name: str, share: Share) -> "_Figure":
        return cls(name, share.value, share.interval, share.count, share.of)

    @classmethod
    def of_metric(cls, metric: Metric) -> "_Figure":
        ends = None if metric.low is None or metric.high is None else (metric.low, metric.high)
        return cls(metric.name, metric.value, ends)


_SHARES: tuple[Column[_Figure], ...] = (
    Column.text("", itemgetter(0), IDENTITY, share=itemgetter(0)),
    Column.figure("correct", lambda figure: figure.correct),
    Column.figure("images", lambda figure: figure.images),
    Column.figure("%", lambda figure: 100 * figure.value, _TENTHS, OBJECTIVE, key="share_per_cent"),
    Column.figure("low %", lambda figure: _per_cent(figure.interval, 0), _TENTHS, key="share_low_per_cent"),
    Column.figure("high %", lambda figure: _per_cent(figure.interval, 1), _TENTHS, key="share_high_per_cent"),
)


def _per_cent(interval: tuple[float, float] | None, end: int) -> float | None:
    return 100 * interval[end] if interval else None


_LIKENESS: tuple[Column[Fact], ...] = (
    Column.text("", lambda fact: fact.what, IDENTITY),
    Column.number("here", lambda fact: fact.text, OBJECTIVE),
)
_LAYERS: tuple[Column[LayerNoise], ...] = (
    Column.text("layer", lambda layer: layer.name, IDENTITY),
    Column.text("operator", lambda layer: layer.operator),
    Column.figure("SQNR dB", lambda layer: layer.sqnr_db, _TENTHS, rank=3),
    Column.figure("lost dB", lambda layer: layer.lost_db, "{:+.1f}".format, OBJECTIVE),
)
_FLOAT_NODES: tuple[Column[str], ...] = (  # a node is a string such as `LRN norm1`
    Column.text("operator", lambda node: node.partition(" ")[0], IDENTITY),
    Column.text("layer", lambda node: node.partition(" ")[2], IDENTITY),
)


def sheets(artifact: Artifact, accuracy: Accuracy) -> tuple[Sheet, ...]:
    """Return tables on an artifact's accuracy.

    For an int8 artifact, further tables compare it with its float parent, and list the noise of each layer and the
    operators that still compute in float.
    """
    appraisal, why = appraise(accuracy), why_no_accuracy(accuracy.case.variant)
    pages = [_accuracy(artifact, accuracy, appraisal, why)]
    if accuracy.reliability and not why:
        pages += [_confidence(accuracy), _reliability(accuracy)]
    if artifact.quantization:
        pages += [_parent(artifact, accuracy, appraisal, why), _layers(artifact), _operators(artifact)]
    elif artifact.integer_share is not None:
        pages.append(_operators(artifact))
    return tuple(pages)


def _accuracy(artifact: Artifact, accuracy: Accuracy, appraisal: Appraisal, why: str) -> Sheet:
    parent = appraisal.change.parent if appraisal.change else None
    shares = {"top-1": appraisal.top1, "top-5": appraisal.top5, "top-1 of the float parent": parent}
    counted = [_Figure.of_share(name, share) for name, share in shares.items() if share]
    named = [] if why else [*counted, *map(_Figure.of_metric, accuracy.metrics)]
    as_supplied = "int8 as supplied" if accuracy.case.variant.precision == Precision.INT8 else "float"
    title = f"{artifact.variant}, {artifact.quantization or as_supplied}, on {accuracy.dataset}"
    how = "by a bootstrap over images; only the chief metric has one" if accuracy.metrics else "Wilson's"
    chance = f"SUSPECT: {text}." if (text := untrained(accuracy)) else ""
    notes = tuple(filter(None, (chance, why or f"low and high: 95 % interval, {how}.", family(accuracy.dataset).NOTE)))
    return Sheet.of(title, _SHARES, named, notes, name="accuracy")


class _Sureness(NamedTuple):
    """How well a file's confidence matches its share of correct predictions.

    The file is this file or its float parent.
    """

    name: str
    reliability: Reliability

    @property
    def images(self) -> int:
        return sum(self.reliability.images)


_ERRORS: tuple[Column[_Sureness], ...] = (
    Column.text("", itemgetter(0), IDENTITY, file=itemgetter(0)),
    Column.figure("ECE %", lambda sure: 100 * sure.reliability.error, _TENTHS, OBJECTIVE),
    Column.figure("low %", lambda sure: 100 * sure.reliability.low, _TENTHS, key="ece_low_per_cent"),
    Column.figure("high %", lambda sure: 100 * sure.reliability.high, _TENTHS, key="ece_high_per_cent"),
    Column.figure("sure %", lambda sure: 100 * sum(sure.reliability.confidence) / sure.images, _TENTHS),
    Column.figure("right %", lambda sure: 100 * sum(sure.reliability.correct) / sure.images, _TENTHS),
)


def sureness(accuracy: Accuracy) -> tuple[_Sureness, ...]:
    """Return how well confidence matches the share of correct predictions, for the file and for any float parent."""
    named = (("here", accuracy.reliability), ("float parent", accuracy.parent_reliability))
    return tuple(_Sureness(name, reliability) for name, reliability in named if reliability)


def _confidence(accuracy: Accuracy) -> Sheet:
    note = (
        "ECE: expected calibration error, the mean distance between confidence and the share of right answers, over 15"
        " bins of equal width (Guo et al. 2017). low and high: 95 % interval by a bootstrap over images. sure: mean"
        " confidence. right: share of right answers."
    )
    return Sheet.of("confidence", _ERRORS, sureness(accuracy), (note,), name="confidence")


def _reliability(accuracy: Accuracy) -> Sheet:
    """Return a table of the bins of confidence that contain images.

    Each row has a bar, whose length is the share of correct predictions, and a mark at the mean confidence.
    """
    files = sureness(accuracy)
    bins = [place for place in range(BINS) if any(sure.reliability.images[place] for sure in files)]
    columns: list[Column[int]] = [
        Column.text("bin %", lambda place: f"{100 * place / BINS:.0f}-{100 * (place + 1) / BINS:.0f}", IDENTITY),
    ]
    for sure in files:
        columns += _of_file(sure.reliability, "" if sure.name == "here" else "float ")
    note = f"A bar of {BAR} characters is 100 %. █ shows the share of right answers, │ the mean confidence of the bin."
    return Sheet.of("reliability", tuple(columns), bins, (note,), name="reliability")


def _of_file(found: Reliability, prefix: str) -> list[Column[int]]:
    def share(values: tuple[float, ...], place: int) -> float | None:
        return 100 * values[place] / found.images[place] if found.images[place] else None

    return [
        Column.figure(f"{prefix}images", lambda place: found.images[place], rank=4),
        Column.figure(f"{prefix}right %", lambda place: share(found.correct, place), _TENTHS, OBJECTIVE),
        Column.figure(
            f"{prefix}sure %",
            lambda place: share(found.confidence, place),
            _TENTHS,
            3,
            key=f"{prefix.strip() or 'here'}_confidence_per_cent",
        ),
        Column.text(f"{prefix}bar", lambda place: _bar(share(found.correct, place), share(found.confidence, place)), 3),
    ]


def _bar(right: float | None, sure: float | None) -> str:
    if right is None or sure is None:
        return ""
    bar = list("█" * round(right / 100 * BAR) + "·" * (BAR - round(right / 100 * BAR)))
    bar[min(BAR - 1, int(sure / 100 * BAR))] = "│"
    return "".join(bar)


def _parent(artifact: Artifact, accuracy: Accuracy, appraisal: Appraisal, why: str) -> Sheet:
    """Compare an artifact with its float parent; compare accuracies only if the data set's labels fit the network."""
    change = None if why else appraisal.change
    text = collapse(artifact, accuracy)
    rows = (*_likeness(accuracy, appraisal), *(_paired(change) if change else ()), *([] if why else _differs(accuracy)))
    chance = "Equal answers mean nothing: one of the files is no better than chance." if is_of_chance(accuracy) else ""
    notes = (*filter(None, (f"INVALID: {text}." if text else "", chance)), *([_significance(change)] if change else []))
    return Sheet.of_facts("against its float parent", _LIKENESS, rows, notes, name="parent")


def _likeness(accuracy: Accuracy, appraisal: Appraisal) -> Iterator[Fact]:
    if appraisal.agreement and not is_of_chance(accuracy):
        value, low, high = (100 * share for share in (appraisal.agreement.value, *appraisal.agreement.interval))
        yield Fact.of(
            "boxes found again, %" if accuracy.metrics else "same top-1 answer, %",
            f"{value:.1f} [{low:.1f}, {high:.1f}]",
            agreement_per_cent=value,
            agreement_low_per_cent=low,
            agreement_high_per_cent=high,
        )
    yield Fact.of("SQNR of the outputs, dB", number(accuracy.sqnr_db, 1), sqnr_db=accuracy.sqnr_db)


def _paired(change: Change) -> Iterator[Fact]:
    yield Fact.of("top-1 difference, points", f"{100 * change.top1:+.1f}", top1_change_points=100 * change.top1)
    yield Fact.of("correct only in the float parent, images", str(change.only_parent), only_parent=change.only_parent)
    yield Fact.of("correct only here, images", str(change.only_this), only_this=change.only_this)
    yield Fact.of("McNemar's exact p", f"{change.p:.2g}", mcnemar_p=change.p)
    needed = change.images_needed or None
    yield Fact.of("images needed for significance", str(needed or "-"), images_needed=needed)


def _differs(accuracy: Accuracy) -> Iterator[Fact]:
    """Yield the difference in the task's chief metric between artifact and float parent, paired image by image."""
    if (change := accuracy.change) and change.low is not None and change.high is not None:
        value, low, high = (100 * share for share in (change.value, change.low, change.high))
        yield Fact.of(
            f"{change.name} difference, points",
            f"{value:+.1f} [{low:+.1f}, {high:+.1f}]",
            metric_change_points=value,
            metric_change_low_points=low,
            metric_change_high_points=high,
        )


def _significance(change: Change) -> str:
    images = change.parent.of
    if change.images_needed is None:
        differing = change.only_parent + change.only_this
        return (
            f"Both files are right on the same number of these {counted(images, 'image')}. A difference of up to"
            f" {100 * wilson(differing, images)[1]:.1f} points is still possible, with a confidence of 95 %."
        )
    verdict = "is" if change.is_significant else "is not"
    return (
        f"The difference in accuracy on {counted(images, 'image')} {verdict} significant at 5 %. On"
        f" {change.images_needed} images, a test would find a difference of this size with a power of 80 %."
    )


def _layers(artifact: Artifact) -> Sheet:
    """Return a table of the layers, with the layer that loses most signal-to-quantization-noise ratio (SQNR) first."""
    worst = sorted(artifact.layers, key=lambda layer: -layer.lost_db)
    note = (
        "SQNR: of a layer's output, on calibration images. Lost: SQNR of the layer's inputs minus SQNR of its output."
    )
    return Sheet.of("layers, worst first", _LAYERS, worst, (note,), name="layers")


def _operators(artifact: Artifact) -> Sheet:
    """Return a table of the operators that the runtime still computes in float after it has optimized the graph."""
    share = artifact.integer_share
    macs = [] if share is None else [f"{share:.1%} of the MACs are computed in integers."]
    none = [] if artifact.float_nodes else ["No operator is left in float."]
    notes = (*macs, *none)
    return Sheet.of("operators left in float", _FLOAT_NODES, artifact.float_nodes, notes, name="float_operators")

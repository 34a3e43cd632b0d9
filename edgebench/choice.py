"""A results folder or the published rows, and what a person asks of them -> the configuration to take."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from edgebench.analysis.predict import outlook, own_sweep
from edgebench.foundation import stats
from edgebench.foundation.errors import RequestError, require
from edgebench.foundation.units import MIB, parse_count, parse_latency, parse_share, parse_size
from edgebench.images.catalogue import family
from edgebench.measure.budget import kinds
from edgebench.networks import published
from edgebench.networks.published import runtime, targets, title
from edgebench.results import folders
from edgebench.results.table.choice import Candidate, Choice, Figure, Limit, Quantity, choose
from edgebench.results.table.row import WORTHLESS
from edgebench.schema.variant import network, scheme

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from edgebench.measure.budget.kinds import Cell
    from edgebench.networks.published import Latency
    from edgebench.results.table.row import Row

Q = Quantity
MEASURED, PUBLISHED = "measured", "published"
# A flag, the quantity that it bounds, and how its text becomes the unit of `Quantity`.
LIMITS: dict[str, tuple[Quantity, Callable[[str], float]]] = {
    "max_latency": (Q.LATENCY, parse_latency),
    "max_p90": (Q.P90, parse_latency),
    "max_peak": (Q.PEAK, lambda text: parse_size(text) / MIB),
    "max_file": (Q.FILE, lambda text: parse_size(text) / MIB),
    "max_macs": (Q.MACS, lambda text: parse_count(text) / 1e6),
    "max_instructions": (Q.INSTRUCTIONS, lambda text: parse_count(text) / 1e6),
    "min_top1": (Q.TOP1, parse_share),
    "min_top5": (Q.TOP5, parse_share),
    "min_agreement": (Q.AGREEMENT, parse_share),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a person asks for; an empty text asks for nothing.

    Attributes:
        accuracy: `measured`, or `published`: ImageNet's of the same network, width, resolution and precision.
        predicted: whether cells of the folder's sweep that were not measured may be chosen, by predicted latencies.
    """

    target: str = ""
    precision: str = ""
    dataset: str = ""
    accuracy: str = MEASURED
    objective: Quantity = Q.TOP1
    predicted: bool = False
    limits: tuple[Limit, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The choice, which accuracy each configuration has, and what was left out before choosing."""

    asked: Asked
    choice: Choice
    shared: str
    accuracies: Mapping[str, str]
    notes: tuple[str, ...]


def asked(options: Mapping[str, Any]) -> Asked:
    """Read a command's options.

    Raises:
        RequestError, UnknownName: an option that cannot be met.
    """
    accuracy, objective = options["accuracy"] or MEASURED, options["objective"] or Q.TOP1
    require("accuracy", accuracy, (MEASURED, PUBLISHED))
    require("objective", objective, tuple(Quantity))
    given = [(flag, text) for flag in LIMITS if (text := options[flag])]
    return Asked(
        target=options["target"] or "",
        precision=options["precision"] or "",
        dataset=options["dataset"] or "",
        accuracy=accuracy,
        objective=Quantity(objective),
        predicted=bool(options.get("predicted")),
        limits=tuple(_limit(flag, text) for flag, text in given),
    )


def _limit(flag: str, text: str) -> Limit:
    quantity, read = LIMITS[flag]
    try:
        return Limit(quantity=quantity, bound=read(text))
    except RequestError as error:
        raise RequestError(f"--{flag.replace('_', '-')}: {error}") from error


def answer(folder: Path | None, board: str, asked: Asked) -> Answer:
    """Choose among a folder's rows, or the published ones of a board.

    Raises:
        RequestError: neither was named, or both, or predictions of what was published.
    """
    if board and asked.predicted:
        raise RequestError("--predicted is of a results folder, found --published; leave one out")
    if (folder is None) == (not board):
        raise RequestError("wanted a results folder or --published with a board, found neither or both")
    return measured(folder, asked) if folder else of_published(replace(asked, target=board))


def measured(folder: Path, asked: Asked) -> Answer:
    """Choose among the rows of a results folder.

    Raises:
        InvalidFile: the folder has no journal, or one that cannot be read.
        UnknownName, RequestError: no row is of the target, precision or data set, or accuracies do not compare.
    """
    rows = folders.read(folder).rows
    for name in ("target", "precision", "dataset"):
        wanted = getattr(asked, name)
        require(f"{name} in {folder}", wanted, sorted({getattr(row, name) for row in rows}))
        rows = tuple(row for row in rows if wanted in ("", getattr(row, name)))
    _require_one_dataset(rows, asked)
    worth = [row for row in rows if row.verdict not in WORTHLESS]
    candidates = [Candidate(name="", figures=_figures(row, asked.accuracy)) for row in worth]
    notes = [*_left_out(rows), *_datasets(worth, asked)]
    accuracies = [_accuracy(row, asked.accuracy) for row in worth]
    parts = [_parts(row) for row in worth]
    cells = _predicted(folder, asked) if asked.predicted else []
    return _answer(
        asked,
        [*parts, *map(_predicted_parts, cells)],
        [*candidates, *(Candidate(name="", figures=_predicted_figures(cell, asked.accuracy)) for cell in cells)],
        [*accuracies, *("published, ImageNet" if asked.accuracy == PUBLISHED else "none: not measured" for _ in cells)],
        [*notes, *_doubt(cells, asked)],
    )


def _predicted(folder: Path, asked: Asked) -> list[Cell]:
    """Predict what the folder's sweep has not measured, of what is asked for."""
    cells = outlook(folder, own_sweep(folder)).cells
    return [
        cell
        for cell in cells
        if cell.time_s
        and asked.target in ("", cell.case.target)
        and asked.precision in ("", cell.case.variant.precision)
        and asked.dataset in ("", cell.case.variant.dataset)
    ]


def _predicted_parts(cell: Cell) -> tuple[str, ...]:
    case, variant = cell.case, cell.case.variant
    return (
        network(variant),
        scheme(variant),
        case.target,
        str(case.runtime),
        " ".join(case.runtime.packages),
        _threads(case.threads),
        f"batch {case.batch}",
        f"{variant.dataset}, weights {variant.weights}",
        cell.preset,
        kinds.PREDICTED,
    )


def _predicted_figures(cell: Cell, accuracy: str) -> dict[Quantity, Figure]:
    """Lay out a predicted latency with its 90 % interval, and what is known without measuring."""
    time_s, variant, found = cell.time_s, cell.case.variant, dict[Quantity, "Figure | None"]()
    if accuracy == PUBLISHED:
        found = _reference(variant.architecture, variant.width, variant.resolution, variant.precision)
    if time_s:
        found[Q.LATENCY] = _figure(time_s.value * 1e3, time_s.low * 1e3, time_s.high * 1e3)
    found[Q.MACS] = _figure(cell.macs / 1e6)
    return {quantity: figure for quantity, figure in found.items() if figure}


def _doubt(cells: Sequence[Cell], asked: Asked) -> Iterator[str]:
    """Say how much of what is chosen from was never measured."""
    if asked.predicted:
        yield (
            f"Predicted, not measured: {len(cells)} configurations, each called so, with 90 % intervals where measured"
            " ones have 95 %. Measure one before you rely on it."
        )


def _require_one_dataset(rows: Sequence[Row], asked: Asked) -> None:
    """Refuse to compare accuracies counted on different images."""
    used = {asked.objective, *(limit.quantity for limit in asked.limits)}
    found = sorted({row.dataset for row in rows if row.top1 is not None})
    if asked.accuracy == MEASURED and len(found) > 1 and used & {Q.TOP1, Q.TOP5}:
        raise RequestError(f"wanted accuracies on one data set, found {' and '.join(found)}: add --dataset {found[0]}")


def _parts(row: Row) -> tuple[str, ...]:
    return (
        row.network,
        row.scheme,
        row.target,
        f"{row.runtime} {row.runtime_version} {row.runtime_options}".rstrip(),
        row.runtime_packages,
        _threads(row.threads),
        f"batch {row.batch}",
        f"{row.dataset}, weights {row.weights}",
        row.preset,
        "",
    )


def _threads(count: int | None) -> str:
    return "threads not stated" if count is None else f"{count} thread{'s' if count > 1 else ''}"


def _figures(row: Row, accuracy: str) -> dict[Quantity, Figure]:
    """Lay out what a row has; with `published` accuracy its own top-1 and top-5 are not looked at."""
    theirs = accuracy == PUBLISHED
    found = {
        Q.LATENCY: _figure(row.p50_ms, row.p50_low_ms, row.p50_high_ms),
        Q.P90: _figure(row.p90_ms),
        Q.PEAK: _figure(row.peak_mib),
        Q.FILE: _figure(row.file_mib),
        Q.MACS: _figure(row.macs and row.macs / 1e6),
        Q.INSTRUCTIONS: _figure(row.instructions_m),
        Q.TOP1: None if theirs else _figure(row.top1, row.top1_low, row.top1_high),
        Q.TOP5: None if theirs else _figure(row.top5, row.top5_low, row.top5_high),
        Q.AGREEMENT: _share(row.agreement, row.images or 0),
    }
    if theirs:
        reference = _reference(row.architecture, row.width, row.resolution, row.precision)
        found |= {quantity: reference[quantity] for quantity in (Q.TOP1, Q.TOP5)}  # its multiply-adds stay its own
    return {quantity: figure for quantity, figure in found.items() if figure}


def _figure(value: float | None, low: float | None = None, high: float | None = None) -> Figure | None:
    if value is None:
        return None
    return Figure(value=value, low=value if low is None else low, high=value if high is None else high)


def _share(per_cent: float | None, images: int) -> Figure | None:
    """Give a share of so many images Wilson's interval."""
    if per_cent is None:
        return None
    low, high = stats.wilson(round(per_cent / 100 * images), images)
    return Figure(value=per_cent, low=min(100 * low, per_cent), high=max(100 * high, per_cent))


def _reference(architecture: str, width: float, resolution: int, precision: str) -> dict[Quantity, Figure | None]:
    found = published.reference(architecture, width, resolution, precision)
    return {
        Q.TOP1: _share(found.top1 if found else None, published.IMAGENET_IMAGES),
        Q.TOP5: _share(found.top5 if found else None, published.IMAGENET_IMAGES),
        Q.MACS: _figure(found.macs / 1e6 if found and found.macs else None),
    }


def _accuracy(row: Row, accuracy: str) -> str:
    return f"measured on {row.dataset}" if accuracy == MEASURED else "published, ImageNet"


def _left_out(rows: Iterable[Row]) -> Iterator[str]:
    counts = Counter(row.verdict for row in rows if row.verdict in WORTHLESS)
    if counts:
        yield f"Left out: {', '.join(f'{count} {verdict}' for verdict, count in sorted(counts.items()))}."


def _datasets(rows: Iterable[Row], asked: Asked) -> Iterator[str]:
    if asked.accuracy == PUBLISHED:
        yield "Accuracy: published for ImageNet, not that of the measured files; `edgebench published` has the sources."
        return
    for name in sorted({row.dataset for row in rows}):
        yield f"Data set {name}: {family(name).NOTE}"


def of_published(asked: Asked) -> Answer:
    """Choose among the published latencies of a board, before anything was measured.

    Latency is the published median, else the mean. Accuracy is the row's own, else the network's reference, and the
    reference alone where that was asked for.

    Raises:
        UnknownName: nothing was published for the board or in the precision.
    """
    require("published target", asked.target, targets())
    rows = [row for row in published.latencies() if row.target == asked.target]
    require(f"precision published for {asked.target}", asked.precision, sorted({row.precision for row in rows}))
    rows = [row for row in rows if asked.precision in ("", row.precision)]
    owns = [row.top1 is not None and asked.accuracy == MEASURED for row in rows]
    candidates = [Candidate(name="", figures=_cited(row, own=own)) for row, own in zip(rows, owns, strict=True)]
    accuracies = ["the row's own" if own else "published, ImageNet" for own in owns]
    note = "Latency is the published median, else the mean; top-1 is ImageNet's. Nothing here was measured by you."
    parts = [_cited_parts(row) for row in rows]
    return _answer(asked, parts, candidates, accuracies, [note])


def _cited(row: Latency, *, own: bool) -> dict[Quantity, Figure]:
    found = _reference(row.architecture, row.width, row.resolution, row.precision) | {
        Q.LATENCY: _figure(row.mean_ms if row.p50_ms is None else row.p50_ms),
        Q.P90: _figure(row.p90_ms),
    }
    if own:
        found[Q.TOP1] = _share(row.top1, published.IMAGENET_IMAGES)
    return {quantity: figure for quantity, figure in found.items() if figure}


def _cited_parts(row: Latency) -> tuple[str, ...]:
    clock = f"{row.clock_mhz} MHz" if row.clock_mhz else "clock not stated"
    where = row.source.partition(",")[0]
    return title(row), row.precision, runtime(row), _threads(row.threads), clock, row.board, where


def _answer(
    asked: Asked,
    parts: Sequence[tuple[str, ...]],
    candidates: Sequence[Candidate],
    accuracies: Sequence[str],
    notes: Sequence[str],
) -> Answer:
    """Name the candidates by what tells them apart, and choose."""
    shared, names = _named(parts)
    named = [Candidate(name=name, figures=one.figures) for name, one in zip(names, candidates, strict=True)]
    return Answer(
        asked=asked,
        choice=choose(named, asked.limits, asked.objective),
        shared=shared,
        accuracies=dict(zip(names, accuracies, strict=True)),
        notes=tuple(notes),
    )


def _named(parts: Sequence[tuple[str, ...]]) -> tuple[str, list[str]]:
    """Split descriptions into what all share and what tells each apart; network and precision are always said.

    Two that nothing tells apart are numbered: a choice goes by name.
    """
    varies = [index < 2 or len(set(column)) > 1 for index, column in enumerate(zip(*parts, strict=True))]
    names = [", ".join(part for part, tells in zip(one, varies, strict=True) if tells and part) for one in parts]
    kept = [part for part, tells in zip(parts[0], varies, strict=True) if not tells and part] if parts else []
    seen = Counter[str]()
    return " · ".join(kept), [_numbered(name, seen) for name in names]


def _numbered(name: str, seen: Counter[str]) -> str:
    seen[name] += 1
    return name if seen[name] == 1 else f"{name} ({seen[name]})"

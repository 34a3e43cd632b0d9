"""Six cells measured and the others predicted, against what the others really took.

`python -m tests.benchmarks.prediction [results/mine ...]` prints, for the published grids of the Raspberry Pi 4 (one
runtime, version, precision and family each) and for the grids in results folders: the median and the 90th percentile
of the relative error on the cells that were not among the six, and how many of these lie in their 90 % interval. The
intervals' two constants are the likeliest on the ArmNN grids, found again here; the TFLite grids had no part in them.

Then the same for top-1 on ImageNet, with errors in points: TF-Slim's figures, those of MLPerf's submitters for the same
checkpoints, on which the constants of these intervals are the likeliest, and others. The six cells are those that tell
most about latency and metric together, as `run --budget` takes them.
"""

import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from math import log
from pathlib import Path
from statistics import median, quantiles

from edgebench.foundation import stats
from edgebench.measure.budget import kinds, metric
from edgebench.measure.budget.fit import ENOUGH, Work, fit, informative
from edgebench.measure.budget.metric import Share, Size
from edgebench.networks import published
from edgebench.networks.published import IMAGENET_IMAGES, PublishedAccuracy, PublishedLatency
from edgebench.results.journal import existing
from edgebench.schema.record import Session
from edgebench.schema.variant import Precision, Variant, WeightSource

LEAST_CELLS = 2 * ENOUGH  # of a grid that something is left to predict of
TUNED_ON = "armnn"
SCATTERS, FREEDOMS = (0.015, 0.02, 0.025, 0.03, 0.035, 0.04, 0.05), (1, 2, 3, 4, 6, 8)
METRIC_TUNED_ON = "mlcommons"  # in the source
METRIC_SCATTERS = (0.01, 0.015, *SCATTERS[1:])
Grid = Sequence[tuple[Work, Size, float]]  # of a cell: what it computes, its size, its latency or metric


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """How predictions of some grids' cells compare with what was measured: relative errors, and whether they held."""

    grids: int
    errors: tuple[float, ...]
    held: tuple[bool, ...]

    def __str__(self) -> str:
        if not self.errors:
            return f"no grid of {LEAST_CELLS} cells whose numbers are worth something"
        return (
            f"{self.grids:3} grids, {len(self.errors):4} cells held out: error median {median(self.errors):5.1%},"
            f" 90th percentile {quantiles(self.errors, n=10)[-1]:5.1%}; intervals hold"
            f" {sum(self.held) / len(self.held):5.1%}"
        )


def work(one: PublishedLatency | PublishedAccuracy) -> Work:
    """Count what a published network computes."""
    return kinds.work(
        Variant(
            architecture=one.architecture,
            width=one.width,
            resolution=one.resolution,
            precision=Precision.FP32,
            classes=1000,
            weights=WeightSource.RANDOM,
            dataset="digits",
        )
    )


def published_grids() -> dict[str, list[Grid]]:
    """Return the published grids that are large enough, by runtime: medians, else means, else p90, never mixed."""
    grids = defaultdict[tuple[object, ...], dict[tuple[float, int], PublishedLatency]](dict)
    for one in published.latencies():
        setup = (one.board, one.runtime, one.runtime_version, one.threads, one.clock_mhz, one.source)
        grids[(*setup, one.architecture, one.precision, figure(one))][one.width, one.resolution] = one
    found = defaultdict[str, list[Grid]](list)
    for grid in grids.values():
        if len(grid) >= LEAST_CELLS:
            ordered = [one for _, one in sorted(grid.items())]
            found[ordered[0].runtime].append(
                [(work(one), (one.width, one.resolution), getattr(one, figure(one))) for one in ordered]
            )
    return found


def figure(one: PublishedLatency) -> str:
    """Name the figure that a published row is known by."""
    return next(name for name in ("p50_ms", "mean_ms", "p90_ms") if getattr(one, name) is not None)


def measured_grids(folder: Path) -> Iterator[Grid]:
    """Yield the grids of a results folder that are large enough."""
    records = tuple(existing(folder))
    session = [one for one in records if isinstance(one, Session)][-1]
    for kind in kinds.kinds_of(kinds.measured(session, records)):
        if len(kind.works) >= LEAST_CELLS:
            sizes = [(case.variant.width, case.variant.resolution) for case in kind.cases]
            yield tuple(zip(kind.works, sizes, kind.times_s, strict=True))


def score(grids: Iterable[Grid]) -> Score:
    """Fit the informative cells of each grid and predict the others."""
    errors, held, grids = list[float](), list[bool](), tuple(grids)
    for grid in grids:
        works, values, chosen = _held_out(grid)
        found = fit([works[index] for index in chosen], [values[index] for index in chosen])
        for index in sorted(set(range(len(grid))) - set(chosen)):
            predicted = found.predict(works[index])
            errors.append(abs(predicted.value / values[index] - 1))
            held.append(predicted.low <= values[index] <= predicted.high)
    return Score(grids=len(grids), errors=tuple(errors), held=tuple(held))


def _held_out(grid: Grid) -> tuple[list[Work], list[float], tuple[int, ...]]:
    """Return what each cell computes, what it took, and which are measured: the others are held out."""
    works = [one for one, _, _ in grid]
    chosen = informative(works, ENOUGH, metric_terms=metric.terms([size for _, size, _ in grid]))
    return works, [value for _, _, value in grid], chosen


def metric_grids() -> dict[str, Grid]:
    """Return the published grids of top-1, per cent, that are large enough, by family, precision and source."""
    grids = defaultdict[str, dict[Size, PublishedAccuracy]](dict)
    for one in published.accuracies():
        grids[f"{one.architecture} {one.precision} {one.source}"].setdefault((one.width, one.resolution), one)
    return {
        name: [(work(one), size, one.top1) for size, one in sorted(grid.items())]
        for name, grid in grids.items()
        if len(grid) >= LEAST_CELLS
    }


def metric_score(grid: Grid, prior: tuple[float, int] = metric.PRIOR) -> tuple[Score, float]:
    """Fit the informative cells of a grid and predict the others: errors in points; and the log density of these."""
    from scipy.stats import t

    errors, held, likelihood = list[float](), list[bool](), 0.0
    _, values, chosen = _held_out(grid)
    sizes = [size for _, size, _ in grid]
    shares = [_share_of(value) for value in values]
    surface = metric.fit([sizes[index] for index in chosen], [shares[index] for index in chosen], sizes, prior)
    for index in sorted(set(range(len(grid))) - set(chosen)):
        predicted = surface.predict(sizes[index])
        assert predicted
        errors.append(abs(100 * predicted.value - values[index]))
        held.append(predicted.low <= shares[index].value <= predicted.high)
        gap = shares[index].logit - metric.logit(predicted.value)
        likelihood += float(t.logpdf(gap, surface.freedom, scale=surface.deviation(sizes[index])))
    return Score(grids=1, errors=tuple(errors), held=tuple(held)), likelihood


def _share_of(per_cent: float) -> Share:
    low, high = stats.wilson(round(per_cent / 100 * IMAGENET_IMAGES), IMAGENET_IMAGES)
    return Share(value=per_cent / 100, low=low, high=high)


def likeliest_of_metric(grids: Sequence[Grid]) -> tuple[float, int]:
    """Return the prior under which the metrics that were held out are most likely."""
    return max(
        product(METRIC_SCATTERS, FREEDOMS), key=lambda prior: sum(metric_score(grid, prior)[1] for grid in grids)
    )


def likeliest(grids: Sequence[Grid]) -> tuple[float, int]:
    """Return the prior under which what was held out is most likely: scatter, and its degrees of freedom."""
    return max(product(SCATTERS, FREEDOMS), key=lambda prior: sum(_likelihood(grid, prior) for grid in grids))


def _likelihood(grid: Grid, prior: tuple[float, int]) -> float:
    """Return the log density, by Student's t, of the cells that were held out."""
    from scipy.stats import t

    works, values, chosen = _held_out(grid)
    found = fit([works[index] for index in chosen], [values[index] for index in chosen], prior)
    rest = sorted(set(range(len(grid))) - set(chosen))
    errors = [log(values[index] / found.predict(works[index]).value) for index in rest]
    return float(t.logpdf(errors, found.freedom, scale=[found.deviation(works[index]) for index in rest]).sum())


def main() -> None:
    """Print a line for each runtime with published grids, and for each results folder that is named."""
    for runtime, grids in sorted(published_grids().items()):
        print(f"{runtime:24}{score(grids)}")
        if runtime == TUNED_ON:
            print("{:24}likeliest prior on these: scatter {:.1%}, {} degrees of freedom".format("", *likeliest(grids)))
    _print_metrics()
    for folder in sys.argv[1:]:
        print(f"{folder:24}{score(measured_grids(Path(folder)))}")


def _print_metrics() -> None:
    """Print a line for each published grid of top-1, one for all of them, and the prior."""
    grids = metric_grids()
    scores = {name: metric_score(grid)[0] for name, grid in grids.items()}
    for name, found in scores.items():
        print(
            f"top-1, {name[:60]:60} {len(found.errors):3} cells held out: error median {median(found.errors):4.2f}"
            f" points, 90th percentile {quantiles(found.errors, n=10)[-1]:4.2f}; intervals hold {sum(found.held)}"
        )
    held = [each for found in scores.values() for each in found.held]
    print(f"top-1, all: intervals hold {sum(held) / len(held):5.1%} of {len(held)}")
    tuned = [grid for name, grid in grids.items() if METRIC_TUNED_ON in name]
    print(
        "top-1, likeliest prior on MLPerf's: scatter {:.1%}, {} degrees of freedom".format(*likeliest_of_metric(tuned))
    )


if __name__ == "__main__":
    main()

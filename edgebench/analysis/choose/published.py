"""The published latencies of a board -> one option of the choice per published row; nothing has to be measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgebench.analysis.choose.option import (
    PUBLISHED_ACCURACY,
    Configuration,
    Offer,
    Option,
    figure,
    imagenet,
    known,
    share,
    threads,
)
from edgebench.analysis.choose.request import MEAN, MEASURED, P50, Q
from edgebench.foundation.errors import RequestError, require
from edgebench.foundation.units import counted
from edgebench.networks import published
from edgebench.schema.variant import network

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from edgebench.analysis.choose.request import Request
    from edgebench.networks.published import PublishedAccuracy, PublishedLatency
    from edgebench.results.table.choice import Figure, Quantity

NOTE = (
    "Latency is the published median, or a mean (marked) if only a mean was published. Top-1 is the published top-1 on"
    " ImageNet. None of these figures was measured by you."
)

NOTE_OF_DETECTORS = (
    "Latency is the published median, or a mean (marked) if only a mean was published. mAP was published with the row,"
    " for the data set that the row's note names. None of these figures was measured by you."
)
DETECTION, NO_ACCURACY = "detection", "none published"


def offer(request: Request) -> Offer:
    """Make an option of each latency published for the target in the requested precision.

    Latency is the published median, or the mean if no median was published. Top-1 is the figure that was published with
    the row. If no top-1 was published with the row, or if the request asks for published accuracy, the network's
    reference accuracy is used. Rows are left out if they time only kernels, have random weights or are estimates,
    unless the request has `any_published`.

    Raises:
        UnknownName: nothing was published for the board, or nothing in this precision.
    """
    references, latencies = published.references(), published.of_task(request.task)
    if not latencies:
        raise RequestError(f"wanted --task classification or detection with --published, found {request.task}")
    board = request.selection.target
    require("published target", board, published.targets(request.task))
    rows = [row for row in latencies if row.target == board]
    matching = request.selection.select(rows, lambda row: row, f"those published for {board}")
    left_out = [] if request.any_published else [row for row in matching if row.reservation]
    usable = [row for row in matching if request.any_published or not row.reservation]
    return Offer(
        options=tuple(
            _option(
                row,
                references.get((row.architecture, row.width, row.resolution, row.precision)),
                has_own=row.top1 is not None and request.accuracy == MEASURED,
                is_detector=request.task == DETECTION,
            )
            for row in usable
        ),
        notes=(NOTE_OF_DETECTORS if request.task == DETECTION else NOTE, *_left_out(left_out)),
        metric=Q.MAP if request.task == DETECTION else Q.TOP1,
    )


def _left_out(rows: Sequence[PublishedLatency]) -> Iterator[str]:
    if rows:
        why = " / ".join(dict.fromkeys(row.reservation for row in rows))
        rows_without = f"{counted(len(rows), 'row')} without the time of a whole inference"
        yield f"Left out: {rows_without} ({why}); --any-published includes them."


def _option(row: PublishedLatency, reference: PublishedAccuracy | None, *, has_own: bool, is_detector: bool) -> Option:
    own = {Q.TOP1: share(row.top1, published.IMAGENET_IMAGES)} if has_own else {}
    own |= {Q.MAP: figure(row.map)} if row.map is not None else {}
    return Option(
        configuration=_configuration(row),
        figures=known(_figures(row, reference) | own),
        accuracy="the row's own" if has_own or row.map is not None else NO_ACCURACY * is_detector or PUBLISHED_ACCURACY,
        statistic=P50 if row.p50_ms is not None else MEAN if row.mean_ms is not None else "",
        note="; ".join(filter(None, (row.note, f"mAP on {row.dataset}" if row.dataset else ""))),
    )


def _configuration(row: PublishedLatency) -> Configuration:
    return Configuration(
        network=network(row),
        scheme=row.precision,
        runtime=f"{row.runtime} {row.runtime_version}".rstrip(),
        threads=threads(row.threads),
        clock=f"{row.clock_mhz} MHz" if row.clock_mhz else "clock not stated",
        board=row.board,
        source=row.source.partition(",")[0],
    )


def _figures(row: PublishedLatency, reference: PublishedAccuracy | None) -> dict[Quantity, Figure | None]:
    latency = row.mean_ms if row.p50_ms is None else row.p50_ms
    return imagenet(reference) | {Q.LATENCY: figure(latency), Q.P90: figure(row.p90_ms)}

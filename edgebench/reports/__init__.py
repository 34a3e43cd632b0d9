"""Ways to write a table, one file each.

A report offers
    FILE                       its name in a results folder
    render(table) -> str

and does no I/O of its own.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One case under one preset; the fields are the columns of `comparison.csv`, in order.

    The unit is the last word of a name: ms, mib (2**20 bytes), m (millions), db; `top1*`, `top5*`, `parent_top1`,
    `agreement`, `integer_share` and `published_top1` are per cent. None where there is no such figure: `reasons` says
    why.
    """

    target: str
    architecture: str
    width: float
    resolution: int
    precision: str
    quantization: str
    weights: str
    runtime: str
    runtime_version: str
    runtime_options: str
    runtime_packages: str
    preset: str
    threads: int
    batch: int
    params: int | None
    macs: int | None
    file_mib: float | None
    load_ms: float | None
    first_ms: float | None
    p50_ms: float | None
    p50_low_ms: float | None
    p50_high_ms: float | None
    p90_ms: float | None
    processes: int
    samples: int
    model_mib: float | None
    peak_mib: float | None
    instructions_m: float | None
    top1: float | None
    top1_low: float | None
    top1_high: float | None
    top5: float | None
    top5_low: float | None
    top5_high: float | None
    images: int | None
    dataset: str
    preprocessing: str
    parent_top1: float | None
    only_parent: int | None
    only_this: int | None
    mcnemar_p: float | None
    images_needed: int | None
    agreement: float | None
    sqnr_db: float | None
    integer_share: float | None
    worst_layer: str | None
    worst_layer_sqnr_db: float | None
    published_top1: float | None
    verdict: str
    reasons: str
    rank: int | None
    tied: bool
    epoch: str

    @property
    def group(self) -> tuple[str, ...]:
        """What rows must share to be compared by rank: the machine as it was then, and all but the variant."""
        run = (
            self.runtime,
            self.runtime_version,
            self.runtime_options,
            self.runtime_packages,
            str(self.threads),
            str(self.batch),
            self.preset,
        )
        return (self.target, self.epoch, *run, self.weights, self.dataset)


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows in order, and what a reader must know to believe them."""

    title: str
    rows: tuple[Row, ...]
    notes: tuple[str, ...]

    @property
    def has_failures(self) -> bool:
        """Tell whether some row has no answer."""
        return any(row.verdict == "FAILED" for row in self.rows)

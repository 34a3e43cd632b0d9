"""A row and its file -> the tables of a card: what the file is, how it was made, and which figures to expect."""

from __future__ import annotations

from functools import partial
from hashlib import sha256
from operator import itemgetter
from typing import TYPE_CHECKING

from edgebench.export.custom.inspect import Port
from edgebench.foundation.sheet import IDENTITY, OBJECTIVE, Column, Fact, Sheet
from edgebench.foundation.units import milliseconds, number
from edgebench.images.preprocessing import WHITE, normalization
from edgebench.images.splits import recipe
from edgebench.results.table.columns import flat

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from edgebench.results.measurement.evidence import Evidence
    from edgebench.results.table.row import Row
    from edgebench.schema.artifact import Artifact
    from edgebench.schema.variant import Preprocessing

OBJECTS = ("'", "{", "<", "(", "None")  # how Python writes objects; other lines of the card say the same in words
_FACTS: tuple[Column[Fact], ...] = (
    Column.text("what", lambda fact: fact.what, IDENTITY),
    Column.text("value", lambda fact: fact.text, OBJECTIVE),
)
_PORTS: tuple[Column[Port], ...] = (
    Column.text("name", lambda port: port.name, IDENTITY),
    Column.text("type", lambda port: port.dtype, type=lambda port: port.dtype),
    Column.text("shape", lambda port: port.shape or None),
)
_CLASSES: tuple[Column[tuple[int, str]], ...] = (
    Column.figure("number", lambda entry: entry[0], rank=IDENTITY),
    Column.text("name", lambda entry: entry[1], OBJECTIVE),
)
_FILES: tuple[Column[tuple[str, bytes]], ...] = (
    Column.text("file", itemgetter(0), IDENTITY),
    Column.figure("bytes", lambda entry: len(entry[1])),
    Column.text(
        "SHA-256", lambda entry: sha256(entry[1]).hexdigest(), sha256=lambda entry: sha256(entry[1]).hexdigest()
    ),
)


def sheets(
    evidence: Evidence,
    row: Row,
    files: Mapping[str, bytes],
    ports: tuple[Sequence[Port], Sequence[Port]],
    classes: Sequence[str],
    channels: int,
    notes: Sequence[str],
) -> tuple[Sheet, ...]:
    """Return the tables of a row's card, which describes the row's file.

    `files` are the contents of the other files in the folder, by name. `ports` are the model's inputs and outputs.
    """
    artifact, variant = evidence.artifact, evidence.case.variant
    assert artifact, "a row whose file is in the cache has an artifact"
    takes, makes = ports
    title = f"{row.setup.title} on {row.setup.place}"
    return tuple(
        filter(
            None,
            (
                Sheet.of_facts(title, _FACTS, _expected(row), notes, name="expected"),
                Sheet.of("files", _FILES, files.items(), name="files"),
                _pictures(recipe(variant), variant.resolution, channels) if not variant.feed else None,
                Sheet.of("inputs", _PORTS, takes, name="inputs"),
                Sheet.of("outputs", _PORTS, makes, name="outputs"),
                Sheet.of("classes", _CLASSES, enumerate(classes), name="classes") if classes else None,
                Sheet.of_facts("how it was made", _FACTS, _made(artifact, evidence), name="made"),
                Sheet.of_facts("where it was measured", _FACTS, _machine(evidence), name="machine"),
                Sheet.of_facts("the row", _FACTS, _columns(row), ("Every column of comparison.csv.",), name="row"),
            ),
        )
    )


def _expected(row: Row) -> Iterator[Fact]:
    """Yield the figures that a user of the file can expect, with their intervals."""
    latency, memory, setup = row.latency, row.memory, row.setup
    ends = (latency.p50_low_ms, latency.p50_high_ms)
    yield Fact.of("latency, p50", f"{_with_ends(milliseconds, latency.p50_ms, ends)} ms", p50_ms=latency.p50_ms)
    yield Fact.of("latency, p90", f"{milliseconds(latency.p90_ms)} ms", p90_ms=latency.p90_ms)
    yield Fact.of("interval of p50", "95 %", p50_low_ms=ends[0], p50_high_ms=ends[1], processes=latency.processes)
    yield Fact.of("peak memory of the process", f"{number(memory.peak_mib, 1)} MiB", peak_mib=memory.peak_mib)
    for name, figure in row.quality.metrics.items():
        shown = _with_ends(partial(number, digits=1), figure.value, (figure.low, figure.high))
        text = f"{shown} % on {row.quality.images} images of {setup.dataset}"
        yield Fact.of(name, text, **{name: figure.value, f"{name}_low": figure.low, f"{name}_high": figure.high})
    why = f": {row.reasons}" if row.reasons else ""
    yield Fact.of("verdict", f"{row.verdict}{why}", verdict=row.verdict, reasons=row.reasons or None)
    yield Fact.of(
        "runs on",
        f"{setup.runtime} {setup.runtime_version} {setup.runtime_options}, threads {setup.threads}",
        runtime=setup.runtime,
        runtime_version=setup.runtime_version,
        runtime_options=setup.runtime_options or None,
        threads=setup.threads,
        batch=setup.batch,
    )


def _with_ends(show: Callable[[float | None], str], value: float | None, ends: Sequence[float | None]) -> str:
    low, high = ends
    return show(value) if low is None or high is None else f"{show(value)} [{show(low)}, {show(high)}]"


def _pictures(own: Preprocessing, side: int, channels: int) -> Sheet:
    """Return a table that says, with all numbers, how a picture becomes the network's input."""
    of = normalization(own, WHITE, grey=channels == 1)
    shorter = max(own.shorter_side or int(side / own.crop), side)
    by_resizing = f"resize the shorter side to {shorter} pixels, then crop the central {side} x {side}"
    by_cropping = f"crop the central part, {own.crop:g} of each side, then resize it to {side} x {side} pixels"
    way = by_resizing if own.first == "resize" else by_cropping
    facts = (
        Fact.of("size", way, name=own.name, first=own.first, crop=own.crop, shorter_side_pixels=shorter),
        Fact.of("interpolation", own.interpolation, interpolation=own.interpolation, side_pixels=side),
        Fact.of("order of channels", own.channels, channels=own.channels, grey=of.grey),
        Fact.of(
            "values",
            f"(level / {of.divisor:g} - mean) / deviation, for pixel levels from 0 to 255",
            divisor=of.divisor,
            mean=of.mean,
            deviation=of.deviation,
        ),
        Fact.of("mean", ", ".join(f"{value:g}" for value in of.mean)),
        Fact.of("deviation", ", ".join(f"{value:g}" for value in of.deviation)),
        Fact.of("outputs before the data set's first class", str(own.label_offset), label_offset=own.label_offset),
    )
    return Sheet.of_facts("preprocessing of a picture", _FACTS, facts, name="preprocessing")


def _made(artifact: Artifact, evidence: Evidence) -> Iterator[Fact]:
    yield Fact.of("format", artifact.format, format=artifact.format)
    scheme = str(artifact.quantization or artifact.given or "")
    yield Fact.of("quantization", scheme or "none", quantization=scheme or None)
    yield Fact.of(
        "calibrated on", f"{artifact.calibrated_on or 0} images", calibration_images=artifact.calibrated_on or 0
    )
    yield Fact.of("float parent", artifact.parent or "none", parent=artifact.parent or None)
    yield Fact.of("weights", artifact.weights, weights=artifact.weights)
    yield Fact.of(
        "SHA-256 of the weights", artifact.weights_sha256 or "-", weights_sha256=artifact.weights_sha256 or None
    )
    yield Fact.of("data set", evidence.case.variant.dataset, dataset=evidence.case.variant.dataset)
    yield Fact.of("parameters", _count(artifact.params), params=artifact.params)
    yield Fact.of("multiply-adds", _count(artifact.macs), macs=artifact.macs)
    yield Fact.of("edgebench", evidence.session.edgebench, edgebench=evidence.session.edgebench)
    shown = {name: value for name, value in artifact.made_by.items() if not value.startswith(OBJECTS)}
    yield Fact.of("sources and tools", f"{len(shown)}, listed below", made_by=artifact.made_by)
    for name, value in shown.items():
        yield Fact.of(name, value)


def _count(count: int | None) -> str:
    return "-" if count is None else f"{count:,}"


def _machine(evidence: Evidence) -> Iterator[Fact]:
    here = evidence.session.environment
    yield Fact.of("target", here.target, target=here.target)
    yield Fact.of("measured", evidence.session.started_at, started_at=evidence.session.started_at)
    yield Fact.of("epoch", here.epoch, epoch=here.epoch, facts=here.facts, packages=here.packages)
    for name, fact in here.facts.items():
        yield Fact.of(name, str(fact))
    for name, version in here.packages.items():
        yield Fact.of(f"package {name}", version)


def _columns(row: Row) -> Iterator[Fact]:
    for name, value in flat(row).items():
        if value not in (None, ""):
            yield Fact.of(name, str(value), **{name: value})

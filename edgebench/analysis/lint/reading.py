"""A results table or a foreign CSV -> the rows to check, and findings on its format."""

from __future__ import annotations

import csv
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from edgebench.analysis.lint import dialect, names
from edgebench.analysis.lint.rules import CheckedRow, Finding
from edgebench.foundation.errors import InvalidFile, RequestError, require
from edgebench.foundation.escape import from_csv, plain
from edgebench.networks import published
from edgebench.schema.names import dataset_plugin, origin
from edgebench.schema.variant import Precision

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from edgebench.analysis.lint.names import Pattern

MOST_ENTRIES = 100_000  # configurations, about 100 MB in memory; repeated rows are only counted
MOST_FINDINGS = 1_000
MOST_CHARACTERS = 1 << 20  # characters in a line; a longer line is refused without reading the rest
NETWORK = ("architecture", "width", "resolution", "precision", "quantization")
SETUP = (
    "target", "board", "epoch", "runtime", "runtime_version", "runtime_options", "runtime_packages", "threads", "batch",
    "preset", "weights", "dataset", "preprocessing", "clock_mhz", "source",
)  # fmt: skip
FIGURES = ("p50_ms", "p50_low_ms", "p50_high_ms", "mean_ms", "p90_ms", "macs", "top1", "map", "miou", "iou")
MISFIT = "misfit"  # key of a misfit row: why its cells do not match the heading
ORIGIN, PREDICTED = "figure", "predicted"  # a column that marks predicted rows
FED = "inputs"  # width of networks that have none; no rule compares them with others
COLUMNS = (*NETWORK, *SETUP, *FIGURES, FED, ORIGIN)
NUMBERS = (*FIGURES, "width", "resolution")


@dataclass(slots=True, kw_only=True)
class Reading:
    """The rows of a table by identity, how often each is repeated, and the cells that are not numbers.

    Attributes:
        precisions: for each unknown spelling of a precision, the numbers of the first lines with it.
        predicted: number of rows that say so: they are not measured, and no rule looks at them.
    """

    entries: dict[Any, CheckedRow] = field(default_factory=dict)
    repeats: Counter[Any] = field(default_factory=Counter)
    odd: list[Finding] = field(default_factory=list)
    precisions: dict[str, list[int]] = field(default_factory=dict)
    rows: int = 0
    predicted: int = 0


@contextmanager
def csv_rows(path: Path, columns: str) -> Iterator[Iterator[tuple[int, dict[str, str | float]]]]:
    """Yield the rows of a table under our column names, each with its line number."""
    try:
        with path.open(newline="", encoding=dialect.encoding(path), errors="replace") as stream:
            separator = dialect.separator(next(_lines(stream, path), ""))
            stream.seek(0)
            reader = csv.DictReader(_lines(stream, path), delimiter=separator)
            names, combined = _mapping(columns, tuple(reader.fieldnames or ()), path)
            yield ((reader.line_num, _named(row, names, combined, separator)) for row in reader)
    except (OSError, csv.Error, UnicodeError) as error:
        raise InvalidFile(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from error


def _lines(stream: TextIO, path: Path) -> Iterator[str]:
    """Yield the lines of a table; the length of a line is limited, to limit memory.

    Raises:
        InvalidFile: a line is too long.
    """
    for number, line in enumerate(iter(partial(stream.readline, MOST_CHARACTERS + 1), ""), 1):
        if len(line) > MOST_CHARACTERS:
            raise InvalidFile(
                f"{path}:{number}: wanted a table, found a line of more than {MOST_CHARACTERS} characters"
            )
        yield line


def _misfit(row: Mapping[Any, Any]) -> str:
    """Return why a row's cells do not match the heading; extra empty cells are allowed."""
    if any(row.get(None) or ()):
        return "more cells than the heading has"
    return "fewer cells than the heading has" if None in row.values() else ""


def _named(
    row: Mapping[str, str | None], names: Mapping[str, str], combined: Mapping[str, Pattern], separator: str
) -> dict[str, str | float]:
    """Return a row under our column names; a separate column takes precedence over a combined one."""
    if problem := _misfit(row):
        return {MISFIT: problem}
    own = {ours: from_csv(row[theirs] or "") for ours, theirs in names.items()}
    parts = dict[str, str]()
    for theirs, pattern in combined.items():
        parts |= pattern.read(from_csv(row[theirs] or "")) or dict.fromkeys(pattern.columns(), "")
    return {name: _as_number(name, text, separator) for name, text in (parts | own).items()}


def _as_number(name: str, text: str, separator: str) -> str | float:
    """Normalize the notation of a number; any other text is returned unchanged and reported later."""
    if name not in NUMBERS or not text:
        return text
    try:
        return dialect.number(text, separator)
    except ValueError:
        return text


def _mapping(columns: str, header: tuple[str, ...], path: Path) -> tuple[dict[str, str], dict[str, Pattern]]:
    """Return our column names with the file's, whether equal or mapped, and the patterns of combined columns.

    Raises:
        UnknownName, RequestError, InvalidFile: a heading is unknown, not in the file, there twice, or missing although
            needed; a pattern is invalid.
    """
    mapping = dict(part.strip().partition("=")[::2] for part in columns.split(",") if part.strip())
    combined = {name: names.pattern(text) for name, text in mapping.items() if name in header and name not in COLUMNS}
    mapping = {ours: theirs for ours, theirs in mapping.items() if ours not in combined}
    for ours, theirs in mapping.items():
        require("column of ours", ours, COLUMNS)
        require(f"column in {path}", theirs, header)
    mapped = {name: name for name in COLUMNS if name in header} | mapping
    if twice := [theirs for theirs in {*mapped.values(), *combined} if header.count(theirs) > 1]:
        raise InvalidFile(
            f"{path}: wanted one column {min(twice)}, found {header.count(min(twice))}: rename the others"
        )
    there = mapped.keys() | {name for pattern in combined.values() for name in pattern.columns()}
    lacking = [name for name in ("width", "resolution") if name not in there]
    if lacking or not there & set(FIGURES):
        wanted = ", ".join([*lacking, *([] if there & set(FIGURES) else ["a figure such as p50_ms or top1"])])
        raise InvalidFile(
            f"{path}: no column for {wanted}: map its own with --columns width=alpha,p50_ms=latency,"
            f" or split full names with model={next(iter(names.SHIPPED))}"
        )
    return mapped, combined


def read(rows: Iterable[tuple[int, Mapping[str, Any]]]) -> Reading:
    """Keep the first row of every configuration, and count its repetitions.

    Raises:
        RequestError: the table has no rows, or too many configurations.
    """
    reading = Reading()
    for line, values in rows:
        reading.rows += 1
        if problem := values.get(MISFIT):
            _tell(reading.odd, line, f"{problem}: the row is left out", rule="cells")
            continue
        if values.get(FED):
            continue
        if values.get(ORIGIN) == PREDICTED:
            reading.predicted += 1
            continue
        entry = _entry(line, values, reading)
        if entry is None:
            continue
        if entry.identity in reading.entries:
            reading.repeats[entry.identity] += 1
        elif len(reading.entries) == MOST_ENTRIES:
            raise RequestError(f"wanted at most {MOST_ENTRIES} configurations, found more by line {line}: lint a part")
        else:
            reading.entries[entry.identity] = entry
    if not reading.rows:
        raise RequestError("wanted a table with rows, found a heading alone: nothing to lint")
    return reading


def _entry(line: int, values: Mapping[str, Any], reading: Reading) -> CheckedRow | None:
    """Read one row; return None if it has no width or resolution. Add unreadable cells to `reading`."""
    figures = {name: _number(line, name, values.get(name), reading.odd) for name in NUMBERS}
    width, resolution = figures.pop("width"), figures.pop("resolution")
    if width is None or not isfinite(width) or resolution is None or resolution != resolution // 1:
        found = f"{width} and {resolution}"
        _tell(reading.odd, line, f"wanted a width and a whole resolution, found {found}: the row is left out")
        return None
    words = {name: plain(str(values.get(name) or "")) for name in (*NETWORK, *SETUP)}
    precision = _precision(line, words["precision"], reading) if "precision" in values else ""
    known = published.reference(words["architecture"], width, int(resolution), precision)
    theirs = known if dataset_plugin(words["dataset"]) in ("", published.IMAGENET) else None
    middle = next((figures[name] for name in ("p50_ms", "mean_ms", "p90_ms") if figures[name] is not None), None)
    parts = (words["architecture"], f"{width:g} @{resolution:g}", precision, words["quantization"])
    return CheckedRow(
        line=line,
        name=" ".join(filter(None, parts)),
        setup=tuple(origin(words[name]) if name == "weights" else words[name] for name in SETUP),
        architecture=words["architecture"],
        width=width,
        resolution=int(resolution),
        precision=precision,
        quantization=words["quantization"],
        latency_ms=middle,
        low_ms=figures["p50_low_ms"],
        high_ms=figures["p50_high_ms"],
        macs=figures["macs"] or (known.macs if known else None),
        **{name: figures[name] for name in ("mean_ms", "p50_ms", "p90_ms", "top1", "map", "miou", "iou")},
        published_top1=theirs.top1 if theirs else None,
    )


def _precision(line: int, text: str, reading: Reading) -> str:
    """Return the precision in our spelling; note a missing or unknown one as a finding."""
    if known := names.precision(text):
        return known
    lines = reading.precisions.setdefault(text, [])
    if len(lines) < MOST_FINDINGS:
        lines.append(line)
    return text


def unknown_precisions(reading: Reading) -> Iterator[Finding]:
    """A row's precision is known; otherwise no rule can compare it with its float twin."""
    for text, lines in reading.precisions.items():
        problem = f"{text!r} is not a known precision" if text else "the precision is missing"
        known = ", ".join(Precision)
        yield Finding(
            rule="precision", lines=tuple(lines), text=f"{problem} ({known}): no rule compares it with its float twin"
        )


def _number(line: int, name: str, cell: object, odd: list[Finding]) -> float | None:
    """Parse a number; an empty cell is None. Any other text is a finding, even `12 ms`, since units may be mixed."""
    if cell is None or cell == "":
        return None
    try:
        return dialect.number(str(cell), dialect.COMMA)
    except ValueError:
        _tell(odd, line, f"{name}: wanted a number in the heading's unit, found {plain(str(cell))[:40]!r}")
        return None


def _tell(odd: list[Finding], line: int, text: str, rule: str = "no number") -> None:
    if len(odd) < MOST_FINDINGS:
        odd.append(Finding(rule=rule, lines=(line,), text=text))


def duplicates(reading: Reading) -> Iterator[Finding]:
    """A table has one row per configuration."""
    for identity, count in reading.repeats.items():
        row = reading.entries[identity]
        text = f"{row.name}: {count} more equal row{'s' if count > 1 else ''}; only the first is checked"
        yield Finding(rule="duplicate", lines=(row.line,), text=text)

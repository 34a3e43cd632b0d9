"""A results table, or a CSV of another tool -> the rows to check, and findings on the format of its cells."""

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
    from collections.abc import Set as AbstractSet

    from edgebench.analysis.lint.names import Pattern

MOST_ENTRIES = 100_000  # most configurations (about 100 MB of memory); repeated rows are only counted
MOST_FINDINGS = 1_000
MOST_CHARACTERS = 1 << 20  # most characters in a line; a longer line is refused, and its rest is not read
NETWORK = ("architecture", "width", "resolution", "precision", "quantization")
SETUP = (
    "target", "board", "epoch", "runtime", "runtime_version", "runtime_options", "runtime_packages", "threads", "batch",
    "preset", "weights", "dataset", "preprocessing", "clock_mhz", "source",
)  # fmt: skip
FIGURES = ("p50_ms", "p50_low_ms", "p50_high_ms", "mean_ms", "p90_ms", "macs", "top1", "map", "miou", "iou")
MISFIT = "misfit"  # key in a row whose cells do not match the heading; the value says why
ORIGIN, PREDICTED = "figure", "predicted"  # the name of the column that marks predicted rows, and the text of the mark
FED = "inputs"  # the column of models' inputs; rows with a value in it have no width, and no rule compares them
ENDS = ("top1_low", "top1_high")  # the columns of the interval of the top-1
COLUMNS = (*NETWORK, *SETUP, *FIGURES, *ENDS, FED, ORIGIN)
NUMBERS = (*FIGURES, *ENDS, "width", "resolution")
WHOLE = "whole"  # key of a row's full names; two rows with different full names are always two configurations
# Headings of other tools, as `names.folded` writes them. The network's name can be spread over several such columns.
NAMING = (
    "model", "modelname", "network", "networkname", "net", "nn", "arch", "backbone", "name", "benchmark", "command",
    "test", "workload", "graph", "graphname", "file", "filename", "onnx", "tflite",
)  # fmt: skip
SYNONYMS = {
    "width": ("alpha", "widthmultiplier", "widthmult", "depthmultiplier", "multiplier"),
    "resolution": ("rho", "imgsize", "imagesize", "inputsize", "inputresolution", "inferimgsize"),
    "precision": ("dtype", "datatype", "quant", "numerics"),
    "target": ("device", "hardware", "machine", "platform", "host", "system", "soc"),
    "runtime": ("engine", "framework", "backend", "executionprovider", "provider", "delegate"),
    "batch": ("batchsize", "inferbatchsize"),
    "threads": ("numthreads", "nthreads"),
    "p50_ms": ("medianms", "latencyms", "p50latencyms", "medianlatencyms"),
    "mean_ms": ("avgms", "averagems", "meanlatencyms", "avglatencyms"),
}
UNFOLDED = (FED, ORIGIN)  # columns whose headings must be edgebench's own, because a value in them excludes its row


@dataclass(slots=True, kw_only=True)
class Reading:
    """The rows of a table that are to be checked, and the findings from reading them.

    Attributes:
        entries: the first row of each configuration.
        repeats: how often each configuration is repeated.
        odd: findings, such as cells that are not numbers.
        precisions: for each unknown spelling of a precision, the numbers of the first lines with this spelling.
        predicted: number of rows that are marked as predicted, which no rule checks.
        fed: number of rows of models without a width, which no rule compares.
    """

    entries: dict[Any, CheckedRow] = field(default_factory=dict)
    repeats: Counter[Any] = field(default_factory=Counter)
    odd: list[Finding] = field(default_factory=list)
    precisions: dict[str, list[int]] = field(default_factory=dict)
    rows: int = 0
    predicted: int = 0
    fed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Headings:
    """The meaning of the columns of a table.

    Attributes:
        names: for edgebench's name of each column, the heading in the file.
        combined: for the heading of a column with full names, the pattern that splits these names.
        naming: the headings of columns whose words together name the network; an empty tuple if a single column or a
            pattern names it.
        is_guessed: whether `naming` is a guess. If no heading says that it names a network, all columns without another
            meaning are taken.
    """

    names: Mapping[str, str]
    combined: Mapping[str, Pattern]
    naming: tuple[str, ...]
    is_guessed: bool

    @property
    def note(self) -> str:
        """Say which columns are taken as the network's name; an empty text if one column or a pattern has the name."""
        if "architecture" in self.names or self.combined:
            return ""
        if not self.naming:
            return "No column gives the network, so all rows count as one network."
        listed = plain(", ".join(self.naming))
        return (
            f"The network is named by {listed}: `--columns architecture={plain(self.naming[0])}` takes only the first."
        )


@contextmanager
def csv_rows(path: Path, columns: str) -> Iterator[tuple[Iterator[tuple[int, dict[str, str | float]]], Headings]]:
    """Yield a table's rows (by edgebench's column names) with their line numbers, and the meaning of its columns."""
    try:
        with path.open(newline="", encoding=dialect.encoding(path), errors="replace") as stream:
            separator = dialect.separator(next(_lines(stream, path), ""))
            stream.seek(0)
            reader = csv.DictReader(_lines(stream, path), delimiter=separator)
            headings = _headings(columns, tuple(reader.fieldnames or ()), path)
            yield ((reader.line_num, _named(row, headings, separator)) for row in reader), headings
    except (OSError, csv.Error, UnicodeError) as error:
        raise InvalidFile(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from error


def _lines(stream: TextIO, path: Path) -> Iterator[str]:
    """Yield the lines of a table. The length of a line is limited, so that a broken file cannot fill the memory.

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
    """Return why a row's cells do not match the heading; an empty text if they match. Additional empty cells are
    allowed.
    """
    if any(row.get(None) or ()):
        return "the row has more cells than the heading"
    return "the row has fewer cells than the heading" if None in row.values() else ""


def _named(row: Mapping[str, str | None], headings: Headings, separator: str) -> dict[str, str | float]:
    """Map edgebench's column names to the row's cells. A property's own column takes precedence over a full name."""
    if problem := _misfit(row):
        return {MISFIT: problem}
    cells = {theirs: from_csv(cell or "").strip() for theirs, cell in row.items() if theirs is not None}
    own = {ours: cells[theirs] for ours, theirs in headings.names.items()}
    parts = dict[str, str]()
    for theirs, pattern in headings.combined.items():
        # Even a name that does not match the pattern tells its network apart from other networks.
        parts |= pattern.read(cells[theirs]) or dict.fromkeys(pattern.columns(), "") | {"architecture": cells[theirs]}
    parts[WHOLE] = " ".join(cells[theirs] for theirs in headings.combined)
    if headings.naming:
        texts = [cells[theirs] for theirs in headings.naming]
        parts["architecture"] = " ".join(
            text for text in texts if text and not (headings.is_guessed and _is_number(text, separator))
        )
    return {name: _as_number(name, text, separator) for name, text in (parts | own).items()}


def _is_number(text: str, separator: str) -> bool:
    try:
        dialect.number(text, separator)
    except ValueError:
        return False
    return True


def _as_number(name: str, text: str, separator: str) -> str | float:
    """Return the number in a cell. A text that is not a number is returned unchanged, and is reported later."""
    if name not in NUMBERS or not text:
        return text
    try:
        return dialect.number(text, separator)
    except ValueError:
        return text


def _headings(columns: str, header: tuple[str, ...], path: Path) -> Headings:
    """Return what each column means. A heading is known if edgebench or another tool uses it, or if the user maps it.

    Raises:
        UnknownName, RequestError, InvalidFile: a heading is unknown, is not in the file, or is in it twice; a column
            that is needed is missing; or a pattern is invalid.
    """
    mapping = dict(part.strip().partition("=")[::2] for part in columns.split(",") if part.strip())
    combined = {name: names.pattern(text) for name, text in mapping.items() if name in header and name not in COLUMNS}
    mapping = {ours: theirs for ours, theirs in mapping.items() if ours not in combined}
    for ours, theirs in mapping.items():
        require("column of ours", ours, COLUMNS)
        require(f"column in {path}", theirs, header)
    mapped = {name: name for name in COLUMNS if name in header} | mapping
    mapped |= _synonyms(header, mapped, combined)
    if twice := [theirs for theirs in {*mapped.values(), *combined} if header.count(theirs) > 1]:
        raise InvalidFile(
            f"{path}: wanted one column {min(twice)}, found {header.count(min(twice))}: rename all but one"
        )
    there = mapped.keys() | {name for pattern in combined.values() for name in pattern.columns()}
    _require_complete(there, path)
    naming, is_guessed = ((), False) if "architecture" in there else _naming(header, mapped)
    return Headings(names=mapped, combined=combined, naming=naming, is_guessed=is_guessed)


def _synonyms(header: tuple[str, ...], mapped: Mapping[str, str], combined: Mapping[str, Pattern]) -> dict[str, str]:
    """Return the headings that stand for one of edgebench's columns in another spelling or in another tool's words.

    A column is left out if several headings could stand for it.
    """
    taken, found = {*mapped.values(), *combined}, dict[str, str]()
    split = {name for pattern in combined.values() for name in pattern.columns()}
    for ours in COLUMNS:
        if ours in mapped or ours in UNFOLDED:
            continue
        known = {names.folded(ours), *(SYNONYMS.get(ours, ()) if ours not in split else ())}
        meant = [theirs for theirs in header if theirs not in taken and names.folded(theirs) in known]
        if len(meant) == 1:
            found[ours] = meant[0]
    return found


def _naming(header: tuple[str, ...], mapped: Mapping[str, str]) -> tuple[tuple[str, ...], bool]:
    """Return the columns that name the network, and whether this is a guess.

    If no heading is known to name networks, guess that all columns without another meaning name them together.
    """
    spare = tuple(theirs for theirs in header if theirs not in mapped.values())
    known = tuple(theirs for theirs in spare if names.folded(theirs) in NAMING)
    return (known, False) if known else (spare, True)


def _require_complete(there: AbstractSet[str], path: Path) -> None:
    """Raise InvalidFile for a table that lacks a column for the width, for the resolution, or for any figure."""
    lacking = [name for name in ("width", "resolution") if name not in there]
    if lacking or not there & set(FIGURES):
        wanted = ", ".join([*lacking, *([] if there & set(FIGURES) else ["a figure such as p50_ms or top1"])])
        raise InvalidFile(
            f"{path}: no column for {wanted}: say which columns these are with --columns width=alpha,p50_ms=latency,"
            f" or split full names with --columns model={next(iter(names.SHIPPED))}"
        )


def read(rows: Iterable[tuple[int, Mapping[str, Any]]]) -> Reading:
    """Read a table: keep the first row of every configuration, and count how often it is repeated.

    Raises:
        RequestError: the table has no rows, or too many configurations.
    """
    reading = Reading()
    for line, values in rows:
        reading.rows += 1
        if problem := values.get(MISFIT):
            _tell(reading.odd, line, f"{problem} and is left out", rule="cells")
            continue
        if values.get(FED):
            reading.fed += 1
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
            raise RequestError(
                f"wanted at most {MOST_ENTRIES} configurations, found more by line {line}; split the table"
            )
        else:
            reading.entries[entry.identity] = entry
    if not reading.rows:
        raise RequestError("wanted a table with rows, found only a heading, so there is nothing to check")
    return reading


def _entry(line: int, values: Mapping[str, Any], reading: Reading) -> CheckedRow | None:
    """Read one row. Record unreadable cells in `reading`. Return None if the row lacks a width or a resolution."""
    figures = {name: _number(line, name, values.get(name), reading.odd) for name in NUMBERS}
    width, resolution = figures.pop("width"), figures.pop("resolution")
    if width is None or not isfinite(width) or resolution is None or resolution != resolution // 1:
        found = f"{width} and {resolution}"
        _tell(reading.odd, line, f"wanted a width and a resolution in whole pixels, found {found}: the row is left out")
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
        **{name: figures[name] for name in ("mean_ms", "p50_ms", "p90_ms", "top1", *ENDS, "map", "miou", "iou")},
        published_top1=theirs.top1 if theirs else None,
        whole=plain(str(values.get(WHOLE) or "")),
    )


def _precision(line: int, text: str, reading: Reading) -> str:
    """Return the precision in edgebench's spelling. If the precision is missing or unknown, record the line number."""
    if known := names.precision(text):
        return known
    lines = reading.precisions.setdefault(text, [])
    if len(lines) < MOST_FINDINGS:
        lines.append(line)
    return text


def unknown_precisions(reading: Reading) -> Iterator[Finding]:
    """Yield a finding for each unknown precision: no rule can compare such a row with the float row of its network."""
    for text, lines in reading.precisions.items():
        problem = f"{text!r} is not a known precision" if text else "the precision is missing"
        known = ", ".join(Precision)
        yield Finding(
            rule="precision", lines=tuple(lines), text=f"{problem} ({known}): no rule compares it with its float row"
        )


def _number(line: int, name: str, cell: object, odd: list[Finding]) -> float | None:
    """Return the number in a cell; None for an empty cell.

    A text that is not a number is a finding, even `12 ms`, because cells with units could have different units.
    """
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
    """Yield a finding for each configuration that has more than one row."""
    for identity, count in reading.repeats.items():
        row = reading.entries[identity]
        text = f"{row.name}: {count} more equal row{'s' if count > 1 else ''}; only the first row is checked"
        yield Finding(rule="duplicate", lines=(row.line,), text=text)

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
    from collections.abc import Set as AbstractSet

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
WHOLE = "whole"  # key of a row's full names; rows whose full names differ are never one configuration
# Headings of other tools, as `names.folded` writes them. Several columns may name the network together.
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
UNFOLDED = (FED, ORIGIN)  # their cells leave a row out: only our own spelling does that


@dataclass(slots=True, kw_only=True)
class Reading:
    """The rows of a table by identity, how often each is repeated, and the cells that are not numbers.

    Attributes:
        precisions: for each unknown spelling of a precision, the numbers of the first lines with it.
        predicted: number of rows that say so: they are not measured, and no rule looks at them.
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
    """What a table's columns mean.

    Attributes:
        names: the file's heading of each of our columns.
        combined: the patterns of columns with full names.
        naming: the headings whose words together name the network; empty if a column or a pattern does it alone.
        is_guessed: whether `naming` are all columns without another meaning, because no heading says what it names.
    """

    names: Mapping[str, str]
    combined: Mapping[str, Pattern]
    naming: tuple[str, ...]
    is_guessed: bool

    @property
    def note(self) -> str:
        """Say which columns tell the networks apart, unless one was named; empty then."""
        if "architecture" in self.names or self.combined:
            return ""
        if not self.naming:
            return "No column names a network: all rows count as one network."
        listed = plain(", ".join(self.naming))
        return f"The network is named by {listed}: `--columns architecture={plain(self.naming[0])}` takes that alone."


@contextmanager
def csv_rows(path: Path, columns: str) -> Iterator[tuple[Iterator[tuple[int, dict[str, str | float]]], Headings]]:
    """Yield the rows of a table under our column names, each with its line number, and what its columns mean."""
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


def _named(row: Mapping[str, str | None], headings: Headings, separator: str) -> dict[str, str | float]:
    """Return a row under our column names; a separate column takes precedence over a combined one."""
    if problem := _misfit(row):
        return {MISFIT: problem}
    cells = {theirs: from_csv(cell or "").strip() for theirs, cell in row.items() if theirs is not None}
    own = {ours: cells[theirs] for ours, theirs in headings.names.items()}
    parts = dict[str, str]()
    for theirs, pattern in headings.combined.items():
        # A name that does not fit still tells its network from others.
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
    """Normalize the notation of a number; any other text is returned unchanged and reported later."""
    if name not in NUMBERS or not text:
        return text
    try:
        return dialect.number(text, separator)
    except ValueError:
        return text


def _headings(columns: str, header: tuple[str, ...], path: Path) -> Headings:
    """Find out what each column means, whether it has our heading, another tool's, or is mapped by the user.

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
    mapped |= _synonyms(header, mapped, combined)
    if twice := [theirs for theirs in {*mapped.values(), *combined} if header.count(theirs) > 1]:
        raise InvalidFile(
            f"{path}: wanted one column {min(twice)}, found {header.count(min(twice))}: rename the others"
        )
    there = mapped.keys() | {name for pattern in combined.values() for name in pattern.columns()}
    _require_complete(there, path)
    naming, is_guessed = ((), False) if "architecture" in there else _naming(header, mapped)
    return Headings(names=mapped, combined=combined, naming=naming, is_guessed=is_guessed)


def _synonyms(header: tuple[str, ...], mapped: Mapping[str, str], combined: Mapping[str, Pattern]) -> dict[str, str]:
    """Return our columns that the file has under another spelling or another tool's name, if only one may be meant."""
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
    """Return the columns that name the network, and whether that is guessed: then all without another meaning."""
    spare = tuple(theirs for theirs in header if theirs not in mapped.values())
    known = tuple(theirs for theirs in spare if names.folded(theirs) in NAMING)
    return (known, False) if known else (spare, True)


def _require_complete(there: AbstractSet[str], path: Path) -> None:
    """Refuse a table without a column for a width, a resolution or any figure."""
    lacking = [name for name in ("width", "resolution") if name not in there]
    if lacking or not there & set(FIGURES):
        wanted = ", ".join([*lacking, *([] if there & set(FIGURES) else ["a figure such as p50_ms or top1"])])
        raise InvalidFile(
            f"{path}: no column for {wanted}: map its own with --columns width=alpha,p50_ms=latency,"
            f" or split full names with model={next(iter(names.SHIPPED))}"
        )


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
        whole=plain(str(values.get(WHOLE) or "")),
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

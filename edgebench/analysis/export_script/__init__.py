"""A row of a results folder -> a Python script that measures the row again with only numpy and the row's runtime."""

from __future__ import annotations

from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgebench.agent import feed, measure, reference
from edgebench.agent.runtimes import ncnn
from edgebench.analysis.why import evidence
from edgebench.foundation import cache, escape
from edgebench.foundation.errors import RequestError
from edgebench.foundation.shelf import load
from edgebench.results.measurement import summarize
from edgebench.schema.artifact import Artifact
from edgebench.schema.cards import FedData
from edgebench.schema.case import PRESETS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jinja2 import Environment

    from edgebench.foundation.cache import FileCard
    from edgebench.results.measurement.evidence import Evidence
    from edgebench.schema.case import Case
    from edgebench.schema.feed import Input

RUNTIMES = ("onnxruntime", "litert", "openvino", "ncnn", "tflite_runtime")
SHOWN = 5  # of each output, the script prints this number of values


class Code(str):
    """Python source text, which a template inserts without changes."""

    __slots__ = ()


def script(query: str) -> str:
    """Return the script of the row that `query` names, in the same words as for `edgebench why`.

    Raises:
        InvalidFile, UnknownName, RequestError: no row or more than one matches, the row has no latency on a CPU, its
            runtime has no script, or its files are no longer in the cache.
    """
    row = evidence(query)
    _require_script(row)
    return rendered(row, files_of(row, "measure it again"))


def rendered(row: Evidence, files: Sequence[FileCard]) -> str:
    """Return the script of a row; `files` are its artifact and the arrays of its inputs."""
    paths = [(str(cache.path_of(card)), card.sha256) for card in files]
    return templates().get_template("script.py.jinja").render(_of_row(row) | of_case(row.case), files=paths)


def templates(*folders: Path) -> Environment:
    """Return a jinja environment with the templates of this folder and of other folders.

    The environment writes every value as a Python literal, except `Code`, which it writes unchanged.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(  # noqa: S701  # every value is written as a Python literal
        loader=FileSystemLoader((Path(__file__).parent, *folders)),
        finalize=_literal,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["shaped"] = _shape
    return environment


def _require_script(row: Evidence) -> None:
    """Raise RequestError if a script cannot measure the row again."""
    if row.case.variant.feed and row.case.variant.feed.parts:
        raise RequestError(f"wanted a row of one model file, found {row.case.variant}; measure one of its files alone")
    runtime, wanted = row.case.runtime, f"wanted a row of {', '.join(RUNTIMES)} with a latency on a CPU"
    if runtime.name not in RUNTIMES:
        raise RequestError(f"{wanted}, found one of {runtime.name}; measure it with --runtime onnxruntime")
    devices = load("runtimes", runtime.name).DEVICES
    if other := [option for option in runtime.options if devices.get(option, "cpu") != "cpu"]:
        raise RequestError(f"{wanted}, found {', '.join(other)}; measure it with --target cpu")
    if summarize(row).p50_s is None:
        raise RequestError(f"{wanted}, found no latency of {row.case}; measure it on a real machine")


def _of_row(row: Evidence) -> dict[str, Any]:
    """Return the template's values that come from the row: its latency and its numbers of processes and samples."""
    measurement = summarize(row)
    ends_s = (measurement.p50_s, measurement.low_s, measurement.high_s)
    p50_ms, low_ms, high_ms = (round(time_s * 1e3, 6) for time_s in ends_s if time_s is not None)
    return {
        "row": escape.terminal(f"{row.case} {row.session.preset}"),
        "p50_ms": p50_ms,
        "low_ms": low_ms,
        "high_ms": high_ms,
        "has_interval": measurement.has_interval,
        "processes": len(row.timed),
        "iterations": len(row.timed[-1].samples_s),
        "settings": PRESETS[row.session.preset],
    }


def files_of(row: Evidence, advice: str) -> tuple[FileCard, ...]:
    """Return the cache's cards (descriptions) of the measured artifact and of the arrays that were its inputs.

    Raises:
        RequestError: one of these files is not in the cache; the message ends with `advice`.
    """
    artifact, fed = row.artifact, row.case.variant.feed
    kept = cache.with_hash(Artifact, artifact.sha256) if artifact else None
    files = [_required(kept, f"the artifact of {row.case}", advice)]
    if fed and fed.data_sha256:
        arrays = cache.with_hash(FedData, fed.data_sha256)
        files.append(_required(arrays, f"the arrays {fed.data} of {row.case}", advice))
    return tuple(files)


def _required(card: FileCard | None, what: str, advice: str) -> FileCard:
    if card is None:
        raise RequestError(f"wanted {what} in the cache, found none with its hash; {advice}")
    return card


def of_case(case: Case) -> dict[str, Any]:
    """Return the template's values that say how the agent opens a model's file, prepares the inputs and times the
    inferences.
    """
    fed = case.variant.feed
    bfloat16 = tuple(entry.name for entry in fed.inputs if entry.dtype == feed.BFLOAT16) if fed else ()
    return {
        "runtime": case.runtime.name,
        "package": load("runtimes", case.runtime.name).NEEDS[0],
        "version": escape.terminal(case.runtime.version),
        "options": case.runtime.options,
        "param": ncnn.PARAM,
        "threads": case.threads,
        "batch": case.batch,
        "feed": fed,
        "data": fed.data_sha256 if fed else "",
        "has_bfloat16": bool(bfloat16),
        "bfloat16_names": bfloat16,
        "seed": feed.SEED,
        "group_s": measure.BEATS_APART_S,
        "groups": measure.LEAST_GROUPS,
        "beat_bytes": reference.BEAT_BYTES,
        "beat_times": reference.BEAT_TIMES,
        "shown": SHOWN,
    }


def _shape(entry: Input, batch: int) -> tuple[int, ...]:
    return tuple(size or batch for size in entry.shape)


def _literal(value: object) -> str:
    """Write any value as a Python literal on one line."""
    if isinstance(value, Code):
        return value
    if isinstance(value, str):
        return escape.python(value)
    if isinstance(value, tuple):
        parts = ", ".join(map(_literal, value))
        return f"({parts},)" if len(value) == 1 else f"({parts})"
    return repr(value) if not isinstance(value, float) or isfinite(value) else f'float("{value}")'

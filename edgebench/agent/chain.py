"""One session for a model of several graphs, called parts: it runs the parts in order and times each part.

The model's file is a zip without compression; its members are the graphs, in order.
"""

from __future__ import annotations

import atexit
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any
from zipfile import ZipFile

from edgebench.agent import has_parts
from edgebench.agent.feed import arrays

FACT = "part_{}_s"  # key of a part's median time in seconds, in the session's facts; parts are counted from 1


def unpacked(request: dict[str, Any]) -> dict[str, Any]:
    """If the artifact has several parts, unpack them; return the request with the parts' paths added as `files`.

    The parts are unpacked into a temporary folder, which this process deletes when it ends.
    """
    if not has_parts(request) or "files" in request:
        return request
    scratch = TemporaryDirectory(prefix="edgebench-")
    atexit.register(scratch.cleanup)
    return request | {"files": unpack(request["path"], scratch.name)}


def open_parts(runtime: Any, request: dict[str, Any]) -> Session:
    """Open a session of the runtime on each part."""
    feed, files = request["feed"], unpacked(request)["files"]
    values = arrays(feed, request["batch"])
    options = {key: request[key] for key in ("threads", "batch", "options")}
    sessions = [
        runtime.open(file, **options, feed=_of_part(part, feed["inputs"], values))
        for file, part in zip(files, feed["parts"], strict=True)
    ]
    return Session(sessions=sessions, links=[part["links"] for part in feed["parts"]])


def _of_part(part: Mapping[str, Any], inputs: Sequence[Mapping[str, Any]], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the feed of one part: the inputs that no earlier part computes, and their values."""
    entries, own = {entry["name"]: entry for entry in inputs}, dict(part["inputs"])
    return {
        "inputs": [{**entries[shared], "name": name} for name, shared in own.items()],
        "signature": part["signature"],
        "values": {name: values[shared] for name, shared in own.items()},
    }


@dataclass(kw_only=True)
class Session:
    """The sessions of all parts of a model; `took_s` has one tuple per inference, with the seconds of each part."""

    sessions: Sequence[Any]
    links: Sequence[Sequence[Mapping[str, Any]]]
    took_s: list[tuple[float, ...]] = field(default_factory=list)

    def run(self) -> None:
        """Run the parts in order, each on its bound inputs and on the outputs of earlier parts."""
        stamps = [perf_counter()]
        for session, links in zip(self.sessions, self.links, strict=True):
            for link in links:
                session.give(link["input"], self.sessions[link["part"]].take(link["output"]))
            session.run()
            stamps.append(perf_counter())
        self.took_s.append(tuple(after - before for before, after in pairwise(stamps)))

    def outputs(self) -> dict[str, Any]:
        """Return every output of the last part's latest run, by name."""
        outputs: dict[str, Any] = self.sessions[-1].outputs()
        return outputs

    def facts(self) -> dict[str, str]:
        """Return the sessions' facts, and the median seconds of each part over the second half of all inferences."""
        facts = dict[str, str]()
        for session in self.sessions:
            for name, fact in session.facts().items():
                facts[name] = _joined(facts.get(name, fact), fact)
        settled = self.took_s[len(self.took_s) // 2 :]
        times = {FACT.format(place): repr(median(part)) for place, part in enumerate(zip(*settled, strict=True), 1)}
        return facts | times


def _joined(known: str, fact: str) -> str:
    """Join the values that two parts report for the same fact, with a comma; return `none` if one value is `none`."""
    if "none" in (known, fact):
        return "none"
    return known if fact in known.split(", ") else f"{known}, {fact}"


def pack(files: Sequence[Path], path: Path) -> None:
    """Write graphs to one file; the same graphs always give the same bytes."""
    from zipfile import ZipInfo

    with ZipFile(path, "w") as packed:
        for place, file in enumerate(files):
            with (
                file.open("rb") as source,
                packed.open(ZipInfo(f"{place}{file.suffix}"), "w", force_zip64=True) as goal,
            ):
                while block := source.read(2**20):
                    goal.write(block)


def unpack(path: str | Path, folder: str | Path) -> list[str]:
    """Unpack the graphs of a file into a folder; return their paths in order."""
    with ZipFile(path) as packed:
        return [packed.extract(name, folder) for name in packed.namelist()]

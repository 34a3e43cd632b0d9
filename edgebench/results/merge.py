"""Results folders -> one results folder with all their records, each once; the given folders are only read."""

from __future__ import annotations

import hashlib
import os
import re
import tomllib
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field, replace
from filecmp import cmp
from itertools import chain
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any

from edgebench.foundation import files
from edgebench.foundation.errors import InvalidFile, RequestError
from edgebench.foundation.lock import lock_folder
from edgebench.foundation.units import counted
from edgebench.results import pictures
from edgebench.results.folders import RESULTS, results_folder
from edgebench.results.journal import JOURNAL, Journal, decoded, keep_damaged, line_of
from edgebench.schema.environment import Difference, differences, lasting, words
from edgebench.schema.names import require_name
from edgebench.schema.record import Run, Session

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from typing import IO

    from edgebench.schema.record import Record

SWEEP = "sweep.toml"
HISTORY = "nights"  # a nightly history has a folder of this name
TARGETS = "targets"  # the only key in which the sweeps of the folders may differ
ADVICE = "free disk space, or run in a folder that you may write to"
SHOWN = 5  # number of differences between two machines that a sentence names
MACHINE = "machine "  # in the words of an environment, the names of a machine's facts begin with this
_ALBUM = re.compile(r"[0-9a-f]{16}\.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """The result of a merge.

    Attributes:
        records: number of records in the merged journal.
        new: how many of these records the merged journal did not have before.
        aside: number of lines left out, including incomplete lines.
        reasons: for the first lines that were left out of each folder, what is wrong with each line.
        conflicts: sentences about machines and versions that differ between the folders.
        original: path of the merged folder's earlier journal if that journal was damaged; otherwise None.
    """

    records: int
    new: int
    aside: int
    reasons: tuple[str, ...]
    conflicts: tuple[str, ...]
    original: Path | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Source:
    """What a folder's journal contributes.

    Attributes:
        lines: for each session, the hashes of its records' lines, in the order of the journal.
        sessions: the record of each session, without the cases.
        heads: for each session, the hashes of the lines that have its record.
        spans: for each session, the start times of its first and of its last process.
        aside: number of invalid and of incomplete lines.
        reasons: what is wrong with the first invalid lines.
    """

    folder: Path
    lines: dict[str, dict[bytes, None]] = field(default_factory=lambda: defaultdict(dict))
    sessions: dict[str, Session] = field(default_factory=dict)
    heads: dict[str, set[bytes]] = field(default_factory=lambda: defaultdict(set))
    spans: dict[str, tuple[str, str]] = field(default_factory=dict)
    aside: int = 0
    reasons: tuple[str, ...] = ()


@dataclass(slots=True, kw_only=True)
class _Spool:
    """A temporary file with every distinct line.

    Attributes:
        places: the place of each line in the file, by the line's hash.
        texts: the hashes of the lines that may be the same record in several formats.
    """

    stream: IO[bytes]
    places: dict[bytes, tuple[int, int]] = field(default_factory=dict)
    texts: dict[int, list[bytes]] = field(default_factory=lambda: defaultdict(list))
    end: int = 0

    def add(self, line: bytes, record: Record) -> bytes:
        """Store a record's line, unless it is stored already; return its hash."""
        digest = hashlib.sha256(line).digest()
        if digest not in self.places:
            self.places[digest] = self.end, len(line)
            self.end += self.stream.write(line)
            self.texts[_kin(record)].append(digest)
        return digest

    def line(self, digest: bytes) -> bytes:
        """Return the line that has this hash."""
        start, size = self.places[digest]
        return os.pread(self.stream.fileno(), size, start)

    def unified(self) -> dict[bytes, bytes]:
        """Return the hash of the usual format of each line whose record may be there in several formats."""
        self.stream.flush()
        several = [digest for digests in self.texts.values() if len(digests) > 1 for digest in digests]
        usual = dict[bytes, bytes]()
        for digest in several:
            record = decoded(self.line(digest))
            usual[digest] = self.add(line_of(record), record)
        self.stream.flush()
        return usual


def _kin(record: Record) -> int:
    """Return a hash that is the same for all lines of a record, and different for nearly all other records."""
    if isinstance(record, Session):
        return hash(record.id)
    started_at = record.started_at if isinstance(record, Run) else ""
    return hash((record.session, type(record), getattr(record, "case", None), started_at))


def merge(folders: Sequence[Path], name: str) -> Merged:
    """Join the journals of results folders in `results/<name>`, which keeps the records that it already has.

    The same record in several journals is one record. The order of the folders does not matter, and merging the same
    folders again changes nothing. Invalid lines are left out.

    Raises:
        Busy: a run or another merge is writing `results/<name>`.
        InvalidFile: a folder has no journal, none of the journal's lines can be read, or its sweep cannot be read.
        RequestError: the folders have different sweeps, two sessions have the same identity, or the merged folder
            cannot be written.
    """
    for folder in folders:
        _require_results(folder)
    require_name(name)
    goal = RESULTS / name
    sources = sorted({folder.resolve(): folder for folder in (*folders, goal)}.values(), key=str)
    sweep = _sweep(sources)
    with lock_folder(results_folder(name)):
        try:
            return _merged(sources, goal, sweep)
        except OSError as error:
            raise RequestError(f"cannot write {goal}: {error.strerror}; {ADVICE}") from error
        finally:
            with suppress(OSError):  # after an error, do not leave a new folder that is empty
                goal.rmdir()


def _merged(sources: Sequence[Path], goal: Path, sweep: bytes) -> Merged:
    """Write everything that the merged folder lacks: the journal, the sweep, the test pictures."""
    with TemporaryFile(dir=goal) as stream:
        merged = _joined(sources, goal, _Spool(stream=stream))
    if sweep and not _has_content(goal / SWEEP, sweep):
        files.write(goal / SWEEP, sweep, ADVICE)
    _copy_pictures(sources, goal)
    return merged


def _require_results(folder: Path) -> None:
    """Refuse a folder without a journal; a shard without cases has a sweep and no journal, and is accepted.

    Raises:
        InvalidFile: the folder is not a results folder.
    """
    try:
        if (folder / HISTORY).is_dir():
            raise InvalidFile(f"wanted results of `edgebench run`, found the nightly history {folder}; copy its files")
        is_found = any((folder / file).exists() for file in (JOURNAL, SWEEP))
    except OSError as error:
        raise InvalidFile(f"cannot read {folder}: {error.strerror}") from error
    if not is_found:
        raise InvalidFile(f"no {JOURNAL} in {folder}: wanted a results folder such as results/default")


def _sweep(folders: Iterable[Path]) -> bytes:
    """Return the file of the folders' sweep, with the targets of all folders; empty if no folder has a sweep.

    Raises:
        InvalidFile: the file of a sweep cannot be read.
        RequestError: the sweeps differ in more than their targets.
    """
    from tomli_w import dumps

    sweeps = {folder / SWEEP: _content(folder / SWEEP) for folder in folders if (folder / SWEEP).exists()}
    if not sweeps:
        return b""
    (first, sweep), *others = sweeps.items()
    for path, other in others:
        keys = sorted(key for key in sweep.keys() | other.keys() if sweep.get(key) != other.get(key))
        if differing := [key for key in keys if key != TARGETS]:
            raise RequestError(
                f"wanted results of one sweep, found that {first} and {path} differ in {', '.join(differing)}; merge"
                " results of different sweeps under different names"
            )
        if keys:
            sweep[TARGETS] = sorted({*sweep.get(TARGETS, ()), *other.get(TARGETS, ())})
    return dumps(sweep).encode()


def _content(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidFile(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise InvalidFile(f"{path}: not TOML: {error}; restore the file, or remove it to merge without it") from error


def _joined(folders: Sequence[Path], goal: Path, spool: _Spool) -> Merged:
    """Write the merged journal, unless it has exactly the lines that it should have."""
    read = [_read(folder, spool) for folder in folders]
    usual = spool.unified()
    sources = [_unified(source, usual) for source in read]
    _require_one_record(sources)
    order = list(_order(sources))
    (before,) = (source for source in sources if source.folder.resolve() == goal.resolve())
    original = _replaced(goal / JOURNAL, map(spool.line, order), keep=bool(before.aside)) if order else None
    return Merged(
        records=len(order),
        new=len(order) - sum(map(len, before.lines.values())),
        aside=sum(source.aside for source in sources),
        reasons=tuple(f"{source.folder}/{reason}" for source in sources for reason in source.reasons),
        conflicts=tuple(dict.fromkeys(_conflicts(sources, before))),
        original=original,
    )


def _read(folder: Path, spool: _Spool) -> _Source:
    """Store the lines of a folder's journal, and return what the folder contributes."""
    journal, source = Journal(folder), _Source(folder=folder)
    for line, record in journal.lines():
        digest = spool.add(line, record)
        id = record.id if isinstance(record, Session) else record.session
        source.lines[id][digest] = None
        if isinstance(record, Session):
            source.sessions[id] = replace(record, cases=())
            source.heads[id].add(digest)
        elif isinstance(record, Run):
            first, last = source.spans.get(id, (record.started_at, record.started_at))
            source.spans[id] = min(first, record.started_at), max(last, record.started_at)
    return replace(source, aside=journal.aside + journal.torn, reasons=tuple(journal.reasons))


def _unified(source: _Source, usual: Mapping[bytes, bytes]) -> _Source:
    """Return the source with equal hashes for equal records; `usual` has the hashes of lines in the usual format."""
    lines = {id: {usual.get(digest, digest): None for digest in own} for id, own in source.lines.items()}
    return replace(
        source, lines=lines, heads={id: {usual.get(head, head) for head in own} for id, own in source.heads.items()}
    )


def _require_one_record(sources: Iterable[_Source]) -> None:
    """Refuse two different sessions with the same identity.

    Raises:
        RequestError: two folders have different records of one session.
    """
    known = dict[str, tuple[bytes, Path]]()
    for source in sources:
        for id, heads in source.heads.items():
            for head in heads:
                other, folder = known.setdefault(id, (head, source.folder))
                if other != head:
                    raise _same_identity(id, folder, source.folder)


def _same_identity(id: str, folder: Path, other: Path) -> RequestError:
    where = str(folder) if folder == other else f"{folder} and {other}"
    return RequestError(
        f"wanted one record of session {id}, found two that differ in {where}; restore one of the files"
    )


def _order(sources: Sequence[_Source]) -> Iterator[bytes]:
    """Yield the hashes of all lines: sessions by their start, and the lines of a session as in its longest journal.

    Lines that are only in other journals of the session follow. So the order of the folders has no effect.
    """
    started = {id: session.started_at for source in sources for id, session in source.sessions.items()}
    ids = {id for source in sources for id in source.lines}
    for _, id in sorted((started.get(id, ""), id) for id in ids):
        copies: set[tuple[bytes, ...]] = {tuple(source.lines[id]) for source in sources if id in source.lines}
        longest_first = sorted(copies, key=lambda copy: (-len(copy), copy))
        yield from dict.fromkeys(chain.from_iterable(longest_first))


def _replaced(path: Path, lines: Iterable[bytes], *, keep: bool) -> Path | None:
    """Write a journal, unless it already has these lines; with `keep`, keep the earlier journal and return its path.

    Raises:
        OSError: the folder cannot be written; the journal is unchanged.
    """
    scratch = path.with_name(f"making-{path.name}")
    try:
        with scratch.open("wb") as stream:
            stream.writelines(lines)
        if path.exists() and cmp(path, scratch, shallow=False):
            return None
        original = keep_damaged(path) if keep else None
        files.settle(scratch, path)
        return original
    finally:
        scratch.unlink(missing_ok=True)


def _conflicts(sources: Sequence[_Source], goal: _Source) -> Iterator[str]:
    """Yield a sentence for each target that the folders' last sessions describe differently, or use at the same time.

    Sessions that the merged folder has in common with a given folder are described only once.
    """
    given = {id for source in sources if source is not goal for id in source.sessions}
    last = defaultdict[str, dict[Path, Session]](dict)
    spans = defaultdict[tuple[str, str], dict[str, tuple[tuple[str, str], Path]]](dict)
    for source in sources:
        for id, session in source.sessions.items():
            if source is goal and id in given:
                continue
            here = session.environment
            latest = last[here.target].setdefault(source.folder, session)
            last[here.target][source.folder] = max(latest, session, key=lambda one: one.started_at)
            if id in source.spans:  # copies of a session are one session, as long as its longest copy
                copies = spans[here.target, here.epoch]
                whole = copies.setdefault(id, (source.spans[id], source.folder))
                copies[id] = max(whole, (source.spans[id], source.folder), key=lambda copy: copy[0][1])
    for target, sessions in sorted(last.items()):
        yield from _unlike(target, sessions)
    for (target, _), used in sorted(spans.items()):
        yield from _simultaneous(target, sorted(used.values(), key=str))


def _unlike(target: str, sessions: Mapping[Path, Session]) -> Iterator[str]:
    """Yield how a target's machine, and its versions, differ between the first folder and each other folder."""
    (first, session), *others = sessions.items()
    for folder, other in others:
        changes = [*differences(_described(session), _described(other))]
        machine = [change for change in changes if change.what.startswith(MACHINE)]
        versions = [change for change in changes if not change.what.startswith(MACHINE)]
        for what, differing in (("on a different machine", machine), ("with different versions", versions)):
            if differing:
                yield f"target {target}: {folder} was measured {what} than {first}: {_listed(differing)}"


def _listed(changes: Sequence[Difference]) -> str:
    texts = [
        f"{change.what.removeprefix(MACHINE)} {change.after or 'none'}, not {change.before or 'none'}"
        for change in changes
    ]
    more = f"; and {counted(len(texts) - SHOWN, 'further difference')}" if len(texts) > SHOWN else ""
    return f"{'; '.join(texts[:SHOWN])}{more}"


def _described(session: Session) -> dict[str, str]:
    """Return an environment in words, with the version of this program, and without facts that change at each boot."""
    here = replace(session.environment, facts=lasting(session.environment.facts))
    return words(here) | {"edgebench": session.edgebench}


def _simultaneous(target: str, used: Sequence[tuple[tuple[str, str], Path]]) -> Iterator[str]:
    """Yield a sentence with the folders whose sessions overlap; `used` has the spans, sorted by their start."""
    ((_, end), where), *others = used
    overlapping = set[Path]()
    for (first, last), folder in others:
        if folder != where and first < end:
            overlapping |= {where, folder}
        end, where = max((end, where), (last, folder))
    if overlapping:
        yield (
            f"target {target} measured at the same time in {', '.join(sorted(map(str, overlapping)))}, so these are"
            " different machines with equal facts, or their clocks differ; the table shows them as one machine"
        )


def _copy_pictures(folders: Iterable[Path], goal: Path) -> None:
    """Copy the folders' test pictures; if folders have different pictures of an artifact, choose by their hashes."""
    albums = defaultdict[str, list[Path]](list)
    for folder in folders:
        for path in (folder / pictures.FOLDER).glob("*.json"):
            if _ALBUM.fullmatch(path.name) and path.is_file():
                albums[path.name].append(path)
    for name, paths in albums.items():
        place = goal / pictures.FOLDER / name
        chosen = min(paths, key=files.sha256)
        if not _has_content(place, content := chosen.read_bytes()):
            files.make(place.parent)
            files.write(place, content, ADVICE)


def _has_content(path: Path, content: bytes) -> bool:
    return path.is_file() and path.read_bytes() == content

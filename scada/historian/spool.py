"""Batches that wait on disk, in order, while the database is away.

A folder of segments ``00000001.spool`` of records, each with its length, count and checksum; a record is on the disk
before `append` returns. A torn tail (the process or the power died in the middle of a write) fails its checksum and is
cut. A segment goes when the last of its records was delivered, so a crash delivers some of them again: engines take
the same samples twice without a change.

Every writer has a subfolder of its own under a lock, `writer-1` the first; what a dead writer left is taken over.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from scada.errors import HistorianError, SpoolFull
from scada.historian.batch import Batch
from scada.historian.locked import Lock, take_lock

__all__ = ["Policy", "Spool", "SpoolCounters"]

Policy = Literal["drop-oldest", "keep-oldest"]
_MAGIC = b"\xabUSP"
_HEAD = struct.Struct("<4sIII")  # magic, bytes of the payload, samples in it, checksum
_LARGEST_SEGMENT = 8 << 20
_SEGMENTS = 16  # how finely the oldest are dropped


@dataclass(slots=True)
class SpoolCounters:
    """What went through a spool since it was opened.

    Attributes
    ----------
    spooled, delivered, dropped : int
        Samples written, read back into the database, and lost to the bound.
    adopted : int
        Samples found at the start.
    damaged : int
        Places where a record failed its checksum and was passed over: a torn tail, or a bad disk.
    """

    spooled: int = 0
    delivered: int = 0
    dropped: int = 0
    adopted: int = 0
    damaged: int = 0


@dataclass(slots=True)
class _Segment:
    path: Path
    size: int
    records: deque[tuple[int, int, int]]  # place, bytes, samples; those not delivered yet

    @property
    def samples(self) -> int:
        return sum(record[2] for record in self.records)


class Spool:
    """A bounded queue of batches on disk; not thread-safe, its owner locks.

    Parameters
    ----------
    folder : Path
        Made when it does not exist.
    limit_bytes : int
        Bound of all segments together.
    policy : str
        ``drop-oldest``: the newest samples matter most; ``keep-oldest``: new ones are refused while it is full.

    Attributes
    ----------
    counters : SpoolCounters
    samples, size : int
        Samples and bytes that wait.

    Raises
    ------
    HistorianError
        The folder cannot be used.
    """

    def __init__(self, folder: Path, limit_bytes: int = 1 << 30, policy: Policy = "drop-oldest") -> None:
        self.counters = SpoolCounters()
        self._limit = limit_bytes
        self._policy = policy
        self._segment_bytes = max(1, min(_LARGEST_SEGMENT, limit_bytes // _SEGMENTS))
        self._segments: list[_Segment] = []
        self._open: int | None = None
        self._number = 0
        self._peeked: tuple[Path, int] | None = None
        self.samples = 0
        self.size = 0
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._folder, self._lock = _claim(folder)
            self._adopt(self._folder)
            for other in sorted(folder.glob("writer-*")):
                if other != self._folder and (lock := take_lock(other / "lock")) is not None:
                    self._adopt(other)
                    lock.release(remove=True)
                    other.rmdir()
        except OSError as error:
            raise HistorianError(f"spool {folder} cannot be used: {error.strerror or error}") from error
        self.counters.adopted = self.samples

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits."""
        return not self._segments

    def append(self, batch: Batch) -> None:
        """Write a batch behind the others; it is on the disk when this returns.

        Raises
        ------
        SpoolFull
            Policy keep-oldest, and the bound is reached; or the batch alone is larger than the bound.
        HistorianError
            It cannot be written; the spool is as it was.
        """
        payload = batch.encode()
        size = _HEAD.size + len(payload)
        if size > self._limit or (self._policy == "keep-oldest" and self.size + size > self._limit):
            raise SpoolFull(f"spool {self._folder} is full ({self._limit} bytes); raise its bound or mend the database")
        while self.size + size > self._limit:
            self._drop_oldest()
        try:
            handle = self._writable()
            segment = self._segments[-1]
            try:
                _write(handle, _HEAD.pack(_MAGIC, len(payload), len(batch), _checksum(payload, len(batch))) + payload)
            except OSError:
                self._undo(segment)
                raise
        except OSError as error:
            raise HistorianError(f"spool {self._folder} cannot be written: {error.strerror or error}") from error
        segment.records.append((segment.size, size, len(batch)))
        segment.size += size
        self.size += size
        self.samples += len(batch)
        self.counters.spooled += len(batch)

    def peek(self) -> Batch | None:
        """Return the oldest batch, or None; one that fails its checksum by now is passed over and counted."""
        self._peeked = None
        while self._segments:
            segment = self._segments[0]
            if segment.records:
                place, size, _ = segment.records[0]
                try:
                    with segment.path.open("rb") as file:
                        file.seek(place)
                        data = file.read(size)
                    if len(data) == size and _is_whole(data):
                        self._peeked = (segment.path, place)
                        return Batch.decode(data[_HEAD.size :])
                except (OSError, HistorianError):
                    pass
                self.counters.damaged += 1
                self.counters.dropped += self._forget(segment)
            self._remove_delivered()
        return None

    def discard(self) -> None:
        """Forget the batch that `peek` returned: it is in the database. Nothing, where it was dropped in between."""
        if self._segments and self._peeked == (self._segments[0].path, self._segments[0].records[0][0]):
            self._peeked = None
            self.counters.delivered += self._forget(self._segments[0])
            self._remove_delivered()

    def close(self) -> None:
        """Let the folder go; an empty one is removed."""
        self._close_file()
        self._lock.release(remove=self.is_empty)
        if self.is_empty:
            for folder in (self._folder, self._folder.parent):
                try:
                    folder.rmdir()
                except OSError:  # something else is in it
                    break

    def _forget(self, segment: _Segment) -> int:
        samples = segment.records.popleft()[2]
        self.samples -= samples
        return samples

    def _writable(self) -> int:
        if self._open is None or self._segments[-1].size >= self._segment_bytes:
            self._close_file()
            self._number += 1
            path = self._folder / f"{self._number:08d}.spool"
            self._open = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0), 0o644)
            self._segments.append(_Segment(path, 0, deque()))
            _sync_folder(self._folder)
        return self._open

    def _undo(self, segment: _Segment) -> None:
        """Take back what a failed write left; where even that fails, the checksum tells it from a record."""
        self._close_file()
        try:
            os.truncate(segment.path, segment.size)
        except OSError:
            torn = segment.path.stat().st_size - segment.size
            segment.size += torn
            self.size += torn
        if not segment.records:
            self._remove(segment)

    def _close_file(self) -> None:
        if self._open is not None:
            os.close(self._open)
            self._open = None

    def _drop_oldest(self) -> None:
        segment = self._segments[0]
        self.counters.dropped += segment.samples
        self._remove(segment)

    def _remove_delivered(self) -> None:
        while self._segments and not self._segments[0].records:
            self._remove(self._segments[0])

    def _remove(self, segment: _Segment) -> None:
        if segment is self._segments[-1]:
            self._close_file()
        self._segments.remove(segment)
        self.samples -= segment.samples
        self.size -= segment.size
        segment.path.unlink(missing_ok=True)

    def _adopt(self, folder: Path) -> None:
        """Put the segments of a folder behind our own."""
        for path in sorted(folder.glob("*.spool")):
            data = path.read_bytes()
            records, end, damaged = _records(data)
            self.counters.damaged += damaged
            if not records:
                path.unlink()
                continue
            if end < len(data):
                os.truncate(path, end)
            self._number = max(self._number + 1, 0 if folder != self._folder else int(path.stem))
            mine = self._folder / f"{self._number:08d}.spool"
            path.replace(mine)
            self._segments.append(_Segment(mine, end, deque(records)))
            self.samples += self._segments[-1].samples
            self.size += end


def _claim(folder: Path) -> tuple[Path, Lock]:
    number = 1
    while True:
        mine = folder / f"writer-{number}"
        mine.mkdir(exist_ok=True)
        if (lock := take_lock(mine / "lock")) is not None:
            return mine, lock
        number += 1


def _write(handle: int, data: bytes) -> None:
    """Write all of it, and wait for the disk; a full disk first takes a part, then raises OSError."""
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]
    os.fsync(handle)


def _checksum(payload: bytes, samples: int) -> int:
    return zlib.crc32(payload, zlib.crc32(samples.to_bytes(4, "little")))


def _is_whole(data: bytes) -> bool:
    magic, length, samples, checksum = _HEAD.unpack_from(data)
    payload = data[_HEAD.size :]
    return bool(magic == _MAGIC) and len(payload) == length and _checksum(payload, samples) == checksum


def _records(data: bytes) -> tuple[list[tuple[int, int, int]], int, int]:
    """Find the whole records (place, bytes, samples), where the last one ends, and how many places are damaged."""
    found = list(_scan(data))
    end = found[-1][0] + found[-1][1] if found else 0
    holes = sum(
        place != before for (place, _, _), before in zip(found, [0, *(p + s for p, s, _ in found)], strict=False)
    )
    return found, end, holes + (end < len(data))


def _scan(data: bytes) -> Iterator[tuple[int, int, int]]:
    place = 0
    while (place := data.find(_MAGIC, place)) >= 0 and place + _HEAD.size <= len(data):
        _, length, samples, _ = _HEAD.unpack_from(data, place)
        size = _HEAD.size + length
        if place + size <= len(data) and _is_whole(data[place : place + size]):
            yield place, size, samples
            place += size
        else:
            place += 1


def _sync_folder(folder: Path) -> None:
    """Make the name of a new file outlive a power cut, where the system can."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

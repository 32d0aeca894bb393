"""Samples as columns: what goes to an engine in one transaction, and to the spool as one record."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from scada.errors import HistorianError
from scada.readings import Readings
from scada.sample import Sample
from scada.tag import Tag

__all__ = ["Batch", "Interner", "Meaning", "meanings_of"]

LATEST_MS = 253_402_300_800_000  # the year 10000, where calendars of databases and of pandas end
_COLUMNS = (
    ("tag", "<i4"), ("reason", "<i4"), ("time_ms", "<i8"), ("arrival_ms", "<i8"), ("value", "<f8"), ("quality", "<u1"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a tag's samples meant from some time on.

    Attributes
    ----------
    tag : str
    key : str
        Digest of the configuration; equal configurations have equal keys.
    config : str
        The configuration as JSON.
    since_ms : int
        When it came into force, UTC ms.
    """

    tag: str
    key: str
    config: str
    since_ms: int


def meanings_of(tags: Iterable[Tag], since_ms: int) -> tuple[Meaning, ...]:
    """Meanings of tags as they are configured now; bounds that are infinite are left out."""
    found = []
    for tag in tags:
        table = {
            name: value
            for name, value in asdict(tag).items()
            if not (isinstance(value, float) and not math.isfinite(value))
        }
        text = json.dumps(table, ensure_ascii=False, sort_keys=True, default=str)
        found.append(Meaning(_clean(tag.name), hashlib.sha256(text.encode()).hexdigest()[:16], text, since_ms))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Batch:
    """Columns of samples, with names and reasons once.

    Attributes
    ----------
    tags : tuple of str
        Names; a tag whose configuration changed in between stands twice.
    keys : tuple of str
        Of the same length: the key of the meaning in force, empty where nobody described the tag.
    reasons : tuple of str
    tag, reason : int32 [n]
        Indices into `tags` and `reasons`.
    time_ms, arrival_ms : int64 [n]
        UTC ms.
    value : float64 [n]
    quality : uint8 [n]
    meanings : tuple of Meaning
        New ones, to be stored before the samples.
    """

    tags: tuple[str, ...]
    keys: tuple[str, ...]
    reasons: tuple[str, ...]
    tag: NDArray[np.int32]
    reason: NDArray[np.int32]
    time_ms: NDArray[np.int64]
    arrival_ms: NDArray[np.int64]
    value: NDArray[np.float64]
    quality: NDArray[np.uint8]
    meanings: tuple[Meaning, ...] = ()

    def __len__(self) -> int:
        return len(self.time_ms)

    def encode(self) -> bytes:
        """Return the batch as bytes: length of the texts, the texts as JSON, then each column, little-endian."""
        texts = json.dumps(
            {
                "n": len(self),
                "tags": self.tags,
                "keys": self.keys,
                "reasons": self.reasons,
                "meanings": [(m.tag, m.key, m.config, m.since_ms) for m in self.meanings],
            },
            ensure_ascii=False,
        ).encode()
        columns = [getattr(self, name).astype(kind, copy=False).tobytes() for name, kind in _COLUMNS]
        return b"".join([len(texts).to_bytes(4, "little"), texts, *columns])

    @classmethod
    def decode(cls, data: bytes) -> Batch:
        """Return the batch that :meth:`encode` wrote.

        Raises
        ------
        HistorianError
            The bytes are none of a batch.
        """
        try:
            place = 4 + int.from_bytes(data[:4], "little")
            texts = json.loads(data[4:place])
            columns = {}
            for name, kind in _COLUMNS:
                columns[name] = np.frombuffer(data, kind, texts["n"], place)
                place += columns[name].nbytes
            return cls(
                tags=tuple(texts["tags"]),
                keys=tuple(texts["keys"]),
                reasons=tuple(texts["reasons"]),
                meanings=tuple(Meaning(*row) for row in texts["meanings"]),
                **columns,
            )
        except (ValueError, KeyError, TypeError) as error:
            raise HistorianError(f"a record of the spool is no batch of samples: {error}") from error


class _Numbers(dict[str, int]):
    """Numbers of texts; a new text gets one from a function."""

    def __init__(self, number: Callable[[str], int]) -> None:
        super().__init__()
        self._number = number

    def __missing__(self, text: str) -> int:
        number = self[text] = self._number(text)
        return number


class _Columns:
    """Columns of a batch that grow part by part; runs of single samples are turned into arrays together."""

    def __init__(self, tags: _Numbers, reasons: _Numbers) -> None:
        self._tags = tags
        self._reasons = reasons
        self._loose: list[Sample] = []
        self._loose_tags: list[int] = []
        self._parts: dict[str, list[NDArray[Any]]] = {name: [] for name, _ in _COLUMNS}

    def add_samples(self, samples: Sequence[Sample]) -> None:
        """Put samples behind the others."""
        tags = self._tags
        self._loose += samples
        self._loose_tags += [tags[s.tag] for s in samples]

    def add_readings(self, readings: Readings) -> None:
        """Put the columns of a reply behind the others."""
        self._gather()
        tags, reasons, rows = self._tags, self._reasons, len(readings)
        codes = readings.codes
        if codes is None:
            reason = np.full(rows, reasons[readings.reasons[0]], np.int32)
        else:
            numbers = np.zeros(len(readings.reasons), np.int32)
            for code in np.unique(codes).tolist():
                numbers[code] = reasons[readings.reasons[code]]
            reason = numbers[codes]
        self._put(
            tag=np.array([tags[name] for name in readings.names], np.int32),
            reason=reason,
            time_ms=np.full(rows, readings.time_ms, np.int64),
            arrival_ms=np.full(rows, readings.arrival_ms, np.int64),
            value=readings.values,
            quality=readings.quality,
        )

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return each column whole."""
        self._gather()
        return {
            name: np.concatenate(parts) if parts else np.empty(0, np.dtype(kind))
            for (name, kind), parts in zip(_COLUMNS, self._parts.values(), strict=True)
        }

    def _gather(self) -> None:
        samples, reasons = self._loose, self._reasons
        if not samples:
            return
        self._put(
            tag=np.array(self._loose_tags, np.int32),
            reason=np.array([reasons[s.reason] for s in samples], np.int32),
            time_ms=np.array([s.time_ms for s in samples], np.int64),
            arrival_ms=np.array([s.arrival_ms for s in samples], np.int64),
            value=np.array([s.value for s in samples], np.float64),
            quality=np.array([s.quality for s in samples], np.uint8),
        )
        self._loose, self._loose_tags = [], []

    def _put(self, **columns: NDArray[Any]) -> None:
        for name, column in columns.items():
            self._parts[name].append(column)


class Interner:
    """Makes batches of samples, giving every name and reason a number."""

    def __init__(self) -> None:
        self._keys: dict[str, str] = {}

    def describe(self, meanings: Iterable[Meaning]) -> None:
        """Let samples that follow point to these meanings."""
        self._keys.update((meaning.tag, meaning.key) for meaning in meanings)

    def batch(self, parts: Iterable[Sequence[Sample] | tuple[Meaning, ...]]) -> tuple[Batch, int]:
        """Make one batch of samples and meanings in their order.

        Returns
        -------
        Batch
        int
            Samples that were left out since no store could hold their time.
        """
        keys = self._keys
        names: list[str] = []
        keys_of: list[str] = []

        def add_tag(name: str) -> int:
            names.append(_clean(name))
            keys_of.append(keys.get(names[-1], ""))
            return len(names) - 1

        tags, reasons = _Numbers(add_tag), _Numbers(lambda _: len(reasons))
        meanings: list[Meaning] = []
        columns = _Columns(tags, reasons)
        for part in parts:
            if isinstance(part, Readings):
                columns.add_readings(part)
            elif part and isinstance(part[0], Meaning):
                found = cast("tuple[Meaning, ...]", part)
                self.describe(found)
                meanings += found
                tags.clear()  # samples from here on may mean something else
            else:
                columns.add_samples(cast("Sequence[Sample]", part))
        batch = Batch(
            tags=tuple(names),
            keys=tuple(keys_of),
            meanings=tuple(meanings),
            **columns.arrays(),
            reasons=tuple(map(_clean, reasons)),
        )
        return _within_calendar(batch)


def _within_calendar(batch: Batch) -> tuple[Batch, int]:
    """Leave out what has no date: one such sample would hold up all behind it."""
    times = batch.time_ms, batch.arrival_ms
    is_sound = np.logical_and.reduce([(t >= 0) & (t < LATEST_MS) for t in times])
    refused = int(len(batch) - is_sound.sum())
    if not refused:
        return batch, 0
    columns = {name: getattr(batch, name)[is_sound] for name, _ in _COLUMNS}
    return Batch(batch.tags, batch.keys, batch.reasons, meanings=batch.meanings, **columns), refused


def _clean(text: str) -> str:
    """Text that every database takes: neither NUL nor half a surrogate pair."""
    if text.isascii() and "\0" not in text:
        return text
    return text.replace("\0", "�").encode("utf-8", "replace").decode()

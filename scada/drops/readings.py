"""What was taken from a table, as columns for the historian."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from scada.drops.finding import Finding
from scada.historian.batch import Batch, meanings_of
from scada.tag import Tag

__all__ = ["Readings", "batches"]


@dataclass(slots=True)
class Readings:
    """Samples as columns, by time, and what was not taken.

    Attributes
    ----------
    tags : tuple of Tag
    reasons : tuple of str
    tag, reason : int32 [n]
        Indices into `tags` and `reasons`.
    time_ms, arrival_ms : int64 [n], UTC ms
    value : float64 [n], in each tag's unit
    quality : uint8 [n]
    findings : list of Finding
    rows : int
        Rows of readings in the table.
    rejected : int
        Cells (in a wide table) or rows (in a long one) that were not taken: a row without a time counts once.
    footers : int
        Rows that are no readings, such as totals.
    """

    tags: tuple[Tag, ...]
    reasons: tuple[str, ...]
    tag: NDArray[np.int32]
    reason: NDArray[np.int32]
    time_ms: NDArray[np.int64]
    arrival_ms: NDArray[np.int64]
    value: NDArray[np.float64]
    quality: NDArray[np.uint8]
    findings: list[Finding] = field(default_factory=list)
    rows: int = 0
    rejected: int = 0
    footers: int = 0

    def __len__(self) -> int:
        return len(self.time_ms)


def batches(readings: Readings, rows: int, described_ms: int) -> Iterator[Batch]:
    """Yield the samples in batches of so many rows; the first tells what the tags mean.

    Parameters
    ----------
    readings : Readings
    rows : int
    described_ms : int
        When the tags' configurations came into force, UTC ms.
    """
    meanings = meanings_of(readings.tags, described_ms)
    whole = Batch(
        tags=tuple(meaning.tag for meaning in meanings),
        keys=tuple(meaning.key for meaning in meanings),
        reasons=readings.reasons,
        tag=readings.tag,
        reason=readings.reason,
        time_ms=readings.time_ms,
        arrival_ms=readings.arrival_ms,
        value=readings.value,
        quality=readings.quality,
        meanings=meanings,
    )
    for start in range(0, len(whole), rows):
        part = slice(start, start + rows)
        columns = {
            name: getattr(whole, name)[part] for name in ("tag", "reason", "time_ms", "arrival_ms", "value", "quality")
        }
        yield replace(whole, **columns, meanings=meanings if start == 0 else ())

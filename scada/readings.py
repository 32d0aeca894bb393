"""The samples of one reply, kept as columns.

Fifty thousand samples a second are fifty thousand objects a second only where somebody looks at each of them. The
reader hands over what a reply held as arrays; whoever wants a sample takes it by its number or goes through them, and
the historian takes the columns as they are.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import overload

import numpy as np
from numpy.typing import NDArray

from scada.quality import QUALITY_OF, REASONS
from scada.sample import Quality, Sample

__all__ = ["Readings", "lost"]

_BAD_ALONE = np.array([Quality.BAD], dtype=np.uint8)
_QUALITIES = tuple(Quality)
_WORDS = tuple(reason.value for reason in REASONS)


class Readings(Sequence[Sample]):
    """Samples of one time that arrived together. Nobody changes them.

    Parameters
    ----------
    names : tuple of str
        Tags; the same object each time the same tags are read.
    time_ms, arrival_ms : int
        UTC ms, of all of them.
    values : float64 [n]
    codes : uint8 [n] or None
        Indices into `reasons` and `grades`; None where all are zero.
    reasons : tuple of str
        By code.
    grades : uint8 [n_reasons]
        :class:`scada.sample.Quality` by code.
    """

    __slots__ = ("arrival_ms", "codes", "grades", "names", "reasons", "time_ms", "values")

    def __init__(
        self,
        names: tuple[str, ...],
        time_ms: int,
        arrival_ms: int,
        values: NDArray[np.float64],
        codes: NDArray[np.uint8] | None = None,
        reasons: tuple[str, ...] = _WORDS,
        grades: NDArray[np.uint8] = QUALITY_OF,
    ) -> None:
        self.names = names
        self.time_ms = time_ms
        self.arrival_ms = arrival_ms
        self.values = values
        self.codes = codes
        self.reasons = reasons
        self.grades = grades

    def __len__(self) -> int:
        return len(self.names)

    @overload
    def __getitem__(self, index: int) -> Sample: ...

    @overload
    def __getitem__(self, index: slice) -> Readings: ...

    def __getitem__(self, index: int | slice) -> Sample | Readings:
        codes = self.codes
        if isinstance(index, slice):
            part = None if codes is None else codes[index]
            return Readings(
                self.names[index], self.time_ms, self.arrival_ms, self.values[index], part, self.reasons, self.grades
            )
        code = 0 if codes is None else int(codes[index])
        quality, reason = _QUALITIES[self.grades[code]], self.reasons[code]
        return Sample(self.names[index], self.time_ms, self.arrival_ms, float(self.values[index]), quality, reason)

    def __iter__(self) -> Iterator[Sample]:
        time_ms, arrival_ms = self.time_ms, self.arrival_ms
        codes = [0] * len(self) if self.codes is None else self.codes.tolist()
        grades = [_QUALITIES[grade] for grade in self.grades.tolist()]
        for name, value, code in zip(self.names, self.values.tolist(), codes, strict=True):
            yield Sample(name, time_ms, arrival_ms, value, grades[code], self.reasons[code])

    @property
    def quality(self) -> NDArray[np.uint8]:
        """Quality of each, uint8 [n]."""
        if self.codes is None:
            return np.full(len(self), self.grades[0])
        qualities: NDArray[np.uint8] = self.grades[self.codes]
        return qualities

    def taken(self, places: NDArray[np.intp], names: tuple[str, ...]) -> Readings:
        """Return those at some places, whose names are `names`."""
        codes = None if self.codes is None else self.codes[places]
        return Readings(names, self.time_ms, self.arrival_ms, self.values[places], codes, self.reasons, self.grades)

    def lowered(self, quality: Quality, reason: str) -> Readings:
        """Return the same with another quality and reason where there was none."""
        codes = np.zeros(len(self), dtype=np.uint8) if self.codes is None else self.codes
        grades = self.grades.copy()
        grades[0] = quality
        return Readings(
            self.names, self.time_ms, self.arrival_ms, self.values, codes, (reason, *self.reasons[1:]), grades
        )


def lost(names: tuple[str, ...], time_ms: int, arrival_ms: int, reason: str) -> Readings:
    """Return BAD samples without a value."""
    values = np.full(len(names), math.nan)
    return Readings(names, time_ms, arrival_ms, values, None, (reason,), _BAD_ALONE)

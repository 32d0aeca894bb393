"""Samples that say nothing new are left out, and what was left out is known.

A tag with a deadband stores a sample when it differs from the last stored one by more than the deadband, when its
quality or reason changes, and at the latest after :data:`LONGEST_SLOTS` intervals. The last sample of those left out is
stored before the one that differs, with the reason ``unchanged``: between a row and the ``unchanged`` row that follows
it every slot was read, was GOOD and was within the deadband. Rows without that mark promise nothing of the time between
them, so that a pause of the program never looks like a steady value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from scada.readings import Readings
from scada.sample import Quality, Reason, Sample
from scada.tag import Tag

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["LONGEST_SLOTS", "Deadband", "restored"]

LONGEST_SLOTS = 10

_Sink = Callable[[Sequence[Sample]], None]


_PLAIN = {"", Reason.UNCHANGED.value}


class _Silences:
    """Of each tag with a deadband: its last stored sample, and the last one left out since, as columns."""

    def __init__(self, tags: Sequence[Tag]) -> None:
        n = len(tags)
        self.limit = np.array([tag.deadband for tag in tags])
        self.longest_ms = np.array([LONGEST_SLOTS * tag.interval_ms for tag in tags], dtype=np.int64)
        self.is_plain = np.zeros(n, dtype=bool)  # there is a stored one, GOOD and without a reason of its own
        self.stored_ms = np.zeros(n, dtype=np.int64)
        self.stored = np.zeros(n)
        self.has_left_out = np.zeros(n, dtype=bool)
        self.left_out_ms = np.zeros(n, dtype=np.int64)
        self.left_out_arrival_ms = np.zeros(n, dtype=np.int64)
        self.left_out = np.zeros(n)

    def are_same(
        self, rows: NDArray[np.intp], time_ms: int, values: NDArray[np.float64], is_good: NDArray[np.bool_]
    ) -> NDArray[np.bool_]:
        """Tell which samples of one time say nothing new."""
        gap_ms = time_ms - np.where(self.has_left_out[rows], self.left_out_ms[rows], self.stored_ms[rows])
        with np.errstate(invalid="ignore"):  # two infinities
            is_near = np.abs(values - self.stored[rows]) <= self.limit[rows]
        same: NDArray[np.bool_] = (
            self.is_plain[rows]
            & is_good
            & is_near
            # a slot that went by unread is never between two that were
            & (gap_ms > 0)
            & (gap_ms <= 1.5 * self.longest_ms[rows] / LONGEST_SLOTS)
        )
        return same

    def leave_out(self, rows: NDArray[np.intp], time_ms: int, arrival_ms: int, values: NDArray[np.float64]) -> None:
        """Remember samples that are not stored."""
        self.left_out[rows] = values
        self.left_out_ms[rows] = time_ms
        self.left_out_arrival_ms[rows] = arrival_ms
        self.has_left_out[rows] = True

    def store_all(
        self, rows: NDArray[np.intp], time_ms: int, values: NDArray[np.float64], is_good: NDArray[np.bool_]
    ) -> None:
        """Remember what was stored last of several tags."""
        self.is_plain[rows] = is_good
        self.stored_ms[rows] = time_ms
        self.stored[rows] = values
        self.has_left_out[rows] = False

    def store(self, row: int, sample: Sample) -> None:
        """Remember what was stored last."""
        self.is_plain[row] = sample.quality is Quality.GOOD and sample.reason in _PLAIN
        self.stored_ms[row], self.stored[row] = sample.time_ms, sample.value


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where the tags of one reply have their rows: those with a deadband, and the others as they are."""

    places: NDArray[np.intp]
    rows: NDArray[np.intp]
    others: NDArray[np.intp]
    other_names: tuple[str, ...]


class Deadband:
    """A sink that passes on what is news; samples of tags without a deadband all are.

    Parameters
    ----------
    tags : iterable of Tag
    sink : callable
        Receives the samples to store.

    Attributes
    ----------
    left_out : int
        Samples that were not passed on.
    """

    def __init__(self, tags: Iterable[Tag], sink: _Sink) -> None:
        self.left_out = 0
        self._sink = sink
        limited = [tag for tag in tags if tag.deadband and not tag.is_text]
        self._names = [tag.name for tag in limited]
        self._row_of = {name: row for row, name in enumerate(self._names)}
        self._silences = _Silences(limited)
        self._layouts: dict[tuple[str, ...], _Layout] = {}

    def __call__(self, samples: Sequence[Sample]) -> None:
        """Take samples."""
        if not self._row_of:
            self._sink(samples)
        elif isinstance(samples, Readings):
            self._take_columns(samples)
        else:
            passed: list[Sample] = []
            for sample in samples:
                row = self._row_of.get(sample.tag)
                passed += [sample] if row is None else self._news(row, sample)
            if passed:
                self._sink(passed)

    def flush(self) -> None:
        """Pass on the last sample of each tag that was left out; to be called at the end."""
        ends = [self._end(int(row)) for row in np.flatnonzero(self._silences.has_left_out)]
        if ends:
            self._sink(ends)

    def _take_columns(self, readings: Readings) -> None:
        """Take a reply; only the ends of what was left out are made one by one."""
        layout = self._layouts.get(readings.names)
        if layout is None:
            layout = self._layouts[readings.names] = self._lay_out(readings.names)
        if not len(layout.rows):
            self._sink(readings)
            return
        if len(layout.others):
            self._sink(readings.taken(layout.others, layout.other_names))
        values, rows, time_ms = readings.values[layout.places], layout.rows, readings.time_ms
        silences = self._silences
        is_good = np.full(len(rows), readings.grades[0] == Quality.GOOD and not readings.reasons[0])
        if readings.codes is not None:
            is_good &= readings.codes[layout.places] == 0
        is_same = silences.are_same(rows, time_ms, values, is_good)
        is_out = is_same & (time_ms - silences.stored_ms[rows] < silences.longest_ms[rows])
        silences.leave_out(rows[is_out], time_ms, readings.arrival_ms, values[is_out])
        self.left_out += int(np.count_nonzero(is_out))
        is_last = is_same & ~is_out
        ends = [self._end(int(row)) for row in rows[~is_same & silences.has_left_out[rows]]]
        if ends:
            self._sink(ends)
        for chosen, reason in ((~is_same, None), (is_last, Reason.UNCHANGED.value)):
            if np.count_nonzero(chosen):
                silences.store_all(rows[chosen], time_ms, values[chosen], is_good[chosen])
                places = layout.places[chosen]
                part = readings.taken(places, tuple(readings.names[k] for k in places.tolist()))
                self._sink(part if reason is None else part.lowered(Quality.GOOD, reason))

    def _lay_out(self, names: tuple[str, ...]) -> _Layout:
        rows = np.array([self._row_of.get(name, -1) for name in names], dtype=np.intp)
        others = np.flatnonzero(rows < 0)
        return _Layout(np.flatnonzero(rows >= 0), rows[rows >= 0], others, tuple(names[k] for k in others.tolist()))

    def _news(self, row: int, sample: Sample) -> list[Sample]:
        """Take one sample; return what is to be stored."""
        silences = self._silences
        is_good = sample.quality is Quality.GOOD and not sample.reason
        rows = np.array([row])
        if silences.are_same(rows, sample.time_ms, np.array([sample.value]), np.array([is_good]))[0]:
            if sample.time_ms - silences.stored_ms[row] < silences.longest_ms[row]:
                silences.leave_out(rows, sample.time_ms, sample.arrival_ms, np.array([sample.value]))
                self.left_out += 1
                return []
            silences.has_left_out[row] = False  # it lies between two rows that say so
            last = replace(sample, reason=Reason.UNCHANGED.value)
            silences.store(row, last)
            return [last]
        end = [self._end(row)] if silences.has_left_out[row] else []
        silences.store(row, sample)
        return [*end, sample]

    def _end(self, row: int) -> Sample:
        """Bring back the last sample that was left out."""
        silences = self._silences
        silences.has_left_out[row] = False
        self.left_out -= 1
        last = Sample(
            self._names[row],
            int(silences.left_out_ms[row]),
            int(silences.left_out_arrival_ms[row]),
            float(silences.left_out[row]),
            Quality.GOOD,
            Reason.UNCHANGED.value,
        )
        silences.store(row, last)
        return last


def restored(rows: pd.DataFrame, tags: Sequence[Tag]) -> pd.DataFrame:
    """Return stored samples as one column for each tag, with the slots that were left out filled in.

    Parameters
    ----------
    rows : DataFrame
        Columns time (UTC), tag, value, quality, reason, as the historian's ``range`` gives them.
    tags : sequence of Tag
        Those wanted.

    Returns
    -------
    DataFrame
        Index UTC, float64, NaN where there is no GOOD sample. A slot before an ``unchanged`` row holds the value of the
        row before it, which differs from what was read by the deadband at most.
    """
    import pandas as pd

    columns: dict[str, pd.Series] = {}
    groups = dict(tuple(rows.groupby("tag", sort=False)))
    for tag in tags:
        found = groups.get(tag.name)
        if found is None:
            columns[tag.name] = pd.Series(dtype=float, index=pd.DatetimeIndex([], tz="UTC"))
            continue
        found = found.sort_values("time", kind="stable")
        is_good = (found["quality"] == Quality.GOOD.name) | (found["quality"] == Quality.GOOD.value)
        series = pd.Series(found["value"].where(is_good).to_numpy(dtype=float), index=pd.DatetimeIndex(found["time"]))
        if tag.deadband:
            series = _filled(series, (found["reason"] == Reason.UNCHANGED.value).tolist(), tag.interval_ms)
        columns[tag.name] = series[~series.index.duplicated(keep="last")]
    return pd.DataFrame(columns).sort_index()


def _filled(series: pd.Series, is_end: Sequence[bool], interval_ms: int) -> pd.Series:
    """Add the slots between each row and the ``unchanged`` one after it."""
    import pandas as pd

    pieces = [series]
    step = pd.Timedelta(milliseconds=interval_ms)
    for k in range(1, len(series)):
        if not is_end[k] or series.index[k] - series.index[k - 1] > LONGEST_SLOTS * step:
            continue
        slots = pd.date_range(series.index[k - 1] + step, series.index[k] - step, freq=step)
        if len(slots):
            pieces.append(pd.Series(series.iloc[k - 1], index=slots))
    return pd.concat(pieces).sort_index() if len(pieces) > 1 else series

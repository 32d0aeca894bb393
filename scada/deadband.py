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

from scada.sample import Quality, Reason, Sample
from scada.tag import Tag

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["LONGEST_SLOTS", "Deadband", "restored"]

LONGEST_SLOTS = 10

_Sink = Callable[[Sequence[Sample]], None]


@dataclass(slots=True)
class _Silence:
    """One tag's last stored sample, and the last one left out since."""

    stored: Sample | None = None
    left_out: Sample | None = None


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
        self._limits = {
            tag.name: (tag.deadband, LONGEST_SLOTS * tag.interval_ms)
            for tag in tags
            if tag.deadband and not tag.is_text
        }
        self._silences = {name: _Silence() for name in self._limits}

    def __call__(self, samples: Sequence[Sample]) -> None:
        """Take samples."""
        if not self._limits:
            self._sink(samples)
            return
        passed: list[Sample] = []
        for sample in samples:
            limits = self._limits.get(sample.tag)
            if limits is None:
                passed.append(sample)
            else:
                passed.extend(self._news(sample, *limits))
        if passed:
            self._sink(passed)

    def flush(self) -> None:
        """Pass on the last sample of each tag that was left out; to be called at the end."""
        ends = [end for silence in self._silences.values() if (end := self._end(silence)) is not None]
        if ends:
            self._sink(ends)

    def _news(self, sample: Sample, deadband: float, longest_ms: int) -> list[Sample]:
        silence = self._silences[sample.tag]
        stored = silence.stored
        before = silence.left_out or stored
        is_same = (
            stored is not None
            and before is not None
            and sample.quality is Quality.GOOD is stored.quality
            and not sample.reason
            and stored.reason in {"", Reason.UNCHANGED.value}
            and abs(sample.value - stored.value) <= deadband
            # a slot that went by unread is never between two that were
            and 0 < sample.time_ms - before.time_ms <= 1.5 * longest_ms / LONGEST_SLOTS
        )
        if is_same and stored is not None:
            silence.left_out = sample
            if sample.time_ms - stored.time_ms < longest_ms:
                self.left_out += 1
                return []
            silence.left_out = None
            silence.stored = replace(sample, reason=Reason.UNCHANGED.value)
            return [silence.stored]
        end = self._end(silence)
        silence.stored = sample
        return [sample] if end is None else [end, sample]

    def _end(self, silence: _Silence) -> Sample | None:
        left_out, silence.left_out = silence.left_out, None
        if left_out is None:
            return None
        self.left_out -= 1
        silence.stored = replace(left_out, reason=Reason.UNCHANGED.value)
        return silence.stored


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

"""The historian: samples in, questions out, whatever database is behind."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from scada.errors import HistorianAway, HistorianError
from scada.historian.alarms import AlarmStore
from scada.historian.batch import Batch, meanings_of
from scada.historian.engine import Engine, Period, Retention, Written
from scada.historian.lookup import expected_ms, newest_known
from scada.historian.settings import Counters, HistorianStatus, WriterSettings
from scada.historian.spool import Spool
from scada.historian.tables import bucket_table, gap_table, long_table, meaning_table, newest_samples, wide_table
from scada.historian.writer import Writer
from scada.sample import Sample
from scada.tag import Tag

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Historian"]

_LONGEST_WAIT_S = 10.0  # of a question for what was appended just now


class Historian:
    """A store of samples. Appending the same sample again changes nothing.

    Parameters
    ----------
    engine : Engine
    settings : WriterSettings
    open_spool : callable, optional
        Makes the spool when the first sample comes; a historian that is only read makes none.
    may_be_away : bool
        Begin with a database that does not answer: samples wait until it does.

    Raises
    ------
    HistorianError
        The database cannot be opened.
    """

    def __init__(
        self,
        engine: Engine,
        settings: WriterSettings | None = None,
        open_spool: Callable[[], Spool] | None = None,
        may_be_away: bool = False,
    ) -> None:
        self._engine = engine
        self._settings = settings or WriterSettings()
        self._open_spool = open_spool
        self._writer: Writer | None = None
        self._starting = threading.Lock()
        self._is_open = False
        self._is_closed = False
        try:
            engine.open()
            self._is_open = True
        except HistorianAway:
            if not may_be_away:
                raise

    def append(self, samples: Sequence[Sample], is_patient: bool = False) -> None:
        """Take samples; they are on disk within the batch interval.

        Parameters
        ----------
        samples
        is_patient : bool
            Wait for the database rather than use the spool, and fail rather than lose.

        Raises
        ------
        HistorianError
            The spool cannot be opened; patient, and the database takes nothing.
        """
        self._started().append(samples, is_patient)

    def describe(self, tags: Iterable[Tag], since_ms: int | None = None) -> None:
        """Tell what samples mean from now on; a configuration that changed becomes a new version.

        Parameters
        ----------
        tags
        since_ms : int, optional
            When the configuration came into force, UTC ms; now by default.
        """
        now_ms = time.time_ns() // 1_000_000
        self._started().describe(meanings_of(tags, now_ms if since_ms is None else since_ms))

    def store(self, batch: Batch) -> Written:
        """Store columns of samples now, in one transaction of their own: for whoever can come again with them.

        Returns
        -------
        Written
            What they changed.

        Raises
        ------
        HistorianAway
            The database does not answer; nothing is stored.
        HistorianError
            It refuses.
        """
        if not self._is_open:
            self._engine.open()
            self._is_open = True
        return self._engine.write(batch)

    def tidy(self) -> bool:
        """Put stored samples in better order for a moment; return whether there is more to do."""
        return self._is_open and self._engine.maintain()

    def _started(self) -> Writer:
        with self._starting:
            if self._is_closed:
                raise HistorianError(f"historian {self._engine.name} is closed")
            if self._writer is None:
                self._writer = Writer(self._engine, self._settings, self._open_spool, self._is_open)
            return self._writer

    def flush(self) -> None:
        """Return when everything taken so far is in the database, or on disk while the database is away.

        Raises
        ------
        HistorianError
            Neither takes it.
        """
        if self._writer is not None:
            self._writer.flush()

    @property
    def status(self) -> HistorianStatus:
        """How it is just now."""
        writer = self._writer
        if writer is None:
            return HistorianStatus(self._engine.name, not self._is_open, 0, 0, 0, Counters())
        sizes = writer.waiting, writer.backlog, writer.spool_bytes
        return HistorianStatus(self._engine.name, writer.is_failing, *sizes, Counters(**asdict(writer.counters)))

    @property
    def alarms(self) -> AlarmStore:
        """The journal of alarms, in the same database; it goes there at once, past the batches of samples."""
        return self._engine.alarms

    @property
    def dropped(self) -> int:
        """Samples lost because neither the database nor the disk took them for too long."""
        return self._writer.counters.dropped if self._writer is not None else 0

    def last(self, tags: Sequence[str] | None = None, known_ms: int | None = None) -> dict[str, Sample]:
        """Return the newest sample of each tag that has one.

        Parameters
        ----------
        tags : sequence of str, optional
            All by default.
        known_ms : int, optional
            Of what had arrived by then, UTC ms.
        """
        self._settle()
        if known_ms is None:
            return newest_samples(self._engine.newest(tags))
        return newest_known(self._engine, tags, known_ms)

    def range(
        self,
        tags: Sequence[str] | None = None,
        from_ms: int | None = None,
        to_ms: int | None = None,
        known_ms: int | None = None,
        is_full: bool = False,
        is_every: bool = False,
    ) -> pd.DataFrame:
        """Return samples of a half-open period.

        Parameters
        ----------
        tags : sequence of str, optional
            All by default; unknown ones have no rows.
        from_ms, to_ms : int, optional
            ``from_ms <= time < to_ms``, UTC ms; the whole history by default.
        known_ms : int, optional
            Only what had arrived by then, UTC ms, with the values that were known then.
        is_full : bool
            With the columns arrival (datetime64[ms, UTC]) and version (int64; of the tag's configuration).
        is_every : bool
            With the samples that were replaced, each before what replaced it; not together with `known_ms`.

        Returns
        -------
        DataFrame
            time (datetime64[ms, UTC]), tag (str), value (float64), quality (uint8), reason (str), by time and tag.
        """
        self._settle()
        return long_table(self._engine.select(Period.of(tags, from_ms, to_ms, known_ms, is_every)), is_full)

    def frame(
        self,
        tags: Sequence[str] | None = None,
        from_ms: int | None = None,
        to_ms: int | None = None,
        known_ms: int | None = None,
    ) -> pd.DataFrame:
        """Return samples of a half-open period, one column for each tag.

        Returns
        -------
        DataFrame
            float64, index UTC; NaN where there is no sample or it is not GOOD. Columns are `tags` in their order, or
            every tag with a sample.
        """
        self._settle()
        return wide_table(self._engine.select(Period.of(tags, from_ms, to_ms, known_ms)), tags)

    def resample(
        self,
        tags: Sequence[str] | None,
        step_s: float,
        from_ms: int | None = None,
        to_ms: int | None = None,
        known_ms: int | None = None,
    ) -> pd.DataFrame:
        """Return mean, least and greatest of the GOOD samples in equal steps of time, computed by the database.

        Parameters
        ----------
        tags, from_ms, to_ms, known_ms
            As in :meth:`range`.
        step_s : float
            Length of a step, s; steps begin at its whole multiples since 1970 UTC.

        Returns
        -------
        DataFrame
            time (start of the step), tag, mean, min, max (float64), count (int64), by time and tag; steps without a
            GOOD sample have no row.

        Raises
        ------
        HistorianError
            The step is shorter than a millisecond.
        """
        step_ms = round(step_s * 1000)
        if step_ms < 1:
            raise HistorianError(f"a step of {step_s} s is too short; take one of 0.001 s or more")
        self._settle()
        return bucket_table(self._engine.buckets(Period.of(tags, from_ms, to_ms, known_ms), step_ms))

    def gaps(
        self,
        tags: Sequence[str] | None = None,
        from_ms: int | None = None,
        to_ms: int | None = None,
        interval_s: float | None = None,
        tolerance: float = 1.5,
        known_ms: int | None = None,
    ) -> pd.DataFrame:
        """Return where values are missing: steps between samples that are longer than the tag's interval.

        Parameters
        ----------
        tags, from_ms, to_ms, known_ms
            As in :meth:`range`. The time from `from_ms` to a tag's first value and from its last to `to_ms` count too,
            where they are given.
        interval_s : float, optional
            Expected interval, s; by default each tag's own (:meth:`describe`), and tags never described are left out.
        tolerance : float
            A step is a gap beyond so many intervals.

        Returns
        -------
        DataFrame
            tag, start, end (time of the last value before and the first after, or the period's end), seconds
            (between them), missing (values that should have been there), by tag and start. GOOD and UNCERTAIN samples
            count as values.
        """
        self._settle()
        expected = expected_ms(self._engine, tags, interval_s)
        period = Period.of(list(expected), from_ms, to_ms, known_ms)
        found = self._engine.gaps(period, math.floor(min(expected.values(), default=1.0) * tolerance))
        return gap_table(found, expected, tolerance, from_ms, to_ms)

    def meanings(self, tag: str) -> pd.DataFrame:
        """Return the configurations a tag had.

        Returns
        -------
        DataFrame
            version (int64), since (datetime64[ms, UTC]) and a column for each key of the configurations, oldest first;
            `version` is what the samples' column of :meth:`range` refers to.
        """
        self._settle()
        return meaning_table(self._engine.versions(tag))

    def export(
        self,
        path: str | Path,
        tags: Sequence[str] | None = None,
        from_ms: int | None = None,
        to_ms: int | None = None,
        known_ms: int | None = None,
    ) -> int:
        """Write samples of a half-open period to a file; the old file stays until the new one is whole.

        Parameters
        ----------
        path : path
            ``.csv`` or ``.parquet``; columns time (ISO 8601 UTC with milliseconds), tag, value, quality (word), reason.
        tags, from_ms, to_ms, known_ms
            As in :meth:`range`.

        Returns
        -------
        int
            Rows written.

        Raises
        ------
        HistorianError
            Another ending, or the file cannot be written.
        """
        from scada.historian.export import write_file

        return write_file(self, Path(path), tags, from_ms, to_ms, known_ms)

    def export_days(
        self,
        folder: str | Path,
        tags: Sequence[str] | None = None,
        from_ms: int | None = None,
        to_ms: int | None = None,
    ) -> list[Path]:
        """Write a Parquet file ``2026-09-21.parquet`` for each day of UTC that has samples.

        Parameters
        ----------
        folder : path
            Made when it does not exist. A file appears whole, over an older one of its day.
        tags, from_ms, to_ms
            As in :meth:`range`.

        Returns
        -------
        list of Path
            Files written, columns time and arrival (timestamp[ms, UTC]), tag, value, quality, reason, version.

        Raises
        ------
        HistorianError
            A file cannot be written.
        """
        from scada.historian.export import write_days

        return write_days(self, Path(folder), tags, from_ms, to_ms)

    def span(self) -> tuple[int, int] | None:
        """Return the times of the oldest and the newest sample, UTC ms; None where there is none."""
        self._settle()
        return self._engine.span()

    def retain(self, retention: Retention, now_ms: int | None = None) -> int:
        """Delete what is too old, now; return how many samples went. The writer does it by itself every hour."""
        self.flush()
        now_ms = time.time_ns() // 1_000_000 if now_ms is None else now_ms
        deleted = 0
        while some := self._engine.retain(retention, now_ms):
            deleted += some
        return deleted

    def close(self) -> None:
        """Bring what was taken to the database, or leave it on disk while that is away, and let the store go."""
        with self._starting:
            self._is_closed = True
        try:
            if self._writer is not None:
                self._writer.close()
        finally:
            self._engine.close()

    def _settle(self) -> None:
        """Let a question see what was appended before it; while the database is away it sees what is there."""
        if self._writer is None:
            return
        with suppress(HistorianError):  # counted and logged by the writer
            self._writer.flush(_LONGEST_WAIT_S)

"""Readings from another system's database: what is new since the last time, and what was changed since."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from scada.drops.finding import Finding
from scada.drops.localtime import fixed_offset_ms
from scada.drops.profile import Profile
from scada.drops.reading import read_readings
from scada.drops.source import check_sql, plain_url, rows_of
from scada.drops.table import Table
from scada.drops.taking import Outcome, Taker
from scada.errors import DropError, QueryError

__all__ = ["Query", "take_query"]

_HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class Query:
    """A question to a database that is asked again and again.

    Attributes
    ----------
    name : str
    url, sql : str
        As of :func:`scada.drops.source.rows_of`.
    profile : Profile
        How its answer is to be read.
    overlap_s : float
        How far back of what came last it asks again, s: for rows that come late or are changed.
    start_ms : int
        Where it begins the first time, UTC ms.
    since_as : str
        What ``:since`` is: ``time`` (a time; text like ``2026-01-05 06:00:00`` for SQLite), ``unix``, ``unix-ms``, or a
        format as of `strftime`. Times and formats are in the profile's zone.
    timeout_s : float
    """

    name: str
    url: str
    sql: str
    profile: Profile = field(default_factory=Profile)
    overlap_s: float = 86_400.0
    start_ms: int = 0
    since_as: str = "time"
    timeout_s: float = 60.0

    @property
    def key(self) -> str:
        """Under which its mark is kept: another question begins anew."""
        text = "\n".join((plain_url(self.url), self.sql, self.profile.key()))
        return f"{self.name}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def take_query(query: Query, taker: Taker, now_ms: int | None = None) -> Outcome:
    """Ask and take.

    Parameters
    ----------
    query : Query
    taker : Taker
        Its state keeps the mark; without one everything is asked for.
    now_ms : int, optional
        The computer's time, UTC ms.

    Raises
    ------
    QueryError
        The database does not answer, or not with readings.
    HistorianError
        The historian or the state cannot be used; the mark stays where it was.
    """
    wrong = check_sql(query.sql)
    if wrong:
        raise QueryError(f"{query.name}: {wrong}")
    now_ms = time.time_ns() // 1_000_000 if now_ms is None else now_ms
    outcome = Outcome(query.name, query.profile.name)
    since = since_value(query, _begin_ms(query, taker))
    mark: tuple[int, str] | None = None
    rows_before = 0
    for names, rows in rows_of(query.url, query.sql, since, query.profile.zone, query.timeout_s):
        columns = [_utc_where_known(column) for column in zip(*rows, strict=True)]
        lines = list(range(rows_before + 1, rows_before + len(rows) + 1))
        rows_before += len(rows)
        table = Table(query.name, names, [""] * len(names), columns, lines)
        try:
            readings = read_readings(table, query.profile, taker.tags, now_ms, query.name)
        except DropError as error:
            outcome.findings.append(Finding(error.file, error.line, error.what, error.mend))
            continue
        outcome.count(readings)
        taker.store(readings, outcome)
        past = readings.time_ms <= now_ms  # a clock that is ahead must not carry the mark away
        if past.any():
            k = int(past.nonzero()[0][-1])
            newest = int(readings.time_ms[k]), readings.tags[int(readings.tag[k])].name
            mark = newest if mark is None else max(mark, newest)
    if mark is not None and taker.state is not None:
        taker.state.set_mark(query.key, *mark)
    if outcome.errors:
        outcome.verdict = "partly" if outcome.samples else "failed"
    return outcome


def _utc_where_known(column: Sequence[Any]) -> list[Any]:
    """Times with a zone as UTC: in their own zone the two hours of autumn are equal to Python."""
    if not any(isinstance(cell, datetime) for cell in column):
        return list(column)
    return [cell.astimezone(UTC) if isinstance(cell, datetime) and cell.tzinfo is not None else cell for cell in column]


def _begin_ms(query: Query, taker: Taker) -> int:
    """From when to ask: where it came, less the overlap; anew where the historian is another one."""
    mark = taker.state.mark(query.key) if taker.state is not None else None
    if mark is None or not taker.has_sample(mark[1], mark[0]):
        return query.start_ms
    return max(query.start_ms, mark[0] - round(1000 * query.overlap_s))


def since_value(query: Query, ms: int) -> Any:
    """What ``:since`` stands for."""
    if query.since_as == "unix":
        return ms / 1000.0
    if query.since_as == "unix-ms":
        return ms
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)
    offset = fixed_offset_ms(query.profile.zone)
    if query.since_as == "time" and not query.url.startswith("sqlite:"):
        if query.url.startswith("odbc:"):
            return _local(moment, query.profile.zone, offset).replace(tzinfo=None)
        return moment
    text_format = "%Y-%m-%d %H:%M:%S" if query.since_as == "time" else query.since_as
    return _local(moment, query.profile.zone, offset).strftime(text_format)


def _local(moment: datetime, zone: str, offset_ms: int | None) -> datetime:
    """The clock on the wall; an hour earlier where the clocks may have been put back since."""
    if offset_ms is not None:
        return moment + timedelta(milliseconds=offset_ms)
    return (moment - timedelta(milliseconds=_HOUR_MS if moment.year > 1970 else 0)).astimezone(ZoneInfo(zone))

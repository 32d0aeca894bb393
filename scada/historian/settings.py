"""How a historian gathers and keeps samples, and what it counts."""

from __future__ import annotations

from dataclasses import dataclass, field

from scada.historian.engine import Retention
from scada.historian.spool import Policy

__all__ = ["Counters", "HistorianStatus", "WriterSettings"]


@dataclass(frozen=True, slots=True)
class WriterSettings:
    """How samples are gathered and kept.

    Attributes
    ----------
    batch_s : float
        Longest time from `append` until a sample is on disk, s.
    batch_rows : int
        Samples that are written at once without waiting for more.
    queue_rows : int
        Samples kept in memory while neither the database nor the disk takes them.
    policy : str
        What is lost when the queue or the spool is full: ``drop-oldest`` or ``keep-oldest``.
    retention : Retention
    """

    batch_s: float = 1.0
    batch_rows: int = 50_000
    queue_rows: int = 500_000
    policy: Policy = "drop-oldest"
    retention: Retention = field(default_factory=Retention)


@dataclass(slots=True)
class Counters:
    """What happened to samples since the writer was made.

    Attributes
    ----------
    accepted : int
        Taken by `append`.
    stored, revised, repeated : int
        New in the database; stored beside an older value of the same time; there already.
    spooled, forwarded : int
        Written to the spool; brought from it to the database.
    dropped : int
        Lost because neither database nor disk took them for too long.
    refused : int
        Lost because no database could hold them: their time lies outside the calendar.
    deleted : int
        Removed by retention.
    batches, failures : int
        Transactions that went well and that did not.
    faults : int
        Errors nobody expected; each is logged and the work goes on.
    backward_steps : int
        Times the computer's clock was set back.
    longest_delay_s : float
        Longest time from `append` until a sample was on disk.
    last_error : str
        Of the database or the spool; empty while all is well.
    """

    accepted: int = 0
    stored: int = 0
    revised: int = 0
    repeated: int = 0
    spooled: int = 0
    forwarded: int = 0
    dropped: int = 0
    refused: int = 0
    deleted: int = 0
    batches: int = 0
    failures: int = 0
    faults: int = 0
    backward_steps: int = 0
    longest_delay_s: float = 0.0
    last_error: str = ""


@dataclass(frozen=True, slots=True)
class HistorianStatus:
    """How a historian is.

    Attributes
    ----------
    name : str
        The file or the server.
    is_away : bool
        Whether the database did not take the last batch.
    waiting : int
        Samples in memory.
    spool_samples, spool_bytes : int
        Samples and bytes on disk that wait for the database.
    counters : Counters
    """

    name: str
    is_away: bool
    waiting: int
    spool_samples: int
    spool_bytes: int
    counters: Counters

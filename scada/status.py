"""What happened to the registers of one device."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field

import numpy as np

__all__ = ["ReaderStatus"]

_REMEMBERED_TRIPS = 1000


@dataclass(slots=True)
class ReaderStatus:
    """Counters of one device since the reader was made; the reader is their only writer.

    Every register that was due is in exactly one of read, bad and lost.

    Attributes
    ----------
    device : str
    requests : int
        Requests tried.
    errors : Counter of str
        Failed requests by reason.
    samples_good, samples_bad, samples_lost : int
        GOOD samples; answered but not GOOD; not answered.
    samples_uncertain, samples_stale : int
        Those of `samples_bad` that are UNCERTAIN and STALE; the others are BAD.
    registers_read, registers_bad, registers_lost : int
        The same in registers (a bit of a coil table counts as one); lost includes missed slots.
    slots_missed : int
        Slots of a group of tags that went by while the connection was busy; no samples exist for them.
    last_error : str
        What the last failed request failed of, one line; empty when a request has succeeded since.
    last_good_ms : int or None
        Arrival of the last reply with a GOOD sample, UTC ms.
    round_trips_ms : deque of float
        The last thousand, ms.
    """

    device: str
    requests: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    samples_good: int = 0
    samples_bad: int = 0
    samples_lost: int = 0
    samples_uncertain: int = 0
    samples_stale: int = 0
    registers_read: int = 0
    registers_bad: int = 0
    registers_lost: int = 0
    slots_missed: int = 0
    last_error: str = ""
    last_good_ms: int | None = None
    round_trips_ms: deque[float] = field(default_factory=lambda: deque(maxlen=_REMEMBERED_TRIPS))

    @property
    def p50_ms(self) -> float:
        """Median round trip, ms; NaN before the first."""
        return self._percentile(50)

    @property
    def p99_ms(self) -> float:
        """99th percentile of the round trip, ms; NaN before the first."""
        return self._percentile(99)

    def _percentile(self, rank: int) -> float:
        return float(np.percentile(self.round_trips_ms, rank)) if self.round_trips_ms else float("nan")

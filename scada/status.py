"""What happened to the registers of one device."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np

__all__ = ["LATENESS_S", "ROUND_TRIPS_S", "DeviceState", "ReaderStatus", "Times"]

_REMEMBERED = 1000
# upper bounds of the classes in which times are counted, s; from a PLC beside us to a modem with a bad day
ROUND_TRIPS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
LATENESS_S = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0)


class DeviceState(StrEnum):
    """How a device stands, by what happened to it last."""

    WAITING = "waiting"  # not asked yet
    CONNECTED = "connected"  # it answered
    BACKING_OFF = "backing off"  # no connection could be made; the next try comes after a pause
    PARKED = "parked"  # it stayed silent behind a connection that stands, and is probed after a pause


class Times:
    """Times that something took: the last thousand, and all of them by classes.

    Parameters
    ----------
    bounds_s : tuple of float
        Upper bounds of the classes, s, ascending; one more class holds what is longer.

    Attributes
    ----------
    counts : list of int
        By class.
    sum_s : float
        Of all, s.
    """

    __slots__ = ("_last_ms", "_place", "bounds_s", "counts", "sum_s")

    def __init__(self, bounds_s: tuple[float, ...]) -> None:
        self.bounds_s = bounds_s
        self.counts = [0] * (len(bounds_s) + 1)
        self.sum_s = 0.0
        # of full length from the beginning, so that memory does not grow while it fills
        self._last_ms = array("f", bytes(4 * _REMEMBERED))
        self._place = 0

    def add(self, time_s: float) -> None:
        """Count one."""
        self.counts[bisect_left(self.bounds_s, time_s)] += 1
        self.sum_s += time_s
        self._last_ms[self._place % _REMEMBERED] = 1000.0 * time_s
        self._place += 1

    def percentiles_ms(self, *ranks: float) -> list[float]:
        """Return percentiles of the last thousand, ms; NaN before the first."""
        known = np.sort(np.frombuffer(self._last_ms, dtype=np.float32)[: self._place])
        if not len(known):
            return [float("nan")] * len(ranks)
        # what np.percentile gives, which takes five times as long; a thousand devices are told of every few seconds
        places = np.array(ranks) / 100 * (len(known) - 1)
        return [float(value) for value in np.interp(places, np.arange(len(known)), known)]


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
    samples_revised : int
        Those of `samples_uncertain` that were called spikes and that the samples after them showed to be GOOD.
    registers_read, registers_bad, registers_lost, registers_revised : int
        The same in registers (a bit of a coil table counts as one); lost includes missed slots.
    slots_missed : int
        Slots of a group of tags that went by while the connection was busy; no samples exist for them.
    last_error : str
        What the last failed request failed of, one line; empty when a request has succeeded since.
    last_good_ms : int or None
        Arrival of the last reply with a GOOD sample, UTC ms.
    state : DeviceState
    queued : int
        Requests that are due and wait for their turn on the connection.
    round_trips : Times
        Of requests that were answered.
    lateness : Times
        How much later than planned a group of tags was begun with.
    """

    device: str
    requests: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    samples_good: int = 0
    samples_bad: int = 0
    samples_lost: int = 0
    samples_uncertain: int = 0
    samples_stale: int = 0
    samples_revised: int = 0
    registers_read: int = 0
    registers_bad: int = 0
    registers_lost: int = 0
    registers_revised: int = 0
    slots_missed: int = 0
    last_error: str = ""
    last_good_ms: int | None = None
    state: DeviceState = DeviceState.WAITING
    queued: int = 0
    round_trips: Times = field(default_factory=lambda: Times(ROUND_TRIPS_S))
    lateness: Times = field(default_factory=lambda: Times(LATENESS_S))

    @property
    def p50_ms(self) -> float:
        """Median round trip, ms; NaN before the first."""
        return self.round_trips.percentiles_ms(50)[0]

    @property
    def p99_ms(self) -> float:
        """99th percentile of the round trip, ms; NaN before the first."""
        return self.round_trips.percentiles_ms(99)[0]

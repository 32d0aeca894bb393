"""One reading of one tag."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum


class Quality(IntEnum):
    """How far a sample may be trusted; the numbers are stored."""

    GOOD = 0
    UNCERTAIN = 1
    BAD = 2
    STALE = 3


class Reason(StrEnum):
    """Why a sample is not GOOD; or, of a GOOD one, what is worth knowing.

    Exceptions other than the illegal address are written ``exception-N`` and have no member here, nor have texts, which
    are written ``text: ...``. ``wrap`` and ``unchanged`` stand with GOOD samples: a counter began again at zero; the
    samples since the one stored before differed by less than the deadband. ``source`` is what whoever delivered a
    sample said of it.
    """

    NONE = ""
    NAN = "nan"
    SENTINEL = "sentinel"
    RANGE = "range"
    INEXACT = "inexact"
    FLAT_LINE = "flat-line"
    SPIKE = "spike"
    WRAP = "wrap"
    METER_EXCHANGED = "meter-exchanged"
    STALE = "stale"
    CLOCK = "clock"
    UNCHANGED = "unchanged"
    SOURCE = "source"
    TIMEOUT = "timeout"
    REFUSED = "refused"
    TLS = "tls"
    DISCONNECTED = "disconnected"
    GARBLED = "garbled"
    PARKED = "parked"
    ILLEGAL_ADDRESS = "illegal-address"
    STOPPED = "stopped"
    HEARTBEAT = "heartbeat"


@dataclass(frozen=True, slots=True)
class Sample:
    """One value of one tag at one time.

    Attributes
    ----------
    tag : str
        Name of the tag.
    time_ms : int
        The slot the value stands for, or the time by the device's own clock, UTC ms since 1970.
    arrival_ms : int
        When the reply (or its absence) was known, UTC ms since 1970.
    value : float
        Engineering value; NaN where nothing came.
    quality : Quality
    reason : str
        A :class:`Reason`, ``exception-N`` or ``text: ...``; empty with nearly all that is GOOD.
    """

    tag: str
    time_ms: int
    arrival_ms: int
    value: float
    quality: Quality = Quality.GOOD
    reason: str = ""

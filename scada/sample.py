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
    """Why a sample is not GOOD.

    Exceptions other than the illegal address are written ``exception-N`` and have no member here.
    """

    NONE = ""
    NAN = "nan"
    SENTINEL = "sentinel"
    RANGE = "range"
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
        The slot the value stands for, UTC ms since 1970.
    arrival_ms : int
        When the reply (or its absence) was known, UTC ms since 1970.
    value : float
        Engineering value; NaN where nothing came.
    quality : Quality
    reason : str
        Empty when GOOD, else a :class:`Reason` or ``exception-N``.
    """

    tag: str
    time_ms: int
    arrival_ms: int
    value: float
    quality: Quality = Quality.GOOD
    reason: str = ""

"""What a sample says about an alarm's condition, kind by kind.

A judge remembers what it needs of earlier samples. Only GOOD values are compared with limits: a value that cannot be
trusted neither raises nor clears, and ends a delay that was running.
"""

from __future__ import annotations

import math
import operator
from collections import deque
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Protocol

from scada.alarms.alarm import Alarm
from scada.sample import Quality, Sample

__all__ = ["Expectation", "Judge", "Verdict", "judge_of"]

_DEVIATION_WINDOW_MS = 60_000


class Verdict(Enum):
    """What a sample says: the condition holds, does not hold, cannot be known; or nothing new."""

    YES = 1
    NO = 2
    UNKNOWN = 3
    NOTHING = 4


class Expectation(Protocol):
    """A source of expected values, such as a hydraulic model."""

    def __call__(self, tag: str, time_ms: int) -> float:
        """Return what a tag should read at a time, in the tag's unit; NaN where the source does not know."""
        ...


class Judge(Protocol):
    """Judges the samples of one alarm in order."""

    def __call__(self, sample: Sample, was: bool) -> Verdict:
        """Return what a sample says; `was` is whether the condition held before it, delays apart."""
        ...


def _said(holds: bool) -> Verdict:
    return Verdict.YES if holds else Verdict.NO


class _Level:
    """Above or below a limit; back by the deadband."""

    def __init__(self, alarm: Alarm) -> None:
        self._sign = 1.0 if alarm.kind in {"H", "HH"} else -1.0
        self._limit = self._sign * alarm.limit
        self._back = self._limit - alarm.deadband

    def __call__(self, sample: Sample, was: bool) -> Verdict:
        if sample.quality is not Quality.GOOD:
            return Verdict.UNKNOWN
        value = self._sign * sample.value
        return _said(value > self._limit or (was and value > self._back))


class _Bit:
    """A bit that is set, or is not."""

    def __init__(self, alarm: Alarm) -> None:
        self._is_on = alarm.kind == "on"

    def __call__(self, sample: Sample, was: bool) -> Verdict:
        if sample.quality is not Quality.GOOD:
            return Verdict.UNKNOWN
        return _said((sample.value >= 0.5) is self._is_on)


class _Bad:
    """No value, or one that means "not known"."""

    def __init__(self, alarm: Alarm) -> None:
        pass

    def __call__(self, sample: Sample, was: bool) -> Verdict:
        return _said(sample.quality in {Quality.BAD, Quality.STALE})


class _Stale:
    """A sample with a value ends it; that it begins is the engine's clock to tell."""

    def __init__(self, alarm: Alarm) -> None:
        pass

    def __call__(self, sample: Sample, was: bool) -> Verdict:
        return Verdict.NO if sample.quality in {Quality.GOOD, Quality.UNCERTAIN} else Verdict.NOTHING


_MEASURES: dict[str, Callable[[float], float]] = {"rise": float, "fall": operator.neg, "rate": abs}


class _Rate:
    """Change against the newest GOOD value that is a window old, over its real age."""

    def __init__(self, alarm: Alarm) -> None:
        self._window_ms = alarm.window_ms
        self._limit, self._back = alarm.limit, alarm.limit - alarm.deadband
        self._measure = _MEASURES[alarm.kind]
        self._past: deque[tuple[int, float]] = deque()

    def __call__(self, sample: Sample, was: bool) -> Verdict:
        if sample.quality is not Quality.GOOD:
            return Verdict.UNKNOWN
        past = self._past
        past.append((sample.time_ms, sample.value))
        since = sample.time_ms - self._window_ms
        while len(past) > 1 and past[1][0] <= since:
            past.popleft()
        time_ms, value = past[0]
        if time_ms > since:
            return Verdict.NOTHING
        rate = self._measure((sample.value - value) * self._window_ms / (sample.time_ms - time_ms))
        return _said(rate > self._limit or (was and rate > self._back))


class _Deviation:
    """A value against another tag's, or against what a source expects."""

    def __init__(self, alarm: Alarm, source: Expectation | None) -> None:
        self._tag = alarm.tag
        self._source = source
        self._window_ms = alarm.window_ms or _DEVIATION_WINDOW_MS
        self._limit, self._back = alarm.limit, alarm.limit - alarm.deadband
        self._own: Sample | None = None
        self._other: Sample | None = None

    def __call__(self, sample: Sample, was: bool) -> Verdict:
        kept = sample if sample.quality is Quality.GOOD else None
        if sample.tag == self._tag:
            self._own = kept
        else:
            self._other = kept
        if kept is None:
            return Verdict.UNKNOWN
        pair = self._pair()
        if pair is None:
            return Verdict.NOTHING
        deviation = abs(pair[0] - pair[1])
        if math.isnan(deviation):
            return Verdict.UNKNOWN
        return _said(deviation > self._limit or (was and deviation > self._back))

    def _pair(self) -> tuple[float, float] | None:
        own, other = self._own, self._other
        if own is None:
            return None
        if self._source is not None:
            return own.value, self._source(self._tag, own.time_ms)
        if other is None or abs(own.time_ms - other.time_ms) > self._window_ms:
            return None
        return own.value, other.value


_BY_KIND: dict[str, Callable[[Alarm], Judge]] = {
    **dict.fromkeys(("LL", "L", "H", "HH"), _Level),
    **dict.fromkeys(("rise", "fall", "rate"), _Rate),
    **dict.fromkeys(("on", "off"), _Bit),
    "bad": _Bad,
    "stale": _Stale,
}


def judge_of(alarm: Alarm, sources: Mapping[str, Expectation]) -> Judge:
    """Return a judge for an alarm of any kind but ``away``.

    Parameters
    ----------
    alarm : Alarm
    sources : mapping of str to Expectation
        What ``expected`` may name beside tags.
    """
    if alarm.kind == "deviation":
        return _Deviation(alarm, sources.get(alarm.expected))
    return _BY_KIND[alarm.kind](alarm)

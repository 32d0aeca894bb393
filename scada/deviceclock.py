"""The time by a device's own clock, for what it measured itself and we fetched later."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from scada.sample import Quality, Reason, Sample
from scada.tag import Tag

__all__ = ["DeviceClock"]

_AHEAD_MS = 60_000  # clocks drift; a device further ahead of us is wrong
_BEHIND_MS = 7 * 86_400_000  # a logger that could not send for a week


class DeviceClock:
    """Dates the samples of one reply by the clock register in it.

    Parameters
    ----------
    position : int
        Of the clock among the tags.
    to_ms : float
        ms in a unit of the clock.

    Notes
    -----
    A clock that stands still tells that nothing was measured since: the values are STALE, however good they look. One
    that cannot be right (BAD, ahead of us by a minute, behind by a week, or running backwards) leaves our own time, and
    the values UNCERTAIN.
    """

    def __init__(self, position: int, to_ms: float) -> None:
        self._position = position
        self._to_ms = to_ms
        self._last_ms: int | None = None

    @classmethod
    def of(cls, tags: Sequence[Tag]) -> DeviceClock | None:
        """Return the clock among `tags`, or None."""
        for position, tag in enumerate(tags):
            if tag.quantity == "time":
                return cls(position, 1.0 if tag.unit == "ms" else 1000.0)
        return None

    def stamped(self, samples: list[Sample]) -> list[Sample]:
        """Return the samples of one reply with the device's time; the clock's own sample keeps ours."""
        clock = samples[self._position]
        time_ms, quality, reason = self._read(clock)
        return [
            sample
            if sample is clock
            else replace(sample, time_ms=time_ms)
            if quality is Quality.GOOD
            else _lowered(sample, quality, reason)
            for sample in samples
        ]

    def _read(self, clock: Sample) -> tuple[int, Quality, Reason]:
        """Return the device's time, or what its clock does to the other samples."""
        time_ms = round(clock.value * self._to_ms) if clock.quality is Quality.GOOD else None
        if time_ms is None or not -_BEHIND_MS <= time_ms - clock.arrival_ms <= _AHEAD_MS:
            return 0, Quality.UNCERTAIN, Reason.CLOCK
        last_ms, self._last_ms = self._last_ms, time_ms
        if last_ms is None or time_ms > last_ms:
            return time_ms, Quality.GOOD, Reason.NONE
        if time_ms == last_ms:
            return 0, Quality.STALE, Reason.STALE
        return 0, Quality.UNCERTAIN, Reason.CLOCK


def _lowered(sample: Sample, quality: Quality, reason: Reason) -> Sample:
    """Return a sample that was better as it is to be; what was worse stays."""
    return replace(sample, quality=quality, reason=reason.value) if sample.quality is Quality.GOOD else sample

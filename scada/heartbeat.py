"""A register that a PLC's program counts up: while it stands, nothing the PLC shows is news."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from scada.readings import Readings
from scada.sample import Quality, Reason, Sample
from scada.tag import Tag

__all__ = ["Heartbeat", "heartbeat_tag"]

_NAME = "heartbeat"
_STANDSTILLS = 3  # readings in a row without a change


def heartbeat_tag(tags: Sequence[Tag], name: str = "") -> str:
    """Return the name of a device's heartbeat: `name`, or the tag whose last part is ``heartbeat``; empty for none."""
    names = [tag.name for tag in tags]
    if name:
        return name if name in names else ""
    return next((own for own in names if own.rpartition(".")[2] == _NAME), "")


class Heartbeat:
    """Notices that a heartbeat stands, and takes the device's samples for stale until it beats again.

    Parameters
    ----------
    tag : str
        Name of the heartbeat; empty where the device has none, and nothing is ever stale.
    """

    def __init__(self, tag: str) -> None:
        self.tag = tag
        self._last = math.nan
        self._unchanged = 0

    @property
    def is_standing(self) -> bool:
        """Whether the program behind the registers has stopped."""
        return self._unchanged >= _STANDSTILLS

    def judge(self, samples: Sequence[Sample]) -> Sequence[Sample]:
        """Listen for the heartbeat among the samples of one reply; GOOD ones become STALE while it stands."""
        if not self.tag:
            return samples
        beat = _find(samples, self.tag)
        if beat is not None and not beat.reason:
            self._unchanged = self._unchanged + 1 if beat.value == self._last else 0
            self._last = beat.value
        if not self.is_standing:
            return samples
        if isinstance(samples, Readings):
            return samples.lowered(Quality.STALE, Reason.HEARTBEAT.value)
        return [
            replace(sample, quality=Quality.STALE, reason=Reason.HEARTBEAT.value) if not sample.reason else sample
            for sample in samples
        ]


def _find(samples: Sequence[Sample], tag: str) -> Sample | None:
    if isinstance(samples, Readings):
        return samples[samples.names.index(tag)] if tag in samples.names else None
    return next((sample for sample in samples if sample.tag == tag), None)

"""Samples that were given out as possible spikes, until it is known what they were."""

from __future__ import annotations

from collections import deque
from dataclasses import replace

from scada.sample import Quality, Sample

__all__ = ["Suspects"]


class Suspects:
    """Keeps the last suspected samples of each tag.

    Parameters
    ----------
    most : int
        Of one tag that are kept.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._samples: dict[str, deque[Sample]] = {}

    def add(self, sample: Sample) -> None:
        """Keep a sample that was called a spike."""
        self._samples.setdefault(sample.tag, deque(maxlen=self._most)).append(sample)

    def forget(self, tag: str | None = None) -> None:
        """Keep none of a tag, or none at all: whatever comes later, nothing will be known of them."""
        if tag is None:
            self._samples.clear()
        else:
            self._samples.pop(tag, None)

    def cleared(self, tag: str, count: int, arrival_ms: int) -> list[Sample]:
        """Return the last `count` of a tag as the GOOD samples that they are known to be since `arrival_ms`.

        Each bears the time it had, so that a historian takes it for a revision of what it was given before.
        """
        kept = self._samples.pop(tag, deque())
        found = list(kept)[max(len(kept) - count, 0) :]
        return [replace(sample, arrival_ms=arrival_ms, quality=Quality.GOOD, reason="") for sample in found]

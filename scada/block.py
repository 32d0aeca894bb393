"""A planned request with everything needed to make samples of its reply."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from scada.blockdecoder import BlockDecoder
from scada.plan import Request, request_for
from scada.quality import REASONS, judge, limits_of
from scada.sample import Quality, Sample
from scada.status import ReaderStatus
from scada.tag import Tag

__all__ = ["Block", "absent", "halves", "joined"]


class Block:
    """One request, its decoder and its limits.

    Parameters
    ----------
    request : Request
    """

    __slots__ = ("_decoder", "_limits", "_registers", "registers", "request")

    def __init__(self, request: Request) -> None:
        self.request = request
        self._decoder = BlockDecoder(request.tags, request.start)
        self._limits = limits_of(request.tags)
        self._registers = np.array([tag.registers for tag in request.tags])
        self.registers = int(self._registers.sum())

    def samples(self, words: NDArray[np.uint16], slot_ms: int, arrival_ms: int, status: ReaderStatus) -> list[Sample]:
        """Return the samples of a reply and count them in `status`.

        Parameters
        ----------
        words : uint16 [count]
            The reply to this block's request.
        slot_ms, arrival_ms : int
            UTC ms.
        status : ReaderStatus
            Of the block's device.
        """
        raw = self._decoder.raw(words)
        values = self._decoder.engineering(raw)
        quality, reason = judge(self._limits, raw, values)
        names = self._decoder.names
        if reason.any():
            samples = [
                Sample(name, slot_ms, arrival_ms, value, Quality(grade), REASONS[why].value)
                for name, value, grade, why in zip(
                    names, values.tolist(), quality.tolist(), reason.tolist(), strict=True
                )
            ]
            good = int((reason == 0).sum())
            registers_bad = int(self._registers[reason != 0].sum())
        else:
            samples = [
                Sample(name, slot_ms, arrival_ms, value) for name, value in zip(names, values.tolist(), strict=True)
            ]
            good, registers_bad = len(samples), 0
        status.samples_good += good
        status.samples_bad += len(samples) - good
        status.registers_bad += registers_bad
        status.registers_read += self.registers - registers_bad
        if good:
            status.last_good_ms = arrival_ms
        return samples


def absent(tags: Sequence[Tag], slot_ms: int, arrival_ms: int, reason: str) -> list[Sample]:
    """Return BAD samples without a value, one for each tag."""
    return [Sample(tag.name, slot_ms, arrival_ms, math.nan, Quality.BAD, reason) for tag in tags]


def halves(request: Request) -> tuple[Request, Request]:
    """Split a request of two tags or more in two."""
    middle = len(request.tags) // 2
    return request_for(request.tags[:middle]), request_for(request.tags[middle:])


def joined(requests: Sequence[Request], limit: int) -> list[Request]:
    """Join requests, sorted by address, that touch each other, up to `limit` addresses.

    Used after a block was taken apart: what touches was read on both sides of the seam, so that only whole addresses
    known to be good are joined; nothing is read across a gap again.
    """
    result: list[Request] = []
    for request in requests:
        last = result[-1] if result else None
        if last and request.start <= last.start + last.count and request.start + request.count - last.start <= limit:
            result[-1] = request_for((*last.tags, *request.tags))
        else:
            result.append(request)
    return result

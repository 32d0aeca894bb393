"""A planned request with everything needed to make samples of its reply."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from scada.behaviour import SPIKE, Behaviour, Memory
from scada.blockdecoder import BlockDecoder
from scada.deviceclock import DeviceClock
from scada.plan import Request, request_for
from scada.quality import judge, limits_of
from scada.readings import Readings
from scada.sample import Quality, Sample
from scada.status import ReaderStatus
from scada.textregisters import TextReader

__all__ = ["Block", "halves"]


class Block:
    """One request, its decoder and its limits.

    Parameters
    ----------
    request : Request
    memory : Memory, optional
        What the device's tags did before; the blocks of one device share it, so that it outlives them.
    """

    __slots__ = (
        "_behaviour", "_clock", "_decoder", "_limits", "_memory", "_registers", "_settled", "_texts", "registers",
        "request",
    )  # fmt: skip

    def __init__(self, request: Request, memory: Memory | None = None) -> None:
        self.request = request
        self._memory = memory or Memory(len(request.tags))
        self._settled: Sequence[tuple[int, int]] = ()
        self._decoder = BlockDecoder(request.tags, request.start)
        self._limits = limits_of(request.tags)
        self._behaviour = Behaviour(request.tags, self._memory)
        self._clock = DeviceClock.of(request.tags)
        self._texts = TextReader.of(request.tags, request.start)
        self._registers = np.array([tag.registers for tag in request.tags])
        self.registers = int(self._registers.sum())

    def samples(
        self, words: NDArray[np.uint16], slot_ms: int, arrival_ms: int, status: ReaderStatus
    ) -> Sequence[Sample]:
        """Return the samples of a reply and count them in `status`; :meth:`revised` has more to say of some before.

        Parameters
        ----------
        words : uint16 [count]
            The reply to this block's request.
        slot_ms, arrival_ms : int
            UTC ms.
        status : ReaderStatus
            Of the block's device.
        """
        raw = self._decoder.read(words)
        values = self._decoder.engineering(raw.values)
        reason = judge(self._limits, raw.values, values, raw.inexact)
        self._settled = self._behaviour.judge(raw.values, values, reason, slot_ms)
        is_plain = not np.count_nonzero(reason)
        found = Readings(self._decoder.names, slot_ms, arrival_ms, values, None if is_plain else reason)
        if self._clock is None and self._texts is None:
            self._count(None if is_plain else found.quality, arrival_ms, status)
            if not is_plain:
                self._suspect(found, reason, None)
            return found
        samples = list(found)
        if self._texts is not None:
            self._texts.put(samples, words)
        if self._clock is not None:
            samples = self._clock.stamped(samples)
        self._count(np.array([sample.quality for sample in samples], dtype=np.uint8), arrival_ms, status)
        if not is_plain:
            # a device whose clock tells nothing leaves our time, and a doubt that no later value takes away
            self._suspect(samples, reason, None if self._clock is None else slot_ms)
        return samples

    def _suspect(self, samples: Sequence[Sample], reason: NDArray[np.uint8], but_ms: int | None) -> None:
        """Keep possible spikes, but for those of a time."""
        for position in np.flatnonzero(reason == SPIKE).tolist():
            sample = samples[position]
            if sample.time_ms != but_ms:
                self._memory.suspects.add(sample)
            else:
                self._memory.suspects.forget(sample.tag)

    def revised(self, arrival_ms: int, status: ReaderStatus) -> list[Sample]:
        """Return samples given out before as possible spikes that the last reply shows to be none, and count them."""
        revised: list[Sample] = []
        for position, count in self._settled:
            cleared = self._memory.suspects.cleared(self.request.tags[position].name, count, arrival_ms)
            status.registers_revised += int(self._registers[position]) * len(cleared)
            revised += cleared
        status.samples_revised += len(revised)
        return revised

    def _count(self, quality: NDArray[np.uint8] | None, arrival_ms: int, status: ReaderStatus) -> None:
        """Count samples by their quality; None where all are GOOD."""
        good, registers_read = len(self._registers), self.registers
        if quality is not None:
            is_good = quality == Quality.GOOD
            good, registers_read = int(is_good.sum()), int(self._registers[is_good].sum())
            status.samples_uncertain += int((quality == Quality.UNCERTAIN).sum())
            status.samples_stale += int((quality == Quality.STALE).sum())
        status.samples_good += good
        status.samples_bad += len(self._registers) - good
        status.registers_read += registers_read
        status.registers_bad += self.registers - registers_read
        if good:
            status.last_good_ms = arrival_ms


def halves(request: Request) -> tuple[Request, Request]:
    """Split a request of two tags or more in two."""
    middle = len(request.tags) // 2
    return request_for(request.tags[:middle]), request_for(request.tags[middle:])

"""Whether devices and gateways answer, as their samples tell."""

from __future__ import annotations

from scada.alarms.conditions import Verdict
from scada.sample import Quality, Reason, Sample

__all__ = ["Answering", "is_loss"]

# reasons of samples that say nothing of a tag, only of the way to it
_LOST = {
    Reason.TIMEOUT.value,
    Reason.REFUSED.value,
    Reason.TLS.value,
    Reason.DISCONNECTED.value,
    Reason.GARBLED.value,
    Reason.PARKED.value,
    Reason.HEARTBEAT.value,
    "exception-10",
    "exception-11",
}


def is_loss(sample: Sample) -> bool:
    """Return whether a sample is missing because its device gave no answer, or because its program stands still."""
    return sample.quality >= Quality.BAD and sample.reason in _LOST


class Answering:
    """What is known of one device.

    A device is lost when a slot brings nothing after the last answer: while other requests of the same slot are
    answered it is not. Any answer ends it.

    Attributes
    ----------
    is_lost : bool
    answered_ms : int
        When it last answered, UTC ms.
    """

    __slots__ = ("answered_ms", "is_lost")

    def __init__(self) -> None:
        self.is_lost = False
        self.answered_ms = -1

    def judge(self, sample: Sample, time_ms: int) -> Verdict:
        """Return what a sample of the device, known at a time, says of it."""
        if not is_loss(sample):
            self.answered_ms = time_ms
            self.is_lost = False
            return Verdict.NO
        if sample.time_ms <= self.answered_ms:
            return Verdict.NOTHING
        self.is_lost = True
        return Verdict.YES

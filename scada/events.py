"""What is worth a line in the log about a device: when something begins, seldom while it goes on, when it is over.

Each record carries ``device``, ``unit``, ``event``, ``kind`` and ``repeated`` as fields, so that a program can pick
them without reading the sentence. Nothing is printed unless the application sets up logging.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable

__all__ = ["EVENTS", "REMIND_S", "DeviceLog"]

EVENTS = ("failed", "answers", "tag-refused", "heartbeat-stands", "heartbeat-beats", "slots-missed")
REMIND_S = 600.0  # a device that is dead for a day is told of 144 times

_logger = logging.getLogger(__name__)
_logger.addHandler(logging.NullHandler())  # without an application that wants to know, nobody is told


class DeviceLog:
    """Tells of one device; the same event of the same kind at most once in ten minutes.

    Parameters
    ----------
    device : str
    unit : int
        Modbus unit id.

    Attributes
    ----------
    is_failing : bool
        Whether the last request failed.
    """

    def __init__(self, device: str, unit: int) -> None:
        self.is_failing = False
        self._device = device
        self._unit = unit
        self._has_told = False  # of the failure that goes on
        self._since_s = 0.0
        self._refused: set[str] = set()
        self._last_s: dict[tuple[str, str], float] = {}
        self._untold: dict[tuple[str, str], int] = {}

    def failed(self, kind: str, text: str) -> None:
        """A request failed."""
        if not self.is_failing:
            self.is_failing = True
            self._since_s = time.monotonic()
            self._has_told = False
        if self.tell(logging.WARNING, "failed", kind, text):
            self._has_told = True

    def answered(self) -> None:
        """A request was answered after some had failed."""
        self.is_failing = False
        if self._has_told:
            self._has_told = False
            self._emit(logging.INFO, "answers", "", f"answers again after {time.monotonic() - self._since_s:.0f} s", 0)

    def refused(self, tags: Iterable[tuple[str, str]]) -> None:
        """The device refused tags by themselves: name and reason; each is told of once."""
        for tag, reason in tags:
            if tag not in self._refused:
                self._refused.add(tag)
                text = f"tag {tag} is refused by the device; the others are read on"
                self._emit(logging.WARNING, "tag-refused", reason, text, 0)

    def tell(self, level: int, event: str, kind: str, text: str) -> bool:
        """Write a line unless the same was told lately; return whether it was written."""
        key = event, kind
        now_s = time.monotonic()
        if now_s - self._last_s.get(key, -REMIND_S) < REMIND_S:
            self._untold[key] = self._untold.get(key, 0) + 1
            return False
        self._last_s[key] = now_s
        self._emit(level, event, kind, text, self._untold.pop(key, 0))
        return True

    def _emit(self, level: int, event: str, kind: str, text: str, repeated: int) -> None:
        more = f" ({repeated} times more since it was told last)" if repeated else ""
        fields = {"device": self._device, "unit": self._unit, "event": event, "kind": kind, "repeated": repeated}
        _logger.log(level, "%s: %s%s", self._device, text, more, extra=fields)

"""An alarm is a condition of the plant that needs somebody's answer."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

__all__ = ["AWAY", "KINDS", "PRIORITIES", "Alarm", "AlarmTable", "Kind"]

AWAY = "away"
PRIORITIES = ("low", "medium", "high", "critical")
LONGEST_SHELF_H = 24.0


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of alarm: which settings it cannot do without, and which others it takes."""

    needs: frozenset[str] = frozenset()
    takes: frozenset[str] = frozenset()


_LEVEL = Kind(frozenset({"limit"}), frozenset({"deadband"}))
_RATE = Kind(frozenset({"limit", "window_s"}), frozenset({"deadband"}))
KINDS = {
    "LL": _LEVEL,
    "L": _LEVEL,
    "H": _LEVEL,
    "HH": _LEVEL,
    "rise": _RATE,
    "fall": _RATE,
    "rate": _RATE,
    "deviation": Kind(frozenset({"limit", "expected"}), frozenset({"deadband", "window_s"})),
    "on": Kind(),
    "off": Kind(),
    "bad": Kind(),
    "stale": Kind(frozenset({"window_s"})),
    AWAY: Kind(),
}


@dataclass(frozen=True, slots=True)
class Alarm:
    """One row of an alarm table.

    Attributes
    ----------
    tag : str
        Tag that is watched; of kind ``away`` the device.
    kind : str
        LL, L, H, HH: below or above `limit`. rise, fall, rate: faster than `limit` per `window_s`, upwards, downwards
        or either way. deviation: further than `limit` from `expected`. on, off: a bit. bad: no value, or one that means
        "not known". stale: no value for `window_s`. away: the device gives no answer.
    name : str
        What tells it from the other alarms of its tag; its kind where empty.
    limit, deadband : float
        In the tag's unit; a condition ends when the value is back by the deadband.
    on_delay_s, off_delay_s : float
        How long the condition has to hold, and to be over, s.
    window_s : float
        See `kind`, s; of a deviation, how far apart in time a value and what is expected may be (60 s where 0).
    expected : str
        Tag, or source of values such as ``model``, that a deviation is measured from.
    priority : str
        low, medium, high or critical.
    position : str
        Operator position that answers it.
    latching : bool
        Stays until somebody resets it.
    suppressed_by : tuple of str
        Alarms (``tag/name``) that are its cause: while one of them holds, this one is suppressed.
    max_shelve_h : float
        Longest time for which it may be shelved, h.
    text_uk, text_en, cause_uk, cause_en, consequence_uk, consequence_en, action_uk, action_en : str
        What the operator is told: what it is, what it comes from, what follows if nothing is done, what to do.
    """

    tag: str
    kind: str
    name: str = ""
    limit: float = math.nan
    deadband: float = 0.0
    on_delay_s: float = 0.0
    off_delay_s: float = 0.0
    window_s: float = 0.0
    expected: str = ""
    priority: str = "medium"
    position: str = "control-room"
    latching: bool = False
    suppressed_by: tuple[str, ...] = ()
    max_shelve_h: float = LONGEST_SHELF_H
    text_uk: str = ""
    text_en: str = ""
    cause_uk: str = ""
    cause_en: str = ""
    consequence_uk: str = ""
    consequence_en: str = ""
    action_uk: str = ""
    action_en: str = ""

    @property
    def id(self) -> str:
        """``tag/name``, by which the journal and commands know it."""
        return f"{self.tag}/{self.name or self.kind}"

    @property
    def on_delay_ms(self) -> int:
        """How long the condition has to hold, ms."""
        return round(self.on_delay_s * 1000)

    @property
    def off_delay_ms(self) -> int:
        """How long it has to be over, ms."""
        return round(self.off_delay_s * 1000)

    @property
    def window_ms(self) -> int:
        """The window, ms."""
        return round(self.window_s * 1000)

    def text(self, language: str) -> str:
        """Return what it is, in a language if it is written in it, else in the other."""
        first, second = (self.text_uk, self.text_en) if language == "uk" else (self.text_en, self.text_uk)
        return first or second


@dataclass(frozen=True, slots=True)
class AlarmTable:
    """Alarms in the order of their file.

    Attributes
    ----------
    alarms : tuple of Alarm
    by_id : dict of str to Alarm
    """

    alarms: tuple[Alarm, ...]
    by_id: dict[str, Alarm] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_id", {alarm.id: alarm for alarm in self.alarms})

    def __iter__(self) -> Iterator[Alarm]:
        return iter(self.alarms)

    def __len__(self) -> int:
        return len(self.alarms)

"""One line of the journal of alarms."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Command", "Entry", "Note"]


class Note(StrEnum):
    """What the journal holds beside changes of state."""

    CHATTERING = "chattering"  # an alarm came too often and is held
    QUIET = "quiet"  # it no longer does
    FLOOD = "flood"  # a position got too many alarms
    FLOOD_END = "flood-end"


@dataclass(frozen=True, slots=True)
class Entry:
    """A change of an alarm, with who and why.

    Attributes
    ----------
    run, number : str, int
        Which run of the program wrote it, and its place in that run: together they are unique.
    time_ms : int
        When it happened, UTC ms.
    alarm : str
        Its id; empty where it is about a position.
    position, priority : str
    event : str
        An Event or a Note.
    before, after : str
        States; empty where it is about a position.
    is_active : bool
        Whether the alarm's condition holds after it.
    hidden : tuple of str
        What hides the alarm after it.
    value : float
        Of the tag, in its unit; NaN where there is none.
    cause : str
        Alarm that suppresses this one.
    who, why : str
        Person and reason; empty where the program acted by itself, but for a `why` that explains it.
    until_ms : int or None
        End of shelving, UTC ms.
    is_chattering : bool
        Whether the alarm is held because it came too often.
    """

    run: str
    number: int
    time_ms: int
    alarm: str
    position: str
    priority: str
    event: str
    before: str = ""
    after: str = ""
    is_active: bool = False
    hidden: tuple[str, ...] = ()
    value: float = math.nan
    cause: str = ""
    who: str = ""
    why: str = ""
    until_ms: int | None = None
    is_chattering: bool = False


@dataclass(frozen=True, slots=True)
class Command:
    """What a person wants of an alarm.

    Attributes
    ----------
    alarm : str
        Its id.
    action : str
        acknowledge, reset, shelve, unshelve, suppress, unsuppress, out-of-service or return-to-service.
    who : str
        A person's name.
    why : str
        Reason; needed to shelve, suppress and take out of service.
    for_s : float
        How long to shelve, s.
    time_ms : int
        When it is carried out, UTC ms.
    number : int
        Of the stored command; 0 where it was not stored.
    """

    alarm: str
    action: str
    who: str
    why: str = ""
    for_s: float = 0.0
    time_ms: int = 0
    number: int = 0

"""One alarm as it stands."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import IntEnum

from scada.alarms.alarm import Alarm
from scada.alarms.conditions import Judge, Verdict
from scada.alarms.flood import CHATTER_MS, ChatterWatch
from scada.alarms.states import Hiding, State

__all__ = ["Pending", "Standing"]


class Pending(IntEnum):
    """What a delay runs for."""

    NOTHING = 0
    RAISE = 1
    CLEAR = 2
    RELEASE = 3


@dataclass(slots=True, eq=False)
class Standing:
    """An alarm's state; the board is its only owner.

    Attributes
    ----------
    alarm : Alarm
    index : int
        Its place in the table.
    judge : Judge or None
        None of kind ``away``.
    state, hidden
        As in :mod:`scada.alarms.states`.
    is_active : bool
        Whether the condition holds, delays included.
    is_beyond : bool
        The same without delays.
    pending, since_ms : Pending, int
        What a delay runs for, and the time of the sample that began it.
    is_awaiting : bool
        It was suppressed by a cause that has ended, and nothing has been heard of its own condition since.
    cause : str
        Id of the alarm that suppresses it.
    until_ms : int or None
        End of shelving, UTC ms.
    value : float
        That the condition was judged by.
    changed_ms : int
        When the state last changed, UTC ms.
    parents, children : list of Standing
    """

    alarm: Alarm
    index: int
    judge: Judge | None = None
    state: State = State.NORMAL
    hidden: frozenset[Hiding] = frozenset()
    is_active: bool = False
    is_beyond: bool = False
    pending: Pending = Pending.NOTHING
    since_ms: int = 0
    is_awaiting: bool = False
    cause: str = ""
    until_ms: int | None = None
    value: float = math.nan
    changed_ms: int = 0
    chatter: ChatterWatch = field(default_factory=ChatterWatch)
    parents: list[Standing] = field(default_factory=list, repr=False)
    children: list[Standing] = field(default_factory=list, repr=False)

    @property
    def is_cause(self) -> bool:
        """Whether it suppresses its consequences: its condition holds, if only for a moment yet.

        What is out of service suppresses nothing: nobody would be told.
        """
        holds = self.is_active or self.pending is Pending.RAISE
        return holds and Hiding.OUT_OF_SERVICE not in self.hidden

    @property
    def is_at_rest(self) -> bool:
        """Whether a value within limits changes nothing."""
        return not (self.is_active or self.is_beyond or self.pending or self.is_awaiting)

    def is_settled(self, verdict: Verdict) -> bool:
        """Whether a verdict is what is known already, while no delay runs."""
        if verdict is Verdict.UNKNOWN:
            return True
        return self.is_active is self.is_beyond is (verdict is Verdict.YES) and not self.is_awaiting

    @property
    def wanted(self) -> Pending:
        """What the condition, as it was last judged, asks for."""
        if self.is_beyond:
            if not self.is_active:
                return Pending.RAISE
            return Pending.RELEASE if self.is_awaiting else Pending.NOTHING
        return Pending.CLEAR if self.is_active else Pending.NOTHING

    def delay_ms(self, pending: Pending) -> int:
        """How long the condition has to last before something is done, ms."""
        if pending is not Pending.CLEAR:
            return self.alarm.on_delay_ms
        return max(self.alarm.off_delay_ms, CHATTER_MS) if self.chatter.is_chattering else self.alarm.off_delay_ms

    def root_cause(self) -> Standing | None:
        """Return the first of its causes, and of theirs, that holds; the deepest one."""
        for parent in self.parents:
            deeper = parent.root_cause()
            if deeper is not None:
                return deeper
            if parent.is_cause:
                return parent
        return None

    def consequences(self) -> list[Standing]:
        """Return all that may follow from it, each once."""
        found: dict[int, Standing] = {}
        todo = list(self.children)
        while todo:
            child = todo.pop()
            if child.index not in found:
                found[child.index] = child
                todo.extend(child.children)
        return [found[index] for index in sorted(found)]

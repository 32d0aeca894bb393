"""The states of an alarm and what leads from one to another, as ISA-18.2 (and IEC 62682) draws them: a table."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

__all__ = ["BENEATH", "TABLE", "Event", "Hiding", "State", "transit"]


class State(StrEnum):
    """Where an alarm stands; the letters are the standard's."""

    NORMAL = "normal"  # A
    UNACKNOWLEDGED = "unacknowledged"  # B
    ACKNOWLEDGED = "acknowledged"  # C
    RETURNED = "returned"  # D: to normal, and nobody has acknowledged it
    LATCHED = "latched"  # E: the same of an alarm that has to be reset
    LATCHED_ACKNOWLEDGED = "latched-acknowledged"  # F: waits for its reset
    SHELVED = "shelved"  # G
    SUPPRESSED = "suppressed"  # H: by design
    OUT_OF_SERVICE = "out-of-service"  # I


class Event(StrEnum):
    """What happens to an alarm; ``caused`` and ``released`` come from its cause, the others by their names."""

    RAISE = "raise"
    CLEAR = "clear"
    ACKNOWLEDGE = "acknowledge"
    RESET = "reset"
    SHELVE = "shelve"
    UNSHELVE = "unshelve"
    SUPPRESS = "suppress"
    UNSUPPRESS = "unsuppress"
    CAUSED = "caused"
    RELEASED = "released"
    REMOVE = "out-of-service"
    RESTORE = "return-to-service"


class Hiding(StrEnum):
    """Why an alarm is not shown; several may hold at once, and the last of this order names the state."""

    SHELVED = "shelved"
    CAUSED = "caused"
    SUPPRESSED = "suppressed"
    OUT_OF_SERVICE = "out-of-service"


BENEATH = "?"
# one row a state, one column an event. A letter: the next state, after the bar that of a latching alarm. "=": no other
# state. "-": refused. "?": what lies beneath: the strongest hiding that holds then, else B while the condition holds,
# else A; an event that ends a hiding is refused where that hiding does not hold.
TABLE = """
   raise clear acknowledge reset shelve unshelve suppress unsuppress caused released out-of-service return-to-service
A  B     =     -           -     G      -        H        -          H      -        I              -
B  =     D|E   C           -     G      -        H        -          H      -        I              -
C  =     A|F   -           -     G      -        H        -          H      -        I              -
D  B     =     A           -     G      -        H        -          H      -        I              -
E  B     =     F           -     G      -        H        -          H      -        I              -
F  B     =     -           A     G      -        H        -          H      -        I              -
G  =     =     -           -     ?      ?        ?        ?          ?      ?        ?              ?
H  =     =     -           -     ?      ?        ?        ?          ?      ?        ?              ?
I  =     =     -           -     ?      ?        ?        ?          ?      ?        ?              ?
"""
_LETTERS = dict(zip("ABCDEFGHI", State, strict=True))
_BEGINS = {
    Event.SHELVE: Hiding.SHELVED,
    Event.CAUSED: Hiding.CAUSED,
    Event.SUPPRESS: Hiding.SUPPRESSED,
    Event.REMOVE: Hiding.OUT_OF_SERVICE,
}
_ENDS = {
    Event.UNSHELVE: Hiding.SHELVED,
    Event.RELEASED: Hiding.CAUSED,
    Event.UNSUPPRESS: Hiding.SUPPRESSED,
    Event.RESTORE: Hiding.OUT_OF_SERVICE,
}
_SHOWN_AS = {
    Hiding.SHELVED: State.SHELVED,
    Hiding.CAUSED: State.SUPPRESSED,
    Hiding.SUPPRESSED: State.SUPPRESSED,
    Hiding.OUT_OF_SERVICE: State.OUT_OF_SERVICE,
}
_STRENGTH = {hiding: strength for strength, hiding in enumerate(Hiding)}


def _read_table() -> Mapping[tuple[State, Event], str]:
    lines = TABLE.strip().splitlines()
    events = [Event(word) for word in lines[0].split()]
    cells: dict[tuple[State, Event], str] = {}
    for line in lines[1:]:
        letter, *row = line.split()
        cells.update({(_LETTERS[letter], event): cell for event, cell in zip(events, row, strict=True)})
    return cells


_CELLS = _read_table()


def transit(
    state: State, hidden: frozenset[Hiding], event: Event, is_active: bool, is_latching: bool = False
) -> tuple[State, frozenset[Hiding]] | None:
    """Return the state after an event, and what hides the alarm then; None where the event is refused.

    Parameters
    ----------
    state : State
    hidden : frozenset of Hiding
        What hides the alarm now; empty in the states A to F.
    event : Event
    is_active : bool
        Whether the alarm's condition holds, its delays included.
    is_latching : bool
        Whether the alarm has to be reset after it returned to normal.
    """
    cell = _CELLS[state, event]
    ended = _ENDS.get(event)
    if cell == "-" or (ended is not None and ended not in hidden):
        return None
    if event in _BEGINS:
        hidden |= {_BEGINS[event]}
    elif ended is not None:
        hidden -= {ended}
    if cell == "=":
        return state, hidden
    if cell == BENEATH:
        if hidden:
            return _SHOWN_AS[max(hidden, key=_STRENGTH.__getitem__)], hidden
        return (State.UNACKNOWLEDGED if is_active else State.NORMAL), hidden
    plain, _, latching = cell.partition("|")
    return _LETTERS[latching if is_latching and latching else plain], hidden

"""What people do to alarms, and when they may."""

from __future__ import annotations

from scada.alarms.board import Board
from scada.alarms.entry import Command
from scada.alarms.states import Event

__all__ = ["ACTIONS", "carry_out", "mistake_of"]

ACTIONS = {
    event.value: event
    for event in (
        Event.ACKNOWLEDGE,
        Event.RESET,
        Event.SHELVE,
        Event.UNSHELVE,
        Event.SUPPRESS,
        Event.UNSUPPRESS,
        Event.REMOVE,
        Event.RESTORE,
    )
}
_WITH_REASON = {Event.SHELVE, Event.SUPPRESS, Event.REMOVE}


def mistake_of(command: Command, longest_shelf_h: float) -> str:
    """Return what is wrong with a command by itself, and how to mend it; empty where nothing is."""
    event = ACTIONS.get(command.action)
    if event is None:
        return f"'{command.action}' is no command; use one of {', '.join(ACTIONS)}"
    if not command.who.strip():
        return f"{command.action} needs a person's name"
    if event in _WITH_REASON and not command.why.strip():
        return f"{command.action} needs a reason"
    if event is Event.SHELVE and not 0.0 < command.for_s <= longest_shelf_h * 3600.0:
        return f"{command.alarm} may be shelved for up to {longest_shelf_h:g} h; say for how long"
    return ""


def carry_out(board: Board, command: Command, time_ms: int) -> str:
    """Do what a person wants of an alarm; return why not, empty where it was done."""
    standing = board.by_id.get(command.alarm)
    if standing is None:
        return f"there is no alarm {command.alarm}"
    mistake = mistake_of(command, standing.alarm.max_shelve_h)
    if mistake:
        return mistake
    event = ACTIONS[command.action]
    former_ms = standing.until_ms
    if event is Event.SHELVE:
        board.shelve_until(standing, time_ms + round(command.for_s * 1000))
    elif event is Event.UNSHELVE:
        board.shelve_until(standing, None)
    if board.change(standing, event, time_ms, command.who, command.why):
        return ""
    if standing.until_ms != former_ms:
        board.shelve_until(standing, former_ms)
    return f"{command.alarm} is {standing.state.value}: there is nothing to {command.action}"

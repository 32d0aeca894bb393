"""Alarms of the plant, as ISA-18.2 has them.

::

    samples -> engine (queue, clock) -> conditions -> board (states, causes, floods) -> entries -> journal
                        commands ------------------------^
"""

from __future__ import annotations

from scada.alarms.alarm import KINDS, PRIORITIES, Alarm, AlarmTable
from scada.alarms.causes import Wiring
from scada.alarms.conditions import Expectation
from scada.alarms.engine import AlarmEngine
from scada.alarms.entry import Command, Entry, Note
from scada.alarms.states import Event, Hiding, State, transit

__all__ = [
    "KINDS",
    "PRIORITIES",
    "Alarm",
    "AlarmEngine",
    "AlarmTable",
    "Command",
    "Entry",
    "Event",
    "Expectation",
    "Hiding",
    "Note",
    "State",
    "Wiring",
    "transit",
]

"""What a programme is made of."""

from __future__ import annotations

from dataclasses import dataclass

from models.prospect import Prospect
from models.sensing import Placement
from umanflow.planner.blockdesign import Design
from umanflow.planner.pressurefacts import PressurePlan
from umanflow.planner.pumpplan import PumpPlan
from umanflow.planner.renewal import Renewal


@dataclass(frozen=True, slots=True)
class Loggers:
    """Where loggers go, and what so many of them promise.

    Attributes
    ----------
    placement
        In the order in which they help.
    promises
        By number of loggers: share of leaks seen, median distance, share placed within 300 m.
    """

    placement: Placement
    promises: dict[int, Prospect]


@dataclass(frozen=True, slots=True)
class Parts:
    """What the programme is made of; None where there is no such part."""

    design: Design | None
    pressure: PressurePlan | None
    pumping: PumpPlan | None
    loggers: Loggers | None
    renewal: Renewal | None

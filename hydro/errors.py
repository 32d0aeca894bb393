"""What can go wrong between a network and its hydraulics.

::

    HydraulicError
    ├── EpanetError      EPANET refused: its code, its words, where
    │   └── NoSolution   EPANET cannot solve a moment: when, at which node
    ├── RunStopped       EPANET ended a run before its time: when, what was wrong
    ├── LibraryMissing   an EPANET library that is not installed
    ├── ScenarioError    a scenario that cannot be
    └── RecordError      measurements that cannot be read
"""

from __future__ import annotations


class HydraulicError(Exception):
    """Hydraulics could not be computed."""


class EpanetError(HydraulicError):
    """EPANET refused.

    Attributes
    ----------
    code
        EPANET's error code, 101 and above.
    text, advice
        EPANET's words, and what usually causes and mends it.
    where
        File, element or step that it is about.
    """

    def __init__(self, code: int, text: str, where: str, advice: str = "") -> None:
        super().__init__(f"{where}: EPANET says: {text}{f' ({advice})' if advice else ''}")
        self.code = code
        self.text = text
        self.advice = advice
        self.where = where


class NoSolution(EpanetError):
    """EPANET cannot solve one moment of a run.

    Attributes
    ----------
    time
        s since the run's beginning.
    element
        Node at which its equations broke down, or an empty text where EPANET does not say.
    """

    def __init__(self, error: EpanetError, time: int, element: str) -> None:
        at = f"{error.where}: at {time // 3600}:{time % 3600 // 60:02d} h"
        super().__init__(error.code, error.text, at + (f", node {element}" if element else ""), error.advice)
        self.time = time
        self.element = element


class RunStopped(HydraulicError):
    """EPANET ended a run before its time, as a model with `UNBALANCED STOP` asks it to.

    Attributes
    ----------
    time
        Last report step that was reached, s.
    """

    def __init__(self, time: int, why: str) -> None:
        super().__init__(f"EPANET stopped after {time / 3600:.2f} h: {why}")
        self.time = time


class LibraryMissing(HydraulicError):
    """An EPANET library that is not installed."""

    def __init__(self, library: str, package: str) -> None:
        super().__init__(f"EPANET {library} was not found; install it with: pip install {package}")


class ScenarioError(HydraulicError):
    """A scenario that cannot be, or a file of scenarios that cannot be read: what, where, how to mend."""


class RecordError(HydraulicError):
    """Measurements that cannot be read: what, where, how to mend."""

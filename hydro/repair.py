"""What a crew has repaired."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True, slots=True)
class Repair:
    """A pipe that a crew has repaired.

    Attributes
    ----------
    pipe
        Name.
    time
        When, UTC.
    flow
        What was measured to leak before, m3/s, or None.
    """

    pipe: str
    time: pd.Timestamp
    flow: float | None = None

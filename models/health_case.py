"""One fault under treatment: what is known of it, block by block."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from models.health import Fault
from models.health_causes import Cause

Floats = NDArray[np.float64]


@dataclass(eq=False)
class Case:
    """One fault under treatment.

    Attributes
    ----------
    cause, fault
        What it is and how it is told.
    onset
        Block in which it began.
    size
        What is taken off, in units of the cause's template.
    is_left_out, is_growing
        Whether the channel is left out for now, and whether it began as a drift.
    steady
        Block from which the channel has stood at its new zero, infinite while it is left out.
    is_mended
        Whether a history's record was freed of it before the model was calibrated on it again.
    doubt
        float64 [n, n_channels], what else it may have done, one standard deviation each.
    raw, off
        By block: what the channel read, and that less what the others let expect.
    """

    cause: Cause
    fault: Fault
    onset: float
    size: float = 0.0
    is_left_out: bool = True
    is_growing: bool = False
    steady: float = np.inf
    is_mended: bool = False
    doubt: Floats = field(default_factory=lambda: np.empty(0))
    raw: dict[int, float] = field(default_factory=dict)
    off: dict[int, float] = field(default_factory=dict)


def line_of(blocks: Floats, values: Floats) -> tuple[float, float]:
    """Slope per block, and standard deviation of what it leaves."""
    at = blocks - blocks.mean()
    slope = float(at @ (values - values.mean()) / max(float(at @ at), 1e-12))
    rest = values - values.mean() - slope * at
    return slope, float(np.sqrt((rest**2).sum() / max(1, len(values) - 2)))

"""Surges are left out while they may be guests', and no longer."""

from __future__ import annotations

from typing import cast

import numpy as np
import pytest

from models.growth import Growth
from models.health_surge import Surges
from models.ledger import Ledger
from models.watch import Watch
from tests.models.linear_town import START, LinearTown

Q = 1.0 / 3600.0


def test_who_stays_for_weeks_is_no_guest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Demand that follows the clock is a surge; what does so for more than a fortnight may be a leak's misfit."""
    town = LinearTown()
    ledger = Ledger(cast(Watch, town), 60)
    surges = Surges(ledger)
    monkeypatch.setattr(surges, "gain", lambda link, growth: (100.0, Q))
    said, frames = [], town.frames([], 79, 1)
    for k, frame in enumerate(frames):
        ledger.append(frame, town.noise)
        if k > 40:
            said.append(surges.is_one(20, Growth(40.0 if k < 50 else k - 1.0, 0.0, Q), frame))
    assert said == [True] * 15 + [False] * 23
    (fault,) = surges.faults
    assert fault.until is not None
    assert (fault.until - START).days == 56
    silent = [np.isnan(surges.without(frame).values).all() for frame in frames]
    assert np.flatnonzero(silent).tolist() == list(range(40, 56))

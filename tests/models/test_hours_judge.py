"""Which bursts hours tell, one rule after another, in a town whose pressures answer in proportion."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest

from models.evidence import Scanner
from models.frame import HourFrame
from models.health_scan import FaultScan
from models.hours_judge import Burst, HourReviser
from models.ledger import Ledger
from models.rules import Rules
from models.watch import Watch
from tests.models.linear_town import N_PIPES, N_SENSORS, START, LinearTown

Q = 1.0 / 3600.0
HOURS, PIPE = 48, 20
NOTHING = SimpleNamespace(gain=lambda scanner, rows: 0.0)


def judged(
    flow: float, age: int, faults: object = NOTHING, jump: float = 0.0, shown: float = 1.0, plain: float = 1e9
) -> Burst | None:
    """What is said of a leak from pipe 20 in the last hours.

    Parameters
    ----------
    jump
        m3/s that the town's meter shows beyond it since then.
    shown
        Share of its effect that the pressures show.
    """
    town = LinearTown()
    town.channels = SimpleNamespace(**vars(town.channels), n_pressures=N_SENSORS, balances=(0,))
    cast(Any, town).mean_inflow = np.array([town.largest_take])
    town.doubts = SimpleNamespace(of=lambda used: np.zeros((N_PIPES, 1, N_SENSORS + 1)))
    rules = Rules()
    ledger = Ledger(cast(Watch, town), rules.window)
    for frame in town.frames([], 30, 1):
        ledger.append(frame, town.noise)
    random = np.random.default_rng(4)
    rows = 0.2 * random.normal(size=(HOURS, N_SENSORS + 1)) * np.sqrt(np.diag(town.noise.white))
    rows[-age:, :N_SENSORS] += shown * flow * town.responses[PIPE, :N_SENSORS]
    rows[-age:, -1] += flow + jump
    now = START + pd.Timedelta(days=30, hours=1)
    hour = HourFrame(now - pd.Timedelta("1h"), now, rows[-1])
    reviser = HourReviser(ledger, rules, town.noise, 30, [], cast(FaultScan, faults))
    return reviser.judge(rows, hour, 10.0, plain)


def test_a_fresh_burst_is_told_where_it_is() -> None:
    burst = judged(10.0 * Q, 2)
    assert burst is not None
    assert abs(burst.place.link - PIPE) <= 1
    assert abs(burst.flow / (10.0 * Q) - 1.0) < 0.2


def test_what_did_not_show_at_once_is_left_to_days() -> None:
    assert judged(10.0 * Q, 4) is not None
    assert judged(10.0 * Q, 6) is None


def test_a_small_burst_is_left_to_days_unless_it_is_plain() -> None:
    share = Rules().burst_share * LinearTown().largest_take
    assert judged(0.8 * share, 3) is None
    assert judged(0.8 * share, 3, plain=20.0) is not None
    assert judged(1.3 * share, 3) is not None


@pytest.mark.parametrize("jump", [15.0 * Q, -15.0 * Q])
def test_a_meter_that_jumps_is_no_burst(jump: float) -> None:
    assert judged(10.0 * Q, 2, jump=jump, shown=0.0) is None


def test_a_district_that_takes_far_less_than_usual_tells_of_no_burst() -> None:
    assert judged(10.0 * Q, 2, jump=-60.0 * Q) is None


def test_what_a_fault_explains_better_waits_for_days() -> None:
    own = judged(10.0 * Q, 2)
    assert own is not None
    seen = []

    def gain(scanner: Scanner, rows: np.ndarray) -> float:
        seen.append(rows.shape)
        return 1.5 * own.gain + 20.0

    assert judged(10.0 * Q, 2, SimpleNamespace(gain=gain)) is None
    assert seen == [(HOURS, N_SENSORS + 1)]
    assert judged(10.0 * Q, 2, SimpleNamespace(gain=lambda scanner, rows: 1.04 * own.gain)) is not None

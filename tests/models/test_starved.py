"""Days on which a tank stood empty, on a town with a tank."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest

from hydro.drive import Drive
from hydro.driven import DrivenModel
from models.channels import Channels
from models.frame import Frame
from models.starved import without_starved

START = pd.Timestamp("2025-01-01", tz="UTC")
BOTTOM = 0.5


@dataclass(frozen=True)
class TwoDistricts:
    """What of a driven model counts here: district 1 has a tank, sensors 1 and 2 lie in it, sensor 0 in district 0."""

    sensor_nodes = np.array([10, 21, 22])
    tank_nodes = np.array([90])
    engine = SimpleNamespace(junctions=np.arange(40))
    districts = (
        SimpleNamespace(junctions=np.arange(0, 20), tanks=()),
        SimpleNamespace(junctions=np.arange(20, 40), tanks=(90,)),
    )

    def is_empty(self, drive: Drive) -> Any:
        return drive.level <= BOTTOM


CHANNELS = Channels(
    names=("s0", "s1", "s2", "meter", "balance of 0", "balance of 1", "steady inflow of 1"),
    picked=np.array([0, 1, 2, 3]),
    balances=(0, 1),
    n_pressures=3,
    usual=np.zeros(2),
    is_flat=np.zeros(2, dtype=bool),
    steady=np.array([1]),
)


def frame(levels: list[float]) -> Frame:
    nothing = np.zeros((len(levels), 1))
    times = pd.DatetimeIndex([START + pd.Timedelta(hours=k) for k in range(len(levels))])
    drive = Drive(times, nothing, np.array(levels)[:, None], nothing, nothing, nothing)
    return Frame(START, START + pd.Timedelta("1D"), np.arange(7.0), drive, nothing)


@pytest.mark.parametrize("levels", [[2.0, BOTTOM, 1.0], [BOTTOM] * 3])
def test_an_empty_tank_leaves_its_own_district_unknown(levels: list[float]) -> None:
    town = cast(DrivenModel, TwoDistricts())
    values = without_starved(town, CHANNELS, frame(levels)).values
    assert np.array_equal(np.isnan(values), [False, True, True, False, False, True, True])


def test_a_frame_with_water_in_the_tank_stays_what_it_was() -> None:
    full = frame([2.0, 1.0, 3.0])
    assert without_starved(cast(DrivenModel, TwoDistricts()), CHANNELS, full) is full


def test_the_frame_that_came_in_is_not_changed() -> None:
    empty = frame([BOTTOM])
    before = replace(empty, values=empty.values.copy())
    without_starved(cast(DrivenModel, TwoDistricts()), CHANNELS, empty)
    assert np.array_equal(empty.values, before.values)

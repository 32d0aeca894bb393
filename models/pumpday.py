"""The cheapest day of a zone's pumps: dynamic programming on what its tanks hold.

Bellman's recursion on stored volume by the hour, as in Zessler and Shamir, "Optimal operation of water distribution
systems", J. Water Resour. Plann. Manage. 115(6), 1989: what an hour costs and how far the tanks fill or sink in it
follows from the pumps that run and from the level, both simulated beforehand. The day is a cycle: tanks hold in the
end what they held at first.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_GRID = 61
_STARTS = 13  # fills at midnight that are tried
_MUCH = 1e7  # UAH for a whole fill that is missing: no tariff outweighs it
_SURPLUS = 1e4  # UAH for a whole fill that is left over at the end: it would be one more every day
_SHORT = 1e5  # UAH for an hour in which the worst customer is a metre short
_TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True)
class PumpHours:
    """What every way to run the pumps does in every hour.

    Attributes
    ----------
    levels
        float64 [n_levels], shares of the usable volume at which it was simulated, growing; one where nothing is stored.
    filling
        float64 [n_hours, n_ways, n_levels], change of that share in the hour.
    cost
        float64 [n_hours, n_ways, n_levels], UAH in the hour.
    lack
        float64 [n_hours, n_ways, n_levels], m that the worst customer has too little; below zero where all have more.
    starts
        float64 [n_ways, n_ways], pumps that start when one way follows another.
    """

    levels: Floats
    filling: Floats
    cost: Floats
    lack: Floats
    starts: Floats


@dataclass(frozen=True, slots=True)
class PumpDay:
    """A day's choice.

    Attributes
    ----------
    ways
        int64 [n_hours].
    fill
        float64 [n_hours + 1], at the beginning of each hour and at the end.
    cost
        UAH, with starts.
    missing
        Shares of the usable volume by which limits are not kept, all hours together, the missing at the end among them.
    """

    ways: Ints
    fill: Floats
    cost: float
    missing: float


def cheapest_day(hours: PumpHours, floor: Floats, ceiling: Floats, start_cost: float, gain: float = 0.0) -> PumpDay:
    """Choose a way for each hour.

    Parameters
    ----------
    hours
        What may be done.
    floor, ceiling
        float64 [n_hours], least and highest fill at the beginning of each hour; of the first one for the end too.
    start_cost
        UAH for the start of a pump: wear, and what a dispatcher's hand is worth.
    gain
        Share of the usable volume by which tanks are to hold more in the end than at first: what a simulation that
        looks closer than the tables has lost.

    Returns
    -------
    PumpDay
        Of all fills at midnight that were tried, the one with the least missing, then the least cost.
    """
    grid = np.linspace(0.0, 1.0, _GRID if len(hours.levels) > 1 else 2)
    filling = _at(hours.levels, hours.filling, grid)
    cost = _price(hours, slice(None), grid)
    best: PumpDay | None = None
    first = np.linspace(floor[0], ceiling[0], _STARTS) if len(hours.levels) > 1 else np.zeros(1)
    for begin in first.tolist():
        after = _values(grid, filling, cost, hours.starts, (floor, ceiling), start_cost, (begin, gain))
        day = _follow(grid, hours, after, (floor, ceiling), start_cost, (begin, gain))
        if best is None or _worth(day) < _worth(best):
            best = day
    assert best is not None
    return best


def _worth(day: PumpDay) -> tuple[float, float]:
    return round(day.missing, 6), day.cost + _SURPLUS * max(float(day.fill[-1] - day.fill[0]), 0.0)


def _at(levels: Floats, table: Floats, grid: Floats) -> Floats:
    """A table at every fill of the grid, float64 [n_hours, n_ways, n_grid]; beyond the outermost level it stays."""
    if len(levels) == 1:
        return np.repeat(table, len(grid), axis=2)
    place = np.clip(np.searchsorted(levels, grid, side="right"), 1, len(levels) - 1)
    share = np.clip((grid - levels[place - 1]) / (levels[place] - levels[place - 1]), 0.0, 1.0)
    return np.asarray(table[:, :, place - 1] * (1.0 - share) + table[:, :, place] * share)


def _price(hours: PumpHours, which: slice, fill: Floats) -> Floats:
    """Cost with what is charged for short customers, float64 [n_hours, n_ways, n_fills]."""
    lack = _at(hours.levels, hours.lack[which], fill)
    return np.asarray(_at(hours.levels, hours.cost[which], fill) + _SHORT * np.maximum(lack, 0.0))


def _breach(fill: Floats, low: float, high: float) -> Floats:
    return np.asarray(np.maximum(low - fill, 0.0) + np.maximum(fill - high, 0.0))


def _values(
    grid: Floats, filling: Floats, cost: Floats, starts: Floats, limits: tuple[Floats, Floats], start_cost: float,
    begin: tuple[float, float],
) -> Floats:  # fmt: skip
    """What the rest of the day costs at best, float64 [n_hours + 1, n_grid, n_ways]: by fill and the way before.

    `begin` is the fill at first and by how much more there has to be in the end.
    """
    n_hours, n_ways, _ = cost.shape
    after = np.zeros((n_hours + 1, len(grid), n_ways))
    wanted = sum(begin)
    after[-1] = (_MUCH * np.maximum(wanted - grid, 0.0) + _SURPLUS * np.maximum(grid - wanted, 0.0))[:, None]
    for hour in range(n_hours - 1, -1, -1):
        ahead = grid[None, :] + filling[hour]  # [n_ways, n_grid]
        low, high = (limit[(hour + 1) % n_hours] for limit in limits)
        price = cost[hour] + _MUCH * _breach(ahead, low, high)
        for way in range(n_ways):
            price[way] += np.interp(ahead[way], grid, after[hour + 1, :, way])
        # [n_before, n_ways, n_grid] to the cheapest way
        after[hour] = np.min(price[None] + start_cost * starts[:, :, None], axis=1).T
    return after


def _follow(
    grid: Floats,
    hours: PumpHours,
    after: Floats,
    limits: tuple[Floats, Floats],
    start_cost: float,
    begin: tuple[float, float],
) -> PumpDay:
    """Go through the day along the cheapest ways, with the fill as it is and not as the grid has it."""
    n_hours, n_ways, _ = hours.cost.shape
    fill, ways = np.empty(n_hours + 1), np.zeros(n_hours, dtype=np.int64)
    fill[0], before, spent, missing = begin[0], None, 0.0, 0.0
    for hour in range(n_hours):
        here = fill[hour : hour + 1]
        change = _at(hours.levels, hours.filling[hour : hour + 1], here)[0, :, 0]
        price = _price(hours, slice(hour, hour + 1), here)[0, :, 0]
        started = np.zeros(n_ways) if before is None else hours.starts[before]
        low, high = (limit[(hour + 1) % n_hours] for limit in limits)
        ahead = fill[hour] + change
        rest = np.array([np.interp(ahead[way], grid, after[hour + 1, :, way]) for way in range(n_ways)])
        whole = price + start_cost * started + _MUCH * _breach(ahead, low, high) + rest
        way = int(np.argmin(whole))
        ways[hour], fill[hour + 1] = way, ahead[way]
        spent += float(price[way] + start_cost * started[way])
        missing += float(_breach(ahead[way : way + 1], low, high)[0])
        before = way
    missing += max(sum(begin) - float(fill[-1]) - _TOLERANCE, 0.0)
    return PumpDay(ways, fill, spent, missing)

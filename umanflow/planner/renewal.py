"""Which pipes to renew first: what each one's breaks and leaks cost over the years, for each hryvnia that it costs."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from models.breaks import BreakHistory, caught, fit_breaks
from networks import Network, Topology
from umanflow.errors import UserError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_FIRST_SHARE = 0.2
_SHIFTS = (0.5, 2.0)
_DAYS = 365.25


@dataclass(frozen=True, slots=True)
class RenewalCosts:
    """Prices, UAH; every one is an assumption until a utility states its own.

    Attributes
    ----------
    horizon
        Years over which avoided costs count.
    discount
        Share a year.
    pipe_first, pipe_by_diameter
        A metre of new pipe costs first + by_diameter x diameter in m.
    repair
        Of one break.
    water
        Variable cost of a m3.
    break_m3
        Water lost by one break, m3 (12 m3/h for three days).
    outage_hours, outage_value
        A repair's length, and what an hour without water is worth to a connection.
    new_breaks
        Of new pipe, breaks per km and year.
    new_leakage
        Of new pipe, share of what leaked before.
    """

    horizon: int = 20
    discount: float = 0.08
    pipe_first: float = 2_500.0
    pipe_by_diameter: float = 22_000.0
    repair: float = 35_000.0
    water: float = 12.0
    break_m3: float = 864.0
    outage_hours: float = 8.0
    outage_value: float = 25.0
    new_breaks: float = 0.03
    new_leakage: float = 0.1


@dataclass(frozen=True, slots=True)
class Renewal:
    """Pipes in the order in which they are worth renewing.

    Attributes
    ----------
    pipes
        Names, best first.
    length, cost, avoided
        float64 [n_pipes] in that order, m and UAH; `avoided` is discounted over the horizon.
    rate, low, high
        float64 [n_pipes], breaks per km and year in the first year, with 95 % limits.
    customers
        float64 [n_pipes], connections without water while the pipe is repaired.
    steady
        By assumption: share of the first fifth of the length that stays in it when the assumption is halved and
        doubled, the smaller of the two.
    """

    pipes: tuple[str, ...]
    length: Floats
    cost: Floats
    avoided: Floats
    rate: Floats
    low: Floats
    high: Floats
    customers: Floats
    steady: dict[str, float]


def break_years(network: Network) -> list[int]:
    """Year of every break of the network's table, in its order.

    Raises
    ------
    UserError
        If a month is none.
    """
    years = []
    for month in [] if network.breaks is None else network.breaks["month"]:
        if not str(month)[:4].isdecimal():
            raise UserError(f"{network.source.stem}: breaks.csv has the month '{month}'; write 2024-03")
        years.append(int(str(month)[:4]))
    return years


def history_of(network: Network, topology: Topology, diameter: Floats) -> tuple[tuple[str, ...], BreakHistory]:
    """Pipes of the network's table and their breaks.

    Parameters
    ----------
    diameter
        float64 [n_links], m.

    Raises
    ------
    UserError
        If there is no table of pipes or of breaks.
    """
    if network.pipes is None or network.breaks is None or not len(network.breaks):
        raise UserError(
            f"{network.source}: renewal is ranked by material, year and breaks; put pipes.csv and breaks.csv into "
            f"the folder {network.source.stem}.tables beside the INP"
        )
    pipes, breaks = network.pipes, network.breaks
    names = tuple(str(name) for name in pipes["pipe"])
    row = {name: k for k, name in enumerate(names)}
    links = [topology.link(name) for name in names]
    years = break_years(network)
    first, last = min(years), max(years)
    count = np.zeros((len(names), last - first + 1), dtype=np.int64)
    for pipe, year in zip(breaks["pipe"], years, strict=True):
        if pipe not in row:
            raise UserError(
                f"{network.source.stem}: breaks.csv has pipe '{pipe}', which pipes.csv has not; mend either"
            )
        count[row[pipe], year - first] += 1
    history = BreakHistory(
        np.maximum(topology.length[links], 0.1) / 1000.0, diameter[links], tuple(pipes["material"]),
        tuple(pipes["street"]), pipes["year"].to_numpy().astype(np.int64), first, count,
    )  # fmt: skip
    return names, history


def rank_pipes(
    names: tuple[str, ...], history: BreakHistory, leakage: Floats, customers: Floats, costs: RenewalCosts
) -> Renewal:
    """Rank pipes by avoided cost for each hryvnia of renewal.

    Parameters
    ----------
    names, history
        Of `history_of`.
    leakage
        float64 [n_pipes], m3 a day that each pipe leaks at present: simulated.
    customers
        float64 [n_pipes], connections without water while it is repaired.
    costs
        Prices.

    Raises
    ------
    NotEnoughData
        If there are too few breaks to learn from.
    """
    model, year = fit_breaks(history), history.last_year + 1
    worth = worth_of(model, history, leakage, customers, costs)
    order = np.argsort(-worth[1] / worth[0], kind="stable")
    rate, low, high = (values[order] for values in model.rate(year))
    first = _first(order, history.length)
    steady = {}
    for name in (f.name for f in fields(costs) if f.name != "horizon"):
        kept = []
        for shift in _SHIFTS:
            cost, avoided = worth_of(
                model, history, leakage, customers, replace(costs, **{name: getattr(costs, name) * shift})
            )
            other = _first(np.argsort(-avoided / cost, kind="stable"), history.length)
            kept.append(float(history.length[first & other].sum() / history.length[first].sum()))
        steady[name] = min(kept)
    return Renewal(
        tuple(names[k] for k in order.tolist()), 1000.0 * history.length[order], worth[0][order], worth[1][order],
        rate, low, high, customers[order], steady,
    )  # fmt: skip


class Rates(Protocol):
    """What is known or believed of breaks."""

    def rate(self, year: int) -> tuple[Floats, ...]:
        """Breaks per km in a year, float64 [n_pipes]; limits may follow."""
        ...


def worth_of(
    model: Rates, history: BreakHistory, leakage: Floats, customers: Floats, costs: RenewalCosts
) -> tuple[Floats, Floats]:
    """Cost of renewing each pipe, and what that avoids over the horizon, UAH."""
    metres = 1000.0 * history.length
    cost = metres * (costs.pipe_first + costs.pipe_by_diameter * history.diameter)
    each = costs.repair + costs.water * costs.break_m3 + customers * costs.outage_hours * costs.outage_value
    leaking = leakage * (1.0 - costs.new_leakage) * _DAYS * costs.water
    avoided = np.zeros(len(metres))
    for ahead in range(costs.horizon):
        rate = model.rate(history.last_year + 1 + ahead)[0]
        breaks = np.maximum(rate - costs.new_breaks, 0.0) * history.length
        avoided += (breaks * each + leaking) / (1.0 + costs.discount) ** ahead
    return cost, avoided


def _first(order: Ints, length: Floats) -> NDArray[np.bool_]:
    """Pipes of an order that make the first fifth of the length."""
    along = np.cumsum(length[order])
    chosen = np.zeros(len(order), dtype=bool)
    chosen[order[: int(np.searchsorted(along, _FIRST_SHARE * along[-1])) + 1]] = True
    return chosen


def share_of_breaks(renewal: Renewal, share: float) -> float:
    """Share of the expected breaks of the next year that lie on the first pipes that make a share of the length."""
    order = np.arange(len(renewal.pipes))
    return caught(order, renewal.length, renewal.rate * renewal.length, share)

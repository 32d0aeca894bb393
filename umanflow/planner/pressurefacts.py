"""What a pressure plan is: norms, set-points, places, effects, and lines for EPANET."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from networks import Network
from umanflow.planner.sentence import Sentence
from umanflow.planner.valving import NewValve, with_valves
from umanflow.report.wording import mark

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Norm:
    """Free head that customers are due, m, by storeys (ДБН В.2.5-74:2013: 10 m for one, 4 m for each further).

    Attributes
    ----------
    first, further, most
        m; no customer is to have more than `most`.
    margin
        Kept above the norm, m, for what the model does not know.
    """

    first: float = 10.0
    further: float = 4.0
    most: float = 60.0
    margin: float = 1.0

    def head(self, storeys: Ints) -> Floats:
        """Free head by number of storeys, m; houses of none count as of one."""
        return self.first + self.further * (np.maximum(storeys, 1) - 1.0)


@dataclass(frozen=True, slots=True)
class ValvePlan:
    """One valve: what it is to hold.

    Attributes
    ----------
    valve, zone, inlet
        Names; a valve inside a block has a zone of its own, "BLOCK/PIPE".
    is_new
        Whether it has to be bought.
    closes
        Pipes that are shut for it.
    is_forward
        Whether a new valve stands at the second end of its pipe.
    before, after
        float64 [24], m behind the valve, by hour of the day.
    fixed
        The one setting that would do all day, m.
    """

    valve: str
    zone: str
    inlet: str
    is_new: bool
    before: Floats
    after: Floats
    fixed: float
    closes: tuple[str, ...] = ()
    is_forward: bool = True


@dataclass(frozen=True, slots=True)
class ZoneEffect:
    """What a zone gains, re-simulated: leakage m3/d, pressure m, share of bursts that stays away, night flow m3/h."""

    zone: str
    leakage_before: float
    leakage_fixed: float
    leakage_after: float
    mean_before: float
    mean_after: float
    highest_before: float
    highest_after: float
    fewer_bursts: float
    night_before: float
    night_after: float


@dataclass(frozen=True, slots=True)
class PlaceTried:
    """A place inside a block that was simulated.

    Attributes
    ----------
    zone, block, pipe, closes
        "BLOCK/PIPE", the block, the pipe that would get the valve, pipes that would be shut.
    n_customers
        Nodes with customers behind it.
    leakage, estimate, saved
        m3/d: behind it, what was estimated, and what the simulation saves beside the blocks' own set-points.
    fewer_breaks
        A year.
    cost, worth
        UAH; what it saves over the horizon, discounted.
    n_short, short_m
        Nodes whose customers would have less free head than is to be kept, and by how much the worst would be short:
        where pipes are shut for a valve, what they brought is missing.
    is_chosen
        Whether it is part of the plan: it is worth more than it costs, and leaves nobody short.
    """

    zone: str
    block: str
    pipe: str
    closes: tuple[str, ...]
    n_customers: int
    leakage: float
    estimate: float
    saved: float
    fewer_breaks: float
    cost: float
    worth: float
    n_short: int
    short_m: float
    is_chosen: bool

    @property
    def why(self) -> Sentence:
        """Why it is chosen, or not."""
        if self.n_short:
            told = mark("leaves {n} places with customers short, by up to {short} m")
            return Sentence(told, n=self.n_short, short=round(self.short_m, 1))
        if self.worth > self.cost:
            return Sentence(mark("pays, and nobody is short"))
        return Sentence(mark("costs more than it is worth"))


@dataclass(frozen=True, slots=True)
class PressurePlan:
    """Set-points and their effect.

    Attributes
    ----------
    valves, zones
        In the order of the network's table of blocks, then other valves, then places inside.
    places
        Inside blocks that were simulated, the best estimate first.
    saved, saved_fixed
        m3 a day, with set-points by hour and with one set-point each.
    n_customers, n_met_before, n_met_after
        Nodes with customers, and those of them whose free head is kept all day.
    least_slack
        Least of what nodes that had their free head before have above it now, m; not below zero.
    checked
        m3 a day that the written file saves when it is simulated by itself.
    unit
        m per unit of pressure of the model's file: 1, or 0.7032 for psi.
    inp
        The whole model with the valves, the pipes that are shut, and the set-points in its controls.
    """

    valves: tuple[ValvePlan, ...]
    zones: tuple[ZoneEffect, ...]
    places: tuple[PlaceTried, ...]
    saved: float
    saved_fixed: float
    n_customers: int
    n_met_before: int
    n_met_after: int
    least_slack: float
    checked: float
    unit: float
    _inp: bytes

    @property
    def inp(self) -> bytes:
        """The whole model with the valves, the pipes that are shut, and the set-points in its controls."""
        return self._inp


def control_lines(plan: PressurePlan) -> list[str]:
    """Lines for `[CONTROLS]` of the model's INP that hold the set-points by the clock, in its unit of pressure."""
    return [
        f"LINK {valve.valve} {setting / plan.unit:.4f} AT CLOCKTIME {hour}:00"
        for valve in plan.valves
        for hour, setting in enumerate(valve.after.tolist())
    ]


def equipped_network(network: Network, plan: PressurePlan) -> Network:
    """The network with the new valves of a plan, wide open; what is shut for them is still open."""
    new = [NewValve(valve.valve, valve.inlet, valve.is_forward) for valve in plan.valves if valve.is_new]
    return with_valves(network, new) if new else network

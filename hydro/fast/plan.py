"""A scenario as the fast solver runs it: holes at junctions or amid pipes, shut pipes, a factor on all demand."""

from __future__ import annotations

from dataclasses import dataclass

from hydro.errors import HydraulicError
from hydro.leaks import orifice
from hydro.scenario import Burst, Closure, Leak, Scenario, Surge
from networks import Topology, UnknownElement

NEVER = 1 << 60
_MIDDLE = 0.5


@dataclass(frozen=True, slots=True)
class Hole:
    """An orifice: flow = coefficient sqrt(p), in every moment with start <= t < end.

    Attributes
    ----------
    coefficient
        m3/s per m^0.5.
    pipe, node
        Where it is: in the middle of a pipe or at a junction, one of the two.
    start, end
        s after the run's beginning; `NEVER` where it stays.
    """

    coefficient: float
    pipe: str
    node: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Shut:
    """A pipe that is shut; start <= t < end."""

    pipe: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Plan:
    """One run: the network with holes, shut pipes and all its demand times a factor."""

    holes: tuple[Hole, ...] = ()
    shut: tuple[Shut, ...] = ()
    demand_factor: float = 1.0

    def changes(self) -> list[int]:
        """Times at which something changes, ascending, s."""
        openings: list[Hole | Shut] = [*self.holes, *self.shut]
        return sorted({o.start for o in openings} | {o.end for o in openings if o.end != NEVER})


def plan_of(scenario: Scenario) -> Plan | None:
    """Give a scenario as the fast solver takes it, or None where it has to be EPANET's.

    It takes orifices at junctions and in the middle of pipes, closed pipes, and a factor on all demand of the whole
    run; no noise of demand, no pressure-driven demand beside the model's own, nothing that grows or widens, and no pipe
    that both leaks and closes.
    """
    if scenario.pressure_driven is not None or scenario.noise.demand:
        return None
    holes: list[Hole] = []
    shut: list[Shut] = []
    factor = 1.0
    for event in scenario.events:
        end = NEVER if event.end is None else event.end
        if isinstance(event, Burst):
            return None  # its size hangs on the pipe's
        if isinstance(event, Leak):
            if event.expansion or event.growth or (event.pipe and event.position != _MIDDLE):
                return None
            coefficient = orifice(event.hole(0.0), event.discharge)
            holes.append(Hole(coefficient, event.pipe, event.junction, event.start, end))
        elif isinstance(event, Closure):
            shut.append(Shut(event.link, event.start, end))
        elif isinstance(event, Surge) and not event.junctions and not event.start and event.end is None:
            factor *= event.factor
        else:
            return None
    if {pipe.pipe for pipe in shut} & {hole.pipe for hole in holes}:
        return None
    return Plan(tuple(holes), tuple(shut), factor)


def check(topology: Topology, plan: Plan) -> None:
    """Refuse names that the network does not have.

    Raises
    ------
    UnknownElement
        Naming the pipe or junction.
    HydraulicError
        If a junction's name is that of a tank or reservoir.
    """
    for pipe in [hole.pipe for hole in plan.holes if hole.pipe] + [pipe.pipe for pipe in plan.shut]:
        link = topology.link_index.get(pipe)
        if link is None or not topology.is_pipe[link]:
            raise UnknownElement("pipe", pipe, "the network")
    for hole in plan.holes:
        if hole.node and not topology.is_junction[topology.node(hole.node)]:
            raise HydraulicError(f"a leak at '{hole.node}': that is no junction")

"""What happens to a network: orifice leaks, closed pipes, more or less demand."""

from __future__ import annotations

import math
from dataclasses import dataclass

from hydro.errors import HydraulicError
from hydro.leaks import orifice
from hydro.scenario import DISCHARGE
from networks import Topology, UnknownElement

NEVER = 1 << 60


@dataclass(frozen=True, slots=True)
class Leak:
    """A round hole in the middle of a pipe or at a junction; flow = Cd A sqrt(2 g p).

    Attributes
    ----------
    diameter
        Of the hole, m.
    pipe, node
        Where it is: one of the two.
    start, end
        s after the run's beginning; it runs in every moment with start <= t < end, to the last if there is no end.
    """

    diameter: float
    pipe: str = ""
    node: str = ""
    start: int = 0
    end: int | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be.

        Raises
        ------
        HydraulicError
            If it is not at one place, or of no size or duration.
        """
        if bool(self.pipe) == bool(self.node):
            raise HydraulicError(
                f"a leak is in a pipe or at a node: this one has pipe '{self.pipe}', node '{self.node}'"
            )
        if not self.diameter > 0.0:
            raise HydraulicError(
                f"leak at {self.place}: diameter {self.diameter} m; write the hole's diameter in metres"
            )
        if self.start < 0 or (self.end is not None and self.end <= self.start):
            raise HydraulicError(
                f"leak at {self.place}: it runs from {self.start} s to {self.end} s; give 0 <= start < end"
            )

    @property
    def place(self) -> str:
        """Name of the pipe or node."""
        return self.pipe or self.node

    @property
    def coefficient(self) -> float:
        """Flow per square root of pressure, m3/s per m^0.5, with a discharge coefficient of 0.75."""
        return orifice(math.pi / 4.0 * self.diameter**2, DISCHARGE)


@dataclass(frozen=True, slots=True)
class Closure:
    """A pipe shut off; start <= t < end as for a `Leak`."""

    pipe: str
    start: int = 0
    end: int | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be.

        Raises
        ------
        HydraulicError
            If it has no duration.
        """
        if self.start < 0 or (self.end is not None and self.end <= self.start):
            raise HydraulicError(f"pipe {self.pipe}: closed from {self.start} s to {self.end} s; give 0 <= start < end")


@dataclass(frozen=True, slots=True)
class Scenario:
    """One run: the network with leaks, closed pipes and all its demands times a factor."""

    leaks: tuple[Leak, ...] = ()
    closures: tuple[Closure, ...] = ()
    demand_factor: float = 1.0

    def events(self) -> list[int]:
        """Times at which something changes, ascending, s."""
        changes: list[Leak | Closure] = [*self.leaks, *self.closures]
        return sorted({c.start for c in changes} | {c.end for c in changes if c.end is not None})


def check(topology: Topology, scenario: Scenario) -> None:
    """Refuse names that the network does not have.

    Raises
    ------
    UnknownElement
        Naming the pipe or junction.
    HydraulicError
        If a pipe is to leak and to be closed.
    """
    for pipe in [leak.pipe for leak in scenario.leaks if leak.pipe] + [c.pipe for c in scenario.closures]:
        link = topology.link_index.get(pipe)
        if link is None or not topology.is_pipe[link]:
            raise UnknownElement("pipe", pipe, "the network")
    for leak in scenario.leaks:
        node = topology.node_index.get(leak.node) if leak.node else 0
        if node is None or (leak.node and not topology.is_junction[node]):
            raise UnknownElement("junction", leak.node, "the network")
    for closure in scenario.closures:
        if any(leak.pipe == closure.pipe for leak in scenario.leaks):
            raise HydraulicError(f"pipe {closure.pipe} is to leak and to be closed: give its leak at one of its ends")

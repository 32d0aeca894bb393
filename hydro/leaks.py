"""Leaks at any point of a pipe or at a junction, opened, widened and shut while a run goes on.

A leak takes c sqrt(p) + v p^1.5: the orifice equation, and FAVAD's second term where the hole widens with pressure
(May 1994; van Zyl and Cassa 2014). EPANET has one exponent for all emitters of a model, so a leak is an emitter of
exponent 0.5 only where no emitter of the model has another. Else, and where the hole widens, it is the leakage of a
short dead end (EPANET 2.3, leakage.c), which is solved together with everything else too.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from hydro.engine import Engine
from hydro.errors import HydraulicError
from hydro.splice import Splice, cut_pipe, hang_stub, leak_name, mend
from networks import UnknownElement

GRAVITY = 9.81
# leakage.c: 0.6 sqrt(2 g) in feet, here per m^0.5
_EPANET_ORIFICE = 4.8149866 * 0.3048**0.5
_MM2 = 1e-6
_SECTIONS = 100.0  # the stub is one metre, EPANET counts leakage per hundred
_ORIFICE = 0.5


def orifice(area: float, discharge: float) -> float:
    """Coefficient of a hole: flow = coefficient x sqrt(pressure).

    Parameters
    ----------
    area
        m2.
    discharge
        Coefficient of discharge, 0 to 1.

    Returns
    -------
    m3/s per m^0.5
    """
    return float(discharge * area * np.sqrt(2.0 * GRAVITY))


@dataclass(slots=True)
class LeakPoint:
    """A place that can leak.

    Attributes
    ----------
    node
        Name of the junction at which the water leaves.
    stub
        Name of the dead end that leaks, or None where the junction's emitter does.
    own
        Coefficient of the junction's own emitter, m3/s per m^0.5.
    fixed, variable
        Present coefficients of sqrt(p) and p^1.5.
    """

    node: str
    stub: str | None
    own: float = 0.0
    fixed: float = 0.0
    variable: float = 0.0


@dataclass(slots=True)
class LeakPoints:
    """Everything that may leak in one engine beside the model's own losses.

    Use in a `with` statement: at its end the network is as it was.
    """

    engine: Engine
    points: list[LeakPoint] = field(default_factory=list)
    _splices: list[Splice] = field(default_factory=list)
    _parts: dict[str, list[tuple[float, float, str]]] = field(default_factory=dict)
    _exponent: float = _ORIFICE

    def __post_init__(self) -> None:
        self.engine.stop()  # EPANET lets elements come and go between runs only
        self._exponent = self.engine.emitter_exponent

    def __enter__(self) -> LeakPoints:
        """Use in a `with` statement."""
        return self

    def __exit__(self, *_: object) -> None:
        """Take every leak out again."""
        self.clear()

    def in_pipe(self, pipe: str, position: float = 0.5, widens: bool = False) -> LeakPoint:
        """Make a place in a pipe.

        Parameters
        ----------
        position
            Share of the pipe's length from its first node; 0 and 1 are its nodes, where those are junctions.
        widens
            Whether the hole widens with pressure.

        Raises
        ------
        UnknownElement
            If the network has no such pipe.
        HydraulicError
            If the position is outside the pipe, or EPANET 2.2 would have to compute what it cannot.
        """
        engine = self.engine
        link = engine.pipe(pipe)
        if not 0.0 <= position <= 1.0:
            raise HydraulicError(f"pipe '{pipe}': position {position:g} is not between 0 and 1")
        if position in (0.0, 1.0):
            ends = engine.topology.start if position == 0.0 else engine.topology.end
            return self.at_junction(engine.topology.nodes[ends[link]], widens)
        parts = self._parts.setdefault(pipe, [(0.0, 1.0, pipe)])
        place = next(k for k, (_, last, _) in enumerate(parts) if position <= last)
        first, last, part = parts[place]
        if position == last:
            known = engine.topology.nodes[engine.topology.end[engine.topology.link(part)]]
            return self.at_junction(known, widens)
        name = leak_name(pipe, link, len(parts))
        splice = cut_pipe(engine, engine.topology.link(part), (position - first) / (last - first), name)
        self._splices.append(splice)
        parts[place : place + 1] = [(first, position, part), (position, last, splice.link)]
        return self.at_junction(splice.node, widens)

    def at_junction(self, name: str, widens: bool = False) -> LeakPoint:
        """Make a place at a junction; see `in_pipe`."""
        engine = self.engine
        node = engine.topology.node(name)
        if not engine.topology.is_junction[node]:
            raise UnknownElement("junction", name, "the network")
        alien = abs(engine.emitter_exponent - _ORIFICE) > 1e-9 and bool((engine.read("node", "emitter") > 0.0).any())
        point = LeakPoint(name, None)
        if widens or alien:
            if not engine.project.library.has_bulk:
                what = "a hole that widens with pressure" if widens else "emitters of two exponents"
                raise HydraulicError(f"leak at '{name}': EPANET 2.2 cannot compute {what}; use library 2.3")
            splice = hang_stub(engine, node, f"leak~stub~{len(self._splices)}")
            self._splices.append(splice)
            point.stub = splice.link
        else:
            if abs(engine.emitter_exponent - _ORIFICE) > 1e-9:
                engine.set_emitter_exponent(_ORIFICE)
            point.own = engine.value("node", node, "emitter")
        self.points.append(point)
        return point

    def set(self, point: LeakPoint, fixed: float, variable: float = 0.0) -> None:
        """Let a place leak fixed x sqrt(p) + variable x p^1.5, m3/s per m^0.5 and per m^1.5; zeros shut it."""
        if (point.fixed, point.variable) == (fixed, variable):
            return
        point.fixed, point.variable = fixed, variable
        if point.stub is None:
            together = sum(other.fixed for other in self.points if other.node == point.node and other.stub is None)
            self.engine.set_emitter(point.node, point.own + together)
        else:
            scale = _SECTIONS / (_EPANET_ORIFICE * _MM2)
            self.engine.set_leakage(point.stub, fixed * scale, variable * scale)

    def flow(self, point: LeakPoint, pressure: float) -> float:
        """Flow of a place at a pressure, m3/s; below zero where an emitter sucks, as EPANET lets it."""
        if pressure < 0.0:
            turns = point.stub is None and self._may_turn
            return -float(point.fixed * (-pressure) ** 0.5) if turns else 0.0
        return float(point.fixed * pressure**0.5 + point.variable * pressure**1.5)

    @property
    def _may_turn(self) -> bool:
        """Whether water may flow into a network through an emitter: 2.3 asks the model, 2.2 always lets it."""
        project = self.engine.project
        return not project.library.has_bulk or project.option("emitter_backflow") != 0.0

    def clear(self) -> None:
        """Take every leak out again: the network is as it was."""
        engine = self.engine
        engine.stop()
        for point in self.points:
            if point.stub is None:
                engine.set_emitter(point.node, point.own)
        for splice in reversed(self._splices):
            mend(engine, splice)
        if abs(engine.emitter_exponent - self._exponent) > 1e-12:
            engine.set_emitter_exponent(self._exponent)
        self.points.clear()
        self._splices.clear()
        self._parts.clear()

"""A scenario that happens to an engine: what begins and ends, set before each moment is solved."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from hydro.engine import Engine
from hydro.errors import EpanetError, HydraulicError, NoSolution, RunStopped
from hydro.holds import Holds
from hydro.leaks import LeakPoint, LeakPoints
from hydro.scenario import Closure, FireFlow, Leak, PowerCut, PumpTrip, Scenario, Setting, Surge
from hydro.targets import check_targets, junctions_of, links_of
from networks import Network

Floats = NDArray[np.float64]
Result = TypeVar("Result")
_LEAK_ACCURACY = 1e-6
_FOREVER = 2**62
_TIGHT = (1e-6, 1e-5, 1e-4)
_HOLDING = (Closure, PumpTrip, PowerCut, Setting)


@dataclass(frozen=True, slots=True)
class _Hole:
    """A leak of the scenario and where it is in the engine."""

    name: str
    leak: Leak
    point: LeakPoint
    pipe_diameter: float


class Course:
    """One scenario in one engine; afterwards the engine is as it was, but for frozen demands.

    Parameters
    ----------
    engine
        Not running.
    scenario
        What is to happen.
    network
        Where blocks are named (`dma:NAME`), the network that knows their junctions.
    accuracy
        EPANET's criterion of convergence; by default the model's own, and at most 1e-6 where something leaks: a leak is
        small beside the flows whose change EPANET adds up. See `as_leaks_allow` for models that cannot be solved so
        tightly.

    Raises
    ------
    UnknownElement, HydraulicError
        If the scenario names what the network does not have, or asks for what the library cannot compute.
    """

    def __init__(
        self, engine: Engine, scenario: Scenario, network: Network | None = None, accuracy: float | None = None
    ) -> None:
        self._engine, self._scenario, self._network = engine, scenario, network
        self._usual_step = engine.hydraulic_step
        self._model, self._accuracy = engine.demand_model, engine.accuracy
        self._boundaries = scenario.boundaries()
        self._grows = any(leak.growth for leak in scenario.leaks)
        self._until = -1  # nothing changes before
        self._leaks = LeakPoints(engine)
        self._holds = Holds(engine)
        self._on: set[int] = set()
        self._random = np.random.default_rng([scenario.seed, name_number(scenario.name)])
        self._period, self._factor = -1, np.ones(0)
        try:
            self.holes = self._cut()
            check_targets(engine, scenario, network)
        except BaseException:
            self._leaks.clear()
            raise
        self._imposes = any(isinstance(e, (Surge, FireFlow)) for e in scenario.events) or scenario.noise.demand > 0.0
        self._imposes |= engine.is_frozen
        if self._imposes:
            engine.freeze_demands()
        if accuracy is not None or scenario.leaks:
            engine.set_accuracy(accuracy if accuracy is not None else min(self._accuracy, _LEAK_ACCURACY))
        driven = scenario.pressure_driven
        if driven is not None:
            engine.set_pressure_driven(driven.minimum, driven.required, driven.exponent)

    def _cut(self) -> tuple[_Hole, ...]:
        """Make every leak's place; leaks of one place are told apart by number."""
        holes: list[_Hole] = []
        taken: set[str] = set()
        diameters = {
            leak.pipe: self._engine.value("link", self._engine.pipe(leak.pipe), "diameter")
            for leak in self._scenario.leaks
            if leak.pipe
        }
        for leak in self._scenario.leaks:
            if leak.pipe:
                point = self._leaks.in_pipe(leak.pipe, leak.position, widens=leak.expansion > 0.0)
            else:
                point = self._leaks.at_junction(leak.junction, widens=leak.expansion > 0.0)
            place = name = leak.pipe or leak.junction
            number = 1
            while name in taken:
                number += 1
                name = f"{place}~{number}"
            taken.add(name)
            holes.append(_Hole(name, leak, point, diameters.get(leak.pipe, 0.0)))
        return tuple(holes)

    # time ---------------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Start the engine's run and set the first moment up."""
        self._engine.start()
        self.prepare()

    def prepare(self) -> None:
        """Set up the moment that is to be solved next."""
        if self._until == _FOREVER or (now := self._engine.now) < self._until:
            return
        for number, event in enumerate(self._scenario.events):
            if not isinstance(event, _HOLDING) or event.holds(now) == (number in self._on):
                continue
            setting = event.value if isinstance(event, Setting) else None
            act = self._holds.hold if event.holds(now) else self._holds.release
            for link in links_of(self._engine, event):
                act(link, setting)
            self._on ^= {number}
        self._holds.enforce()
        for hole in self.holes:
            self._leaks.set(hole.point, *hole.leak.coefficients(now, hole.pipe_diameter))
        if self._imposes:
            self._engine.set_demands(self._demand(now))
        following = next((time for time in self._boundaries if time > now), None)
        step = self._usual_step if following is None else min(self._usual_step, following - now)
        self._engine.set_hydraulic_step(step)
        # until shortly before the next boundary nothing has to be done, unless something is followed all the time
        is_quiet = not (self._imposes or self._grows or self._on)
        until = _FOREVER if following is None else following - self._usual_step
        self._until = until if is_quiet else -1

    def leak_flows(self) -> Floats:
        """Flow of each leak at the solved moment, float64 [n_leaks], m3/s."""
        engine = self._engine
        return np.array([self._leaks.flow(h.point, engine.result("pressure", h.point.node)) for h in self.holes])

    def end(self) -> None:
        """Take everything back."""
        self._holds.clear()
        self._leaks.clear()
        self._engine.set_hydraulic_step(self._usual_step)
        self._engine.restore_demand_model(self._model)
        self._engine.set_accuracy(self._accuracy)

    # demand -------------------------------------------------------------------------------------------------------

    def _demand(self, now: int) -> Floats:
        """Demand of every junction, m3/s: the model's, with what the scenario does to it."""
        engine, scenario = self._engine, self._scenario
        demand = engine.demand_at(now)
        if scenario.noise.demand:
            period = now // max(engine.pattern_step, 1)
            if period != self._period:
                spread = scenario.noise.demand * self._random.standard_normal(len(demand))
                self._period, self._factor = period, np.maximum(1.0 + spread, 0.0)
            demand = demand * self._factor
        for event in scenario.events:
            if isinstance(event, Surge) and event.holds(now):
                demand = demand.copy()
                demand[junctions_of(engine, event, self._network)] *= event.factor
            elif isinstance(event, FireFlow) and event.holds(now):
                demand = demand.copy()
                demand[junctions_of(engine, event, self._network)] += event.flow
        return demand


def as_leaks_allow(
    scenario: Scenario, own: Callable[[], float], attempt: Callable[[float | None], Result]
) -> tuple[Result, float | None]:
    """Run a scenario; where EPANET does not get through at a leak's accuracy, at looser ones, down to the model's own.

    Parameters
    ----------
    own
        Gives the model's accuracy.
    attempt
        Given an accuracy, or None for the course's default, runs the scenario in an engine that has run no other.

    Returns
    -------
    result : Result
    looser : float or None
        The accuracy that had to be taken, or None.

    Raises
    ------
    NoSolution, RunStopped
        If EPANET does not get through at the model's own accuracy either.
    """
    try:
        return attempt(None), None
    except (NoSolution, RunStopped):
        model = own()
        if not scenario.leaks or model <= _LEAK_ACCURACY:
            raise
    for accuracy in (a for a in _TIGHT if _LEAK_ACCURACY < a < model):
        try:
            return attempt(accuracy), accuracy
        except (NoSolution, RunStopped):
            continue
    return attempt(model), model


def as_tight_as_can_be(engine: Engine, run: Callable[[float], Result]) -> Result:
    """Run at the tightest accuracy at which EPANET gets through: from 1e-6 to the model's own.

    Parameters
    ----------
    run
        Given an accuracy, runs a course in the engine.

    Raises
    ------
    HydraulicError
        If it does not get through at the model's own accuracy either.
    """
    own = engine.accuracy
    for accuracy in _TIGHT:
        if accuracy < own:
            try:
                return run(accuracy)
            except NoSolution:
                continue
            except EpanetError:
                raise
            except HydraulicError:  # stopped: it asks more of its arithmetic than there is
                continue
    return run(own)


def name_number(name: str) -> int:
    """Give a number from a scenario's name, so that scenarios of one seed differ, whatever ran before."""
    number = 0
    for byte in name.encode():
        number = (number * 257 + byte) % (2**61 - 1)
    return number

"""What may happen to a network: leaks, bursts, closures, failing pumps, more demand, a fire, noise.

Everything is SI and seconds since the run's beginning; files and the command line have other units
(`hydro.scenariofile`).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from hydro.errors import ScenarioError
from hydro.leaks import orifice

DISCHARGE = 0.75  # WNTR's default for add_leak; EPANET 2.3's own [LEAKAGE] uses 0.6
_BURST_SHARE = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that begins and ends.

    Attributes
    ----------
    start, end
        s after the run's beginning; without an end it lasts.
    """

    start: int = 0
    end: int | None = None

    def __post_init__(self) -> None:
        """Refuse times that cannot be.

        Raises
        ------
        ScenarioError
            If the event ends before it begins.
        """
        if self.start < 0 or (self.end is not None and self.end <= self.start):
            raise ScenarioError(f"{self.kind()} of {self.place()}: ends before it begins; let end follow start")

    def holds(self, now: int) -> bool:
        """Whether it is on at a time."""
        return self.start <= now and (self.end is None or now < self.end)

    @classmethod
    def kind(cls) -> str:
        """Word for this kind of event in files."""
        return _KINDS_BY_CLASS[cls.__name__]

    def place(self) -> str:
        """What it happens to."""
        return "the network"

    def _positive(self, name: str, value: float | None, least: float = 0.0) -> None:
        if value is not None and not (np.isfinite(value) and value > least):
            raise ScenarioError(f"{self.kind()} of {self.place()}: {name} {value:g} is not above {least:g}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Leak(Event):
    """A hole: flow = discharge sqrt(2 g) (area sqrt(p) + expansion p^1.5), FAVAD; an orifice without expansion.

    Attributes
    ----------
    pipe, position
        Where: share of the pipe's length from its first node. Or
    junction
        a node.
    diameter, area
        Of the hole, m or m2: one of the two.
    expansion
        Growth of the area by head, m2 per m.
    discharge
        Coefficient of discharge.
    growth
        Time in which the area grows steadily from nothing, s; 0 is abrupt.
    """

    pipe: str = ""
    junction: str = ""
    position: float = 0.5
    diameter: float | None = None
    area: float | None = None
    expansion: float = 0.0
    discharge: float = DISCHARGE
    growth: int = 0

    def __post_init__(self) -> None:
        """Refuse what is no hole in one place."""
        if bool(self.pipe) == bool(self.junction):
            raise ScenarioError(f"{self.kind()}: name a pipe or a junction")
        super(Leak, self).__post_init__()
        if self.diameter is not None and self.area is not None:
            raise ScenarioError(f"{self.kind()} of {self.place()}: give its diameter or its area, not both")
        if self.diameter is None and self.area is None and not self.expansion and type(self) is Leak:
            raise ScenarioError(f"{self.kind()} of {self.place()}: give its diameter or its area")
        for name, value in (("diameter", self.diameter), ("area", self.area), ("discharge", self.discharge)):
            self._positive(name, value)
        if not 0.0 <= self.position <= 1.0:
            raise ScenarioError(f"{self.kind()} of {self.place()}: position {self.position:g} is not between 0 and 1")
        if not (np.isfinite(self.expansion) and self.expansion >= 0.0 and self.growth >= 0):
            raise ScenarioError(
                f"{self.kind()} of {self.place()}: expansion {self.expansion:g} and growth {self.growth} have to be "
                "zero or more"
            )

    def place(self) -> str:
        """The pipe or junction."""
        return f"pipe '{self.pipe}'" if self.pipe else f"junction '{self.junction}'"

    def hole(self, pipe_diameter: float) -> float:
        """Area of the whole hole, m2; the pipe's diameter matters to a burst."""
        if self.area is not None:
            return self.area
        return float(np.pi / 4.0 * (self.diameter or 0.0) ** 2)

    def coefficients(self, now: int, pipe_diameter: float) -> tuple[float, float]:
        """Coefficients of sqrt(p) and p^1.5 at a time, m3/s per m^0.5 and per m^1.5."""
        if not self.holds(now):
            return 0.0, 0.0
        share = min((now - self.start) / self.growth, 1.0) if self.growth else 1.0
        return (
            share * orifice(self.hole(pipe_diameter), self.discharge),
            share * orifice(self.expansion, self.discharge),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Burst(Leak):
    """A pipe that breaks: a hole of a share of its cross-section, at once.

    Attributes
    ----------
    share
        Of the pipe's cross-section, where neither diameter nor area is given.
    """

    share: float = _BURST_SHARE

    def __post_init__(self) -> None:
        """Refuse what is no burst of a pipe."""
        super(Burst, self).__post_init__()
        self._positive("share", self.share)
        if self.junction:
            raise ScenarioError("burst: name the pipe that breaks")

    def hole(self, pipe_diameter: float) -> float:
        """Area of the hole, m2."""
        if self.area is not None or self.diameter is not None:
            return super(Burst, self).hole(pipe_diameter)
        return float(self.share * np.pi / 4.0 * pipe_diameter**2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Closure(Event):
    """A pipe, pump or valve that is shut, whatever the model's controls want."""

    link: str

    def place(self) -> str:
        """The link."""
        return f"link '{self.link}'"


@dataclass(frozen=True, slots=True, kw_only=True)
class PumpTrip(Event):
    """A pump that stands still."""

    pump: str

    def place(self) -> str:
        """The pump."""
        return f"pump '{self.pump}'"


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerCut(Event):
    """Pumps without power: those named, or all."""

    pumps: tuple[str, ...] = ()

    def place(self) -> str:
        """The pumps."""
        return f"pumps '{' '.join(self.pumps)}'" if self.pumps else "all pumps"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting(Event):
    """Another set-point of a valve (PRV, PSV, PBV m; FCV m3/s; TCV loss coefficient) or speed of a pump."""

    link: str
    value: float

    def __post_init__(self) -> None:
        """Refuse what no valve can hold."""
        super(Setting, self).__post_init__()
        if not (np.isfinite(self.value) and self.value >= 0.0):
            raise ScenarioError(f"{self.kind()} of {self.place()}: setting {self.value:g} is not zero or more")

    def place(self) -> str:
        """The link."""
        return f"link '{self.link}'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Surge(Event):
    """Demand multiplied: at the junctions named, at those of a block (`dma:NAME`), or at all."""

    junctions: tuple[str, ...] = ()
    factor: float

    def __post_init__(self) -> None:
        """Refuse a factor that is none."""
        super(Surge, self).__post_init__()
        if not (np.isfinite(self.factor) and self.factor >= 0.0):
            raise ScenarioError(f"{self.kind()} of {self.place()}: factor {self.factor:g} is not zero or more")

    def place(self) -> str:
        """The junctions."""
        return f"junctions '{' '.join(self.junctions)}'" if self.junctions else "all junctions"


@dataclass(frozen=True, slots=True, kw_only=True)
class FireFlow(Event):
    """Water for a fire: a steady flow at one junction on top of its demand, m3/s."""

    junction: str
    flow: float

    def __post_init__(self) -> None:
        """Refuse a flow that puts nothing out."""
        super(FireFlow, self).__post_init__()
        self._positive("flow", self.flow)

    def place(self) -> str:
        """The junction."""
        return f"junction '{self.junction}'"


KINDS: dict[str, type[Event]] = {
    "leak": Leak,
    "burst": Burst,
    "closure": Closure,
    "pump-trip": PumpTrip,
    "power-cut": PowerCut,
    "setting": Setting,
    "surge": Surge,
    "fire": FireFlow,
}
_KINDS_BY_CLASS = {cls.__name__: word for word, cls in KINDS.items()}


@dataclass(frozen=True, slots=True)
class PressureDriven:
    """Demand that falls with pressure (Wagner): ((p - minimum) / (required - minimum))^exponent, m."""

    minimum: float = 0.0
    required: float = 20.0
    exponent: float = 0.5

    def __post_init__(self) -> None:
        """Refuse limits that EPANET refuses."""
        if not (0.0 <= self.minimum < self.required < np.inf and 0.0 < self.exponent < np.inf):
            raise ScenarioError(
                f"pressure-driven demand: minimum {self.minimum:g} m, required {self.required:g} m, exponent "
                f"{self.exponent:g}: required must exceed minimum, and the exponent zero"
            )


@dataclass(frozen=True, slots=True)
class Noise:
    """Standard deviations of what chance adds; the scenario's seed decides.

    Attributes
    ----------
    demand
        Of each junction's demand in each pattern step, as a share of it.
    pressure, level
        Of a reading, m.
    flow
        Of a reading, as a share of it.
    """

    demand: float = 0.0
    pressure: float = 0.0
    level: float = 0.0
    flow: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what is no deviation."""
        for name in self.__slots__:
            value = getattr(self, name)
            if not (np.isfinite(value) and value >= 0.0):
                raise ScenarioError(f"noise of {name}: {value:g} is not zero or more")


@dataclass(frozen=True, slots=True)
class Scenario:
    """One story of a network.

    Attributes
    ----------
    name
        Unique in a batch.
    events
        In any order.
    pressure_driven
        Where demand is to fall with pressure; otherwise as the model says.
    noise, seed
        What chance adds, and which chance.
    """

    name: str = "base"
    events: tuple[Event, ...] = ()
    pressure_driven: PressureDriven | None = None
    noise: Noise = field(default_factory=Noise)
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse a seed that chance does not take.

        Raises
        ------
        ScenarioError
            If it is below zero.
        """
        if self.seed < 0:
            raise ScenarioError(f"seed {self.seed} is below zero; write a whole number from 0 on")

    @property
    def leaks(self) -> tuple[Leak, ...]:
        """Its leaks and bursts."""
        return tuple(event for event in self.events if isinstance(event, Leak))

    def boundaries(self) -> tuple[int, ...]:
        """Times at which something begins or ends, s, ascending."""
        times = {event.start for event in self.events} | {e.end for e in self.events if e.end is not None}
        return tuple(sorted(times))

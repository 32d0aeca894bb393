"""What is worked out about one event beside what the detector says, as plain data."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from umanflow.report.row import LeakRow


@dataclass(frozen=True, slots=True)
class Place:
    """Where a crew goes.

    Attributes
    ----------
    x, y
        Centre of the pipe in the INP's coordinates; None where it has none.
    longitude, latitude
        WGS 84, degrees; None where the coordinates' system is unknown.
    """

    pipe: str
    street: str
    x: float | None
    y: float | None
    longitude: float | None = None
    latitude: float | None = None


@dataclass(frozen=True, slots=True)
class Search:
    """Pipes to search, the likeliest first, until a share of the probability is covered.

    Attributes
    ----------
    metres, n_pipes
        None where all candidates together do not reach the share.
    """

    share: float
    metres: float | None
    n_pipes: int | None


@dataclass(frozen=True, slots=True)
class Closure:
    """How the best pipe is isolated.

    Attributes
    ----------
    valves, shut
        To be shut; shut already and to be checked.
    length_m, n_pipes
        Of the segment.
    n_nodes, n_beyond
        Junctions without water, and those of them that lie outside the segment.
    customers, customers_beyond
        Their connections; None where nobody has counted them.
    """

    valves: tuple[str, ...]
    shut: tuple[str, ...]
    length_m: float
    n_pipes: int
    n_nodes: int
    n_beyond: int
    customers: int | None
    customers_beyond: int | None


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """One step of a step test; flows into the district in m3/h.

    Attributes
    ----------
    valves
        To be shut now.
    length_m
        Pipes that it cuts off.
    customers
        Connections without water from now on, those of earlier steps too; None where nobody has counted them.
    share
        Of the candidates' probability in the part that it cuts off.
    inflow_m3h
        After the step if the leak ran elsewhere, its flow included.
    fall_without_m3h, fall_with_m3h
        By how much the inflow falls if the leak is elsewhere, and if it is in this part.
    """

    valves: tuple[str, ...]
    length_m: float
    customers: int | None
    share: float
    inflow_m3h: float
    fall_without_m3h: float
    fall_with_m3h: float


@dataclass(frozen=True, slots=True)
class StepPlan:
    """A step test, or the reason for having none.

    Attributes
    ----------
    reason
        Empty where there is a plan; else "narrow", "closed", "no candidates",
        "no valves", "no inlet", "behind the meter" or
        "no solution".
    inlets
        Meters to watch, and -1 for those through which water leaves the district.
    inflow_m3h
        Expected before the test, the leak's flow included.
    rest
        Share of the candidates' probability that no step cuts off.
    """

    reason: str = ""
    dma: str = ""
    inlets: tuple[tuple[str, int], ...] = ()
    hour: int = 3
    inflow_m3h: float = 0.0
    steps: tuple[PlannedStep, ...] = ()
    rest: float = 0.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """What speaks against another cause.

    Attributes
    ----------
    cause
        "meter", "surge" or "operation".
    finding
        "ruled out", "unlikely", "open" or "unknown".
    reason
        Key of the sentence that gives the reason.
    values
        Numbers and names in it.
    """

    cause: str
    finding: str
    reason: str
    values: tuple[tuple[str, float | int | str], ...] = ()


@dataclass(frozen=True, slots=True)
class Series:
    """Values of days; NaN where there is none.

    Attributes
    ----------
    label
        Instrument or channel.
    """

    label: str
    times: tuple[datetime, ...]
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class RepairCheck:
    """How it is seen that a repair held.

    Attributes
    ----------
    inlets
        Meters to watch and -1 for those through which water leaves; empty where the district has none.
    has_tank
        Whether the district holds a tank, so that its inflow at night says little and a day's mean is watched.
    fall_m3h, fall_low_m3h, fall_high_m3h
        By how much the night flow is expected to fall, with a 95 % interval.
    before_m3h, after_m3h
        Median night flow of the week before and after the end of an ended event, where it was measured.
    """

    inlets: tuple[tuple[str, int], ...]
    has_tank: bool
    fall_m3h: float
    fall_low_m3h: float
    fall_high_m3h: float
    before_m3h: float | None = None
    after_m3h: float | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """One event and all that is known of it.

    Attributes
    ----------
    lost_m3, lost_low_m3, lost_high_m3
        To date; the limits join those of flow and start.
    closure
        None where the network has no table of valves, or the pipe is not in it.
    residuals
        Of the instruments that say most, in standard deviations of quiet days.
    night
        Night flow into the district, m3/h; None where it was not measured or not kept.
    """

    row: LeakRow
    place: Place
    search: tuple[Search, ...]
    lost_m3: float
    lost_low_m3: float
    lost_high_m3: float
    closure: Closure | None
    plan: StepPlan
    verdicts: tuple[Verdict, ...]
    check: RepairCheck
    residuals: tuple[Series, ...] = ()
    night: Series | None = None
    lengths: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Unwatched:
    """Something that was not watched, or not well, and why.

    Attributes
    ----------
    what
        Key of the sentence.
    values
        Numbers and names in it.
    """

    what: str
    values: tuple[tuple[str, float | int | str | datetime], ...] = ()

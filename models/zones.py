"""What each zone loses at night, and how much of it is explained by the leaks that are known.

A zone is a district of the driven model: what its meters bound. Where one is not metered all around, the statement says
so instead of a number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hydro.drive import Drive
from hydro.phase import find_phase
from hydro.record import Record
from models.localise import Candidate
from models.uncertain import Uncertain, exact
from models.watch import Watch
from models.zoneflow import HOURS, Habits, Intake, Night, Pattern, pattern_of, split, unavoidable_background
from networks import Network

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_HOUR = pd.Timedelta("1h")
_METER = 0.005  # standard deviation of a zone meter's lasting error, as a share
_CUSTOMER = 0.02  # the same of all customers' meters together: they run slow as they age
_SPREAD_OF_CUSTOMERS = 0.5  # of the logarithm of one customer's hour
_FEW_METERS, _SCALE_BY_METERS = 5, 0.3
_ICF = 0.5  # standard deviation of background leakage about what is computed, as a share
# litres per hour that a property uses at night, 1.7 to 2.5 (UK practice): the limits of a uniform belief
_PROPERTY_L_H = (1.7, 2.5)
_ALL = "all"


@dataclass(frozen=True, slots=True)
class Zone:
    """One zone's night in one period, m3/s.

    Attributes
    ----------
    name
        Of the district, or "all" for the sum of those that can be told.
    start, end
        The period, UTC.
    inflow
        Mean net inflow.
    hour
        Of the record's clock in which least comes in; -1 for the sum.
    night_flow, use, background
        What comes in then; what customers use of it; what leaks at joints and fittings even in a sound network.
    excess
        What remains.
    explained, unexplained
        Of the excess: by leaks that were found, and the rest.
    lack
        Why there are no numbers; else empty.
    candidates
        Where unexplained losses may be, as far as pressures say anything.
    told
        Share of the probability in the first of them within 300 m; 0 where pressures say nothing.
    """

    name: str
    start: pd.Timestamp
    end: pd.Timestamp
    inflow: float
    hour: int = -1
    night_flow: Uncertain | None = None
    use: Uncertain | None = None
    background: Uncertain | None = None
    excess: Uncertain | None = None
    explained: Uncertain | None = None
    unexplained: Uncertain | None = None
    lack: str = ""
    candidates: tuple[Candidate, ...] = ()
    told: float = 0.0


@dataclass(frozen=True, slots=True)
class Found:
    """A leak that is known, for the balance of a zone.

    Attributes
    ----------
    link
        Where it is.
    flow, deviation
        Its mean flow in the period, and one standard deviation of it, m3/s.
    """

    link: int
    flow: float
    deviation: float


class Zones:
    """Speaks about the zones of a watched network.

    Parameters
    ----------
    watch
        Calibrated.
    network
        With tables of connections, where there are any; or what `hydro.Engine` accepts.
    habits
        How far hours of use may be off the model's pattern.

    Attributes
    ----------
    length
        float64 [n_junctions], half of the length of the pipes at each, m.
    """

    def __init__(self, watch: Watch, network: Network | object, habits: Habits | None = None) -> None:
        self.watch, self.habits = watch, habits or Habits()
        model = watch.model
        n = len(model.engine.junctions)
        place = {int(node): k for k, node in enumerate(model.engine.junctions.tolist())}
        metered = [place[model.topology.node(name)] for name in model.customer_meters]
        self._metered = np.zeros(n, dtype=bool)
        self._metered[metered] = True
        self.length: Floats = _length_at(watch)
        self._connections = _connections(network, model.topology.nodes, model.engine.junctions)

    def state(
        self, record: Record, found: Sequence[Found] = (), exclude: Sequence[tuple[pd.Timestamp, pd.Timestamp]] = ()
    ) -> tuple[Zone, ...]:
        """State every zone's night in a record, the sum of all last.

        Parameters
        ----------
        record
            Some days: two weeks tell enough, years hide the season.
        found
            Leaks that ran in it.
        exclude
            Periods that say nothing of what is usual.
        """
        nights = self.nights(record, exclude)
        zones = [self._zone(name, inflow, night, record, found) for name, inflow, night in nights]
        told = [z for z in zones if not z.lack]
        if len(told) > 1:
            zones.append(_sum(told, record))
        return tuple(zones)

    def nights(
        self, record: Record, exclude: Sequence[tuple[pd.Timestamp, pd.Timestamp]] = ()
    ) -> list[tuple[str, float, Night | str]]:
        """Every district's name, mean inflow and night, or why there is none."""
        fine = record.resampled(_HOUR)
        model = self.watch.model
        phase = find_phase(model, fine, _HOUR)
        drive = model.drive(fine, _HOUR, phase)
        for start, end in exclude:
            drive.inflow[np.asarray((drive.times >= start) & (drive.times < end))] = np.nan
        nominal = model.nominal_demand(drive.times, _HOUR, phase)
        pattern = self._pattern(fine, drive, nominal)
        pressure = self._pressures(drive)
        return [self._night(k, fine, drive, nominal, pattern, pressure) for k in range(len(model.districts))]

    # one district -------------------------------------------------------------------------------------------------

    def _night(
        self, number: int, record: Record, drive: Drive, nominal: Floats, pattern: Pattern, pressure: Floats
    ) -> tuple[str, float, Night | str]:
        model = self.watch.model
        district = model.districts[number]
        inflow = drive.inflow[:, number]
        mean = float(np.nanmean(inflow)) if np.isfinite(inflow).any() else 0.0
        if not district.is_closed:
            return district.name, mean, "not every flow across its boundary is measured"
        if not len(district.junctions):
            return district.name, mean, "nobody lives in it"
        inside = district.junctions
        free = inside[~self._metered[inside]]
        # background leakage of the model is part of its nominal demand: here it is leakage
        use = nominal - model.background - model.losses
        inputs = {
            f"meter {m}": (sign * record.flow[m].reindex(drive.times).to_numpy(dtype=np.float64), _METER)
            for m, sign in zip(district.meters, district.signs, strict=True)
        }
        if drive.known[:, number].any():
            inputs["customers' meters"] = (-drive.known[:, number], _CUSTOMER)
        intake = Intake(
            inflow - drive.known[:, number], drive.known[:, number], use[:, free].sum(axis=1), pressure[:, number],
            drive.times.hour.to_numpy(dtype=np.int64), inputs,
        )  # fmt: skip
        night = split(
            intake, pattern, self.habits, district.name, self._scale(number, drive, use), self._counted(number, free)
        )
        return district.name, mean, night if night is not None else "some hours of the day were never measured"

    def _scale(self, number: int, drive: Drive, use: Floats) -> tuple[float, float] | None:
        """What metered customers of a district use of the model's demand, and how far others may differ."""
        inside = self.watch.model.districts[number].junctions
        metered = inside[self._metered[inside]]
        nominal = float(use[:, metered].sum())
        if len(metered) < _FEW_METERS or nominal <= 0.0:
            return None
        ratio = float(np.nansum(drive.known[:, number])) / nominal
        return (ratio, _SCALE_BY_METERS * ratio) if ratio > 0.0 else None

    def _counted(self, number: int, free: Ints) -> Uncertain | None:
        """Legitimate night use by counted properties of those without a meter, m3/s; None where nobody counted."""
        if self._connections is None or self._connections[free].sum() <= 0.0:
            return None
        low, high = (v / 3.6e6 for v in _PROPERTY_L_H)
        count = float(self._connections[free].sum())
        # the figure is another country's: twice the width of its own limits
        return Uncertain(count * (low + high) / 2.0, {"night use of a property": count * 2.0 * (high - low) / 12**0.5})

    def _pattern(self, record: Record, drive: Drive, nominal: Floats) -> Pattern:
        """What customers' meters say of the hours' use beside the model's pattern."""
        model = self.watch.model
        columns = np.flatnonzero(self._metered)
        if len(columns) < _FEW_METERS:
            return pattern_of(self.habits)
        nodes = [model.topology.nodes[k] for k in model.engine.junctions[columns].tolist()]
        read = record.demand.reindex(index=drive.times, columns=nodes).to_numpy(dtype=np.float64)
        expected = np.where(np.isfinite(read), (nominal - model.background - model.losses)[:, columns], 0.0)
        hour = drive.times.hour.to_numpy()
        used = np.array([np.nansum(read[hour == h]) for h in range(HOURS)])
        wanted = np.array([expected[hour == h].sum() for h in range(HOURS)])
        if (used <= 0.0).any() or (wanted <= 0.0).any():
            return pattern_of(self.habits)
        ratio = np.log(used / wanted)
        return pattern_of(self.habits, ratio - ratio.mean(), _SPREAD_OF_CUSTOMERS / len(columns) ** 0.5)

    def _pressures(self, drive: Drive) -> Floats:
        """Pressure at each district's average point, float64 [n, n_districts], m; of a typical day."""
        model = self.watch.model
        hour = drive.times.hour.to_numpy()
        drivable = model.is_drivable(drive)
        by_hour = np.full((HOURS, len(model.districts)), np.nan)
        model.forget()
        for h in range(HOURS):
            rows = np.flatnonzero(drivable & (hour == h))
            if not len(rows):
                continue
            order = np.argsort(drive.demand[rows].sum(axis=1), kind="stable")
            model.impose(drive, int(rows[order[len(order) // 2]]))
            pressure = model.solve()[0][model.engine.junctions]
            for k, district in enumerate(model.districts):
                weight = self.length[district.junctions]
                if weight.sum() > 0.0:
                    by_hour[h, k] = float(pressure[district.junctions] @ weight / weight.sum())
        by_hour = np.where(by_hour > 1.0, by_hour, np.nan)
        mean = np.nanmean(np.where(np.isfinite(by_hour), by_hour, 1.0), axis=0)
        self._point = mean
        return np.asarray(np.where(np.isfinite(by_hour), by_hour, mean)[hour])

    # what it means ------------------------------------------------------------------------------------------------

    def _zone(self, name: str, inflow: float, night: Night | str, record: Record, found: Sequence[Found]) -> Zone:
        zone = Zone(name, record.start, record.end, inflow)
        if isinstance(night, str):
            return replace(zone, lack=night)
        number = next(k for k, d in enumerate(self.watch.model.districts) if d.name == name)
        background = self.background(number, name)
        # a leak leaks as its zone's losses do: more at night, where pressure is high
        factor = (night.losses.value / night.mean_losses.value) ** 0.5 if night.mean_losses.value > 0.0 else 1.0
        explained = exact(0.0)
        for leak in found:
            share = factor * self.watch.share(leak.link, number)
            name_of = self.watch.topology.links[leak.link]
            explained = explained + Uncertain(share * leak.flow, {f"leak in {name_of}": share * leak.deviation})
        excess = night.losses - background
        return replace(
            zone, hour=night.hour, night_flow=night.flow, use=night.use, background=background, excess=excess,
            explained=explained, unexplained=excess - explained,
        )  # fmt: skip

    def background(self, number: int, name: str) -> Uncertain:
        """Background leakage: the model's own, or what is unavoidable, m3/s."""
        inside = self.watch.model.districts[number].junctions
        value = float(self.watch.model.background[inside].sum())
        if value <= 0.0:
            count = 0.0 if self._connections is None else float(self._connections[inside].sum())
            value = unavoidable_background(float(self.length[inside].sum()), count, float(self._point[number]))
        return Uncertain(value, {f"background of {name}": _ICF * value})


def _sum(zones: Sequence[Zone], record: Record) -> Zone:
    """All zones as one; what they have in common adds up, what each has by itself does not."""

    def total(name: str) -> Uncertain:
        whole = exact(0.0)
        for zone in zones:
            whole = whole + getattr(zone, name)
        return whole

    names = ("night_flow", "use", "background", "excess", "explained", "unexplained")
    sums: Mapping[str, Uncertain] = {name: total(name) for name in names}
    return Zone(_ALL, record.start, record.end, sum(z.inflow for z in zones), **sums)  # type: ignore[arg-type]


def _length_at(watch: Watch) -> Floats:
    topology = watch.topology
    half = np.zeros(len(topology.nodes))
    for end in (topology.start, topology.end):
        np.add.at(half, end[watch.pipes], topology.length[watch.pipes] / 2.0)
    return half[watch.model.engine.junctions]


def _connections(network: object, nodes: Sequence[str], junctions: Ints) -> Floats | None:
    """Connections at each junction, as far as a table beside the INP counts them."""
    table = network.nodes if isinstance(network, Network) else None
    if table is None or "connections" not in table.columns:
        return None
    counts = dict(zip(table["node"].astype(str), table["connections"].fillna(0).astype(float), strict=True))
    return np.array([counts.get(nodes[k], 0.0) for k in junctions.tolist()])

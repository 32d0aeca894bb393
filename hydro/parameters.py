"""What a calibration by groups may change: offsets, roughness, demand by zone and hour, and unknown withdrawals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hydro.areas import Areas
from hydro.bordered import BORDER
from hydro.drive import Drive
from hydro.driven import DrivenModel
from hydro.groups import Groups, Hours
from hydro.repair import Repair
from hydro.sharing import Sharing

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_KEPT = 1e-6  # deviation of what is known


@dataclass(frozen=True, slots=True)
class Beliefs:
    """How far the model may be from the truth, one standard deviation.

    Attributes
    ----------
    group, pipe
        Of the logarithm of resistance: of a group as a whole, and of a pipe about its group.
    zone, junction
        Of the logarithm of demand: of a zone in an hour where no meter tells it, and of a junction's share.
    offset
        Of a pressure sensor's zero, m.
    excess
        Of all unknown withdrawals of a district together, as a share of its inflow.
    pressure, flow
        Least misfit that is to be expected, m and share of the meter's mean flow.
    """

    group: float = 0.5
    pipe: float = 0.2
    zone: float = 0.3
    junction: float = 0.3
    offset: float = 0.3
    excess: float = 0.2
    pressure: float = 0.01
    flow: float = 0.004


@dataclass(frozen=True, slots=True)
class Layout:
    """Where each kind of parameter stands in the vector.

    Attributes
    ----------
    groups, zones, hours, areas
        The partitions.
    periods
        Beginnings of the periods in which withdrawals are constant, int64 ns since 1970.
    leaks
        (link, repaired at ns, period, measured flow m3/s or 0) of each repaired leak in each period before its repair.
    """

    n_sensors: int
    n_pipes: int
    n_junctions: int
    groups: Groups
    zones: Groups
    hours: Hours
    areas: Areas
    periods: Ints
    leaks: tuple[tuple[int, int, int, float], ...]

    @property
    def sizes(self) -> tuple[int, ...]:
        """Number of offsets, groups, pipes, zone-hours, junctions, withdrawals and repaired leaks."""
        n_areas = len(self.areas) * len(self.periods) if len(self.periods) > 1 else 0
        return (
            self.n_sensors, len(self.groups.names), self.n_pipes, len(self.hours.names) * len(self.zones.names),
            self.n_junctions, n_areas, len(self.leaks),
        )  # fmt: skip

    @property
    def slices(self) -> tuple[slice, ...]:
        """Of each kind."""
        ends = np.cumsum((0, *self.sizes)).tolist()
        return tuple(slice(a, b) for a, b in pairwise(ends))

    def period(self, times: pd.DatetimeIndex) -> Ints:
        """Period of each time."""
        found = np.searchsorted(self.periods, times.as_unit("ns").asi8, side="right") - 1
        return np.clip(found, 0, len(self.periods) - 1).astype(np.int64)


def find_leaks(
    model: DrivenModel, repairs: Sequence[Repair], periods: Ints, end: pd.Timestamp
) -> tuple[tuple[int, int, int, float], ...]:
    """Parameters of repaired leaks: a flow for each period that begins before the repair."""
    found = []
    for repair in repairs:
        link, until = model.topology.link(repair.pipe), pd.Timestamp(repair.time).as_unit("ns").value
        before = [k for k, start in enumerate(periods.tolist()) if start < until]
        if until > end.as_unit("ns").value and repair.flow is None:
            continue  # it leaks through the whole record: areas tell it
        found += [(link, until, k, repair.flow or 0.0 if k == before[-1] else 0.0) for k in before]
    return tuple(found)


class Grouped:
    """The parameters at some intervals: a `hydro.fit.Parameters`.

    Parameters
    ----------
    model
        Driven, its factors at 1.
    drive
        Boundary conditions of the intervals.
    layout, beliefs
        What is free, and how far.
    sharing
        Who gives way to a withdrawal.
    inflow
        float64 [n_districts], mean net inflow, m3/s; scales the withdrawals' prior.
    """

    def __init__(
        self, model: DrivenModel, drive: Drive, layout: Layout, beliefs: Beliefs, sharing: Sharing, inflow: Floats
    ) -> None:
        self.model, self.drive, self.layout, self.sharing = model, drive, layout, sharing
        self.closed = [k for k, district in enumerate(model.districts) if len(sharing.takers[k])]
        self.n_balances = len(self.closed)
        self._hour, self._period = layout.hours.at(drive.times), layout.period(drive.times)
        self._total = sharing.totals(drive.demand)
        self._extra = np.zeros_like(drive.demand)
        self._zones = layout.zones.members * ~sharing.metered[:, None]  # customers' meters need no hour's factor
        self._places(drive.times)
        areas = layout.areas
        share = areas.length / np.bincount(areas.district, areas.length, len(model.districts))[areas.district]
        area = beliefs.excess * inflow[areas.district] * np.sqrt(share)
        whole = float(inflow.max())
        known = np.array([flow for *_, flow in layout.leaks])
        junction = np.where(sharing.metered, _KEPT, beliefs.junction)
        n_offsets, n_groups, n_pipes, n_zones, _, n_areas, n_leaks = layout.sizes
        self.deviation = np.concatenate(
            [
                np.full(n_offsets, beliefs.offset), np.full(n_groups, beliefs.group), np.full(n_pipes, beliefs.pipe),
                np.full(n_zones, beliefs.zone), junction, np.tile(np.maximum(area, 1e-9), n_areas // len(areas)),
                np.where(known > 0.0, 0.3 * known, beliefs.excess * whole),
            ]
        )  # fmt: skip
        self.lower: Floats | None = np.full(len(self.deviation), -np.inf)
        self.lower[len(self.deviation) - n_areas - n_leaks :] = 0.0
        self.lower[len(self.deviation) - n_leaks :] = -known
        self.block: Ints | None = np.concatenate(
            [
                np.full(len(self.deviation) - n_areas - n_leaks, BORDER),
                np.repeat(np.arange(n_areas // len(areas)), len(areas)),
                np.array([period for _, _, period, _ in layout.leaks], dtype=np.int64),
            ]
        ).astype(np.int64)
        self._known = known

    def _places(self, times: pd.DatetimeIndex) -> None:
        """How each repaired leak is spread over junctions, and in which intervals it runs."""
        topology, n = self.model.topology, self.layout.n_junctions
        at = times.as_unit("ns").asi8
        self._leak_spread = np.zeros((n, len(self.layout.leaks)))
        self._leak_runs = np.zeros((len(times), len(self.layout.leaks)))
        for k, (link, until, period, _) in enumerate(self.layout.leaks):
            ends = [e for e in (int(topology.start[link]), int(topology.end[link])) if topology.is_junction[e]]
            for node in ends:
                self._leak_spread[np.flatnonzero(self.model.engine.junctions == node), k] += 1.0 / len(ends)
            self._leak_runs[:, k] = (at < until) & (self._period == period)

    # what a vector means ------------------------------------------------------------------------------------------

    def offset(self, theta: Floats) -> Floats:
        """Of every pressure sensor, float64 [n_sensors], m."""
        return theta[self.layout.slices[0]]

    def resistance(self, theta: Floats) -> Floats:
        """Natural logarithm of every pipe's factor, float64 [n_pipes]."""
        _, group, pipe, *_ = self.layout.slices
        return np.asarray(theta[group][self.layout.groups.of] + theta[pipe])

    def withdrawals(self, theta: Floats) -> Floats:
        """What leaves each junction beyond its demand, float64 [n, n_junctions], m3/s."""
        *_, area, leak = self.layout.slices
        taken = (self._leak_runs * (self._known + theta[leak])) @ self._leak_spread.T
        if area.stop > area.start:
            flows = theta[area].reshape(len(self.layout.periods), -1)
            taken += (flows @ self.layout.areas.spread.T)[self._period]
        return np.asarray(taken)

    def drive_at(self, theta: Floats) -> Drive:
        """The drive under trial parameters; puts the resistances into the model."""
        _, _, _, zone, junction, _, _ = self.layout.slices
        factor = np.exp(theta[junction])
        self.model.scale(np.exp(self.resistance(theta)), factor)
        hours = theta[zone].reshape(len(self.layout.hours.names), -1)
        by_zone = np.exp(hours[self._hour] @ self._zones.T)
        self._extra = self.withdrawals(theta)
        shared = self.sharing.settle(self.drive.demand * factor * by_zone, self._total, self._extra)
        return replace(self.drive, demand=shared)

    def balance(self, theta: Floats) -> Floats:
        """What the closed districts take beyond the usual, float64 [n, n_balances], m3/s."""
        return self.sharing.totals(self.withdrawals(theta))[:, self.closed]

    def jacobian(self, row: int, by_demand: Floats, by_resistance: Floats, demand: Floats, out: Floats) -> None:
        """Derivatives of one interval's instruments and balances."""
        offset, group, pipe, zone, junction, area, leak = self.layout.slices
        n = by_demand.shape[1]
        demand = demand - self._extra[row]  # what leaks is no part of anybody's share
        response = self.sharing.response(by_demand, demand)
        by_pipe = by_resistance[self.model.topology.pipes].T
        by_share = (response * demand[:, None]).T
        sensors = np.arange(self.layout.n_sensors)
        out[sensors, sensors + offset.start] = 1.0
        out[:n, pipe] = by_pipe
        out[:n, group] = by_pipe @ self.layout.groups.members
        n_zones = len(self.layout.zones.names)
        at = zone.start + int(self._hour[row]) * n_zones
        out[:n, at : at + n_zones] = by_share @ self._zones
        out[:n, junction] = by_share
        inside = (
            np.stack([self.sharing.district == k for k in self.closed]) if self.closed else np.empty((0, len(demand)))
        )
        if area.stop > area.start:
            areas = self.layout.areas
            at = area.start + int(self._period[row]) * len(areas)
            out[:n, at : at + len(areas)] = response.T @ areas.spread
            out[n:, at : at + len(areas)] = inside @ areas.spread
        spread = self._leak_spread * self._leak_runs[row]
        out[:n, leak] = response.T @ spread
        out[n:, leak] = inside @ spread

"""Scenarios of one network put side by side into lanes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hydro.fast.arrays import aligned
from hydro.fast.lanes import WIDTH
from hydro.fast.model import Model
from hydro.fast.outlets import FIXED_AREA, GROWING_AREA
from hydro.fast.plan import NEVER, Hole, Plan, Shut
from hydro.fast.plant import Layout, leak_coefficient
from hydro.fast.sites import AT_NODE, CLOSED_PIPE, MID_PIPE
from hydro.fast.tables import Sites
from networks import Topology

Ints = NDArray[np.int64]
_OWN = np.array([FIXED_AREA, GROWING_AREA])


@dataclass
class Lane:
    """One scenario: its sites (kind, where, elevation, own leakage of both kinds) and when they are open.

    Attributes
    ----------
    fits
        Whether the kernels can run it; else it is EPANET's.
    """

    sites: dict[tuple[int, int], tuple[float, float, float]] = field(default_factory=dict)
    openings: list[tuple[int, int, int, float]] = field(default_factory=list)
    fits: bool = True

    def add(
        self, site: tuple[int, int], facts: tuple[float, float, float], times: tuple[int, int], size: float
    ) -> None:
        """Put an opening at a site, which several may share."""
        self.sites.setdefault(site, facts)
        self.openings.append((list(self.sites).index(site), *times, size))


@dataclass(frozen=True)
class Lineup:
    """What is needed to translate plans into lanes.

    Attributes
    ----------
    leak_unit
        m3/s per m^0.5 in ft3/s per ft^0.5.
    """

    model: Model
    layout: Layout
    topology: Topology
    n_plain: int
    leak_unit: float

    def lane(self, plan: Plan) -> Lane:
        """Translate one plan."""
        lane = Lane()
        for hole in plan.holes:
            self._add_hole(lane, hole)
        for shut in plan.shut:
            self._add_shut(lane, shut)
        return lane

    def _add_hole(self, lane: Lane, hole: Hole) -> None:
        times, size = (hole.start, hole.end), hole.coefficient / self.leak_unit
        if hole.node:
            node = self.topology.node_index[hole.node]
            lane.add((AT_NODE, int(self.layout.node[node])), (float(self.model.elevation[node]), 0.0, 0.0), times, size)
            return
        link = self.topology.link_index[hole.pipe]
        where = int(self.layout.link[link])
        lane.fits &= where < self.n_plain
        ends = [self.topology.start[link], self.topology.end[link]]
        own = leak_coefficient(self.layout.pipe_leak[link], _OWN)
        lane.add((MID_PIPE, where), (float(self.model.elevation[ends].mean()), own[0], own[1]), times, size)

    def _add_shut(self, lane: Lane, shut: Shut) -> None:
        where = int(self.layout.link[self.topology.link_index[shut.pipe]])
        lane.fits &= where < self.n_plain
        lane.add((CLOSED_PIPE, where), (0.0, 0.0, 0.0), (shut.start, shut.end), 1.0)

    def sites(self, plans: Sequence[Plan]) -> tuple[Sites, Ints]:
        """Put at most `WIDTH` plans side by side.

        Returns
        -------
        Sites
        int64 [WIDTH], 1 for the lanes that the kernels can run.
        """
        lanes = [self.lane(plan) for plan in plans]
        alive = np.zeros(WIDTH, dtype=np.int64)
        alive[: len(lanes)] = [lane.fits for lane in lanes]
        lanes += [Lane() for _ in range(WIDTH - len(lanes))]
        most = max([1, *(len(lane.sites) for lane in lanes)])
        whole, real = np.zeros((2, most, WIDTH), dtype=np.int64), np.zeros((3, most, WIDTH))
        events = [plan.changes() for plan in plans]
        times = np.full((max([1, *map(len, events)]), WIDTH), NEVER, dtype=np.int64)
        factor = aligned(1)
        factor[:] = 1.0
        for k, lane in enumerate(lanes):
            if not alive[k]:
                continue
            for s, (site, facts) in enumerate(lane.sites.items()):
                whole[:, s, k], real[:, s, k] = site, facts
            times[: len(events[k]), k] = events[k]
            factor[0, k] = plans[k].demand_factor
        openings = [opening for k, lane in enumerate(lanes) if alive[k] for opening in lane.openings]
        counts = [len(lane.openings) * int(alive[k]) for k, lane in enumerate(lanes)]
        count = np.array([len(lane.sites) * int(alive[k]) for k, lane in enumerate(lanes)], dtype=np.int64)
        return Sites(
            count, whole[0], whole[1], real[0], real[1], real[2], times,
            np.array(openings, dtype=np.float64).reshape(-1, 4),
            np.concatenate(([0], np.cumsum(counts))).astype(np.int64), factor,
        ), alive  # fmt: skip

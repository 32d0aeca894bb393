"""Who gives way where water leaves elsewhere: within a measured inflow, what one takes another does not."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hydro.driven import DrivenModel

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_LEAST_FREE = 0.1  # of a district's nominal demand without a meter: below it the meters' customers share the rest


class Sharing:
    """Which junctions take up what is left of a closed district's net inflow.

    Parameters
    ----------
    model
        Driven; its customers' meters are believed where enough demand is without one.
    nominal
        float64 [n_junctions], usual demand, m3/s.

    Attributes
    ----------
    takers
        int64 arrays, junctions that take up the rest, of each district; none where a district is not closed.
    metered
        bool [n_junctions], whose demand is measured.
    district
        int64 [n_junctions], the district of each junction.
    """

    def __init__(self, model: DrivenModel, nominal: Floats) -> None:
        n = len(model.engine.junctions)
        place = np.full(len(model.topology.nodes), -1, dtype=np.int64)
        place[model.engine.junctions] = np.arange(n)
        self.metered = np.zeros(n, dtype=bool)
        self.metered[place[[model.topology.node(name) for name in model.customer_meters]]] = True
        self.district = np.zeros(n, dtype=np.int64)
        self.takers: list[Ints] = []
        self._junctions, self.districts = model.engine.junctions, model.districts
        for number, district in enumerate(model.districts):
            inside = district.junctions
            self.district[inside] = number
            free = inside[~self.metered[inside]]
            if nominal[free].sum() < _LEAST_FREE * nominal[inside].sum() or len(free) == 0:
                free = inside
            self.takers.append(free if district.is_closed else free[:0])

    def settle(self, demand: Floats, total: Floats, extra: Floats | None = None) -> Floats:
        """Scale the takers' demand so that each closed district takes its total, extra withdrawals included.

        Parameters
        ----------
        demand
            float64 [n, n_junctions], m3/s, whose proportions are kept.
        total
            float64 [n, n_districts], m3/s.
        extra
            float64 [n, n_junctions], m3/s, what leaves besides.

        Returns
        -------
        float64 [n, n_junctions], m3/s
        """
        settled = demand.copy()
        for number, takers in enumerate(self.takers):
            if len(takers) == 0:
                continue
            inside = self.districts[number].junctions
            own = demand[:, takers].sum(axis=1)
            rest = total[:, number] - (demand[:, inside].sum(axis=1) - own)
            if extra is not None:
                rest = rest - extra[:, inside].sum(axis=1)
            with np.errstate(divide="ignore", invalid="ignore"):
                scale = np.where(np.abs(own) > 1e-12, rest / own, 1.0)
            settled[:, takers] *= scale[:, None]
        return settled if extra is None else settled + extra

    def totals(self, demand: Floats) -> Floats:
        """Demand of each district, float64 [n, n_districts], m3/s."""
        return np.stack([demand[:, d.junctions].sum(axis=1) for d in self.districts], axis=1)

    def response(self, by_demand: Floats, demand: Floats) -> Floats:
        """Response of instruments to a withdrawal at each junction while the district's inflow is as measured.

        Parameters
        ----------
        by_demand
            float64 [n_nodes, n_instruments], of `hydro.derivatives`.
        demand
            float64 [n_junctions], m3/s.

        Returns
        -------
        float64 [n_junctions, n_instruments]
        """
        response = by_demand[self._junctions]
        for number, takers in enumerate(self.takers):
            share = np.maximum(demand[takers], 0.0)
            if share.sum() > 0.0:
                response[self.districts[number].junctions] -= (share / share.sum()) @ response[takers]
        return response

    def by_total(self, by_demand: Floats, demand: Floats) -> Floats:
        """Response of instruments to the inflow of each closed district, float64 [n_districts, n_instruments]."""
        response = np.zeros((len(self.takers), by_demand.shape[1]))
        for number, takers in enumerate(self.takers):
            share = np.maximum(demand[takers], 0.0)
            if share.sum() > 0.0:
                response[number] = (share / share.sum()) @ by_demand[self._junctions[takers]]
        return response

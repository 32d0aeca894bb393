"""How uncertain heads, flows and demands are everywhere, given how uncertain the state is.

The response of every output to the state is taken at a few reference moments of different demand and used at the
moments nearest to them; it is gathered in strips of outputs, so that no matrix of nodes by nodes is ever held.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hydro.derivatives import derivatives
from hydro.drive import Drive
from hydro.estimator import Estimator, Step

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_STRIP = 256


@dataclass(frozen=True, slots=True)
class Reference:
    """Responses at one moment; outputs are heads of nodes, flows of links, demands of junctions.

    Attributes
    ----------
    total
        Demand of all closed districts, m3/s.
    by_area
        float64 [n_outputs, n_areas].
    own
        float64 [n_outputs], variance that the junctions' own noise makes.
    nodal
        float64 [n_outputs, n_instruments], covariance of that with the instruments.
    by_inflow
        float64 [n_outputs, n_districts], response to the inflow of each closed district.
    model
        float64 [n_outputs], variance that the errors of resistances and demand shares make.
    """

    total: float
    by_area: Floats
    own: Floats
    nodal: Floats
    by_inflow: Floats
    model: Floats


class Spread:
    """Variances of chosen outputs.

    Parameters
    ----------
    estimator
        Its model is solved at the reference moments.
    drive
        Boundary conditions, of which some are the references.
    rows
        int64 [k], reference moments, in order of demand.
    nodes, links, junctions
        Outputs: node and link indices, and positions among the junctions.
    """

    def __init__(
        self, estimator: Estimator, drive: Drive, rows: Ints, nodes: Ints, links: Ints, junctions: Ints
    ) -> None:
        self.estimator, self.nodes, self.links, self.junctions = estimator, nodes, links, junctions
        self._model = _model_errors(estimator)
        # the errors of the whole model are the dear part and change least: two moments stand for all
        dear = sorted({len(rows) // 4, 3 * len(rows) // 4})
        found = [self._at(drive, int(row), k in dear) for k, row in enumerate(rows.tolist())]
        near = [min(dear, key=lambda d, k=k: abs(d - k)) for k in range(len(found))]  # type: ignore[misc]
        self.references = [replace(r, model=found[d].model) for r, d in zip(found, near, strict=True)]

    def variances(self, step: Step) -> Floats:
        """Posterior variance of every output, float64 [n_outputs], m2 and m6/s2."""
        reference = min(self.references, key=lambda r: abs(r.total - step.total))
        n, m = self.estimator.n_areas, self.estimator.n_instruments
        areas = step.prior[:n, :n]
        along = reference.by_area @ areas
        before = np.einsum("ok,ok->o", along, reference.by_area) + reference.own
        # covariance of every output with what the instruments show
        cross = reference.by_area @ (step.prior[:n] @ step.response.T)
        cross[:, :m] += reference.nodal
        before += np.square(reference.by_inflow) @ step.inflow_variance
        cross += (reference.by_inflow * step.inflow_variance) @ step.by_inflow
        told = np.einsum("om,om->o", cross @ step.told.precision, cross)
        return np.asarray(np.maximum(before - told, 0.0) + reference.model)

    def instrument_errors(self) -> Floats:
        """Covariance of the model's own error at the instruments, offsets included, mean over the references."""
        return np.asarray(np.mean(self._errors, axis=0))

    def _at(self, drive: Drive, row: int, is_whole: bool) -> Reference:
        estimator = self.estimator
        model, sharing, areas, rates = estimator.model, estimator.sharing, estimator.areas, estimator.rates
        model.forget()
        model.impose(drive, row)
        model.solve()
        demand = drive.demand[row]
        share = np.where(sharing.metered, rates.meter, rates.demand)
        variance = (share * demand) ** 2
        s = derivatives(model.engine, model.sensor_nodes, model.meter_links)
        to_instruments = sharing.response(s.by_demand, demand)
        pipes = model.topology.pipes
        errors = getattr(self, "_errors", None)
        self._errors: list[Floats] = [] if errors is None else errors
        self._errors.append(self._model.between_instruments(s.by_resistance[pipes], to_instruments * demand[:, None]))
        parts: list[tuple[Floats, ...]] = []
        outputs = [(self.nodes[k : k + _STRIP], self.links[:0]) for k in range(0, len(self.nodes), _STRIP)]
        outputs += [(self.nodes[:0], self.links[k : k + _STRIP]) for k in range(0, len(self.links), _STRIP)]
        for nodes, links in outputs:
            s = derivatives(model.engine, nodes, links)
            response = sharing.response(s.by_demand, demand)
            parts.append(
                (
                    response.T @ areas.spread,
                    np.einsum("jo,jo,j->o", response, response, variance, optimize=True),
                    (response * variance[:, None]).T @ to_instruments,
                    sharing.by_total(s.by_demand, demand).T,
                    self._model.variance(s.by_resistance[pipes], response * demand[:, None])
                    if is_whole
                    else np.zeros(response.shape[1]),
                )
            )
        parts.append(self._demands(demand, variance, to_instruments))
        by_area, own, nodal, by_inflow, errors = (np.concatenate(part) for part in zip(*parts, strict=True))
        # what no parameter explains at the sensors is not explained elsewhere either
        errors[: len(self.nodes)] += estimator.unexplained**2
        total = float(sharing.totals(demand[None, :]).sum())
        return Reference(total, by_area, own, nodal, by_inflow, errors)

    def _demands(self, demand: Floats, variance: Floats, to_instruments: Floats) -> tuple[Floats, ...]:
        """The same for the demands of junctions, which need no hydraulics."""
        sharing, areas = self.estimator.sharing, self.estimator.areas
        by_area = areas.spread.copy()
        kept = np.ones(len(demand))
        by_inflow = np.zeros((len(demand), len(sharing.takers)))
        for number, takers in enumerate(sharing.takers):
            own = np.maximum(demand[takers], 0.0)
            if own.sum() > 0.0:
                share = own / own.sum()
                by_area[np.ix_(takers, np.flatnonzero(areas.district == number))] -= share[:, None]
                kept[takers] = 1.0 - share
                by_inflow[takers, number] = share
        at = self.junctions
        own_variance = kept**2 * variance
        shares = self._model.shares() * (demand * kept) ** 2
        return by_area[at], own_variance[at], (variance[:, None] * to_instruments)[at], by_inflow[at], shares[at]


class _ModelErrors:
    """Errors of offsets, resistances and demand shares that a calibration has left, or a maintained model has."""

    def __init__(self, covariance: Floats, n_sensors: int, n_pipes: int) -> None:
        self.covariance, self.n_sensors, self.n_pipes = covariance, n_sensors, n_pipes
        self._inner = covariance[n_sensors:, n_sensors:].astype(np.float32)  # a variance needs no more digits

    def shares(self) -> Floats:
        """Variance of every junction's log demand share, float64 [n_junctions]."""
        return np.asarray(np.diag(self.covariance)[self.n_sensors + self.n_pipes :])

    def variance(self, by_pipe: Floats, by_share: Floats) -> Floats:
        """Of outputs, from float64 [n_pipes, n_outputs] and [n_junctions, n_outputs]."""
        both = np.concatenate([by_pipe, by_share])
        return np.asarray(np.einsum("po,po->o", self._inner @ both.astype(np.float32), both))

    def between_instruments(self, by_pipe: Floats, by_share: Floats) -> Floats:
        """Covariance of the instruments' errors, float64 [n_instruments, n_instruments], offsets included."""
        offsets = np.eye(self.n_sensors, by_pipe.shape[1])
        both = np.concatenate([offsets, by_pipe, by_share])
        return np.asarray(both.T @ self.covariance @ both)


def _model_errors(estimator: Estimator) -> _ModelErrors:
    model, calibration = estimator.model, estimator.calibration
    n_sensors, n_pipes = len(model.sensor_nodes), len(model.topology.pipes)
    if calibration is None:
        from hydro.parameters import Beliefs

        beliefs = Beliefs()
        deviation = np.concatenate(
            [
                np.full(n_sensors, beliefs.offset),
                np.full(n_pipes, np.hypot(beliefs.group, beliefs.pipe)),
                np.where(estimator.sharing.metered, 1e-6, beliefs.junction),
            ]
        )
        return _ModelErrors(np.diag(deviation**2), n_sensors, n_pipes)
    whole = calibration.model_covariance()
    place = {name: k for k, name in enumerate(calibration.sensors)}
    # a sensor that the calibration did not know has an offset of its own
    known = [place.get(name, -1) for name in model.pressure_sensors]
    rest = np.arange(len(calibration.sensors), len(whole))
    index = np.r_[np.maximum(known, 0).astype(np.int64), rest]
    covariance = whole[np.ix_(index, index)]
    strange = np.flatnonzero(np.array(known) < 0)
    covariance[strange, :] = 0.0
    covariance[:, strange] = 0.0
    covariance[strange, strange] = calibration.beliefs.offset**2
    return _ModelErrors(covariance, n_sensors, n_pipes)

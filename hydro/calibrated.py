"""A model calibrated on a record: roughness by group, demand by zone and hour, sensor offsets.

Everything is one maximum a posteriori fit (`hydro.fit`) of the model that the record drives. What leaks in the record
is accounted for: withdrawals of areas, constant over a fortnight each, and repaired leaks at their pipes until the
repair. Every fifth day is kept out of the fit and shows whether it has learnt or only followed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hydro.areas import Areas
from hydro.errors import RecordError
from hydro.fitdata import STEP, Data, choose, misfits, prepare
from hydro.hourly import hour_factors, metered_shares
from hydro.identifiability import Posterior, posterior
from hydro.opening import as_network
from hydro.parameters import Beliefs, Layout
from hydro.record import Record
from hydro.repair import Repair
from hydro.suspects import Suspect, find_suspects
from hydro.usual import Usual
from networks import Network

if TYPE_CHECKING:
    from wntr.network import WaterNetworkModel

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Progress = Callable[[str, float], None]


@dataclass(frozen=True)
class Calibrated:
    """A calibrated model and what the data could not tell.

    Attributes
    ----------
    network
        As it was given.
    layout, beliefs
        What was free, and how far.
    parameters
        float64 [n_parameters], offsets (m), log resistances of groups and pipes, log demands of zone-hours and
        junctions, withdrawals of areas in each period and of repaired leaks (m3/s).
    posterior
        Their posterior.
    resistance
        float64 [n_pipes], factor on each pipe's head loss.
    demand
        float64 [n_junctions], factor on each junction's demand share.
    offset
        float64 [n_pressure_sensors], m, what a sensor shows above the model.
    hours, hours_deviation
        float64 [n_classes, n_zones], factor on each zone's nominal demand in each class of hours.
    usual
        Of each closed district, by number.
    districts
        Names, in the order of their numbers.
    sensors, meters
        Names of pressure sensors and flow meters.
    misfit
        One row for each instrument: see `hydro.fitdata.misfits`, m or m3/s.
    period, step, phase
        First and last moment; interval of means; weekday of the patterns' first day.
    suspects
        Links whose status the data contradict.
    closed
        Statuses that were applied: whether a link is closed, by name.
    """

    network: Network | WaterNetworkModel
    layout: Layout
    beliefs: Beliefs
    parameters: Floats
    posterior: Posterior
    resistance: Floats
    demand: Floats
    offset: Floats
    hours: Floats
    hours_deviation: Floats
    usual: dict[int, Usual]
    districts: tuple[str, ...]
    sensors: tuple[str, ...]
    meters: tuple[str, ...]
    misfit: pd.DataFrame
    period: tuple[pd.Timestamp, pd.Timestamp]
    step: pd.Timedelta
    phase: int
    suspects: tuple[Suspect, ...]
    closed: dict[str, bool]

    @property
    def areas(self) -> Areas:
        """The areas of withdrawal."""
        return self.layout.areas

    @property
    def deviations(self) -> Floats:
        """float64 [n_parameters], posterior standard deviations in the parameters' units."""
        return np.asarray(self.prior_deviation * np.sqrt(self.posterior.ratio))

    @property
    def prior_deviation(self) -> Floats:
        """float64 [n_parameters]."""
        return self._prior

    _prior: Floats

    def model_covariance(self) -> Floats:
        """Covariance of offsets, log resistances of pipes and log demand shares of junctions, all together.

        Returns
        -------
        float64 [n_sensors + n_pipes + n_junctions, the same]
        """
        offset, group, pipe, _, junction, _, _ = self.layout.slices
        covariance, prior = self.posterior.covariance, self._prior
        n_sensors, n_pipes, n_junctions = self.layout.n_sensors, self.layout.n_pipes, self.layout.n_junctions
        index = np.r_[offset, pipe, junction]
        whole = covariance[np.ix_(index, index)] * np.outer(prior[index], prior[index])
        # a pipe's logarithm is its group's and its own
        middle = slice(n_sensors, n_sensors + n_pipes)
        of = self.layout.groups.of
        between = covariance[group, :][:, index] * np.outer(prior[group], prior[index])
        among = covariance[group, group] * np.outer(prior[group], prior[group])
        assert len(whole) == n_sensors + n_pipes + n_junctions
        whole[middle, :] += between[of, :]
        whole[:, middle] += between[of, :].T
        whole[middle, middle] += among[np.ix_(of, of)]
        return np.asarray(whole)

    @property
    def is_settled(self) -> bool:
        """Whether withdrawals were told apart by period: not in records shorter than three weeks."""
        return len(self.layout.periods) > 1

    def last_withdrawals(self) -> tuple[Floats, Floats]:
        """What leaves each area in the last period, with its covariance.

        Returns
        -------
        flow : float64 [n_areas], m3/s
        covariance : float64 [n_areas, n_areas]
        """
        *_, area, _ = self.layout.slices
        n = len(self.areas)
        if area.start == area.stop:
            return np.zeros(n), np.zeros((n, n))
        last = slice(area.stop - n, area.stop)
        prior = self._prior[last]
        return self.parameters[last].copy(), self.posterior.last[:n, :n] * np.outer(prior, prior)


def calibrate(
    network: Network | WaterNetworkModel | Path | str,
    record: Record,
    repairs: Sequence[Repair] = (),
    step: pd.Timedelta = STEP,
    beliefs: Beliefs | None = None,
    progress: Progress | None = None,
    apply_suspects: bool = False,
) -> Calibrated:
    """Calibrate a model on a record of measurements.

    Parameters
    ----------
    network
        What `Engine` accepts.
    record
        Pressures, and what drives the model: flows, levels, customers' meters.
    repairs
        Leaks in the record that are known: they run until their repair.
    step
        Interval of means that are fitted.
    beliefs
        How far the model may be off; the defaults suit a maintained model.
    progress
        Called with (stage, share).
    apply_suspects
        Whether links whose status the data contradict get the other one before the fit; otherwise they are only named.

    Raises
    ------
    RecordError
        If the record cannot drive the model, holds no pressure, or names what the network has not.
    UnknownElement
        If a repaired pipe is not in the network.
    """
    opened = as_network(network)
    beliefs, move = beliefs or Beliefs(), progress or (lambda stage, share: None)
    if record.pressure.shape[1] == 0:
        raise RecordError("the record holds no pressure; calibration needs at least one *Pressures* column")
    data = prepare(opened, record, repairs, step)
    try:
        rows = choose(data)
        suspects = find_suspects(data, rows[0], beliefs, lambda share: move("statuses", share))
        closed: dict[str, bool] = {}
        if apply_suspects and suspects:
            closed = {s.link: s.is_closed for s in suspects}
            data.model.close()
            data = prepare(opened, record, repairs, step, closed)
            rows = choose(data)
        return _calibrate(opened, data, rows, beliefs, move, suspects, closed)
    finally:
        data.model.close()


def _calibrate(
    network: Network | WaterNetworkModel,
    data: Data,
    rows: tuple[Ints, Ints],
    beliefs: Beliefs,
    move: Progress,
    suspects: tuple[Suspect, ...],
    closed: dict[str, bool],
) -> Calibrated:
    fitted, kept = rows
    fit = data.fit(fitted, beliefs)
    theta = fit.run()
    move("calibrate", 0.7)
    found = posterior(fit, theta)
    move("calibrate", 0.9)
    misfit = misfits(data, beliefs, fitted, kept, theta)
    parameters = data.parameters(fitted, beliefs)
    _, _, _, _, junction, _, _ = data.layout.slices
    share = metered_shares(data, np.exp(theta[junction]))
    hours, deviation = hour_factors(data, theta, share, found, beliefs)
    move("calibrate", 1.0)
    return Calibrated(
        network=network,
        layout=data.layout,
        beliefs=beliefs,
        parameters=theta,
        posterior=found,
        resistance=np.exp(parameters.resistance(theta)),
        demand=share,
        offset=parameters.offset(theta).copy(),
        hours=hours,
        hours_deviation=deviation,
        usual=data.usual,
        districts=tuple(d.name for d in data.model.districts),
        sensors=data.model.pressure_sensors,
        meters=data.model.flow_meters,
        misfit=misfit,
        period=(data.drive.times[0], data.drive.times[-1]),
        step=data.step,
        phase=data.phase,
        suspects=suspects,
        closed=closed,
        _prior=parameters.deviation,
    )

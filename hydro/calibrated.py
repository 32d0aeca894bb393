"""A model calibrated on a record: roughness by group, demand by zone and hour, sensor offsets, suspected statuses.

Everything is one maximum a posteriori fit (`hydro.fit`) of the model that the record drives. What leaks in the record is
accounted for: withdrawals of areas, constant over a fortnight each, and repaired leaks at their pipes until the repair.
Every fifth day is kept out of the fit and shows whether it has learnt or only followed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hydro.areas import Areas, find_areas
from hydro.calibration import choose_states
from hydro.driven import Drive, DrivenModel
from hydro.errors import RecordError
from hydro.fit import Fit
from hydro.groups import Groups, Hours, demand_zones, pipe_groups
from hydro.identifiability import Posterior, posterior
from hydro.parameters import Beliefs, Grouped, Layout, Repair, find_leaks
from hydro.phase import find_phase
from hydro.record import Record
from hydro.sharing import Sharing
from hydro.usual import Usual, excess, find_usual, unmetered
from networks import Network, load

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Progress = Callable[[str, float], None]

STEP = pd.Timedelta("30min")
_DAY = pd.Timedelta("1D")
_PERIOD, _ONE_PERIOD = pd.Timedelta("14D"), pd.Timedelta("21D")
_MOST_STATES, _FEWEST_STATES = 168, 24
_MOST_BYTES = 4e8  # of a Jacobian
_HOLD_OUT = 5
_BALANCE = 0.1  # a district's instantaneous take about its usual, share of its inflow, at least
_LEAST_BALANCE = 1e-5


@dataclass(frozen=True)
class Data:
    """A record ready to be fitted.

    Attributes
    ----------
    model, drive, sharing
        The driven model, its boundary, and who gives way to a withdrawal.
    measured
        float64 [n, n_instruments + n_balances], m and m3/s.
    noise
        float64 [n_instruments + n_balances].
    inflow
        float64 [n_districts], mean net inflow, m3/s; of a district that is not closed its mean demand.
    usual
        Of each closed district.
    layout
        What is free.
    step, phase
        Interval of means; days by which the model's patterns are ahead of a week that begins on Monday.
    nominal
        float64 [n, n_junctions], m3/s, the model's own demand.
    """

    model: DrivenModel
    drive: Drive
    sharing: Sharing
    measured: Floats
    noise: Floats
    inflow: Floats
    usual: dict[int, Usual]
    layout: Layout
    step: pd.Timedelta
    phase: int
    nominal: Floats

    def parameters(self, rows: Ints, beliefs: Beliefs) -> Grouped:
        """The parameters at some of the intervals."""
        return Grouped(self.model, self.drive.rows(rows), self.layout, beliefs, self.sharing, self.inflow)

    def fit(self, rows: Ints, beliefs: Beliefs) -> Fit:
        """A fit to some of the intervals."""
        return Fit(self.model, self.measured[rows], self.noise, self.parameters(rows, beliefs))


@dataclass(frozen=True)
class Calibrated:
    """A calibrated model and what the data could not tell.

    Attributes
    ----------
    network
        As it was given, or with the statuses that were asked to be applied.
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
    sensors, meters
        Names of pressure sensors and flow meters.
    misfit
        One row for each instrument: rms before and after, of the fitted days and of those held out, m or m3/s.
    period, step, phase
        First and last moment; interval of means; weekday of the patterns' first day.
    """

    network: Network
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
    sensors: tuple[str, ...]
    meters: tuple[str, ...]
    misfit: pd.DataFrame
    period: tuple[pd.Timestamp, pd.Timestamp]
    step: pd.Timedelta
    phase: int

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
        return whole

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
        return self.parameters[last].copy(), self.posterior.covariance[last, last] * np.outer(prior, prior)


def calibrate(
    network: Network | Path | str,
    record: Record,
    repairs: Sequence[Repair] = (),
    step: pd.Timedelta = STEP,
    beliefs: Beliefs | None = None,
    progress: Progress | None = None,
) -> Calibrated:
    """Calibrate a model on a record of measurements.

    Parameters
    ----------
    network
        A network, an INP path or a catalogue name.
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

    Raises
    ------
    RecordError
        If the record cannot drive the model, holds no pressure, or names what the network has not.
    UnknownElement
        If a repaired pipe is not in the network.
    """
    opened = load(network) if isinstance(network, (str, Path)) else network
    beliefs, move = beliefs or Beliefs(), progress or (lambda stage, share: None)
    if record.pressure.shape[1] == 0:
        raise RecordError("the record holds no pressure; calibration needs at least one *Pressures* column")
    data = prepare(opened, record, repairs, step)
    try:
        return _calibrate(opened, data, beliefs, move)
    finally:
        data.model.close()


def _calibrate(network: Network, data: Data, beliefs: Beliefs, move: Progress) -> Calibrated:
    fitted, kept = _choose(data)
    move("calibrate", 0.1)
    fit = data.fit(fitted, beliefs)
    theta = fit.run()
    move("calibrate", 0.7)
    found = posterior(fit, theta)
    move("calibrate", 0.9)
    misfit = _misfit(data, beliefs, fitted, kept, theta)
    parameters = data.parameters(fitted, beliefs)
    hours, deviation = _hour_factors(data, theta, found, beliefs)
    move("calibrate", 1.0)
    _, _, _, _, junction, _, _ = data.layout.slices
    return Calibrated(
        network=network,
        layout=data.layout,
        beliefs=beliefs,
        parameters=theta,
        posterior=found,
        resistance=np.exp(parameters.resistance(theta)),
        demand=np.exp(theta[junction]),
        offset=parameters.offset(theta).copy(),
        hours=hours,
        hours_deviation=deviation,
        usual=data.usual,
        sensors=data.model.pressure_sensors,
        meters=data.model.flow_meters,
        misfit=misfit,
        period=(data.drive.times[0], data.drive.times[-1]),
        step=data.step,
        phase=data.phase,
        _prior=parameters.deviation,
    )


def prepare(
    network: Network, record: Record, repairs: Sequence[Repair] = (), step: pd.Timedelta = STEP
) -> Data:
    """Open the model, drive it by the record and lay out what a fit may change."""
    model = DrivenModel(network, record)
    try:
        means = record.resampled(step)
        phase = find_phase(model, means, step)
        drive = model.drive(means, step, phase)
        nominal = model.nominal_demand(drive.times, step, phase)
        sharing = Sharing(model, nominal.mean(axis=0))
        closed = [k for k, takers in enumerate(sharing.takers) if len(takers)]
        periods, hours = _periods(drive.times), Hours.of(drive.times)
        leaks = find_leaks(model, repairs, periods, drive.times[-1])
        layout = Layout(
            n_sensors=len(model.pressure_sensors), n_pipes=len(model.topology.pipes),
            n_junctions=len(model.engine.junctions), groups=pipe_groups(network, model),
            zones=demand_zones(network, model), hours=hours,
            areas=find_areas(model.topology, model.engine.junctions, model.districts, model.sensor_nodes),
            periods=periods, leaks=leaks,
        )  # fmt: skip
        usual = {k: _usual(model, drive, sharing, nominal, layout, k) for k in closed}
        inflow = np.nan_to_num(_column_mean(np.where(np.isfinite(drive.inflow), drive.inflow, sharing.totals(nominal))))
        measured = np.hstack([_measured(model, means, drive.times), excess(drive, sharing, nominal, hours, usual)])
    except BaseException:
        model.close()
        raise
    return Data(
        model, drive, sharing, measured, _noise(measured, layout.n_sensors, inflow, closed, usual), np.abs(inflow),
        usual, layout, step, phase, nominal,
    )  # fmt: skip


def _column_mean(values: Floats) -> Floats:
    seen = np.isfinite(values)
    return np.asarray(np.where(seen, values, 0.0).sum(axis=0) / np.maximum(seen.sum(axis=0), 1))


def _measured(model: DrivenModel, record: Record, times: pd.DatetimeIndex) -> Floats:
    pressure = record.pressure.reindex(index=times, columns=list(model.pressure_sensors))
    flow = record.flow.reindex(index=times, columns=list(model.flow_meters))
    return np.hstack([pressure.to_numpy(dtype=float), flow.to_numpy(dtype=float)])


def _periods(times: pd.DatetimeIndex) -> Ints:
    """Beginnings of the periods, ns: fortnights of a record of three weeks and more."""
    length = times[-1] - times[0]
    count = int(length // _PERIOD) if length >= _ONE_PERIOD else 1
    start = times[0].as_unit("ns").value
    return np.array([start + k * _PERIOD.as_unit("ns").value for k in range(max(count, 1))], dtype=np.int64)


def _usual(
    model: DrivenModel, drive: Drive, sharing: Sharing, nominal: Floats, layout: Layout, district: int
) -> Usual:
    own = unmetered(sharing, nominal, model.districts[district].junctions)
    return find_usual(
        drive.inflow[:, district] - drive.known[:, district], own, layout.hours.at(drive.times),
        layout.period(drive.times), len(layout.hours.names), len(layout.periods),
    )  # fmt: skip


def _noise(measured: Floats, n_sensors: int, inflow: Floats, closed: list[int], usual: dict[int, Usual]) -> Floats:
    from hydro.calibration import expected_noise
    from hydro.fit import Prior

    own = expected_noise(measured[:, : measured.shape[1] - len(closed)], n_sensors, Prior())
    balance = [max(usual[k].spread, _BALANCE * abs(float(inflow[k])), _LEAST_BALANCE) for k in closed]
    return np.concatenate([own, np.array(balance)])


def _choose(data: Data) -> tuple[Ints, Ints]:
    """Intervals to fit, and intervals of the days that are held out."""
    times = data.drive.times
    length = times[-1] - times[0]
    unit = (times - times[0]) // (_DAY if length >= _HOLD_OUT * _DAY else data.step)
    is_kept = np.asarray(unit) % _HOLD_OUT == _HOLD_OUT - 1
    instruments = data.measured.shape[1]
    affordable = int(_MOST_BYTES / 8 / instruments / max(sum(data.layout.sizes), 1))
    most = min(max(affordable, _FEWEST_STATES), _MOST_STATES)
    n = instruments - len(data.usual)
    out: list[Ints] = []
    for chosen, count in ((~is_kept, most), (is_kept, max(most // 3, _FEWEST_STATES))):
        rows = np.flatnonzero(chosen)
        picked = choose_states(data.model, data.drive.rows(rows), data.measured[rows][:, :n], count)
        out.append(rows[picked])
    return out[0], out[1]


def _misfit(data: Data, beliefs: Beliefs, fitted: Ints, kept: Ints, theta: Floats) -> pd.DataFrame:
    """Root mean square residuals of every instrument before and after."""
    columns: dict[str, Floats] = {}
    n = len(data.model.instruments)
    for rows, part in ((fitted, "fitted"), (kept, "held_out")):
        for when, at in (("before", np.zeros_like(theta)), ("after", theta)):
            parameters = data.parameters(rows, beliefs)
            fit = Fit(data.model, data.measured[rows], data.noise, parameters)
            residual = np.where(np.isfinite(data.measured[rows]), fit.residual(at), np.nan)[:, :n]
            columns[f"{when}_{part}"] = np.sqrt(_column_mean(residual**2))
    return pd.DataFrame(columns, index=pd.Index(data.model.instruments, name="instrument"))


def _hour_factors(data: Data, theta: Floats, found: Posterior, beliefs: Beliefs) -> tuple[Floats, Floats]:
    """Factor on each zone's nominal demand in each class of hours, float64 [n_classes, n_zones], and its deviation.

    In a closed district the inflow tells it, apart from what leaves besides; a zone that is a part of one has its share.
    """
    layout = data.layout
    _, _, _, zone, junction, _, _ = layout.slices
    n_classes, n_zones = len(layout.hours.names), len(layout.zones.names)
    own = np.exp(theta[zone].reshape(n_classes, n_zones))
    own_deviation = (beliefs.zone * np.sqrt(found.ratio[zone])).reshape(n_classes, n_zones)
    share = np.exp(theta[junction])
    weight = data.nominal.mean(axis=0)
    factor, variance = np.zeros((n_classes, n_zones)), np.zeros((n_classes, n_zones))
    total = np.zeros(n_zones)
    for number, district in enumerate(data.model.districts):
        for k in range(n_zones):
            inside = district.junctions[layout.zones.of[district.junctions] == k]
            demand = float(weight[inside].sum())
            if demand <= 0.0:
                continue
            total[k] += demand
            level, deviation = own[:, k], own_deviation[:, k]
            if number in data.usual:
                # the shares of the district keep its sum: what zones and junctions gain others lose
                everybody = district.junctions
                mean = (weight[everybody] * share[everybody] * own[:, layout.zones.of[everybody]]).sum(axis=1)
                mean = mean / max(float(weight[everybody].sum()), 1e-15)
                known = data.usual[number]
                relative = np.where(np.isfinite(known.deviation), known.deviation / np.maximum(known.factor, 1e-9), 1.0)
                level, deviation = level / mean * known.factor, np.hypot(deviation, np.minimum(relative, 1.0))
            factor[:, k] += demand * level
            variance[:, k] += (demand * level * deviation) ** 2
    safe = np.maximum(total, 1e-15)
    return np.where(total > 0.0, factor / safe, 1.0), np.sqrt(variance) / safe

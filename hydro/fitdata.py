"""A record made ready for a fit: boundary conditions, what instruments read, what is free, which days are held out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hydro.areas import find_areas
from hydro.calibration import choose_states, expected_noise
from hydro.drive import Drive
from hydro.driven import DrivenModel
from hydro.fit import MAD, Fit, Prior
from hydro.groups import Hours, demand_zones, pipe_groups
from hydro.parameters import Beliefs, Grouped, Layout, find_leaks
from hydro.phase import find_phase
from hydro.record import Record
from hydro.repair import Repair
from hydro.sharing import Sharing
from hydro.usual import Usual, excess, find_usual, unmetered
from networks import Network

if TYPE_CHECKING:
    from wntr.network import WaterNetworkModel

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

STEP = pd.Timedelta("30min")
_DAY = pd.Timedelta("1D")
_PERIOD, _ONE_PERIOD = pd.Timedelta("14D"), pd.Timedelta("21D")
_MOST_STATES, _FEWEST_STATES = 168, 24
_MOST_BYTES = 4e8  # of a Jacobian
_HOLD_OUT = 5
_CHOICE = 6
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


def prepare(
    network: Network | WaterNetworkModel,
    record: Record,
    repairs: Sequence[Repair] = (),
    step: pd.Timedelta = STEP,
    closed: Mapping[str, bool] | None = None,
) -> Data:
    """Open the model, drive it by the record and lay out what a fit may change."""
    model = DrivenModel(network, record, closed)
    try:
        means = record.resampled(step)
        phase = find_phase(model, means, step)
        drive = model.drive(means, step, phase)
        nominal = model.nominal_demand(drive.times, step, phase)
        sharing = Sharing(model, nominal.mean(axis=0))
        balanced = [k for k, takers in enumerate(sharing.takers) if len(takers)]
        periods, hours = _periods(drive.times), Hours.of(drive.times)
        leaks = find_leaks(model, repairs, periods, drive.times[-1])
        layout = Layout(
            n_sensors=len(model.pressure_sensors), n_pipes=len(model.topology.pipes),
            n_junctions=len(model.engine.junctions), groups=pipe_groups(network, model),
            zones=demand_zones(network, model), hours=hours,
            areas=find_areas(model.topology, model.engine.junctions, model.districts, model.sensor_nodes),
            periods=periods, leaks=leaks,
        )  # fmt: skip
        usual = {k: _usual(model, drive, sharing, nominal, layout, k) for k in balanced}
        inflow = np.nan_to_num(column_mean(np.where(np.isfinite(drive.inflow), drive.inflow, sharing.totals(nominal))))
        measured = np.hstack([_measured(model, means, drive.times), excess(drive, sharing, nominal, hours, usual)])
    except BaseException:
        model.close()
        raise
    return Data(
        model, drive, sharing, measured, _noise(measured, layout.n_sensors, inflow, balanced, usual), np.abs(inflow),
        usual, layout, step, phase, nominal,
    )  # fmt: skip


def column_mean(values: Floats) -> Floats:
    """Mean of each column over what is there; 0 where nothing is."""
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


def _usual(model: DrivenModel, drive: Drive, sharing: Sharing, nominal: Floats, layout: Layout, district: int) -> Usual:
    """A district's usual take; what is beyond it may change with the fortnights and at every repair."""
    own = unmetered(sharing, nominal, model.districts[district].junctions)
    period = layout.period(drive.times)
    ends = np.unique([until for _, until, _, _ in layout.leaks]).astype(np.int64)
    epoch = np.searchsorted(ends, drive.times.as_unit("ns").asi8, side="right")
    _, fine = np.unique(period * (len(ends) + 1) + epoch, return_inverse=True)
    rest = drive.inflow[:, district] - drive.known[:, district]
    hour, n_classes = layout.hours.at(drive.times), len(layout.hours.names)
    found = find_usual(rest, own, hour, fine, n_classes, int(fine.max()) + 1)
    count = np.maximum(np.bincount(period, minlength=len(layout.periods)), 1)
    return replace(found, excess=np.bincount(period, found.excess[fine], len(layout.periods)) / count)


def _noise(measured: Floats, n_sensors: int, inflow: Floats, closed: list[int], usual: dict[int, Usual]) -> Floats:
    own = expected_noise(measured[:, : measured.shape[1] - len(closed)], n_sensors, Prior())
    balance = [max(usual[k].spread, _BALANCE * abs(float(inflow[k])), _LEAST_BALANCE) for k in closed]
    return np.concatenate([own, np.array(balance)])


def choose(data: Data) -> tuple[Ints, Ints]:
    """Intervals to fit, and intervals of every fifth day, which is held out."""
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
        rows = np.flatnonzero(chosen & data.model.is_drivable(data.drive))
        # a year has more intervals than need to be solved to choose from
        rows = rows[np.unique(np.linspace(0, max(len(rows) - 1, 0), min(_CHOICE * count, len(rows))).astype(int))]
        picked = choose_states(data.model, data.drive.rows(rows), data.measured[rows][:, :n], count)
        out.append(rows[picked])
    return out[0], out[1]


def misfits(data: Data, beliefs: Beliefs, fitted: Ints, kept: Ints, theta: Floats) -> pd.DataFrame:
    """Residuals of every instrument before and after, of fitted and held-out days.

    Standard deviations that single moments do not move (1.48 x median): a pump that switches within an interval leaves
    what no steady state explains. `rms_held_out` is the root mean square after the fit, such moments included.
    """
    columns: dict[str, Floats] = {}
    n = len(data.model.instruments)
    for rows, part in ((fitted, "fitted"), (kept, "held_out")):
        for when, at in (("before", np.zeros_like(theta)), ("after", theta)):
            fit = data.fit(rows, beliefs)
            residual = np.where(np.isfinite(data.measured[rows]), fit.residual(at), np.nan)[:, :n]
            columns[f"{when}_{part}"] = np.array([_spread(column) for column in np.abs(residual).T])
    columns["rms_held_out"] = np.sqrt(column_mean(residual**2))
    return pd.DataFrame(columns, index=pd.Index(data.model.instruments, name="instrument"))


def _spread(size: Floats) -> float:
    there = size[np.isfinite(size)]
    return MAD * float(np.median(there)) if len(there) else 0.0

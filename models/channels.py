"""What the detector looks at: residuals of independent instruments and each district's unexplained inflow."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hydro.drive import Drive
from hydro.driven import DrivenModel

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# where customers' meters see this share of a district's inflow, the rest has no daily shape of its own
_METERED = 0.8
# a district that passes on nearly all that comes in has no demand to take its shape from: what is left is its meters'
_THROUGH = 0.05
# a demand that hardly varies over the day cannot be told from a leak by its shape: coefficient of variation
_SHAPELESS = 0.1


@dataclass(frozen=True, slots=True)
class Channels:
    """Which instruments are channels, and what each district is expected to take.

    Attributes
    ----------
    names
        [n_channels]: sensors, meters, "balance of <district>", "steady inflow of <district>".
    picked
        int64 [k], columns of the model's instruments that are independent of what drives it.
    balances
        Districts, by number, whose inflow is wholly measured.
    n_pressures
        How many of the channels are pressures.
    usual
        float64 [n_balances], what a district takes beyond its customers' meters: a share of the nominal demand, or
        m3/s where nearly all customers are metered.
    is_flat
        bool [n_balances], where `usual` is in m3/s.
    steady
        int64 [n_steady], which of the balances are also looked at hour by hour: what does not follow the demand's
        daily shape is steady, as leaks are.
    """

    names: tuple[str, ...]
    picked: Ints
    balances: tuple[int, ...]
    n_pressures: int
    usual: Floats
    is_flat: NDArray[np.bool_]
    steady: Ints

    @property
    def districts(self) -> tuple[int, ...]:
        """District, by number, of each channel beyond the picked ones."""
        return (*self.balances, *(self.balances[k] for k in self.steady))

    def means(self, balance: Floats, nominal: Floats) -> Floats:
        """Mean of each balance over a block, and what is steady in it, float64 [n_balances + n_steady].

        The balance is regressed on the nominal demand, each interval weighed by the inverse of it: the intercept is
        what flows at all hours alike, whatever the weather adds to the demand.

        Parameters
        ----------
        balance
            float64 [n, n_balances].
        nominal
            float64 [n, n_districts], the model's own demand, m3/s.
        """
        found = np.full(len(self.balances) + len(self.steady), np.nan)
        for k, column in enumerate(balance.T):
            seen = np.isfinite(column)
            if seen.any():
                found[k] = column[seen].mean()
        for k, number in enumerate(self.steady.tolist(), start=len(self.balances)):
            shape, seen = nominal[:, self.balances[number]], np.isfinite(balance[:, number])
            shape = shape / max(shape.mean(), 1e-12)
            if seen.sum() < 0.7 * len(seen):
                continue
            weight = 1.0 / np.maximum(shape[seen], 0.1)
            known = np.column_stack([weight, weight * shape[seen]])
            found[k] = np.linalg.lstsq(known, weight * balance[seen, number], rcond=None)[0][0]
        return found

    def residuals(self, measured: Floats, expected: Floats, drive: Drive, nominal: Floats) -> Floats:
        """Residual of every picked channel and balance in each interval, float64 [n, n_picked + n_balances].

        Parameters
        ----------
        measured, expected
            float64 [n, n_instruments], offsets already in `expected`.
        nominal
            float64 [n, n_districts], the model's own demand of each district, m3/s.
        """
        residual = (measured - expected)[:, self.picked]
        columns = list(self.balances)
        usual = np.where(self.is_flat, self.usual, nominal[:, columns] * self.usual)
        return np.hstack([residual, drive.inflow[:, columns] - drive.known[:, columns] - usual])

    def responses(self, model: DrivenModel, by_leak: Floats) -> Floats:
        """Response of every channel to a leak at each node, float64 [n_nodes, n_channels], from the instruments'."""
        junctions = model.engine.junctions
        response = np.zeros((len(model.topology.nodes), len(self.names)))
        response[junctions, : len(self.picked)] = by_leak[:, self.picked]
        for column, number in enumerate(self.districts, start=len(self.picked)):
            response[junctions[model.districts[number].junctions], column] = 1.0
        return response


def choose(model: DrivenModel, drive: Drive, nominal: Floats, through: Floats, is_daily: bool) -> Channels:
    """Choose the channels and learn each district's usual take from a quiet period.

    `through` is what passes each district's meters, float64 [n_districts], m3/s; `is_daily` where blocks are days.

    A district's inflow is imposed on the model, so of its inlets one tells nothing new: the largest is left out.
    """
    n_pressures = len(model.sensor_nodes)
    free = [k for k, link in enumerate(model.meter_links) if link not in model.pumps]
    balances = tuple(k for k, d in enumerate(model.districts) if d.is_closed and len(d.junctions))
    for number in balances:
        inlets = [k for k in free if model.flow_meters[k] in model.districts[number].meters]
        if inlets:
            diameters = [model.engine.value("link", int(model.meter_links[k]), "diameter") for k in inlets]
            free.remove(inlets[int(np.argmax(diameters))])
    picked = np.array([*range(n_pressures), *(n_pressures + k for k in free)], dtype=np.int64)
    instruments = model.instruments
    columns = list(balances)
    rest = drive.inflow[:, columns] - drive.known[:, columns]
    is_flat = np.nansum(drive.known[:, columns], axis=0) > _METERED * np.nansum(drive.inflow[:, columns], axis=0)
    is_flat |= nominal[:, columns].mean(axis=0) < _THROUGH * through[columns]
    seen = np.isfinite(rest)
    total = np.where(seen, nominal[:, columns], 0.0).sum(axis=0)
    usual = np.where(is_flat, np.nanmean(rest, axis=0), np.nansum(rest, axis=0) / np.where(total > 0.0, total, 1.0))
    of_balances = nominal[:, columns]
    varies = of_balances.std(axis=0) > _SHAPELESS * of_balances.mean(axis=0)
    steady = np.flatnonzero(~is_flat & varies) if is_daily else np.empty(0, dtype=np.int64)
    names = [instruments[k] for k in picked] + [f"balance of {model.districts[k].name}" for k in balances]
    names += [f"steady inflow of {model.districts[balances[k]].name}" for k in steady]
    return Channels(tuple(names), picked, balances, n_pressures, usual, is_flat, steady)

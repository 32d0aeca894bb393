"""Faults that a column shows by itself, block by block: gaps, standing still, single readings far off, another unit.

What is decided of a block rests on what had come in by its end alone, so that a record that is cut anywhere tells the
same of the blocks before. Readings that are no measurements become missing; those in another unit are converted back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hydro.record import QUANTITIES, Record
from models.forecast.parts import mean_of_seen
from models.health import GAP, SPIKE, STUCK, UNIT, Fault
from models.scoring import Spike

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

_USUAL_BLOCKS = 14
_STILL_H = {"pressure": 3.0, "flow": 6.0, "level": 12.0, "demand": 24.0}
_LONG_H = 24.0
_DOUBTFUL_S = 3600.0
_STILL_TIMES = 3.0  # longer than the longest run of equal readings in the learning period
_SPIKE_SIGMAS, _SPIKE_SHARE = 15.0, 0.1
_FAR = 0.8  # natural logarithm: no pressure more than doubles for good
_STILL_NEAR = 0.12
_COARSEST = 12.0
_GAP = pd.Timedelta("1D")
_LEAST = 3

# what a reading is multiplied by when it comes in another unit than it should (water of 1000 kg/m3, 9.80665 m/s2)
_FACTORS: dict[str, dict[str, float]] = {
    "pressure": {
        "kPa": 9.80665, "bar": 0.0980665, "MPa": 0.00980665, "Pa": 9806.65, "mbar": 98.0665, "ft": 1.0 / 0.3048,
        "psi": 9.80665 / 6.894757, "kgf/cm2": 0.1, "cm": 100.0,
    },
    "flow": {"L/s": 1.0 / 3.6, "x3.6": 3.6, "x1000": 1000.0, "m3/d": 24.0, "L/min": 1000.0 / 60.0, "/1000": 0.001},
    "level": {"cm": 100.0, "mm": 1000.0, "ft": 1.0 / 0.3048, "kPa": 9.80665, "bar": 0.0980665},
    "demand": {"m3/h": 0.001, "L/s": 1.0 / 3600.0, "x1000": 1000.0},
}  # fmt: skip


@dataclass
class _Column:
    """What is known of the columns of one quantity.

    Attributes
    ----------
    usual
        float64 [n_columns], median of the last trusted blocks' medians; NaN where none is known.
    past
        float64 [at most 14, n_columns], those medians.
    still
        Seconds, float64 [n_columns]: equal readings for longer are no measurement.
    doubtful
        Seconds, float64 [n_columns]: after so long hours no longer rest on it.
    """

    usual: Floats
    past: Floats
    still: Floats
    doubtful: Floats


class Cleaner:
    """Cleans records of one set of instruments that follow each other in time.

    Parameters
    ----------
    learning
        The first days of the first of them.
    block
        Length of what is decided at once.
    typical
        Pressure that the model gives each sensor on average, m; a whole learning period in another unit shows in it.

    Attributes
    ----------
    faults
        In the order in which they were told.
    """

    def __init__(self, learning: Record, block: pd.Timedelta, typical: Mapping[str, float] | None = None) -> None:
        self.block = block
        self.faults: list[Fault] = []
        self._open: dict[tuple[str, str, str], Fault] = {}
        self._columns = {q: list(getattr(learning, q).columns) for q in QUANTITIES}
        self._known = {q: self._learn(getattr(learning, q), q, typical or {}) for q in QUANTITIES}

    def _learn(self, table: pd.DataFrame, quantity: str, typical: Mapping[str, float]) -> _Column:
        values = table.to_numpy(dtype=float)
        n = values.shape[1]
        usual = np.full(n, np.nan)
        low, high = 3600.0 * _STILL_H[quantity], 3600.0 * _LONG_H
        still, doubtful = np.full(n, low), np.full(n, low)
        seconds = _seconds(table)
        for k in range(n):
            seen = values[np.isfinite(values[:, k]), k]
            usual[k] = np.median(seen) if len(seen) else np.nan
            model = typical.get(str(table.columns[k]), np.nan) if quantity == "pressure" else np.nan
            # what no pressure of a model is off by: the learning period itself came in another unit
            if model > 1.0 and usual[k] > 0.0 and abs(np.log(usual[k] / model)) > _FAR:
                usual[k] = model
            first, last = _runs(values[:, k])
            pace = _pace(seconds[np.isfinite(values[:, k])])
            longest = float((last - first).max() + 1) * pace if len(first) else 0.0
            # what always stands for long (a valve that is shut, a full tank) tells nothing by standing
            still[k] = (
                _STILL_TIMES * longest if longest > high else np.clip(_STILL_TIMES * longest, low, max(low, high))
            )
            doubtful[k] = min(still[k], max(_STILL_TIMES * longest, _DOUBTFUL_S))
        return _Column(usual, np.empty((0, n)), still, doubtful)

    @property
    def doubtful(self) -> dict[tuple[str, str], float]:
        """Seconds for which an instrument may stand still before hours no longer rest on it, by quantity and name."""
        return {
            (quantity, str(name)): float(limit)
            for quantity, names in self._columns.items()
            for name, limit in zip(names, self._known[quantity].doubtful, strict=True)
        }

    def clean(self, record: Record) -> Record:
        """A record without readings that are no measurements, those in other units converted back."""
        tables = {}
        for quantity in QUANTITIES:
            table, columns = getattr(record, quantity), self._columns[quantity]
            found = self._cleaned(table.reindex(columns=columns), quantity, record.start)
            fresh = [name for name in table.columns if name not in columns]
            tables[quantity] = pd.concat([found, table[fresh]], axis=1)[list(table.columns)]
        return Record(**tables)

    def _cleaned(self, table: pd.DataFrame, quantity: str, origin: pd.Timestamp) -> pd.DataFrame:
        if table.empty:
            return table
        raw = table.to_numpy(dtype=float)
        values = raw.copy()
        times = table.index
        number = (_seconds(table) + (times[0] - origin).total_seconds()) // self.block.total_seconds()
        number = number.astype(np.int64)
        edges = np.flatnonzero(np.diff(number, prepend=number[0] - 1))
        spans = list(zip(edges.tolist(), [*edges[1:].tolist(), len(number)], strict=True))
        self._mask_still(table, raw, values, quantity, number, origin)
        if quantity == "pressure":
            self._mask_spikes(table, values, number, origin)
        known = self._known[quantity]
        for low, high in spans:
            told = origin + (int(number[low]) + 1) * self.block
            self._convert(table, values, low, high, quantity, told)
            with np.errstate(all="ignore"):
                seen = np.isfinite(values[low:high]).sum(axis=0) >= _LEAST
                middle = np.full(values.shape[1], np.nan)
                if seen.any():
                    middle[seen] = np.nanmedian(values[low:high][:, seen], axis=0)
                if quantity == "pressure":  # never learn from what is far off: no pressure changes so for good
                    middle[~(np.abs(np.log(middle / known.usual)) < _FAR)] = np.nan
                known.past = np.vstack([known.past, middle])[-_USUAL_BLOCKS:]
                told_of = np.isfinite(known.past).any(axis=0)
                if told_of.any():
                    known.usual[told_of] = np.nanmedian(known.past[:, told_of], axis=0)
        self._note_gaps(table, raw, quantity)
        return pd.DataFrame(values, index=times, columns=table.columns)

    # standing still -----------------------------------------------------------------------------------------------

    def _mask_still(
        self, table: pd.DataFrame, raw: Floats, values: Floats, quantity: str, number: Ints, origin: pd.Timestamp
    ) -> None:
        seconds = _seconds(table)
        for k, name in enumerate(table.columns):
            limit = self._known[quantity].still[k]
            seen = np.flatnonzero(np.isfinite(raw[:, k]))
            first, last = _runs(raw[:, k])
            pace = _pace(seconds[seen])
            long = np.flatnonzero((last - first + 1) * pace >= limit)
            usual = self._known[quantity].usual[k]
            for since, until in zip(first[long].tolist(), last[long].tolist(), strict=True):
                rows = seen[since : until + 1]
                if quantity == "pressure":
                    limit = self._known[quantity].still[k] * _coarser(float(raw[rows[0], k]), usual)
                # by the end of a row's block so many of the run's readings had come in
                shown = np.searchsorted(number[rows], number[rows], side="right") * pace
                hit = rows[shown >= limit]
                if not len(hit):
                    continue
                values[hit, k] = np.nan
                start = pd.Timestamp(table.index[rows[0]])
                told = origin + (int(number[hit[0]]) + 1) * self.block
                still_on = rows[-1] == seen[-1]
                stop = None if still_on else pd.Timestamp(table.index[rows[-1]])
                hours = len(rows) * pace / 3600.0
                value = float(raw[rows[0], k])
                self._tell(
                    Fault(
                        str(name), quantity, STUCK, start, told, value, _UNIT[quantity],
                        f"the same reading for {hours:.0f} h; at most {limit / _STILL_TIMES / 3600.0:.1f} h were usual",
                        stop,
                    )
                )  # fmt: skip

    # single readings ----------------------------------------------------------------------------------------------

    def _mask_spikes(self, table: pd.DataFrame, values: Floats, number: Ints, origin: pd.Timestamp) -> None:
        """A reading far off both its neighbours, where other instruments show nothing of the kind."""
        if len(values) < 100:
            return
        scorer = Spike(limit=_SPIKE_SIGMAS, floor=0.02)
        _, scores = scorer.score(scorer.start(values.shape[1]), np.ascontiguousarray(values))
        hit = np.abs(np.nan_to_num(scores)) > _SPIKE_SIGMAS
        few = hit.sum(axis=1) <= max(1, int(_SPIKE_SHARE * values.shape[1]))
        for row, k in np.argwhere(hit & few[:, None]).tolist():
            before = np.flatnonzero(np.isfinite(values[max(0, row - 50) : row, k]))
            if not len(before):
                continue
            at = max(0, row - 50) + int(before[-1])
            if number[at] != number[row]:  # when its block ended nobody knew
                continue
            told = origin + (int(number[row]) + 1) * self.block
            since = pd.Timestamp(table.index[at])
            off = float(values[at, k] - values[row, k])
            values[at, k] = np.nan
            self._count_spike(str(table.columns[k]), since, told, off, float(scores[row, k]))

    def _count_spike(self, name: str, since: pd.Timestamp, told: pd.Timestamp, off: float, sigmas: float) -> None:
        """One fault for all spikes of a sensor; the largest gives its size."""
        known = self._open.get((name, "pressure", SPIKE))
        if known is None:
            fault = Fault(name, "pressure", SPIKE, since, told, off, "m", f"1 reading, {abs(sigmas):.0f} sigma", since)
            self._open[name, "pressure", SPIKE] = fault
            self.faults.append(fault)
            return
        count = int(known.evidence.split()[0]) + 1
        known.until = since
        if abs(off) > abs(known.size):
            known.size = off
        known.evidence = f"{count} readings, the last by {abs(sigmas):.0f} sigma"

    # units --------------------------------------------------------------------------------------------------------

    def _convert(
        self, table: pd.DataFrame, values: Floats, low: int, high: int, quantity: str, told: pd.Timestamp
    ) -> None:
        usual = self._known[quantity].usual
        with np.errstate(all="ignore"):
            log = np.log(values[low:high] / usual)
        log[~np.isfinite(log)] = np.nan
        far = np.abs(log) > _FAR
        with np.errstate(invalid="ignore"):
            weak = np.abs(mean_of_seen(log, 0)) > 0.25
        for k in np.flatnonzero((far.sum(axis=0) >= _LEAST) | weak).tolist():
            key = (str(table.columns[k]), quantity, UNIT)
            rows = np.flatnonzero(far[:, k])
            if len(rows) < _LEAST or quantity != "pressure":  # flows go far from the median every night
                rows = np.flatnonzero(np.isfinite(log[:, k]))
                if len(rows) < _LEAST:
                    continue
            middle = float(np.median(log[rows, k]))
            fault = self._open.get(key)
            if fault is not None and abs(np.log(_FACTORS[quantity][fault.unit]) - middle) < _STILL_NEAR:
                unit = fault.unit
            else:
                unit = min(_FACTORS[quantity], key=lambda u: abs(np.log(_FACTORS[quantity][u]) - middle))
            factor = _FACTORS[quantity][unit]
            spread = float(np.median(np.abs(log[rows, k] - middle)))
            if abs(np.log(factor) - middle) > _STILL_NEAR or spread > 0.5:
                continue
            if quantity != "pressure" and not self._is_steady(quantity, int(k)):
                continue
            values[low + rows, k] /= factor
            since = pd.Timestamp(table.index[low + rows[0]])
            if fault is not None and fault.unit == unit:
                fault.until = pd.Timestamp(table.index[low + rows[-1]])
                continue
            text = f"{np.exp(middle):.4g} times what is usual; {unit} would be {factor:.4g} times"
            fault = Fault(
                key[0], quantity, UNIT, since, told, factor, unit, text, pd.Timestamp(table.index[low + rows[-1]])
            )
            self._open[key] = fault
            self.faults.append(fault)

    def _is_steady(self, quantity: str, column: int) -> bool:
        """Whether blocks are alike enough for a factor to tell a unit from a change of what flows."""
        past = self._known[quantity].past[:, column]
        past = past[np.isfinite(past) & (past != 0.0)]
        return len(past) >= 5 and float(np.std(np.log(np.abs(past)))) < 0.15

    # gaps ---------------------------------------------------------------------------------------------------------

    def _note_gaps(self, table: pd.DataFrame, raw: Floats, quantity: str) -> None:
        """Gaps of a day and more; shorter ones are told by the share that came in."""
        times, seconds = table.index, _seconds(table)
        for k, name in enumerate(table.columns):
            seen = np.flatnonzero(np.isfinite(raw[:, k]))
            stamps = times[seen]
            wide = np.flatnonzero(np.diff(seconds[seen]) >= _GAP.total_seconds())
            inner = [(stamps[at], stamps[at + 1]) for at in wide.tolist()]
            last = [(stamps[-1] if len(seen) else times[0], None)]
            going_on = self._open.get((str(name), quantity, GAP))
            if going_on is not None and going_on.until is None and len(seen):
                going_on.until = pd.Timestamp(stamps[0])
            for since, until in [*inner, *last]:
                stop = times[-1] if until is None else until
                if stop - since < _GAP:
                    continue
                days = (stop - since) / pd.Timedelta("1D")
                self._tell(
                    Fault(
                        str(name), quantity, GAP, pd.Timestamp(since), pd.Timestamp(since) + _GAP, days, "d",
                        f"no reading for {days:.1f} days", until,
                    )
                )  # fmt: skip

    def _tell(self, fault: Fault) -> None:
        """Note a fault, or that one goes on in the next record."""
        key = (fault.element, fault.quantity, fault.kind)
        before = self._open.get(key)
        if before is not None and before.until is None and fault.since - before.told < pd.Timedelta("2D"):
            before.until = fault.until
            return
        self._open[key] = fault
        self.faults.append(fault)

    def finish(self, end: pd.Timestamp) -> list[Fault]:
        """Every fault; a unit that was wrong to the end still is."""
        return [
            replace(f, until=None) if f.kind == UNIT and f.until is not None and end - f.until < self.block else f
            for f in self.faults
        ]


def _coarser(value: float, usual: float) -> float:
    """How many times as coarse a pressure is for its unit: in bar two decimals tell a tenth of what they do in m."""
    for factor in _FACTORS["pressure"].values():
        if factor < 1.0 and value > 0.0 and abs(np.log(value / usual / factor)) < _STILL_NEAR:
            return min(1.0 / factor, _COARSEST)
    return 1.0


_UNIT = {"pressure": "m", "flow": "m3/s", "level": "m", "demand": "m3/s"}


def _seconds(table: pd.DataFrame) -> Floats:
    """Seconds since a table's first row, float64 [n]."""
    if table.empty:
        return np.empty(0)
    seconds: Floats = ((table.index - table.index[0]) / pd.Timedelta("1s")).to_numpy(dtype=float)
    return seconds


def _runs(column: Floats) -> tuple[Ints, Ints]:
    """First and last of every run of equal readings, counted among those that came in."""
    seen = column[np.isfinite(column)]
    if not len(seen):
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    change = np.flatnonzero(np.diff(seen) != 0.0)
    return np.concatenate([[0], change + 1]), np.concatenate([change, [len(seen) - 1]])


def _pace(seconds: Floats) -> float:
    """Usual time from reading to reading, s."""
    return float(np.median(np.diff(seconds))) if len(seconds) > 1 else 0.0

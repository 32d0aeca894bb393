"""Billing by month, district and category, and readings of sampled customers: sums over a period, with limits."""

from __future__ import annotations

import calendar
import csv
import datetime as dt
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.uncertain import Z95, Lack, Result, Uncertain
from umanflow.balance.errors import BalanceError

_COLUMNS = ("month", "dma", "category", "billed_m3")
_AMR_COLUMNS = ("node", "date", "m3")
_FEW_MONTHS_SD = 0.1  # of a month's daily mean, where too few months tell how they differ
_LEAST_SAMPLE = 3  # customers


@dataclass(frozen=True, slots=True)
class Billing:
    """What was billed.

    Attributes
    ----------
    name
        Of the file.
    volumes
        (month's first day, district, category) -> m3.
    limits
        95 % limits of a sum by district and category, share.
    """

    name: str
    volumes: dict[tuple[dt.date, str, str], float]
    limits: float

    @property
    def categories(self) -> tuple[str, ...]:
        """Categories in the order of the table."""
        return tuple(dict.fromkeys(category for _, _, category in self.volumes))

    @property
    def districts(self) -> tuple[str, ...]:
        """Districts in the order of the table."""
        return tuple(dict.fromkeys(dma for _, dma, _ in self.volumes))

    def volume(self, start: dt.date, end: dt.date, dma: str | None, categories: Iterable[str]) -> Result:
        """Sum over a period, a district (or all) and some categories, m3; months count by their days in the period.

        A month that the table has not, or not for a district, is a lack; a cut month adds the error of not knowing its
        days.
        """
        months = list(_months(start, end))
        known = {month for month, _, _ in self.volumes}
        missing = [month for month, _ in months if month not in known]
        if missing:
            return Lack(tuple(f"{self.name}: {month:%Y-%m}" for month in missing))
        owners = self.districts if dma is None else (dma,)
        rows = {(month, owner) for month, owner, _ in self.volumes}
        empty = [(month, owner) for month, _ in months for owner in owners if (month, owner) not in rows]
        if empty:
            return Lack(tuple(f"{self.name}: {month:%Y-%m} {owner}" for month, owner in empty))
        parts: dict[str, float] = {}
        whole, cut = 0.0, 0.0
        for owner in owners:
            for category in categories:
                values = [self.volumes.get((month, owner, category), 0.0) * share for month, share in months]
                parts[f"{self.name}: {owner} {category}"] = self.limits / Z95 * math.fsum(values)
                whole += math.fsum(values)
                cut += sum(v for v, (_, share) in zip(values, months, strict=True) if share < 1.0)
        parts[f"{self.name}: days of a month"] = cut * self._stray()
        return Uncertain(whole, parts)

    def _stray(self) -> float:
        """How far the daily mean of a month strays from the year's, share."""
        sums: dict[dt.date, float] = {}
        for (month, _, _), volume in self.volumes.items():
            days = calendar.monthrange(month.year, month.month)[1]
            sums[month] = sums.get(month, 0.0) + volume / days
        values = np.array(list(sums.values()))
        if len(values) < 3 or values.mean() <= 0.0:
            return _FEW_MONTHS_SD
        return float(values.std(ddof=1) / values.mean())


def _months(start: dt.date, end: dt.date) -> Iterable[tuple[dt.date, float]]:
    """Months that a period touches, and the share of each that lies in it."""
    month = start.replace(day=1)
    while month < end:
        days = calendar.monthrange(month.year, month.month)[1]
        after = month + dt.timedelta(days=days)
        inside = (min(end, after) - max(start, month)).days
        yield month, inside / days
        month = after


def read_billing(path: Path, limits_percent: float) -> Billing:
    """Read a billing table.

    Raises
    ------
    BalanceError
        If it cannot be read; a line for each row that is wrong.
    """
    volumes: dict[tuple[dt.date, str, str], float] = {}
    lines = []
    for number, row in _rows(path, _COLUMNS):
        try:
            month = dt.date.fromisoformat(f"{row['month'].strip()}-01")
            volume = float(row["billed_m3"])
        except ValueError:
            lines.append(f"{path}, line {number}: write month as 2025-01 and billed_m3 as a number")
            continue
        key = month, row["dma"].strip(), row["category"].strip()
        if not math.isfinite(volume) or volume < 0.0:
            lines.append(f"{path}, line {number}: billed_m3 {volume:g} cannot be; write a number that is not negative")
        elif key in volumes:
            lines.append(f"{path}, line {number}: {row['month']}, {key[1]}, {key[2]} stands twice; add the two up")
        volumes[key] = volume
    if lines:
        raise BalanceError(lines)
    return Billing(path.name, volumes, limits_percent / 100.0)


@dataclass(frozen=True, slots=True)
class Samples:
    """Mean daily consumption of sampled customers.

    Attributes
    ----------
    mean
        Node -> m3 a day of one connection.
    meter
        95 % limits of meters, share.
    """

    name: str
    mean: dict[str, float]
    meter: float

    def per_connection(self, nodes: Iterable[str], key: str) -> Result:
        """Mean of a district's sample, m3 a day and connection; the scatter is taken from all customers together."""
        chosen = [self.mean[node] for node in nodes if node in self.mean]
        if len(chosen) < _LEAST_SAMPLE:
            return Lack((f"{self.name}: {_LEAST_SAMPLE} customers of {key}",))
        scatter = float(np.std(list(self.mean.values()), ddof=1))
        value = float(np.mean(chosen))
        parts = {f"{self.name}: sample of {key}": scatter / math.sqrt(len(chosen))}
        parts[f"{self.name}: meters"] = value * self.meter / Z95
        return Uncertain(value, parts)


def read_samples(path: Path, meter_limits_percent: float) -> Samples:
    """Read readings of sampled customers.

    Raises
    ------
    BalanceError
        If they cannot be read; a line for each row that is wrong.
    """
    found: dict[str, list[float]] = {}
    lines = []
    for number, row in _rows(path, _AMR_COLUMNS):
        try:
            dt.date.fromisoformat(row["date"].strip())
            value = float(row["m3"])
        except ValueError:
            lines.append(f"{path}, line {number}: write date as 2026-01-31 and m3 as a number")
            continue
        if not math.isfinite(value) or value < 0.0:
            lines.append(f"{path}, line {number}: m3 {value:g} cannot be; write a number that is not negative")
        found.setdefault(row["node"].strip(), []).append(value)
    if lines:
        raise BalanceError(lines)
    means = {node: math.fsum(values) / len(values) for node, values in found.items()}
    return Samples(path.name, means, meter_limits_percent / 100.0)


def _rows(path: Path, columns: tuple[str, ...]) -> Iterable[tuple[int, dict[str, str]]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BalanceError([f"{path}: cannot be read: {error}"]) from error
    reader = csv.DictReader(text.splitlines())
    missing = [column for column in columns if column not in (reader.fieldnames or ())]
    if missing:
        raise BalanceError([f"{path}: has no column {', '.join(missing)}; its first line is {','.join(columns)}"])
    for row in reader:
        yield reader.line_num, {column: row[column] or "" for column in columns}

"""Delay against false alarms of leak detection from inflow alone, on ten real DMAs.

    python benchmarks/inflow_leaks.py [--data FILE] [--plot docs/validation/inflow_leaks.svg] [--every DAYS]

Steps and ramps (growing over 30 days, then constant) of 5, 10 and 20 % of a DMA's mean inflow are added to the
Battle's record (see benchmarks/forecast.py) from many days on at a random hour, in turn, and every method looks at the
40 days that follow. Delay is from the beginning to the end of the day whose data raised the alarm. False alarms are
those on the record as it is, per DMA and year from October 2021 on; the DMAs surely had leaks, so that some of them
are none. An alarm is followed by 14 days in which the method raises no other; where a method alarms on the record as
it is within those 40 days or three before, the injection is left out for it; ours is also given for those that are
left to the night-flow rule, the calm times of the calm DMAs. A surge of 20 % is demand-shaped, for
five days: whether a method takes it for a leak.

Methods: minimum night flow by LeakDB's rule at 5 to 40 %, and ours (forecast, windows of excess) at a row of
thresholds, the statistic itself without what an alarm changes. Prints tables and one JSON line; --plot draws them.
"""

from __future__ import annotations

import argparse
import copy
import datetime as dt
import json
import platform
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd

from models.forecast import Days, Forecaster, Holiday, Settings, country_days, explain, to_days
from models.inflow_watch import InflowWatch, Rules
from models.night_rule import night_flow_rule

_DATA = Path("../shared/data/bwdf/inflow_hourly.csv.gz")
_SPECIAL = country_days("IT", (Holiday("San Giusto, the city's saint", "11-03"),))
_FIRST = dt.date(2021, 10, 1)
_LOOK, _QUIET, _RAMP, _SURGE_DAYS = 40, 14, 30, 5
_SIZES = (0.05, 0.10, 0.20)
_KINDS = ("step", "ramp")
_THRESHOLDS = (2.5, 3.0, 3.5, 4.0, 4.5, 5.0, 6.0, 7.0)
_BESIDE = (3.5, 4.5)
_SHARES = (0.05, 0.10, 0.20, 0.30, 0.40)

Case = tuple[str, float, int]  # kind, size, first day


def added(kind: str, size: float, hour: int, mean: np.ndarray, shape: np.ndarray) -> np.ndarray:
    """What is added to the days from the first on, [days, 24, DMAs]."""
    age = np.arange(_LOOK * 24) - hour
    if kind == "surge":
        days = ((age >= -hour) & (age < _SURGE_DAYS * 24)).reshape(_LOOK, 24)
        return size * mean * days[:, :, None] * shape
    grown = np.clip((age + 0.5) / (_RAMP * 24), 0.0, 1.0) if kind == "ramp" else 1.0
    return (size * mean * ((age >= 0) * grown)[:, None]).reshape(_LOOK, 24, -1)


def cases(days: Days, every: int) -> list[Case]:
    """Every kind and size from every so many days on."""
    first = days.dates.index(_FIRST) + 7
    starts = range(first, len(days.dates) - _LOOK - 1, every)
    kinds = [(k, s) for k in _KINDS for s in _SIZES] + [("surge", 0.20)]
    return [(kind, size, start) for kind, size in kinds for start in starts]


def watch_all(
    days: Days, todo: list[Case], extra: Callable[[Case], np.ndarray]
) -> tuple[np.ndarray, dict[Case, np.ndarray], float]:
    """Largest leak part of any window of each day: of the record, [days, DMAs], and of every case."""
    watch = InflowWatch(days.channels, Settings(special=_SPECIAL), Rules(threshold=np.inf))
    starts = {case[2] for case in todo}
    saved: dict[int, InflowWatch] = {}
    clean = np.full((len(days.dates), len(days.channels)), -np.inf)
    began = time.perf_counter()
    spent = 0.0
    for k, date in enumerate(days.dates):
        if k in starts:
            copying = time.perf_counter()
            saved[k] = copy.deepcopy(watch)
            spent += time.perf_counter() - copying
        watch.step(date, days.values[k])
        clean[k] = np.nan_to_num(watch.sigmas, nan=-np.inf).max(axis=0)
    seconds = time.perf_counter() - began - spent
    found = {}
    for case in todo:
        one = copy.deepcopy(saved[case[2]])
        leak = extra(case)
        found[case] = np.full((_LOOK, len(days.channels)), -np.inf)
        for j in range(_LOOK):
            at = case[2] + j
            one.step(days.dates[at], days.values[at] + leak[j])
            found[case][j] = np.nan_to_num(one.sigmas, nan=-np.inf).max(axis=0)
    return clean, found, seconds


def night_all(
    days: Days, todo: list[Case], extra: Callable[[Case], np.ndarray], share: float
) -> tuple[np.ndarray, dict[Case, np.ndarray]]:
    """Days that the night-flow rule calls: of the record, and of every case."""
    n = len(days.channels)
    clean = np.stack([night_flow_rule(days.values[:, :, c], share) for c in range(n)], axis=1)
    found = {}
    for case in todo:
        values = days.values[: case[2] + _LOOK].copy()
        values[case[2] :] += extra(case)
        found[case] = np.stack([night_flow_rule(values[:, :, c], share)[case[2] :] for c in range(n)], axis=1)
    return clean, found


def episodes(called: np.ndarray) -> int:
    """Alarms, each followed by quiet days."""
    count, last = 0, -_QUIET - 1
    for day in np.flatnonzero(called).tolist():
        if day - last > _QUIET:
            count, last = count + 1, day
    return count


def summary(
    days: Days,
    clean: np.ndarray,
    found: dict[Case, np.ndarray],
    hours: dict[int, int],
    also: np.ndarray | None = None,
) -> dict[str, float | dict[str, float]]:
    """False alarms per DMA and year; of each kind and size the median delay and the share found within 30 days.

    Injections are left out where the method, or another whose alarms are `also`, alarms on the record as it is.
    """
    noisy = clean if also is None else clean | also
    first = days.dates.index(_FIRST)
    years = (len(days.dates) - first) / 365.25 * len(days.channels)
    result: dict[str, float | dict[str, float]] = {
        "false_a_year": round(sum(episodes(clean[first:, c]) for c in range(len(days.channels))) / years, 2)
    }
    delays: dict[tuple[str, float], list[float]] = {}
    for (kind, size, start), called in found.items():
        for c in range(len(days.channels)):
            if not noisy[start - 3 : start + _LOOK, c].any():
                hits = np.flatnonzero(called[:, c])
                delay = hits[0] + 1 - hours[start] / 24.0 if len(hits) else np.inf
                delays.setdefault((kind, size), []).append(delay)
    for (kind, size), row in delays.items():
        if kind == "surge":
            result["surge"] = {"called": round(100.0 * float(np.mean(np.array(row) <= _SURGE_DAYS + 2)), 1)}
            continue
        median = float(np.median(row))
        result[f"{kind} {size:.0%}"] = {
            "delay_d": round(median, 1) if np.isfinite(median) else -1.0,
            "found": round(100.0 * float(np.mean(np.array(row) <= 30.0)), 1),
            "of": len(row),
        }
    return result


def holidays_told(days: Days) -> dict[str, dict[str, float]]:
    """What holidays and other weekdays are taken for by who knows of no holidays, percent of days and DMAs."""
    forecaster = Forecaster(days.channels)
    kinds: dict[str, list[str]] = {"holidays": [], "other weekdays": []}
    for k, date in enumerate(days.dates):
        if date >= _FIRST and date.weekday() < 6:
            forecast = forecaster.forecast(1, with_band=False)
            residual = days.values[k] - forecast.values[0]
            day = "holidays" if _SPECIAL.holiday(date) is not None else "other weekdays"
            for c, spread in enumerate(forecaster.spread()):
                if np.isfinite(residual[:, c]).mean() > 0.5:
                    kinds[day].append(explain(residual[None, :, c], forecast.shape[:, :, c], spread).kind)
        forecaster.step(date, days.values[k])
    words = ("usual", "leak", "both", "surge", "less")
    return {day: {w: round(100.0 * row.count(w) / len(row), 1) for w in words} for day, row in kinds.items()}


def show(table: dict[str, dict]) -> None:
    """Print the table."""
    columns = [f"{kind} {size:.0%}" for kind in _KINDS for size in _SIZES]
    print("| method | false alarms a year | " + " | ".join(columns) + " | surges called |")
    print("|---" * (3 + len(columns)) + "|")
    for name, row in table.items():
        cells = []
        for column in columns:
            cell = row.get(column)
            delay = "-" if cell is None else f"{cell['delay_d']:.1f} d" if cell["delay_d"] >= 0 else "> 40 d"
            cells.append(f"{delay}, {cell['found']:.0f} %" if cell else "-")
        surge = row.get("surge", {}).get("called")
        print(f"| {name} | {row['false_a_year']} | {' | '.join(cells)} | {'-' if surge is None else f'{surge} %'} |")


def draw(path: Path, table: dict[str, dict]) -> None:
    """Curves: found within 30 days, and median delay, over false alarms a year."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "inflow"
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(2, 2, figsize=(9.0, 6.5), sharex=True, layout="constrained")
    for column, kind in enumerate(_KINDS):
        for size, colour in zip(_SIZES, ("tab:green", "tab:orange", "tab:blue"), strict=True):
            for method, style in (("ours", "-"), ("MNF", ":")):
                rows = [r for name, r in table.items() if name.startswith(method) and f"{kind} {size:.0%}" in r]
                x = [r["false_a_year"] for r in rows]
                cells = [r[f"{kind} {size:.0%}"] for r in rows]
                label = f"{method}, {size:.0%}"
                axes[0, column].plot(x, [c["found"] for c in cells], style, marker=".", color=colour, label=label)
                delay = [c["delay_d"] if c["delay_d"] >= 0 else np.nan for c in cells]
                axes[1, column].plot(x, delay, style, marker=".", color=colour, label=label)
        axes[0, column].set_title("steps" if kind == "step" else "ramps of 30 days")
        axes[1, column].set_xlabel("false alarms per DMA and year")
        for row in range(2):
            axes[row, column].grid(alpha=0.3)
    axes[0, 0].set_ylabel("found within 30 days, %")
    axes[1, 0].set_ylabel("median delay, days (none: most are not found)")
    axes[0, 0].set_xscale("log")
    axes[0, 1].legend(fontsize=8)
    figure.savefig(path, metadata={"Date": None})


def main() -> None:
    """Run everything."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=_DATA)
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--every", type=int, default=42)
    options = parser.parse_args()
    table = pd.read_csv(options.data, index_col=0, parse_dates=True)
    days = to_days(table.rename(columns=lambda c: c.removesuffix("_Ls")))
    mean = np.nanmean(days.values, axis=(0, 1))
    profile = np.nanmean(days.values, axis=0)
    shape = (profile - profile.min(axis=0)) / (profile - profile.min(axis=0)).mean(axis=0)
    todo = cases(days, options.every)
    random = np.random.default_rng(5)
    hours = {start: int(random.integers(0, 24)) for start in sorted({case[2] for case in todo})}

    def extra(case: Case) -> np.ndarray:
        return added(case[0], case[1], hours[case[2]], mean, shape)

    began = time.perf_counter()
    clean, found, seconds = watch_all(days, todo, extra)
    result = {}
    for threshold in _THRESHOLDS:
        called = {case: z > threshold for case, z in found.items()}
        result[f"ours {threshold}"] = summary(days, clean > threshold, called, hours)
    for share in _SHARES:
        night = night_all(days, todo, extra, share)
        result[f"MNF {share:.0%}"] = summary(days, *night, hours)
        for threshold in _BESIDE if share <= 0.3 else ():
            called = {case: z > threshold for case, z in found.items()}
            both = summary(days, clean > threshold, called, hours, night[0])
            result[f"where MNF {share:.0%} is silent: ours {threshold}"] = both
    print(
        f"{len(hours)} beginnings x {len(days.channels)} DMAs for each kind and size; median delay, found within 30 d"
    )
    show(result)
    print(f"ours takes {1000.0 * seconds / len(days.dates):.1f} ms for a day of {len(days.channels)} DMAs")
    told = holidays_told(days)
    print(f"holidays, by a forecast that knows of none: {told}")
    if options.plot:
        draw(options.plot, result)
    versions = {p: version(p) for p in ("umanflow", "numpy")}
    print(json.dumps({"benchmark": "inflow_leaks", "machine": platform.machine(), **versions,
                      "table": result, "holidays": told,
                      "ms_per_day": round(1000.0 * seconds / len(days.dates), 1),
                      "seconds": round(time.perf_counter() - began, 1)}))  # fmt: skip


if __name__ == "__main__":
    main()

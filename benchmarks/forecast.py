"""Score week-ahead forecasts of DMA inflow as the Battle of Water Demand Forecasting did.

    python benchmarks/forecast.py [--data FILE] [--boosted all|battle|none] [--parts]

Ten real DMAs, hourly, local time. Every Monday at 0:00 all methods are trained on what was measured before it and
forecast 168 hours. Three sets of weeks: the Battle's four (from 25 July and 31 October 2022, 16 January and 6 March
2023), the 51 weeks from 4 April 2022 to 26 March 2023 (nothing was chosen on them), and the 38 from 5 July 2021 to
27 March 2022 (on which our method was developed). Methods: seasonal-naive (the week before; what is missing there is
taken from the last week that has it), histogram gradient boosting of scikit-learn, ours.

PI1 is the mean absolute error of the first 24 hours, PI2 the largest absolute error of the first 24, PI3 the mean
absolute error of the rest of the week (S. Alvisi et al., "Battle of Water Demand Forecasting", J. Water Resour. Plann.
Manage. 151 (2025)); L/s, means over the weeks. Weather is not used: the data have none. Prints a table per DMA,
coverage of the band, what an unmarked and a marked leak of a month changes, times, and one JSON line.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import platform
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd

from models.forecast import Days, Forecaster, Holiday, Settings, SpecialDays, country_days, to_days

_DATA = Path("../shared/data/bwdf/inflow_hourly.csv.gz")
SPECIAL = country_days("IT", (Holiday("San Giusto, the city's saint", "11-03"),))
_BATTLE = tuple(dt.date.fromisoformat(d) for d in ("2022-07-25", "2022-10-31", "2023-01-16", "2023-03-06"))
_SETS = {
    "battle": _BATTLE,
    "year": tuple(dt.date(2022, 4, 4) + dt.timedelta(weeks=k) for k in range(51)),
    "development": tuple(dt.date(2021, 7, 5) + dt.timedelta(weeks=k) for k in range(38)),
}
_FIRST = 28  # days before which nothing is trained on


def read(path: Path) -> Days:
    """Read the inflows, L/s, on the wall's clock."""
    table = pd.read_csv(path, index_col=0, parse_dates=True)
    table.columns = [c.removesuffix("_Ls") for c in table.columns]
    return to_days(table)


def naive(days: Days, origin: int) -> np.ndarray:
    """The week before, with what is missing in it from the weeks before that."""
    week = days.values[origin - 7 : origin].copy()
    for back in range(2, 9):
        week = np.where(np.isnan(week), days.values[origin - 7 * back : origin - 7 * back + 7], week)
    return np.where(np.isnan(week), np.nanmean(days.values[:origin], axis=(0, 1)), week)


class Boosted:
    """Gradient boosting on lags, means of late and the calendar, with scikit-learn's histogram trees.

    To forecast the difference from the mean of four weeks instead was tried; its error was larger.
    """

    def __init__(self, days: Days, special: SpecialDays) -> None:
        self._days = days
        self._holiday = np.array([special.holiday(d) is not None for d in days.dates])
        self._rows: dict[tuple[int, int], np.ndarray] = {}

    def forecast(self, origin: int) -> np.ndarray:
        """Train on all weeks that ended before the origin, beginning on any day, and forecast the next."""
        return np.stack([self._channel(origin, c) for c in range(len(self._days.channels))], axis=-1)

    def _channel(self, origin: int, channel: int) -> np.ndarray:
        from sklearn.ensemble import HistGradientBoostingRegressor

        begins = range(_FIRST, origin - 6)
        x = np.vstack([self._week(k, channel) for k in begins])
        y = np.concatenate([self._days.values[k : k + 7, :, channel].ravel() for k in begins])
        seen = np.isfinite(y)
        model = HistGradientBoostingRegressor(
            loss="absolute_error", max_iter=150, learning_rate=0.05, max_leaf_nodes=15, min_samples_leaf=100,
            random_state=1,
        )  # fmt: skip
        model.fit(x[seen], y[seen])
        new = self._week(origin, channel)
        return np.asarray(model.predict(new).reshape(7, -1))

    def _week(self, origin: int, channel: int) -> np.ndarray:
        """Features of the 168 hours after an origin, known at it."""
        if (origin, channel) not in self._rows:
            self._rows[origin, channel] = self._features(origin, channel)
        return self._rows[origin, channel]

    def _features(self, origin: int, channel: int) -> np.ndarray:
        y = self._days.values[:, :, channel]
        week = slice(origin, origin + 7)
        dates = self._days.dates[week]
        lags = [y[origin - 7 * k : origin - 7 * k + 7].ravel() for k in (1, 2, 3, 4)]
        by_day = [range(7), [d.weekday() for d in dates], self._holiday[week], [d.timetuple().tm_yday for d in dates]]
        by_day.append(self._holiday[origin - 7 : origin])
        with np.errstate(invalid="ignore"):
            late = [_mean(y[origin - n : origin]) for n in (1, 7, 28)]
            hours = [np.tile(y[origin - 1], 7), np.tile(_mean(y[origin - 7 : origin], 0), 7), np.tile(np.arange(24), 7)]
            columns = [*lags, _mean(np.stack(lags), 0), *(np.repeat(np.asarray(b, dtype=float), 24) for b in by_day)]
        return np.column_stack([*columns, *(np.full(168, v) for v in late), *hours]).astype(np.float32)


def _mean(values: np.ndarray, axis: int | None = None) -> np.ndarray:
    count = np.isfinite(values).sum(axis=axis)
    return np.where(count > 0, np.nansum(values, axis=axis) / np.maximum(count, 1), np.nan)


def run_ours(days: Days, origins: Sequence[int], settings: Settings) -> tuple[dict, dict, dict]:
    """Learn day by day; forecast and band at each origin, and the forecast that holds the night."""
    forecaster = Forecaster(days.channels, settings)
    values, bands, held = {}, {}, {}
    wanted = set(origins)
    for k, date in enumerate(days.dates):
        if k in wanted:
            forecast = forecaster.forecast()
            values[k], bands[k] = forecast.values, forecast.band
            held[k] = forecaster.forecast(hold_night=True).values
        forecaster.step(date, days.values[k])
    return values, bands, held


def indicators(days: Days, forecasts: dict, origins: Sequence[int]) -> dict[str, np.ndarray]:
    """MAE of the week, PI1, PI2 and PI3 of each DMA, means over the weeks."""
    rows = []
    for k in origins:
        error = np.abs(days.values[k : k + 7] - forecasts[k])
        first = error[0]
        worst = np.where(np.isfinite(first).any(axis=0), np.nanmax(np.nan_to_num(first), axis=0), np.nan)
        rows.append([_mean(error.reshape(-1, error.shape[-1]), 0), _mean(first, 0), worst,
                     _mean(error[1:].reshape(-1, error.shape[-1]), 0)])  # fmt: skip
    table = _mean(np.array(rows), 0)
    return dict(zip(("mae", "pi1", "pi2", "pi3"), table, strict=True))


def coverage(days: Days, bands: dict, origins: Sequence[int]) -> dict[str, float]:
    """Share of readings within the inner (50 %) and outer (90 %) band."""
    inside: dict[str, list[np.ndarray]] = {"50": [], "90": []}
    for k in origins:
        y = days.values[k : k + 7]
        seen = np.isfinite(y)
        for name, low, high in (("50", 1, 2), ("90", 0, 3)):
            inside[name].append(((y >= bands[k][low]) & (y <= bands[k][high]))[seen])
    return {name: round(100.0 * float(np.concatenate(parts).mean()), 1) for name, parts in inside.items()}


def leak_of_a_month(days: Days, settings: Settings, share: float = 0.10) -> dict[str, float]:
    """What a leak of 30 days changes in the forecast of the week after it, in percent of the leak.

    Medians over DMAs and four times of the year, of the week's mean and of its shape less each day's minimum.
    """
    moved: dict[str, list[np.ndarray]] = {"followed": [], "night held": [], "shape": [], "marked, other values": []}
    for month in (4, 6, 9, 12):
        start = days.dates.index(dt.date(2022, month, 1))
        leak = share * np.nanmean(days.values[start - 28 : start], axis=(0, 1))
        one, two = days.values[: start + 30].copy(), days.values[: start + 30].copy()
        two[start:] += leak
        clean, clean_held = _week_after(days, one, settings)
        leaking, leaking_held = _week_after(days, two, settings)
        for name, a, b in (("followed", leaking, clean), ("night held", leaking_held, clean_held)):
            moved[name].append(np.abs((a - b).mean(axis=(0, 1))) / leak)
        a, b = (x - x.min(axis=1, keepdims=True) for x in (leaking, clean))
        moved["shape"].append(np.abs(a - b).mean(axis=(0, 1)) / leak)
        marked = [_week_after(days, values, settings, start)[0] for values in (one, two)]
        moved["marked, other values"].append(np.abs(marked[0] - marked[1]).max(axis=(0, 1)) / leak)
    return {name: round(100.0 * float(np.median(np.concatenate(parts))), 1) for name, parts in moved.items()}


def _week_after(
    days: Days, values: np.ndarray, settings: Settings, marked: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Forecast after some days, as it is and with the night held; days from `marked` on are called abnormal."""
    forecaster = Forecaster(days.channels, settings)
    for k, day in enumerate(values):
        abnormal = None if marked is None or k < marked else np.ones_like(day, dtype=bool)
        forecaster.step(days.dates[k], day, abnormal=abnormal)
    return forecaster.forecast().values, forecaster.forecast(hold_night=True).values


def show(title: str, days: Days, by_method: dict[str, dict[str, np.ndarray]]) -> dict[str, float]:
    """Print the table of one set of weeks; return the shares of seasonal-naive's MAE."""
    methods = list(by_method)
    print(f"\n{title}\n| DMA | " + " | ".join(f"{m} MAE" for m in methods) + " | ours / naive | "
          + " | ".join(f"{m} PI1, PI2, PI3" for m in methods) + " |")  # fmt: skip
    print("|---" * (2 + 2 * len(methods)) + "|")
    for c, name in enumerate([*days.channels, "all"]):

        def cell(method: str, key: str, c: int = c) -> float:
            values = by_method[method][key]
            return float(values[c] if c < len(values) else values.mean())

        share = cell("ours", "mae") / cell("naive", "mae")
        errors = " | ".join(f"{cell(m, 'mae'):.3f}" for m in methods)
        indicated = " | ".join(", ".join(f"{cell(m, p):.2f}" for p in ("pi1", "pi2", "pi3")) for m in methods)
        print(f"| {name} | {errors} | {share:.3f} | {indicated} |")
    shares = {}
    for method in methods[1:]:
        ratio = by_method[method]["mae"] / by_method["naive"]["mae"]
        shares[f"{method}_sum"] = round(float(by_method[method]["mae"].sum() / by_method["naive"]["mae"].sum()), 3)
        shares[f"{method}_mean"] = round(float(ratio.mean()), 3)
    print("MAE as a share of seasonal-naive's, of the sum over DMAs and mean of the ten shares:", shares)
    return shares


def main() -> None:
    """Run everything."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=_DATA)
    parser.add_argument("--boosted", choices=("all", "battle", "none"), default="battle")
    parser.add_argument(
        "--parts", action="store_true", help="also without holidays, and other ways to do without parts"
    )
    options = parser.parse_args()
    days = read(options.data)
    at = {name: [days.dates.index(d) for d in weeks] for name, weeks in _SETS.items()}
    everything = sorted({k for weeks in at.values() for k in weeks})
    settings = Settings(special=SPECIAL)
    began = time.perf_counter()
    values, bands, held = run_ours(days, everything, settings)
    seconds = time.perf_counter() - began
    boosted, boosted_s = _boost(days, at, options.boosted)
    result: dict[str, object] = {}
    for name, weeks in at.items():
        by_method = {"naive": indicators(days, {k: naive(days, k) for k in weeks}, weeks)}
        if all(k in boosted for k in weeks):
            by_method["boosted"] = indicators(days, boosted, weeks)
        by_method["ours"] = indicators(days, values, weeks)
        shares = show(f"{name}: {len(weeks)} weeks", days, by_method)
        result[name] = shares | {"coverage": coverage(days, bands, weeks)}
        print(f"band: {result[name]['coverage']} % of readings within the 50 and 90 % bands")
        night = indicators(days, held, weeks)["mae"].sum() / by_method["naive"]["mae"].sum()
        result[name]["held_sum"] = round(float(night), 3)
    result["month_of_leak"] = leak_of_a_month(days, settings)
    print(f"\na leak of 10 % for 30 days: {result['month_of_leak']}")
    if options.parts:
        result["parts"] = _parts(days, at["year"], values)
    print(
        f"ours: {len(days.dates)} days of {len(days.channels)} DMAs learnt in {seconds:.1f} s, trained every day;",
        end=" ",
    )
    print(f"boosted: {boosted_s:.1f} s to train ten DMAs once")
    machine = {p: version(p) for p in ("umanflow", "numpy", "scikit-learn")}
    print(json.dumps({"benchmark": "forecast", "machine": platform.machine(), **machine, **result,
                      "seconds": round(seconds, 2), "boosted_s_per_week": round(boosted_s, 1)}))  # fmt: skip


def _boost(days: Days, at: dict[str, list[int]], which: str) -> tuple[dict[int, np.ndarray], float]:
    wanted = {"all": at["battle"] + at["year"], "battle": at["battle"], "none": []}[which]
    model = Boosted(days, SPECIAL)
    began = time.perf_counter()
    forecasts = {k: model.forecast(k) for k in sorted(set(wanted))}
    return forecasts, (time.perf_counter() - began) / max(len(forecasts), 1)


def _parts(days: Days, weeks: list[int], whole: dict[int, np.ndarray]) -> dict[str, float]:
    """What single parts are worth: MAE over holidays with and without knowing them."""
    plain, _, _ = run_ours(days, weeks, Settings())
    found = {}
    kinds: dict[str, Callable[[dt.date], bool]] = {
        "holidays": lambda d: SPECIAL.holiday(d) is not None and d.weekday() < 6,
        "other_days": lambda d: SPECIAL.holiday(d) is None,
    }
    for name, is_kind in kinds.items():
        picked = [(k, j) for k in weeks for j in range(7) if is_kind(days.dates[k + j])]
        for way, forecasts in (("known", whole), ("not_known", plain)):
            error = np.array([_mean(np.abs(days.values[k + j] - forecasts[k][j]), 0) for k, j in picked])
            usual = np.nanmean(days.values, axis=(0, 1))
            found[f"{name}_{way}"] = round(100.0 * float(np.nanmean(error / usual)), 2)
    print(f"holidays (not on Sundays), MAE in percent of the mean inflow: {found}")
    return found


if __name__ == "__main__":
    main()

"""Compare Uman's pipes ranked by learnt break rates with an oracle that knows the hidden ones, and with age alone.

    python benchmarks/renewal.py

Prints the share of the expected breaks on the first 20 % of length; the rankings do not see the hidden rates. The plan
ranks by avoided money (breaks, water, hours without water) for each hryvnia: its order is scored by breaks too, and by
the money that it truly avoids beside an oracle that ranks by money and knows the hidden rates.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hydro.engine import Engine
from models.breaks import BreakHistory, caught, fit_breaks
from networks import Network, load
from umanflow.planner.leaking import Leaking
from umanflow.planner.renewal import RenewalCosts, history_of, rank_pipes, worth_of
from umanflow.planner.simulation import run_day
from umanflow.planner.study import customers_out

Floats = NDArray[np.float64]

_SHARE = 0.2


def main() -> None:
    """Rank and score."""
    uman = load("uman")
    with Engine(uman) as engine:
        names, history = history_of(uman, engine.topology, engine.read("link", "diameter"))
    with (Path(uman.source).parent / "truth" / "pipes.csv").open(encoding="utf-8") as file:
        hidden = {row["pipe"]: float(row["breaks_per_km_year"]) for row in csv.DictReader(file)}
    true = np.array([hidden[name] for name in names])
    orders = {
        "oracle": -true, "learnt": -fit_breaks(history).rate(history.last_year + 1)[0],
        "breaks_per_km": -history.breaks.sum(axis=1) / history.length, "age": history.laid.astype(np.float64),
    }  # fmt: skip
    found = {
        k: caught(np.argsort(v, kind="stable"), history.length, true * history.length, _SHARE)
        for k, v in orders.items()
    }
    shares = {k: round(v / found["oracle"], 3) for k, v in found.items()}
    print(
        json.dumps({
            "benchmark": "renewal", "share_of_length": _SHARE, "of_oracle": shares, "oracle": found["oracle"],
            **_by_money(uman, names, history, true),
        })
    )  # fmt: skip


class _Hidden:
    """The hidden rates, the same in every year."""

    def __init__(self, rate: Floats) -> None:
        self._rate = rate

    def rate(self, year: int) -> tuple[Floats, ...]:
        """Breaks per km."""
        return (self._rate,)


def _by_money(uman: Network, names: tuple[str, ...], history: BreakHistory, true: Floats) -> dict[str, float]:
    """The plan's order, by what it costs and avoids."""
    with Engine(uman) as engine:
        at = [engine.topology.link(name) for name in names]
        leakage = Leaking.of(engine).by_pipe(run_day(engine).leakage_m3d)[at]
    customers, costs = np.nan_to_num(customers_out(uman, at)), RenewalCosts()
    cost, avoided = worth_of(_Hidden(true), history, leakage, customers, costs)
    best = np.argsort(-avoided / cost, kind="stable")
    planned = rank_pipes(names, history, leakage, customers, costs)
    order = np.array([names.index(name) for name in planned.pipes])
    money = [caught(o, history.length, avoided, _SHARE) for o in (order, best)]
    breaks = [caught(o, history.length, true * history.length, _SHARE) for o in (order, best)]
    years = sum((1.0 + costs.discount) ** -k for k in range(costs.horizon))
    leaks = costs.water * leakage * (1.0 - costs.new_leakage) * 365.25
    return {
        "plan_avoided_money_of_oracle": round(money[0] / money[1], 3),
        "plan_share_of_money": round(money[0], 3),
        "plan_share_of_breaks": round(breaks[0], 3),
        "oracle_by_money_share_of_breaks": round(breaks[1], 3),
        "plan_breaks_of_oracle_by_money": round(breaks[0] / breaks[1], 3),
        "share_of_money_that_is_water": round(float(leaks.sum() * years / avoided.sum()), 3),
    }


if __name__ == "__main__":
    main()

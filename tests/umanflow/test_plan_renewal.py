"""Ranking of pipes: by hand for two pipes, and the laws of money."""

from dataclasses import replace

import numpy as np
import pytest

from hydro.engine import Engine
from models.breaks import BreakHistory, fit_breaks
from networks import load
from umanflow.errors import UserError
from umanflow.planner.renewal import RenewalCosts, history_of, rank_pipes, share_of_breaks


def streets(seed: int = 1, n: int = 200) -> tuple[tuple[str, ...], BreakHistory]:
    rng = np.random.default_rng(seed)
    material = rng.choice(["steel", "PE"], n)
    laid = rng.integers(1955, 1995, n)
    length = rng.uniform(0.05, 0.4, n)
    base = np.where(material == "steel", 0.5, 0.1)
    breaks = np.stack([rng.poisson(base * length * np.maximum(y - laid, 0) / 50.0) for y in range(2006, 2026)], axis=1)
    names = tuple(f"p{k}" for k in range(n))
    return names, BreakHistory(length, rng.choice([0.1, 0.3], n), tuple(material), ("",) * n, laid, 2006, breaks)


def test_worth_of_one_pipe_is_what_a_clerk_would_write_down() -> None:
    names, history = streets()
    leakage, customers = np.full(200, 0.5), np.full(200, 40.0)
    costs = RenewalCosts(horizon=2, discount=0.1)
    renewal = rank_pipes(names, history, leakage, customers, costs)
    at = 7
    pipe = int(renewal.pipes[at][1:])
    model = fit_breaks(history)
    metres = 1000.0 * history.length[pipe]
    assert renewal.cost[at] == pytest.approx(metres * (2_500.0 + 22_000.0 * history.diameter[pipe]))
    each = 35_000.0 + 12.0 * 864.0 + 40.0 * 8.0 * 25.0
    years = [(model.rate(y)[0][pipe] - 0.03) * history.length[pipe] * each + 0.45 * 365.25 * 12.0 for y in (2026, 2027)]
    assert renewal.avoided[at] == pytest.approx(years[0] + years[1] / 1.1)
    ratio = renewal.avoided / renewal.cost
    assert (np.diff(ratio) <= 1e-12).all()
    assert sorted(renewal.pipes) == sorted(names)


def test_money_has_no_unit_and_leaks_count() -> None:
    names, history = streets(2)
    leakage, customers = np.full(200, 0.5), np.full(200, 40.0)
    costs = RenewalCosts()
    usual = rank_pipes(names, history, leakage, customers, costs)
    money = ("pipe_first", "pipe_by_diameter", "repair", "water", "outage_value")
    dearer = replace(costs, **{name: 3.0 * getattr(costs, name) for name in money})
    assert rank_pipes(names, history, leakage, customers, dearer).pipes == usual.pipes
    last = int(usual.pipes[-1][1:])
    leaky = leakage.copy()
    leaky[last] = 500.0
    assert rank_pipes(names, history, leaky, customers, costs).pipes[0] == names[last]
    assert all(0.0 <= share <= 1.0 for share in usual.steady.values())
    assert usual.steady["outage_hours"] == usual.steady["outage_value"]
    assert 0.2 < share_of_breaks(usual, 0.2) < share_of_breaks(usual, 0.5) < 1.0


def test_tables_that_are_missing_or_do_not_fit_are_told() -> None:
    uman, net = load("uman"), load("Net3")
    with Engine(uman) as engine:
        names, history = history_of(uman, engine.topology, engine.read("link", "diameter"))
        assert uman.breaks is not None
        assert history.breaks.sum() == len(uman.breaks)
        assert (history.first_year, history.last_year) == (2006, 2025)
        assert len(names) == len(history.length)
        strange = uman.breaks.copy()
        strange.loc[0, "pipe"] = "nowhere"
        uman.__dict__["breaks"] = strange
        with pytest.raises(UserError, match=r"'nowhere', which pipes\.csv has not"):
            history_of(uman, engine.topology, engine.read("link", "diameter"))
    with Engine(net) as engine, pytest.raises(UserError, match=r"put pipes\.csv and breaks\.csv"):
        history_of(net, engine.topology, engine.read("link", "diameter"))

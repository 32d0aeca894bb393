"""Break rates: recovered from worlds whose rates are known, and good enough to rank Uman's pipes."""

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.breaks import BreakHistory, caught, fit_breaks
from models.errors import NotEnoughData
from networks import load

_TRUTH = Path(__file__).resolve().parents[2] / "networks" / "uman" / "truth" / "pipes.csv"
_BASE = {"cast iron": 0.45, "steel": 0.55, "PE": 0.05}
_POWER = 1.3


def world(seed: int, n: int = 1500, own: float = 0.3, street: float = 0.3) -> tuple[BreakHistory, np.ndarray]:
    """Pipes that break by a known law; with the rates of the year after the record."""
    rng = np.random.default_rng(seed)
    material = rng.choice(list(_BASE), n)
    laid = rng.integers(1950, 2000, n)
    group = rng.integers(0, 40, n)
    factor = rng.lognormal(0.0, own, n) * rng.lognormal(0.0, street, 40)[group]
    base = np.array([_BASE[m] for m in material]) * factor
    length = rng.uniform(0.05, 0.4, n)

    def rate(year: int) -> np.ndarray:
        return base * (np.maximum(year - laid, 0) / 50.0) ** _POWER

    breaks = np.stack([rng.poisson(rate(year) * length) for year in range(2006, 2026)], axis=1)
    names = tuple(f"street {k}" for k in group)
    return BreakHistory(length, rng.choice([0.1, 0.2], n), tuple(material), names, laid, 2006, breaks), rate(2026)


def test_rates_of_a_known_world_are_found() -> None:
    coverage, errors = [], []
    for seed in range(4):
        history, true = world(seed)
        model = fit_breaks(history)
        rate, low, high = model.rate(2026)
        coverage.append(np.mean((low <= true) & (true <= high)))
        errors.append(np.sum(rate * history.length) / np.sum(true * history.length) - 1.0)
        assert model.slope["steel"] == pytest.approx(_POWER, abs=0.3)
        assert model.own_shape == pytest.approx(1.0 / (np.exp(0.3**2) - 1.0), rel=0.6)
        assert abs(model.diameter_power) < 0.2
    assert 0.9 < np.mean(coverage) < 0.99
    assert abs(np.mean(errors)) < 0.04


def test_pipes_that_do_not_differ_are_not_told_apart() -> None:
    history, true = world(5, own=0.0, street=0.0)
    model = fit_breaks(history)
    assert min(model.own_shape, model.group_shape) > 15.0
    assert np.median(np.abs(model.rate(2026)[0] / true - 1.0)) < 0.15


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6), st.data())
def test_own_history_counts_and_age_makes_worse(seed: int, data: st.DataObject) -> None:
    history, _ = world(seed, n=300)
    pipe = data.draw(st.integers(0, 299))
    model = fit_breaks(history)
    assert (model.rate(2036)[0] > model.rate(2026)[0]).all()
    assert model.expected(2026, 2028) == pytest.approx(
        sum(model.rate(year)[0] for year in (2026, 2027, 2028)) * history.length
    )
    more = history.breaks.copy()
    more[pipe, -3:] += 2
    worse = BreakHistory(
        history.length, history.diameter, history.material, history.group, history.laid, history.first_year, more
    )
    assert fit_breaks(worse).rate(2026)[0][pipe] > model.rate(2026)[0][pipe]


def test_years_that_nobody_knows_and_records_that_say_nothing() -> None:
    history, _ = world(7)
    unknown = history.laid.copy()
    unknown[:200] = 0
    blind = BreakHistory(
        history.length, history.diameter, history.material, history.group, unknown, 2006, history.breaks
    )
    known, guessed = fit_breaks(history).rate(2026)[0], fit_breaks(blind).rate(2026)[0]
    assert np.isfinite(guessed).all()
    assert np.median(np.abs(guessed[200:] / known[200:] - 1.0)) < 0.1
    few = np.zeros((1500, 1), dtype=np.int64)
    few[:12] = 1
    short = BreakHistory(
        history.length, history.diameter, history.material, history.group, history.laid, 2025, few
    )  # fmt: skip
    with pytest.raises(NotEnoughData, match="12 breaks in 1 years"):
        fit_breaks(short)


def test_caught_counts_a_cut_pipe_by_its_part() -> None:
    length, expected = np.array([1.0, 1.0, 2.0]), np.array([4.0, 2.0, 2.0])
    assert caught(np.array([0, 1, 2]), length, expected, 0.25) == 0.5
    assert caught(np.array([2, 0, 1]), length, expected, 0.25) == 0.125
    assert caught(np.array([2, 1, 0]), length, expected, 1.0) == 1.0


def uman() -> tuple[BreakHistory, np.ndarray]:
    network = load("uman")
    pipes, breaks = network.pipes, network.breaks
    assert pipes is not None
    assert breaks is not None
    links = [network.model.get_link(name) for name in pipes["pipe"]]
    row = {name: k for k, name in enumerate(pipes["pipe"])}
    count = np.zeros((len(row), 20), dtype=np.int64)
    for pipe, month in zip(breaks["pipe"], breaks["month"], strict=True):
        count[row[pipe], int(month[:4]) - 2006] += 1
    history = BreakHistory(
        np.array([link.length for link in links]) / 1000.0, np.array([link.diameter for link in links]),
        tuple(pipes["material"]), tuple(pipes["street"]), pipes["year"].to_numpy(), 2006, count,
    )  # fmt: skip
    with _TRUTH.open(encoding="utf-8") as file:
        hidden = {line["pipe"]: float(line["breaks_per_km_year"]) for line in csv.DictReader(file)}
    return history, np.array([hidden[name] for name in pipes["pipe"]])


def test_ranking_of_uman_catches_what_an_oracle_would() -> None:
    history, hidden = uman()
    rate = fit_breaks(history).rate(2026)[0]
    expected = hidden * history.length
    oracle = caught(np.argsort(-hidden), history.length, expected, 0.2)
    ours = caught(np.argsort(-rate), history.length, expected, 0.2)
    by_age = caught(np.argsort(history.laid), history.length, expected, 0.2)
    assert ours >= 0.85 * oracle
    assert ours > 1.2 * by_age


def test_breaks_of_years_that_were_not_seen_are_foretold() -> None:
    history, _ = uman()
    model = fit_breaks(history.until(2020))
    came = history.breaks[:, 15:].sum(axis=1).astype(float)
    expected = model.expected(2021, 2025)
    assert expected.sum() == pytest.approx(came.sum(), rel=0.15)
    best = caught(np.argsort(-expected / history.length), history.length, came, 0.2)
    assert best > caught(np.argsort(history.laid), history.length, came, 0.2) > 0.2

"""Numbers with limits: laws of arithmetic, and Monte Carlo as the slow obvious twin."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.uncertain import Z95, Lack, Uncertain, add, divide, exact, multiply, stated, subtract, total

NUMBERS = st.floats(0.5, 50.0)
SMALL = st.floats(0.0, 0.02)


@given(NUMBERS, NUMBERS, NUMBERS, SMALL, SMALL, SMALL)
def test_a_formula_agrees_with_monte_carlo(a: float, b: float, c: float, ea: float, eb: float, ec: float) -> None:
    draw = np.random.default_rng(7).standard_normal((3, 20_000))
    x, y, z = (v * (1.0 + e / Z95 * d) for v, e, d in zip((a, b, c), (ea, eb, ec), draw, strict=True))
    u, v, w = (stated(n, q, e * q) for n, q, e in zip("xyz", (a, b, c), (ea, eb, ec), strict=True))
    found = (u - v * 0.3) / (u + w) + (w / 10.0) ** 1.5 - 2.0 / v
    twin = (x - y * 0.3) / (x + z) + (z / 10.0) ** 1.5 - 2.0 / y
    # the formula is of first order: where that cancels (here in y), what is left is of second
    second = max(ea, eb, ec) ** 2
    assert found.value == pytest.approx(float(np.mean(twin)), abs=0.1 * found.sd + second + 1e-9)
    assert found.sd == pytest.approx(float(np.std(twin)), rel=0.05, abs=second + 1e-9)


def test_what_enters_twice_is_one_error() -> None:
    a = stated("a", 10.0, 1.0)
    assert (a - a).sd == 0.0
    assert (a / a).sd == pytest.approx(0.0)
    assert (a + a).half == pytest.approx(2.0)
    assert (a + stated("b", 10.0, 1.0)).half == pytest.approx(math.sqrt(2.0))


@given(NUMBERS, NUMBERS, NUMBERS)
def test_sums_are_in_quadrature(a: float, b: float, c: float) -> None:
    parts = [stated(str(k), 1.0, half) for k, half in enumerate((a, b, c))]
    assert total(parts).half == pytest.approx(math.hypot(a, b, c))
    assert (1.0 - total(parts)).half == pytest.approx(math.hypot(a, b, c))
    assert sum(total(parts).shares.values()) == pytest.approx(1.0)


def test_limits_hold_the_truth_in_95_of_100() -> None:
    random = np.random.default_rng(3)
    held = [stated("x", 5.0 + random.normal(0.0, 1.0 / Z95), 1.0).covers(5.0) for _ in range(4000)]
    assert np.mean(held) == pytest.approx(0.95, abs=0.012)


def test_a_power_with_an_uncertain_exponent() -> None:
    found = stated("p", 40.0, 2.0) ** stated("n", 1.1, 0.05)
    random = np.random.default_rng(5)
    twin = (40.0 + random.normal(0, 2 / Z95, 200_000)) ** (1.1 + random.normal(0, 0.05 / Z95, 200_000))
    assert found.sd == pytest.approx(float(twin.std()), rel=0.05)


def test_what_lacks_an_input_says_so_and_names_each_once() -> None:
    one, lack, other = exact(1.0), Lack(("tariff",)), Lack(("tariff", "cost"))
    assert add(one, lack, other) == Lack(("tariff", "cost"))
    assert subtract(lack, one, other) == Lack(("tariff", "cost"))
    assert subtract(one, lack) == lack
    assert multiply(lack, one) == lack
    assert multiply(one, lack) == lack
    assert divide(other, lack) == Lack(("tariff", "cost"))
    assert divide(one, 0.0) == Lack(("divisor",))
    assert subtract(exact(3.0), one, one) == Uncertain(1.0)

"""Average run lengths against the published tables, and the kernels against both."""

import numpy as np
import pytest

from models.errors import WrongSetting
from models.scoring import Cusum, EwmaChart
from models.scoring.runlength import cusum_limit, cusum_run_length, ewma_limit, ewma_run_length

_SHIFTS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0)
# two-sided, k = 0.5, h = 4 and 5: J. M. Lucas and R. B. Crosier, Technometrics 24 (1982), as in D. C. Montgomery,
# Introduction to Statistical Quality Control, table 9.3
_CUSUM = {
    4.0: (168.0, 74.2, 26.6, 13.3, 8.38, 4.75, 3.34, 2.62, 2.19, 1.71),
    5.0: (465.0, 139.0, 38.0, 17.0, 10.4, 5.75, 4.01, 3.11, 2.57, 2.01),
}
# lambda, L: J. M. Lucas and M. S. Saccucci, Technometrics 32 (1990), as in Montgomery, table 9.11
_EWMA = {
    (0.40, 3.054): (500.0, 224.0, 71.2, 28.4, 14.3, 5.9, 3.5, 2.5, 2.0, 1.4),
    (0.25, 2.998): (500.0, 170.0, 48.2, 20.1, 11.1, 5.5, 3.6, 2.7, 2.3, 1.7),
    (0.20, 2.962): (500.0, 150.0, 41.8, 18.2, 10.5, 5.5, 3.7, 2.9, 2.4, 1.9),
    (0.10, 2.814): (500.0, 106.0, 31.3, 15.9, 10.3, 6.1, 4.4, 3.4, 2.9, 2.2),
    (0.05, 2.615): (500.0, 84.1, 28.8, 16.4, 11.4, 7.1, 5.2, 4.2, 3.5, 2.7),
}


@pytest.mark.parametrize("limit", list(_CUSUM))
def test_cusum_has_the_published_run_lengths(limit: float) -> None:
    found = [cusum_run_length(0.5, limit, shift) for shift in _SHIFTS]
    np.testing.assert_allclose(found, _CUSUM[limit], rtol=5e-3)  # they are printed with three digits


@pytest.mark.parametrize(("weight", "limit"), list(_EWMA))
def test_ewma_has_the_published_run_lengths(weight: float, limit: float) -> None:
    found = [ewma_run_length(weight, limit, shift) for shift in _SHIFTS]
    np.testing.assert_allclose(found, _EWMA[weight, limit], rtol=4e-3, atol=0.051)


@pytest.mark.parametrize("run_length", [50.0, 1e7])
def test_limits_give_the_run_length_back(run_length: float) -> None:
    for drift in (0.25, 1.0):
        assert cusum_run_length(drift, cusum_limit(drift, run_length)) == pytest.approx(run_length, rel=1e-6)
    for weight in (0.05, 0.3):
        assert ewma_run_length(weight, ewma_limit(weight, run_length)) == pytest.approx(run_length, rel=1e-6)


def test_a_limit_that_cannot_be_told_is_refused() -> None:
    for length in (0.5, 1e12):
        with pytest.raises(WrongSetting, match="run length"):
            cusum_limit(0.5, length)


@pytest.mark.parametrize(("shift", "rows"), [(0.0, 400_000), (1.0, 12_000)])
def test_the_kernels_run_as_long_as_they_should(shift: float, rows: int) -> None:
    """The mean of some thousand runs lies within four of its standard errors of the integral equation's."""
    rng = np.random.default_rng(11)
    chart = EwmaChart(weight=0.1, limit=2.814)
    cusum = Cusum(drift=0.5, limit=5.0)
    state, runs, begun = cusum.start(16), [], np.zeros(16, dtype=np.int64)
    for _ in range(4):
        state, alarms = cusum.alarms(state, rng.standard_normal((rows // 64, 16)) + shift)
        for step, channel in zip(alarms.step.tolist(), alarms.channel.tolist(), strict=True):
            runs.append(step + 1 - begun[channel])
            begun[channel] = step + 1
    # after an alarm only the side that alarmed is back at zero; the other then hardly matters
    assert len(runs) > 500
    assert np.mean(runs) == pytest.approx(cusum_run_length(0.5, 5.0, shift), rel=4.5 / np.sqrt(len(runs)))
    firsts = []
    for _ in range(max(rows // 8000, 20)):
        _, alarms = chart.alarms(chart.start(64), rng.standard_normal((6000 if shift == 0.0 else 200, 64)) + shift)
        _, first = np.unique(alarms.channel, return_index=True)
        assert len(first) == 64  # every channel's run ended
        firsts += (alarms.step[first] + 1).tolist()
    assert np.mean(firsts) == pytest.approx(ewma_run_length(0.1, 2.814, shift), rel=4.5 / np.sqrt(len(firsts)))

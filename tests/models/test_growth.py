"""Shapes of growth."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.growth import Growth, shape, shapes

_onset = st.floats(-20.0, 40.0)
_rise = st.one_of(st.just(0.0), st.floats(1.0, 60.0))
BLOCKS = np.arange(50, dtype=float)


def integral(block: float, onset: float, rise: float) -> float:
    """Mean over one block of the flow that is zero before the onset, then ((t - onset) / rise)^2, then one."""

    def until(time: float) -> float:
        since = max(0.0, time - onset)
        if rise == 0.0:
            return since
        return min(since, rise) ** 3 / (3.0 * rise**2) + max(0.0, since - rise)

    return until(block + 1.0) - until(block)


@settings(deadline=None)
@given(_onset, _rise)
def test_flow_is_a_share_that_never_falls(onset: float, rise: float) -> None:
    values = shape(BLOCKS, onset, rise)
    assert values.min() >= 0.0
    assert values.max() <= 1.0
    assert np.diff(values).min() >= -1e-12
    assert (values[onset >= BLOCKS + 1.0] == 0.0).all()
    assert values[onset + rise <= BLOCKS] == pytest.approx(1.0)


@settings(deadline=None)
@given(_onset, _rise)
def test_block_holds_the_mean_of_the_flow(onset: float, rise: float) -> None:
    expected = [integral(block, onset, rise) for block in BLOCKS]
    # the middle of a block stands for its mean: exact to a third of a step squared, and at the bend a little worse
    tolerance = 1e-9 if rise == 0.0 else 0.35 / rise
    np.testing.assert_allclose(shape(BLOCKS, onset, rise), expected, atol=tolerance)
    if rise > 1.0:
        whole = (onset <= BLOCKS) & (onset + rise >= BLOCKS + 1.0)
        np.testing.assert_allclose(
            shape(BLOCKS, onset, rise)[whole], np.array(expected)[whole], atol=1.0 / (12.0 * rise**2) + 1e-9
        )


@settings(deadline=None)
@given(_onset, _rise, st.floats(0.0, 10.0))
def test_a_later_onset_is_no_more_flow(onset: float, rise: float, later: float) -> None:
    assert (shape(BLOCKS, onset + later, rise) <= shape(BLOCKS, onset, rise) + 1e-12).all()


@settings(deadline=None)
@given(st.floats(-5.0, 30.0), _rise, st.floats(0.0, 0.1), st.floats(0.0, 60.0))
def test_growth_scales_and_ends(onset: float, rise: float, peak: float, end: float) -> None:
    growth = Growth(onset, rise, peak, end)
    flow = growth.flow(BLOCKS)
    endless = Growth(onset, rise, peak).flow(BLOCKS)
    np.testing.assert_allclose(endless, peak * shape(BLOCKS, onset, rise))
    assert (flow[end <= BLOCKS] == 0.0).all()
    assert np.array_equal(flow[end >= BLOCKS + 1.0], endless[end >= BLOCKS + 1.0])
    assert (flow <= endless).all()
    assert growth.kind == ("abrupt" if rise == 0 else "growing")


def test_abrupt_leak_in_the_middle_of_a_block() -> None:
    assert shape(np.arange(4.0), 1.25, 0.0).tolist() == [0.0, 0.75, 1.0, 1.0]


@pytest.mark.parametrize("n_blocks", [1, 6, 40])
@pytest.mark.parametrize("rises", [(), (4,), (3, 12, 60)])
def test_every_shape_is_seen_and_tried_once(n_blocks: int, rises: tuple[int, ...]) -> None:
    tried = shapes(n_blocks, rises)
    assert tried.values.shape == (n_blocks, len(tried.onset))
    assert len(tried.rise) == len(tried.onset)
    assert len({*zip(tried.onset.tolist(), tried.rise.tolist(), strict=True)}) == len(tried.onset)
    assert (tried.values[-1] > 0.0).all()
    assert set(tried.rise.tolist()) <= {0, *rises}
    assert 0 in tried.rise
    assert (tried.onset < n_blocks).all()
    assert (tried.onset >= -tried.rise.astype(float)).all()
    for onset, rise, values in zip(tried.onset, tried.rise, tried.values.T, strict=True):
        assert np.array_equal(values, shape(np.arange(n_blocks, dtype=float), onset, rise))


def test_abrupt_onsets_are_told_to_a_third() -> None:
    tried = shapes(5, (8,))
    abrupt = np.sort(tried.onset[tried.rise == 0])
    np.testing.assert_allclose(np.diff(abrupt), 1.0 / 3.0)
    assert abrupt[0] == 0.0
    assert abrupt[-1] > 4.5

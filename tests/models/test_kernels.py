"""The scan's kernel against its slow twin."""

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from models.kernels import best_shape
from tests import naive

Array = np.ndarray[Any, Any]


_tables = st.tuples(st.integers(0, 6), st.integers(1, 7)).flatmap(
    lambda shape: st.tuples(
        arrays(np.float64, shape, elements=st.one_of(st.floats(-50, 50, width=32), st.just(float("nan")))),
        arrays(np.float64, shape, elements=st.one_of(st.just(0.0), st.floats(0.125, 100, width=32))),
    )
)


@settings(deadline=None, max_examples=150)
@given(_tables, st.one_of(st.just(0.0), st.floats(0.01, 10.0)))
def test_best_shape_is_its_twin(tables: tuple[Array, Array], cost: float) -> None:
    match, energy = tables
    n = len(match)
    gain, flow, shape = np.full(n, -7.0), np.full(n, -7.0), np.full(n, -7, dtype=np.int64)
    best_shape(match, energy, cost, gain, shape, flow)
    gains, shapes, flows = naive.best_shape(match, energy, cost)
    # among equal gains the first shape counts, up to the last bit of rounding
    np.testing.assert_allclose(gain, gains, rtol=1e-9, atol=1e-9)
    told = np.array(gains) > 1e-9
    np.testing.assert_allclose(flow[told], np.array(flows)[told], rtol=1e-12)
    assert shape[told].tolist() == [s for s, one in zip(shapes, told, strict=True) if one]


def test_best_shape_without_positive_flow_is_none() -> None:
    match = np.array([[-3.0, -1.0], [0.0, 0.0], [2.0, np.nan], [2.0, 3.0]])
    energy = np.array([[1.0, 1.0], [1.0, 1.0], [0.0, 1.0], [1.0, 4.0]])
    gain, flow, shape = np.empty(4), np.empty(4), np.empty(4, dtype=np.int64)
    best_shape(match, energy, 0.0, gain, shape, flow)
    assert shape.tolist() == [-1, -1, -1, 0]
    assert gain.tolist() == [0.0, 0.0, 0.0, 2.0]
    assert flow.tolist() == [0.0, 0.0, 0.0, 2.0]

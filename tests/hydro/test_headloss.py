"""Friction and its derivative against single pipes that EPANET computes."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hydro.engine import Engine
from hydro.headloss import CHEZY_MANNING, DARCY_WEISBACH, GRAVITY, HAZEN_WILLIAMS, friction
from tests.hydro.inp import write_inp

LAWS = {"H-W": HAZEN_WILLIAMS, "D-W": DARCY_WEISBACH, "C-M": CHEZY_MANNING}
ROUGHNESS = {"H-W": (60.0, 110.0, 150.0), "D-W": (0.01, 0.3, 3.0), "C-M": (0.009, 0.013, 0.03)}
VISCOSITY = 1.1e-5 * 0.3048**2
FLOWS = np.geomspace(1e-6, 0.5, 40)


def reynolds(flow: np.ndarray, diameter: float) -> np.ndarray:
    return 4.0 * flow / (np.pi * diameter * VISCOSITY)


def of_epanet(path: Path, law: str, roughness: float, metres: float, millimetres: float, minor: float) -> np.ndarray:
    """Head loss of one pipe between a lake and a junction, m, for FLOWS."""
    body = (
        f"[JUNCTIONS]\n far 0 1\n[RESERVOIRS]\n lake 1000000\n"
        f"[PIPES]\n only lake far {metres} {millimetres} {roughness} {minor} Open\n"
    )
    with Engine(write_inp(path / "pipe.inp", body, "LPS", law)) as engine:
        engine.set_accuracy(1e-8)
        engine.freeze_demands()
        loss = []
        for flow in FLOWS:
            engine.set_demands(np.array([flow]))
            engine.start()
            engine.solve()
            head = engine.read("node", "head")
            loss.append(head[1] - head[0])
    return np.array(loss)


def arrays(flow: np.ndarray, *values: float) -> list[np.ndarray]:
    return [flow, *(np.full(len(flow), value) for value in values)]


@pytest.mark.parametrize("millimetres", [50.0, 150.0, 600.0])
@pytest.mark.parametrize("which", [0, 1, 2])
@pytest.mark.parametrize("law", list(LAWS))
def test_friction_is_epanets(law: str, which: int, millimetres: float, tmp_path: Path) -> None:
    roughness, metres = ROUGHNESS[law][which], 730.0
    expected = of_epanet(tmp_path, law, roughness, metres, millimetres, 0.0)
    si = roughness / 1000.0 if law == "D-W" else roughness
    loss, gradient = friction(*arrays(FLOWS, metres, millimetres / 1000.0, si, 0.0), LAWS[law])
    # below EPANET's least gradient a pipe is linear; a million metres of head leave 1e-8 m of rounding
    seen = (expected > 1e-4) & (expected < 1e5)
    assert seen.sum() >= 8
    np.testing.assert_allclose(loss[seen], expected[seen], rtol=1e-4)
    if law == "D-W":
        number = reynolds(FLOWS, millimetres / 1000.0)[seen]
        assert millimetres == 600.0 or number.min() < 2500.0 < 4000.0 < number.max()
    assert (gradient > 0.0).all()


@pytest.mark.parametrize("law", list(LAWS))
def test_minor_loss_is_in_the_gradient(law: str, tmp_path: Path) -> None:
    roughness, metres, millimetres, minor = ROUGHNESS[law][1], 20.0, 150.0, 12.0
    with_minor = of_epanet(tmp_path, law, roughness, metres, millimetres, minor)
    si = roughness / 1000.0 if law == "D-W" else roughness
    loss, gradient = friction(*arrays(FLOWS, metres, millimetres / 1000.0, si, minor), LAWS[law])
    seen = with_minor > 0.05
    velocity = FLOWS / (np.pi / 4.0 * 0.15**2)
    np.testing.assert_allclose(loss[seen] + (minor * velocity**2 / (2 * GRAVITY))[seen], with_minor[seen], rtol=2e-4)
    # the derivative of EPANET's own losses, by differences on the logarithmic grid of flows
    slope = np.gradient(with_minor, FLOWS)[1:-1]
    np.testing.assert_allclose(gradient[1:-1][seen[1:-1]], slope[seen[1:-1]], rtol=0.1)


@settings(deadline=None, max_examples=200)
@given(
    law=st.sampled_from(list(LAWS)),
    which=st.floats(0.0, 1.0),
    flow=st.floats(1e-4, 1.0),
    metres=st.floats(1.0, 3000.0),
    diameter=st.floats(0.04, 1.2),
    minor=st.floats(0.0, 20.0),
    forward=st.booleans(),
)
def test_gradient_is_the_derivative(
    law: str, which: float, flow: float, metres: float, diameter: float, minor: float, forward: bool
) -> None:
    low, _, high = ROUGHNESS[law]
    roughness = (low + which * (high - low)) * (1e-3 if law == "D-W" else 1.0)
    step = 1e-5 * flow
    bends = [number for number in (2000.0, 4000.0) if reynolds(flow - step, diameter) <= number]
    if law == "D-W" and len(bends) != sum(reynolds(flow + step, diameter) < number for number in (2000.0, 4000.0)):
        return  # pieces meet there, with a bend
    sign = 1.0 if forward else -1.0
    flows = sign * np.array([flow - step, flow, flow + step])
    loss, gradient = friction(*arrays(flows, metres, diameter, roughness, minor), LAWS[law])
    whole = loss + np.sign(flows) * minor * (flows / (np.pi / 4.0 * diameter**2)) ** 2 / (2.0 * GRAVITY)
    slope = (whole[2] - whole[0]) / (flows[2] - flows[0])
    assert gradient[1] == pytest.approx(slope, rel=1e-5, abs=1e-5)
    assert np.sign(loss[1]) == sign


@settings(deadline=None, max_examples=60)
@given(law=st.sampled_from(list(LAWS)), flow=st.just(0.0) | st.floats(1e-5, 1.0), factor=st.floats(0.2, 5.0))
def test_friction_is_odd_in_flow_and_linear_in_length(law: str, flow: float, factor: float) -> None:
    roughness = ROUGHNESS[law][1] * (1e-3 if law == "D-W" else 1.0)
    flows = np.array([flow, -flow])
    loss, gradient = friction(*arrays(flows, 100.0, 0.2, roughness, 3.0), LAWS[law])
    longer, _ = friction(*arrays(flows, 100.0 * factor, 0.2, roughness, 3.0), LAWS[law])
    assert loss[0] == -loss[1]
    assert gradient[0] == gradient[1]
    np.testing.assert_allclose(longer, factor * loss, rtol=1e-12)


@pytest.mark.parametrize("law", list(LAWS))
def test_still_water_has_no_loss_and_a_finite_gradient(law: str) -> None:
    roughness = ROUGHNESS[law][1] * (1e-3 if law == "D-W" else 1.0)
    loss, gradient = friction(*arrays(np.zeros(2), 100.0, 0.2, roughness, 3.0), LAWS[law])
    assert (loss == 0.0).all()
    assert (gradient > 0.0).all()
    assert np.isfinite(1.0 / gradient).all()

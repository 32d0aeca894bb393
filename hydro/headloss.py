"""Head loss of pipes and its derivative, with EPANET's own formulas and constants.

Source: L. Rossman et al., EPANET 2.2 User Manual (EPA/600/R-20/133), chapter 12, table 12.1; the constants are those
of EPANET's source (hydcoeffs.c), converted to SI.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_G = 9.80665
_FOOT = 0.3048
_VISCOSITY = 1.1e-5 * _FOOT**2  # m2/s, EPANET's default for water
# EPANET takes a pipe of a smaller gradient as linear; 1e-7 ft/(ft3/s)
_LEAST_GRADIENT = 1e-7 * _FOOT / _FOOT**3

HAZEN_WILLIAMS, DARCY_WEISBACH, CHEZY_MANNING = 0, 1, 2


def friction(
    flow: Floats, length: Floats, diameter: Floats, roughness: Floats, minor: Floats, law: int
) -> tuple[Floats, Floats]:
    """Friction loss of pipes and the derivative of the whole loss.

    Parameters
    ----------
    flow
        float64 [n], m3/s.
    length, diameter
        float64 [n], m.
    roughness
        float64 [n]: Hazen-Williams C, Darcy-Weisbach m, or Manning n.
    minor
        float64 [n], minor loss coefficient (of the velocity head).
    law
        EPANET's code of the head-loss formula.

    Returns
    -------
    loss : float64 [n], m
        Friction loss without minor losses, with the sign of the flow.
    gradient : float64 [n], m per m3/s
        Derivative of friction and minor loss by flow, never less than EPANET's own floor.
    """
    q = np.abs(flow)
    area = np.pi / 4.0 * diameter**2
    if law == HAZEN_WILLIAMS:
        exponent = np.full_like(q, 1.852)
        d_foot, q_foot = diameter / _FOOT, q / _FOOT**3
        loss = 4.727 * (length / _FOOT) / (roughness**1.852 * d_foot**4.871) * q_foot**1.852 * _FOOT
    elif law == CHEZY_MANNING:
        exponent = np.full_like(q, 2.0)
        d_foot, q_foot = diameter / _FOOT, q / _FOOT**3
        # 1.49 and 1.333 are EPANET's; the manual's 4.66 and 5.33 are rounded further
        resistance = (4.0 * roughness / (1.49 * np.pi * d_foot**2)) ** 2 * (d_foot / 4.0) ** -1.333
        loss = resistance * (length / _FOOT) * q_foot**2 * _FOOT
    else:
        reynolds = np.maximum(q / area * diameter / _VISCOSITY, 1e-6)
        factor, slope = _swamee_jain(reynolds, roughness / diameter)
        exponent = 2.0 + slope
        loss = factor * length / diameter * (q / area) ** 2 / (2.0 * _G)
    local = minor * (q / area) ** 2 / (2.0 * _G)
    with np.errstate(divide="ignore", invalid="ignore"):
        gradient = np.where(q > 0.0, (exponent * loss + 2.0 * local) / q, 0.0)
    return np.sign(flow) * loss, np.maximum(gradient, _LEAST_GRADIENT)


def _swamee_jain(reynolds: Floats, relative_roughness: Floats) -> tuple[Floats, Floats]:
    """Friction factor and d ln f / d ln Re; laminar below 2000 (EPANET's cubic in between is bridged)."""
    argument = relative_roughness / 3.7 + 5.74 / reynolds**0.9
    logarithm = np.log10(argument)
    turbulent = 0.25 / logarithm**2
    slope = -2.0 / logarithm * (-0.9 * 5.74 / reynolds**0.9 / argument) / np.log(10.0)
    laminar = reynolds < 2000.0
    return np.where(laminar, 64.0 / reynolds, turbulent), np.where(laminar, -1.0, slope)

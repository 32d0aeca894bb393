"""Head loss of pipes and its derivatives, with EPANET's own formulas and constants.

Source: L. Rossman et al., EPANET 2.2 User Manual (EPA/600/R-20/133), chapter 12, table 12.1; the constants are those
of EPANET's source (hydcoeffs.c), converted to SI.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float64]

FOOT = 0.3048
CUBIC_FOOT = FOOT**3
GRAVITY = 32.2 * FOOT  # m/s2; EPANET's
GRADIENT = FOOT / CUBIC_FOOT  # m per m3/s in EPANET's ft per ft3/s
VISCOSITY = 1.1e-5 * FOOT**2  # m2/s, EPANET's default for water
# EPANET takes a pipe of a smaller gradient as linear (RQTOL)
LEAST_GRADIENT = 1e-7 * GRADIENT

HAZEN_WILLIAMS, DARCY_WEISBACH, CHEZY_MANNING = 0, 1, 2


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def resistances(law: int, length: Floats, diameter: Floats, roughness: Floats, minor: Floats) -> Any:
    """What EPANET computes once for every pipe.

    Returns
    -------
    resistance : float64 [n]
        Friction loss, m, per m3/s to the power of the law's exponent; without the friction factor in Darcy-Weisbach.
    local : float64 [n], minor loss, m per (m3/s)2
    """
    n = len(length)
    resistance, local = np.empty(n), np.empty(n)
    for k in range(n):
        d, area = diameter[k], math.pi / 4.0 * diameter[k] ** 2
        feet = d / FOOT
        if law == HAZEN_WILLIAMS:
            base = 4.727 / (roughness[k] ** 1.852 * feet**4.871)
            resistance[k] = base * length[k] / CUBIC_FOOT**1.852
        elif law == CHEZY_MANNING:
            # 1.49 and 1.333 are EPANET's; the manual's 4.66 and 5.33 are rounded further
            base = (4.0 * roughness[k] / (1.49 * math.pi * feet**2)) ** 2 * (feet / 4.0) ** -1.333
            resistance[k] = base * length[k] / CUBIC_FOOT**2
        else:
            resistance[k] = length[k] / (2.0 * GRAVITY * d * area**2)
        local[k] = minor[k] / (2.0 * GRAVITY * area**2)
    return resistance, local


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def _darcy_weisbach(q: float, resistance: float, diameter: float, relative: float, viscosity: float) -> Any:
    """Friction loss, m, its derivative by flow, and d ln loss / d ln roughness.

    Hagen-Poiseuille up to Re = 2000, Swamee-Jain from 4000, between them the cubic of E. Dunlop.
    """
    unit = viscosity * diameter * math.pi / 4.0  # flow of Re = 1
    reynolds = q / unit
    if reynolds <= 2000.0:
        slope = 64.0 * unit * resistance
        return slope * q, slope, 0.0
    if reynolds >= 4000.0:
        tail = 5.74 / reynolds**0.9
        inside = relative / 3.7 + tail
        y = -2.0 / math.log(10.0) * math.log(inside)
        factor = 1.0 / y**2
        by_inside = 4.0 / math.log(10.0) / y  # d ln f / d ln inside
        slope = resistance * factor * q * (2.0 - 0.9 * by_inside * tail / inside)
        return resistance * factor * q * q, slope, by_inside * relative / 3.7 / inside
    factor, by_r, by_e = _transition(reynolds / 2000.0, relative)
    slope = resistance * q * (2.0 * factor + by_r * reynolds / 2000.0)
    return resistance * factor * q * q, slope, by_e / factor


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def _transition(r: float, relative: float) -> Any:
    """Friction factor between Re = 2000 and 4000, its derivative by r = Re / 2000 and by the logarithm of roughness."""
    tail = 5.74 / 4000.0**0.9
    # EPANET's constants carry these two by name: AC = -1.8 x 2 / ln 10 x tail
    bend = -2.0 * 0.9 * 2.0 / math.log(10.0) * tail
    inside = relative / 3.7 + tail
    y = -2.0 / math.log(10.0) * math.log(inside)
    fa = 1.0 / y**2
    ratio = 2.0 + bend / (inside * y)
    fb = ratio * fa
    # by the logarithm of the relative roughness
    d_inside = relative / 3.7
    d_y = -2.0 / math.log(10.0) * d_inside / inside
    d_fa = -2.0 * fa / y * d_y
    d_fb = d_fa * ratio - fa * bend / (inside * y) * (d_inside / inside + d_y / y)
    x = (7.0 * fa - fb, 0.128 - 17.0 * fa + 2.5 * fb, -0.128 + 13.0 * fa - 2.0 * fb, 0.032 - 3.0 * fa + 0.5 * fb)
    d = (7.0 * d_fa - d_fb, -17.0 * d_fa + 2.5 * d_fb, 13.0 * d_fa - 2.0 * d_fb, -3.0 * d_fa + 0.5 * d_fb)
    factor = x[0] + r * (x[1] + r * (x[2] + r * x[3]))
    by_r = x[1] + r * (2.0 * x[2] + r * 3.0 * x[3])
    return factor, by_r, d[0] + r * (d[1] + r * (d[2] + r * d[3]))


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def pipe_loss(
    law: int, flow: float, resistance: float, local: float, diameter: float, roughness: float, viscosity: float,
    linear: float,
) -> Any:  # fmt: skip
    """Friction loss of a pipe with its derivatives.

    Parameters
    ----------
    linear
        Gradient of a pipe that takes next to no water: EPANET's RQTOL, divided by the exponent since 2.3.

    Returns
    -------
    loss : float64, m
        Friction loss without minor losses, with the sign of the flow.
    gradient : float64, m per m3/s
        Derivative of friction and minor loss by flow.
    share : float64
        Derivative of the logarithm of friction by that of the length: 1, or 0 where EPANET takes the pipe as linear.
    power : float64
        Derivative of the logarithm of friction by that of the roughness coefficient.
    """
    q, share = abs(flow), 1.0
    if law == DARCY_WEISBACH:
        loss, slope, power = _darcy_weisbach(q, resistance, diameter, roughness / diameter, viscosity)
    else:
        exponent = 1.852 if law == HAZEN_WILLIAMS else 2.0
        slope = exponent * resistance * q ** (exponent - 1.0)
        loss = slope * q / exponent
        power = -1.852 if law == HAZEN_WILLIAMS else 2.0
        if slope < LEAST_GRADIENT:
            loss, slope, share, power = linear * q, linear, 0.0, 0.0
    return (loss if flow >= 0.0 else -loss), slope + 2.0 * local * q, share, power


@njit(cache=True, error_model="numpy", nogil=True)  # type: ignore[untyped-decorator]
def _losses(
    law: int, flow: Floats, resistance: Floats, local: Floats, diameter: Floats, roughness: Floats, linear: float
) -> Any:
    loss, gradient = np.empty(len(flow)), np.empty(len(flow))
    for k in range(len(flow)):
        loss[k], gradient[k], _, _ = pipe_loss(
            law, flow[k], resistance[k], local[k], diameter[k], roughness[k], VISCOSITY, linear
        )
    return loss, gradient


def friction(
    flow: Floats, length: Floats, diameter: Floats, roughness: Floats, minor: Floats, law: int
) -> tuple[Floats, Floats]:
    """Friction loss of pipes and the derivative of the whole loss, at EPANET's default viscosity.

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
        Derivative of friction and minor loss by flow.
    """
    resistance, local = resistances(law, length, diameter, roughness, minor)
    loss, gradient = _losses(law, flow, resistance, local, diameter, roughness, least_gradient(law, "2.3"))
    return loss, gradient


def least_gradient(law: int, library: str) -> float:
    """Gradient of a pipe that EPANET takes as linear, m per m3/s; version 2.3 divides it by the law's exponent."""
    exponent = 1.852 if law == HAZEN_WILLIAMS else 2.0
    return LEAST_GRADIENT / exponent if library == "2.3" else LEAST_GRADIENT

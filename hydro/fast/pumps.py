"""What EPANET makes of a pump's curve."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from hydro.fast.model import Units

CONSTANT_POWER, POWER_LAW, CUSTOM, NO_CURVE = range(4)
_NO_LIMIT = 1e10
_TINY = 1e-6


class Pump(NamedTuple):
    """Head gain = -shutoff - resistance x flow^exponent at full speed, ft and ft3/s.

    Attributes
    ----------
    kind
        `CONSTANT_POWER`, `POWER_LAW`, `CUSTOM` (segments of `curve`) or `NO_CURVE`.
    highest
        Head that the pump cannot exceed at full speed.
    first_flow
        Flow at which the iteration begins.
    """

    kind: int
    curve: int
    shutoff: float
    resistance: float
    exponent: float
    highest: float
    first_flow: float


def pump_of(number: int, points: list[tuple[float, float]], power: float, units: Units) -> Pump:
    """Fit a pump's curve as EPANET does (validate.c).

    Parameters
    ----------
    number
        Of the curve, -1 without one.
    points
        Flow and head of the curve in the file's units.
    power
        Horsepower of a pump of constant power.
    """
    if not points:
        if power > 0.0:
            return Pump(CONSTANT_POWER, -1, 0.0, -8.814 * power, -1.0, _NO_LIMIT, 1.0)
        return Pump(NO_CURVE, -1, 0.0, 0.0, 1.0, _NO_LIMIT, 1.0)
    flow, head = (np.array([point[k] for point in points]) for k in (0, 1))
    if len(points) == 1:
        flow, head = np.array([0.0, flow[0], 2.0 * flow[0]]), np.array([1.33334 * head[0], head[0], 0.0])
    elif len(points) != 3 or flow[0] != 0.0:
        middle = (flow[0] + flow[-1]) / 2.0 / units.flow
        return Pump(CUSTOM, number, 0.0, 0.0, 1.0, float(head[0]) / units.head, float(middle))
    exponent = float(np.log((head[0] - head[2]) / (head[0] - head[1])) / np.log(flow[2] / flow[1]))
    factor = float(head[0] - head[1]) / float(flow[1]) ** exponent
    return Pump(
        POWER_LAW, number, -float(head[0]) / units.head, factor * units.flow**exponent / units.head, exponent,
        float(head[0]) / units.head, float(flow[1]) / units.flow,
    )  # fmt: skip

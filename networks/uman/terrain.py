"""Ground, rivers and outline of the synthetic Uman: analytic, so that every height can be checked by hand.

Local coordinates are km east (x) and north (y) of the city's centre. Known and honoured: the centre at 166 m above sea
level on a low divide between two deeply cut rivers, ground of 200 m and more to the west. Courses and depths of the
valleys are assumed.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

CENTRE_UTM = (295_658.5, 5_403_393.6)  # 48.75 N, 30.22 E in EPSG:32636
CENTRE_HEIGHT = 166.0

KAMIANKA = np.array(
    [(-5.2, 2.7), (-3.6, 2.5), (-2.2, 2.2), (-0.8, 1.75), (1.1, 1.5), (2.2, 0.95), (3.4, 0.0), (5.2, -0.9)]
)
UMANKA = np.array([(-4.6, -3.4), (-2.9, -2.3), (-1.3, -1.6), (0.2, -1.35), (1.6, -1.15), (2.6, -0.6), (3.4, 0.0)])
SOFIIVKA = (1.0, 1.95)  # the park's quarter, on the Kamianka
RAILWAY = (1.72, 0.72)  # the station
BABANKA = (16.5, -5.5)
BABANKA_HEIGHT = 185.0

_VALLEY_DEPTH, _VALLEY_WIDTH = 25.0, 0.42
_HILL_WIDTH = 2.5


def distance_to(line: Floats, points: Floats) -> Floats:
    """Distance of points to a polyline, km.

    Parameters
    ----------
    line
        float64 [k, 2].
    points
        float64 [n, 2].

    Returns
    -------
    float64 [n]
    """
    nearest = np.full(len(points), np.inf)
    for a, b in pairwise(line):
        along = np.clip((points - a) @ (b - a) / ((b - a) @ (b - a)), 0.0, 1.0)
        foot = a + along[:, None] * (b - a)
        nearest = np.minimum(nearest, np.hypot(*(points - foot).T))
    return nearest


def river_distance(points: Floats) -> Floats:
    """Distance to the nearer river, float64 [n], km."""
    return np.minimum(distance_to(KAMIANKA, points), distance_to(UMANKA, points))


def height(points: Floats) -> Floats:
    """Height of the ground, float64 [n], m above sea level.

    A plane that rises to the west and falls gently to the east, less two valleys, plus a swell of two metres; a hill at
    Babanka.
    """
    x, y = points.T
    plane = CENTRE_HEIGHT + 7.6 * np.log1p(np.exp(-2.0 * x)) / 2.0 - 7.6 * np.log(2.0) / 2.0
    plane = plane - 7.0 * np.tanh(np.maximum(x, 0.0) / 3.0)
    swell = 2.0 * np.sin(1.7 * x) * np.cos(1.3 * y)
    valley = _VALLEY_DEPTH * np.exp(-((river_distance(points) / _VALLEY_WIDTH) ** 2))
    away = np.hypot(x - BABANKA[0], y - BABANKA[1])
    hill = np.exp(-((away / _HILL_WIDTH) ** 2))
    ground: Floats = (plane + swell - valley) * (1.0 - hill) + BABANKA_HEIGHT * hill
    return ground


def is_city(points: Floats) -> Bools:
    """Whether streets may be there: inside the outline and off the rivers' banks, bool [n]."""
    x, y = points.T
    angle = np.arctan2(y / 2.85, (x + 0.7) / 4.1)
    radius = np.hypot((x + 0.7) / 4.1, y / 2.85)
    outline = 0.94 + 0.07 * np.sin(3.0 * angle + 0.6) + 0.05 * np.cos(5.0 * angle)
    inside: Bools = (radius < outline) & (river_distance(points) > 0.04)
    return inside


def to_utm(points: Floats) -> Floats:
    """UTM 36N coordinates, float64 [n, 2], m, of local ones."""
    return np.round(np.asarray(CENTRE_UTM) + 1000.0 * points, 1)

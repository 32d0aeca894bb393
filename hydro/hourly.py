"""Demand by zone and hour, once shares and withdrawals are known."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hydro.fitdata import Data
from hydro.identifiability import Posterior
from hydro.parameters import Beliefs

Floats = NDArray[np.float64]


def metered_shares(data: Data, share: Floats) -> Floats:
    """Factors on junctions' demand, those of customers' meters from what they read, float64 [n_junctions]."""
    metered = np.flatnonzero(data.sharing.metered)
    read, nominal = data.drive.demand[:, metered], data.nominal[:, metered]
    there = np.isfinite(read)
    above, below = np.where(there, read, 0.0).sum(axis=0), np.where(there, nominal, 0.0).sum(axis=0)
    found = share.copy()
    found[metered] = np.divide(above, below, out=np.ones(len(metered)), where=below > 0.0)
    return found


def hour_factors(data: Data, theta: Floats, share: Floats, found: Posterior, beliefs: Beliefs) -> tuple[Floats, Floats]:
    """Factor on each zone's demand in each class of hours, and its deviation, float64 [n_classes, n_zones].

    What a zone takes is what its customers' meters read and, of the rest that its district usually takes beyond them,
    its share; in a district that is not closed, what the fit made of the nominal demand. The factor is on nominal
    demand times the junctions' own factors.

    Parameters
    ----------
    share
        float64 [n_junctions], factor on each junction's demand.
    """
    layout, metered = data.layout, data.sharing.metered
    zone = layout.slices[3]
    n_classes, n_zones = len(layout.hours.names), len(layout.zones.names)
    own = np.exp(theta[zone].reshape(n_classes, n_zones))
    own_deviation = (beliefs.zone * np.sqrt(found.ratio[zone])).reshape(n_classes, n_zones)
    members = layout.zones.members
    nominal, read = _by_hour(data, data.nominal), _by_hour(data, data.drive.demand)
    shared = nominal * share
    take, variance = np.zeros((n_classes, n_zones)), np.zeros((n_classes, n_zones))
    for number, district in enumerate(data.model.districts):
        inside = np.zeros(len(share), dtype=bool)
        inside[district.junctions] = True
        free = inside & ~metered
        take += read[:, inside & metered] @ members[inside & metered]
        level = shared[:, free] @ members[free] * own
        if number in data.usual:
            known = data.usual[number]
            total = known.factor * nominal[:, free].sum(axis=1)
            whole = level.sum(axis=1)
            level = level * np.divide(total, whole, out=np.zeros(n_classes), where=whole > 0.0)[:, None]
            relative = np.where(known.factor > 0.0, known.deviation / np.maximum(known.factor, 1e-9), 1.0)
            variance += (level * np.minimum(relative, 1.0)[:, None]) ** 2
        # a zone that is a whole closed district owes nothing to the fit
        if number not in data.usual or len(np.unique(layout.zones.of[district.junctions])) > 1:
            variance += (level * own_deviation) ** 2
        take += level
    below = shared @ members
    safe = np.where(below > 0.0, below, 1.0)
    return np.where(below > 0.0, take / safe, 1.0), np.sqrt(variance) / safe


def _by_hour(data: Data, values: Floats) -> Floats:
    """Mean of each class of hours, float64 [n_classes, n_junctions]; the mean of all where a class was not seen."""
    hour = data.layout.hours.at(data.drive.times)
    there = np.isfinite(values)
    filled = np.where(there, values, 0.0)
    n = len(data.layout.hours.names)
    total, count = np.zeros((n, values.shape[1])), np.zeros((n, values.shape[1]))
    np.add.at(total, hour, filled)
    np.add.at(count, hour, there)
    mean = filled.sum(axis=0) / np.maximum(there.sum(axis=0), 1)
    return np.asarray(np.where(count > 0, total / np.maximum(count, 1), mean))

"""Groups of pipes that age alike, and zones and hours whose demand goes together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hydro.driven import DrivenModel
from networks import Network

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wntr.network import WaterNetworkModel

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_DECADES = 20  # years in a class of age
_SIZES_MM = (110, 210, 410)  # borders between classes of diameter
_MOST_GROUPS = 40
_FEW = 5  # pipes: a smaller group is joined to those of its material or its size
_WEEK = pd.Timedelta("14D")


@dataclass(frozen=True, slots=True)
class Groups:
    """A partition of pipes or junctions.

    Attributes
    ----------
    names
        [n_groups].
    of
        int64 [n_elements], number of each element's group.
    """

    names: tuple[str, ...]
    of: Ints

    @property
    def members(self) -> Floats:
        """float64 [n_elements, n_groups], 1 where an element belongs to a group."""
        return np.eye(len(self.names))[self.of]

    @property
    def counts(self) -> Ints:
        """int64 [n_groups]."""
        return np.bincount(self.of, minlength=len(self.names)).astype(np.int64)


def _partition(labels: Sequence[str]) -> Groups:
    names = sorted(set(labels))
    number = {name: k for k, name in enumerate(names)}
    return Groups(tuple(names), np.array([number[label] for label in labels], dtype=np.int64))


def pipe_groups(network: Network | WaterNetworkModel, model: DrivenModel) -> Groups:
    """Group pipes by material and age where a table tells them, else by the INP's roughness and diameter.

    Groups of fewer than five pipes are joined to the rest of their material or roughness.
    """
    engine, pipes = model.engine, model.topology.pipes
    diameter = 1000.0 * engine.read("link", "diameter")[pipes]
    sizes = [_size(d) for d in diameter.tolist()]
    table = network.pipes if isinstance(network, Network) else None
    known = (
        {}
        if table is None
        else dict(zip(table["pipe"], zip(table["material"], table["year"], strict=True), strict=True))
    )
    names = [model.topology.links[k] for k in pipes.tolist()]
    roughness = engine.read("link", "roughness")[pipes].tolist()
    coarse, fine = [], []
    for name, size, value in zip(names, sizes, roughness, strict=True):
        if name in known:
            material, year = known[name]
            coarse.append(str(material))
            fine.append(
                f"{material}, {int(year) // _DECADES * _DECADES}-{int(year) // _DECADES * _DECADES + _DECADES - 1}"
            )
        else:
            coarse.append(f"roughness {value:g}")
            fine.append(f"roughness {value:g}, {size}")
    few = {label for label in set(fine) if fine.count(label) < _FEW}
    labels = [c if f in few else f for f, c in zip(fine, coarse, strict=True)]
    if len(set(labels)) > _MOST_GROUPS:  # an INP whose every pipe was calibrated before has as many roughnesses
        labels = sizes
    return _partition(labels)


def _size(diameter_mm: float) -> str:
    below = [limit for limit in _SIZES_MM if diameter_mm < limit]
    if not below:
        return f"from {_SIZES_MM[-1]} mm"
    return (
        f"below {below[0]} mm"
        if below[0] == _SIZES_MM[0]
        else f"{_SIZES_MM[_SIZES_MM.index(below[0]) - 1]}-{below[0]} mm"
    )


def demand_zones(network: Network | WaterNetworkModel, model: DrivenModel) -> Groups:
    """Zones of junctions: DMAs where a table tells them, else the districts that the meters cut out."""
    table = network.nodes if isinstance(network, Network) else None
    dma = {} if table is None else dict(zip(table["node"], table["dma"], strict=True))
    district = [""] * len(model.engine.junctions)
    for part in model.districts:
        for k in part.junctions.tolist():
            district[k] = part.name
    names = [model.topology.nodes[k] for k in model.engine.junctions.tolist()]
    return _partition([dma.get(name) or f"district {own}" for name, own in zip(names, district, strict=True)])


@dataclass(frozen=True, slots=True)
class Hours:
    """Classes of time: hours of the day, of working days and weekends apart where there are weeks enough to tell.

    Attributes
    ----------
    has_weekend
        Whether weekends have classes of their own.
    """

    has_weekend: bool

    @classmethod
    def of(cls, times: pd.DatetimeIndex) -> Hours:
        """Choose by the length of a record."""
        return cls(bool(len(times)) and times[-1] - times[0] >= _WEEK)

    @property
    def names(self) -> tuple[str, ...]:
        """Such as "Mon-Fri 07"."""
        days = ("Mon-Fri", "Sat-Sun") if self.has_weekend else ("daily",)
        return tuple(f"{day} {hour:02d}" for day in days for hour in range(24))

    def number(self, day: Ints, hour: Ints) -> Ints:
        """Class of an hour of a weekday (0 is Monday)."""
        return np.asarray(hour + 24 * (day >= 5) if self.has_weekend else hour, dtype=np.int64)

    def at(self, times: pd.DatetimeIndex) -> Ints:
        """Class of each time."""
        return self.number(times.day_of_week.to_numpy(dtype=np.int64), times.hour.to_numpy(dtype=np.int64))

"""Who takes water, how much and when."""

from __future__ import annotations

import datetime as dt

import numpy as np
from numpy.typing import NDArray

from networks.uman.plan import Plan

Floats = NDArray[np.float64]

CONNECTIONS = 17_000
CONSUMPTION_M3D = 8_700.0  # of 14,000 supplied: 38 % are lost
_SHARES = {"residential": 0.76, "commercial": 0.13, "industrial": 0.11}
_LEAST, _MOST = 520, 1_450  # connections of a small block
_DENSITY = {"high": 1.15, "mixed": 1.0, "low": 0.9, "sofiivka": 1.0, "village": 0.75}
_TYPICAL: dict[str, tuple[int, ...]] = {  # storeys of a quarter's houses
    "high": (1, 2, 5, 5, 9), "mixed": (1, 2, 3, 5), "low": (1, 1, 2, 5), "sofiivka": (1, 2, 5), "village": (1, 1, 2),
}  # fmt: skip
_WEAK = 0.03  # share of nodes with a house higher than its pressure allows
_HEAD_LOSS = 6.0  # m, allowed from a block's inlet to its far end
_WORKS = 14  # industrial customers

_HOME = (
    0.42, 0.34, 0.30, 0.29, 0.33, 0.52, 1.02, 1.52, 1.46, 1.22, 1.08, 1.02,
    1.04, 1.02, 0.98, 0.98, 1.06, 1.22, 1.46, 1.62, 1.56, 1.30, 0.96, 0.62,
)  # fmt: skip
_SHOP = (
    0.25, 0.22, 0.20, 0.20, 0.22, 0.30, 0.55, 1.05, 1.55, 1.75, 1.80, 1.80,
    1.75, 1.75, 1.70, 1.65, 1.55, 1.35, 1.10, 0.90, 0.70, 0.50, 0.35, 0.28,
)  # fmt: skip
_WORK = (
    0.55, 0.55, 0.55, 0.55, 0.60, 0.80, 1.10, 1.35, 1.45, 1.45, 1.45, 1.40,
    1.35, 1.45, 1.45, 1.40, 1.25, 1.05, 0.95, 0.90, 0.85, 0.75, 0.65, 0.60,
)  # fmt: skip
_PILGRIM = (
    0.70, 0.55, 0.45, 0.45, 0.60, 0.95, 1.40, 1.50, 1.35, 1.15, 1.00, 1.05,
    1.10, 1.00, 0.95, 1.00, 1.10, 1.25, 1.35, 1.30, 1.20, 1.10, 0.95, 0.80,
)  # fmt: skip
PILGRIMS_M3D = 1_500.0  # about 30,000 people for a week, assumed at 50 L a day
PILGRIM_QUARTER = "sofiivka"


def populate(plan: Plan, random: np.random.Generator) -> None:
    """Give every street junction its houses, connections and demand."""
    frontage = dict.fromkeys(plan.nodes, 0.0)
    for pipe in plan.street_pipes:
        frontage[pipe.start] += 0.5 * pipe.length
        frontage[pipe.end] += 0.5 * pipe.length
    kinds = {b.name: b for b in plan.blocks}
    length = {b: sum(frontage[n.name] for n in plan.nodes.values() if n.dma == b) for b in kinds}
    weight = {b: length[b] * _DENSITY[kinds[b].kind] for b in kinds}
    wanted = _clipped(np.array(list(weight.values())), CONNECTIONS, _LEAST, _MOST)
    for (name, block), count in zip(kinds.items(), wanted.tolist(), strict=True):
        members = [n for n in plan.nodes.values() if n.dma == name and frontage[n.name] > 0.0]
        each = rounded(np.array([frontage[n.name] for n in members]), count)
        for node, k in zip(members, each.tolist(), strict=True):
            node.connections = int(k)
            node.storeys = _storeys(block.head - node.height, block.kind, random)
    _share_out(plan, random)


def _storeys(pressure: float, kind: str, random: np.random.Generator) -> int:
    """Storeys of a place's houses: what its pressure allows, in most places less."""
    allowed = int((pressure - _HEAD_LOSS - 10.0) // 4.0) + 1
    drawn = int(random.choice(_TYPICAL[kind]))
    if random.uniform() < _WEAK:
        return max(1, min(9, allowed + 2))
    return max(1, min(drawn, allowed))


def _share_out(plan: Plan, random: np.random.Generator) -> None:
    homes = [n for n in plan.nodes.values() if n.connections > 0]
    people = np.array([n.connections * (1.0 + 0.55 * (n.storeys - 1)) for n in homes])
    people *= random.lognormal(0.0, 0.12, len(homes))
    trade = np.array([n.connections * (3.0 if random.uniform() < 0.12 else 0.15) for n in homes])
    works = np.zeros(len(homes))
    works[random.choice(len(homes), _WORKS, replace=False)] = random.lognormal(0.0, 0.6, _WORKS)
    for kind, weight in (("residential", people), ("commercial", trade), ("industrial", works)):
        total = CONSUMPTION_M3D * _SHARES[kind]
        for node, value in zip(homes, (total * weight / weight.sum()).tolist(), strict=True):
            setattr(node, kind, round(value, 3))


def _clipped(weight: Floats, total: int, least: int, most: int) -> NDArray[np.int64]:
    """Shares of a total between limits."""
    share = total * weight / weight.sum()
    for _ in range(50):
        share = np.clip(share, least, most)
        free = (share > least) & (share < most)
        share[free] *= 1.0 + (total - share.sum()) / share[free].sum()
    return rounded(share, total)


def rounded(weight: Floats, total: int) -> NDArray[np.int64]:
    """Whole numbers that add up, by largest remainder."""
    exact = total * weight / weight.sum()
    whole: NDArray[np.int64] = np.floor(exact).astype(np.int64)
    rest = np.argsort(-(exact - whole), kind="stable")[: total - int(whole.sum())]
    whole[rest] += 1
    return whole


def week(kind: str) -> list[float]:
    """Multipliers of 168 hours from Monday, mean 1; a pilgrim's week has mean 1 as well."""
    day = np.array({"residential": _HOME, "commercial": _SHOP, "industrial": _WORK, "pilgrimage": _PILGRIM}[kind])
    late = np.roll(day, 1)
    weekend = {"residential": 1.08 * late, "commercial": 0.75 * day, "industrial": 0.45 * day, "pilgrimage": day}[kind]
    values = np.concatenate([day] * 5 + [weekend, 0.97 * weekend])
    return [round(float(v), 4) for v in values / values.mean()]


def season(day: dt.date) -> float:
    """Total demand against the year's mean: gardens in July, less in winter (assumed +-8 %)."""
    return float(1.0 + 0.08 * np.cos(2.0 * np.pi * (day.timetuple().tm_yday - 196) / 365.25))


def pilgrimage(day: dt.date) -> float:
    """Share of the pilgrims that are in the city: a week around the Jewish new year, rising and falling.

    The feast wanders between early September and early October; it is fixed here at 11 to 18 September (assumed).
    """
    offset = (day - dt.date(day.year, 9, 11)).days
    shape = (0.35, 0.7, 1.0, 1.0, 1.0, 0.7, 0.4, 0.15)
    return shape[offset] if 0 <= offset < len(shape) else 0.0

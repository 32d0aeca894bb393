"""What the pipes are made of, how rough and leaky they are, and how often they broke."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from networks.uman.plan import Plan, PlanPipe

LEAKAGE_M3D = 5_300.0  # what the model holds for background: all real losses, since nobody knows the single leaks
TODAY = 2026
_COEFFICIENT = 0.6  # EPANET 2.3's discharge coefficient of [LEAKAGE]
_EXPANSION = 0.015  # growth of the leaks' area per m of head, share
_BREAK_YEARS = 20
_BREAK_MONTHS = (1, 2, 3, 11, 12, 4, 7, 9)  # more of them in winter


@dataclass(frozen=True, slots=True)
class Material:
    """A pipe material: laid in these years, with this share; how it ages, leaks and breaks.

    Attributes
    ----------
    new, loss
        Hazen-Williams C when new, and what a year takes off it.
    leak
        Relative leak area per length.
    breaks
        Breaks per km and year at 50 years of age; 13 per 100 km and year is the usual mean of sound mains.
    """

    name: str
    years: tuple[int, int]
    share: float
    new: float
    loss: float
    least: float
    leak: float
    breaks: float


MATERIALS = (
    Material("cast iron", (1950, 1974), 0.30, 130.0, 0.85, 62.0, 1.3, 0.45),
    Material("steel", (1956, 1990), 0.34, 125.0, 0.75, 66.0, 1.6, 0.55),
    Material("asbestos cement", (1962, 1988), 0.18, 135.0, 0.40, 95.0, 1.0, 0.30),
    Material("PE", (2000, 2024), 0.18, 145.0, 0.15, 138.0, 0.3, 0.05),
)
BY_NAME = {m.name: m for m in MATERIALS}
OLD_STREETS = ("Успенська", "Польська")  # broken cast iron is reported from there


def age_pipes(plan: Plan, random: np.random.Generator) -> None:
    """Give every pipe a material, a year and a roughness; a street within a block was laid at once."""
    laid: dict[tuple[str, str], tuple[Material, int]] = {}
    share = np.array([m.share for m in MATERIALS])
    for pipe in plan.pipes:
        key = pipe.dma or pipe.kind, pipe.street
        if key not in laid:
            material = MATERIALS[int(random.choice(len(MATERIALS), p=share))]
            if pipe.kind in ("trunk", "supply"):
                material = BY_NAME["steel"]
            if pipe.kind == "inlet":
                material = BY_NAME["PE"]
            if pipe.street in OLD_STREETS and pipe.kind == "street":
                material = BY_NAME["cast iron"]
            laid[key] = material, int(random.integers(material.years[0], material.years[1] + 1))
        material, year = laid[key]
        if pipe.diameter > 300 and material.name in ("asbestos cement", "PE", "cast iron"):
            material = BY_NAME["steel"]
            year = min(max(year, material.years[0]), material.years[1])
        pipe.material, pipe.year = material.name, year
        pipe.roughness = float(max(material.least, round(material.new - material.loss * (TODAY - year))))
        if pipe.kind in ("trunk", "supply"):
            pipe.roughness = max(pipe.roughness, 95.0)
        if pipe.street in OLD_STREETS and pipe.kind == "street" and pipe.diameter <= 125:
            pipe.roughness = 55.0


def leak_areas(plan: Plan, random: np.random.Generator) -> dict[str, tuple[float, float]]:
    """FAVAD background leakage: area in mm2 per 100 m and its growth per m of head, by pipe.

    The whole is scaled so that `LEAKAGE_M3D` leaks at the blocks' pressures:
    Q = Cd sqrt(2 g) (A0 h^0.5 + m h^1.5).
    """
    heads = {b.name: b.head for b in plan.blocks}
    area: dict[str, float] = {}
    flow = 0.0
    for pipe in plan.street_pipes:
        per_100m = BY_NAME[pipe.material].leak * float(random.lognormal(0.0, 0.5))
        ground = 0.5 * (plan.nodes[pipe.start].height + plan.nodes[pipe.end].height)
        head = max(5.0, heads[pipe.dma] - 2.0 - ground)
        opening = per_100m * (1.0 + _EXPANSION * head) * pipe.length / 100.0
        flow += _COEFFICIENT * np.sqrt(2.0 * 9.80665 * head) * opening * 1e-6 * 86400.0
        area[pipe.name] = per_100m
    factor = LEAKAGE_M3D / flow
    return {name: (round(factor * a, 3), round(factor * a * _EXPANSION, 5)) for name, a in area.items()}


def hazard_of(pipe: PlanPipe, year: int) -> float:
    """Breaks per km and year that pipes of this kind have at an age, without what makes one differ from another."""
    aged = min(2.0, max(year - pipe.year, 0) / 50.0)
    return BY_NAME[pipe.material].breaks * aged * (2.0 if pipe.street in OLD_STREETS else 1.0)


def breaks_of(plan: Plan, hazards: dict[str, float], random: np.random.Generator) -> list[tuple[str, int, int]]:
    """Breaks of the last twenty years: pipe, year, month.

    Parameters
    ----------
    hazards
        What truly breaks, per km and year at present, by pipe.
    """
    found: list[tuple[str, int, int]] = []
    for pipe in plan.pipes:
        now = hazard_of(pipe, TODAY)
        factor = hazards[pipe.name] / now if now > 0.0 else 1.0
        for year in range(TODAY - _BREAK_YEARS, TODAY):
            count = int(random.poisson(factor * hazard_of(pipe, year) * pipe.length / 1000.0))
            found += [(pipe.name, year, int(random.choice(_BREAK_MONTHS))) for _ in range(count)]
    return found


def valves_of(plan: Plan) -> list[tuple[str, str, str, str]]:
    """Isolation and boundary valves: name, pipe, the node it stands at, kind.

    At a crossing of n pipes n - 1 carry a valve; every boundary pipe carries one that is closed.
    """
    at: dict[str, list[PlanPipe]] = {}
    for pipe in plan.pipes:
        for node in (pipe.start, pipe.end):
            at.setdefault(node, []).append(pipe)
    found: list[tuple[str, str, str, str]] = []
    for node, pipes in at.items():
        streets = [p for p in pipes if p.kind in ("street", "trunk")]
        if len(streets) >= 3:
            for pipe in sorted(streets, key=lambda p: (p.diameter, p.name))[: len(streets) - 1]:
                found.append((f"V-{len(found) + 1:04d}", pipe.name, node, "isolation"))
    boundary = [p for p in plan.pipes if p.kind == "boundary"]
    first = len(found) + 1
    return found + [(f"V-{first + k:04d}", p.name, p.start, "boundary") for k, p in enumerate(boundary)]


def hydrants_of(plan: Plan) -> list[tuple[str, str, str]]:
    """Hydrants: name, node, street; every second junction along streets (about 150 m apart)."""
    nodes = [n for n in plan.nodes.values() if n.connections > 0]
    return [(f"H-{k + 1:04d}", n.name, n.street) for k, n in enumerate(nodes[::2])]

"""Sources, reservoirs, pump stations and towers, and the controls a dispatcher would set."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from networks.uman import assemble, terrain
from networks.uman.plan import Plan

SUPPLY_M3D = 14_000.0
LOCAL_SHARE = 0.2
MAIN_KM, MAIN_MM = 136.0, 1200
_MAIN_PIECE_KM = 8.0
_OFFTAKES = {"ZHASHKIV": (60.0, 4_000.0), "MANKIVKA": (108.0, 2_000.0)}  # km from Bila Tserkva, m3/d; assumed
_MAIN_XY = {0.0: (292_381.5, 5_519_943.2), 60.0: (289_447.4, 5_458_608.9)}  # Bila Tserkva, Zhashkiv
_BABANKA_MAIN_KM = 14.5
_DUTY = {"C-PS1": (85.0, 36.0), "C-PS2": (48.0, 20.0), "C-PS3": (30.0, 78.0), "C-PS4": (8.5, 22.0)}  # L/s, m
_EFFICIENCY = ((0.4, 52.0), (0.8, 72.0), (1.0, 76.0), (1.4, 66.0))  # share of the duty flow, %


@dataclass(frozen=True, slots=True)
class Tank:
    """A tank: base height, levels and diameter, m."""

    name: str
    utm: tuple[float, float]
    base: float
    level: float
    low: float
    high: float
    diameter: float


@dataclass(frozen=True, slots=True)
class Pump:
    """A pump: its ends and curve."""

    name: str
    start: str
    end: str
    curve: str
    is_standby: bool = False


@dataclass(slots=True)
class Stations:
    """Everything that is neither junction nor pipe."""

    reservoirs: dict[str, tuple[tuple[float, float], float]] = field(default_factory=dict)  # name: utm, head
    tanks: list[Tank] = field(default_factory=list)
    pumps: list[Pump] = field(default_factory=list)
    controls: list[str] = field(default_factory=list)
    curves: dict[str, list[tuple[float, float]]] = field(default_factory=dict)  # L/s, m
    efficiency: dict[str, list[tuple[float, float]]] = field(default_factory=dict)  # L/s, %
    utm: dict[str, tuple[float, float]] = field(default_factory=dict)  # of nodes far from the city
    demand: dict[str, float] = field(default_factory=dict)  # m3/d, steady
    gate: tuple[str, str, str, float] = ("", "", "", 0.0)  # valve, start, end, L/s


def build(plan: Plan) -> Stations:
    """Add the stations' nodes and pipes to the plan."""
    stations = Stations()
    _main(plan, stations)
    _reservoirs_and_ps1(plan, stations)
    _centre_tower(plan, stations)
    _west(plan, stations)
    _local_source(plan, stations)
    _babanka(plan, stations)
    for name, (design, head) in _DUTY.items():
        stations.curves[name] = [(design, head)]
        stations.efficiency[f"E-{name}"] = [(share * design, percent) for share, percent in _EFFICIENCY]
    return stations


def _near_trunk(plan: Plan, xy: tuple[float, float]) -> str:
    names = [n for n in plan.nodes if n.startswith("TC-")]
    gaps = [np.hypot(plan.nodes[n].xy[0] - xy[0], plan.nodes[n].xy[1] - xy[1]) for n in names]
    return names[int(np.argmin(gaps))]


def _main(plan: Plan, stations: Stations) -> None:
    """The main from Bila Tserkva: water on its way for about eleven days."""
    gate = tuple(terrain.to_utm(np.array([assemble.PS1]))[0] + np.array([-260.0, 330.0]))
    knots = {**_MAIN_XY, MAIN_KM: gate}
    stations.reservoirs["BILA-TSERKVA"] = _MAIN_XY[0.0], 236.0
    pieces = np.arange(_MAIN_PIECE_KM, MAIN_KM, _MAIN_PIECE_KM).tolist()
    stops = sorted({*pieces, *(km for km, _ in _OFFTAKES.values()), MAIN_KM})
    offtake = {km: name for name, (km, _) in _OFFTAKES.items()}
    before, at = "BILA-TSERKVA", 0.0
    kms = sorted(knots)
    for km in stops:
        name = "GATE" if km == MAIN_KM else offtake.get(km, f"M-{km:03.0f}")
        x = float(np.interp(km, kms, [knots[k][0] for k in kms]))
        y = float(np.interp(km, kms, [knots[k][1] for k in kms]))
        node = plan.add_node(name, (0.0, 0.0))
        node.height = round(178.0 + 16.0 * float(np.sin(km / 21.0)) + 12.0 * km / MAIN_KM, 2)
        stations.utm[name] = round(x, 1), round(y, 1)
        pipe = plan.add_pipe(before, name, "supply", name=f"MAIN-{km:03.0f}", length=1000.0 * (km - at))
        pipe.diameter = MAIN_MM
        before, at = name, km
    for name, (_, flow) in _OFFTAKES.items():
        stations.demand[name] = flow


def _reservoirs_and_ps1(plan: Plan, stations: Stations) -> None:
    """City reservoirs for three days, and the speed-controlled station behind them."""
    x, y = assemble.PS1
    place = terrain.to_utm(np.array([assemble.PS1]))[0]
    plan.add_node("GATE-IN", (x - 0.2, y + 0.28)).height = 190.0
    plan.add_node("GATE-M", (x - 0.24, y + 0.31)).height = 190.0
    plan.add_pipe("GATE", "GATE-M", "supply", name="GATE-METER", length=20.0).diameter = 600
    wanted = (1.0 - LOCAL_SHARE) * SUPPLY_M3D / 86.4
    stations.controls += [
        f"LINK FCV-GATE {0.75 * wanted:.2f} IF NODE RES-1 ABOVE 5.5",
        f"LINK FCV-GATE {wanted:.2f} IF NODE RES-1 BELOW 4.8",
    ]
    stations.gate = "FCV-GATE", "GATE-M", "GATE-IN", round(wanted, 2)
    suction = plan.add_node("PS1-S", (x - 0.06, y + 0.09))
    suction.height = 189.0
    for number, shift in ((1, (-190.0, 220.0)), (2, (-110.0, 250.0))):
        name = f"RES-{number}"
        stations.tanks.append(Tank(name, _moved(place, shift), 190.0, 4.5, 0.5, 6.0, 67.0))
        plan.add_pipe("GATE-IN", name, "supply", name=f"{name}-IN", length=60.0).diameter = 600
        plan.add_pipe(name, "PS1-S", "supply", name=f"{name}-OUT", length=120.0).diameter = 800
    plan.add_node("PS1-D", (x - 0.04, y + 0.06)).height = 189.0
    trunk = plan.trunk_names["centre", _crossing(plan, "centre", assemble.PS1)]
    plan.add_pipe("PS1-D", trunk, "supply", name="PS1-OUT", length=80.0).diameter = 600
    for number in (1, 2, 3):
        stations.pumps.append(Pump(f"PU-1{number}", "PS1-S", "PS1-D", "C-PS1", is_standby=number == 3))
    stations.controls += [
        "LINK PU-11 0.78 IF NODE TOWER-C ABOVE 5.5", "LINK PU-11 0.9 IF NODE TOWER-C BELOW 5.0",
        "LINK PU-11 1.0 IF NODE TOWER-C BELOW 4.2",
        "LINK PU-12 OPEN IF NODE TOWER-C BELOW 3.4", "LINK PU-12 CLOSED IF NODE TOWER-C ABOVE 5.0",
        "LINK PU-13 OPEN IF NODE TOWER-C BELOW 1.8", "LINK PU-13 CLOSED IF NODE TOWER-C ABOVE 4.0",
    ]  # fmt: skip


def _crossing(plan: Plan, zone: str, xy: tuple[float, float]) -> int:
    """The trunk's crossing nearest to a place."""
    options = [(c, n) for (z, c), n in plan.trunk_names.items() if z == zone]
    return min(options, key=lambda o: np.hypot(plan.nodes[o[1]].xy[0] - xy[0], plan.nodes[o[1]].xy[1] - xy[1]))[0]


def _moved(place: np.ndarray, shift: tuple[float, float]) -> tuple[float, float]:
    return round(float(place[0]) + shift[0], 1), round(float(place[1]) + shift[1], 1)


def _centre_tower(plan: Plan, stations: Stations) -> None:
    crossing = _crossing(plan, "centre", assemble.TOWER_C)
    node = plan.trunk_names["centre", crossing]
    place = terrain.to_utm(np.array([plan.nodes[node].xy]))[0]
    stations.tanks.append(Tank("TOWER-C", _moved(place, (40.0, 30.0)), 216.0, 4.4, 0.3, 6.0, 17.0))
    plan.add_pipe(node, "TOWER-C", "supply", name="TOWER-C-P", length=50.0).diameter = 400


def _west(plan: Plan, stations: Stations) -> None:
    """Booster and tower of the western zone."""
    suction = plan.trunk_names["centre", _crossing(plan, "centre", assemble.PS2)]
    first = plan.trunk_names["west", _crossing(plan, "west", assemble.PS2)]
    x, y = plan.nodes[suction].xy
    plan.add_node("PS2-S", (x - 0.02, y - 0.004))
    plan.add_node("PS2-D", (x - 0.03, y - 0.004))
    plan.add_pipe(suction, "PS2-S", "supply", name="PS2-IN", length=15.0).diameter = 300
    plan.add_pipe("PS2-D", first, "supply", name="PS2-OUT", length=15.0).diameter = 300
    for number in (1, 2):
        stations.pumps.append(Pump(f"PU-2{number}", "PS2-S", "PS2-D", "C-PS2", is_standby=number == 2))
    tower = plan.trunk_names["west", _crossing(plan, "west", assemble.TOWER_W)]
    place = terrain.to_utm(np.array([plan.nodes[tower].xy]))[0]
    stations.tanks.append(Tank("TOWER-W", _moved(place, (-60.0, 20.0)), 232.0, 4.0, 0.3, 6.0, 15.0))
    plan.add_pipe(tower, "TOWER-W", "supply", name="TOWER-W-P", length=70.0).diameter = 300
    stations.controls += [
        "LINK PU-21 OPEN IF NODE TOWER-W BELOW 4.0", "LINK PU-21 CLOSED IF NODE TOWER-W ABOVE 5.6",
        "LINK PU-22 OPEN IF NODE TOWER-W BELOW 2.4", "LINK PU-22 CLOSED IF NODE TOWER-W ABOVE 4.8",
    ]  # fmt: skip


def _local_source(plan: Plan, stations: Stations) -> None:
    x, y = assemble.SOURCE
    trunk = _near_trunk(plan, assemble.SOURCE)
    water = round(float(terrain.height(np.array([assemble.SOURCE]))[0]) - 1.0, 2)
    utm = terrain.to_utm(np.array([assemble.SOURCE]))[0]
    stations.reservoirs["UMANKA"] = (float(utm[0]), float(utm[1])), water
    plan.add_node("PS3-D", (x + 0.02, y + 0.02))
    stations.pumps.append(Pump("PU-31", "UMANKA", "PS3-D", "C-PS3"))
    plan.add_pipe("PS3-D", trunk, "supply", name="PS3-OUT").diameter = 250


def _babanka(plan: Plan, stations: Stations) -> None:
    """Booster in the east, a long main and a tower in the settlement."""
    suction = plan.trunk_names["centre", _crossing(plan, "centre", assemble.EAST)]
    x, y = plan.nodes[suction].xy
    plan.add_node("PS4-S", (x + 0.02, y))
    plan.add_node("PS4-D", (x + 0.04, y))
    plan.add_pipe(suction, "PS4-S", "supply", name="PS4-IN", length=20.0).diameter = 200
    for number in (1, 2):
        stations.pumps.append(Pump(f"PU-4{number}", "PS4-S", "PS4-D", "C-PS4", is_standby=number == 2))
    end = plan.nodes["T-BAB"].xy
    before = "PS4-D"
    count = 14
    for k in range(1, count + 1):
        share = k / count
        name = f"BM-{k:02d}" if k < count else "T-BAB"
        if k < count:
            plan.add_node(name, (x + 0.04 + share * (end[0] - x - 0.04), y + share * (end[1] - y)))
        label = "PS4-OUT" if k == 1 else f"BMAIN-{k:02d}"
        pipe = plan.add_pipe(before, name, "supply", name=label, length=1000.0 * _BABANKA_MAIN_KM / count)
        pipe.diameter, before = 200, name
    place = terrain.to_utm(np.array([end]))[0]
    stations.tanks.append(Tank("TOWER-B", _moved(place, (30.0, 25.0)), 220.0, 3.0, 0.3, 5.0, 9.0))
    plan.add_pipe("T-BAB", "TOWER-B", "supply", name="TOWER-B-P", length=40.0).diameter = 200
    stations.controls += [
        "LINK PU-41 OPEN IF NODE TOWER-B BELOW 2.6", "LINK PU-41 CLOSED IF NODE TOWER-B ABOVE 4.5",
    ]  # fmt: skip

"""The synthetic Uman's figures: supply, losses, night flow, pressure, storage and age, from a week of its model.

    python benchmarks/uman_figures.py

prints one JSON line. Every figure of docs/uman.md is from here, from `umanflow networks show uman` or from
`umanflow networks dmas uman`.
"""

from __future__ import annotations

import json

import numpy as np

from hydro.emitters import fit_emitters
from hydro.engine import Engine
from networks import Network, load

_DAY_S = 86_400
_OFFTAKES = {"ZHASHKIV": 4_000.0, "MANKIVKA": 2_000.0}  # m3/d


def main() -> None:
    """Run the week and print."""
    uman = load("uman")
    emitters, _ = fit_emitters(uman)
    print(json.dumps({**week(uman), "main_days": main_days(uman), "emitter_exponent": emitters.exponent}))


def week(uman: Network) -> dict[str, object]:
    """Figures of the model's week; pressures from its second day on."""
    nodes, blocks = uman.nodes, uman.dmas
    assert nodes is not None
    assert blocks is not None
    rows: dict[str, list[np.ndarray]] = {"pressure": [], "leakage": [], "flow": []}
    times, seconds, warnings = [], [], 0
    with Engine(uman) as engine:
        topology = engine.topology
        engine.start()
        while True:
            times.append(engine.solve())
            warnings += bool(engine.warning)
            for name, values in rows.items():
                values.append(engine.read("link" if name == "flow" else "node", name))
            seconds.append(engine.advance())
            if seconds[-1] <= 0:
                break
        volume = {topology.nodes[t]: engine.tank_area(t) * engine.value("node", t, "max_level") for t in engine.tanks}
    pressure, leakage, flow = (np.array(rows[name]) for name in ("pressure", "leakage", "flow"))
    hour, weight = np.array(times) // 3600 % 24, np.array(seconds) / sum(seconds)
    day = {link: float(weight @ flow[:, topology.link(link)]) * _DAY_S for link in ("GATE-METER", "PS3-OUT")}
    supply, lost = sum(day.values()), float(weight @ leakage.sum(axis=1)) * _DAY_S
    inflow = flow[:, [topology.link(link) for link in blocks["inlet"]]].sum(axis=1) * 3600.0
    night = (hour >= 2) & (hour < 4)
    homes = nodes[nodes["connections"] > 0]
    at_homes = pressure[np.array(times) >= _DAY_S][:, [topology.node(n) for n in homes["node"]]]
    met = (at_homes >= 10.0 + 4.0 * (homes["storeys"].to_numpy() - 1)).all(axis=0)
    return {
        "warnings": warnings,
        "supply_m3d": round(supply),
        "local_share": round(day["PS3-OUT"] / supply, 3),
        "leakage_m3d": round(lost),
        "leakage_share": round(lost / supply, 3),
        "inflow_m3h": round(float(weight @ inflow), 1),
        "night_inflow_m3h": round(float(inflow[night].mean()), 1),
        "night_leakage_m3h": round(float(leakage[night].sum(axis=1).mean()) * 3600.0, 1),
        "free_head_met": round(float(met.mean()), 4),
        "weak_nodes": int((~met).sum()),
        "highest_m": round(float(at_homes.max()), 1),
        "lowest_m": round(float(at_homes.min()), 1),
        "reservoir_days": round(sum(v for name, v in volume.items() if name.startswith("RES-")) / supply, 2),
        "tanks": {
            topology.nodes[topology.node(name)]: [round(float(pressure[k, topology.node(name)]), 2) for k in (0, -1)]
            for name in volume
        },
    }


def main_days(uman: Network) -> float:
    """Days that the main's water is on its way at the ordered supply: volume over flow, piece by piece."""
    flow, days = 0.8 * 14_000.0 + sum(_OFFTAKES.values()), 0.0
    for line in uman.document.section("PIPES"):
        name, _, end, length, diameter, *_ = line.words
        if name.startswith("MAIN-"):
            days += float(length) * np.pi / 4.0 * (float(diameter) / 1000.0) ** 2 / flow
            flow -= _OFFTAKES.get(end, 0.0)
    return round(days, 2)


if __name__ == "__main__":
    main()

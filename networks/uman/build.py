"""Build the synthetic Uman: the INP, the tables beside it and the hidden truth.

    python -m networks.uman.build [FOLDER]

writes the committed files anew, byte for byte.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from networks.uman import assemble, condition, demand, inp, instruments, stations, truth
from networks.uman.plan import Plan
from networks.uman.stations import Stations

SEED = 1848
# what trunks carry beside the blocks, m3/d: boosters with losses included, and towers that fill and empty
_THROUGH = {"PS2-S": 4_600.0, "PS4-S": 450.0, "TOWER-C": 7_000.0, "TOWER-W": 4_000.0}


def plan_city() -> tuple[Plan, Stations]:
    """The whole city on paper."""
    random = np.random.default_rng(SEED)
    plan, _, _ = assemble.city(random)
    demand.populate(plan, random)
    found = stations.build(plan)
    fixed = {p.name: p.diameter for p in plan.pipes if p.kind == "supply"}
    assemble.size(plan, ["PS1-D", "PS2-D", "T-BAB"], _THROUGH)
    for pipe in plan.pipes:
        pipe.diameter = fixed.get(pipe.name, pipe.diameter)
    condition.age_pipes(plan, np.random.default_rng([SEED, 1]))
    return plan, found


def tables(plan: Plan, found: Stations, hazards: dict[str, float]) -> dict[str, str]:
    """Every table beside the INP, by file name; pipes broke as their hidden hazards had it."""
    leakage = condition.leak_areas(plan, np.random.default_rng([SEED, 2]))
    breaks = condition.breaks_of(plan, hazards, np.random.default_rng([SEED, 3]))
    count: dict[str, int] = {}
    for pipe, _, _ in breaks:
        count[pipe] = count.get(pipe, 0) + 1
    critical = instruments.critical_points(plan)
    return {
        "pipes.csv": _csv(
            "pipe,kind,material,year,breaks,dma,street",
            ((p.name, p.kind, p.material, p.year, count.get(p.name, 0), p.dma, p.street) for p in plan.pipes),
        ),
        "nodes.csv": _csv(
            "node,dma,street,connections,storeys",
            ((n.name, n.dma, n.street, n.connections, n.storeys) for n in plan.nodes.values() if n.dma),
        ),
        "breaks.csv": _csv("pipe,month", ((p, f"{y}-{m:02d}") for p, y, m in breaks)),
        "valves.csv": _csv("valve,pipe,node,kind", condition.valves_of(plan)),
        "hydrants.csv": _csv("hydrant,node,street", condition.hydrants_of(plan)),
        "dmas.csv": _csv(
            "dma,large_block,zone,inlet,prv,critical_node",
            ((b.name, b.large, b.zone, *plan.inlets[b.name][:2], critical[b.name]) for b in plan.blocks),
        ),
        "sensors.csv": _csv(
            "sensor,quantity,element,dma,delivery,role",
            ((i.name, i.quantity, i.element, i.dma, i.delivery, i.role) for i in instruments.place(plan, found)),
        ),
        "leakage.csv": _csv(
            "pipe,area_mm2_per_100m,expansion_mm2_per_m_per_100m", ((p, a, e) for p, (a, e) in leakage.items())
        ),
    }  # fmt: skip


def write_true_inp(path: Path) -> list[tuple[str, float]]:
    """Write the INP of the city as it is, for the twin: EPANET 2.3, with `[LEAKAGE]`.

    Returns
    -------
    list of (pipe, m3/h)
        Leaks that have run since before the first record; they are not in the file.
    """
    plan, found = plan_city()
    hidden = truth.tables(plan, np.random.default_rng([SEED, 4]))
    leakage = truth.make_true(plan, hidden, condition.leak_areas(plan, np.random.default_rng([SEED, 2])))
    path.write_text(inp.write(plan, found, leakage), encoding="utf-8", newline="\n")
    return [(str(pipe), float(str(flow))) for pipe, _, flow in hidden["leaks"][1]]


def _csv(header: str, rows: Iterable[Sequence[object]]) -> str:
    return header + "\n" + "".join(",".join(str(v) for v in row) + "\n" for row in rows)


def build(folder: Path) -> None:
    """Write everything into a folder."""
    plan, found = plan_city()
    hidden = truth.tables(plan, np.random.default_rng([SEED, 4]))
    files = {"uman.inp": inp.write(plan, found), **tables(plan, found, truth.hazards(hidden))}
    files |= {f"truth/{stem}.csv": _csv(header, rows) for stem, (header, rows) in hidden.items()}
    (folder / "truth").mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        temporary = folder / f"{name}.new"
        temporary.write_bytes(text.encode("utf-8"))
        temporary.replace(folder / name)


if __name__ == "__main__":
    build(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)

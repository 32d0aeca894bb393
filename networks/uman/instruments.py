"""Where the meters and gauges are, and how their readings arrive."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib.resources import files

from networks.uman.plan import Plan
from networks.uman.stations import Stations

_ON_PLC = 9  # of all loggers; the others are battery loggers that send files
STATION_METERS = {"GATE-METER": "gate", "PS1-OUT": "ps-1", "PS2-OUT": "ps-2", "PS3-OUT": "ps-3", "PS4-OUT": "ps-4"}


@dataclass(frozen=True, slots=True)
class Instrument:
    """An instrument: what it reads, where, and how its readings arrive (plc, hourly or daily file)."""

    name: str
    quantity: str
    element: str
    dma: str
    delivery: str
    role: str


def critical_points(plan: Plan) -> dict[str, str]:
    """Each block's node that needs the most head: ground and storeys together."""
    found: dict[str, str] = {}
    for block in plan.blocks:
        members = [n for n in plan.nodes.values() if n.dma == block.name and n.connections > 0]
        found[block.name] = max(members, key=lambda n: (n.height + 4.0 * n.storeys, n.name)).name
    return found


def place(plan: Plan, stations: Stations) -> list[Instrument]:
    """All instruments: meters at inlets, stations and sections, levels, loggers.

    Loggers stand at critical points and, like the sections' meters, where `instruments.toml` has them.
    """
    found = [Instrument(m, "flow", m, "", "plc", device) for m, device in STATION_METERS.items()]
    found += [Instrument(m, "flow", m, dma, "plc", "inlet") for dma, (m, _, _) in plan.inlets.items()]
    found += [Instrument(t.name, "level", t.name, "", "plc", "tank") for t in stations.tanks]
    table = tomllib.loads(files("networks.uman").joinpath("instruments.toml").read_text(encoding="utf-8"))
    at = {p.name: p.dma for p in plan.pipes}
    sections = [pipe for chosen in table["sections"].values() for pipe in chosen]
    found += [Instrument(pipe, "flow", pipe, at[pipe], "plc", "section") for pipe in sections]
    critical = critical_points(plan)
    loggers = [(critical[b], b, "critical") for b in critical]
    loggers += [(node, b, "logger") for b, chosen in table["loggers"].items() for node in chosen]
    ranked = sorted(loggers, key=lambda entry: (entry[2] != "critical", entry[1]))
    by_wire = {n for n, _, _ in ranked[:_ON_PLC]}
    for number, (node, block, role) in enumerate(loggers, start=1):
        delivery = "plc" if node in by_wire else "daily" if number % 4 == 0 else "hourly"
        found.append(Instrument(f"log-{number:02d}", "pressure", node, block, delivery, role))
    return found

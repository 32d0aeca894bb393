"""A small metered city for tests: ky4 (a Kentucky utility, shipped with WNTR), cut into three blocks.

Three of its quarters hang on the mains by 13 to 18 small pipes each; all but one or two of these are closed by boundary
valves, the others metered; one block gets a pressure-reducing valve at its only inlet.
"""

from __future__ import annotations

import tomllib
import warnings
from dataclasses import dataclass
from pathlib import Path

from networks import load
from scada.plc.stations import dma_inlet, pressure_logger, pump_station, tank, valve_station
from scada.tag import Tag


@dataclass(frozen=True, slots=True)
class Block:
    """One metered block: its name, inlet pipes, section meters within it and pressure loggers (junctions)."""

    name: str
    inlets: tuple[str, ...]
    sections: tuple[str, ...]
    loggers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Layout:
    """What is built into ky4.

    Attributes
    ----------
    closed
        Pipes with a closed boundary valve.
    blocks
        The metered blocks; a block whose inlet is `prv_pipe` has a PRV behind it.
    mains_loggers
        Pressure loggers outside the blocks.
    prv_pipe, prv_name, prv_setting_m
        The pipe at whose end the PRV stands, its name and set-point.
    """

    network: str
    closed: tuple[str, ...]
    blocks: tuple[Block, ...]
    mains_loggers: tuple[str, ...]
    prv_pipe: str
    prv_name: str
    prv_setting_m: float


def read_layout() -> Layout:
    """Read the layout beside this file."""
    table = tomllib.loads(Path(__file__).with_name("ky4_blocks.toml").read_text(encoding="utf-8"))
    prv = table["prv"]
    return Layout(
        network=table["network"],
        closed=tuple(table["closed"]),
        blocks=tuple(
            Block(b["name"], tuple(b["inlets"]), tuple(b["sections"]), tuple(b["loggers"])) for b in table["blocks"]
        ),
        mains_loggers=tuple(table["mains"]["loggers"]),
        prv_pipe=prv["pipe"],
        prv_name=prv["name"],
        prv_setting_m=float(prv["setting_m"]),
    )


def build_network(layout: Layout, path: Path) -> Path:
    """Write the city's INP: boundary valves closed, the PRV in place.

    Parameters
    ----------
    path
        Where to; overwritten.
    """
    import wntr

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wn = load(layout.network).model
        for name in layout.closed:
            wn.get_link(name).initial_status = "CLOSED"
        pipe = wn.get_link(layout.prv_pipe)
        behind, diameter = pipe.end_node_name, pipe.diameter
        before = f"{layout.prv_name}-IN"
        wn = wntr.morph.split_pipe(wn, layout.prv_pipe, "~rest", before, split_at_point=0.95)
        wn.remove_link("~rest")
        wn.add_valve(
            layout.prv_name, before, behind, diameter=diameter, valve_type="PRV", initial_setting=layout.prv_setting_m
        )
        wntr.network.write_inpfile(wn, str(path), units="LPS")
    return path


def build_tags(
    layout: Layout, network: Path, interval_s: float = 300.0, logger_s: float = 900.0
) -> dict[str, list[Tag]]:
    """Tags of every simulated PLC, by device.

    Parameters
    ----------
    network
        The INP that `build_network` wrote.
    interval_s, logger_s
        How often stations and pressure loggers are read, s.
    """
    from hydro.engine import Engine

    with Engine(network) as engine:
        topology = engine.topology
        pumps = [int(p) for p in engine.pumps]
        tanks = [topology.nodes[int(n)] for n in engine.tanks]
        behind = topology.nodes[topology.end[topology.link(layout.prv_name)]]
        ends = {topology.links[p]: topology.nodes[topology.end[p]] for p in pumps}
    devices: dict[str, list[Tag]] = {}
    for number, (pump, discharge) in enumerate(ends.items(), start=1):
        elements = {
            "flow": pump, "discharge_pressure": discharge, "volume": pump, "pump1_running": pump, "pump1_command": pump,
            "pump1_speed": pump,
            "pump1_power": pump,
        }  # fmt: skip
        name = f"ps-{number}"
        devices[name] = pump_station(name, elements, pumps=1, interval_s=interval_s)
    valve = {
        "flow": layout.prv_pipe, "pressure_setpoint": layout.prv_name, "upstream_pressure": f"{layout.prv_name}-IN",
        "downstream_pressure": behind,
    }  # fmt: skip
    devices["prv-1"] = valve_station("prv-1", valve, interval_s=interval_s)
    for number, name in enumerate(tanks, start=1):
        devices[f"tank-{number}"] = tank(f"tank-{number}", {"level": name}, interval_s=interval_s)
    inlets = [p for block in layout.blocks for p in (*block.inlets, *block.sections) if p != layout.prv_pipe]
    for number, pipe in enumerate(inlets, start=1):
        name = f"dma-{number}"
        devices[name] = dma_inlet(name, {"flow": pipe, "volume": pipe}, interval_s=interval_s)
    loggers = [node for block in layout.blocks for node in block.loggers] + list(layout.mains_loggers)
    for number, node in enumerate(loggers, start=1):
        name = f"log-{number:02d}"
        devices[name] = pressure_logger(name, {"pressure": node}, interval_s=logger_s)
    return devices

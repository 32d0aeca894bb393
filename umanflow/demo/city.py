"""The demo's city: the synthetic Uman, its PLCs by their tag table, its battery loggers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from networks import Network, load
from scada.alarms.tables import write_alarms
from scada.drops.tagtable import format_logger_tags, logger_tag, read_logger_tags
from scada.plc.stations import dma_inlet, pressure_logger, pump_station, tank, valve_station
from scada.tag import Tag
from scada.tags import read_tags, write_tags, write_whole
from umanflow.demo.alarms import build_alarms
from umanflow.loggers import LoggerGroup

STATION_S, LOGGER_S = 300.0, 900.0  # how often stations and loggers are read
_DELIVERY_S = {"hourly": 3600, "daily": 86_400}  # of files
_SLOW_S = 3600.0  # what hardly changes: set-points, totalisers, doors, batteries
_FAST = {"flow", "pressure", "level", "power", "speed"}
_GATEWAYS = ("dma", "sec", "log")  # these share a gateway each; every other station has a port of its own
_FIRST_PORT = 15020
_PUMPS = {"ps-1": 3, "ps-2": 2, "ps-3": 1, "ps-4": 2}


@dataclass(frozen=True, slots=True)
class City:
    """What the utility has.

    Attributes
    ----------
    network
        The model: what the detector knows.
    devices
        Tags of every PLC, by device.
    loggers
        Battery loggers, by how often they send their files: hourly or daily.
    """

    network: Network
    devices: dict[str, list[Tag]]
    loggers: list[LoggerGroup]

    @property
    def tags(self) -> list[Tag]:
        """Every tag."""
        return [t for tags in (*self.devices.values(), *(group.tags for group in self.loggers)) for t in tags]


def read_city() -> City:
    """Open Uman with its committed tag tables."""
    network = load("uman")
    devices: dict[str, list[Tag]] = {}
    for tag in read_tags(tag_file(network)):
        devices.setdefault(tag.device, []).append(tag)
    tags = read_logger_tags(tag_file(network).with_name("loggers.csv")).by_name
    loggers = [
        LoggerGroup(delivery, tuple(tags[name] for name in names), 1000 * _DELIVERY_S[delivery])
        for delivery, names in logger_names(network).items()
    ]
    return City(network, devices, loggers)


def logger_names(network: Network) -> dict[str, list[str]]:
    """Tags of battery loggers by how often they send: "hourly" or "daily"."""
    found: dict[str, list[str]] = {delivery: [] for delivery in _DELIVERY_S}
    for name, _, delivery in _instruments(network, "pressure"):
        if delivery in found:
            found[delivery].append(f"{name}.pressure")
    return found


def build_logger_tags(network: Network) -> list[Tag]:
    """Tags of battery loggers: what `loggers.csv` holds."""
    return [
        replace(logger_tag(f"{name}.pressure", "pressure", "m", element, LOGGER_S), min=-10.0, max=200.0)
        for name, element, delivery in _instruments(network, "pressure")
        if delivery in _DELIVERY_S
    ]


def tag_file(network: Network) -> Path:
    """The tag table beside a network's INP."""
    return network.source.parent / "tags.csv"


def ports_of(devices: Sequence[str]) -> list[dict[int, str]]:
    """Which devices answer on which port: unit id -> device, one entry a port."""
    alone = [{1: name} for name in devices if name.split("-")[0] not in _GATEWAYS]
    shared = [[name for name in devices if name.split("-")[0] == kind] for kind in _GATEWAYS]
    return alone + [dict(enumerate(names, start=1)) for names in shared if names]


def configuration(devices: Sequence[str], loggers: Mapping[str, Sequence[str]]) -> str:
    """A configuration for `umanflow plc`, `poll` and `ingest` on this machine, TOML."""
    lines = [
        "# SYNTHETIC Uman: simulated PLCs, and the polling of them; made by python -m umanflow.demo.city",
        'network = "uman"', 'timezone = "Europe/Kyiv"', 'language = "uk"', "",
        "[historian]", 'url = "sqlite:///history.db"', "", "[tags]", 'file = "tags.csv"', "",
        "[alarms]", 'file = "alarms.csv"', "",
        "[ingest]", 'folder = "drops"', 'tags = "loggers.csv"', "",
        "[plc]", "step_s = 60", "",
        "[calendar]", 'country = "UA"', "",
        "[[calendar.events]]  # the model's feast stands still; for the real city: begins = \"rosh-hashanah-2\"",
        'name = "pilgrimage"', 'begins = "09-11"', "days = 8", "",
    ]  # fmt: skip
    for delivery, names in loggers.items():
        listed = [f'    "{name}",' for name in names]
        lines += ["[[plc.loggers]]", f'name = "{delivery}"', f"delivery_s = {_DELIVERY_S[delivery]}"]
        lines += ["tags = [", *listed, "]", ""]
    for number, port in enumerate(ports_of(devices)):
        for unit, name in port.items():
            url = f"tcp://127.0.0.1:{_FIRST_PORT + number}"
            lines += ["[[devices]]", f'name = "{name}"', f'url = "{url}"', f"unit = {unit}", ""]
    return "\n".join(lines)


def build_tags(network: Network) -> list[Tag]:
    """Tags of every PLC, from the network's instruments: what `tags.csv` holds."""
    found: list[Tag] = []
    for meter, device in ((m, d) for m, _, d in _meters(network) if d in (*_PUMPS, "gate")):
        if device == "gate":
            signals = {"flow": meter, "volume": meter, "pressure": "GATE"}
            found += dma_inlet(device, signals, STATION_S)
        else:
            found += _pump_station(device, meter)
    for name, element, _ in _instruments(network, "level"):
        found += tank(f"tank-{name.lower()}", {"level": element}, STATION_S)
    for dma, inlet, prv in _blocks(network):
        device = f"dma-{dma.lower()}"
        if prv:
            signals = {
                "flow": inlet, "pressure_setpoint": prv,
                "upstream_pressure": f"CH-{dma}", "downstream_pressure": f"IN-{dma}",
            }  # fmt: skip
            found += valve_station(device, signals, STATION_S)
        else:
            found += dma_inlet(device, {"flow": inlet, "volume": inlet, "pressure": f"CH-{dma}"}, STATION_S)
    for number, meter in enumerate((m for m, _, role in _meters(network) if role == "section"), start=1):
        found += dma_inlet(f"sec-{number}", {"flow": meter, "volume": meter}, STATION_S)
    for name, element, delivery in _instruments(network, "pressure"):
        if delivery == "plc":
            found += pressure_logger(name, {"pressure": element}, interval_s=LOGGER_S)
    return [_at_its_pace(tag) for tag in found]


def _at_its_pace(tag: Tag) -> Tag:
    is_fast = tag.element and (tag.quantity in _FAST or tag.name.endswith("_running"))
    return tag if is_fast else replace(tag, interval_s=_SLOW_S)


def _pump_station(device: str, meter: str) -> list[Tag]:
    number = device.split("-")[1]
    count = _PUMPS[device]
    signals = {"flow": meter, "volume": meter, "discharge_pressure": f"PS{number}-D"}
    if device != "ps-3":  # the intake draws from the river
        signals["suction_pressure"] = f"PS{number}-S"
    for pump in range(1, count + 1):
        signals |= {f"pump{pump}_{signal}": f"PU-{number}{pump}" for signal in ("running", "command", "speed", "power")}
    return pump_station(device, signals, pumps=count, interval_s=STATION_S)


def _blocks(network: Network) -> list[tuple[str, str, str]]:
    table = network.dmas
    return [] if table is None else list(zip(table["dma"], table["inlet"], table["prv"], strict=True))


def _meters(network: Network) -> list[tuple[str, str, str]]:
    table = network.sensors
    if table is None:
        return []
    flows = table[table["quantity"] == "flow"]
    return list(zip(flows["element"], flows["dma"], flows["role"], strict=True))


def _instruments(network: Network, quantity: str) -> list[tuple[str, str, str]]:
    table = network.sensors
    if table is None:
        return []
    rows = table[table["quantity"] == quantity]
    return list(zip(rows["sensor"], rows["element"], rows["delivery"], strict=True))


if __name__ == "__main__":
    uman = load("uman")
    found = build_tags(uman)
    write_tags(tag_file(uman), found)
    write_alarms(tag_file(uman).with_name("alarms.csv"), build_alarms(uman, found))
    beside = build_logger_tags(uman)
    write_whole(tag_file(uman).with_name("loggers.csv"), format_logger_tags(beside))
    text = configuration(list(dict.fromkeys(tag.device for tag in found)), logger_names(uman))
    tag_file(uman).with_name("umanflow.toml").write_text(text, encoding="utf-8", newline="\n")

"""Register maps of the stations a water utility has, as data.

Each function returns the tags of one station. Names are ``<device>.<signal>``, so that a process knows them without a
table. Elements of the network are given by signal; a signal without one stays unassigned.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from scada.tag import Tag

__all__ = ["dma_inlet", "pressure_logger", "pump_station", "tank", "valve_station"]

_UINT32_WRAP = 4294967296.0
_NO_SENSOR = (-32768.0, 32767.0)  # 0x8000 and 0x7FFF: wire broken, short circuit
_NO_COUNT = (65535.0,)
_SETPOINT: dict[str, object] = {"unit": "m", "scale": 0.01, "min": 0.0, "max": 120.0}  # beyond, it is refused
_SPEED: dict[str, object] = {"unit": "Hz", "scale": 0.01, "min": 0.0, "max": 60.0}


@dataclass(frozen=True, slots=True)
class _Station:
    """What the tags of one station share."""

    device: str
    interval_s: float
    elements: Mapping[str, str]

    def tag(self, signal: str, table: str, address: int, kind: str, quantity: str, **more: object) -> Tag:
        """Return the tag of one signal; `more` are columns of the tag table."""
        base = Tag(
            name=f"{self.device}.{signal}",
            device=self.device,
            table=table,
            address=address,
            type=kind,
            interval_s=self.interval_s,
            element=self.elements.get(signal, ""),
            quantity=quantity,
        )
        return replace(base, **more)  # type: ignore[arg-type] # columns of Tag by name


def _numbered(pump: int, signal: str) -> str:
    return f"pump{pump}_{signal}"


def pump_station(
    device: str, elements: Mapping[str, str] | None = None, pumps: int = 2, interval_s: float = 60.0
) -> list[Tag]:
    """Return the map of a pump station.

    Coils: start command of each pump from 0, reset of trips at 16. Discrete inputs: running, fault and remote of each
    pump from 0, door and mains failure from 100, start inhibited of each pump from 110. Input registers:
    suction and discharge pressure and flow as float32 CDAB from 0, sump level int16 mm, station totaliser uint32,
    heartbeat; speed, current, power and run hours of each pump from 20 in steps of 10. Holding registers: pressure
    setpoint, a status word of bits, and the speed setpoint of each pump from 10.

    Parameters
    ----------
    device : str
        Device the tags are read from.
    elements : mapping of str to str, optional
        Network element by signal, such as ``{"discharge_pressure": "J-1", "pump1_speed": "PU-1"}``.
    pumps : int
        How many pumps.
    interval_s : float
        How often the tags are read, s.
    """
    station = _Station(device, interval_s, elements or {})
    cdab = {"order": "CDAB"}
    tags = [
        station.tag("suction_pressure", "input", 0, "float32", "pressure", unit="m", min=-10.0, max=200.0, **cdab),
        station.tag("discharge_pressure", "input", 2, "float32", "pressure", unit="m", min=-10.0, max=200.0, **cdab),
        station.tag("flow", "input", 4, "float32", "flow", unit="m3/h", min=-5000.0, max=5000.0, **cdab),
        station.tag("sump_level", "input", 6, "int16", "level", unit="m", scale=0.001, bad_values=_NO_SENSOR),
        station.tag("volume", "input", 8, "uint32", "volume", unit="m3", wrap=_UINT32_WRAP, **cdab),
        station.tag("heartbeat", "input", 10, "uint16", "other", wrap=65536.0),
        station.tag("reset", "coil", 16, "bool", "status"),
        station.tag("pressure_setpoint", "holding", 0, "uint16", "setpoint", **_SETPOINT),
        station.tag("in_automatic", "holding", 1, "bit", "status", bit=0),
        station.tag("has_alarm", "holding", 1, "bit", "status", bit=1),
        station.tag("door_open", "discrete", 100, "bool", "status"),
        station.tag("mains_failed", "discrete", 101, "bool", "status"),
    ]
    for pump in range(1, pumps + 1):
        tags += _pump(station, pump)
    return tags


def _pump(station: _Station, pump: int) -> list[Tag]:
    bit, word = 3 * (pump - 1), 20 + 10 * (pump - 1)
    hours = {"unit": "h", "wrap": _UINT32_WRAP, "order": "CDAB"}
    return [
        station.tag(_numbered(pump, "command"), "coil", pump - 1, "bool", "status"),
        station.tag(_numbered(pump, "running"), "discrete", bit, "bool", "status"),
        station.tag(_numbered(pump, "fault"), "discrete", bit + 1, "bool", "status"),
        station.tag(_numbered(pump, "remote"), "discrete", bit + 2, "bool", "status"),
        station.tag(_numbered(pump, "speed"), "input", word, "uint16", "speed", unit="Hz", scale=0.01, max=100.0),
        station.tag(_numbered(pump, "current"), "input", word + 1, "uint16", "other", unit="A", scale=0.1),
        station.tag(_numbered(pump, "power"), "input", word + 2, "uint16", "power", unit="kW", scale=0.1),
        station.tag(_numbered(pump, "speed_setpoint"), "holding", 9 + pump, "uint16", "setpoint", **_SPEED),
        station.tag(_numbered(pump, "inhibited"), "discrete", 109 + pump, "bool", "status"),
        station.tag(_numbered(pump, "run_hours"), "input", word + 4, "uint32", "other", **hours),
    ]


def valve_station(device: str, elements: Mapping[str, str] | None = None, interval_s: float = 60.0) -> list[Tag]:
    """Return the map of a pressure-reducing valve.

    Discrete inputs: open and closed limit, fault. Input registers: upstream and downstream pressure and flow as float32
    CDAB, position in 0.1 %. Holding register: downstream pressure setpoint in cm. Parameters as in
    :func:`pump_station`.
    """
    station = _Station(device, interval_s, elements or {})
    cdab = {"order": "CDAB"}
    return [
        station.tag("upstream_pressure", "input", 0, "float32", "pressure", unit="m", min=-10.0, max=200.0, **cdab),
        station.tag("downstream_pressure", "input", 2, "float32", "pressure", unit="m", min=-10.0, max=200.0, **cdab),
        station.tag("flow", "input", 4, "float32", "flow", unit="m3/h", min=-2000.0, max=2000.0, **cdab),
        station.tag("position", "input", 6, "uint16", "other", unit="%", scale=0.1, max=100.0, bad_values=_NO_COUNT),
        station.tag("pressure_setpoint", "holding", 0, "uint16", "setpoint", **_SETPOINT),
        station.tag("is_open", "discrete", 0, "bool", "status"),
        station.tag("is_closed", "discrete", 1, "bool", "status"),
        station.tag("fault", "discrete", 2, "bool", "status"),
    ]


def dma_inlet(device: str, elements: Mapping[str, str] | None = None, interval_s: float = 60.0) -> list[Tag]:
    """Return the map of a DMA's inlet meter: float32 ABCD flow and pressure, uint32 totalisers, battery and fault.

    The meter answers NaN when it fails. Parameters as in :func:`pump_station`.
    """
    station = _Station(device, interval_s, elements or {})
    return [
        station.tag("flow", "input", 0, "float32", "flow", unit="m3/h", min=-2000.0, max=2000.0),
        station.tag("pressure", "input", 2, "float32", "pressure", unit="m", min=-10.0, max=200.0),
        station.tag("volume", "input", 4, "uint32", "volume", unit="m3", scale=0.1, wrap=_UINT32_WRAP),
        station.tag("volume_reverse", "input", 6, "uint32", "volume", unit="m3", scale=0.1, wrap=_UINT32_WRAP),
        station.tag("battery", "input", 8, "uint16", "other", unit="%", max=100.0, bad_values=_NO_COUNT),
        station.tag("fault", "discrete", 0, "bool", "status"),
    ]


def pressure_logger(device: str, elements: Mapping[str, str] | None = None, interval_s: float = 300.0) -> list[Tag]:
    """Return the map of a pressure logger: pressure uint16 in cm, 0xFFFF when unknown; battery in mV.

    Parameters as in :func:`pump_station`.
    """
    station = _Station(device, interval_s, elements or {})
    limits = {"min": 0.0, "max": 200.0, "bad_values": _NO_COUNT}
    return [
        station.tag("pressure", "input", 0, "uint16", "pressure", unit="m", scale=0.01, **limits),
        station.tag("battery", "input", 1, "uint16", "other", unit="V", scale=0.001),
    ]


def tank(device: str, elements: Mapping[str, str] | None = None, interval_s: float = 60.0) -> list[Tag]:
    """Return the map of a tank: level int16 mm, inflow and outflow float32 CDAB, float switches.

    Parameters as in :func:`pump_station`.
    """
    station = _Station(device, interval_s, elements or {})
    flow = {"unit": "m3/h", "order": "CDAB", "min": -5000.0, "max": 5000.0}
    return [
        station.tag("level", "input", 0, "int16", "level", unit="m", scale=0.001, bad_values=_NO_SENSOR),
        station.tag("inflow", "input", 2, "float32", "flow", **flow),
        station.tag("outflow", "input", 4, "float32", "flow", **flow),
        station.tag("is_overflowing", "discrete", 0, "bool", "status"),
        station.tag("is_low", "discrete", 1, "bool", "status"),
        station.tag("hatch_open", "discrete", 2, "bool", "status"),
    ]

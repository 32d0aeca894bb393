"""Telegraf's Modbus input: all three styles of its TOML, and tables of its keys as CSV.

- ``register``: ``holding_registers = [{ name=, byte_order="ABCD", data_type="FLOAT32-IEEE", address=[0,1] }``
- ``request``: ``[[inputs.modbus.request]]`` with ``slave_id, byte_order, register, fields = [{ address, name, type }]``
- ``metric``: ``[[inputs.modbus.metric]]`` whose fields also name their register, a bit, or the length of a string
- CSV: one row a field, columns named as those keys; ``address`` as ``5``, ``[5,6]`` or ``5 6``

(Telegraf, plugins/inputs/modbus.) Addresses are the wire's. In Telegraf a value is raw x scale, without an offset.
"""

from __future__ import annotations

import re
import tomllib
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from scada.codec import NUMBER_FORMATS
from scada.exchange.found import DeviceFound, Imported, ImportOptions, plain_name
from scada.tag import Tag

__all__ = ["FieldRow", "import_telegraf", "take_field"]

_ORDERS = {
    "AB": "ABCD", "ABCD": "ABCD", "ABCDEFGH": "ABCD", "MSW": "ABCD", "MSW-BE": "ABCD",
    "BA": "DCBA", "DCBA": "DCBA", "HGFEDCBA": "DCBA", "LSW": "DCBA", "LSW-LE": "DCBA",
    "BADC": "BADC", "BADCFEHG": "BADC", "MSW-LE": "BADC",
    "CDAB": "CDAB", "GHEFCDAB": "CDAB", "LSW-BE": "CDAB",
}  # fmt: skip
_TABLES = {"coils": "coil", "discrete_inputs": "discrete", "holding_registers": "holding", "input_registers": "input"}
_PLAIN = {"INT16", "UINT16", "INT32", "UINT32", "INT64", "UINT64", "FLOAT32", "FLOAT64"}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
_NAME = re.compile(r"""\bname\s*=\s*(["'])(.*?)\1""")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


@dataclass(frozen=True, slots=True)
class FieldRow:
    """One field of Telegraf's, whatever style it was written in.

    Attributes
    ----------
    line : int
    device : str
    table : str
        coil, discrete, holding or input.
    style : {'register', 'request', 'metric'}
    order : str
        As written; empty means ABCD.
    values : mapping
        The field's own keys.
    interval_s : float
    measurement : str
    """

    line: int
    device: str
    table: str
    style: str
    order: str
    values: Mapping[str, object]
    interval_s: float
    measurement: str = ""


def import_telegraf(file: str, text: str, options: ImportOptions) -> Imported:
    """Read the Modbus inputs of a Telegraf configuration.

    Parameters
    ----------
    file : str
        Named in the findings.
    text : str
    options : ImportOptions
    """
    found = Imported(file)
    try:
        document = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        at = re.search(r"at line (\d+)", str(error))
        found.refuse(int(at.group(1)) if at else 0, f"is no TOML: {error}", "mend it")
        return found
    inputs = document.get("inputs", {})
    plugins = inputs.get("modbus", []) if isinstance(inputs, dict) else []
    if not isinstance(plugins, list) or not plugins or not all(isinstance(plugin, dict) for plugin in plugins):
        found.refuse(0, "has no [[inputs.modbus]]", "give a Telegraf configuration with a Modbus input")
        return found
    agent = document.get("agent", {})
    lines = _Lines(text)
    for number, plugin in enumerate(plugins, start=1):
        interval = plugin.get("interval", agent.get("interval") if isinstance(agent, dict) else None)
        for row in _rows(found, plugin, _interval(found, interval, options), number, lines):
            take_field(found, row)
    _tell_duplicates(found)
    return found


class _Lines:
    """Finds the line of a field by its name, the first time the first such line: TOML readers keep no lines."""

    def __init__(self, text: str) -> None:
        self._found: dict[str, deque[int]] = {}
        for number, line in enumerate(text.splitlines(), start=1):
            if not line.lstrip().startswith("#"):
                for _, name in _NAME.findall(line):
                    self._found.setdefault(name, deque()).append(number)

    def of(self, name: object) -> int:
        left = self._found.get(str(name))
        return left.popleft() if left else 0


def _interval(found: Imported, text: object, options: ImportOptions) -> float:
    parts = _DURATION.findall(text) if isinstance(text, str) else []
    if parts and "".join(number + unit for number, unit in parts) == text:
        return float(sum(float(number) * _SECONDS[unit] for number, unit in parts))
    if options.interval_s is None:
        found.warn(0, "says no interval", "60 s is taken; give --interval for another")
    return 60.0 if options.interval_s is None else options.interval_s


def _rows(
    found: Imported, plugin: Mapping[str, object], interval_s: float, number: int, lines: _Lines
) -> Iterator[FieldRow]:
    name = plain_name(str(plugin.get("name", f"device-{number}")))
    style = plugin.get("configuration_type", "register")
    units = _units(plugin, str(style))

    def device(unit: object) -> str:
        return name if len(units) < 2 else f"{name}-{unit}"

    for unit in units:
        _note_device(found, device(unit), plugin, unit)
    if style == "register":
        for key, table in _TABLES.items():
            for values in _tables(plugin.get(key, [])):
                line = lines.of(values.get("name"))
                order = str(values.get("byte_order", ""))
                measurement = str(values.get("measurement", ""))
                yield FieldRow(line, device(units[0]), table, "register", order, values, interval_s, measurement)
        return
    if style not in {"request", "metric"}:
        found.refuse(0, f"configuration_type '{style}' is unknown", "use register, request or metric")
        return
    for part in _tables(plugin.get(str(style), [])):
        for values in _tables(part.get("fields", [])):
            line = lines.of(values.get("name")) if "name" in values else 0
            register = (values if style == "metric" else part).get("register", "holding")
            measurement = str(values.get("measurement", part.get("measurement", "")))
            unit = part.get("slave_id", 0)
            order = str(part.get("byte_order", ""))
            yield FieldRow(line, device(unit), str(register), str(style), order, values, interval_s, measurement)


def _units(plugin: Mapping[str, object], style: str) -> list[object]:
    if style == "register":
        return [plugin.get("slave_id", 0)]
    return list(dict.fromkeys(part.get("slave_id", 0) for part in _tables(plugin.get(style, [])))) or [0]


def _tables(value: object) -> list[Mapping[str, object]]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def _note_device(found: Imported, name: str, plugin: Mapping[str, object], unit: object) -> None:
    controller, mode = str(plugin.get("controller", "")), str(plugin.get("transmission_mode", "auto"))
    url = ""
    if controller.startswith("tcp://") and mode in {"auto", "TCP", ""}:
        url = controller
    elif controller.startswith("tcp://") and mode == "RTUoverTCP":
        url = "rtu+" + controller
    elif controller.startswith("file:") and mode in {"auto", "RTU", ""}:
        path = controller.removeprefix("file://").removeprefix("file:")
        keys = {"baud": "baud_rate", "parity": "parity", "stopbits": "stop_bits"}
        stated = "&".join(f"{ours}={plugin[theirs]}" for ours, theirs in keys.items() if theirs in plugin)
        url = f"rtu://{path}{'?' if stated else ''}{stated}"
    elif controller:
        found.warn(0, f"controller {controller} with {mode} cannot be polled", "Modbus ASCII is not spoken here")
    found.devices[name] = DeviceFound(name, url, unit if isinstance(unit, int) else None)


def take_field(found: Imported, row: FieldRow) -> None:
    """Make a tag of one field, or say why not."""
    values, name = row.values, str(row.values.get("name", ""))
    if values.get("omit") is True:
        return
    if not name:
        found.refuse(row.line, "a field has no name", "name it")
        return
    address = _address(found, row)
    if address is None:
        return
    if row.table in {"coil", "discrete"}:
        kind, order = "bool", "ABCD"
    else:
        made = _type(found, row, name)
        if made is None:
            return
        kind, order = made
    scale = values.get("scale", 0.0) or 1.0
    if isinstance(scale, bool) or not isinstance(scale, (int, float)):
        found.refuse(row.line, f"{name}: scale {scale!r} is no number", "mend it")
        return
    if scale != 1.0 and str(values.get("output", "")).startswith(("INT", "UINT")):
        found.warn(row.line, f"{name}: Telegraf cuts the scaled value to a whole number", "here it keeps its fraction")
    has_measurement = row.measurement not in {"", "modbus"}
    middle = f".{plain_name(row.measurement)}" if has_measurement else ""
    found.add(
        row.line,
        Tag(
            f"{row.device}{middle}.{plain_name(name)}",
            row.device,
            row.table,
            address,
            kind,
            order,
            int(values["bit"]) if kind == "bit" and isinstance(values.get("bit"), int) else 0,  # type: ignore[call-overload]
            float(scale) if row.table in {"holding", "input"} and not kind.startswith("string") else 1.0,
            interval_s=row.interval_s,
        ),
    )


def _address(found: Imported, row: FieldRow) -> int | None:
    value, name = row.values.get("address"), row.values.get("name")
    if isinstance(value, int) and not isinstance(value, bool):
        value = [value]
    if not isinstance(value, list) or not value or not all(isinstance(part, int) for part in value):
        found.refuse(row.line, f"{name}: address {value!r} is none", "write one number, or a list of neighbours")
        return None
    if value != list(range(value[0], value[0] + len(value))):
        found.refuse(row.line, f"{name}: registers {value} are no neighbours", "one value lies in neighbours")
        return None
    if not 0 <= value[0] <= 65535:
        found.refuse(row.line, f"{name}: address {value[0]} is outside the table", "write 0..65535")
        return None
    return int(value[0])


def _type(found: Imported, row: FieldRow, name: str) -> tuple[str, str] | None:
    """Return type and order of a field of registers."""
    values = row.values
    order = _ORDERS.get(row.order.upper() or "ABCD")
    if order is None:
        found.refuse(row.line, f"{name}: byte_order '{row.order}' is unknown", f"use one of {', '.join(_ORDERS)}")
        return None
    raw_kind = values.get("data_type" if row.style == "register" else "type", "")
    kind = str(raw_kind).upper()
    count = len(values["address"]) if isinstance(values.get("address"), list) else 0  # type: ignore[arg-type]
    if row.style == "register":
        fixed = {"FIXED": "INT", "UFIXED": "UINT", "FLOAT32": "UINT"}  # FLOAT32: an unsigned one, in the old style
        if kind in fixed:
            kind = f"{fixed[kind]}{16 * count}"
        kind = kind.removesuffix("-IEEE")
    if kind == "STRING":
        length = values.get("length", 0)
        if isinstance(length, int) and 1 <= length <= 125:
            return f"string{2 * length}", order
        found.refuse(row.line, f"{name}: string of {length} registers", "write length 1 to 125")
        return None
    if kind == "BIT":
        return "bit", order
    if kind not in _PLAIN:
        found.refuse(row.line, f"{name}: type '{raw_kind}' has no counterpart here", "read the whole register instead")
        return None
    own = kind.lower()
    if count and count != NUMBER_FORMATS[own][1]:
        what = f"{name}: {raw_kind} takes {NUMBER_FORMATS[own][1]} registers, not {count}"
        found.refuse(row.line, what, "mend type or address")
        return None
    return own, order


def _tell_duplicates(found: Imported) -> None:
    """Refuse fields whose names come to be the same, as Telegraf itself does within a measurement."""
    first: dict[str, int] = {}
    kept: list[tuple[Tag, int]] = []
    for tag, line in zip(found.tags, found.lines, strict=True):
        if tag.name in first:
            found.refuse(line, f"{tag.name} is already on line {first[tag.name]}", "rename one")
        else:
            first[tag.name] = line
            kept.append((tag, line))
    found.tags = [tag for tag, _ in kept]
    found.lines = [line for _, line in kept]

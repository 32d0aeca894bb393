"""Tags as a Telegraf configuration, in the ``metric`` style, the only one that knows bits and strings."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from urllib.parse import parse_qs, urlsplit

from scada.errors import TagError
from scada.exchange.found import DeviceFound
from scada.tag import Tag

__all__ = ["format_telegraf"]


def format_telegraf(tags: Sequence[Tag], devices: Mapping[str, DeviceFound]) -> tuple[str, list[TagError]]:
    """Return a Telegraf configuration and what it cannot hold.

    Parameters
    ----------
    tags : sequence of Tag
    devices : mapping of str to DeviceFound
        Where each device is; a device that is missing makes its tags impossible to export.

    Returns
    -------
    text : str
        One plugin for each connection and interval, one metric for each unit and byte order.
    findings : list of TagError
        Errors are tags left out; warnings, what Telegraf has no word for.
    """
    findings: list[TagError] = []
    groups: dict[tuple[str, float], dict[tuple[str, str], list[Tag]]] = {}
    for tag in tags:
        device = devices.get(tag.device)
        if device is None or not device.url:
            findings.append(TagError("", 0, f"{tag.name}: where {tag.device} is nobody says", "give --config"))
            continue
        findings.extend(_lost(tag))
        metrics = groups.setdefault((tag.device, tag.interval_s), {})
        metrics.setdefault((tag.device, tag.order), []).append(tag)
    parts = [
        _plugin(name, devices[name], interval_s, metrics) for (name, interval_s), metrics in sorted(groups.items())
    ]
    return "\n".join(parts), findings


def _lost(tag: Tag) -> list[TagError]:
    lost = [
        word
        for word, is_there in (
            ("offset", tag.offset != 0.0),
            ("bad_values", bool(tag.bad_values)),
            ("wrap", tag.wrap is not None),
            ("scale of a bit", tag.type in {"bool", "bit"} and tag.scale != 1.0),
            ("an odd length", tag.is_text and int(tag.type[6:]) % 2 == 1),
        )
        if is_there
    ]
    if tag.type == "bool" and tag.table in {"holding", "input"}:
        lost.append("any bit of the register as true")
    if not lost:
        return []
    what = f"{tag.name}: Telegraf has no {', '.join(lost)}"
    return [TagError("", 0, what, "apply it behind Telegraf", "warning")]


def _plugin(name: str, device: DeviceFound, interval_s: float, metrics: Mapping[tuple[str, str], list[Tag]]) -> str:
    lines = [
        "[[inputs.modbus]]",
        f"  name = {_text(name)}",
        f'  interval = "{round(interval_s * 1000)}ms"',
        *_connection(device.url),
        '  configuration_type = "metric"',
    ]
    for (_, order), tags in metrics.items():
        lines += [
            "",
            "  [[inputs.modbus.metric]]",
            f"    slave_id = {device.unit or 0}",
            f'    byte_order = "{order}"',
            '    measurement = "modbus"',
            "    fields = [",
            *(f"      {_field(tag)}," for tag in tags),
            "    ]",
        ]
    return "\n".join(lines) + "\n"


def _connection(url: str) -> list[str]:
    parts = urlsplit(url)
    if parts.scheme == "rtu":
        words = {key: values[0] for key, values in parse_qs(parts.query).items()}
        lines = [f"  controller = {_text('file://' + parts.path)}", '  transmission_mode = "RTU"']
        if "baud" in words:
            lines.append(f"  baud_rate = {words['baud']}")
        if "parity" in words:
            lines.append(f"  parity = {_text(words['parity'])}")
        if "stopbits" in words:
            lines.append(f"  stop_bits = {words['stopbits']}")
        return lines
    mode = "RTUoverTCP" if parts.scheme == "rtu+tcp" else "TCP"
    place = f"tcp://{parts.hostname}:{parts.port or 502}"
    return [f"  controller = {_text(place)}", f'  transmission_mode = "{mode}"']


def _field(tag: Tag) -> str:
    name = tag.name.removeprefix(f"{tag.device}.")
    words = [f'register="{tag.table}"', f"address={tag.address}", f"name={_text(name)}"]
    if tag.table in {"holding", "input"}:
        if tag.is_text:
            words += ['type="STRING"', f"length={tag.registers}"]
        elif tag.type == "bit":
            words += ['type="BIT"', f"bit={tag.bit}"]
        else:
            words.append(f'type="{"UINT16" if tag.type == "bool" else tag.type.upper()}"')
            if tag.scale != 1.0 and tag.type != "bool":
                words.append(f"scale={tag.scale!r}")
    return "{ " + ", ".join(words) + " }"


def _text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
